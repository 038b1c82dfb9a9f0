//! The response cache that replicas share in a store.

use std::time::Duration;

use roster::{
    account::Provider::{self, Ada, Intercom, Usertour},
    config::Settings,
};
use serde_json::json;

use super::{ann, rename};
use crate::{
    budgets::redis::Redis,
    world::{FOUR, World},
};

/// Two gateways over one store and the same providers.
async fn two(redis: &Redis) -> [World; 2] {
    let change = |settings: &mut Settings| {
        settings.cache.seconds = 60.0;
        settings.shared.url = Some(redis.url());
        // A busy machine must not count as an unavailable store.
        settings.shared.timeout_seconds = 2.0;
    };
    let one = World::with(60, change).await;
    let mut settings = crate::world::settings(one.sandbox);
    change(&mut settings);
    let other = one.beside(World::serve(&settings).await);
    [one, other]
}

/// Waits until a gateway answers without a call: another gateway stores its response
/// asynchronously.
async fn until_kept(world: &World, of: Provider) {
    let kept = async {
        while ann(world, of).await.1["calls"] != 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), kept)
        .await
        .expect("it is not kept");
}

#[tokio::test]
async fn a_response_of_one_replica_saves_the_other_its_call() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let [one, other] = two(&redis).await;
    for of in FOUR {
        let (user, source) = ann(&one, of).await;
        until_kept(&one, of).await;
        one.forget_calls().await;

        let (again, kept) = ann(&other, of).await;

        assert_eq!(again, user, "{of:?}");
        // The store keeps milliseconds.
        let moment = |source: &serde_json::Value| {
            let text = source["asOf"].as_str().unwrap_or_default();
            text.parse::<jiff::Timestamp>()
                .expect("a moment")
                .as_millisecond()
        };
        assert_eq!(moment(&kept), moment(&source), "{of:?}");
        assert_eq!(one.calls(of).await.len(), 0, "{of:?}");
    }
    let nobody = "{ user(provider: USERTOUR, by: { remoteId: \"nobody\" }) { id } }";
    assert_eq!(one.data(nobody).await, json!({ "user": null }));
}

#[tokio::test]
async fn a_write_of_one_replica_makes_the_other_read_again() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let [one, other] = two(&redis).await;
    for of in [Ada, Intercom] {
        ann(&one, of).await;
        until_kept(&other, of).await;

        rename(&one, of, "Renamed").await;

        assert_eq!(ann(&other, of).await.0["name"], "Renamed", "{of:?}");
    }
}

#[tokio::test]
async fn without_the_store_each_replica_uses_its_own_cache() {
    let Some(mut redis) = Redis::start().await else {
        return;
    };
    let [one, other] = two(&redis).await;
    redis.kill();
    // The first request finds the store unavailable.
    ann(&one, Usertour).await;
    ann(&one, Usertour).await;
    one.forget_calls().await;

    let (user, source) = ann(&one, Usertour).await;

    assert_eq!(
        (&user["name"], &source["calls"]),
        (&json!("Ann Archer"), &json!(0))
    );
    ann(&other, Usertour).await;
    assert_eq!(
        one.calls(Usertour).await.len(),
        1,
        "the other asked for itself"
    );
}

#[tokio::test]
async fn a_write_while_the_store_is_away_is_not_undone_when_it_is_back() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let [one, other] = two(&redis).await;
    ann(&one, Intercom).await;
    until_kept(&other, Intercom).await;

    redis.pause();
    rename(&one, Intercom, "Renamed").await;
    redis.resume();

    assert_eq!(ann(&one, Intercom).await.0["name"], "Renamed");
    let seen = async {
        while ann(&other, Intercom).await.0["name"] != "Renamed" {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), seen)
        .await
        .expect("the other never sees the write");
    assert_eq!(ann(&one, Intercom).await.0["name"], "Renamed");
}

/// Sends a command to the store itself.
async fn tell<T: redis::FromRedisValue>(redis: &Redis, words: &[&str]) -> T {
    let client = redis::Client::open(redis.url()).expect("an address");
    let mut link = client
        .get_multiplexed_async_connection()
        .await
        .expect("a link");
    let mut command = redis::Cmd::new();
    for word in words {
        command.arg(*word);
    }
    command.query_async(&mut link).await.expect("an answer")
}

async fn until_renamed(world: &World, of: Provider) {
    let seen = async {
        while ann(world, of).await.0["name"] != "Renamed" {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), seen)
        .await
        .expect("the write is never seen");
}

