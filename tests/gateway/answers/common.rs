//! Answers that replicas keep together in the store that they share.

use std::time::Duration;

use roster::{
    config::Settings,
    demo,
    user::Provider::{self, Ada, Intercom, Usertour},
};
use serde_json::json;

use super::{ann, rename};
use crate::{budgets::redis::Redis, world::World};

/// Two gateways over one store and the same vendors.
async fn two(redis: &Redis) -> [World; 2] {
    let change = |settings: &mut Settings| {
        settings.cache.seconds = 60.0;
        settings.shared.url = Some(redis.url());
        // A busy machine is no store that is away.
        settings.shared.timeout_seconds = 2.0;
    };
    let one = World::with(60, change).await;
    let mut settings = demo::settings(one.sandbox);
    change(&mut settings);
    let other = one.beside(World::serve(&settings).await);
    [one, other]
}

/// Waits until a gateway answers without a call: what another has read is kept when it is written.
async fn until_kept(world: &World, of: Provider) {
    let kept = async {
        while ann(world, of).await.1["upstreamCalls"] != 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), kept)
        .await
        .expect("it is not kept");
}

#[tokio::test]
async fn what_one_has_read_the_other_need_not_ask() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let [one, other] = two(&redis).await;
    for of in Provider::ALL {
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
    let nobody = "{ user(provider: USERTOUR, by: { vendorId: \"nobody\" }) { id } }";
    assert_eq!(one.data(nobody).await, json!({ "user": null }));
}

#[tokio::test]
async fn what_one_has_written_the_other_reads_anew() {
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
async fn without_the_store_each_keeps_its_own() {
    let Some(mut redis) = Redis::start().await else {
        return;
    };
    let [one, other] = two(&redis).await;
    redis.kill();
    // The first to ask finds that it is away.
    ann(&one, Usertour).await;
    ann(&one, Usertour).await;
    one.forget_calls().await;

    let (user, source) = ann(&one, Usertour).await;

    assert_eq!(
        (&user["name"], &source["upstreamCalls"]),
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
