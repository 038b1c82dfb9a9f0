//! Providers that answer what their API does not promise.

use std::time::Duration;

use roster::account::Provider;
use serde_json::{Value, json};
use tokio::{net::TcpListener, time::timeout};

use super::{Failure, MARK, each_provider_fails_alone, fails_alone, gives_nothing_away, world};
use crate::world::{FOUR, account, intercom, word};

/// An answer that cannot be read is not asked for again.
const BAD_RESPONSE: Failure = Failure {
    code: "PROVIDER_BAD_RESPONSE",
    calls: 1,
    retry_after: None,
};

async fn each_provider_is_unreadable(fault: Value) {
    let world = world(|_| {}).await;
    each_provider_fails_alone(&world, &fault, BAD_RESPONSE).await;
}

#[tokio::test]
async fn a_connection_that_is_reset_in_the_body_is_a_bad_response() {
    each_provider_is_unreadable(json!({ "kind": "reset", "at": "body" })).await;
}

#[tokio::test]
async fn a_truncated_body_is_a_bad_response() {
    each_provider_is_unreadable(json!({ "kind": "truncate" })).await;
}

#[tokio::test]
async fn an_empty_200_is_a_bad_response() {
    each_provider_is_unreadable(json!({ "kind": "empty" })).await;
}

#[tokio::test]
async fn a_200_that_is_not_json_is_a_bad_response() {
    each_provider_is_unreadable(json!({ "kind": "not_json" })).await;
    each_provider_is_unreadable(
        json!({ "kind": "status", "status": 200, "body": format!("<html>{MARK}") }),
    )
    .await;
}

#[tokio::test]
async fn json_of_another_shape_is_a_bad_response() {
    for body in [
        json!([1, 2]),
        json!([]),
        json!({}),
        json!({ "errors": [] }),
        json!(17),
        json!({ "users": 5, "data": 5, "results": 5 }),
    ] {
        each_provider_is_unreadable(json!({ "kind": "status", "status": 200, "body": body })).await;
    }
}

#[tokio::test]
async fn an_answer_over_the_configured_size_is_a_bad_response() {
    let world = world(|settings| {
        for of in FOUR {
            account(settings, of).max_answer_bytes = 500_000;
        }
    })
    .await;
    let big = json!({ "kind": "big", "bytes": 3_000_000 });

    each_provider_fails_alone(&world, &big, BAD_RESPONSE).await;
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = elsewhere.local_addr().expect("an address");
    let location = format!("http://{address}/take/the/token");

    each_provider_is_unreadable(json!({ "kind": "redirect", "location": location })).await;

    let visit = timeout(Duration::from_millis(50), elsewhere.accept()).await;
    assert!(visit.is_err(), "somebody followed the redirect");
}

#[tokio::test]
async fn links_to_another_origin_are_read_for_their_place_only() {
    let world = world(|_| {}).await;
    for of in FOUR {
        world.fault(of, json!({ "kind": "foreign_link" })).await;
        let records = world.listed(of).await;
        world.forget_calls().await;
        let query = "query($of: Provider!) { users(provider: $of, first: 200) {
            nodes { remoteId } pageInfo { hasNextPage } } }";

        let answer = world.answer_with(query, json!({ "of": word(of) })).await;

        gives_nothing_away(&world, &answer);
        let ids: Vec<&Value> = answer["data"]["users"]["nodes"]
            .as_array()
            .expect("nodes")
            .iter()
            .map(|node| &node["remoteId"])
            .collect();
        let expected: Vec<&Value> = records
            .iter()
            .take(200)
            .map(|record| &record["id"])
            .collect();
        assert_eq!(ids, expected, "{of:?}");
        let calls = world.calls(of).await.len();
        assert!((2..=3).contains(&calls), "{of:?}: {calls} calls");
    }
}

#[tokio::test]
async fn errors_under_status_200_are_no_answer() {
    let errors = json!({ "type": "error.list", "request_id": "r1", "errors": [{ "code": "server_error", "message": MARK }] });
    for version in ["1.1", "2.17"] {
        let world = world(|settings| intercom(settings, version)).await;
        let fault = json!({ "kind": "status", "status": 200, "body": errors });
        world.fault(Provider::Intercom, fault).await;

        fails_alone(&world, Provider::Intercom, BAD_RESPONSE).await;
        assert_eq!(world.calls(Provider::Intercom).await.len(), 2, "{version}");
    }

    let world = world(|settings| intercom(settings, "1.1")).await;
    world
        .behave(Provider::Intercom, "email_body", "error_list_200")
        .await;
    let query = "{ usersByEmail(email: \"ann@x.test\", providers: [INTERCOM]) {
        nodes { email } sources { status calls error { code } } } }";
    let data = world.data(query).await;
    assert_eq!(
        data["usersByEmail"],
        json!({ "nodes": [], "sources": [
            { "status": "FAILED", "calls": 1, "error": { "code": "PROVIDER_BAD_RESPONSE" } }
        ]})
    );
}
