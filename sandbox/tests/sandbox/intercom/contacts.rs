//! Intercom 2.x: versions, the list of contacts and single contacts.

use roster_sandbox::known;
use serde_json::{Value, json};

use super::{code, intercom};
use crate::in_process::{Sandbox, column};

/// A field of the one contact with the address.
pub(super) async fn find(sandbox: &Sandbox, email: &str) -> Value {
    let query = json!({"field": "email", "operator": "=", "value": email});
    let reply = sandbox
        .post("/intercom/contacts/search", json!({"query": query}))
        .await;
    assert_eq!(reply.at("/total_count"), (200, json!(1)), "{}", reply.text);
    reply.json()["data"][0].clone()
}

/// The identifier of the one contact with the address.
pub(super) async fn id_of(sandbox: &Sandbox, email: &str) -> String {
    let id = find(sandbox, email).await["id"].take();
    id.as_str().unwrap_or_default().to_owned()
}

fn escaped(cursor: &Value) -> String {
    let cursor = cursor.as_str().unwrap_or_default();
    let parts = [("starting_after", cursor)];
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(parts)
        .finish()
}

/// The identifiers on all pages by cursor, and the number of pages.
pub(super) async fn walk(sandbox: &Sandbox, path: &str, size: u64) -> (Vec<String>, u64) {
    let (mut ids, mut pages) = (Vec::new(), 0);
    let mut cursor = String::new();
    loop {
        let path = format!("/intercom/{path}?per_page={size}&{cursor}");
        let body = sandbox.get(&path).await.json();
        ids.extend(column(&body["data"], "id"));
        pages += 1;
        assert_eq!(body["pages"]["page"], pages);
        match body["pages"].get("next") {
            None => return (ids, pages),
            Some(next) => {
                assert_eq!(next["page"], pages + 1);
                cursor = escaped(&next["starting_after"]);
            }
        }
    }
}

#[tokio::test]
async fn every_version_of_2_serves_contacts_and_refuses_users() {
    let sandbox = intercom(3, "2.0");
    for minor in 0..=17 {
        let version = format!("2.{minor}");
        let caller = sandbox.header("intercom-version", version.clone());
        let contacts = caller.get("/intercom/contacts").await;
        assert_eq!(contacts.at("/type"), (200, json!("list")), "{version}");
        assert_eq!(contacts.header("intercom-version"), Some(version.as_str()));
        for path in ["users", "users/x", "users?email=x", "users/scroll"] {
            let users = caller.get(&format!("/intercom/{path}")).await;
            assert_eq!(code(&users), (400, json!("intercom_version_invalid")));
            assert_eq!(
                users.json()["request_id"].as_str().map(str::len),
                Some(36),
                "2.x identifies requests by UUIDs"
            );
        }
    }
    for version in ["2.18", "2.00", "2", "3.0"] {
        let caller = sandbox.header("intercom-version", version);
        let reply = caller.get("/intercom/contacts").await;
        assert_eq!(code(&reply), (400, json!("intercom_version_invalid")));
    }
}

#[tokio::test]
async fn the_version_of_the_app_decides_what_contacts_are() {
    let app = Sandbox::with_users(3).header("authorization", "Bearer sandbox-token");
    let kind = async || app.get("/intercom/contacts").await.at("/type").1;

    assert_eq!(kind().await, "contact.list");
    app.set_switch("intercom", "app_version", "2.10").await;
    assert_eq!(kind().await, "list");
    let old = app.header("intercom-version", "1.4");
    assert_eq!(
        old.get("/intercom/contacts").await.at("/type").1,
        "contact.list"
    );
}

#[tokio::test]
async fn a_walk_by_cursor_lists_users_and_leads_once() {
    let sandbox = intercom(130, "2.13");
    let (ids, pages) = walk(&sandbox, "contacts", 7).await;

    assert_eq!((ids.len(), pages), (130, 19));
    let mut unique = ids.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), 130);
    for size in [1, 10, 65, 130, 150] {
        assert_eq!(walk(&sandbox, "contacts", size).await.0, ids, "{size}");
    }
    let old = sandbox.header("intercom-version", "1.4");
    for held in old.records("intercom").await {
        let id = held["id"].as_str().unwrap_or_default().to_owned();
        assert!(ids.contains(&id), "1.x and 2.x have the same identifiers");
    }
}