#[tokio::test]
async fn a_replica_without_a_cache_gets_nothing_from_the_shared_one() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let [one, _] = two(&redis).await;
    let mut settings = crate::world::settings(one.sandbox);
    settings.shared.url = Some(redis.url());
    settings.shared.timeout_seconds = 2.0;
    settings.cache.seconds = 0.0;
    let fresh = one.beside(World::serve(&settings).await);
    ann(&one, Usertour).await;
    until_kept(&one, Usertour).await;

    assert_eq!(ann(&fresh, Usertour).await.1["calls"], 1);
    assert_eq!(ann(&one, Usertour).await.1["calls"], 0, "it is still kept");
}

#[tokio::test]
async fn a_full_store_still_forgets_responses_from_before_a_write() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let [one, other] = two(&redis).await;
    ann(&one, Intercom).await;
    until_kept(&other, Intercom).await;
    let _: String = tell(&redis, &["CONFIG", "SET", "maxmemory", "1"]).await;

    rename(&one, Intercom, "Renamed").await;

    assert_eq!(ann(&other, Intercom).await.0["name"], "Renamed");
    assert_eq!(ann(&one, Intercom).await.0["name"], "Renamed");
}

#[tokio::test]
async fn an_invalid_write_counter_restarts_and_nothing_else_stops() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let [one, other] = two(&redis).await;
    ann(&one, Intercom).await;
    until_kept(&other, Intercom).await;
    let keys: Vec<String> = tell(&redis, &["KEYS", "*writes"]).await;
    let key = keys
        .iter()
        .find(|key| key.contains("intercom"))
        .unwrap_or(&keys[0]);
    for poison in [&["SET", key, "no number"][..], &["HSET", key, "a", "b"]] {
        let _: redis::Value = tell(&redis, &["DEL", key]).await;
        let _: redis::Value = tell(&redis, poison).await;
        ann(&one, Intercom).await;
        until_kept(&other, Intercom).await;
    }
    let _: redis::Value = tell(&redis, &["SET", key, "no number"]).await;

    rename(&one, Intercom, "Renamed").await;

    until_renamed(&other, Intercom).await;
    until_kept(&other, Intercom).await;
    assert_eq!(ann(&one, Intercom).await.0["name"], "Renamed");
}

/// Makes a key a list, which no command of the gateway reads.
async fn poison(redis: &Redis, key: &str) {
    let _: redis::Value = tell(redis, &["DEL", key]).await;
    let _: redis::Value = tell(redis, &["LPUSH", key, "x"]).await;
}

async fn keys(redis: &Redis, pattern: &str) -> Vec<String> {
    tell(redis, &["KEYS", pattern]).await
}

#[tokio::test]
async fn a_write_invalidates_even_with_an_invalid_counter() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let [one, other] = two(&redis).await;
    ann(&one, Intercom).await;
    until_kept(&other, Intercom).await;
    for key in keys(&redis, "*writes").await {
        poison(&redis, &key).await;
    }

    rename(&one, Intercom, "Renamed").await;

    assert_eq!(ann(&other, Intercom).await.0["name"], "Renamed");
    for world in [&one, &other] {
        let url = format!("http://{}/health/ready", world.gateway);
        let ready = world.client.get(url).send().await.expect("an answer");
        let ready: serde_json::Value = ready.json().await.expect("JSON");
        assert_eq!(ready["sharedStore"], "up");
    }
}

#[tokio::test]
async fn a_damaged_response_is_read_again_and_not_blamed_on_the_provider() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let [one, other] = two(&redis).await;
    ann(&one, Usertour).await;
    until_kept(&one, Usertour).await;
    let answers = keys(&redis, "*answer*").await;
    for key in answers.iter().filter(|key| !key.ends_with("writes")) {
        let answer: String = tell(&redis, &["GET", key]).await;
        let (label, body) = answer.split_once('\n').expect("a label");
        let cut = format!("{label}\n{}", &body[..body.len() / 2]);
        let _: redis::Value = tell(&redis, &["SET", key, &cut]).await;
    }

    let (user, source) = ann(&other, Usertour).await;

    assert_eq!(
        (&user["name"], &source["calls"]),
        (&json!("Ann Archer"), &json!(1))
    );
}

#[tokio::test]
async fn a_store_that_accepts_no_writes_is_unavailable_until_it_does() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let [one, other] = two(&redis).await;
    ann(&one, Intercom).await;
    until_kept(&other, Intercom).await;
    let needs = ["CONFIG", "SET", "min-replicas-to-write"];
    let _: String = tell(&redis, &[&needs[..], &["3"]].concat()).await;

    rename(&one, Intercom, "Renamed").await;
    // The budget notices first, by a call that is not cached.
    ann(&other, Ada).await;
    assert_eq!(ann(&other, Intercom).await.0["name"], "Renamed");

    let _: String = tell(&redis, &[&needs[..], &["0"]].concat()).await;
    until_renamed(&other, Intercom).await;
    until_kept(&other, Intercom).await;
}
