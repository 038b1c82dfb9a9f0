//! Answers of which a part is there: it arrives, and says that it is a part.

use roster::account::Provider;
use roster_sandbox::known::{EDGE_FIRST, EVERYWHERE, NOBODY, POSITION_101};
use serde_json::{Value, json};

use super::{USERS, gives_nothing_away, world};
use crate::world::{World, account, notices};

const SEARCH: &str = "query($email: String!, $of: [Provider!]) {
    usersByEmail(email: $email, providers: $of) {
        nodes { email }
        sources { status calls notices { code message } error { code } }
    }
}";

async fn search(world: &World, of: &str, email: &str) -> (Value, Value) {
    let answer = world
        .answer_with(SEARCH, json!({ "email": email, "of": [of] }))
        .await;
    gives_nothing_away(world, &answer);
    assert_eq!(answer.get("errors"), None, "{answer}");
    let found = &answer["data"]["usersByEmail"];
    (found["nodes"].clone(), found["sources"][0].clone())
}

/// Lets one call through, and fails all that follow.
async fn ill_after_one_call(world: &World, of: Provider) {
    world
        .fault(
            of,
            json!({ "kind": "latency", "milliseconds": 0, "count": 1 }),
        )
        .await;
    world
        .fault(of, json!({ "kind": "status", "status": 500 }))
        .await;
}

/// Makes a user at DigitalChalk behind the gateway's back.
async fn made_at_digital_chalk(world: &World, email: &str) {
    let answer = world
        .client
        .post(format!(
            "http://{}/digitalchalk/dc/api/v5/users",
            world.sandbox
        ))
        .bearer_auth(roster_sandbox::TOKEN)
        .json(&json!({ "email": email }))
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status(), 201);
}

#[tokio::test]
async fn a_failed_page_in_the_middle_of_a_search_leaves_the_users_found() {
    let world = World::with(0, |settings| {
        account(settings, Provider::DigitalChalk).attempts = 2;
    })
    .await;
    made_at_digital_chalk(&world, "part@way.test").await;
    for n in 0..100 {
        made_at_digital_chalk(&world, &format!("n{n}.part@way.test")).await;
    }
    ill_after_one_call(&world, Provider::DigitalChalk).await;
    world.forget_calls().await;

    let (nodes, source) = search(&world, "DIGITAL_CHALK", "part@way.test").await;

    assert_eq!(nodes, json!([{ "email": "part@way.test" }]));
    assert_eq!(source["status"], "PARTIAL");
    assert_eq!(source["error"]["code"], "PROVIDER_UNAVAILABLE");
    assert_eq!(source["calls"], 3);
    assert!(
        notices(&source).contains("could not be read to its end"),
        "{source}"
    );
    assert_eq!(world.calls(Provider::DigitalChalk).await.len(), 3);
}

#[tokio::test]
async fn a_failed_page_before_the_first_match_is_a_failure_and_not_an_empty_result() {
    let world = world(|_| {}).await;
    ill_after_one_call(&world, Provider::DigitalChalk).await;

    let (nodes, source) = search(&world, "DIGITAL_CHALK", POSITION_101).await;

    assert_eq!(nodes, json!([]));
    assert_eq!(source["status"], "FAILED");
    assert_eq!(source["error"]["code"], "PROVIDER_UNAVAILABLE");
    assert_eq!(source["calls"], 3);
}

#[tokio::test]
async fn a_search_that_stops_at_its_page_limit_is_partial() {
    let world = world(|settings| {
        let options = &mut account(settings, Provider::DigitalChalk).options;
        options.insert("search_pages".to_owned(), 1.into());
    })
    .await;

    let (nodes, source) = search(&world, "DIGITAL_CHALK", POSITION_101).await;

    assert_eq!(nodes, json!([]));
    assert_eq!(source["status"], "PARTIAL");
    assert_eq!(source["error"], Value::Null);
    assert_eq!(source["calls"], 1);
    let notice = notices(&source);
    assert!(
        notice.contains("pages read: 1 (bounded by search_pages)"),
        "{notice}"
    );
}

async fn world_with_one_page_of_ada() -> World {
    world(|settings| {
        let options = &mut account(settings, Provider::Ada).options;
        options.insert("scan_pages".to_owned(), 1.into());
    })
    .await
}

#[tokio::test]
async fn a_truncated_scan_is_partial_and_never_null() {
    let world = world_with_one_page_of_ada().await;
    assert!(world.records(Provider::Ada).await.len() >= USERS);
    world.forget_calls().await;

    // On the first page, on the second, and nowhere.
    for (email, count) in [(EVERYWHERE, 1), (EDGE_FIRST, 0), (NOBODY, 0)] {
        let (nodes, source) = search(&world, "ADA", email).await;
        assert_eq!(nodes.as_array().map(Vec::len), Some(count), "{email}");
        assert_eq!(source["status"], "PARTIAL", "{email}");
        assert_eq!(source["error"], Value::Null);
        assert_eq!(source["calls"], 1);
        let notice = notices(&source);
        assert!(
            notice.contains("pages read: 1 (bounded by scan_pages"),
            "{notice}"
        );
    }
    assert_eq!(world.calls(Provider::Ada).await.len(), 3);
}

#[tokio::test]
async fn a_person_is_not_null_while_a_source_is_incomplete() {
    let world = world_with_one_page_of_ada().await;
    let query = format!(
        "{{ person(email: \"{NOBODY}\") {{ users {{ remoteId }} sources {{ provider status }} }} }}"
    );

    let data = world.data(&query).await;

    assert_eq!(data["person"]["users"], json!([]));
    assert_eq!(
        data["person"]["sources"][0],
        json!({ "provider": "ADA", "status": "PARTIAL" })
    );
}

#[tokio::test]
async fn a_scan_that_fails_on_its_second_page_keeps_the_users_of_the_first() {
    let world = world(|_| {}).await;
    ill_after_one_call(&world, Provider::Ada).await;

    let (nodes, source) = search(&world, "ADA", EVERYWHERE).await;

    assert_eq!(nodes, json!([{ "email": EVERYWHERE }]));
    assert_eq!(source["status"], "PARTIAL");
    assert_eq!(source["error"]["code"], "PROVIDER_UNAVAILABLE");
    assert_eq!(source["calls"], 3);
}
