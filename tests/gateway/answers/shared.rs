//! Equal reads in flight at the same time are one call, across requests.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use roster::account::Provider::Intercom;
use serde_json::json;

use super::{ann, rename};
use crate::world::{FOUR, World};

/// A world where a provider is slow enough for everybody to ask meanwhile.
async fn slow() -> World {
    let world = World::with(60, |_| {}).await;
    for of in FOUR {
        world
            .fault(of, json!({ "kind": "latency", "milliseconds": 400 }))
            .await;
    }
    world
}

/// Waits until a provider has received this many calls.
async fn until_called(world: &World, calls: usize) {
    let called = async {
        while world.calls(Intercom).await.len() < calls {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), called)
        .await
        .expect("the calls did not come");
}

#[tokio::test]
async fn twenty_requests_for_the_same_are_one_call_to_each_provider() {
    let world = slow().await;
    let query = "{ usersByEmail(email: \"ann@x.test\") { nodes { id } sources { status } } }";

    let answers = join_all((0..20).map(|_| world.data(query))).await;

    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(world.tally().await, [1, 1, 1, 1]);
}

#[tokio::test]
async fn equal_windows_under_two_names_are_one_call() {
    let world = World::with(60, |_| {}).await;
    let query = "{ a: users(provider: INTERCOM, first: 5) { nodes { id } }
        b: users(provider: INTERCOM, first: 5) { nodes { id } } }";

    let data = world.data(query).await;

    assert_eq!(data["a"], data["b"]);
    assert_eq!(world.calls(Intercom).await.len(), 1);
}

#[tokio::test]
async fn a_joined_caller_is_answered_even_if_the_first_one_left() {
    let world = Arc::new(slow().await);
    let asking = |world: &Arc<World>| {
        let world = Arc::clone(world);
        tokio::spawn(async move { ann(&world, Intercom).await })
    };
    let first = asking(&world);
    until_called(&world, 1).await;
    let second = asking(&world);
    // The second has joined once it has been polled, which another whole request ensures.
    world.data("{ accounts { calls } }").await;

    first.abort();
    let (user, source) = second.await.expect("not aborted");

    assert_eq!(
        (&user["name"], &source["status"]),
        (&json!("Ann Archer"), &json!("COMPLETE"))
    );
    let calls = world.calls(Intercom).await.len();
    assert!(calls <= 2, "{calls}");
}

#[tokio::test]
async fn a_read_from_before_a_write_is_not_joined_after_it() {
    let world = Arc::new(slow().await);
    let early = {
        let world = Arc::clone(&world);
        tokio::spawn(async move { ann(&world, Intercom).await })
    };
    until_called(&world, 1).await;
    world.heal().await;

    rename(&world, Intercom, "Renamed").await;
    let (user, _) = ann(&world, Intercom).await;

    assert_eq!(user["name"], "Renamed");
    early.await.expect("an answer");
}

#[tokio::test]
async fn a_provider_that_hangs_fails_all_callers_with_one_call() {
    let world = World::with(20, |settings| {
        let intercom = crate::world::account(settings, Intercom);
        (intercom.timeout_seconds, intercom.attempts) = (Some(0.6), 1);
    })
    .await;
    world.fault(Intercom, json!({ "kind": "hang" })).await;
    let query = "{ usersByEmail(email: \"ann@x.test\", providers: [INTERCOM]) { sources { error { code } } } }";

    let answers = join_all((0..20).map(|_| world.data(query))).await;

    for answer in answers {
        let code = &answer["usersByEmail"]["sources"][0]["error"]["code"];
        assert_eq!(*code, "PROVIDER_TIMEOUT");
    }
    let calls = world.calls(Intercom).await.len();
    assert!(
        calls <= 2,
        "{calls}: who came late may have missed the first"
    );
}

#[tokio::test]
async fn a_caller_with_time_is_answered_however_many_reads_of_hasty_ones_it_joined() {
    let world = Arc::new(World::with(60, |_| {}).await);
    let slow = json!({ "kind": "latency", "milliseconds": 1_500 });
    world.fault(Intercom, slow).await;
    let ask = &|wait: &'static str| {
        let request = reqwest::Client::new().post(format!("http://{}/graphql", world.gateway));
        let query = "{ usersByEmail(email: \"ann@x.test\", providers: [INTERCOM]) { sources { status error { code } } } }";
        let request = request.header("prefer", wait);
        let request = request.json(&json!({ "query": query }));
        async move {
            let answer = request.send().await.expect("an answer");
            answer.json::<serde_json::Value>().await.expect("JSON")
        }
    };
    let waits = [
        "wait=0.1",
        "wait=0.13",
        "wait=0.16",
        "wait=0.19",
        "wait=0.23",
        "wait=0.29",
    ];
    let hasty = join_all(waits.map(|wait| async move {
        for _ in 0..8 {
            ask(wait).await;
        }
    }));
    let patient = async {
        until_called(&world, 1).await;
        ask("wait=14").await
    };

    let (_, answer) = tokio::join!(hasty, patient);

    let source = &answer["data"]["usersByEmail"]["sources"][0];
    assert_eq!(source["status"], "COMPLETE", "{source}");
}
