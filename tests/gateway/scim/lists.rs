//! Lists: pages that the server makes smaller than asked, short, or wrong.

use roster::account::Provider::Scim;
use serde_json::{Value, json};

use super::{calls, ids, world, world_with};
use crate::world::{World, account};

const LIST: &str = "query ($first: Int, $after: String, $filter: UserFilter) {
    users(provider: SCIM, first: $first, after: $after, filter: $filter) {
        nodes { remoteId } totalCount pageInfo { hasNextPage endCursor }
        sources { status notices { code } } } }";

async fn list(world: &World, variables: Value) -> Value {
    let mut data = world.data_with(LIST, variables).await;
    data["users"].take()
}

/// The ids of the server's users, in its order.
async fn held(world: &World) -> Vec<String> {
    ids(&Value::from(world.records(Scim).await), "id")
}

/// The fewest calls for `rows` users behind the first `from`, where a page holds `cap` users and every page
/// but the list's first starts with the last user of the page before.
fn fewest(cap: usize, from: usize, rows: usize) -> usize {
    let first = cap - usize::from(from > 0);
    1 + rows.saturating_sub(first).div_ceil(cap - 1)
}

#[tokio::test]
async fn a_window_is_exact_and_takes_the_fewest_calls_whatever_the_servers_cap() {
    for (cap, users) in [(5, 100), (20, 500), (100, 500)] {
        let world = world(users).await;
        world.behave(Scim, "cap", &cap.to_string()).await;
        let held = held(&world).await;
        let firsts = [
            1, 2, 4, 5, 6, 19, 20, 21, 39, 99, 100, 101, 199, 200, 499, 500,
        ];
        for first in firsts.into_iter().filter(|first| *first <= users) {
            world.forget_calls().await;

            let page = list(&world, json!({ "first": first })).await;

            assert_eq!(
                ids(&page["nodes"], "remoteId"),
                held[..first],
                "{cap} {first}"
            );
            assert_eq!(page["totalCount"], users);
            assert_eq!(page["pageInfo"]["hasNextPage"], first < users);
            assert_eq!(page["sources"][0]["status"], "COMPLETE");
            let calls = calls(&world).await.len();
            assert_eq!(calls, fewest(cap, 0, first), "{cap} {first}");
        }
    }
}

#[tokio::test]
async fn a_walk_is_exact_whatever_the_servers_cap_and_the_size_of_the_windows() {
    for (cap, users) in [(5, 60), (20, 130), (100, 230)] {
        let world = world(users).await;
        world.behave(Scim, "cap", &cap.to_string()).await;
        let held = held(&world).await;
        for first in [1, 7, 33, 100, 150, 229, 230, 231] {
            let (mut walked, mut after) = (Vec::new(), Value::Null);
            loop {
                world.forget_calls().await;
                let from = walked.len();
                let page = list(&world, json!({ "first": first, "after": after })).await;
                walked.extend(ids(&page["nodes"], "remoteId"));
                assert_eq!(page["sources"][0]["status"], "COMPLETE");
                let expected = fewest(cap, from, walked.len() - from);
                assert_eq!(calls(&world).await.len(), expected, "{cap} {first} {from}");
                after = page["pageInfo"]["endCursor"].clone();
                if page["pageInfo"]["hasNextPage"] == false || walked.len() > users {
                    break;
                }
            }
            assert_eq!(walked, held, "{cap} {first}");
        }
    }
}

#[tokio::test]
async fn pages_that_are_one_user_short_lose_nobody_without_a_word() {
    let world = world(230).await;
    world.behave(Scim, "short", "pages").await;
    let held = held(&world).await;
    for first in [1, 2, 50, 100, 229, 230] {
        let users = list(&world, json!({ "first": first })).await;

        let ids = ids(&users["nodes"], "remoteId");
        assert_eq!(ids, held[..ids.len()], "{first}");
        let status = match ids.len() == first {
            true => "COMPLETE",
            false => "PARTIAL",
        };
        assert_eq!(users["sources"][0]["status"], status, "{first}");
    }
}

#[tokio::test]
async fn a_list_that_withholds_its_last_user_is_partial() {
    let world = world(60).await;
    world.behave(Scim, "short", "last").await;

    let users = list(&world, json!({ "first": 100 })).await;

    assert_eq!(ids(&users["nodes"], "remoteId"), held(&world).await[..59]);
    assert_eq!(users["sources"][0]["status"], "PARTIAL");
}

