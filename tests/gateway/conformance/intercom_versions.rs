//! Intercom answers in the version that it is asked for, and every version that is configured works.

use roster::account::Provider;
use roster_sandbox::known;
use serde_json::{Value, json};

use super::people_held::USERS;
use crate::world::{Call, World, intercom};

/// Versions in which contacts differ from the one before, and the ends.
const CONTACTS: [&str; 8] = ["2.0", "2.7", "2.9", "2.10", "2.12", "2.13", "2.16", "2.17"];

async fn speaking(version: &str) -> World {
    World::with(USERS, |settings| intercom(settings, version)).await
}

/// The calls that Intercom got, each of which must have asked for the version.
async fn requests(world: &World, version: &str) -> Vec<String> {
    let calls = world.calls(Provider::Intercom).await;
    for call in &calls {
        assert_eq!(call.version.as_deref(), Some(version), "{call:?}");
    }
    calls.iter().map(Call::request).collect()
}

const FIND: &str = "query ($email: String!) { usersByEmail(email: $email, providers: [INTERCOM]) {
    nodes { email name kind } sources { status notices { code message } error { code } calls } } }";

async fn find(world: &World, email: &str) -> Value {
    let mut data = world.data_with(FIND, json!({ "email": email })).await;
    data["usersByEmail"].take()
}

fn whole(nodes: &Value) -> Value {
    let source = json!({ "status": "COMPLETE", "notices": [], "error": null, "calls": 1 });
    json!({ "nodes": nodes, "sources": [source] })
}

