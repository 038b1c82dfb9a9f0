//! Equal writes at once make one record, also through several gateways.

use futures_util::future::join_all;
use roster::{account::Provider, config::Settings};
use serde_json::{Value, json};

use super::{text, upsert_query};
use crate::{
    budgets::redis::Redis,
    subject::Subject::{self, Ada, DigitalChalk, IntercomContacts, IntercomUsers, Usertour},
    world::{World, intercom},
};

const EMAIL: &str = "Equal@x.test";

/// Every API, with what names a new user there.
fn cases() -> Vec<(Subject, Value)> {
    let (email, id) = (json!({ "email": EMAIL }), json!({ "externalId": "equal" }));
    let contacts = IntercomContacts { version: "2.17" };
    let users = IntercomUsers { version: "1.4" };
    vec![
        (Ada, email.clone()),
        (Ada, id.clone()),
        (DigitalChalk, email.clone()),
        (contacts, email.clone()),
        (contacts, id.clone()),
        (users, email),
        (users, id.clone()),
        (Usertour, id),
    ]
}

/// Writes through each gateway in turn, all at once; the payloads.
pub(super) async fn all_at_once(worlds: &[&World], of: Provider, inputs: &[Value]) -> Vec<Value> {
    let query = upsert_query(of);
    let writes = inputs.iter().enumerate().map(|(at, input)| {
        let (world, query) = (worlds[at % worlds.len()], &query);
        let mut input = input.clone();
        input["provider"] = crate::world::word(of).into();
        async move {
            let mut data = world.data_with(query, json!({ "input": input })).await;
            data["upsertUser"].take()
        }
    });
    join_all(writes).await
}

/// The outcomes, sorted.
pub(super) fn outcomes(payloads: &[Value]) -> Vec<&str> {
    let outcomes = payloads.iter().map(|payload| text(&payload["outcome"]));
    let mut outcomes: Vec<_> = outcomes.collect();
    outcomes.sort_unstable();
    outcomes
}

/// Two gateways over one Redis and the same providers.
pub(super) async fn two(redis: &Redis, subject: Subject) -> [World; 2] {
    let change = |settings: &mut Settings| {
        if let IntercomUsers { version } | IntercomContacts { version } = subject {
            intercom(settings, version);
        }
        settings.cache.seconds = 0.0;
        settings.shared.url = Some(redis.url());
        // A busy machine is no store that is away.
        settings.shared.timeout_seconds = 2.0;
    };
    let one = World::with(3, change).await;
    let mut settings = crate::world::settings(one.sandbox);
    change(&mut settings);
    let other = one.beside(World::serve(&settings).await);
    [one, other]
}

async fn made_once(worlds: &[&World], subject: Subject, inputs: &[Value], told: [&str; 4]) {
    let of = subject.provider();
    let before = worlds[0].records(of).await.len();

    let payloads = all_at_once(worlds, of, inputs).await;

    assert_eq!(outcomes(&payloads), told, "{subject:?} {payloads:?}");
    for payload in &payloads {
        assert_eq!(payload["userErrors"], json!([]), "{subject:?}");
        let id = &payload["user"]["remoteId"];
        assert_eq!(id, &payloads[0]["user"]["remoteId"], "{subject:?}");
    }
    let after = worlds[0].records(of).await.len();
    assert_eq!(after, before + 1, "{subject:?} {inputs:?}");
}

const MATCHED: [&str; 4] = ["CREATED", "MATCHED", "MATCHED", "MATCHED"];
const UPDATED: [&str; 4] = ["CREATED", "UPDATED", "UPDATED", "UPDATED"];

#[tokio::test]
async fn four_equal_writes_at_once_make_one_record() {
    for (subject, input) in cases() {
        let world = subject.world(3).await;
        let inputs = vec![input; 4];
        made_once(&[&world], subject, &inputs, MATCHED).await;
    }
}

#[tokio::test]
async fn those_that_change_something_update_the_record_that_the_first_made() {
    for (subject, mut input) in cases() {
        let world = subject.world(3).await;
        let field = if subject == DigitalChalk {
            "firstName"
        } else {
            "name"
        };
        input[field] = "Equal".into();
        made_once(&[&world], subject, &vec![input; 4], UPDATED).await;
    }
}

#[tokio::test]
async fn four_equal_writes_through_two_gateways_make_one_record() {
    for (subject, input) in cases() {
        let Some(redis) = Redis::start().await else {
            return;
        };
        let [one, other] = two(&redis, subject).await;
        made_once(&[&one, &other], subject, &vec![input; 4], MATCHED).await;
    }
}

#[tokio::test]
async fn a_write_by_address_and_one_by_external_id_meet() {
    let contacts = IntercomContacts { version: "2.17" };
    for subject in [Ada, contacts, IntercomUsers { version: "1.4" }] {
        let Some(redis) = Redis::start().await else {
            return;
        };
        let [one, other] = two(&redis, subject).await;
        one.behave(Provider::Intercom, "index_lag", "3600").await;
        let of = subject.provider();
        let before = one.records(of).await.len();
        let (email, both) = (
            json!({ "email": EMAIL }),
            json!({ "externalId": "equal", "email": "equal@X.test" }),
        );
        // Through one gateway both, and through the other both.
        let inputs = [email.clone(), both.clone(), both, email];

        let payloads = all_at_once(&[&one, &other], of, &inputs).await;

        let told = outcomes(&payloads);
        let created = told.iter().filter(|told| **told == "CREATED").count();
        assert_eq!(created, 1, "{subject:?} {payloads:?}");
        assert_eq!(one.records(of).await.len(), before + 1, "{subject:?}");
        for payload in &payloads {
            assert_eq!(payload["userErrors"], json!([]), "{subject:?}");
        }
    }
}

#[tokio::test]
async fn with_redis_away_writes_go_on_with_a_warning() {
    let Some(mut redis) = Redis::start().await else {
        return;
    };
    let [one, other] = two(&redis, Ada).await;
    redis.kill();
    for world in [&one, &other] {
        let email = json!({ "email": format!("{}@x.test", world.gateway.port()) });
        // The first to ask finds that it is away.
        let payloads = all_at_once(&[world], Provider::Ada, &vec![email; 4]).await;

        assert_eq!(outcomes(&payloads), MATCHED, "{payloads:?}");
        for payload in payloads {
            let codes = payload["userErrors"].as_array().expect("errors");
            let codes: Vec<_> = codes.iter().map(|error| text(&error["code"])).collect();
            assert_eq!(codes, ["UNGUARDED"], "{payload}");
        }
    }
}

#[tokio::test]
async fn a_write_through_another_gateway_is_waited_for_and_seen() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let [one, other] = two(&redis, DigitalChalk).await;
    let slow = json!({ "kind": "latency", "milliseconds": 1500, "method": "POST" });
    one.fault(Provider::DigitalChalk, slow).await;
    let inputs = vec![json!({ "email": EMAIL }); 2];
    made_twice(&[&one, &other], &inputs).await;
    let metrics = format!("http://{}/metrics", one.gateway);
    let metrics = one.client.get(metrics).send().await.expect("an answer");
    let metrics = metrics.text().await.expect("text");
    assert!(!metrics.contains(EMAIL), "{metrics}");
}

async fn made_twice(worlds: &[&World], inputs: &[Value]) {
    let of = Provider::DigitalChalk;
    let before = worlds[0].records(of).await.len();
    let payloads = all_at_once(worlds, of, inputs).await;
    assert_eq!(outcomes(&payloads), ["CREATED", "MATCHED"], "{payloads:?}");
    assert_eq!(worlds[0].records(of).await.len(), before + 1);
}
