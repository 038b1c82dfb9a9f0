//! A write that was done, though not all of it, or though it cannot be shown: the outcome says what
//! became of the record, and `userErrors` what did not.

use roster::account::Provider::{DigitalChalk, Intercom};
use roster_sandbox::known::{AT_DIGITAL_CHALK, LEAD_ALONE};
use serde_json::{Value, json};

use super::{calls, record, skipped, text, upsert};
use crate::world::{World, intercom};

const USERS: &str = "/dc/api/v5/users";

#[tokio::test]
async fn a_user_that_cannot_be_read_back_is_still_created() {
    for fault in [
        json!({ "kind": "status", "status": 500 }),
        json!({ "kind": "rate_limit", "retry_after": 60 }),
    ] {
        let world = World::with(3, |_| {}).await;
        let mut fault = fault;
        fault["path"] = format!("{USERS}/").into();
        world.fault(DigitalChalk, fault).await;

        let payload = upsert(&world, DigitalChalk, json!({ "email": "new@x.test" })).await;

        assert_eq!(
            (&payload["outcome"], &payload["user"]),
            (&json!("CREATED"), &Value::Null),
            "{payload}"
        );
        let message = text(&payload["userErrors"][0]["message"]);
        assert!(
            message.starts_with("the user was written, but it could not be read afterwards: "),
            "{message}"
        );
        let posts = calls(&world, DigitalChalk).await;
        assert_eq!(
            posts.iter().filter(|call| call.starts_with("POST")).count(),
            1
        );
    }
}

#[tokio::test]
async fn a_user_without_a_place_was_created_all_the_same() {
    let world = World::with(3, |_| {}).await;
    world.behave(DigitalChalk, "location", "none").await;

    let payload = upsert(&world, DigitalChalk, json!({ "email": "new@x.test" })).await;

    assert_eq!(
        (&payload["outcome"], &payload["user"]),
        (&json!("CREATED"), &Value::Null),
        "{payload}"
    );
    assert_eq!(payload["userErrors"][0]["code"], "PROVIDER_BAD_RESPONSE");
}

#[tokio::test]
async fn custom_fields_are_written_after_their_user_and_read_apart() {
    let world = World::with(200, |_| {}).await;
    let url = format!("http://{}/digitalchalk/dc/api/v5/userfields", world.sandbox);
    let request = world.client.get(url).bearer_auth(roster_sandbox::TOKEN);
    let fields: Value = request
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    let field = text(&fields["results"][0]["id"]).to_owned();
    let id = record(&world, DigitalChalk, AT_DIGITAL_CHALK).await["id"].take();
    let input = json!({ "remoteId": id, "attributes": { field.as_str(): "+46 8 123" } });

    let payload = upsert(&world, DigitalChalk, input).await;

    assert_eq!(
        (&payload["outcome"], &payload["userErrors"]),
        (&json!("UPDATED"), &json!([])),
        "{payload}"
    );
    let path = format!("{USERS}/{}", text(&id));
    assert_eq!(
        calls(&world, DigitalChalk).await,
        [
            format!("GET {path} 200"),
            format!("PUT {path} 204"),
            format!("PUT {path}/userfieldvalues 204"),
            format!("GET {path} 200"),
        ]
    );
    let query =
        "query($id: ID!) { user(provider: DIGITAL_CHALK, by: { remoteId: $id }) { attributes } }";
    let data = world.data_with(query, json!({ "id": id })).await;
    assert_eq!(data["user"]["attributes"][field.as_str()], "+46 8 123");
}

#[tokio::test]
async fn custom_fields_that_are_refused_do_not_undo_their_user() {
    let world = World::with(3, |_| {}).await;
    let input = json!({ "email": "new@x.test", "attributes": { "nope": 1 } });

    let payload = upsert(&world, DigitalChalk, input).await;

    assert_eq!(payload["outcome"], "CREATED", "{payload}");
    assert_eq!(payload["user"]["email"], "new@x.test");
    assert_eq!(
        payload["userErrors"],
        json!([{
            "field": ["input", "attributes"],
            "message": "the user was written, but its custom fields were not: unknown user field nope",
            "code": "PROVIDER_REJECTED",
            "retryAfter": null,
        }])
    );
}

#[tokio::test]
async fn a_lead_of_intercom_1_x_differs_from_an_unknown_user() {
    let world = World::with(200, |settings| intercom(settings, "1.1")).await;
    let query = format!(
        "{{ usersByEmail(email: \"{LEAD_ALONE}\", providers: [INTERCOM]) {{ nodes {{ remoteId }} }} }}"
    );
    let id = world.data(&query).await["usersByEmail"]["nodes"][0]["remoteId"].take();

    let errors = skipped(&world, Intercom, json!({ "remoteId": id, "name": "L" })).await;

    assert_eq!(
        errors[0]["message"],
        "this is a lead, which cannot be changed here: only users can"
    );
}

#[tokio::test]
async fn a_mistake_in_the_input_names_its_field() {
    let world = World::with(0, |_| {}).await;
    for (field, value) in [
        ("externalId", json!("")),
        ("email", json!("nobody")),
        ("attributes", json!([1])),
    ] {
        let errors = skipped(&world, Intercom, json!({ field: value })).await;

        assert_eq!(errors[0]["field"], json!(["input", field]));
        assert_eq!(errors[0]["code"], "BAD_USER_INPUT");
    }
}
