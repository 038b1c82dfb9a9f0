//! Clients that send a document's hash alone first, and the document when they are told to.

use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::world::World;

const HASH: &str = "ecf4edb46db40b5132295c0291d62fb65d6759a9eedfa4d5d612dd5ec54a6b38";

/// The media types that clients accept, each with the status of a request that cannot be run.
const MEDIA: [(&str, StatusCode); 2] = [
    ("application/json", StatusCode::OK),
    ("application/graphql-response+json", StatusCode::BAD_REQUEST),
];

fn extensions() -> Value {
    json!({ "persistedQuery": { "version": 1, "sha256Hash": HASH } })
}

fn url(world: &World) -> String {
    format!("http://{}/graphql", world.gateway)
}

async fn answer(request: RequestBuilder, accept: &str) -> (StatusCode, Value) {
    let answer = request.header("accept", accept).send().await;
    let answer = answer.expect("an answer");
    (answer.status(), answer.json().await.expect("JSON"))
}

async fn assert_not_supported(request: impl Fn() -> RequestBuilder) {
    for (accept, status) in MEDIA {
        let (answered, body) = answer(request(), accept).await;
        let expected = json!({ "errors": [{
            "message": "PersistedQueryNotSupported",
            "extensions": { "code": "PERSISTED_QUERY_NOT_SUPPORTED" },
        }] });
        assert_eq!((answered, body), (status, expected));
    }
}

#[tokio::test]
async fn a_hash_alone_by_post_is_an_unsupported_persisted_query() {
    let world = World::with(0, |_| {}).await;

    for query in [None, Some(Value::Null), Some("".into())] {
        let mut body = json!({ "operationName": "Q", "variables": {}, "extensions": extensions() });
        if let Some(query) = query {
            body["query"] = query;
        }
        assert_not_supported(|| world.client.post(url(&world)).json(&body)).await;
    }
}

#[tokio::test]
async fn a_hash_alone_by_get_is_an_unsupported_persisted_query() {
    let world = World::with(0, |_| {}).await;
    let text = extensions().to_string();

    for more in [
        &[][..],
        &[("query", "")],
        &[("operationName", "Q"), ("variables", "{}")],
    ] {
        let mut address = url::Url::parse(&url(&world)).expect("an address");
        address
            .query_pairs_mut()
            .append_pair("extensions", &text)
            .extend_pairs(more);
        assert_not_supported(|| world.client.get(address.clone())).await;
    }
}

#[tokio::test]
async fn a_document_with_its_hash_is_run() {
    let world = World::with(0, |_| {}).await;
    let body = json!({ "query": "{ __typename }", "extensions": extensions() });

    let (status, body) = answer(world.client.post(url(&world)).json(&body), MEDIA[0].0).await;

    assert_eq!(
        (status, body),
        (StatusCode::OK, json!({ "data": { "__typename": "Query" } }))
    );
}

#[tokio::test]
async fn a_request_with_neither_document_nor_hash_is_a_mistake() {
    let world = World::with(0, |_| {}).await;

    for extensions in [
        json!(null),
        json!({}),
        json!({ "persistedQuery": null }),
        json!({ "persistedQuery": {} }),
    ] {
        let body = json!({ "extensions": extensions });
        let (_, body) = answer(world.client.post(url(&world)).json(&body), MEDIA[0].0).await;
        assert_eq!(body["errors"][0]["message"], "`query` is missing");
    }
}
