//! The calls that one request may make to an account.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use roster::{account::Provider, connectors::QuotaWindow};
use serde_json::{Value, json};

use crate::world::{World, account, place};

/// Global ids of users that do not exist.
fn invented(of: Provider, number: usize) -> Vec<String> {
    let id = |n| {
        URL_SAFE_NO_PAD.encode(json!([3, "user", of.name(), format!("nobody-{n}")]).to_string())
    };
    (0..number).map(id).collect()
}

/// Looks up users that do not exist.
async fn look_up(world: &World, of: Provider, number: usize) -> Value {
    let variables = json!({ "ids": invented(of, number) });
    let query = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }";
    world.answer_with(query, variables).await
}

/// The errors of an answer, all of which must be about the limit.
fn refusals(answer: &Value, provider: &str) -> Vec<Value> {
    let none = Vec::new();
    let errors = answer["errors"].as_array().unwrap_or(&none);
    for error in errors {
        assert_eq!(
            error["extensions"]["code"], "PROVIDER_RATE_LIMITED",
            "{error}"
        );
        assert_eq!(error["extensions"]["provider"], provider, "{error}");
    }
    errors.clone()
}

/// Ada allows a hundred calls a minute, all at once if need be.
async fn ada(users: usize) -> World {
    World::with(users, |settings| {
        let ada = account(settings, Provider::Ada);
        let minute = QuotaWindow {
            calls: 100,
            seconds: 60,
        };
        (ada.budget, ada.breaker.enabled) = (Some(vec![minute]), true);
    })
    .await
}

#[tokio::test]
async fn a_request_takes_half_of_the_rest_of_an_accounts_minute() {
    let world = ada(50).await;

    let answer = look_up(&world, Provider::Ada, 500).await;

    assert_eq!(world.calls(Provider::Ada).await.len(), 50);
    let refused = refusals(&answer, "ADA");
    assert_eq!(refused.len(), 450);
    let error = &refused[0];
    let message = error["message"].as_str().expect("a message");
    assert!(
        message.contains("this request has used its share"),
        "{message}"
    );
    let wait = error["extensions"]["retryAfter"].as_u64().expect("a wait");
    assert!((1..=61).contains(&wait), "{wait}");

    // Other requests continue, and nobody takes the last call.
    let data = world
        .data("{ users(provider: ADA, first: 1) { nodes { id } } }")
        .await;
    assert_eq!(data["users"]["nodes"].as_array().map(Vec::len), Some(1));
    let answer = look_up(&world, Provider::Ada, 500).await;
    assert_eq!(refusals(&answer, "ADA").len(), 475);
    assert_eq!(world.calls(Provider::Ada).await.len(), 50 + 1 + 25);
    let data = world.data("{ accounts { health circuit } }").await;
    let well = json!({ "health": "HEALTHY", "circuit": "CLOSED" });
    assert_eq!(data["accounts"][place(Provider::Ada)], well);
}

#[tokio::test]
async fn a_request_makes_a_hundred_calls_at_an_account_and_no_more() {
    let world = World::with(50, |_| {}).await;

    let answer = look_up(&world, Provider::Usertour, 300).await;

    assert_eq!(world.calls(Provider::Usertour).await.len(), 100);
    let refused = refusals(&answer, "USERTOUR");
    assert_eq!(refused.len(), 200);
    let error = &refused[0];
    let message = error["message"].as_str().expect("a message");
    assert!(
        message.contains("100 calls") && message.contains("`calls` in [limits]"),
        "{message}"
    );
    assert_eq!(error["extensions"].get("retryAfter"), None);
}

#[tokio::test]
async fn a_search_says_in_its_sources_that_the_request_has_made_its_calls() {
    let world = World::with(300, |settings| settings.limits.calls = 2).await;
    let sources = "providers: [USERTOUR]) { sources { status error { code } }";
    let searches: String = (0..4)
        .map(|n| format!("a{n}: usersByEmail(email: \"nobody{n}@x.test\", {sources} }} "))
        .collect();

    let data = world.data(&format!("{{ {searches} }}")).await;

    let refused = (0..4).filter(|n| {
        let source = &data[format!("a{n}")]["sources"][0];
        let code = &source["error"]["code"];
        source["status"] == "FAILED" && *code == "PROVIDER_RATE_LIMITED"
    });
    assert_eq!(refused.count(), 2, "{data}");
    assert_eq!(world.calls(Provider::Usertour).await.len(), 2);
}

#[tokio::test]
async fn a_scan_of_twenty_pages_is_within_a_requests_share() {
    let world = ada(2_500).await;

    let data = world
        .data("{ usersByEmail(email: \"nobody@x.test\", providers: [ADA]) { sources { status error { code } } } }")
        .await;

    assert_eq!(world.calls(Provider::Ada).await.len(), 20);
    let source = &data["usersByEmail"]["sources"][0];
    assert_eq!(source["error"], Value::Null, "{source}");
}

#[tokio::test]
async fn retries_count_and_cache_hits_do_not() {
    let world = World::with(50, |settings| {
        settings.cache.seconds = 60.0;
        settings.limits.calls = 4;
        account(settings, Provider::Usertour).attempts = 3;
    })
    .await;
    for _ in 0..2 {
        // The first request makes calls, the second hits the cache.
        let answer = look_up(&world, Provider::Usertour, 4).await;
        assert_eq!(refusals(&answer, "USERTOUR").len(), 0);
    }
    let answer = look_up(&world, Provider::Usertour, 8).await;
    assert_eq!(refusals(&answer, "USERTOUR").len(), 0);
    assert_eq!(world.calls(Provider::Usertour).await.len(), 8);

    world.forget_calls().await;
    let fault = json!({ "kind": "status", "status": 503 });
    world.fault(Provider::Usertour, fault).await;
    let lists = "{ a: users(provider: USERTOUR, first: 1) { nodes { id } } b: users(provider: USERTOUR, first: 2) { nodes { id } } }";
    world.answer(lists).await;
    assert_eq!(world.calls(Provider::Usertour).await.len(), 4);
}

#[test]
fn an_invalid_number_of_calls_is_refused() {
    for calls in [0, 10_001] {
        let text = format!("[limits]\ncalls = {calls}");
        let settings = roster::config::Settings::parse(&text).expect("a configuration");
        let mistakes = settings.bounds().expect_err("a mistake").to_string();
        let says = format!("limits.calls is {calls}: expected 1 to 10000");
        assert!(mistakes.contains(&says), "{mistakes}");
    }
}
