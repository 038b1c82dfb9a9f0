//! Creating a contact is no upsert at Intercom; here it is one, and never of somebody else.

use roster::account::Provider::Intercom;
use roster_sandbox::known::{AT_INTERCOM, LEAD_ALONE};
use serde_json::{Value, json};

use super::{World, at_intercom, calls, ids_at, made, world};

const UPSERT: &str = "mutation ($input: UpsertUserInput!) { upsertUser(input: $input) {
    outcome user { remoteId externalId email name kind avatarUrl attributes companies { externalId name }
        details { ... on IntercomUser { phone signedUpAt unsubscribedFromEmails } } }
    userErrors { field message code } } }";

async fn upsert(world: &World, mut input: Value) -> Value {
    input["provider"] = "INTERCOM".into();
    world.forget_calls().await;
    let mut data = world.data_with(UPSERT, json!({ "input": input })).await;
    data["upsertUser"].take()
}

async fn written(world: &World, input: Value, outcome: &str) -> Value {
    let mut payload = upsert(world, input).await;
    assert_eq!(payload["userErrors"], json!([]), "{payload}");
    assert_eq!(payload["outcome"], outcome, "{payload}");
    payload["user"].take()
}

/// The errors of a write that must write nothing.
async fn refused(world: &World, input: Value) -> Value {
    let mut payload = upsert(world, input).await;
    assert_eq!(payload["outcome"], "SKIPPED", "{payload}");
    assert_eq!(payload["user"], Value::Null, "{payload}");
    payload["userErrors"].take()
}

#[tokio::test]
async fn every_field_is_written_and_read_back() {
    let world = world(200).await;
    let input = json!({
        "externalId": "new", "email": "new@x.test", "name": "New", "phone": "+4512345678",
        "avatarUrl": "https://cdn.test/new.png", "signedUpAt": "2024-05-06T07:08:09Z",
        "unsubscribedFromEmails": true, "attributes": { "plan": "gold" },
    });

    let user = written(&world, input, "CREATED").await;

    let details = json!({
        "phone": "+4512345678", "signedUpAt": "2024-05-06T07:08:09Z", "unsubscribedFromEmails": true,
    });
    let expected = json!({
        "remoteId": user["remoteId"], "externalId": "new", "email": "new@x.test", "name": "New",
        "kind": "USER", "avatarUrl": "https://cdn.test/new.png", "attributes": { "plan": "gold" },
        "companies": [], "details": details,
    });
    assert_eq!(user, expected);
    assert_eq!(
        calls(&world).await,
        [
            "GET /contacts/find_by_external_id/new 404",
            "POST /contacts 200"
        ]
    );
}

#[tokio::test]
async fn a_known_contact_is_changed_in_what_is_named_and_matched_when_nothing_is() {
    let world = world(200).await;
    let before = written(&world, json!({ "email": AT_INTERCOM }), "MATCHED").await;
    assert_eq!(calls(&world).await[0], "POST /contacts/search 200");

    let user = written(
        &world,
        json!({ "email": AT_INTERCOM, "name": null }),
        "UPDATED",
    )
    .await;

    let mut expected = before;
    expected["name"] = Value::Null;
    assert_eq!(user, expected);
    let written = calls(&world).await;
    let expected = [
        "POST /contacts/search 200",
        "GET /contacts/ID 200",
        "PUT /contacts/ID 200",
    ];
    assert_eq!(written[..3], expected);
}

#[tokio::test]
async fn an_address_of_another_contact_changes_no_contact() {
    let world = world(200).await;
    let id = ids_at(&world, AT_INTERCOM).await[0].clone();

    let errors = refused(
        &world,
        json!({ "externalId": "new", "email": AT_INTERCOM, "name": "X" }),
    )
    .await;

    let message = errors[0]["message"].as_str().expect("a message");
    assert!(message.contains(id.as_str().expect("an id")), "{message}");
    assert_eq!(errors[0]["code"], "PROVIDER_REJECTED");
    let calls = calls(&world).await;
    assert_eq!(calls[1..], ["POST /contacts 409", "GET /contacts/ID 200"]);
}

#[tokio::test]
async fn an_archived_contact_is_said_and_not_written() {
    let world = world(20).await;
    let id = made(&world, json!({ "email": "gone@x.test" })).await;
    at_intercom(
        &world,
        "POST",
        &format!("/contacts/{id}/archive"),
        json!({}),
    )
    .await;

    let errors = refused(&world, json!({ "email": "gone@x.test", "name": "X" })).await;

    let message = errors[0]["message"].as_str().expect("a message");
    assert!(
        message.contains("archived") && message.contains(&id),
        "{message}"
    );
    assert_eq!(errors.as_array().map(Vec::len), Some(1));
    assert_eq!(
        calls(&world).await,
        ["POST /contacts/search 200", "POST /contacts 409"]
    );
}

#[tokio::test]
async fn a_lead_is_changed_where_no_user_has_the_address_and_stays_one() {
    let world = world(200).await;

    let lead = written(
        &world,
        json!({ "email": LEAD_ALONE, "name": "Led" }),
        "UPDATED",
    )
    .await;
    assert_eq!(
        (&lead["kind"], &lead["name"]),
        (&json!("LEAD"), &json!("Led"))
    );

    made(&world, json!({ "email": "both@x.test", "role": "lead" })).await;
    let id = made(
        &world,
        json!({ "email": "both@x.test", "external_id": "both" }),
    )
    .await;
    let user = written(
        &world,
        json!({ "email": "both@x.test", "name": "User" }),
        "UPDATED",
    )
    .await;
    assert_eq!(
        (&user["kind"], &user["remoteId"]),
        (&json!("USER"), &json!(id))
    );
}

