//! A provider that keeps failing is not called, and only that one; one trial at a time tests
//! whether it recovered.

mod judging;
mod opening;
mod trial;

use std::time::Duration;

use futures_util::future::join_all;
use roster::{account::Provider, config::BreakerSettings};
use roster_sandbox::known::EVERYWHERE;
use serde_json::{Value, json};

use crate::{
    faults::{calls_of_a_search, status_of_a_search},
    world::{FOUR, World, account, place, word},
};

/// The cool-down in tests that do not wait for its end.
const LONG: f64 = 300.0;

/// A world whose circuits open after five failures, with this cool-down and without retries.
async fn world(cooldown_seconds: f64) -> World {
    World::with(200, |settings| {
        for provider in FOUR {
            let provider = account(settings, provider);
            (provider.attempts, provider.timeout_seconds) = (1, Some(1.0));
            provider.breaker = BreakerSettings {
                cooldown_seconds,
                max_cooldown_seconds: LONG,
                ..BreakerSettings::default()
            };
        }
    })
    .await
}

const SEARCH: &str = "query($email: String!) { usersByEmail(email: $email) {
    nodes { provider }
    sources { provider status calls error { code message retryAfter } }
} }";

/// Searches all providers and returns one source; the others must be healthy.
async fn search(world: &World, of: Provider) -> Value {
    let variables = json!({ "email": EVERYWHERE });
    let mut data = world.data_with(SEARCH, variables).await;
    let sources = &mut data["usersByEmail"]["sources"];
    for other in FOUR {
        let source = &sources[place(other)];
        assert_eq!(source["provider"], word(other));
        if other != of {
            assert_eq!(source["status"], status_of_a_search(other), "{source}");
            assert_eq!(source["calls"], calls_of_a_search(other));
        }
    }
    sources[place(of)].take()
}

/// Reads a provider's list and returns the code of its error, if any.
async fn list(world: &World, of: Provider) -> Option<String> {
    list_first(world, of, 1).await
}

/// Reads a provider's list `times` times at once, each time another part of it.
async fn lists(world: &World, of: Provider, times: u32) -> Vec<Option<String>> {
    join_all((1..=times).map(|first| list_first(world, of, first))).await
}

async fn list_first(world: &World, of: Provider, first: u32) -> Option<String> {
    let query = format!(
        "{{ users(provider: {}, first: {first}) {{ nodes {{ id }} }} }}",
        word(of)
    );
    let answer = world.answer(&query).await;
    let code = answer["errors"][0]["extensions"]["code"].as_str();
    code.map(str::to_owned)
}

/// The circuits of all providers.
async fn circuits(world: &World) -> Vec<Value> {
    let data = world.data("{ accounts { circuit } }").await;
    let providers = data["accounts"].as_array().expect("providers");
    providers.iter().map(|of| of["circuit"].clone()).collect()
}

/// One provider's circuit in a state, and all others closed.
fn only(of: Provider, state: &str) -> Vec<Value> {
    let states = FOUR.map(|other| if other == of { state } else { "CLOSED" });
    states.map(Value::from).to_vec()
}

/// Waits until the cool-down of a provider is over.
async fn until_it_is_tried(world: &World, of: Provider) {
    let over = async {
        while circuits(world).await != only(of, "HALF_OPEN") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), over)
        .await
        .expect("the cool-down did not end");
}

/// Makes a provider fail until its circuit opens, and clears the calls.
async fn fails(world: &World, of: Provider) {
    let fault = json!({ "kind": "status", "status": 500 });
    world.fault(of, fault).await;
    // Failures of different calls count.
    for first in 1..=5 {
        list_first(world, of, first).await;
    }
    assert_eq!(world.calls(of).await.len(), 5);
    world.heal().await;
    world.forget_calls().await;
}
