//! The log line and the metric of a request when providers fail.

use roster::account::Provider::Ada;
use serde_json::{Value, json};

use super::{Gateway, Setup, field, message};
use crate::world::{FOUR, World};

const SEARCH: &str =
    "query Look { usersByEmail(email: \"a@x.test\") { sources { status error { code } } } }";

async fn answered(gateway: &Gateway, name: &str) -> Value {
    let fits = |line: &Value| message(line) == "answered" && field(line, "operation.name") == name;
    gateway.line(fits).await["fields"].take()
}

async fn requests(gateway: &Gateway, operation: &str, outcome: &str) -> Option<f64> {
    let labels = [("operation", operation), ("outcome", outcome)];
    gateway
        .metric("roster_graphql_requests_total", &labels)
        .await
}

async fn errors(gateway: &Gateway, code: &str) -> Option<f64> {
    gateway
        .metric("roster_graphql_errors_total", &[("code", code)])
        .await
}

#[tokio::test]
async fn an_answer_with_only_failed_sources_is_not_ok() {
    let world = World::with(5, |_| {}).await;
    for of in FOUR {
        world
            .fault(of, json!({ "kind": "status", "status": 500 }))
            .await;
    }
    let gateway = Setup::over(world.sandbox, "outcome-all").start().await;

    gateway.answer(SEARCH).await;

    let line = answered(&gateway, "Look").await;
    assert_eq!(line["outcome"], "sources_failed", "{line}");
    assert_eq!(
        (&line["failed_sources"], &line["errors"]),
        (&json!(4), &json!(0))
    );
    assert_eq!(line["code"], "PROVIDER_UNAVAILABLE", "{line}");
    assert_eq!(
        requests(&gateway, "query", "sources_failed").await,
        Some(1.0)
    );
    assert_eq!(requests(&gateway, "query", "ok").await, Some(0.0));
    assert_eq!(errors(&gateway, "provider_unavailable").await, Some(4.0));
}

#[tokio::test]
async fn an_answer_that_lacks_a_source_is_partial() {
    let world = World::with(5, |_| {}).await;
    world
        .fault(Ada, json!({ "kind": "status", "status": 401 }))
        .await;
    let gateway = Setup::over(world.sandbox, "outcome-one").start().await;

    gateway.answer(SEARCH).await;

    let line = answered(&gateway, "Look").await;
    assert_eq!(line["outcome"], "partial", "{line}");
    assert_eq!(line["failed_sources"], 1, "{line}");
    assert_eq!(line["code"], "PROVIDER_AUTH", "{line}");
    assert_eq!(requests(&gateway, "query", "partial").await, Some(1.0));
    assert_eq!(errors(&gateway, "provider_auth").await, Some(1.0));
}

#[tokio::test]
async fn a_failed_write_is_not_ok() {
    let world = World::with(5, |_| {}).await;
    world
        .fault(Ada, json!({ "kind": "status", "status": 403 }))
        .await;
    let gateway = Setup::over(world.sandbox, "outcome-write").start().await;
    let failing =
        "a: upsertUser(input: { provider: ADA, externalId: \"x\", firstName: \"X\" }) { outcome }";
    let fine =
        "b: upsertUser(input: { provider: INTERCOM, externalId: \"x\", name: \"X\" }) { outcome }";

    gateway
        .answer(&format!("mutation One {{ {failing} }}"))
        .await;
    gateway
        .answer(&format!("mutation Two {{ {failing} {fine} }}"))
        .await;
    gateway
        .answer(&format!("mutation Three {{ {fine} }}"))
        .await;

    let line = answered(&gateway, "One").await;
    assert_eq!(line["outcome"], "write_failed", "{line}");
    assert_eq!(line["failed_writes"], 1, "{line}");
    assert_eq!(line["code"], "PROVIDER_AUTH", "{line}");
    let line = answered(&gateway, "Two").await;
    assert_eq!(line["outcome"], "partial", "{line}");
    let line = answered(&gateway, "Three").await;
    assert_eq!(line["outcome"], "ok", "{line}");
    assert_eq!(
        requests(&gateway, "mutation", "write_failed").await,
        Some(1.0)
    );
    assert_eq!(errors(&gateway, "provider_auth").await, Some(2.0));
}
