//! Providers that refuse, and providers that are ill for a moment or for good.

use roster::account::Provider;
use roster_sandbox::known::EVERYWHERE;
use serde_json::{Value, json};

use super::{
    Failure, MARK, calls_of_a_search, each_provider_fails_alone, fails_alone, gives_nothing_away,
    status_of_a_search, world,
};
use crate::world::{FOUR, World, place, word};

fn refusal(status: u16) -> Value {
    let body =
        json!({ "message": MARK, "error": { "message": MARK }, "errors": [{ "message": MARK }] });
    json!({ "kind": "status", "status": status, "body": body })
}

#[tokio::test]
async fn refused_credentials_are_not_tried_again() {
    let world = world(|_| {}).await;
    for status in [401, 403] {
        each_provider_fails_alone(&world, &refusal(status), Failure::of("PROVIDER_AUTH", 1)).await;
    }
}

#[tokio::test]
async fn a_wrong_token_is_refused_by_every_provider_itself() {
    let world = world(|settings| {
        for provider in settings.accounts.values_mut() {
            provider.token = Some("ak_another-token".to_owned().into());
        }
    })
    .await;
    let query = format!(
        "{{ usersByEmail(email: \"{EVERYWHERE}\") {{ nodes {{ email }} sources {{ status calls error {{ code message }} }} }} }}"
    );

    let answer = world.answer(&query).await;

    gives_nothing_away(&world, &answer);
    assert!(!answer.to_string().contains("another-token"));
    assert_eq!(answer["data"]["usersByEmail"]["nodes"], json!([]));
    for of in FOUR {
        let source = &answer["data"]["usersByEmail"]["sources"][place(of)];
        assert_eq!(source["status"], "FAILED");
        assert_eq!(source["error"]["code"], "PROVIDER_AUTH");
        assert_eq!(source["calls"], 1);
        assert_eq!(world.calls(of).await.len(), 1);
    }
}

#[tokio::test]
async fn a_refused_read_does_not_show_the_providers_words() {
    let world = world(|_| {}).await;
    for status in [400, 409, 422] {
        each_provider_fails_alone(
            &world,
            &refusal(status),
            Failure::of("PROVIDER_REJECTED", 1),
        )
        .await;
    }
}

#[tokio::test]
async fn a_list_that_is_not_found_is_no_empty_list() {
    let world = world(|_| {}).await;
    let page = json!({ "kind": "status", "status": 404, "body": format!("<html>{MARK}</html>") });

    each_provider_fails_alone(&world, &page, Failure::of("PROVIDER_BAD_RESPONSE", 1)).await;
}

#[tokio::test]
async fn a_gateways_page_is_an_outage_and_tried_again() {
    let world = world(|_| {}).await;
    let page = json!({ "kind": "html" });

    each_provider_fails_alone(&world, &page, Failure::of("PROVIDER_UNAVAILABLE", 2)).await;
}

#[tokio::test]
async fn a_provider_that_keeps_failing_is_called_as_often_as_configured() {
    let ill = refusal(500);
    each_provider_fails_alone(
        &world(|_| {}).await,
        &ill,
        Failure::of("PROVIDER_UNAVAILABLE", 2),
    )
    .await;
    let one = |attempts: u32| {
        world(move |settings| {
            for provider in settings.accounts.values_mut() {
                provider.attempts = attempts;
            }
        })
    };
    each_provider_fails_alone(&one(1).await, &ill, Failure::of("PROVIDER_UNAVAILABLE", 1)).await;
    let world = one(3).await;
    world.fault(Provider::DigitalChalk, refusal(503)).await;
    fails_alone(
        &world,
        Provider::DigitalChalk,
        Failure::of("PROVIDER_UNAVAILABLE", 3),
    )
    .await;
}

