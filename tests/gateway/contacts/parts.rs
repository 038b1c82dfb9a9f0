//! A record holds ten ids of each of its lists. The whole lists take further calls, made only
//! when a query reads them.

use std::collections::BTreeSet;

use roster::account::Provider::Intercom;
use roster_sandbox::known::{AT_INTERCOM, NEVER_SEEN};
use serde_json::{Value, json};

use super::{World, calls, world};

async fn of(world: &World, email: &str, fields: &str) -> Value {
    let query = format!(
        "query ($email: String!) {{
            usersByEmail(email: $email, providers: [INTERCOM]) {{ nodes {{ {fields} }} }} }}"
    );
    let mut data = world.data_with(&query, json!({ "email": email })).await;
    data["usersByEmail"]["nodes"][0].take()
}

#[tokio::test]
async fn lists_longer_than_ten_are_read_whole_and_once_for_every_field() {
    let world = world(200).await;
    let fields = "tags companies { remoteId externalId name }
        details { ... on IntercomUser {
            tags { id name } segments { id name } companies { id companyId name } } }";

    let user = of(&world, AT_INTERCOM, fields).await;

    let (tags, companies) = (user["tags"].as_array(), user["companies"].as_array());
    assert_eq!(tags.map(Vec::len), Some(13));
    assert_eq!(companies.map(Vec::len), Some(130));
    let ids = companies.into_iter().flatten();
    let ids: BTreeSet<_> = ids.filter_map(|one| one["externalId"].as_str()).collect();
    assert_eq!(ids.len(), 130);
    let details = &user["details"];
    assert_eq!(details["segments"].as_array().map(Vec::len), Some(3));
    assert_eq!(details["tags"].as_array().map(Vec::len), Some(13));
    for (tag, name) in details["tags"]
        .as_array()
        .into_iter()
        .flatten()
        .zip(tags.into_iter().flatten())
    {
        assert_eq!(tag["name"], *name);
        assert!(tag["id"].is_string());
    }
    let typed = details["companies"].as_array().into_iter().flatten();
    for (typed, company) in typed.zip(companies.into_iter().flatten()) {
        assert_eq!(typed["id"], company["remoteId"]);
        assert_eq!(typed["companyId"], company["externalId"]);
        assert_eq!(typed["name"], company["name"]);
    }
    let mut calls = calls(&world).await;
    calls.sort();
    let expected = [
        "GET /contacts/ID/companies 200",
        "GET /contacts/ID/companies 200",
        "GET /contacts/ID/companies 200",
        "GET /contacts/ID/segments 200",
        "GET /contacts/ID/tags 200",
        "POST /contacts/search 200",
    ];
    assert_eq!(calls, expected);
}

#[tokio::test]
async fn lists_that_no_field_reads_make_no_call() {
    let world = world(200).await;
    let fields = "name raw tags @include(if: false) companies @skip(if: true) { name }
        details { ... on IntercomUser { role } ... on DigitalChalkUser { tags } } }
        nodes: nodes { id";

    of(&world, AT_INTERCOM, fields).await;

    assert_eq!(calls(&world).await, ["POST /contacts/search 200"]);
}

#[tokio::test]
async fn lists_that_are_empty_cost_no_call() {
    let world = world(200).await;
    let fields =
        "tags companies { name } details { ... on IntercomUser { tags { id } companies { id } } }";

    let user = of(&world, NEVER_SEEN, fields).await;

    let details = json!({ "tags": [], "companies": [] });
    assert_eq!(
        user,
        json!({ "tags": [], "companies": [], "details": details })
    );
    assert_eq!(calls(&world).await, ["POST /contacts/search 200"]);
}

#[tokio::test]
async fn a_list_that_fails_is_null_with_its_error_and_the_rest_is_there() {
    let world = world(200).await;
    let query = format!(
        "{{ usersByEmail(email: \"{AT_INTERCOM}\", providers: [INTERCOM]) {{ nodes {{
            name tags companies {{ name }}
            details {{ ... on IntercomUser {{ role segments {{ name }} }} }} }} }} }}"
    );
    let expected = world.data(&query).await["usersByEmail"]["nodes"][0].take();
    for part in ["tags", "segments"] {
        world.heal().await;
        let id = world.records(Intercom).await.into_iter();
        let mut id = id.filter(|record| record["email"] == AT_INTERCOM);
        let id = id.next().expect("a record")["id"].take();
        let path = format!("/contacts/{}/{part}", id.as_str().expect("an id"));
        world
            .fault(
                Intercom,
                json!({ "kind": "status", "status": 403, "path": path }),
            )
            .await;

        let mut answer = world.answer(&query).await;

        let errors = answer["errors"].as_array().expect("errors");
        let path = match part {
            "tags" => json!(["usersByEmail", "nodes", 0, "tags"]),
            _ => json!(["usersByEmail", "nodes", 0, "details", "segments"]),
        };
        assert_eq!(errors.len(), 1, "{answer}");
        assert_eq!(errors[0]["path"], path);
        assert_eq!(errors[0]["extensions"]["code"], "PROVIDER_AUTH");
        let user = &mut answer["data"]["usersByEmail"]["nodes"][0];
        let place = match part {
            "tags" => &mut user["tags"],
            _ => &mut user["details"]["segments"],
        };
        assert_eq!(*place, Value::Null);
        *place = match part {
            "tags" => expected["tags"].clone(),
            _ => expected["details"]["segments"].clone(),
        };
        assert_eq!(*user, expected);
    }
}
