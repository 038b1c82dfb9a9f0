//! Users who were made at the same moment: Usertour lists them in another order with each request.

use std::collections::BTreeSet;

use roster::account::Provider;
use serde_json::{Value, json};

use super::page::{Notice, ids, page};
use crate::world::World;

const USERTOUR: Provider = Provider::Usertour;

/// A list in which about nine users share each moment.
async fn tied(users: usize) -> World {
    let world = World::with(users, |_| {}).await;
    world.behave(USERTOUR, "ties", "shuffled").await;
    world
}

/// Everybody on all pages of a list, each with the filter, and whether all were COMPLETE.
async fn scan(world: &World, first: usize, filter: &Value) -> Vec<String> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let slice = json!({ "first": first, "after": after, "filter": filter });
        let page = page(world, USERTOUR, slice).await;
        let source = page.source();
        assert_eq!((&*source.status, &*source.notices), ("COMPLETE", &[][..]));
        all.extend(page.ids());
        if !page.page_info.has_next_page {
            return all;
        }
        assert_eq!(
            page.ids().len(),
            first,
            "a page is full while there are more"
        );
        after = page.page_info.end_cursor;
    }
}

#[tokio::test]
async fn no_user_is_lost_or_repeated_where_users_share_a_moment() {
    let world = tied(340).await;
    let mut everybody = ids(&world, USERTOUR).await;
    everybody.sort();
    for first in [7, 20, 33, 60, 100, 150, 500] {
        for direction in ["ASCENDING", "DESCENDING"] {
            let sort = json!({ "sort": { "field": "CREATED_AT", "direction": direction } });
            let mut seen = scan(&world, first, &sort).await;
            seen.sort();
            assert_eq!(seen, everybody, "first: {first} {direction}");
        }
    }
}

#[tokio::test]
async fn every_edge_of_a_list_with_ties_resumes_after_itself() {
    let world = tied(230).await;
    let all = page(&world, USERTOUR, json!({ "first": 500 })).await;
    let ids = all.ids();
    for at in [
        0, 3, 50, 88, 97, 98, 99, 100, 101, 120, 190, 197, 198, 199, 228,
    ] {
        let slice = json!({ "first": 15, "after": all.edges[at].cursor });
        let next = page(&world, USERTOUR, slice).await;
        let wanted = &ids[at + 1..ids.len().min(at + 16)];
        assert_eq!(next.ids(), wanted, "after edge {at}");
    }
}

#[tokio::test]
async fn a_list_without_ties_costs_no_more_calls_than_it_has_pages() {
    let world = World::with(340, |_| {}).await;
    for (first, calls) in [(500, 4), (100, 4), (50, 7)] {
        world.forget_calls().await;
        let seen = scan(&world, first, &Value::Null).await;
        assert_eq!(seen, ids(&world, USERTOUR).await);
        assert_eq!(world.calls(USERTOUR).await.len(), calls, "first: {first}");
    }
}

#[tokio::test]
async fn ties_cost_one_more_call_for_each_border_of_a_page() {
    let world = tied(340).await;
    world.forget_calls().await;
    let seen = scan(&world, 500, &Value::Null).await;
    assert_eq!(seen.len(), 340);
    let calls = world.calls(USERTOUR).await.len();
    assert!((7..=8).contains(&calls), "{calls}");
}

#[tokio::test]
async fn more_users_of_one_moment_than_a_page_holds_are_said_to_be_missing_perhaps() {
    let world = World::with(3, |_| {}).await;
    // Within the ten minutes that share a moment, or at worst on both sides of their end.
    for number in 0..220 {
        let url = format!("http://{}/usertour/v1/users", world.sandbox);
        let made = world
            .client
            .post(url)
            .bearer_auth(format!("ak_{}", roster_sandbox::TOKEN))
            .json(&json!({ "id": format!("bulk-{number}") }));
        assert_eq!(made.send().await.expect("an answer").status(), 201);
    }
    world.behave(USERTOUR, "ties", "shuffled").await;

    let all = page(&world, USERTOUR, json!({ "first": 500 })).await;

    assert_eq!(all.source().status, "PARTIAL");
    let [notice] = &*all.source().notices else {
        panic!("one notice: {:?}", all.source());
    };
    assert_eq!(notice.code, "UNSTABLE_ORDER");
    assert!(
        notice
            .message
            .starts_with("more users were made at one moment"),
        "{notice:?}"
    );
    let seen: BTreeSet<String> = all.ids().into_iter().collect();
    assert_eq!(seen.len(), all.ids().len(), "nobody twice");
}

#[tokio::test]
async fn a_user_whose_id_is_blank_costs_itself_only() {
    let world = World::with(5, |_| {}).await;
    world.behave(USERTOUR, "ids", "blank").await;
    let url = format!("http://{}/usertour/v1/users", world.sandbox);
    for id in ["", "last"] {
        let body = json!({ "id": id, "attributes": { "email": "blank@x.test" } });
        let token = format!("ak_{}", roster_sandbox::TOKEN);
        let made = world.client.post(&url).bearer_auth(token).json(&body);
        assert_eq!(made.send().await.expect("an answer").status(), 201);
    }

    let all = page(&world, USERTOUR, json!({ "first": 50 })).await;
    let by_email = world
        .data("{ usersByEmail(email: \"blank@x.test\", providers: [USERTOUR]) { nodes { remoteId } sources { status notices { code message } } } }")
        .await;

    assert_eq!(all.ids().len(), 6);
    assert_eq!(all.source().status, "PARTIAL");
    let notice =
        "a user whose id at Usertour is blank is left out: it cannot be asked for by its id";
    let blank = Notice::new("ROWS_UNREADABLE", notice);
    assert_eq!(all.source().notices, [blank]);
    let found = &by_email["usersByEmail"];
    assert_eq!(found["nodes"], json!([{ "remoteId": "last" }]));
    assert_eq!(found["sources"][0]["status"], "PARTIAL");
    let said = found["sources"][0]["notices"].as_array().expect("notices");
    let blank = json!({ "code": "ROWS_UNREADABLE", "message": notice });
    assert!(said.contains(&blank), "{said:?}");
}
