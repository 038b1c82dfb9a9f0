//! The bytes of an answer are counted while it is built, from all its parts.

use futures_util::future::join_all;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::world::World;

/// More than one of the large records below, and less than forty.
const SOME: u64 = 1_000_000;

/// A gateway with limits on bytes, over a Usertour with a record of some 64 KB.
async fn with_large_record(request_bytes: u64, total_bytes: u64) -> World {
    let world = World::with(5, |settings| {
        settings.limits.request_bytes = request_bytes;
        settings.limits.total_bytes = total_bytes;
    })
    .await;
    let write = "mutation($input: UpsertUserInput!) { upsertUser(input: $input) { outcome userErrors { message } } }";
    let input = json!({
        "provider": "USERTOUR", "externalId": "large", "name": "n".repeat(4_000),
        "attributes": { "note": "x".repeat(60_000) },
    });
    let data = world.data_with(write, json!({ "input": input })).await;
    assert_eq!(data["upsertUser"]["outcome"], "CREATED", "{data}");
    world
}

fn aliases(times: usize, of: &str) -> String {
    (0..times).map(|n| format!("a{n}: {of} ")).collect()
}

const LARGE: &str = "user(provider: USERTOUR, by: { externalId: \"large\" })";

#[tokio::test]
async fn a_root_field_whose_answer_takes_more_than_a_request_may_is_null_with_one_error() {
    let world = with_large_record(SOME, 100 * SOME).await;
    let one = format!(
        "{{ {LARGE} {{ raw name attributes details {{ ... on UsertourUser {{ attributes }} }} }} }}"
    );
    world.data(&one).await;

    for fields in [
        aliases(40, "raw"),
        aliases(40, "attributes"),
        aliases(40, "details { ... on UsertourUser { createdAt } }"),
        format!(
            "details {{ ... on UsertourUser {{ {} }} }}",
            aliases(40, "attributes")
        ),
        format!(
            "details {{ ... on UsertourUser {{ companies {{ {} }} }} }}",
            aliases(40, "id")
        ),
        aliases(300, "name"),
    ] {
        let query = format!("{{ accounts {{ provider }} {LARGE} {{ {fields} }} }}");
        let answer = world.answer(&query).await;

        let errors = answer["errors"].as_array().expect("errors");
        assert_eq!(errors.len(), 1, "{fields:.60}: {errors:?}");
        assert_eq!(errors[0]["extensions"]["code"], "QUERY_TOO_COMPLEX");
        assert_eq!(errors[0]["path"][0], "user", "{fields:.60}");
        assert_eq!(answer["data"]["user"], Value::Null, "{fields:.60}");
        assert_eq!(answer["data"]["accounts"][0]["provider"], "ADA");
    }
}

#[tokio::test]
async fn edges_nodes_and_entities_are_counted_too() {
    let world = with_large_record(SOME, 100 * SOME).await;
    let names = aliases(300, "name");
    let found = world.data(&format!("{{ {LARGE} {{ id }} }}")).await;
    let id = &found["user"]["id"];
    let entity = json!([{ "__typename": "User", "id": id }]);

    for (query, variables) in [
        (
            format!(
                "{{ users(provider: USERTOUR, first: 10) {{ edges {{ node {{ {names} }} }} }} }}"
            ),
            json!({}),
        ),
        (
            format!("{{ users(provider: USERTOUR, first: 10) {{ nodes {{ {names} }} }} }}"),
            json!({}),
        ),
        (
            format!("query($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on User {{ {names} }} }} }}"),
            json!({ "ids": [id] }),
        ),
        (
            format!(
                "query($of: [_Any!]!) {{ _entities(representations: $of) {{ ... on User {{ {names} }} }} }}"
            ),
            json!({ "of": entity }),
        ),
    ] {
        let answer = world.answer_with(&query, variables).await;
        let errors = answer["errors"].as_array().expect("errors");
        assert_eq!(errors.len(), 1, "{query:.60}: {errors:?}");
        assert_eq!(
            errors[0]["extensions"]["code"], "QUERY_TOO_COMPLEX",
            "{query:.60}"
        );
    }
}

#[tokio::test]
async fn the_memory_of_all_requests_is_limited_and_released() {
    let world = with_large_record(SOME, SOME).await;
    let one = format!("{{ {LARGE} {{ {} }} }}", aliases(6, "raw"));
    let requests = (0..40).map(|_| {
        world
            .client
            .post(format!("http://{}/graphql", world.gateway))
            .json(&json!({ "query": one }))
            .send()
    });

    let mut refused = 0;
    for answer in join_all(requests).await {
        let answer = answer.expect("an answer");
        if answer.status() == StatusCode::SERVICE_UNAVAILABLE {
            refused += 1;
            assert_eq!(answer.headers()["retry-after"], "1");
            let body: Value = answer.json().await.expect("JSON");
            let extensions = json!({ "code": "OVERLOADED", "retryAfter": 1 });
            assert_eq!(body["errors"][0]["extensions"], extensions);
            assert_eq!(body.get("data"), None);
        } else {
            let body: Value = answer.json().await.expect("JSON");
            assert_eq!(body.get("errors"), None);
        }
    }
    assert!(refused > 0, "forty requests hold more than all may");
    world.data(&one).await;
}

#[tokio::test]
async fn a_successful_write_is_reported_even_without_memory() {
    let world = with_large_record(SOME, SOME).await;
    let fields = aliases(40, "raw");
    let write = format!(
        "mutation {{ upsertUser(input: {{ provider: USERTOUR, externalId: \"large\", name: \"n\" }}) {{ outcome user {{ {fields} }} }} }}"
    );
    let requests = (0..20).map(|_| {
        world
            .client
            .post(format!("http://{}/graphql", world.gateway))
            .json(&json!({ "query": write }))
            .send()
    });

    for answer in join_all(requests).await {
        let answer = answer.expect("an answer");
        let status = answer.status().as_u16();
        assert!([200, 294].contains(&status), "{status}");
        let body: serde_json::Value = answer.json().await.expect("JSON");
        assert!(body["data"]["upsertUser"].is_object(), "{body}");
    }
}

#[tokio::test]
async fn a_record_reaches_the_client_as_it_was_sent() {
    let world = World::with(5, |_| {}).await;
    let sent = world
        .at_provider(roster::account::Provider::Ada, "/v2/end-users/")
        .await;

    let data = world
        .data("{ users(provider: ADA, first: 5) { nodes { raw attributes details { ... on AdaEndUser { profile { metadata } } } } } }")
        .await;

    let nodes = data["users"]["nodes"].as_array().expect("nodes");
    assert_eq!(nodes.len(), 5);
    for (node, record) in nodes.iter().zip(sent["data"].as_array().expect("rows")) {
        assert_eq!(node["raw"], *record);
        let metadata = &record["profile"]["metadata"];
        assert_eq!(node["details"]["profile"]["metadata"], *metadata);
        if metadata
            .as_object()
            .is_some_and(|fields| !fields.is_empty())
        {
            assert_eq!(node["attributes"], *metadata);
        }
    }
}