#[tokio::test]
async fn pages_hold_ten_unless_asked_and_150_at_most() {
    let sandbox = intercom(160, "2.16");
    let pages = async |query: &str| {
        let reply = sandbox.get(&format!("/intercom/contacts?{query}")).await;
        reply.at("/pages")
    };

    let (_, first) = pages("").await;
    assert_eq!(
        (&first["per_page"], &first["total_pages"]),
        (&json!(10), &json!(16))
    );
    assert_eq!(pages("per_page=500").await.1["per_page"], 150);
    assert_eq!(pages("per_page=0").await.1["per_page"], 10);
    sandbox.set_switch("intercom", "per_page", "reject").await;
    assert_eq!(pages("per_page=151").await.0, 400);
    for cursor in ["", "None", "null", "e30="] {
        let reply = sandbox
            .get(&format!("/intercom/contacts?starting_after={cursor}"))
            .await;
        assert_eq!(code(&reply), (400, json!("client_error")), "{cursor}");
    }
}

#[tokio::test]
async fn the_last_page_has_no_next_or_a_null() {
    let sandbox = intercom(3, "2.16");
    let pages = async || sandbox.get("/intercom/contacts").await.json()["pages"].clone();
    let expected = json!({"type": "pages", "page": 1, "per_page": 10, "total_pages": 1});

    assert_eq!(pages().await, expected);
    sandbox.set_switch("intercom", "next", "null").await;
    assert_eq!(pages().await.get("next"), Some(&Value::Null));
}

#[tokio::test]
async fn the_same_person_is_shown_by_both_families() {
    let sandbox = intercom(known::ENOUGH, "2.10");
    let ann = find(&sandbox, known::EVERYWHERE).await;
    let old = sandbox.header("intercom-version", "1.4");
    let user = old.get("/intercom/users?user_id=crm-ann").await.json();

    assert_eq!(ann["id"], user["id"]);
    assert_eq!(
        (&ann["type"], &ann["role"]),
        (&json!("contact"), &json!("user"))
    );
    assert_eq!(ann["external_id"], "crm-ann");
    assert_eq!(ann["email_domain"], "x.test");
    assert_eq!(ann["avatar"], "https://pictures.example/ann.png");
    assert_eq!(ann["location"]["country_code"], "GBR");
    assert_eq!(ann["custom_attributes"], user["custom_attributes"]);
    assert_eq!(ann["last_seen_at"], user["last_request_at"]);
    assert_eq!(ann.get("formatted_phone"), None);
    let id = ann["id"].as_str().unwrap_or_default();
    let single = sandbox.get(&format!("/intercom/contacts/{id}")).await;
    assert_eq!(single.json(), ann);
    assert_eq!(find(&sandbox, known::LEAD_ALONE).await["role"], "lead");
}

#[tokio::test]
async fn owners_are_strings_from_2_16_on_and_avatars_have_three_shapes() {
    let sandbox = intercom(known::ENOUGH, "2.15");
    let ann = async |version: &str| {
        let caller = sandbox.header("intercom-version", version);
        find(&caller, known::EVERYWHERE).await
    };

    assert!(ann("2.9").await["owner_id"].is_u64() && ann("2.15").await["owner_id"].is_u64());
    assert!(ann("2.16").await["owner_id"].is_string());
    sandbox.set_switch("intercom", "owner_id", "int").await;
    assert!(ann("2.17").await["owner_id"].is_u64());
    sandbox.set_switch("intercom", "avatar", "object").await;
    assert_eq!(
        ann("2.17").await["avatar"],
        json!({"type": "avatar", "image_url": "https://pictures.example/ann.png"})
    );
    sandbox.set_switch("intercom", "avatar", "null").await;
    assert_eq!(ann("2.17").await["avatar"], Value::Null);
}

#[tokio::test]
async fn users_are_found_by_their_external_ids_from_2_13_on() {
    let sandbox = intercom(known::ENOUGH, "2.13");
    let status = async |version: &str, external_id: &str| {
        let caller = sandbox.header("intercom-version", version);
        let path = format!("/intercom/contacts/find_by_external_id/{external_id}");
        caller.get(&path).await.at("/external_id")
    };

    assert_eq!(
        status("2.13", "odd%2Fslash").await,
        (200, json!("odd/slash"))
    );
    assert_eq!(status("2.17", "crm-ann").await.0, 200);
    assert_eq!(status("2.17", "nope").await.0, 404);
    assert_eq!(status("2.12", "crm-ann").await.0, 404);
    assert_eq!(status("2.9", "crm-ann").await.0, 404);
    let lead = find(&sandbox, known::LEAD_ALONE).await;
    let generated = lead["external_id"].as_str().unwrap_or_default();
    assert_eq!(
        status("2.17", generated).await.0,
        404,
        "leads are not found"
    );
}
