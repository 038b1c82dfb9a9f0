//! Parts of addresses: the one vendor that finds them does, the others say that they were not asked.

use roster_sandbox::known;
use serde_json::json;

use crate::world::World;

const FIND: &str = "query ($part: String!, $first: Int, $of: [Provider!]) {
    usersByEmail(email: $part, match: SUBSTRING, first: $first, providers: $of) {
        nodes { provider email } totalCount pageInfo { hasNextPage }
        sources { provider status notice calls } } }";

#[tokio::test]
async fn every_address_that_holds_the_part_is_found_whatever_its_letter_case() {
    let world = World::with(known::ENOUGH, |_| {}).await;

    for part in ["seventeen@", "SEVENTEEN@Pages"] {
        world.forget_calls().await;
        let data = world.data_with(FIND, json!({ "part": part })).await;

        let found = &data["usersByEmail"];
        let nodes = found["nodes"].as_array().expect("users");
        assert_eq!((nodes.len(), &found["totalCount"]), (17, &json!(17)));
        for user in nodes {
            assert_eq!(user["provider"], "DIGITAL_CHALK");
            assert!(
                user["email"]
                    .as_str()
                    .is_some_and(|email| email.contains("seventeen@pages.test"))
            );
        }
        let skipped = |provider| {
            let notice = "this provider finds whole addresses only";
            json!({ "provider": provider, "status": "SKIPPED", "notice": notice, "calls": 0 })
        };
        let asked = json!({ "provider": "DIGITAL_CHALK", "status": "COMPLETE", "notice": null, "calls": 1 });
        let sources = json!([
            skipped("ADA"),
            asked,
            skipped("INTERCOM"),
            skipped("USERTOUR")
        ]);
        assert_eq!(found["sources"], sources);
        assert_eq!(world.tally().await, [0, 1, 0, 0]);
    }
}

#[tokio::test]
async fn a_part_with_more_hits_than_a_page_is_read_to_the_end() {
    let world = World::with(known::ENOUGH, |_| {}).await;

    let data = world
        .data_with(FIND, json!({ "part": known::POSITION_101, "first": 30 }))
        .await;

    let found = &data["usersByEmail"];
    assert_eq!(found["nodes"].as_array().map(Vec::len), Some(30));
    assert_eq!(
        (&found["totalCount"], &found["pageInfo"]["hasNextPage"]),
        (&json!(101), &json!(true))
    );
    assert_eq!(world.tally().await, [0, 2, 0, 0]);
}

#[tokio::test]
async fn a_part_that_nearly_everybody_has_is_refused_without_a_call() {
    let world = World::with(10, |_| {}).await;
    for part in ["", "a", "@x", "  a ", "a b c"] {
        let answer = world.answer_with(FIND, json!({ "part": part })).await;
        assert_eq!(answer["data"], json!({ "usersByEmail": null }), "{part:?}");
        assert_eq!(
            answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT",
            "{part:?}"
        );
    }
    assert_eq!(world.tally().await, [0; 4]);
}

#[tokio::test]
async fn the_users_of_a_part_are_all_there_however_they_are_paged() {
    let world = World::with(200, |_| {}).await;
    let query = "query ($first: Int!, $after: String) {
        usersByEmail(email: \"test\", match: SUBSTRING, first: $first, after: $after) {
            nodes { vendorId } pageInfo { hasNextPage endCursor } } }";
    let whole = world.data_with(query, json!({ "first": 500 })).await;
    let whole = whole["usersByEmail"]["nodes"]
        .as_array()
        .cloned()
        .expect("users");

    let (mut walked, mut after) = (Vec::new(), serde_json::Value::Null);
    loop {
        let data = world
            .data_with(query, json!({ "first": 37, "after": after }))
            .await;
        let page = &data["usersByEmail"];
        walked.extend(page["nodes"].as_array().cloned().expect("users"));
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }

    assert!(whole.len() > 100, "{}", whole.len());
    assert_eq!(walked, whole);
}
