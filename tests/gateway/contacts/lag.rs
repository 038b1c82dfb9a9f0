//! Search knows of a write minutes later. Who was written here is read as they are all the same.

use roster::user::Provider::Intercom;
use roster_sandbox::known::AT_INTERCOM;
use serde_json::{Value, json};

use super::{World, calls, ids_at, intercom, made, world};

/// Long enough that search knows of nothing that a test does.
const HOUR: &str = "3600";

async fn upserted(world: &World, input: Value) -> Value {
    let query = "mutation ($input: UpsertUserInput!) { upsertUser(input: $input) {
        outcome user { vendorId email name } userErrors { message } } }";
    let mut input = input;
    input["provider"] = "INTERCOM".into();
    let mut data = world.data_with(query, json!({ "input": input })).await;
    assert_eq!(data["upsertUser"]["userErrors"], json!([]));
    data["upsertUser"].take()
}

#[tokio::test]
async fn a_contact_created_here_is_found_at_once_by_every_key() {
    for version in ["2.17", "2.12"] {
        let world = World::with(20, |settings| intercom(settings, version)).await;
        world.behave(Intercom, "index_lag", HOUR).await;
        let input = json!({ "externalId": "fresh", "email": "Fresh@x.test", "name": "Fresh" });
        let payload = upserted(&world, input).await;
        assert_eq!(payload["outcome"], "CREATED");
        let id = payload["user"]["vendorId"].clone();

        assert_eq!(
            ids_at(&world, "fresh@X.test").await,
            std::slice::from_ref(&id)
        );
        let query = "query ($id: ID!) {
            byId: user(provider: INTERCOM, by: { vendorId: $id }) { name }
            other: user(provider: INTERCOM, by: { vendorId: \"nobody\" }) { name }
            byExternalId: user(provider: INTERCOM, by: { externalId: \"fresh\" }) { name }
            nobody: user(provider: INTERCOM, by: { externalId: \"nobody\" }) { name } }";
        let data = world.data_with(query, json!({ "id": id })).await;
        let fresh = json!({ "name": "Fresh" });
        let expected =
            json!({ "byId": fresh, "other": null, "byExternalId": fresh, "nobody": null });
        assert_eq!(data, expected, "{version}");
    }
}

#[tokio::test]
async fn a_contact_changed_here_is_not_found_by_what_it_was() {
    let world = world(200).await;
    let [id] = <[Value; 1]>::try_from(ids_at(&world, AT_INTERCOM).await).expect("one record");
    world.behave(Intercom, "index_lag", HOUR).await;

    let payload = upserted(&world, json!({ "vendorId": id, "email": "moved@x.test" })).await;
    assert_eq!(payload["outcome"], "UPDATED");

    assert_eq!(ids_at(&world, "moved@x.test").await, [id]);
    assert_eq!(ids_at(&world, AT_INTERCOM).await, [Value::Null; 0]);
}

#[tokio::test]
async fn a_contact_made_elsewhere_is_found_by_id_before_search_knows_it() {
    let world = world(20).await;
    world.behave(Intercom, "index_lag", HOUR).await;
    let id = made(&world, json!({ "email": "elsewhere@x.test" })).await;
    let query = "query ($id: ID!) {
        it: user(provider: INTERCOM, by: { vendorId: $id }) { email }
        other: user(provider: INTERCOM, by: { vendorId: \"nobody\" }) { email } }";

    let data = world.data_with(query, json!({ "id": id })).await;

    assert_eq!(data["it"], json!({ "email": "elsewhere@x.test" }));
    let mut calls = calls(&world).await;
    calls.sort();
    let expected = [
        "GET /contacts/ID 200",
        "GET /contacts/nobody 404",
        "POST /contacts/search 200",
    ];
    assert_eq!(calls, expected);
}

#[tokio::test]
async fn an_address_that_search_does_not_know_yet_is_met_as_a_conflict_and_updated() {
    let world = world(20).await;
    world.behave(Intercom, "index_lag", HOUR).await;
    let id = made(&world, json!({ "email": "raced@x.test", "name": "Before" })).await;

    let input = json!({ "email": "raced@x.test", "name": "After" });
    let payload = upserted(&world, input).await;

    let after = json!({ "vendorId": id, "email": "raced@x.test", "name": "After" });
    assert_eq!(
        payload,
        json!({ "outcome": "UPDATED", "user": after, "userErrors": [] })
    );
    let expected = [
        "POST /contacts/search 200",
        "POST /contacts 409",
        "GET /contacts/ID 200",
        "PUT /contacts/ID 200",
    ];
    assert_eq!(calls(&world).await, expected);

    let payload = upserted(&world, json!({ "email": "raced@x.test" })).await;
    assert_eq!(payload["outcome"], "MATCHED");
}
