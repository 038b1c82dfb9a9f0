//! Usertour finds or creates by external id, which is the id; what it did is told by looking first.

use roster::account::Provider::Usertour;
use roster_sandbox::known::{AT_USERTOUR, EVERYWHERE, NOBODY};
use serde_json::{Value, json};

use super::{calls, record, skipped, text, upsert, written};
use crate::world::{World, account};

#[tokio::test]
async fn an_unknown_external_id_is_created() {
    let world = World::with(3, |_| {}).await;
    let input = json!({ "externalId": "new", "email": "new@x.test", "name": "New", "attributes": { "seats": 3 } });

    let user = written(&world, Usertour, input, "CREATED").await;

    assert_eq!(
        (text(&user["remoteId"]), text(&user["externalId"])),
        ("new", "new")
    );
    assert_eq!(
        (text(&user["email"]), text(&user["name"])),
        ("new@x.test", "New")
    );
    assert_eq!(user["attributes"]["seats"], 3);
    assert_eq!(
        calls(&world, Usertour).await,
        ["GET /v1/users/new 404", "POST /v1/users 201"]
    );
}

#[tokio::test]
async fn a_known_external_id_is_updated_and_null_clears() {
    let world = World::with(200, |_| {}).await;
    let input = json!({ "externalId": "crm-ann", "name": null, "attributes": { "plan": null, "seats": 18 } });

    let user = written(&world, Usertour, input, "UPDATED").await;

    assert_eq!(user["name"], Value::Null);
    assert_eq!(user["email"], EVERYWHERE);
    assert_eq!(user["attributes"].get("plan"), None);
    assert_eq!(user["attributes"]["seats"], 18);
    assert_eq!(
        calls(&world, Usertour).await,
        ["GET /v1/users/crm-ann 200", "POST /v1/users 201"]
    );
}

#[tokio::test]
async fn a_known_external_id_alone_is_matched_and_nothing_is_written() {
    let world = World::with(200, |_| {}).await;

    let user = written(
        &world,
        Usertour,
        json!({ "externalId": "crm-ann" }),
        "MATCHED",
    )
    .await;

    assert_eq!(user["email"], EVERYWHERE);
    assert_eq!(calls(&world, Usertour).await, ["GET /v1/users/crm-ann 200"]);
}

#[tokio::test]
async fn an_address_finds_the_user_to_update() {
    let world = World::with(200, |_| {}).await;
    let id = record(&world, Usertour, AT_USERTOUR).await["id"].take();
    let input = json!({ "email": AT_USERTOUR, "name": "Renamed" });

    let user = written(&world, Usertour, input, "UPDATED").await;

    assert_eq!((&user["remoteId"], text(&user["name"])), (&id, "Renamed"));
    assert_eq!(
        calls(&world, Usertour).await,
        ["GET /v1/users 200", "POST /v1/users 201"]
    );
}

#[tokio::test]
async fn an_unknown_address_cannot_be_created_without_an_external_id() {
    let world = World::with(200, |_| {}).await;

    let errors = skipped(&world, Usertour, json!({ "email": NOBODY, "name": "New" })).await;

    assert_eq!(errors[0]["code"], "BAD_USER_INPUT");
    assert!(
        text(&errors[0]["message"]).contains("externalId"),
        "{errors}"
    );
}

#[tokio::test]
async fn racing_creates_are_repeated() {
    let world = World::with(3, |_| {}).await;
    world.behave(Usertour, "race", "500").await;

    let user = written(
        &world,
        Usertour,
        json!({ "externalId": "new", "name": "New" }),
        "CREATED",
    )
    .await;

    assert_eq!(user["name"], "New");
    assert_eq!(
        calls(&world, Usertour).await,
        [
            "GET /v1/users/new 404",
            "POST /v1/users 500",
            "POST /v1/users 201"
        ]
    );
}

#[tokio::test]
async fn attributes_that_the_provider_drops_are_reported() {
    let world = World::with(200, |_| {}).await;
    let attributes = json!({ "seats": "many", "plan": "silver", "beta": 7 });

    let payload = upsert(
        &world,
        Usertour,
        json!({ "externalId": "crm-ann", "attributes": attributes }),
    )
    .await;

    assert_eq!(payload["outcome"], "UPDATED");
    assert_eq!(payload["user"]["attributes"]["plan"], "silver");
    assert_eq!(payload["user"]["attributes"]["seats"], 17);
    let errors = payload["userErrors"].as_array().expect("errors");
    let says: Vec<_> = errors
        .iter()
        .map(|error| (error["field"].clone(), text(&error["message"])))
        .collect();
    let field = json!(["input", "attributes"]);
    assert_eq!(says.len(), 2, "{payload}");
    assert!(says.iter().all(|(at, _)| *at == field), "{payload}");
    assert!(
        says[0].1.contains("`seats`") && says[1].1.contains("`beta`"),
        "{payload}"
    );
}

#[tokio::test]
async fn a_company_is_joined_and_cannot_be_left() {
    let world = World::with(3, |_| {}).await;
    let join = json!([{ "externalId": "c-9", "name": "Nine" }]);
    written(
        &world,
        Usertour,
        json!({ "externalId": "new", "companies": join }),
        "CREATED",
    )
    .await;
    let query =
        "{ user(provider: USERTOUR, by: { remoteId: \"new\" }) { companies { externalId name } } }";
    let companies = world.data(query).await["user"]["companies"].take();
    assert_eq!(companies, json!([{ "externalId": "c-9", "name": "Nine" }]));

    let leave = json!([{ "externalId": "c-9", "leave": true }]);
    let errors = skipped(
        &world,
        Usertour,
        json!({ "externalId": "new", "companies": leave }),
    )
    .await;

    assert_eq!(errors[0]["field"], json!(["input", "companies"]));
}

#[tokio::test]
async fn an_id_cannot_be_changed() {
    let world = World::with(200, |_| {}).await;

    let errors = skipped(
        &world,
        Usertour,
        json!({ "remoteId": "crm-ann", "externalId": "other" }),
    )
    .await;

    assert_eq!(errors[0]["field"], json!(["input", "externalId"]));
}

#[tokio::test]
async fn a_write_that_may_have_arrived_before_it_was_refused_is_not_said_to_be_skipped() {
    let world = World::with(3, |settings| {
        account(settings, Usertour).timeout_seconds = Some(0.3);
    })
    .await;
    let lost = json!({ "kind": "drip", "milliseconds": 30_000, "count": 1, "method": "POST" });
    world.fault(Usertour, lost).await;
    let refused = json!({ "kind": "rate_limit", "retry_after": 60, "method": "POST" });
    world.fault(Usertour, refused).await;

    let payload = upsert(
        &world,
        Usertour,
        json!({ "externalId": "new", "name": "New" }),
    )
    .await;

    // It cannot be looked for while the provider refuses all calls.
    assert_eq!(payload["outcome"], Value::Null, "{payload}");
    assert_eq!(payload["userErrors"][0]["code"], "PROVIDER_RATE_LIMITED");
    assert_eq!(payload["userErrors"][1]["code"], "OUTCOME_UNKNOWN");
    assert!(
        world
            .records(Usertour)
            .await
            .iter()
            .any(|record| record["id"] == "new")
    );
}
