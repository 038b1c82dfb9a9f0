//! Leases that are lost or damaged, gateways that name an account differently, and writes whose answers say
//! less than was done.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use roster::account::Provider;
use serde_json::{Value, json};

use super::{
    UPSERT,
    once::{all_at_once, outcomes, two},
    text, upsert,
};
use crate::{
    budgets::redis::Redis,
    stand_in::{Said, StandIn, list, row},
    subject::Subject::DigitalChalk,
    world::{World, account},
};

const OF: Provider = Provider::DigitalChalk;

fn codes(payload: &Value) -> Vec<&str> {
    let errors = payload["userErrors"].as_array().expect("errors");
    errors.iter().map(|error| text(&error["code"])).collect()
}

/// Waits until a create has arrived at the provider.
async fn until_posted(world: &World) {
    loop {
        let calls = world.calls(OF).await;
        if calls.iter().any(|call| call.method == "POST") {
            return;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn gateways_that_spell_the_address_of_a_provider_differently_make_one_record() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let [one, _] = two(&redis, DigitalChalk).await;
    let mut settings = crate::world::settings(one.sandbox);
    settings.shared.url = Some(redis.url());
    settings.shared.timeout_seconds = 2.0;
    let url = &mut account(&mut settings, OF).base_url;
    *url = url.take().map(|url| url.replace("127.0.0.1", "localhost"));
    let other = one.beside(World::serve(&settings).await);
    let before = one.records(OF).await.len();
    let inputs = vec![json!({ "email": "equal@x.test" }); 4];

    let payloads = all_at_once(&[&one, &other], OF, &inputs).await;

    let told = outcomes(&payloads);
    assert_eq!(told, ["CREATED", "MATCHED", "MATCHED", "MATCHED"]);
    assert_eq!(one.records(OF).await.len(), before + 1);
}

#[tokio::test]
async fn a_write_whose_lease_the_store_lost_says_so() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let [one, _] = two(&redis, DigitalChalk).await;
    let slow = json!({ "kind": "latency", "milliseconds": 700, "method": "POST" });
    one.fault(OF, slow).await;
    let inputs = [json!({ "email": "lost@x.test" })];
    let worlds = [&one];
    let write = all_at_once(&worlds, OF, &inputs);
    let lose = async {
        until_posted(&one).await;
        redis.tell(&["FLUSHALL"]).await
    };

    let (payloads, _) = tokio::join!(write, lose);

    assert_eq!(outcomes(&payloads), ["CREATED"], "{payloads:?}");
    assert_eq!(codes(&payloads[0]), ["UNGUARDED"], "{payloads:?}");
}

#[tokio::test]
async fn a_lease_of_another_type_is_replaced() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let [one, _] = two(&redis, DigitalChalk).await;
    let slow = json!({ "kind": "latency", "milliseconds": 500, "count": 1, "method": "POST" });
    one.fault(OF, slow).await;
    let inputs = [json!({ "email": "poison@x.test" })];
    let worlds = [&one];
    let find_key = async {
        until_posted(&one).await;
        redis.tell(&["KEYS", "*:lease:*"]).await
    };
    let (_, answer) = tokio::join!(all_at_once(&worlds, OF, &inputs), find_key);
    let key = answer.lines().find(|line| line.contains(":lease:"));
    let key = key.expect("a lease").to_owned();
    let poisoned = redis.tell(&["LPUSH", &key, "x"]).await;
    assert!(poisoned.starts_with(":1"), "{poisoned}");

    let payloads = all_at_once(&worlds, OF, &inputs).await;

    assert_eq!(outcomes(&payloads), ["MATCHED"], "{payloads:?}");
    assert_eq!(codes(&payloads[0]), [""; 0], "{payloads:?}");
}

/// The responses to writes of a DigitalChalk that has one user, or none.
async fn answering(
    has_user: bool,
    said: impl Fn(usize) -> Said + Send + Sync + 'static,
) -> StandIn {
    let writes = AtomicUsize::new(0);
    StandIn::of(move |call| {
        let user = row(&call.path, "7", "known@x.test", "");
        match call.method.as_str() {
            "GET" if call.path.ends_with("/users") => {
                let rows = if has_user { vec![user] } else { vec![] };
                Said::from(list(&call.path, &rows))
            }
            "GET" => Said::from(user),
            _ => said(writes.fetch_add(1, SeqCst)),
        }
    })
    .await
}

async fn written(provider: &StandIn) -> Value {
    let world = provider.world(|_| {}).await;
    let query = UPSERT.replace(" attributes", "");
    let input = json!({ "provider": "DIGITAL_CHALK", "email": "known@x.test", "firstName": "N" });
    let mut data = world.data_with(&query, json!({ "input": input })).await;
    data["upsertUser"].take()
}

#[tokio::test]
async fn a_404_after_a_write_with_an_unknown_outcome_is_not_null() {
    let provider = answering(true, |at| match at {
        0 => Said::from((500, json!({}))),
        _ => Said::from((404, json!({ "errors": ["there is no such user"] }))),
    });

    let payload = written(&provider.await).await;

    assert_eq!(payload["outcome"], Value::Null, "{payload}");
    assert!(codes(&payload).contains(&"OUTCOME_UNKNOWN"), "{payload}");
}

#[tokio::test]
async fn an_answer_that_does_not_say_created_is_unknown() {
    let provider = answering(false, |_| Said::from("")).await;

    let payload = written(&provider).await;

    assert_eq!(payload["outcome"], Value::Null, "{payload}");
    assert!(codes(&payload).contains(&"OUTCOME_UNKNOWN"), "{payload}");
}

#[tokio::test]
async fn a_client_that_leaves_before_anything_is_sent_writes_nothing() {
    let world = World::with(3, |_| {}).await;
    let slow = json!({ "kind": "latency", "milliseconds": 700, "count": 1, "method": "GET" });
    world.fault(OF, slow).await;
    let left = async {
        while world.calls(OF).await.is_empty() {
            tokio::task::yield_now().await;
        }
    };

    tokio::select! {
        payload = upsert(&world, OF, json!({ "email": "left@x.test" })) => panic!("{payload}"),
        () = left => {}
    }

    // An equal write waits for the end of the other.
    let payload = upsert(&world, OF, json!({ "email": "left@x.test" })).await;
    assert_eq!(payload["outcome"], "CREATED", "{payload}");
    let calls = world.calls(OF).await;
    assert_eq!(calls.iter().filter(|call| call.method == "POST").count(), 1);
}
