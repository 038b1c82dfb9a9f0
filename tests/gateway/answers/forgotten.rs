//! A write invalidates the cache of its account, and no other.

use roster::account::Provider;
use serde_json::json;

use super::{ann, keeping, rename};
use crate::{subject::expected, world::FOUR};

#[tokio::test]
async fn a_write_is_visible_at_once() {
    for of in FOUR {
        let world = keeping(|_| {}).await;
        for other in FOUR {
            ann(&world, other).await;
        }

        rename(&world, of, "Renamed").await;
        world.forget_calls().await;

        let (user, source) = ann(&world, of).await;
        assert_eq!(user[expected(of).name_field], "Renamed", "{of:?}");
        assert_eq!(source["stale"], false);
        for other in FOUR.into_iter().filter(|other| *other != of) {
            ann(&world, other).await;
            assert_eq!(
                world.calls(other).await.len(),
                0,
                "{other:?} after a write to {of:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_write_with_an_unknown_outcome_invalidates_too() {
    let world = keeping(|_| {}).await;
    ann(&world, Provider::Usertour).await;
    let fault = json!({ "kind": "reset", "at": "body", "method": "POST" });
    world.fault(Provider::Usertour, fault).await;
    let query = "mutation { upsertUser(input: { provider: USERTOUR, externalId: \"crm-ann\", name: \"Renamed\" }) { outcome } }";
    let data = world.data(query).await;
    assert_eq!(data["upsertUser"]["outcome"], json!(null));
    world.forget_calls().await;

    ann(&world, Provider::Usertour).await;

    assert_eq!(world.calls(Provider::Usertour).await.len(), 1);
}

#[tokio::test]
async fn a_write_reads_the_current_record_first() {
    let world = keeping(|_| {}).await;
    let elsewhere = super::elsewhere(&world).await;
    let find = "{ user(provider: USERTOUR, by: { externalId: \"new\" }) { name } }";
    assert_eq!(world.data(find).await["user"], json!(null));
    let make = "mutation { upsertUser(input: { provider: USERTOUR, externalId: \"new\", name: \"New\" }) { outcome } }";
    assert_eq!(
        elsewhere.data(make).await["upsertUser"]["outcome"],
        "CREATED"
    );

    let data = world.data(make).await;

    assert_eq!(
        data["upsertUser"]["outcome"], "UPDATED",
        "it knew of nobody, but looked again"
    );
}
