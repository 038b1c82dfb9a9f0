//! Reads that take longer than is usual are asked a second time, where that is switched on.

use std::time::Duration;

use roster::account::Provider;
use serde_json::{Value, json};

use crate::world::{World, account, intercom};

/// Long enough that nothing here ends by itself.
const LONG: f64 = 100.0;

const OF: Provider = Provider::Intercom;

/// A world whose Intercom has answered so many lookups, one after another in turns.
async fn world(is_on: bool, lookups: u32) -> World {
    let world = World::with(60, |settings| {
        settings.limits.deadline_seconds = LONG;
        settings.server.show_calls = true;
        // A lookup is a call in this version.
        intercom(settings, "1.1");
        let provider = account(settings, OF);
        (provider.timeout_seconds, provider.attempts, provider.hedge) = (Some(LONG), 1, is_on);
    })
    .await;
    for _ in 0..lookups {
        look_up(&world).await;
    }
    world.forget_calls().await;
    world
}

/// Looks somebody up, and gives the whole answer.
async fn look_up(world: &World) -> Value {
    let somebody = &world.records(OF).await[0]["id"];
    let query = format!("{{ user(provider: INTERCOM, by: {{ remoteId: {somebody} }}) {{ id }} }}");
    let answer = tokio::time::timeout(Duration::from_secs(20), world.answer(&query)).await;
    let answer = answer.expect("an answer");
    assert_eq!(answer.get("errors"), None, "{answer}");
    answer
}

async fn slow(world: &World, milliseconds: u64, count: u64) {
    let fault = json!({ "kind": "latency", "milliseconds": milliseconds, "count": count });
    world.fault(OF, fault).await;
}

#[tokio::test]
async fn a_slow_read_is_sent_twice_and_the_first_answer_counts() {
    let world = world(true, 60).await;
    slow(&world, 90_000, 1).await;

    let answer = look_up(&world).await;

    assert_eq!(world.calls(OF).await.len(), 2);
    let calls = answer["extensions"]["roster"]["calls"].as_array();
    let calls = calls.expect("calls").iter();
    let codes: Vec<_> = calls.map(|call| call["code"].as_str()).collect();
    assert_eq!(codes, [None, Some("CANCELLED")], "{answer}");
}

#[tokio::test]
async fn few_reads_are_sent_twice_and_none_before_the_usual_latency_is_known() {
    let world = world(true, 60).await;
    slow(&world, 300, 1_000).await;
    for _ in 0..12 {
        look_up(&world).await;
    }
    // One for every twenty reads, of 72.
    let calls = world.calls(OF).await.len();
    assert!((13..=15).contains(&calls), "{calls}");

    let fresh = self::world(true, 10).await;
    slow(&fresh, 300, 1_000).await;
    for _ in 0..5 {
        look_up(&fresh).await;
    }
    assert_eq!(fresh.calls(OF).await.len(), 5);
}

#[tokio::test]
async fn no_read_is_sent_twice_unless_hedging_is_on() {
    let world = world(false, 60).await;
    slow(&world, 500, 3).await;

    for _ in 0..3 {
        look_up(&world).await;
    }

    assert_eq!(world.calls(OF).await.len(), 3);
}

#[tokio::test]
async fn a_write_is_never_sent_twice() {
    let world = World::with(60, |settings| {
        settings.limits.deadline_seconds = LONG;
        let usertour = account(settings, Provider::Usertour);
        (usertour.timeout_seconds, usertour.hedge) = (Some(LONG), true);
    })
    .await;
    let write = |n: u32| {
        format!(
            "mutation {{ upsertUser(input: {{ provider: USERTOUR, externalId: \"n{n}\", name: \"N\" }}) {{
                userErrors {{ code }}
            }} }}"
        )
    };
    for n in 0..60 {
        let data = world.data(&write(n)).await;
        assert_eq!(data["upsertUser"]["userErrors"], json!([]));
    }
    world.forget_calls().await;
    let fault = json!({ "kind": "latency", "milliseconds": 600 });
    world.fault(Provider::Usertour, fault).await;

    world.data(&write(1_000)).await;

    let calls = world.calls(Provider::Usertour).await;
    let writes = calls.iter().filter(|call| call.method != "GET");
    assert_eq!(writes.count(), 1, "{calls:?}");
}
