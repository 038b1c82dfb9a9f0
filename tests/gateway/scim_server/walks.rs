//! Scans of the whole list, in windows of many sizes, over servers that cap their pages at various sizes.

use serde_json::{Value, json};

use super::{ScimServer, world};
use crate::world::World;

/// How many users the server holds.
const USERS: usize = 130;

/// One, around the cap and the number of users, and the largest that a client may ask for.
fn sizes(cap: usize) -> [usize; 9] {
    [
        1,
        cap - 1,
        cap,
        cap + 1,
        50,
        USERS - 1,
        USERS,
        USERS + 1,
        500,
    ]
}

const LIST: &str = "query ($first: Int!, $after: String) {
    users(provider: SCIM, first: $first, after: $after) {
        nodes { remoteId } pageInfo { hasNextPage endCursor } totalCount sources { status } } }";

/// The fewest calls for so many users behind the first `from`: every page but the list's first begins with
/// the last user of the page before.
fn least(cap: usize, from: usize, rows: usize) -> usize {
    let first = cap - usize::from(from > 0);
    1 + rows.saturating_sub(first).div_ceil(cap - 1)
}

fn ids(users: &[Value], name: &str) -> Vec<String> {
    let ids = users.iter().map(|user| user[name].as_str());
    ids.map(|id| id.expect("an id").to_owned()).collect()
}

/// Scans in windows of a size: every user comes once, in the server's order.
async fn assert_scanned(
    (world, server): &(World, ScimServer),
    expected: &[String],
    cap: usize,
    size: usize,
) {
    let mut found = Vec::new();
    let mut after = Value::Null;
    server.take_calls();
    loop {
        let variables = json!({ "first": size, "after": after });
        let mut data = world.data_with(LIST, variables).await;
        let page = data["users"].take();
        let from = found.len();
        found.extend(ids(page["nodes"].as_array().expect("nodes"), "remoteId"));

        let calls = server.take_calls();
        let label = format!("{size} from {from} at a cap of {cap}");
        assert_eq!(page["totalCount"], expected.len(), "{label}");
        assert_eq!(page["sources"][0]["status"], "COMPLETE", "{label}");
        let expected_end = expected.len().min(from + size);
        assert_eq!(found.len(), expected_end, "{label}");
        let calls: Vec<_> = calls.into_iter().map(|call| call.request).collect();
        let allowed = least(cap, from, found.len() - from);
        assert_eq!(calls.len(), allowed, "{label}: {calls:#?}");

        after = page["pageInfo"]["endCursor"].clone();
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
    }
    assert_eq!(found, expected, "{size} at a cap of {cap}");
}

async fn assert_all_scanned(cap: usize) {
    let Some(world) = world(USERS, cap).await else {
        return;
    };
    let expected = ids(&world.1.users().await, "id");
    assert_eq!(expected.len(), USERS);
    for size in sizes(cap) {
        assert_scanned(&world, &expected, cap, size).await;
    }
}

#[tokio::test]
async fn every_user_comes_once_in_the_fewest_calls_of_5() {
    assert_all_scanned(5).await;
}

#[tokio::test]
async fn every_user_comes_once_in_the_fewest_calls_of_20() {
    assert_all_scanned(20).await;
}

#[tokio::test]
async fn every_user_comes_once_in_the_fewest_calls_of_100() {
    assert_all_scanned(100).await;
}
