//! A request has one deadline. Whatever a provider does, all its calls end by then, and the answer
//! contains what the other providers returned.

mod fields;
mod waits;

use std::time::Duration;

use roster::{account::Provider, config::Settings};
use roster_sandbox::known::EVERYWHERE;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    faults::status_of_a_search,
    world::{FOUR, World, place, word},
};

/// The deadline of a request here, in seconds.
const DEADLINE: f64 = 1.2;

/// How much later an answer may come: the time to write it on a busy machine. It is less than
/// another attempt or another wait would take.
const GRACE: f64 = 0.8;

/// Longer than any request.
const LONG: f64 = 60.0;

/// A world in which one attempt may take longer than a request.
async fn world(change: impl FnOnce(&mut Settings)) -> World {
    World::with(200, |settings| {
        settings.limits.deadline_seconds = DEADLINE;
        for provider in settings.accounts.values_mut() {
            (provider.timeout_seconds, provider.attempts) = (Some(LONG), 10);
        }
        change(settings);
    })
    .await
}

/// The answer to a request, which must come in time.
async fn in_time(world: &World, query: &str) -> Value {
    let started = Instant::now();
    let answer = world.answer(query).await;
    let taken = started.elapsed();
    let most = Duration::from_secs_f64(DEADLINE + GRACE);
    assert!(taken < most, "{taken:?}: {query} {answer}");
    answer
}

fn code(answer: &Value) -> &Value {
    &answer["errors"][0]["extensions"]["code"]
}

/// Searches all providers, in time: one of them fails, and the records of the others are there.
async fn search(world: &World, sick: Provider) {
    let query = format!(
        "{{ usersByEmail(email: \"{EVERYWHERE}\") {{
            nodes {{ provider }} sources {{ status error {{ code }} }}
        }} }}"
    );
    let answer = in_time(world, &query).await;

    let found = &answer["data"]["usersByEmail"];
    let healthy = FOUR.into_iter().filter(|of| *of != sick);
    let nodes: Vec<_> = healthy.map(|of| json!({ "provider": word(of) })).collect();
    assert_eq!(found["nodes"], json!(nodes), "{answer}");
    for of in FOUR {
        let source = &found["sources"][place(of)];
        let expected = if of == sick {
            json!({ "status": "FAILED", "error": { "code": "DEADLINE_EXCEEDED" } })
        } else {
            json!({ "status": status_of_a_search(of), "error": null })
        };
        assert_eq!(source, &expected, "{of:?}");
    }
}
