//! Providers that cannot be reached, do not answer, or take too long.

use std::time::Duration;

use futures_util::future::join_all;
use roster::account::Provider;
use serde_json::json;
use tokio::net::TcpListener;

use super::{Failure, each_provider_fails_alone, fails_alone, within_deadline, world};
use crate::world::{FOUR, World, account};

const DEADLINE: Duration = Duration::from_secs(2);

/// A world in which one provider's attempts take at most `timeout` seconds.
async fn impatient_with(sick: Provider, timeout: f64) -> World {
    world(|settings| {
        settings.limits.deadline_seconds = DEADLINE.as_secs_f64();
        account(settings, sick).timeout_seconds = Some(timeout);
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_hangs_is_given_up_attempt_by_attempt() {
    let providers = FOUR.map(|sick| async move {
        let world = impatient_with(sick, 0.4).await;
        world.fault(sick, json!({ "kind": "hang" })).await;

        let failure = Failure::of("PROVIDER_TIMEOUT", 2);
        within_deadline(DEADLINE, fails_alone(&world, sick, failure)).await;
    });
    join_all(providers).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_hangs_longer_than_the_request_may_take_ends_at_the_deadline() {
    let providers = FOUR.map(|sick| async move {
        let world = impatient_with(sick, 60.0).await;
        world.fault(sick, json!({ "kind": "hang" })).await;

        let failure = Failure::of("DEADLINE_EXCEEDED", 1);
        within_deadline(DEADLINE, fails_alone(&world, sick, failure)).await;
    });
    join_all(providers).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_drips_past_the_timeout_is_given_up() {
    let providers = FOUR.map(|sick| async move {
        let world = impatient_with(sick, 0.4).await;
        let drip = json!({ "kind": "drip", "milliseconds": 20_000 });
        world.fault(sick, drip).await;

        let failure = Failure::of("PROVIDER_TIMEOUT", 2);
        within_deadline(DEADLINE, fails_alone(&world, sick, failure)).await;
    });
    join_all(providers).await;
}

#[tokio::test]
async fn a_provider_that_refuses_connections_is_unavailable() {
    for sick in FOUR {
        // The port was free a moment ago, and nobody listens on it now.
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let closed = listener.local_addr().expect("an address");
        drop(listener);
        let world = world(|settings| {
            account(settings, sick).base_url = Some(format!("http://{closed}/api"));
        })
        .await;

        fails_alone(&world, sick, Failure::of("PROVIDER_UNAVAILABLE", 2)).await;

        assert_eq!(world.calls(sick).await.len(), 0);
    }
}

#[tokio::test]
async fn a_connection_that_is_reset_before_the_answer_is_tried_again() {
    let world = world(|_| {}).await;
    let reset = json!({ "kind": "reset" });

    each_provider_fails_alone(&world, &reset, Failure::of("PROVIDER_UNAVAILABLE", 2)).await;
}
