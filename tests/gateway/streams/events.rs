//! Server-sent events: `graphql-sse`, distinct connections mode.

use std::time::Duration;

use roster::server::SocketLimits;
use serde_json::json;

use super::{StreamGateway, events, post_for_events};
use crate::world::World;

async fn gateway() -> (World, StreamGateway) {
    let world = World::with(5, |_| {}).await;
    let gateway = StreamGateway::over(&world, SocketLimits::default()).await;
    (world, gateway)
}

#[tokio::test]
async fn a_query_is_one_event_and_the_end() {
    let (_world, gateway) = gateway().await;
    let body = json!({ "query": "{ accounts { name } }" });

    let response = post_for_events(gateway.address, &body).await;

    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert_eq!(response.headers()["cache-control"], "no-store");
    let events = events(response).await;
    assert_eq!(events.len(), 2, "{events:?}");
    assert_eq!(events[0].0, "next");
    assert_eq!(events[0].1["data"]["accounts"][0]["name"], "ada");
    assert_eq!(events[1].0, "complete");
}

#[tokio::test]
async fn events_are_not_compressed_and_so_not_collected() {
    let (_world, gateway) = gateway().await;
    let request = reqwest::Client::new()
        .post(format!("http://{}/graphql", gateway.address))
        .header("accept", "text/event-stream")
        .header("accept-encoding", "gzip, br")
        .json(&json!({ "query": "{ accounts { name } }" }));

    let response = request.send().await.expect("an answer");

    assert_eq!(response.headers().get("content-encoding"), None);
    assert_eq!(response.headers()["x-accel-buffering"], "no");
}

#[tokio::test]
async fn a_get_carries_queries_and_subscriptions_and_no_mutation() {
    let (_world, gateway) = gateway().await;
    let get = |query: &str| {
        let mut url: url::Url = format!("http://{}/graphql", gateway.address)
            .parse()
            .expect("a URL");
        url.query_pairs_mut().append_pair("query", query);
        reqwest::Client::new()
            .get(url)
            .header("accept", "text/event-stream")
            .send()
    };

    let query = get("{ accounts { name } }").await.expect("an answer");
    assert_eq!(events(query).await.len(), 2);
    let search = "subscription { usersByEmail(email: \"ann@x.test\") { source { status } } }";
    let subscription = get(search).await.expect("an answer");
    assert_eq!(events(subscription).await.len(), 5);
    let write = "mutation { upsertUser(input: { provider: ADA, externalId: \"x\" }) { outcome } }";
    let mutation = get(write).await.expect("an answer");
    assert_eq!(mutation.status(), 405);
    assert_eq!(mutation.headers()["allow"], "POST");
}

#[tokio::test]
async fn a_request_that_cannot_run_is_an_event_with_errors_and_without_data() {
    let (_world, gateway) = gateway().await;
    for (query, code) in [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("{ nobody }", "GRAPHQL_VALIDATION_FAILED"),
    ] {
        let response = post_for_events(gateway.address, &json!({ "query": query })).await;

        assert_eq!(response.status(), 200, "{query}");
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let events = events(response).await;
        assert_eq!(events.len(), 2, "{events:?}");
        let (name, event) = &events[0];
        assert_eq!(name, "next");
        assert_eq!(event["errors"][0]["extensions"]["code"], code);
        assert_eq!(event.get("data"), None);
        assert_eq!(events[1].0, "complete");
    }
}

#[tokio::test]
async fn a_request_that_is_no_graphql_request_gets_a_status() {
    let (_world, gateway) = gateway().await;
    let response = post_for_events(gateway.address, &json!({ "query": 7 })).await;

    assert_eq!(response.status(), 422);
    let media = response.headers()["content-type"].to_str().expect("text");
    assert!(media.starts_with("application/graphql-response+json"));
}

#[tokio::test]
async fn a_client_that_takes_json_and_events_gets_json_for_a_query_and_events_for_a_subscription() {
    let (_world, gateway) = gateway().await;
    let post = |query: &str| {
        reqwest::Client::new()
            .post(format!("http://{}/graphql", gateway.address))
            .header(
                "accept",
                "application/graphql-response+json, application/json, text/event-stream",
            )
            .json(&json!({ "query": query }))
            .timeout(Duration::from_secs(10))
            .send()
    };
    let media = |response: &reqwest::Response| {
        let media = response.headers()["content-type"].to_str().expect("text");
        media.split(';').next().unwrap_or_default().to_owned()
    };

    let query = post("{ accounts { name } }").await.expect("an answer");
    assert_eq!(media(&query), "application/graphql-response+json");
    let search = "subscription { usersByEmail(email: \"ann@x.test\") { source { status } } }";
    let subscription = post(search).await.expect("an answer");
    assert_eq!(media(&subscription), "text/event-stream");
}
