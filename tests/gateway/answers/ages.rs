//! Old responses: they are returned while the provider is read again, or because it fails, and
//! always say so.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use roster::account::Provider::Intercom;
use serde_json::{Value, json};

use super::{World, ann, elsewhere, keeping, rename};
use crate::{
    stand_in::{Asked, StandIn},
    world::{FOUR, account},
};

/// Shorter than any request takes.
const AN_INSTANT: f64 = 0.000_001;

async fn until_named(world: &World, name: &str) {
    let named = async {
        while ann(world, Intercom).await.0["name"] != name {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), named)
        .await
        .expect("it was not read again");
}

#[tokio::test]
async fn a_stale_response_is_returned_at_once_and_read_again_in_the_background() {
    let world = keeping(|settings| {
        settings.cache.seconds = AN_INSTANT;
        settings.cache.stale_seconds = 60.0;
    })
    .await;
    let (_, fresh) = ann(&world, Intercom).await;
    rename(&elsewhere(&world).await, Intercom, "Renamed").await;

    let (user, source) = ann(&world, Intercom).await;

    assert_eq!(user["name"], "Ann Archer");
    let expected = json!({
        "provider": "INTERCOM", "status": "COMPLETE", "stale": true, "asOf": fresh["asOf"],
        "calls": 0, "notices": [], "error": null,
    });
    assert_eq!(source, expected);
    until_named(&world, "Renamed").await;
}

#[tokio::test]
async fn an_old_response_is_returned_when_the_provider_fails_and_says_so() {
    for of in FOUR {
        let world = keeping(|settings| {
            settings.cache.seconds = AN_INSTANT;
            settings.cache.stale_seconds = 0.0;
            account(settings, of).attempts = 1;
        })
        .await;
        let (known, fresh) = ann(&world, of).await;
        world
            .fault(of, json!({ "kind": "status", "status": 503 }))
            .await;

        let (user, source) = ann(&world, of).await;

        assert_eq!(user, known, "{of:?}");
        assert_eq!(source["status"], "PARTIAL", "{of:?}");
        assert_eq!(
            (&source["stale"], &source["asOf"]),
            (&json!(true), &fresh["asOf"])
        );
        assert_eq!(source["error"]["code"], "PROVIDER_UNAVAILABLE");

        world.heal().await;
        let (_, source) = ann(&world, of).await;
        assert_eq!(
            (&source["stale"], &source["error"]),
            (&json!(false), &Value::Null)
        );
    }
}

#[tokio::test]
async fn an_old_response_is_returned_when_the_new_one_cannot_be_read_and_stays_cached() {
    for (of, kind) in FOUR
        .into_iter()
        .zip(["not_json", "error_list", "error_list", "not_json"])
    {
        let world = keeping(|settings| {
            settings.cache.seconds = AN_INSTANT;
            settings.cache.stale_seconds = 0.0;
        })
        .await;
        let (known, fresh) = ann(&world, of).await;
        world.fault(of, json!({ "kind": kind })).await;

        for _ in 0..2 {
            let (user, source) = ann(&world, of).await;

            assert_eq!(user, known, "{of:?}");
            assert_eq!(source["status"], "PARTIAL", "{of:?}");
            assert_eq!(
                (&source["stale"], &source["asOf"]),
                (&json!(true), &fresh["asOf"])
            );
            assert_eq!(source["error"]["code"], "PROVIDER_BAD_RESPONSE", "{of:?}");
        }
    }
}

#[tokio::test]
async fn an_old_answer_of_a_provider_that_hangs_comes_within_the_deadline() {
    let world = keeping(|settings| {
        settings.cache.seconds = AN_INSTANT;
        settings.cache.stale_seconds = 0.0;
        settings.limits.deadline_seconds = 1.0;
    })
    .await;
    let (known, _) = ann(&world, Intercom).await;
    world.fault(Intercom, json!({ "kind": "hang" })).await;

    let (user, source) = ann(&world, Intercom).await;

    assert_eq!(user, known);
    assert_eq!(source["error"]["code"], "DEADLINE_EXCEEDED");
}

#[tokio::test]
async fn no_old_response_is_returned_without_a_policy_for_it_or_when_a_new_one_is_requested() {
    let world = keeping(|settings| {
        settings.cache.seconds = AN_INSTANT;
        (settings.cache.stale_seconds, settings.cache.error_seconds) = (0.0, 0.0);
        account(settings, Intercom).attempts = 1;
    })
    .await;
    ann(&world, Intercom).await;
    world
        .fault(Intercom, json!({ "kind": "status", "status": 503 }))
        .await;

    let (user, source) = ann(&world, Intercom).await;

    assert_eq!((user, &source["status"]), (Value::Null, &json!("FAILED")));
}

#[tokio::test]
async fn refused_credentials_are_never_hidden_by_old_responses() {
    let world = keeping(|settings| {
        settings.cache.seconds = AN_INSTANT;
        settings.cache.stale_seconds = 0.0;
    })
    .await;
    ann(&world, Intercom).await;
    world
        .fault(Intercom, json!({ "kind": "status", "status": 401 }))
        .await;

    let (_, source) = ann(&world, Intercom).await;

    assert_eq!(source["error"]["code"], "PROVIDER_AUTH");
    assert_eq!(source["status"], "FAILED");
}

/// Provider, its good list, and a list of which the next page is not named.
const NOWHERE: [(&str, &str, &str); 2] = [
    (
        "USERTOUR",
        r#"{"results":[{"id":"u1","attributes":{"name":"Ann"}}],"next":null}"#,
        r#"{"results":[{"id":"u2"}],"next":"https://x.test/v1/users?limit=1"}"#,
    ),
    (
        "INTERCOM",
        r#"{"data":[{"id":"i1","role":"user","name":"Ann"}],"total_count":1,"pages":{"next":null}}"#,
        r#"{"data":[{"id":"i2","role":"user"}],"total_count":2,"pages":{"next":5}}"#,
    ),
];

#[tokio::test]
async fn a_list_that_cannot_be_followed_is_not_cached_in_place_of_a_good_one() {
    for (provider, good, bad) in NOWHERE {
        let sent = Arc::new(Mutex::new(good));
        let answer = Arc::clone(&sent);
        let providers = StandIn::of(move |_: &Asked| {
            let answer = answer.lock().expect("no panic");
            (*answer).to_owned()
        })
        .await;
        let world = providers
            .world(|settings| {
                settings.cache.seconds = AN_INSTANT;
                (settings.cache.stale_seconds, settings.cache.error_seconds) = (0.0, 300.0);
            })
            .await;
        let query = format!(
            "{{ users(provider: {provider}, first: 1) {{ nodes {{ name }} sources {{ status stale error {{ code }} }} }} }}"
        );
        world.data(&query).await;
        *sent.lock().expect("no panic") = bad;

        let kept = world.data(&query).await;

        let users = &kept["users"];
        assert_eq!(users["nodes"], json!([{ "name": "Ann" }]), "{provider}");
        let expected = json!({
            "status": "PARTIAL", "stale": true, "error": { "code": "PROVIDER_BAD_RESPONSE" },
        });
        assert_eq!(users["sources"][0], expected, "{provider}");
    }
}
