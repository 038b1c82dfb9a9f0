//! Two gateways over one Redis: who was written through one is found through the other, though search
//! does not know them yet.

use roster::{account::Provider::Intercom, config::Settings};
use serde_json::{Value, json};

use super::{World, ids_at, intercom, made};
use crate::budgets::redis::Redis;

/// Long enough that search knows of nothing that a test does.
const HOUR: &str = "3600";

/// Two gateways over one Redis and the same Intercom, in a version.
async fn two(redis: &Redis, version: &str) -> [World; 2] {
    let change = |settings: &mut Settings| {
        intercom(settings, version);
        settings.cache.seconds = 0.0;
        settings.shared.url = Some(redis.url());
        // A busy machine is no store that is away.
        settings.shared.timeout_seconds = 2.0;
    };
    let one = World::with(20, change).await;
    let mut settings = crate::world::settings(one.sandbox);
    change(&mut settings);
    let other = one.beside(World::serve(&settings).await);
    one.behave(Intercom, "index_lag", HOUR).await;
    [one, other]
}

async fn upsert(world: &World, mut input: Value) -> Value {
    let query = "mutation ($input: UpsertUserInput!) { upsertUser(input: $input) {
        outcome user { remoteId name } userErrors { code message } } }";
    input["provider"] = "INTERCOM".into();
    let mut data = world.data_with(query, json!({ "input": input })).await;
    data["upsertUser"].take()
}

