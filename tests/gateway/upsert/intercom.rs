//! Intercom 1.x finds or creates by `user_id` or by address, in one call that answers 200 for both.

use roster::account::Provider::Intercom;
use roster_sandbox::known::{AT_INTERCOM, EVERYWHERE, SHARED};
use serde_json::{Value, json};

use super::{calls, record, skipped, text, written};
use crate::world::{World, intercom};

async fn users(count: usize) -> World {
    World::with(count, |settings| intercom(settings, "1.1")).await
}

#[tokio::test]
async fn an_unknown_external_id_is_looked_up_and_created() {
    let world = users(3).await;
    let input = json!({ "externalId": "new", "email": "new@x.test", "name": "New" });

    let user = written(&world, Intercom, input, "CREATED").await;

    assert_eq!(
        (text(&user["externalId"]), text(&user["email"])),
        ("new", "new@x.test")
    );
    assert_eq!(
        calls(&world, Intercom).await,
        ["GET /users 404", "POST /users 200"]
    );
    let calls = world.calls(Intercom).await;
    assert_eq!(calls[0].version.as_deref(), Some("1.1"));
}

#[tokio::test]
async fn a_known_external_id_is_looked_up_and_updated() {
    let world = users(200).await;
    let input =
        json!({ "externalId": "crm-ann", "name": null, "attributes": { "plan": "silver" } });

    let user = written(&world, Intercom, input, "UPDATED").await;

    assert_eq!(user["name"], Value::Null);
    assert_eq!(user["email"], EVERYWHERE);
    assert_eq!(user["attributes"]["plan"], "silver");
    assert_eq!(user["attributes"]["seats"], 17);
    assert_eq!(
        calls(&world, Intercom).await,
        ["GET /users 200", "POST /users 200"]
    );
}

#[tokio::test]
async fn an_address_is_looked_up_and_then_created_or_updated() {
    let world = users(200).await;
    let id = record(&world, Intercom, AT_INTERCOM).await["id"].take();

    let user = written(
        &world,
        Intercom,
        json!({ "email": AT_INTERCOM, "name": "Renamed" }),
        "UPDATED",
    )
    .await;
    assert_eq!((&user["remoteId"], text(&user["name"])), (&id, "Renamed"));
    assert_eq!(
        calls(&world, Intercom).await,
        ["GET /users 200", "POST /users 200"]
    );

    let user = written(
        &world,
        Intercom,
        json!({ "email": "new@x.test" }),
        "CREATED",
    )
    .await;
    assert_eq!(user["email"], "new@x.test");
    assert_eq!(
        calls(&world, Intercom).await,
        ["GET /users 200", "POST /users 200"]
    );
}

#[tokio::test]
async fn the_providers_own_id_updates_or_matches() {
    let world = users(200).await;
    let id = record(&world, Intercom, AT_INTERCOM).await["id"].take();
    let path = format!("/users/{}", text(&id));

    let user = written(
        &world,
        Intercom,
        json!({ "remoteId": id, "email": "moved@x.test" }),
        "UPDATED",
    )
    .await;
    assert_eq!(
        (&user["remoteId"], text(&user["email"])),
        (&id, "moved@x.test")
    );
    assert_eq!(
        calls(&world, Intercom).await,
        [format!("GET {path} 200"), "POST /users 200".to_owned()]
    );

    let user = written(&world, Intercom, json!({ "remoteId": id }), "MATCHED").await;
    assert_eq!(user["email"], "moved@x.test");
    assert_eq!(calls(&world, Intercom).await, [format!("GET {path} 200")]);
}

#[tokio::test]
async fn an_address_of_several_is_refused() {
    let world = users(200).await;
    let before = world.records(Intercom).await;
    world.forget_calls().await;
    let input = json!({ "provider": "INTERCOM", "email": SHARED, "name": "Who" });

    let data = world
        .data_with(super::UPSERT, json!({ "input": input }))
        .await;

    assert_eq!(
        data["upsertUser"],
        json!({ "outcome": "SKIPPED", "user": null, "userErrors": [{
            "field": ["input", "email"],
            "message": "2 users have this email: say with `remoteId` which one is meant",
            "code": "BAD_USER_INPUT",
            "retryAfter": null,
        }] })
    );
    assert_eq!(calls(&world, Intercom).await, ["GET /users 200"]);
    assert_eq!(world.records(Intercom).await, before);
}

#[tokio::test]
async fn attributes_that_are_not_flat_are_refused_without_a_call() {
    let world = users(3).await;
    for value in [json!([1]), json!({ "deep": 1 })] {
        let input = json!({ "externalId": "new", "attributes": { "odd": value } });

        let errors = skipped(&world, Intercom, input).await;

        assert_eq!(errors[0]["field"], json!(["input", "attributes"]));
        assert_eq!(calls(&world, Intercom).await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_write_that_may_be_repeated_is_repeated() {
    let world = users(3).await;
    let once = json!({ "kind": "status", "status": 500, "count": 1, "method": "POST" });
    world.fault(Intercom, once).await;

    written(&world, Intercom, json!({ "externalId": "new" }), "CREATED").await;

    assert_eq!(
        calls(&world, Intercom).await,
        ["GET /users 404", "POST /users 500", "POST /users 200"]
    );
}

#[tokio::test]
async fn the_same_write_twice_creates_once_and_an_address_alone_changes_nothing() {
    let world = users(3).await;
    let input = json!({ "email": "new@x.test", "name": "New" });

    written(&world, Intercom, input.clone(), "CREATED").await;
    written(&world, Intercom, input, "UPDATED").await;

    let alone = json!({ "email": "new@x.test" });
    written(&world, Intercom, alone, "MATCHED").await;
    assert_eq!(calls(&world, Intercom).await, ["GET /users 200"]);
}
