//! Trials of an open circuit.

use std::time::Duration;

use roster::account::Provider;
use serde_json::json;

use super::{circuits, fails, list, lists, only, search, until_it_is_tried, world};
use crate::{
    faults::{calls_of_a_search, status_of_a_search},
    world::FOUR,
};

/// Long enough to be seen, short enough to wait for.
const SHORT: f64 = 0.4;

#[tokio::test]
async fn one_answer_closes_the_circuit() {
    for sick in FOUR {
        let world = world(SHORT).await;
        fails(&world, sick).await;
        until_it_is_tried(&world, sick).await;

        assert_eq!(list(&world, sick).await, None);

        assert_eq!(circuits(&world).await, only(sick, "CLOSED"));
        let source = search(&world, sick).await;
        assert_eq!(source["status"], status_of_a_search(sick), "{source}");
        assert_eq!(source["calls"], calls_of_a_search(sick));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_requests_one_is_the_trial_and_its_failure_opens_for_longer() {
    let world = world(SHORT).await;
    fails(&world, Provider::Intercom).await;
    world
        .fault(Provider::Intercom, json!({ "kind": "hang" }))
        .await;
    until_it_is_tried(&world, Provider::Intercom).await;

    let codes = lists(&world, Provider::Intercom, 8).await;

    let of = |code| codes.iter().filter(|c| c.as_deref() == Some(code)).count();
    assert_eq!((of("PROVIDER_TIMEOUT"), of("PROVIDER_UNAVAILABLE")), (1, 7));
    assert_eq!(world.calls(Provider::Intercom).await.len(), 1);
    assert_eq!(circuits(&world).await, only(Provider::Intercom, "OPEN"));
}

#[tokio::test]
async fn a_cancelled_trial_makes_room_for_the_next() {
    let world = world(SHORT).await;
    fails(&world, Provider::Intercom).await;
    world
        .fault(Provider::Intercom, json!({ "kind": "hang" }))
        .await;
    until_it_is_tried(&world, Provider::Intercom).await;

    let client = tokio::time::timeout(Duration::from_millis(300), list(&world, Provider::Intercom));
    assert!(client.await.is_err(), "the provider hangs");

    world.heal().await;
    let is_back = async {
        while list(&world, Provider::Intercom).await.is_some() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    // Well before the trial would have ended by itself.
    let soon = Duration::from_millis(500);
    tokio::time::timeout(soon, is_back).await.expect("a place");
    assert_eq!(circuits(&world).await, only(Provider::Intercom, "CLOSED"));
}

#[tokio::test]
async fn a_provider_that_responds_at_all_has_recovered() {
    let world = world(SHORT).await;
    fails(&world, Provider::Usertour).await;
    let throttled = json!({ "kind": "rate_limit", "retry_after": 60 });
    world.fault(Provider::Usertour, throttled).await;
    until_it_is_tried(&world, Provider::Usertour).await;

    let code = list(&world, Provider::Usertour).await;

    assert_eq!(code.as_deref(), Some("PROVIDER_RATE_LIMITED"));
    assert_eq!(circuits(&world).await, only(Provider::Usertour, "CLOSED"));
}