#[tokio::test]
async fn a_contact_created_through_one_is_found_through_the_other_by_every_key() {
    for version in ["2.17", "2.12"] {
        let Some(redis) = Redis::start().await else {
            return;
        };
        let [one, other] = two(&redis, version).await;
        let input = json!({ "externalId": "fresh", "email": "Fresh@x.test", "name": "Fresh" });
        let payload = upsert(&one, input).await;
        assert_eq!(payload["outcome"], "CREATED");
        let id = payload["user"]["remoteId"].clone();

        assert_eq!(
            ids_at(&other, "fresh@X.test").await,
            std::slice::from_ref(&id)
        );
        let query = "query ($id: ID!) {
            byId: user(provider: INTERCOM, by: { remoteId: $id }) { name }
            second: user(provider: INTERCOM, by: { remoteId: \"nobody\" }) { name }
            byExternalId: user(provider: INTERCOM, by: { externalId: \"fresh\" }) { name }
            nobody: user(provider: INTERCOM, by: { externalId: \"nobody\" }) { name } }";
        let data = other.data_with(query, json!({ "id": id })).await;
        let fresh = json!({ "name": "Fresh" });
        let expected =
            json!({ "byId": fresh, "second": null, "byExternalId": fresh, "nobody": null });
        assert_eq!(data, expected, "{version}");
        let payload = upsert(&other, json!({ "email": "fresh@x.test" })).await;
        assert_eq!(payload["outcome"], "MATCHED", "{version}");
    }
}

#[tokio::test]
async fn a_contact_changed_through_one_is_not_what_search_says_at_the_other() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let [one, other] = two(&redis, "2.17").await;
    one.behave(Intercom, "index_lag", "0").await;
    let id = made(&one, json!({ "email": "old@x.test", "name": "Before" })).await;
    assert_eq!(ids_at(&other, "old@x.test").await, [json!(id)]);
    one.behave(Intercom, "index_lag", HOUR).await;

    let input = json!({ "remoteId": id, "email": "new@x.test", "name": "After" });
    assert_eq!(upsert(&one, input).await["outcome"], "UPDATED");

    assert_eq!(ids_at(&other, "new@x.test").await, [json!(id)]);
    assert_eq!(ids_at(&other, "old@x.test").await, [Value::Null; 0]);
}

#[tokio::test]
async fn redis_holds_no_address_and_forgets_after_the_lag() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let [one, _] = two(&redis, "2.17").await;

    let input = json!({ "externalId": "crm-77", "email": "secret@x.test", "name": "Zebediah" });
    upsert(&one, input).await;

    let keys = redis.tell(&["KEYS", "*:written:*"]).await;
    let names: Vec<_> = keys
        .lines()
        .filter(|line| line.contains(":written:"))
        .collect();
    assert_eq!(names.len(), 3, "{keys}");
    for name in names {
        assert!(name.starts_with("roster:written:{intercom}:"), "{name}");
        let value = redis.tell(&["GET", name]).await;
        for secret in ["secret", "x.test", "crm-77", "Zebediah"] {
            assert!(
                !name.contains(secret) && !value.contains(secret),
                "{name} {value}"
            );
        }
        let left = redis.tell(&["PTTL", name]).await;
        let left = left.trim_start_matches(':').split('\r').next();
        let left: i64 = left.and_then(|left| left.parse().ok()).expect("a time");
        assert!((1..=600_000).contains(&left), "{name} {left}");
    }
}

#[tokio::test]
async fn a_batch_costs_redis_one_question() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let [one, other] = two(&redis, "2.17").await;
    for at in 0..4 {
        upsert(&one, json!({ "email": format!("written{at}@x.test") })).await;
    }
    let fields = (0..8).map(|at| {
        format!("a{at}: usersByEmail(email: \"written{at}@x.test\", providers: [INTERCOM]) {{ totalCount }}")
    });
    let query = format!("{{ {} }}", fields.collect::<Vec<_>>().join(" "));
    redis.tell(&["CONFIG", "RESETSTAT"]).await;
    one.forget_calls().await;

    let data = other.data(&query).await;

    assert_eq!(
        (&data["a0"]["totalCount"], &data["a7"]["totalCount"]),
        (&json!(1), &json!(0))
    );
    let stats = redis.tell(&["INFO", "commandstats"]).await;
    // The cache asks for each call, and what was written is asked for once.
    let calls = one.calls(Intercom).await.len();
    assert_eq!(calls, 5);
    let asked = format!("cmdstat_mget:calls={},", calls + 1);
    assert!(stats.contains(&asked), "{stats}");
}

#[tokio::test]
async fn without_the_store_each_remembers_its_own() {
    let Some(mut redis) = Redis::start().await else {
        return;
    };
    let [one, other] = two(&redis, "2.17").await;
    redis.kill();

    let payload = upsert(&one, json!({ "email": "fresh@x.test" })).await;

    let id = payload["user"]["remoteId"].clone();
    assert_eq!(ids_at(&one, "fresh@x.test").await, [id]);
    assert_eq!(ids_at(&other, "fresh@x.test").await, [Value::Null; 0]);
}

async fn shared_store(world: &World) -> Value {
    let url = format!("http://{}/health/ready", world.gateway);
    let answer = world.client.get(url).send().await.expect("an answer");
    let mut answer: Value = answer.json().await.expect("JSON");
    answer["sharedStore"].take()
}

#[tokio::test]
async fn a_redis_that_takes_no_writes_is_away_and_each_remembers_its_own() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let [one, other] = two(&redis, "2.17").await;
    let payload = upsert(&one, json!({ "email": "before@x.test" })).await;
    let before = payload["user"]["remoteId"].clone();
    assert_eq!(ids_at(&other, "before@x.test").await, [before]);

    let answer = redis.tell(&["REPLICAOF", "127.0.0.1", "1"]).await;
    assert!(answer.starts_with("+OK"), "{answer}");

    let payload = upsert(&one, json!({ "email": "after@x.test" })).await;
    assert_eq!(payload["outcome"], "CREATED");
    assert_eq!(payload["userErrors"][0]["code"], "UNGUARDED");
    let after = payload["user"]["remoteId"].clone();
    assert_eq!(ids_at(&one, "after@x.test").await, [after]);
    assert_eq!(ids_at(&other, "after@x.test").await, [Value::Null; 0]);
    assert_eq!(shared_store(&one).await, "away");
}
