//! Search knows of a write minutes later. Who was written here is read as they are all the same.

use roster::account::Provider::Intercom;
use roster_sandbox::known::AT_INTERCOM;
use serde_json::{Value, json};

use super::{World, at_intercom, calls, ids_at, intercom, made, world};

/// Long enough that search knows of nothing that a test does.
const HOUR: &str = "3600";

async fn upserted(world: &World, input: Value) -> Value {
    let query = "mutation ($input: UpsertUserInput!) { upsertUser(input: $input) {
        outcome user { remoteId email name } userErrors { message } } }";
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
        let id = payload["user"]["remoteId"].clone();

        assert_eq!(
            ids_at(&world, "fresh@X.test").await,
            std::slice::from_ref(&id)
        );
        let query = "query ($id: ID!) {
            byId: user(provider: INTERCOM, by: { remoteId: $id }) { name }
            other: user(provider: INTERCOM, by: { remoteId: \"nobody\" }) { name }
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

    let payload = upserted(&world, json!({ "remoteId": id, "email": "moved@x.test" })).await;
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
        it: user(provider: INTERCOM, by: { remoteId: $id }) { email }
        other: user(provider: INTERCOM, by: { remoteId: \"nobody\" }) { email } }";

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

    let after = json!({ "remoteId": id, "email": "raced@x.test", "name": "After" });
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

#[tokio::test]
async fn no_user_is_written_for_a_former_address_or_id() {
    for version in ["2.17", "2.12"] {
        let world = World::with(200, |settings| intercom(settings, version)).await;
        let [id] = <[Value; 1]>::try_from(ids_at(&world, AT_INTERCOM).await).expect("one record");
        world.behave(Intercom, "index_lag", HOUR).await;
        let query = "query ($id: ID!) { user(provider: INTERCOM, by: { remoteId: $id }) { email externalId name } }";
        let before = world.data_with(query, json!({ "id": id })).await["user"].take();
        let moved = json!({ "email": "moved@x.test", "external_id": "moved" });
        let path = format!("/contacts/{}", id.as_str().expect("an id"));
        at_intercom(&world, "PUT", &path, moved).await;

        for input in [
            json!({ "email": before["email"], "name": "Another" }),
            json!({ "externalId": before["externalId"], "name": "A third" }),
        ] {
            let payload = upserted(&world, input).await;
            assert_eq!(payload["outcome"], "CREATED", "{version}");
        }

        let data = world.data_with(query, json!({ "id": id })).await;
        let expected =
            json!({ "email": "moved@x.test", "externalId": "moved", "name": before["name"] });
        assert_eq!(data["user"], expected, "{version}");
    }
}

#[tokio::test]
async fn an_archived_contact_that_search_still_finds_is_said_to_be_archived() {
    let world = world(200).await;
    let [id] = <[Value; 1]>::try_from(ids_at(&world, AT_INTERCOM).await).expect("one record");
    world.behave(Intercom, "index_lag", HOUR).await;
    let path = format!("/contacts/{}/archive", id.as_str().expect("an id"));
    at_intercom(&world, "POST", &path, json!({})).await;
    let query = "mutation ($email: String!) {
        upsertUser(input: { provider: INTERCOM, email: $email, name: \"X\" }) {
            outcome userErrors { field message } } }";

    let data = world
        .data_with(query, json!({ "email": AT_INTERCOM }))
        .await;

    assert_eq!(data["upsertUser"]["outcome"], "SKIPPED");
    let error = &data["upsertUser"]["userErrors"][0];
    assert_eq!(error["field"], json!(["input", "email"]));
    assert!(
        error["message"]
            .as_str()
            .is_some_and(|says| says.contains("archived")),
        "{error}"
    );
}

#[tokio::test]
async fn a_lead_that_was_merged_into_its_user_is_that_user_once() {
    let world = world(20).await;
    let email = "converted@x.test";
    let lead = made(&world, json!({ "role": "lead", "email": email })).await;
    upserted(&world, json!({ "remoteId": lead, "name": "Lead" })).await;
    let user = made(
        &world,
        json!({ "role": "user", "email": email, "external_id": "conv" }),
    )
    .await;
    let merge = json!({ "from": lead, "into": user });
    at_intercom(&world, "POST", "/contacts/merge", merge).await;

    let payload = upserted(&world, json!({ "email": email, "name": "After" })).await;

    assert_eq!(payload["outcome"], "UPDATED");
    assert_eq!(payload["user"]["remoteId"], user);
    assert_eq!(ids_at(&world, email).await, [json!(user)]);
}

#[tokio::test]
async fn an_unsettled_user_leaves_the_others_certain() {
    let world = world(200).await;
    world.behave(Intercom, "index_lag", HOUR).await;
    let payload = upserted(&world, json!({ "email": "fresh@x.test" })).await;
    let id = payload["user"]["remoteId"].as_str().expect("an id");
    let fault = json!({ "kind": "status", "status": 403, "path": format!("/contacts/{id}") });
    world.fault(Intercom, fault).await;

    let data = world
        .data(&format!(
            "{{ fresh: usersByEmail(email: \"fresh@x.test\", providers: [INTERCOM]) {{ sources {{ status }} }}
                nobody: usersByEmail(email: \"nobody@x.test\", providers: [INTERCOM]) {{ sources {{ status }} }}
                known: usersByEmail(email: \"{AT_INTERCOM}\", providers: [INTERCOM]) {{ totalCount sources {{ status }} }} }}"
        ))
        .await;

    let complete = json!([{ "status": "COMPLETE" }]);
    assert_eq!(data["fresh"]["sources"], json!([{ "status": "FAILED" }]));
    assert_eq!(data["nobody"]["sources"], complete);
    assert_eq!(
        data["known"],
        json!({ "totalCount": 1, "sources": complete })
    );
}

#[tokio::test]
async fn once_search_knows_what_was_written_it_is_believed() {
    let world = world(20).await;
    for at in 0..5 {
        let input = json!({ "email": format!("written{at}@x.test"), "name": "Written" });
        upserted(&world, input).await;
    }
    world.forget_calls().await;
    let fields = (0..5).map(|at| {
        format!("a{at}: usersByEmail(email: \"written{at}@x.test\", providers: [INTERCOM]) {{ nodes {{ name }} }}")
    });
    let query = format!("{{ {} }}", fields.collect::<Vec<_>>().join(" "));

    let data = world.data(&query).await;

    assert_eq!(data["a4"]["nodes"], json!([{ "name": "Written" }]));
    assert_eq!(calls(&world).await, ["POST /contacts/search 200"]);
}
