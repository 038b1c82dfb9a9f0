//! The bytes that a request, and all requests together, may hold.

use std::time::Duration;

use roster::{
    account::Provider,
    app,
    config::Settings,
    context::{MemoryMeter, MemoryPool},
    graphql::Executor,
};
use serde_json::{Value, json};

use crate::world::{World, account, place};

const LIST: &str = "{ users(provider: USERTOUR, first: 100) { nodes { id } } }";

/// Less than a hundred records of Usertour, and more than ten.
const LITTLE: u64 = 20_000;

fn error(answer: &Value) -> &Value {
    &answer["errors"][0]
}

/// Usertour's health.
async fn fares(world: &World) -> Value {
    let data = world.data("{ accounts { health circuit } }").await;
    data["accounts"][place(Provider::Usertour)].clone()
}

#[tokio::test]
async fn a_request_that_reads_more_bytes_than_it_may_is_refused_and_no_provider_is_at_fault() {
    let world = World::with(200, |settings| {
        settings.limits.request_bytes = LITTLE;
        account(settings, Provider::Usertour).breaker.enabled = true;
    })
    .await;

    for _ in 0..6 {
        let answer = world.answer(LIST).await;

        let extensions = &error(&answer)["extensions"];
        assert_eq!(extensions["code"], "QUERY_TOO_COMPLEX", "{answer}");
        assert_eq!(extensions.get("provider"), None, "{answer}");
        let message = error(&answer)["message"].as_str().expect("a message");
        assert!(
            message.contains("20000 bytes") && message.contains("request_bytes"),
            "{message}"
        );
    }

    // Each was called once: the refusal is not repeated and opens no circuit.
    assert_eq!(world.calls(Provider::Usertour).await.len(), 6);
    let untouched = json!({ "health": "UNKNOWN", "circuit": "CLOSED" });
    assert_eq!(fares(&world).await, untouched);
    let few = world.data("{ users(provider: USERTOUR, first: 5) { nodes { id } } }");
    assert_eq!(
        few.await["users"]["nodes"].as_array().map(Vec::len),
        Some(5)
    );
}

#[tokio::test]
async fn a_source_that_needs_more_bytes_than_the_request_may_hold_fails_alone() {
    let world = World::with(200, |_| {}).await;
    let write = "mutation($note: JSON) { upsertUser(input: { provider: USERTOUR, externalId: \"large\", email: \"large@x.test\", attributes: $note }) { outcome } }";
    let note = json!({ "note": "x".repeat(64_000) });
    world.data_with(write, json!({ "note": note })).await;
    let (world, _) = gateway_of(&world, |settings| {
        // Less than the record has, and more than the query may ask for.
        settings.limits.request_bytes = 62_000;
    })
    .await;

    let data = world
        .data("{ usersByEmail(email: \"large@x.test\") { sources { provider status error { code } } } }")
        .await;

    for source in data["usersByEmail"]["sources"].as_array().expect("sources") {
        let code = &source["error"]["code"];
        if source["provider"] == "USERTOUR" {
            assert_eq!(
                (&source["status"], code),
                (&json!("FAILED"), &json!("QUERY_TOO_COMPLEX"))
            );
        } else {
            assert_eq!(code, &Value::Null, "{source}");
        }
    }
}

#[tokio::test]
async fn cached_responses_are_charged_to_each_request_that_gets_them() {
    let world = World::with(200, |settings| {
        settings.cache.seconds = 60.0;
        settings.limits.request_bytes = LITTLE;
    })
    .await;
    let lists = [10, 11, 12, 13, 14, 15, 16, 17, 18, 19].map(|first| {
        format!("a{first}: users(provider: USERTOUR, first: {first}) {{ nodes {{ id }} }}")
    });
    for list in &lists {
        world.data(&format!("{{ {list} }}")).await;
    }
    world.forget_calls().await;

    let answer = world.answer(&format!("{{ {} }}", lists.join(" "))).await;

    let code = &error(&answer)["extensions"]["code"];
    assert_eq!(code, "QUERY_TOO_COMPLEX", "{answer}");
    assert_eq!(world.calls(Provider::Usertour).await.len(), 0);
}

/// A gateway over the sandboxes of a world, with its executor.
async fn gateway_of(world: &World, change: impl FnOnce(&mut Settings)) -> (World, Executor) {
    let mut settings = crate::world::settings(world.sandbox);
    settings.cache.seconds = 0.0;
    change(&mut settings);
    let executor = app::open(&settings).expect("settings without mistakes");
    let gateway = World::serve_executor(executor.clone(), &settings).await;
    (world.beside(gateway), executor)
}

fn memory(executor: &Executor) -> &MemoryPool {
    &executor.graph().memory
}

/// Waits until all requests have released their bytes.
async fn until_all_is_given_back(memory: &MemoryPool) {
    let all = async {
        while memory.used() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let given = tokio::time::timeout(Duration::from_secs(10), all).await;
    given.expect("bytes are held though no request is under way");
}

#[tokio::test]
async fn a_request_that_finds_no_memory_gets_retry_after() {
    let (world, executor) = gateway_of(&World::with(200, |_| {}).await, |settings| {
        (settings.limits.request_bytes, settings.limits.total_bytes) = (1 << 20, 1 << 20);
    })
    .await;
    let other = MemoryMeter::new(memory(&executor).clone(), 1 << 20);
    other.charge((1 << 20) - 1_000).expect("room");

    let answer = world.answer(LIST).await;

    let extensions = json!({ "code": "OVERLOADED", "retryAfter": 1 });
    assert_eq!(error(&answer)["extensions"], extensions, "{answer}");
    assert_eq!(world.calls(Provider::Usertour).await.len(), 1);
    let untouched = json!({ "health": "UNKNOWN", "circuit": "CLOSED" });
    assert_eq!(fares(&world).await, untouched);

    drop(other);
    world.data(LIST).await;
    until_all_is_given_back(memory(&executor)).await;
}

#[tokio::test]
async fn requests_release_their_memory_however_they_end() {
    let (world, executor) = gateway_of(&World::with(200, |_| {}).await, |settings| {
        settings.limits.request_bytes = 50_000;
    })
    .await;
    let drip = json!({ "kind": "drip", "milliseconds": 60_000 });
    let two = "{ users(provider: USERTOUR, first: 60) { nodes { id } } other: users(provider: INTERCOM, first: 60) { nodes { id } } }";

    world.answer(two).await;
    world.fault(Provider::Intercom, drip).await;
    let dropped = tokio::time::timeout(Duration::from_millis(500), world.answer(two)).await;

    assert!(dropped.is_err(), "the provider does not end its answer");
    until_all_is_given_back(memory(&executor)).await;
}

#[test]
fn invalid_limits_on_bytes_are_refused() {
    for (table, says) in [
        (
            "request_bytes = 10",
            "limits.request_bytes is 10: expected 1024 to",
        ),
        (
            "total_bytes = 0",
            "limits.total_bytes is 0: expected 1024 to",
        ),
        (
            "request_bytes = 4096\ntotal_bytes = 2048",
            "limits.total_bytes is 2048: expected at least limits.request_bytes, which is 4096",
        ),
    ] {
        let settings = Settings::parse(&format!("[limits]\n{table}")).expect("a configuration");
        let mistakes = settings.bounds().expect_err("a mistake").to_string();
        assert!(mistakes.contains(says), "{mistakes}");
    }
    assert!(Settings::parse("[limits]\nrequest_bytes = -1").is_err());
}