#[tokio::test]
async fn a_server_that_repeats_its_first_page_is_never_complete_beyond_it() {
    let world = world(230).await;
    world.behave(Scim, "start_index", "ignored").await;

    let first = list(&world, json!({ "first": 100 })).await;
    let answer = world.answer_with(LIST, json!({ "first": 200 })).await;

    assert_eq!(first["sources"][0]["status"], "COMPLETE");
    let status = &answer["data"]["users"]["sources"][0]["status"];
    let code = &answer["errors"][0]["extensions"]["code"];
    let is_told = *status == "PARTIAL" || *code == "PROVIDER_BAD_RESPONSE";
    assert!(is_told, "{answer}");
}

#[tokio::test]
async fn a_list_without_a_total_is_read_to_its_end() {
    let world = world(150).await;
    world.behave(Scim, "total_results", "absent").await;

    let users = list(&world, json!({ "first": 200 })).await;

    assert_eq!(ids(&users["nodes"], "remoteId"), held(&world).await);
    assert_eq!(users["totalCount"], Value::Null);
    assert_eq!(users["sources"][0]["status"], "COMPLETE");
}

#[tokio::test]
async fn a_filter_that_the_server_ignores_is_exact_all_the_same() {
    let (good, ignoring) = (world(150).await, world(150).await);
    ignoring.behave(Scim, "filter", "ignored").await;
    let moments = "{ users(provider: SCIM, first: 70) { nodes { createdAt updatedAt } } }";
    let moments = good.data(moments).await["users"]["nodes"][69].take();
    for filter in [
        json!({ "email": "ANN@x.test" }),
        json!({ "createdSince": moments["createdAt"] }),
        json!({ "updatedBefore": moments["updatedAt"] }),
    ] {
        let variables = json!({ "first": 200, "filter": filter });

        let expected = list(&good, variables.clone()).await;
        let users = list(&ignoring, variables).await;

        assert_ne!(expected["nodes"], json!([]), "{filter}");
        assert_eq!(users["nodes"], expected["nodes"], "{filter}");
        assert_eq!(users["totalCount"], Value::Null);
        assert_eq!(users["sources"][0]["status"], "COMPLETE");
    }
}

#[tokio::test]
async fn what_a_server_cannot_do_is_refused_with_the_reason() {
    let sorted = json!({ "sort": { "field": "CREATED_AT" } });
    let by_moment = json!({ "createdSince": "2023-11-20T00:00:00Z" });
    for (switch, value, filter, reason) in [
        ("sort", "ignored", &sorted, "/ServiceProviderConfig"),
        ("config", "404", &sorted, "/ServiceProviderConfig"),
        (
            "filter",
            "unsupported",
            &by_moment,
            "does not take this filter",
        ),
    ] {
        let world = world(5).await;
        world.behave(Scim, switch, value).await;

        let answer = world
            .answer_with(LIST, json!({ "first": 1, "filter": filter }))
            .await;

        let error = &answer["errors"][0];
        assert_eq!(error["extensions"]["code"], "BAD_USER_INPUT", "{answer}");
        let message = error["message"].as_str().expect("a text");
        assert!(message.contains(reason), "{message}");
    }
}

#[tokio::test]
async fn the_server_is_asked_once_what_it_can_do() {
    let world = world(30).await;
    let sorted = json!({ "first": 5, "filter": { "sort": { "field": "UPDATED_AT" } } });
    for expected in [2, 1, 1] {
        world.forget_calls().await;
        list(&world, sorted.clone()).await;
        assert_eq!(calls(&world).await.len(), expected);
    }
}

#[tokio::test]
async fn a_404_of_another_server_is_no_missing_user() {
    let find = "{ user(provider: SCIM, by: { remoteId: \"nobody\" }) { id } }";
    let world = world(3).await;
    assert_eq!(world.data(find).await, json!({ "user": null }));

    let elsewhere = world_with(3, |settings| {
        let base_url = &mut account(settings, Scim).base_url;
        *base_url = base_url
            .as_ref()
            .map(|base| base.replace("/scim/v2", "/other"));
    })
    .await;
    let answer = elsewhere.answer(find).await;

    let error = &answer["errors"][0];
    assert_eq!(error["extensions"]["code"], "PROVIDER_BAD_RESPONSE");
    let message = error["message"].as_str().expect("a text");
    assert!(message.contains("base_url"), "{message}");
}
