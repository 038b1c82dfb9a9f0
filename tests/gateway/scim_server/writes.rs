//! Creating and changing users of the server.

use serde_json::{Value, json};

use super::{ScimServer, external_id, work, world};
use crate::world::World;

/// How many users the server holds at the start.
const USERS: usize = 12;

const UPSERT: &str = "mutation ($input: UpsertUserInput!) { upsertUser(input: $input) { outcome
    user { remoteId externalId email username firstName lastName phone }
    userErrors { field message code } } }";

/// Writes, and returns the user; it must be written without objection.
async fn written(world: &World, mut input: Value, outcome: &str) -> Value {
    input["provider"] = "SCIM".into();
    let mut data = world.data_with(UPSERT, json!({ "input": input })).await;
    let mut payload = data["upsertUser"].take();
    assert_eq!(payload["userErrors"], json!([]), "{payload}");
    assert_eq!(payload["outcome"], outcome, "{payload}");
    payload["user"].take()
}

/// The user as the server has it.
async fn stored(server: &ScimServer, user: &Value) -> Value {
    let id = user["remoteId"].as_str().expect("an id");
    server.read(&format!("Users/{id}")).await
}

#[tokio::test]
async fn a_user_is_created_once_and_then_changed_or_matched() {
    let Some((world, server)) = world(USERS, 100).await else {
        return;
    };
    let input = json!({
        "externalId": "new-1", "email": "new@x.test", "firstName": "New", "lastName": "One",
    });
    let user = written(&world, input.clone(), "CREATED").await;
    let record = stored(&server, &user).await;

    assert_eq!(record["externalId"], "new-1");
    assert_eq!(record["name"]["givenName"], "New");
    assert_eq!(record["name"]["familyName"], "One");
    assert_eq!(record["emails"][0]["value"], "new@x.test");
    assert_eq!(user["email"], "new@x.test");
    let again = written(&world, input, "UPDATED").await;
    assert_eq!(again, user);
    let found = json!({ "externalId": "new-1" });
    assert_eq!(written(&world, found, "MATCHED").await, user);
    assert_eq!(server.users().await.len(), USERS + 1);
}

#[tokio::test]
async fn a_change_keeps_what_it_does_not_name_and_sends_the_version() {
    let Some((world, server)) = world(USERS, 100).await else {
        return;
    };
    let before = server.users().await;
    let number = 9;
    let mut before = before.iter();
    let before = before.find(|user| user["externalId"] == external_id(number));
    let before = before.expect("a user");
    server.take_calls();
    let input =
        json!({ "externalId": external_id(number), "firstName": "Changed", "phone": "+1 555" });
    let user = written(&world, input, "UPDATED").await;
    let calls = server.take_calls();
    let after = stored(&server, &user).await;

    let mut expected = before.clone();
    expected["name"]["givenName"] = "Changed".into();
    for field in ["userName", "externalId", "active", "emails", "name", "id"] {
        assert_eq!(after[field], expected[field], "{field}");
    }
    assert_eq!(after["phoneNumbers"][0]["value"], "+1 555");
    assert_eq!(user["email"], work(number));
    let change = calls.iter().find(|call| call.request.starts_with("PATCH "));
    let version = change.and_then(|call| call.headers.get("if-match"));
    let version = version.and_then(|version| version.to_str().ok());
    assert_eq!(version, before["meta"]["version"].as_str(), "{calls:?}");
}

#[tokio::test]
async fn a_user_is_changed_by_an_address_and_by_id() {
    let Some((world, server)) = world(USERS, 100).await else {
        return;
    };
    let user = written(
        &world,
        json!({ "email": work(1), "lastName": "A" }),
        "UPDATED",
    )
    .await;
    assert_eq!(user["externalId"], external_id(1));
    let by_id = json!({ "remoteId": user["remoteId"], "lastName": "B" });
    let user = written(&world, by_id, "UPDATED").await;
    assert_eq!(stored(&server, &user).await["name"]["familyName"], "B");
}

#[tokio::test]
async fn a_field_is_cleared() {
    let Some((world, server)) = world(USERS, 100).await else {
        return;
    };
    let input = json!({ "externalId": external_id(2), "lastName": null });
    let user = written(&world, input, "UPDATED").await;
    let record = stored(&server, &user).await;
    assert_eq!(record["name"].get("familyName"), None, "{record}");
    assert_eq!(record["name"]["givenName"], "Given2");
}
