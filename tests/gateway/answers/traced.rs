//! `extensions.roster`: the calls of an answer, for clients that may see them.

use roster::account::Provider::Intercom;
use serde_json::{Value, json};

use super::keeping;
use crate::world::World;

const ANN: &str = "{ usersByEmail(email: \"ann@x.test\", providers: [INTERCOM]) { nodes { id } } }";

/// The calls in an answer, without their times.
fn calls(answer: &Value) -> Vec<Value> {
    let calls = answer["extensions"]["roster"]["calls"].as_array();
    let calls = calls.cloned().unwrap_or_default().into_iter();
    calls
        .map(|mut call| {
            for time in ["durationMs", "waitedMs"] {
                let time = call.as_object_mut().and_then(|call| call.remove(time));
                assert!(time.is_some_and(|time| time.is_number()));
            }
            call
        })
        .collect()
}

fn call(origin: &str, attempt: u32, status: Option<u16>, code: Option<&str>) -> Value {
    json!({
        "provider": "INTERCOM", "account": "intercom", "operation": "by_email", "page": "start", "origin": origin,
        "attempt": attempt, "status": status, "code": code,
    })
}

#[tokio::test]
async fn every_attempt_and_every_cache_hit_is_listed() {
    let world = keeping(|settings| settings.server.show_calls = true).await;
    let fault = json!({ "kind": "status", "status": 503, "count": 1 });
    world.fault(Intercom, fault).await;

    let answer = world.answer(ANN).await;
    let expected = [
        call("PROVIDER", 1, Some(503), Some("PROVIDER_UNAVAILABLE")),
        call("PROVIDER", 2, Some(200), None),
    ];
    assert_eq!(calls(&answer), expected);

    let answer = world.answer(ANN).await;
    assert_eq!(calls(&answer), [call("CACHE_HIT", 0, Some(200), None)]);
}

#[tokio::test]
async fn a_call_without_a_status_is_listed_with_its_error() {
    let world = World::with(5, |settings| settings.server.show_calls = true).await;
    world
        .fault(Intercom, json!({ "kind": "reset", "count": 1 }))
        .await;

    let answer = world.answer(ANN).await;

    let expected = call("PROVIDER", 1, None, Some("PROVIDER_UNAVAILABLE"));
    assert_eq!(calls(&answer)[0], expected);
}

#[tokio::test]
async fn calls_are_hidden_unless_the_operator_shows_them() {
    let world = World::with(5, |_| {}).await;
    let answer = world.answer(ANN).await;
    assert_eq!(answer.get("extensions"), None);
}
