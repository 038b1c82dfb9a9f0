//! The list that is joined from all providers pages like any other.

use roster_sandbox::known;
use serde_json::{Value, json};

use crate::world::World;

const FIND: &str = "query ($email: String!, $first: Int, $after: String, $of: [Provider!]) {
    usersByEmail(email: $email, first: $first, after: $after, providers: $of) {
        edges { cursor node { id } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
        totalCount sources { provider } } }";

async fn page(world: &World, variables: Value) -> Value {
    let mut data = world.data_with(FIND, variables).await;
    data["usersByEmail"].take()
}

fn ids(page: &Value) -> Vec<Value> {
    let edges = page["edges"].as_array().expect("edges");
    edges
        .iter()
        .map(|edge| edge["node"]["id"].clone())
        .collect()
}

#[tokio::test]
async fn windows_of_any_size_from_any_edge_make_up_the_whole() {
    let world = World::with(known::ENOUGH, |_| {}).await;
    let email = known::SHARED_UPPER;
    let whole = page(&world, json!({ "email": email })).await;
    let all = ids(&whole);
    assert_eq!(all.len(), 8);

    for (at, edge) in whole["edges"].as_array().expect("edges").iter().enumerate() {
        for first in [1, 3, 8] {
            let slice = json!({ "email": email, "first": first, "after": edge["cursor"] });
            let window = page(&world, slice).await;
            let to = all.len().min(at + 1 + first);
            assert_eq!(ids(&window), all[at + 1..to]);
            let info = &window["pageInfo"];
            assert_eq!(info["hasNextPage"], to < all.len());
            assert_eq!(info["hasPreviousPage"], true);
            assert_eq!(
                info["endCursor"],
                window["edges"]
                    .as_array()
                    .and_then(|edges| edges.last())
                    .map_or(Value::Null, |edge| edge["cursor"].clone())
            );
            assert_eq!(window["totalCount"], 8);
        }
    }
    let start = page(&world, json!({ "email": email, "first": 3 })).await;
    assert_eq!(ids(&start), all[..3]);
    assert_eq!(start["pageInfo"]["hasNextPage"], true);
    assert_eq!(start["pageInfo"]["hasPreviousPage"], false);
}

#[tokio::test]
async fn a_cursor_holds_for_any_spelling_of_its_address_and_for_no_other_search() {
    let world = World::with(known::ENOUGH, |_| {}).await;
    let start = page(&world, json!({ "email": known::EVERYWHERE, "first": 1 })).await;
    let after = &start["pageInfo"]["endCursor"];

    let slice = json!({ "email": "ANN@x.test", "first": 10, "after": after });
    assert_eq!(ids(&page(&world, slice).await).len(), 3);

    for slice in [
        json!({ "email": known::JOANN, "after": after }),
        json!({ "email": known::EVERYWHERE, "after": after, "of": ["ADA"] }),
        json!({ "email": known::EVERYWHERE, "after": "nonsense" }),
    ] {
        let answer = world.answer_with(FIND, slice.clone()).await;
        assert_eq!(answer["data"], json!({ "usersByEmail": null }), "{slice}");
        assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
    }
}

#[tokio::test]
async fn an_empty_window_makes_no_call() {
    let world = World::with(10, |_| {}).await;

    let page = page(&world, json!({ "email": known::EVERYWHERE, "first": 0 })).await;

    assert_eq!(page["edges"], json!([]));
    assert_eq!(world.tally().await, [0; 4]);
}