/// Every provider fails once; the search must be whole all the same.
async fn recovers(world: &World, fault: &Value) {
    for of in FOUR {
        let mut once = fault.clone();
        once["count"] = 1.into();
        world.fault(of, once).await;
    }
    world.forget_calls().await;
    let query = format!(
        "{{ usersByEmail(email: \"{EVERYWHERE}\") {{ nodes {{ provider }} sources {{ provider status calls error {{ code }} }} }} }}"
    );

    let data = world.data(&query).await;

    let nodes = FOUR.map(|of| json!({ "provider": word(of) }));
    assert_eq!(data["usersByEmail"]["nodes"], json!(nodes), "{fault}");
    for of in FOUR {
        let calls = calls_of_a_search(of) + 1;
        let source = json!({ "provider": word(of), "status": status_of_a_search(of), "calls": calls, "error": null });
        assert_eq!(
            data["usersByEmail"]["sources"][place(of)],
            source,
            "{fault}"
        );
        assert_eq!(world.calls(of).await.len() as u64, calls);
    }
}

#[tokio::test]
async fn a_provider_that_fails_once_is_called_again_and_the_answer_is_complete() {
    let world = world(|_| {}).await;
    for fault in [
        json!({ "kind": "status", "status": 500 }),
        json!({ "kind": "html" }),
        json!({ "kind": "reset" }),
        json!({ "kind": "rate_limit", "retry_after": 0 }),
        json!({ "kind": "rate_limit", "retry_after": 1 }),
    ] {
        recovers(&world, &fault).await;
    }
}

/// A provider refuses one question for its rate limit, says for how long, and is believed: it is asked once.
async fn is_asked_once(sick: Provider, fault: Value, retry_after: std::ops::RangeInclusive<u64>) {
    let world = world(|_| {}).await;
    world.fault(sick, fault).await;
    let query = format!(
        "{{ users(provider: {}, first: 2) {{ nodes {{ remoteId }} }} }}",
        word(sick)
    );
    for _ in 0..2 {
        let answer = world.answer(&query).await;

        gives_nothing_away(&world, &answer);
        let extensions = &answer["errors"][0]["extensions"];
        assert_eq!(extensions["code"], "PROVIDER_RATE_LIMITED", "{answer}");
        let wait = extensions["retryAfter"].as_u64().expect("a wait");
        assert!(retry_after.contains(&wait), "{answer}");
    }
    assert_eq!(world.calls(sick).await.len(), 1, "{sick:?}");
}

#[tokio::test]
async fn a_wait_past_the_deadline_fails_at_once() {
    for sick in FOUR {
        let throttled = json!({ "kind": "rate_limit", "retry_after": 600 });
        // Whole seconds, rounded up: a second more than the window at most.
        is_asked_once(sick, throttled, 590..=601).await;
    }
}

#[tokio::test]
async fn the_end_of_the_rate_window_counts_as_retry_after() {
    // Ada's and Intercom's answers say when the window ends, in whole seconds.
    for sick in [Provider::Ada, Provider::Intercom] {
        let throttled = json!({ "kind": "rate_limit", "reset": 600 });
        // Whole seconds, rounded up: a second more than the window at most.
        is_asked_once(sick, throttled, 590..=601).await;
    }
}

#[tokio::test]
async fn without_retry_after_the_gateway_tries_as_often_as_configured() {
    let world = world(|_| {}).await;
    // Intercom always says when its window ends.
    for sick in [Provider::Ada, Provider::DigitalChalk, Provider::Usertour] {
        world.fault(sick, json!({ "kind": "rate_limit" })).await;
        fails_alone(&world, sick, Failure::of("PROVIDER_RATE_LIMITED", 2)).await;
        assert_eq!(world.calls(sick).await.len(), 4);
        world.heal().await;
    }
}

#[tokio::test]
async fn the_providers_own_id_of_a_failed_request_is_shown() {
    let world = world(|_| {}).await;
    let ill = json!({ "kind": "status", "status": 500, "headers": { "x-request-id": "req-17" } });
    world.fault(Provider::Intercom, ill).await;

    let answer = world
        .answer("{ users(provider: INTERCOM) { totalCount } }")
        .await;

    assert_eq!(answer["data"], json!({ "users": null }));
    let extensions = &answer["errors"][0]["extensions"];
    assert_eq!(
        extensions,
        &json!({ "code": "PROVIDER_UNAVAILABLE", "provider": "INTERCOM", "account": "intercom", "providerRequestId": "req-17" })
    );
}
