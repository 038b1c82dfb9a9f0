//! Creates of which nobody knows at once whether they were done, and what waits for them.

use std::time::Duration;

use futures_util::future::join;
use roster::account::Provider;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    UPSERT, calls,
    once::{all_at_once, outcomes},
    text, upsert,
};
use crate::{
    stand_in::{Said, StandIn, list, row},
    subject::Subject::{Ada, IntercomContacts, IntercomUsers, Usertour},
    world::{World, word},
};

fn codes(payload: &Value) -> Vec<&str> {
    let errors = payload["userErrors"].as_array().expect("errors");
    errors.iter().map(|error| text(&error["code"])).collect()
}

#[tokio::test]
async fn a_create_whose_answer_was_lost_is_reported_as_created() {
    let (id, email) = (
        json!({ "externalId": "new" }),
        json!({ "email": "new@x.test" }),
    );
    let contacts = IntercomContacts { version: "2.17" };
    let users = IntercomUsers { version: "1.4" };
    for (subject, mut input) in [
        (Ada, id.clone()),
        (Ada, email.clone()),
        (contacts, id.clone()),
        (users, email),
        (users, id.clone()),
        (Usertour, id),
    ] {
        let world = subject.world(3).await;
        let of = subject.provider();
        input["name"] = "New".into();
        let before = world.records(of).await.len();
        // It is done, and the answer breaks off.
        let fault = json!({ "kind": "truncate", "count": 1, "method": "POST" });
        world.fault(of, fault).await;

        let payload = upsert(&world, of, input.clone()).await;

        let made = world.records(of).await.len() - before;
        assert_eq!(made, 1, "{subject:?} {payload}");
        assert_eq!(payload["outcome"], "CREATED", "{subject:?} {payload}");
        assert!(payload["user"].is_object(), "{subject:?} {payload}");
        let payload = upsert(&world, of, input).await;
        assert_eq!(payload["outcome"], "UPDATED", "{subject:?} {payload}");
    }
}

/// A DigitalChalk that makes a user without saying so, and shows it when it is asked so often.
async fn forgetful(shown_after: usize) -> StandIn {
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let made = std::sync::atomic::AtomicBool::new(false);
    StandIn::of(move |call| {
        use std::sync::atomic::Ordering::SeqCst;
        let user = row(&call.path, "7", "new@x.test", "");
        if call.method == "POST" {
            made.store(true, SeqCst);
            return Said::from((500, json!({})));
        }
        if !call.path.ends_with("/users") {
            return Said::from(user);
        }
        let is_shown = made.load(SeqCst) && asked.fetch_add(1, SeqCst) >= shown_after;
        let rows = if is_shown { vec![user] } else { vec![] };
        Said::from(list(&call.path, &rows))
    })
    .await
}

#[tokio::test]
async fn a_create_that_cannot_be_seen_is_unknown_and_the_next_write_tells_created() {
    let provider = forgetful(1).await;
    let world = provider.world(|_| {}).await;
    let input = json!({ "provider": "DIGITAL_CHALK", "email": "new@x.test" });
    let query = UPSERT.replace(" attributes", "");
    let write = || world.data_with(&query, json!({ "input": input }));

    let payload = write().await["upsertUser"].take();
    assert_eq!(payload["outcome"], Value::Null, "{payload}");
    assert_eq!(payload["user"], Value::Null, "{payload}");
    assert_eq!(codes(&payload), ["PROVIDER_UNAVAILABLE", "OUTCOME_UNKNOWN"]);

    let payload = write().await["upsertUser"].take();
    assert_eq!(payload["outcome"], "CREATED", "{payload}");
    let payload = write().await["upsertUser"].take();
    assert_eq!(payload["outcome"], "MATCHED", "{payload}");
    let posts = provider.take();
    assert_eq!(posts.iter().filter(|call| call.method == "POST").count(), 1);
}

#[tokio::test]
async fn a_user_who_exists_already_is_updated() {
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let provider = StandIn::of(move |call| {
        let user = row(&call.path, "7", "New@x.test", "");
        if call.method == "POST" {
            let refusal = json!({ "fieldErrors": { "email": "already in use" } });
            return Said::from((400, refusal));
        }
        if call.method == "PUT" {
            return Said {
                status: 204,
                ..Said::from("")
            };
        }
        if !call.path.ends_with("/users") {
            return Said::from(user);
        }
        let is_known = asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) > 0;
        let rows = if is_known { vec![user] } else { vec![] };
        Said::from(list(&call.path, &rows))
    })
    .await;
    let world = provider.world(|_| {}).await;
    let query = UPSERT.replace(" attributes", "");
    let input = json!({ "provider": "DIGITAL_CHALK", "email": "new@X.test", "firstName": "N" });

    let mut data = world.data_with(&query, json!({ "input": input })).await;

    let payload = data["upsertUser"].take();
    assert_eq!(payload["outcome"], "UPDATED", "{payload}");
    assert_eq!(payload["userErrors"], json!([]), "{payload}");
    let sent = provider.take();
    let put = sent
        .iter()
        .find(|call| call.method == "PUT")
        .expect("a PUT");
    assert_eq!(put.body, json!({ "firstName": "N" }));
}

/// Writes with a client that waits so long.
async fn waiting(world: &World, of: Provider, input: &Value, seconds: &str) -> Value {
    let mut input = input.clone();
    input["provider"] = word(of).into();
    let query = UPSERT.replace(" attributes", "");
    let request = world
        .client
        .post(format!("http://{}/graphql", world.gateway))
        .header("prefer", format!("wait={seconds}"))
        .json(&json!({ "query": query, "variables": { "input": input } }));
    let answer = request.send().await.expect("an answer");
    let mut answer: Value = answer.json().await.expect("JSON");
    assert_eq!(answer.get("errors"), None, "{answer}");
    answer["data"]["upsertUser"].take()
}

#[tokio::test]
async fn a_write_that_outlives_its_client_is_finished_and_holds_up_equal_ones() {
    let world = World::with(3, |_| {}).await;
    let of = Provider::DigitalChalk;
    let slow = json!({ "kind": "latency", "milliseconds": 2500, "count": 1, "method": "POST" });
    world.fault(of, slow).await;
    let before = world.records(of).await.len();
    let input = json!({ "email": "new@x.test", "firstName": "New" });
    let started = Instant::now();

    let hasty = waiting(&world, of, &input, "0.5").await;

    assert!(started.elapsed() < Duration::from_millis(2_400));
    assert_eq!(hasty["outcome"], Value::Null, "{hasty}");
    assert_eq!(codes(&hasty), ["DEADLINE_EXCEEDED", "OUTCOME_UNKNOWN"]);
    let (late, patient) = join(
        waiting(&world, of, &input, "0.3"),
        all_at_once(&[&world], of, &[json!({ "email": "new@x.test" })]),
    )
    .await;
    assert_eq!(late["outcome"], "SKIPPED", "{late}");
    assert_eq!(codes(&late), ["DEADLINE_EXCEEDED"]);
    // Nobody was told of the create yet.
    assert_eq!(outcomes(&patient), ["CREATED"], "{patient:?}");
    assert_eq!(world.records(of).await.len(), before + 1);
    let posts = calls(&world, of).await;
    assert_eq!(
        posts.iter().filter(|call| call.starts_with("POST")).count(),
        1
    );
}
