//! The failures that open a circuit, and how an open one looks to a client.

use futures_util::future::join_all;
use roster::{account::Provider, config::BreakerSettings};
use serde_json::{Value, json};

use super::{LONG, circuits, fails, list, list_first, lists, only, search, world};
use crate::{
    subject::expected,
    world::{FOUR, World, account, place, word},
};

#[tokio::test]
async fn a_provider_that_keeps_failing_is_not_called_and_no_other_is_affected() {
    for sick in FOUR {
        let world = world(LONG).await;
        assert_eq!(circuits(&world).await, only(sick, "CLOSED"));
        fails(&world, sick).await;

        for _ in 0..3 {
            let source = search(&world, sick).await;

            assert_eq!(source["status"], "FAILED", "{source}");
            assert_eq!(source["calls"], 0);
            let error = &source["error"];
            assert_eq!(error["code"], "PROVIDER_UNAVAILABLE");
            let wait = error["retryAfter"].as_f64().expect("a wait");
            assert!((LONG * 0.7..=LONG).contains(&wait), "{error}");
        }
        assert_eq!(world.calls(sick).await.len(), 0, "{sick:?}");
        assert_eq!(circuits(&world).await, only(sick, "OPEN"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_failure_opens_a_circuit() {
    let ways = [
        json!({ "kind": "status", "status": 503 }),
        json!({ "kind": "html" }),
        json!({ "kind": "hang" }),
        json!({ "kind": "latency", "milliseconds": 30_000 }),
        json!({ "kind": "drip", "milliseconds": 30_000 }),
        json!({ "kind": "reset" }),
        json!({ "kind": "reset", "at": "body" }),
        json!({ "kind": "truncate" }),
    ];
    let worlds = ways.map(|way| async move {
        let world = world(LONG).await;
        world.fault(Provider::Usertour, way.clone()).await;
        lists(&world, Provider::Usertour, 5).await;
        world.forget_calls().await;

        let code = list(&world, Provider::Usertour).await;

        assert_eq!(code.as_deref(), Some("PROVIDER_UNAVAILABLE"), "{way}");
        assert_eq!(world.calls(Provider::Usertour).await.len(), 0, "{way}");
        assert_eq!(circuits(&world).await, only(Provider::Usertour, "OPEN"));
    });
    join_all(worlds).await;
}

/// A world whose circuits have a window shorter than one call without a response.
async fn looking_back_shortly() -> World {
    World::with(200, |settings| {
        let usertour = account(settings, Provider::Usertour);
        (usertour.attempts, usertour.timeout_seconds) = (1, Some(0.2));
        usertour.breaker = BreakerSettings {
            window_seconds: 0.05,
            cooldown_seconds: LONG,
            max_cooldown_seconds: LONG,
            ..BreakerSettings::default()
        };
    })
    .await
}

#[tokio::test]
async fn a_provider_that_hangs_gets_an_open_circuit_even_with_rare_calls() {
    let world = looking_back_shortly().await;
    let hang = json!({ "kind": "hang" });
    world.fault(Provider::Usertour, hang).await;

    for first in 1..=8 {
        list_first(&world, Provider::Usertour, first).await;
    }

    assert_eq!(world.calls(Provider::Usertour).await.len(), 5);
    assert_eq!(circuits(&world).await[place(Provider::Usertour)], "OPEN");
}

#[tokio::test]
async fn a_response_between_failures_restarts_their_count() {
    let world = looking_back_shortly().await;
    for first in 1..=8 {
        if first % 4 == 0 {
            assert_eq!(list(&world, Provider::Usertour).await, None);
        } else {
            let hang = json!({ "kind": "hang", "count": 1 });
            world.fault(Provider::Usertour, hang).await;
            list_first(&world, Provider::Usertour, first).await;
        }
    }

    assert_eq!(circuits(&world).await[place(Provider::Usertour)], "CLOSED");
}

#[tokio::test]
async fn failures_that_inputs_may_cause_count_once_per_input() {
    let slow = json!({ "kind": "status", "status": 500 });
    let look_back_is_over = || tokio::time::sleep(std::time::Duration::from_millis(60));
    let one = looking_back_shortly().await;
    one.fault(Provider::Usertour, slow.clone()).await;
    for _ in 0..8 {
        list(&one, Provider::Usertour).await;
        look_back_is_over().await;
    }
    assert_eq!(circuits(&one).await[place(Provider::Usertour)], "CLOSED");

    let many = looking_back_shortly().await;
    many.fault(Provider::Usertour, slow).await;
    for first in 1..=8 {
        list_first(&many, Provider::Usertour, first).await;
        look_back_is_over().await;
    }
    assert_eq!(many.calls(Provider::Usertour).await.len(), 5);
    assert_eq!(circuits(&many).await[place(Provider::Usertour)], "OPEN");
}

#[tokio::test]
async fn a_provider_that_refuses_or_throttles_is_not_failing() {
    for (status, code) in [
        (429, "PROVIDER_RATE_LIMITED"),
        (403, "PROVIDER_AUTH"),
        (401, "PROVIDER_AUTH"),
        (404, "PROVIDER_BAD_RESPONSE"),
        (422, "PROVIDER_REJECTED"),
        (302, "PROVIDER_BAD_RESPONSE"),
    ] {
        let world = world(LONG).await;
        let fault = json!({ "kind": "status", "status": status });
        world.fault(Provider::DigitalChalk, fault).await;

        for _ in 0..12 {
            let said = list(&world, Provider::DigitalChalk).await;
            assert_eq!(said.as_deref(), Some(code), "{status}");
        }

        let calls = world.calls(Provider::DigitalChalk).await.len();
        // A rate-limited provider gets no calls for a while, but does not count as failing.
        assert!(
            calls == 12 || status == 429 && calls > 1,
            "{status}: {calls}"
        );
        assert_eq!(circuits(&world).await, only(Provider::Ada, "CLOSED"));
    }
}

#[tokio::test]
async fn a_call_cancelled_early_proves_nothing_about_a_provider() {
    let world = World::with(200, |settings| {
        settings.limits.deadline_seconds = 0.6;
        let usertour = account(settings, Provider::Usertour);
        usertour.breaker = BreakerSettings::default();
    })
    .await;
    let slow = json!({ "kind": "latency", "milliseconds": 350 });
    world.fault(Provider::Usertour, slow).await;
    let two_pages =
        "{ users(provider: USERTOUR, first: 150) { nodes { id } sources { error { code } } } }";

    // The first page comes; the second has less time left than the first has taken.
    for _ in 0..6 {
        let answer = world.answer(two_pages).await;
        let source = &answer["data"]["users"]["sources"][0];
        assert_eq!(source["error"]["code"], "DEADLINE_EXCEEDED", "{answer}");
    }
    assert_eq!(world.calls(Provider::Usertour).await.len(), 12);
    assert_eq!(circuits(&world).await[place(Provider::Usertour)], "CLOSED");
}

#[tokio::test]
async fn a_provider_that_always_misses_the_deadline_is_failing_even_below_its_timeout() {
    let world = World::with(10, |settings| {
        settings.limits.deadline_seconds = 0.3;
        let usertour = account(settings, Provider::Usertour);
        (usertour.breaker, usertour.timeout_seconds) = (BreakerSettings::default(), Some(60.0));
    })
    .await;
    world
        .fault(Provider::Usertour, json!({ "kind": "hang" }))
        .await;

    for first in 1..=5 {
        list_first(&world, Provider::Usertour, first).await;
    }

    assert_eq!(circuits(&world).await[place(Provider::Usertour)], "OPEN");
}

#[tokio::test]
async fn retries_end_when_the_circuit_opens_under_them() {
    let world = World::with(10, |settings| {
        let intercom = account(settings, Provider::Intercom);
        intercom.attempts = 10;
        intercom.breaker = BreakerSettings {
            cooldown_seconds: LONG,
            max_cooldown_seconds: LONG,
            ..BreakerSettings::default()
        };
    })
    .await;
    let fault = json!({ "kind": "status", "status": 500 });
    world.fault(Provider::Intercom, fault).await;

    let codes = lists(&world, Provider::Intercom, 5).await;

    for code in codes {
        assert_eq!(code.as_deref(), Some("PROVIDER_UNAVAILABLE"));
    }
    // Without the circuit there would be fifty.
    let calls = world.calls(Provider::Intercom).await.len();
    assert!((5..15).contains(&calls), "{calls}");
}

#[tokio::test]
async fn a_write_against_an_open_circuit_is_known_to_be_undone() {
    for sick in FOUR {
        let world = world(LONG).await;
        fails(&world, sick).await;
        let id = match expected(sick).has_external_ids {
            true => "externalId: \"n-1\"",
            false => "",
        };
        let upsert = format!(
            "mutation {{ upsertUser(input: {{ provider: {}, email: \"new@x.test\" {id} }}) {{
                outcome userErrors {{ code retryAfter }}
            }} }}",
            word(sick),
        );

        let data = world.data(&upsert).await;

        let payload = &data["upsertUser"];
        assert_eq!(payload["outcome"], "SKIPPED", "{payload}");
        assert_eq!(payload["userErrors"][0]["code"], "PROVIDER_UNAVAILABLE");
        assert!(payload["userErrors"][0]["retryAfter"].is_number());
        assert_eq!(world.calls(sick).await.len(), 0);
    }
}

