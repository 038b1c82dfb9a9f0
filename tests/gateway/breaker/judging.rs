//! A circuit rates the provider: neither one failing input nor an impatient caller opens it.

use std::time::Duration;

use futures_util::future::join_all;
use roster::{account::Provider, config::BreakerSettings};
use serde_json::json;

use super::{LONG, circuits, list, only, world};
use crate::world::{FOUR, World, account, place};

#[tokio::test]
async fn one_read_that_fails_again_and_again_opens_no_circuit() {
    for sick in FOUR {
        let world = world(LONG).await;
        let fault = json!({ "kind": "status", "status": 500 });
        world.fault(sick, fault).await;

        for _ in 0..12 {
            let code = list(&world, sick).await;
            assert_eq!(code.as_deref(), Some("PROVIDER_UNAVAILABLE"));
        }

        assert_eq!(world.calls(sick).await.len(), 12);
        assert_eq!(circuits(&world).await, only(sick, "CLOSED"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_read_that_nobody_answers_opens_the_circuit() {
    let ways = [json!({ "kind": "hang" }), json!({ "kind": "reset" })];
    let worlds = ways.map(|way| async move {
        let world = world(LONG).await;
        world.fault(Provider::Usertour, way).await;

        for _ in 0..5 {
            list(&world, Provider::Usertour).await;
        }

        assert_eq!(circuits(&world).await, only(Provider::Usertour, "OPEN"));
    });
    join_all(worlds).await;
}

#[tokio::test]
async fn one_write_that_fails_again_and_again_opens_no_circuit() {
    let world = world(LONG).await;
    let fault = json!({ "kind": "status", "status": 500 });
    world.fault(Provider::Ada, fault).await;
    let upsert = "mutation { upsertUser(input: { provider: ADA, externalId: \"x\", name: \"X\" }) {
        userErrors { code }
    } }";

    for _ in 0..12 {
        let data = world.data(upsert).await;
        let code = &data["upsertUser"]["userErrors"][0]["code"];
        assert_eq!(code, "PROVIDER_UNAVAILABLE", "{data}");
    }

    assert_eq!(circuits(&world).await, only(Provider::Ada, "CLOSED"));
}

/// A world whose healthy providers answer after four seconds.
async fn slow() -> World {
    let world = World::with(50, |settings| {
        let usertour = account(settings, Provider::Usertour);
        (usertour.timeout_seconds, usertour.attempts) = (Some(10.0), 1);
        usertour.breaker = BreakerSettings::default();
    })
    .await;
    let slow = json!({ "kind": "latency", "milliseconds": 4_000 });
    world.fault(Provider::Usertour, slow).await;
    world
}

fn query(first: u32) -> String {
    format!("{{ users(provider: USERTOUR, first: {first}) {{ nodes {{ id }} }} }}")
}

#[tokio::test]
async fn callers_that_leave_open_no_circuit() {
    let world = slow().await;

    let left = (1..=8).map(|first| {
        let world = &world;
        async move {
            let patience = Duration::from_millis(2_500);
            tokio::time::timeout(patience, world.answer(&query(first))).await
        }
    });
    assert!(join_all(left).await.iter().all(Result::is_err));

    // The last of them may still be recorded.
    world.data(&query(9)).await;
    assert_eq!(circuits(&world).await[place(Provider::Usertour)], "CLOSED");
}

#[tokio::test]
async fn callers_with_a_short_wait_open_no_circuit() {
    let world = slow().await;

    let hurried = (1..=8).map(|first| {
        let request = world
            .client
            .post(format!("http://{}/graphql", world.gateway))
            .header("prefer", "wait=3")
            .json(&json!({ "query": query(first) }));
        async move {
            let answer = request.send().await.expect("an answer");
            answer.json::<serde_json::Value>().await.expect("JSON")
        }
    });

    for answer in join_all(hurried).await {
        let extensions = &answer["errors"][0]["extensions"];
        assert_eq!(
            extensions,
            &json!({ "code": "DEADLINE_EXCEEDED" }),
            "{answer}"
        );
    }
    assert_eq!(circuits(&world).await[place(Provider::Usertour)], "CLOSED");
    let data = world.data("{ accounts { health } }").await;
    assert_eq!(
        data["accounts"][place(Provider::Usertour)]["health"],
        "UNKNOWN"
    );
}
