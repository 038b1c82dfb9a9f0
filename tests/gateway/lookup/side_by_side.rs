//! Providers are asked at the same time, and each no more often at a time than it is meant to bear.

use std::time::Duration;

use roster::account::Provider;
use serde_json::json;

use crate::world::{Call, FOUR, World, account};

/// Long enough that nothing here ends by itself.
const LONG: f64 = 100.0;

/// Waits until the calls that the providers have got are as they should be.
async fn until(world: &World, is_there: impl Fn(Provider, &[Call]) -> bool) {
    let there = async {
        for provider in FOUR {
            while !is_there(provider, &world.calls(provider).await) {
                tokio::task::yield_now().await;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), there)
        .await
        .expect("the calls did not come");
}

#[tokio::test]
async fn every_provider_is_called_before_any_has_answered() {
    let world = World::with(5, |settings| {
        settings.limits.deadline_seconds = LONG;
        for provider in FOUR {
            account(settings, provider).timeout_seconds = Some(LONG);
        }
    })
    .await;
    for provider in FOUR {
        world.fault(provider, json!({ "kind": "hang" })).await;
    }

    tokio::select! {
        answer = world.answer("{ usersByEmail(email: \"ann@x.test\") { totalCount } }") => {
            panic!("nobody answered, but this did: {answer}");
        }
        () = until(&world, |_, calls| calls.len() == 1 && calls[0].status.is_none()) => {}
    }
}

#[tokio::test]
async fn a_provider_gets_no_more_calls_at_a_time_than_configured() {
    let world = World::with(60, |settings| {
        settings.limits.deadline_seconds = LONG;
        let usertour = account(settings, Provider::Usertour);
        (usertour.timeout_seconds, usertour.concurrency) = (Some(LONG), Some(3));
    })
    .await;
    world
        .fault(Provider::Usertour, json!({ "kind": "hang" }))
        .await;
    let field =
        |n: usize| format!("a{n}: usersByEmail(email: \"person{n}@x{n}.test\") {{ totalCount }}");
    let query = format!("{{ {} }}", (0..10).map(field).collect::<Vec<_>>().join(" "));
    let is_there = |provider, calls: &[Call]| {
        let answered = calls.iter().filter(|call| call.status == Some(200)).count();
        if provider == Provider::Usertour {
            return calls.len() >= 3;
        }
        // DigitalChalk is searched for each domain.
        answered
            == if provider == Provider::DigitalChalk {
                10
            } else {
                1
            }
    };

    tokio::select! {
        answer = world.answer(&query) => panic!("a provider hangs, but this is an answer: {answer}"),
        () = until(&world, is_there) => {}
    }

    // All else is done; seven calls wait for the three that hang.
    let held = world.calls(Provider::Usertour).await;
    assert_eq!(held.len(), 3);
}

#[tokio::test]
async fn an_answer_waits_no_longer_for_a_provider_that_hangs_than_its_timeout() {
    let world = World::with(60, |settings| {
        let intercom = account(settings, Provider::Intercom);
        (intercom.timeout_seconds, intercom.attempts) = (Some(0.2), 1);
    })
    .await;
    world
        .fault(Provider::Intercom, json!({ "kind": "hang" }))
        .await;
    let find = "{ usersByEmail(email: \"ann@x.test\") { nodes { provider } sources { status error { code } } } }";

    let data = world.data(find).await;

    let nodes =
        json!([{ "provider": "ADA" }, { "provider": "DIGITAL_CHALK" }, { "provider": "USERTOUR" }]);
    assert_eq!(data["usersByEmail"]["nodes"], nodes);
    let failed = json!({ "status": "FAILED", "error": { "code": "PROVIDER_TIMEOUT" } });
    assert_eq!(data["usersByEmail"]["sources"][2], failed);
}

#[tokio::test]
async fn a_provider_that_says_it_is_too_much_gets_fewer_at_a_time_and_then_as_many_as_before() {
    let world = World::with(60, |settings| {
        settings.limits.deadline_seconds = LONG;
        // A lookup is a call in this version.
        crate::world::intercom(settings, "1.1");
        let intercom = account(settings, Provider::Intercom);
        (intercom.timeout_seconds, intercom.attempts) = (Some(LONG), 1);
        intercom.concurrency = Some(6);
    })
    .await;
    let of = Provider::Intercom;
    let field =
        |n: u32| format!("a{n}: user(provider: INTERCOM, by: {{ remoteId: \"{n}\" }}) {{ id }}");
    let query = |numbers: std::ops::Range<u32>| {
        format!("{{ {} }}", numbers.map(field).collect::<Vec<_>>().join(" "))
    };

    let overload = json!({ "kind": "status", "status": 503 });
    world.fault(of, overload).await;
    for n in 0..6 {
        world.answer(&query(n..n + 1)).await;
    }
    assert_eq!(held(&world, of, &query(0..20)).await, 1);

    world.heal().await;
    for _ in 0..3 {
        world.answer(&query(0..20)).await;
    }
    assert_eq!(held(&world, of, &query(0..20)).await, 6);
}

/// How many calls a provider gets of a query while it answers none.
async fn held(world: &World, of: Provider, query: &str) -> usize {
    world.heal().await;
    world.fault(of, json!({ "kind": "hang" })).await;
    world.forget_calls().await;
    // Nothing tells that no further call will come but that none comes for a while.
    let still = async {
        let mut seen = 0;
        loop {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let calls = world.calls(of).await.len();
            if calls == seen && seen > 0 {
                return seen;
            }
            seen = calls;
        }
    };
    tokio::select! {
        answer = world.answer(query) => panic!("a provider hangs, but this is an answer: {answer}"),
        calls = still => calls,
    }
}