#[tokio::test]
async fn a_breaker_that_is_switched_off_never_opens() {
    let world = World::with(10, |settings| {
        let intercom = account(settings, Provider::Intercom);
        (intercom.attempts, intercom.breaker.enabled) = (1, false);
    })
    .await;
    let fault = json!({ "kind": "status", "status": 500 });
    world.fault(Provider::Intercom, fault).await;

    for _ in 0..12 {
        list(&world, Provider::Intercom).await;
    }

    assert_eq!(world.calls(Provider::Intercom).await.len(), 12);
    assert_eq!(
        circuits(&world).await[place(Provider::Intercom)],
        Value::Null
    );
}

#[tokio::test]
async fn metrics_show_circuits() {
    let world = world(LONG).await;
    fails(&world, Provider::Ada).await;
    list(&world, Provider::Ada).await;

    let url = format!("http://{}/metrics", world.gateway);
    let answer = world.client.get(url).send().await.expect("an answer");
    let text = answer.text().await.expect("text");

    // Other tests of this process use the same counters.
    for line in [
        "# TYPE roster_provider_circuit_state gauge",
        "roster_provider_circuit_changes_total{provider=\"ada\",account=\"ada\",to=\"open\"}",
        "roster_provider_calls_unsent_total{provider=\"ada\",account=\"ada\",operation=\"list\",code=\"provider_unavailable\"}",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
}

#[tokio::test]
async fn calls_that_wait_when_the_circuit_opens_are_not_sent() {
    let world = World::with(200, |settings| {
        let usertour = account(settings, Provider::Usertour);
        (usertour.attempts, usertour.concurrency) = (1, Some(1));
        usertour.breaker = BreakerSettings {
            failures: 2,
            cooldown_seconds: LONG,
            max_cooldown_seconds: LONG,
            ..BreakerSettings::default()
        };
    })
    .await;
    let ill = json!({ "kind": "status", "status": 503 });
    world.fault(Provider::Usertour, ill).await;
    let slow = json!({ "kind": "latency", "milliseconds": 100 });
    world.fault(Provider::Usertour, slow).await;

    let asked = (0..12).map(|of| {
        let query =
            format!("{{ user(provider: USERTOUR, by: {{ remoteId: \"{of}\" }}) {{ id }} }}");
        let world = &world;
        async move { world.answer(&query).await }
    });
    let answers = join_all(asked).await;

    assert_eq!(world.calls(Provider::Usertour).await.len(), 2);
    for answer in answers {
        let code = &answer["errors"][0]["extensions"]["code"];
        assert_eq!(*code, "PROVIDER_UNAVAILABLE", "{answer}");
    }
}