const READ: &str = "{ users(provider: INTERCOM, first: 2) { nodes { id } }
    filtered: users(provider: INTERCOM, filter: { companyId: \"c-1\" }) { nodes { id } }
    usersByEmail(email: \"ann@x.test\", providers: [INTERCOM]) { nodes { email } }
    user(provider: INTERCOM, by: { remoteId: \"nobody\" }) { id }
    ann: user(provider: INTERCOM, by: { externalId: \"crm-ann\" }) { remoteId email } }";

/// Reads in every way and writes, at an app that is set to another version; the requests.
async fn requests_of_everything(version: &str, app: &str) -> Vec<String> {
    let world = speaking(version).await;
    world.behave(Provider::Intercom, "app_version", app).await;

    let data = world.data(READ).await;

    assert_eq!(data["ann"]["email"], known::EVERYWHERE, "{version}");
    let found = json!([{ "email": known::EVERYWHERE }]);
    assert_eq!(data["usersByEmail"]["nodes"], found, "{version}");
    assert_eq!(data["user"], Value::Null, "{version}");

    let write = "mutation { upsertUser(input: { provider: INTERCOM, externalId: \"crm-ann\", name: \"Ann\" }) {
        outcome user { remoteId } userErrors { message } } }";
    let data = world.data(write).await;
    let written = &data["upsertUser"];
    assert_eq!(written["outcome"], "UPDATED", "{version}");
    assert_eq!(written["userErrors"], json!([]), "{version}");
    let id = written["user"]["remoteId"].as_str();
    let id = id.expect("an id");
    let requests = requests(&world, version).await.into_iter();
    requests.map(|request| request.replace(id, "ANN")).collect()
}

#[tokio::test]
async fn users_are_requested_in_the_configured_version_whatever_the_apps_version() {
    for version in ["1.0", "1.1", "1.2", "1.3", "1.4"] {
        let mut requests = requests_of_everything(version, "2.0").await;

        let writes = requests.split_off(6);
        assert_eq!(writes, ["GET /users", "POST /users"], "{version}");
        requests.sort();
        let expected = [
            "GET /companies",
            "GET /contacts/nobody",
            "GET /users",
            "GET /users",
            "GET /users",
            "GET /users/nobody",
        ];
        assert_eq!(requests, expected, "{version}");
    }
}

#[tokio::test]
async fn contacts_are_requested_in_the_configured_version_whatever_the_apps_version() {
    for version in CONTACTS {
        let requests = requests_of_everything(version, "1.0").await;

        // Until 2.12 there is no lookup by external id.
        let finds = !matches!(version, "2.0" | "2.7" | "2.9" | "2.10" | "2.12");
        // A write reads the record again that its search found.
        let by_external_id = if finds {
            vec!["GET /contacts/find_by_external_id/crm-ann"]
        } else {
            vec!["POST /contacts/search", "GET /contacts/ANN"]
        };
        let (reads, writes) = requests.split_at(6);
        let expected = [by_external_id.clone(), vec!["PUT /contacts/ANN"]].concat();
        assert_eq!(writes, expected, "{version}");
        let is_of_company = |request: &&String| request.starts_with("GET /companies/");
        assert_eq!(reads.iter().filter(is_of_company).count(), 1, "{version}");
        let mut others: Vec<_> = reads.iter().filter(|read| !is_of_company(read)).collect();
        others.sort();
        let mut expected = [
            "GET /companies",
            "GET /contacts",
            "GET /contacts/nobody",
            "POST /contacts/search",
            by_external_id[0],
        ];
        expected.sort_unstable();
        assert_eq!(others, expected, "{version}");
    }
}

#[tokio::test]
async fn contacts_say_the_same_in_every_version() {
    let read = "{ users(provider: INTERCOM, first: 300) { totalCount nodes {
            id externalId email name kind avatarUrl createdAt lastSeenAt
            details { ... on IntercomUser { role ownerId emailDomain location { city } } } } }
        usersByEmail(email: \"lead@x.test\", providers: [INTERCOM]) {
            nodes { name kind } sources { status notices { code message } } } }";
    let newest = speaking("2.17").await.data(read).await;
    let found = &newest["usersByEmail"];
    let kinds = [&found["nodes"][0]["kind"], &found["nodes"][1]["kind"]];
    assert_eq!(kinds, ["USER", "LEAD"]);
    assert_eq!(
        found["sources"],
        json!([{ "status": "COMPLETE", "notices": [] }])
    );

    for version in CONTACTS {
        let data = speaking(version).await.data(read).await;
        assert_eq!(data, newest, "{version}");
    }
}

#[tokio::test]
async fn an_external_id_of_any_form_finds_its_contact_by_lookup_and_by_search() {
    for version in ["2.12", "2.13"] {
        let world = speaking(version).await;
        let ids = known::ODD_EXTERNAL_IDS.iter();
        for (id, email) in ids.zip(known::ODD_EXTERNAL_ID_EMAILS) {
            let find = "query ($id: ID!) { user(provider: INTERCOM, by: { externalId: $id }) { externalId email } }";
            let data = world.data_with(find, json!({ "id": id })).await;
            let user = json!({ "externalId": id, "email": email });
            assert_eq!(data["user"], user, "{version}");
        }
        let requests = requests(&world, version).await;
        assert_eq!(requests.len(), known::ODD_EXTERNAL_IDS.len(), "{version}");
    }
}

#[tokio::test]
async fn leads_are_among_the_users_of_an_address_in_1_1_only_and_marked() {
    let user = json!({ "email": known::LEAD, "name": "Lee Known", "kind": "USER" });
    let lead = json!({ "email": known::LEAD, "name": "Lea Known", "kind": "LEAD" });
    let alone = json!([{ "email": known::LEAD_ALONE, "name": "Only Lead", "kind": "LEAD" }]);

    let world = speaking("1.1").await;
    assert_eq!(find(&world, known::LEAD).await, whole(&json!([user, lead])));
    assert_eq!(find(&world, known::LEAD_ALONE).await, whole(&alone));
    // Version 1.0 knows no leads here, and later ones do not say whether there are any.
    let notice =
        "Intercom answers users only since version 1.2: leads with this address may be missing";
    let missed = json!([{ "code": "SEARCH_INCOMPLETE", "message": notice }]);
    for (version, status, notices) in [
        ("1.0", "COMPLETE", json!([])),
        ("1.2", "PARTIAL", missed.clone()),
        ("1.3", "PARTIAL", missed.clone()),
        ("1.4", "PARTIAL", missed),
    ] {
        let world = speaking(version).await;
        let source = json!({ "status": status, "notices": notices, "error": null, "calls": 1 });
        for (email, nodes) in [(known::LEAD, json!([user])), (known::LEAD_ALONE, json!([]))] {
            let expected = json!({ "nodes": nodes, "sources": [source] });
            assert_eq!(find(&world, email).await, expected, "{version}");
        }
    }
}

#[tokio::test]
async fn a_lead_is_found_by_its_id() {
    let world = speaking("1.1").await;
    let find = "{ usersByEmail(email: \"only.lead@x.test\", providers: [INTERCOM]) { nodes { id remoteId } } }";
    let lead = world.data(find).await["usersByEmail"]["nodes"][0].take();
    world.forget_calls().await;

    let node = "query ($id: ID!) { node(id: $id) { id ... on User { email kind } } }";
    let data = world.data_with(node, json!({ "id": lead["id"] })).await;

    let expected = json!({ "id": lead["id"], "email": known::LEAD_ALONE, "kind": "LEAD" });
    assert_eq!(data["node"], expected);
    let calls = world.calls(Provider::Intercom).await;
    let paths: Vec<_> = calls
        .iter()
        .map(|call| (call.path.clone(), call.status))
        .collect();
    let id = lead["remoteId"].as_str().expect("an id");
    let expected = [
        (format!("/users/{id}"), Some(404)),
        (format!("/contacts/{id}"), Some(200)),
    ];
    assert_eq!(paths, expected);
}

#[tokio::test]
async fn version_1_0_finds_a_bare_user_none_and_an_ambiguity() {
    let world = speaking("1.0").await;

    let ann = json!([{ "email": known::EVERYWHERE, "name": "Ann Archer", "kind": "USER" }]);
    assert_eq!(find(&world, known::EVERYWHERE).await, whole(&ann));
    assert_eq!(find(&world, known::NOBODY).await, whole(&json!([])));

    // Two users have the address, and the provider names neither.
    let shared = find(&world, known::SHARED).await;
    assert_eq!(shared["nodes"], json!([]));
    assert_eq!(shared["sources"][0]["status"], "FAILED");
    assert_eq!(shared["sources"][0]["error"]["code"], "PROVIDER_REJECTED");
    assert_eq!(shared["sources"][0]["calls"], 1);
}

#[tokio::test]
async fn personal_data_that_a_version_no_longer_answers_is_null() {
    let details = "{ user(provider: INTERCOM, by: { externalId: \"crm-ann\" }) { details {
        ... on IntercomUser { lastSeenIp userAgentData locationData { cityName latitude longitude } } } } }";

    let older = speaking("1.1").await.data(details).await;
    let newer = speaking("1.2").await.data(details).await;

    let expected = json!({
        "lastSeenIp": "192.0.2.1", "userAgentData": "Mozilla/5.0 (X11; Linux x86_64) Sandbox/1.0",
        "locationData": { "cityName": "London", "latitude": 51.5, "longitude": -0.13 },
    });
    assert_eq!(older["user"]["details"], expected);
    let expected = json!({
        "lastSeenIp": null, "userAgentData": null,
        "locationData": { "cityName": "London", "latitude": null, "longitude": null },
    });
    assert_eq!(newer["user"]["details"], expected);
}

#[tokio::test]
async fn an_error_under_status_200_is_a_failure_and_not_null() {
    let world = speaking("1.1").await;
    world
        .behave(Provider::Intercom, "email_body", "error_list_200")
        .await;

    let answer = find(&world, known::EVERYWHERE).await;

    assert_eq!(answer["nodes"], json!([]));
    assert_eq!(answer["sources"][0]["status"], "FAILED");
    assert_eq!(
        answer["sources"][0]["error"]["code"],
        "PROVIDER_BAD_RESPONSE"
    );
}
