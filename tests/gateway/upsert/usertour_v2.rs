//! Writes at Usertour's version 2: `PUT` makes or changes, takes attributes, and refuses wrong types.

use roster::account::Provider::Usertour;
use roster_sandbox::known;
use serde_json::{Value, json};

use super::{calls, skipped, text, upsert, written};
use crate::world::{World, usertour_v2};

async fn world() -> World {
    World::with(200, usertour_v2).await
}

/// A call for one user.
fn call(method: &str, id: &str, status: u16) -> String {
    let (project, environment) = (known::USERTOUR_PROJECT, known::USERTOUR_ENVIRONMENT);
    format!("{method} /v2/projects/{project}/environments/{environment}/users/{id} {status}")
}

#[tokio::test]
async fn an_unknown_external_id_is_created() {
    let world = world().await;
    let input = json!({ "externalId": "new", "email": "new@x.test", "name": "New", "attributes": { "seats": 3 } });

    let user = written(&world, Usertour, input, "CREATED").await;

    assert_eq!(text(&user["remoteId"]), "new");
    assert_eq!(text(&user["externalId"]), "new");
    assert_eq!(
        (text(&user["email"]), text(&user["name"])),
        ("new@x.test", "New")
    );
    assert_eq!(user["attributes"]["seats"], 3);
    let expected = [call("GET", "new", 404), call("PUT", "new", 200)];
    assert_eq!(calls(&world, Usertour).await, expected);
}

#[tokio::test]
async fn a_known_external_id_is_updated_and_null_clears() {
    let world = world().await;
    let input = json!({ "externalId": "crm-ann", "name": null, "attributes": { "plan": null, "seats": 18 } });

    let user = written(&world, Usertour, input, "UPDATED").await;

    assert_eq!(user["name"], Value::Null);
    assert_eq!(user["email"], known::EVERYWHERE);
    assert_eq!(user["attributes"].get("plan"), None);
    assert_eq!(user["attributes"]["seats"], 18);
    let expected = [call("GET", "crm-ann", 200), call("PUT", "crm-ann", 200)];
    assert_eq!(calls(&world, Usertour).await, expected);
}

#[tokio::test]
async fn an_attribute_of_a_wrong_type_is_refused_and_nothing_is_written() {
    let world = world().await;
    let attributes = json!({ "seats": "many", "plan": "silver" });
    let input = json!({ "externalId": "crm-ann", "attributes": attributes });

    let payload = upsert(&world, Usertour, input).await;

    assert_eq!(payload["outcome"], "SKIPPED", "{payload}");
    let error = &payload["userErrors"][0];
    assert_eq!(error["code"], "PROVIDER_REJECTED");
    assert!(text(&error["message"]).contains("seats"), "{payload}");
    let find = "{ user(provider: USERTOUR, by: { remoteId: \"crm-ann\" }) { attributes } }";
    assert_eq!(world.data(find).await["user"]["attributes"]["plan"], "gold");
}

#[tokio::test]
async fn a_company_cannot_be_joined() {
    let world = world().await;
    let input = json!({ "externalId": "new", "companies": [{ "externalId": "c-9" }] });

    let errors = skipped(&world, Usertour, input).await;

    assert_eq!(errors[0]["field"], json!(["input", "companies"]));
}

#[tokio::test]
async fn an_id_cannot_be_changed() {
    let world = world().await;
    let input = json!({ "remoteId": "crm-ann", "externalId": "other" });

    let errors = skipped(&world, Usertour, input).await;

    assert_eq!(errors[0]["field"], json!(["input", "externalId"]));
}
