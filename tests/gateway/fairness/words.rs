//! A provider's error text, as a client sees it.

use roster::account::Provider;
use serde_json::{Value, json};

use crate::world::World;

/// Refuses a write with a body and headers, and returns what the client sees.
async fn refused(of: Provider, body: Value, headers: Value) -> Value {
    let world = World::with(3, |_| {}).await;
    let fault = json!({ "kind": "status", "status": 422, "body": body, "headers": headers });
    world.fault(of, fault).await;
    let input = format!(
        "provider: {}, externalId: \"x\", name: \"X\"",
        crate::world::word(of)
    );
    let query = format!(
        "mutation {{ upsertUser(input: {{ {input} }}) {{ userErrors {{ code field message }} }} }}"
    );
    let mut data = world.data(&query).await;
    data["upsertUser"]["userErrors"].take()
}

#[tokio::test]
async fn reasons_of_a_refusal_are_few_and_without_secrets() {
    let message =
        "ann@x.test of 10.1.2.3 at https://internal.test/a holds 0123456789abcdef0123456789abcdef";
    let details = vec![json!({ "parameter": "a".repeat(100), "message": message }); 2_000];
    let body = json!({ "errors": [{ "message": format!("the token {} is bad", roster_sandbox::TOKEN), "details": details }] });

    let errors = refused(Provider::Ada, body, json!({})).await;

    let errors = errors.as_array().expect("errors");
    assert_eq!(errors.len(), 20);
    assert_eq!(errors[0]["message"], "the token [removed] is bad");
    for error in &errors[1..] {
        assert_eq!(
            error["message"],
            "[removed] of [removed] at [removed] holds [removed]"
        );
        assert_eq!(error["field"], Value::Null, "{error}");
    }
}

#[tokio::test]
async fn a_request_id_is_shown_if_it_is_short_and_plain() {
    let plain = "b1946ac9-4d5e/1:2";
    for (id, told) in [
        (plain.to_owned(), json!(plain)),
        ("a".repeat(2_000), Value::Null),
        (roster_sandbox::TOKEN.to_owned(), Value::Null),
        ("<script>".to_owned(), Value::Null),
    ] {
        let world = World::with(3, |_| {}).await;
        let body = json!({ "request_id": id, "errors": [{ "message": "No." }] });
        let fault = json!({ "kind": "status", "status": 422, "body": body });
        world.fault(Provider::Intercom, fault).await;

        let answer = world
            .answer("{ users(provider: INTERCOM) { nodes { id } } }")
            .await;

        let extensions = &answer["errors"][0]["extensions"];
        assert_eq!(extensions["code"], "PROVIDER_REJECTED", "{answer}");
        assert_eq!(extensions["providerRequestId"], told, "{answer}");
    }
}
