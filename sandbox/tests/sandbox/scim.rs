//! SCIM 2.0, as RFC 7643 and RFC 7644 have it.

mod descriptions;
mod filters;
mod lists;
mod patches;
mod quirks;
mod writes;

use serde_json::{Value, json};

use crate::in_process::{Reply, Sandbox, column};

const API: &str = "/scim/scim/v2";
const USERS: &str = "/scim/scim/v2/Users";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";

/// A sandbox that is called with the right token.
fn sandbox(users: usize) -> Sandbox {
    let sandbox = Sandbox::with_users(users);
    sandbox.header("authorization", format!("Bearer {}", roster_sandbox::TOKEN))
}

/// The body of a new user.
fn draft(user_name: &str, fields: Value) -> Value {
    let mut draft = json!({"schemas": [USER], "userName": user_name});
    if let (Value::Object(draft), Value::Object(fields)) = (&mut draft, fields) {
        draft.extend(fields);
    }
    draft
}

/// Creates a user and returns its address.
async fn created(sandbox: &Sandbox, user_name: &str, fields: Value) -> String {
    let reply = sandbox.post(USERS, draft(user_name, fields)).await;
    assert_eq!(reply.status.as_u16(), 201, "{}", reply.text);
    format!("{USERS}/{}", reply.json()["id"].as_str().expect("an id"))
}

/// The status and the `scimType` of an error.
fn refusal(reply: &Reply) -> (u16, Value) {
    let body = reply.json();
    let schema = "urn:ietf:params:scim:api:messages:2.0:Error";
    assert_eq!(body["schemas"], json!([schema]));
    assert_eq!(body["status"], reply.status.as_str());
    (reply.status.as_u16(), body["scimType"].clone())
}

/// The ids of a page.
fn ids(page: &Value) -> Vec<String> {
    column(&page["Resources"], "id")
}

async fn all_ids(sandbox: &Sandbox) -> Vec<String> {
    column(&sandbox.records("scim").await.into(), "id")
}

#[tokio::test]
async fn a_wrong_token_is_refused_with_a_challenge() {
    let sandbox = Sandbox::with_users(1);
    for token in [None, Some("Bearer x"), Some("Basic sandbox-token")] {
        let caller = token.map(|token| sandbox.header("authorization", token));
        let reply = caller.as_ref().unwrap_or(&sandbox).get(USERS).await;

        assert_eq!(refusal(&reply), (401, Value::Null));
        assert_eq!(
            reply.header("www-authenticate"),
            Some("Bearer realm=\"scim\"")
        );
    }
}

#[tokio::test]
async fn a_user_has_every_attribute_of_the_core_and_of_the_extensions() {
    let sandbox = sandbox(200).header("host", "box.test");
    let id = all_ids(&sandbox).await.swap_remove(0);
    let reply = sandbox.get(&format!("{USERS}/{id}")).await;

    assert_eq!(reply.header("content-type"), Some("application/scim+json"));
    assert_eq!(reply.header("etag"), Some("W/\"1\""));
    assert_eq!(reply.json(), ann(&id));
}

fn address() -> Value {
    json!({
            "formatted": "1 Quay Street\nLondon E1 6AN\nUK",
            "streetAddress": "1 Quay Street",
            "locality": "London",
            "region": "London",
            "postalCode": "E1 6AN",
            "country": "GB",
            "type": "work",
            "primary": true,
    })
}

