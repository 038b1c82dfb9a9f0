//! Recent reads cost no call.

use roster::account::Provider::{DigitalChalk, Intercom, Usertour};
use serde_json::{Value, json};

use super::{ann, keeping};
use crate::world::{FOUR, World, account};

#[tokio::test]
async fn a_fresh_response_costs_no_call_and_states_its_age() {
    for of in FOUR {
        let world = keeping(|_| {}).await;
        let (user, source) = ann(&world, of).await;
        let calls = world.calls(of).await.len();

        let (again, kept) = ann(&world, of).await;

        assert_eq!(again, user);
        assert_eq!(kept["asOf"], source["asOf"]);
        assert_eq!((&kept["calls"], &kept["stale"]), (&json!(0), &json!(false)));
        assert_eq!(kept["status"], source["status"]);
        assert_eq!(world.calls(of).await.len(), calls);
    }
}

#[tokio::test]
async fn lists_single_users_and_subresources_are_cached_too() {
    let world = keeping(|_| {}).await;
    let query = "{ users(provider: INTERCOM, first: 5) { nodes { id tags } totalCount }
        user(provider: USERTOUR, by: { externalId: \"crm-ann\" }) { name }
        chalk: users(provider: DIGITAL_CHALK, first: 2) { nodes { attributes } } }";
    let first = world.data(query).await;
    let tally = world.tally().await;

    assert_eq!(world.data(query).await, first);

    assert_eq!(world.tally().await, tally);
}

#[tokio::test]
async fn any_difference_in_a_read_is_another_entry() {
    let world = keeping(|_| {}).await;
    for first in [3, 4] {
        world
            .data(&format!(
                "{{ users(provider: INTERCOM, first: {first}) {{ nodes {{ id }} }} }}"
            ))
            .await;
    }
    for sort in ["CREATED_AT", "UPDATED_AT"] {
        world
            .data(&format!(
                "{{ users(provider: INTERCOM, first: 3, filter: {{ sort: {{ field: {sort} }} }}) {{ nodes {{ id }} }} }}"
            ))
            .await;
    }
    assert_eq!(world.calls(Intercom).await.len(), 4);
}

async fn asked_twice(world: &World, email: &str) -> usize {
    let query = format!(
        "{{ usersByEmail(email: \"{email}\", providers: [DIGITAL_CHALK]) {{ totalCount }} }}"
    );
    for _ in 0..2 {
        world.data(&query).await;
    }
    world.calls(DigitalChalk).await.len()
}

#[tokio::test]
async fn an_empty_result_has_its_own_lifetime() {
    let world = keeping(|settings| settings.cache.negative_seconds = 0.0).await;
    assert_eq!(asked_twice(&world, "nobody@x.test").await, 2);
    world.forget_calls().await;
    assert_eq!(asked_twice(&world, "ann@x.test").await, 1);

    let world = keeping(|settings| settings.cache.negative_seconds = 60.0).await;
    assert_eq!(asked_twice(&world, "nobody@x.test").await, 1);

    for (negative, calls) in [(0.0, 2), (60.0, 1)] {
        let world = keeping(|settings| settings.cache.negative_seconds = negative).await;
        let query = "{ user(provider: USERTOUR, by: { remoteId: \"nobody\" }) { id } }";
        for _ in 0..2 {
            assert_eq!(world.data(query).await["user"], Value::Null);
        }
        assert_eq!(
            world.calls(Usertour).await.len(),
            calls,
            "a 404 for {negative} s"
        );
    }
}

#[tokio::test]
async fn zero_disables_the_cache_for_all_for_a_provider_or_for_an_operation() {
    let world = keeping(|settings| settings.cache.seconds = 0.0).await;
    assert_eq!(asked_twice(&world, "ann@x.test").await, 2);

    let world = keeping(|settings| account(settings, DigitalChalk).cache.seconds = Some(0.0)).await;
    assert_eq!(asked_twice(&world, "ann@x.test").await, 2);

    let world = keeping(|settings| {
        let operations = &mut account(settings, DigitalChalk).cache.operations;
        operations.insert("by_email".to_owned(), 0.0);
    })
    .await;
    assert_eq!(asked_twice(&world, "ann@x.test").await, 2);
    world.forget_calls().await;
    for _ in 0..2 {
        world
            .data("{ users(provider: DIGITAL_CHALK, first: 1) { nodes { id } } }")
            .await;
    }
    assert_eq!(world.calls(DigitalChalk).await.len(), 1);
}

#[tokio::test]
async fn a_response_larger_than_the_cache_is_not_cached() {
    let world = keeping(|settings| settings.cache.max_bytes = 1).await;
    assert_eq!(asked_twice(&world, "ann@x.test").await, 2);
}

#[tokio::test]
async fn an_unreadable_response_is_not_cached() {
    for fault in [
        json!({ "kind": "not_json", "count": 1 }),
        json!({ "kind": "empty", "count": 1 }),
        json!({ "kind": "truncate", "count": 1 }),
        json!({ "kind": "status", "status": 200, "body": { "errors": ["no"] }, "count": 1 }),
        json!({ "kind": "status", "status": 403, "count": 1 }),
    ] {
        let world = keeping(|settings| account(settings, DigitalChalk).attempts = 1).await;
        world.fault(DigitalChalk, fault.clone()).await;
        let (_, failed) = ann(&world, DigitalChalk).await;
        assert_eq!(failed["status"], "FAILED", "{fault}");

        let (user, source) = ann(&world, DigitalChalk).await;
        assert_eq!(source["status"], "COMPLETE", "{fault}");
        assert_eq!(user["firstName"], "Ann", "{fault}");
    }
}
