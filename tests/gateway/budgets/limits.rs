//! More queries at once than a provider's windows allow.

use std::time::Duration;

use roster::account::Provider;
use serde_json::Value;

use super::{ids, most_within, refusal, request, request_all, world};
use crate::world::{FOUR, World};

/// All queries are answered, and no call was refused.
async fn all_are_served(world: &World, of: Provider, answers: &[Value]) {
    for answer in answers {
        assert!(answer["data"]["user"]["remoteId"].is_string(), "{answer}");
    }
    let calls = world.calls(of).await;
    assert_eq!(calls.len(), answers.len());
    let refused = calls.iter().filter(|call| call.status == Some(429));
    assert_eq!(refused.count(), 0, "{of:?} was asked too much");
}

#[tokio::test]
async fn ada_never_refuses_a_call_for_its_rate() {
    // By id it allows 30 a second and 300 a minute.
    let of = Provider::Ada;
    let world = world(of, &[(30, 1), (300, 60)], |_| {}).await;
    world.behave(of, "rate", "on").await;

    let answers = request_all(&world, of, 110).await;

    all_are_served(&world, of, &answers).await;
    assert!(most_within(&world.calls(of).await, Duration::from_secs(1)) <= 30);
}

#[tokio::test]
async fn intercom_never_refuses_a_call_for_its_rate() {
    let of = Provider::Intercom;
    let world = world(of, &[(40, 1)], |_| {}).await;
    world.behave(of, "rate_limit", "40").await;
    world.behave(of, "rate_seconds", "1").await;
    world.behave(of, "rate", "on").await;

    let answers = request_all(&world, of, 110).await;

    all_are_served(&world, of, &answers).await;
    assert!(most_within(&world.calls(of).await, Duration::from_secs(1)) <= 40);
}

#[tokio::test]
async fn providers_without_limits_get_no_more_than_the_configured_calls() {
    for of in [Provider::DigitalChalk, Provider::Usertour] {
        let world = world(of, &[(40, 1), (90, 2)], |_| {}).await;

        let answers = request_all(&world, of, 110).await;

        all_are_served(&world, of, &answers).await;
        let calls = world.calls(of).await;
        assert!(most_within(&calls, Duration::from_secs(1)) <= 40);
        assert!(most_within(&calls, Duration::from_secs(2)) <= 90);
    }
}

#[tokio::test]
async fn slow_answers_stay_in_the_window_until_a_span_after_them() {
    let of = Provider::Usertour;
    let world = world(of, &[(4, 1)], |_| {}).await;
    let slow = serde_json::json!({ "kind": "latency", "milliseconds": 300 });
    world.fault(of, slow).await;

    let answers = request_all(&world, of, 12).await;

    all_are_served(&world, of, &answers).await;
    let calls = world.calls(of).await;
    // A provider may count a call at any moment between request and response.
    assert!(most_within(&calls, Duration::from_millis(1_300)) <= 4);
}

#[tokio::test]
async fn a_request_that_cannot_be_served_in_time_fails_at_once_without_a_call() {
    for of in FOUR {
        let world = world(of, &[(2, 60)], |settings| {
            settings.limits.deadline_seconds = 10.0;
        })
        .await;
        let ids = ids(&world, of).await;
        for id in &ids[..2] {
            request(&world, of, id).await;
        }
        world.forget_calls().await;

        let started = tokio::time::Instant::now();
        let answer = request(&world, of, &ids[2]).await;

        let (code, retry_after) = refusal(&answer).expect("a refusal");
        assert_eq!(code, "PROVIDER_RATE_LIMITED");
        assert!(
            (55..=62).contains(&retry_after.expect("a wait")),
            "{answer}"
        );
        let message = answer["errors"][0]["message"].as_str().expect("a message");
        assert!(
            message.contains("budget for this provider is used up until"),
            "{message}"
        );
        assert!(started.elapsed() < Duration::from_secs(8), "it waited");
        assert_eq!(world.calls(of).await.len(), 0);
    }
}