/// The user who has every attribute.
fn ann(id: &str) -> Value {
    let custom = "urn:example:sandbox:2.0:User";
    let group = |number: u64, name: &str| {
        let id = format!("e9e30dba-f08f-4109-8486-{number:012x}");
        let address = format!("http://box.test{API}/Groups/{id}");
        json!({"value": id, "$ref": address, "display": name, "type": "direct"})
    };
    json!({
        "schemas": [USER, ENTERPRISE, custom],
        "id": "2819c223-7f76-453a-919d-000000000001",
        "externalId": "crm-ann",
        "userName": "ann@x.test",
        "name": {"formatted": "Ann Archer", "familyName": "Archer", "givenName": "Ann"},
        "displayName": "Ann Archer",
        "locale": "en-GB",
        "preferredLanguage": "en",
        "timezone": "Europe/London",
        "active": true,
        "emails": [
            {"value": "ann@x.test", "type": "work", "primary": true},
            {"value": "ann@home.test", "type": "home"},
        ],
        "phoneNumbers": [{"value": "+44 20 7946 0001", "type": "work"}],
        "photos": [{"value": "https://pictures.example/ann.png", "type": "photo"}],
        "roles": [{"value": "Active"}],
        ENTERPRISE: {
            "employeeNumber": "701984",
            "costCenter": "4130",
            "organization": "Harbour Goods",
            "division": "Ferries",
            "department": "Sales",
            "manager": {
                "value": "2819c223-7f76-453a-919d-000000000002",
                "displayName": "Joann Known",
            },
        },
        custom: {"plan": "gold", "seats": 17, "beta": true, "job title": "pilot"},
        "nickName": "Annie",
        "profileUrl": "https://people.example/ann",
        "title": "Pilot",
        "userType": "Employee",
        "ims": [{"value": "ann.archer", "type": "xmpp"}],
        "addresses": [address()],
        "entitlements": [{"value": "parking", "display": "Parking"}],
        "x509Certificates": [{"value": "MIIDQzCCAqygAwIBAgICEAAwDQYJKoZIhvcNAQEFBQAw"}],
        "groups": [group(1, "known"), group(2, "vip")],
        "meta": {
            "resourceType": "User",
            "created": "2023-11-14T22:13:20Z",
            "lastModified": "2023-11-14T22:13:20Z",
            "location": format!("http://box.test{USERS}/{id}"),
            "version": "W/\"1\"",
        },
    })
}

#[tokio::test]
async fn user_names_are_unique_though_addresses_are_not() {
    let sandbox = sandbox(200);
    let page = sandbox
        .get(&format!(
            "{USERS}?filter=emails.value+eq+%22help@trainco.test%22"
        ))
        .await
        .json();
    let names = column(&page["Resources"], "userName");
    assert_eq!(names, ["help@trainco.test", "amori"]);
}

#[tokio::test]
async fn some_users_are_inactive_and_some_have_their_primary_address_second() {
    let sandbox = sandbox(500);
    let mut users = Vec::new();
    for start in [1, 101, 201, 301, 401] {
        let page = sandbox.get(&format!("{USERS}?startIndex={start}")).await;
        users.extend(
            page.json()["Resources"]
                .as_array()
                .cloned()
                .expect("a list"),
        );
    }
    let count = |is: fn(&Value) -> bool| users.iter().filter(|user| is(user)).count();

    assert!(count(|user| user["active"] == false) > 20);
    assert!(count(|user| user["emails"][1]["primary"] == true) > 5);
    assert!(count(|user| user["emails"][1].is_object()) > 100);
    assert_eq!(count(|user| user.get("emails").is_none()), 2);
    assert_eq!(count(|user| user.get("userName").is_none()), 1);
}

#[tokio::test]
async fn an_unknown_endpoint_is_an_error_and_a_path_beside_the_api_is_a_page() {
    let sandbox = sandbox(1);
    let inside = sandbox.get(&format!("{API}/Nothing")).await;
    assert_eq!(refusal(&inside), (404, Value::Null));
    let user = sandbox.get(&format!("{USERS}/nobody")).await;
    assert_eq!(refusal(&user), (404, Value::Null));
    let method = sandbox.put(USERS, json!({})).await;
    assert_eq!(refusal(&method), (405, Value::Null));
    let beside = sandbox.get("/scim/Users").await;
    assert_eq!(beside.status.as_u16(), 404);
    assert_eq!(
        beside.header("content-type"),
        Some("text/html;charset=utf-8")
    );
}

#[tokio::test]
async fn groups_have_the_users_who_have_them() {
    let sandbox = sandbox(150);
    let page = sandbox.get(&format!("{API}/Groups")).await.json();
    let groups = page["Resources"].as_array().expect("a list");
    assert!(groups.len() > 5);
    for group in groups {
        let id = group["id"].as_str().expect("an id");
        let one = sandbox.get(&format!("{API}/Groups/{id}")).await.json();
        assert_eq!(&one, group);
        let filter = format!("{USERS}?filter=groups.value+eq+%22{id}%22&count=150");
        sandbox.set_switch("scim", "cap", "150").await;
        let users = sandbox.get(&filter).await.json();
        assert_eq!(ids(&users), column(&group["members"], "value"));
    }
}