#[tokio::test]
async fn companies_are_joined_made_and_left_and_the_answer_shows_it() {
    let world = world(200).await;
    let join = json!([{ "externalId": "c-1" }, { "externalId": "c-new", "name": "Newly Ltd" }]);
    let input = json!({ "email": "joiner@x.test", "companies": join });

    let user = written(&world, input, "CREATED").await;
    let companies = user["companies"].as_array().expect("companies");
    assert_eq!(companies.len(), 2, "{companies:?}");
    assert!(companies.contains(&json!({ "externalId": "c-new", "name": "Newly Ltd" })));

    let leave = json!([{ "externalId": "c-1", "leave": true }, { "externalId": "c-unknown", "leave": true }]);
    let user = written(
        &world,
        json!({ "email": "joiner@x.test", "companies": leave }),
        "UPDATED",
    )
    .await;
    assert_eq!(
        user["companies"],
        json!([{ "externalId": "c-new", "name": "Newly Ltd" }])
    );
}

#[tokio::test]
async fn a_company_that_cannot_be_joined_is_an_error_beside_the_written_contact() {
    let world = world(20).await;
    let fault = json!({ "kind": "status", "status": 403, "path": "/companies", "method": "POST" });
    world.fault(Intercom, fault).await;

    let payload = upsert(
        &world,
        json!({ "email": "new@x.test", "companies": [{ "externalId": "c-1" }] }),
    )
    .await;

    assert_eq!(payload["outcome"], "CREATED");
    assert_eq!(payload["user"]["email"], "new@x.test");
    let errors = payload["userErrors"].as_array().expect("errors");
    assert_eq!(errors.len(), 1, "{payload}");
    let message = errors[0]["message"].as_str().expect("a message");
    assert!(message.contains("c-1"), "{message}");
}

#[tokio::test]
async fn intercoms_refusals_are_reported_by_field_and_nested_attributes_make_no_call() {
    let world = world(20).await;

    let errors = refused(
        &world,
        json!({ "email": "a@x.test", "attributes": { "never seen": 1 } }),
    )
    .await;
    assert_eq!(errors[0]["code"], "PROVIDER_REJECTED");

    let errors = refused(
        &world,
        json!({ "email": "a@x.test", "attributes": { "list": [1] } }),
    )
    .await;
    assert_eq!(errors[0]["field"], json!(["input", "attributes"]));
    let sent = calls(&world).await;
    assert!(sent.iter().all(|call| call.contains("/search")), "{sent:?}");
}

#[tokio::test]
async fn a_create_without_an_answer_is_sent_once_and_its_outcome_is_unknown() {
    let world = world(20).await;
    let fault = json!({ "kind": "reset", "path": "/contacts", "method": "POST", "count": 1 });
    let search =
        json!({ "kind": "latency", "milliseconds": 1, "path": "/contacts/search", "count": 1 });
    world.fault(Intercom, search).await;
    world.fault(Intercom, fault).await;

    let payload = upsert(&world, json!({ "email": "unsure@x.test", "name": "X" })).await;

    assert_eq!(payload["outcome"], Value::Null, "{payload}");
    assert_eq!(payload["userErrors"][0]["code"], "PROVIDER_UNAVAILABLE");
    let creates = calls(&world).await;
    let creates = creates
        .iter()
        .filter(|call| call.starts_with("POST /contacts "));
    assert_eq!(creates.count(), 1);
}

#[tokio::test]
async fn a_user_found_by_an_address_keeps_its_spelling() {
    let world = world(200).await;

    let input = json!({ "email": AT_INTERCOM.to_uppercase(), "name": "Renamed" });
    let user = written(&world, input, "UPDATED").await;

    assert_eq!(
        (&user["email"], &user["name"]),
        (&json!(AT_INTERCOM), &json!("Renamed"))
    );
}

#[tokio::test]
async fn a_lead_is_given_no_external_id() {
    let world = world(20).await;
    let id = made(&world, json!({ "role": "lead", "email": "lead@new.test" })).await;

    let errors = refused(&world, json!({ "remoteId": id, "externalId": "given" })).await;

    assert_eq!(errors[0]["field"], json!(["input", "externalId"]));
    assert_eq!(errors[0]["code"], "BAD_USER_INPUT");
}

#[tokio::test]
async fn a_value_of_another_contact_is_refused_by_its_field() {
    let world = world(200).await;
    let id = made(&world, json!({ "email": "second@x.test" })).await;

    let errors = refused_write(&world, json!({ "remoteId": id, "email": AT_INTERCOM })).await;

    assert_eq!(errors[0]["field"], json!(["input", "email"]));
    assert_eq!(errors[0]["code"], "PROVIDER_REJECTED");
}

/// The errors of a write that the provider refused.
async fn refused_write(world: &World, input: Value) -> Value {
    let mut payload = upsert(world, input).await;
    assert_eq!(payload["outcome"], "SKIPPED", "{payload}");
    payload["userErrors"].take()
}
