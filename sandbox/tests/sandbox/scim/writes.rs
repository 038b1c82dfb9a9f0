//! Creating, replacing and deleting users, and their versions.

use serde_json::{Value, json};

use super::{ENTERPRISE, USER, USERS, all_ids, created, draft, refusal, sandbox};
use crate::in_process::Sandbox;

#[tokio::test]
async fn a_created_user_has_an_address_and_a_version() {
    let sandbox = sandbox(3).header("host", "box.test");
    let body = draft(
        "new@x.test",
        json!({
            "id": "mine",
            "EXTERNALID": "e-1",
            "active": true,
            "title": null,
            "roles": [],
            "groups": [{"value": "x"}],
            "unheard": "of",
            "emails": [{"value": "new@x.test", "primary": true}],
            ENTERPRISE: {"department": "Sales", "unheard": 1},
        }),
    );
    let reply = sandbox.post(USERS, body).await;
    let user = reply.json();
    let id = user["id"].as_str().expect("an id");
    let address = format!("http://box.test{USERS}/{id}");

    assert_eq!(reply.status.as_u16(), 201);
    assert_eq!(reply.header("location"), Some(address.as_str()));
    assert_eq!(reply.header("etag"), user["meta"]["version"].as_str());
    assert_eq!(user["meta"]["location"], address);
    assert_eq!(user["schemas"], json!([USER, ENTERPRISE]));
    assert_eq!(user["externalId"], "e-1");
    assert_eq!(user[ENTERPRISE], json!({"department": "Sales"}));
    assert_eq!(user["groups"], json!([]));
    for absent in ["title", "roles", "unheard"] {
        assert_eq!(user.get(absent), None, "{absent}");
    }
    assert_eq!(all_ids(&sandbox).await.pop().as_deref(), Some(id));
    assert_eq!(sandbox.get(&format!("{USERS}/{id}")).await.json(), user);
}

#[tokio::test]
async fn a_user_name_is_taken_in_any_letter_case_and_an_external_id_is_not() {
    let sandbox = sandbox(3);
    let first = created(&sandbox, "one@x.test", json!({"externalId": "same"})).await;
    created(&sandbox, "two@x.test", json!({"externalId": "same"})).await;

    let again = sandbox.post(USERS, draft("ONE@x.test", json!({}))).await;
    assert_eq!(refusal(&again), (409, json!("uniqueness")));
    let moved = sandbox.put(&first, draft("two@x.test", json!({}))).await;
    assert_eq!(refusal(&moved), (409, json!("uniqueness")));
    let same = sandbox.put(&first, draft("One@x.test", json!({}))).await;
    assert_eq!(same.at("/userName"), (200, json!("One@x.test")));
}

#[tokio::test]
async fn what_is_no_user_is_refused() {
    let sandbox = sandbox(0);
    for (body, expected) in [
        (json!({"schemas": [USER]}), "invalidValue"),
        (draft("", json!({})), "invalidValue"),
        (draft("a", json!({"active": "true"})), "invalidValue"),
        (
            draft("a", json!({"emails": {"value": "a@b.test"}})),
            "invalidValue",
        ),
        (
            draft("a", json!({"emails": [{"value": "nowhere"}]})),
            "invalidValue",
        ),
        (
            draft(
                "a",
                json!({"emails": [{"value": "a@b.test", "primary": true}, {"value": "c@d.test", "primary": true}]}),
            ),
            "invalidValue",
        ),
        (draft("a", json!({"name": "A"})), "invalidValue"),
        (json!({"userName": "a"}), "invalidSyntax"),
        (json!([]), "invalidSyntax"),
    ] {
        let reply = sandbox.post(USERS, body.clone()).await;
        assert_eq!(refusal(&reply), (400, json!(expected)), "{body}");
    }
    let plain = sandbox.header("content-type", "text/plain");
    let reply = plain
        .send("POST", USERS, draft("a", json!({})).to_string())
        .await;
    assert_eq!(refusal(&reply), (415, Value::Null));
    let scim = sandbox.header("content-type", "application/scim+json; charset=utf-8");
    let reply = scim
        .send("POST", USERS, draft("a", json!({})).to_string())
        .await;
    assert_eq!(reply.status.as_u16(), 201);
}

#[tokio::test]
async fn replacing_clears_what_is_absent() {
    let sandbox = sandbox(1);
    let user = created(&sandbox, "a", json!({"title": "T", "nickName": "N"})).await;
    let reply = sandbox.put(&user, draft("a", json!({"title": "U"}))).await;
    assert_eq!(reply.at("/title"), (200, json!("U")));
    assert_eq!(reply.json().get("nickName"), None);
    assert_eq!(reply.header("etag"), Some("W/\"2\""));
    let nobody = sandbox
        .put(&format!("{USERS}/x"), draft("a", json!({})))
        .await;
    assert_eq!(refusal(&nobody), (404, Value::Null));
}

#[tokio::test]
async fn a_deleted_user_is_gone() {
    let sandbox = sandbox(3);
    let id = all_ids(&sandbox).await.swap_remove(1);
    let user = format!("{USERS}/{id}");
    assert_eq!(sandbox.delete(&user).await.status.as_u16(), 204);
    assert_eq!(refusal(&sandbox.get(&user).await), (404, Value::Null));
    assert_eq!(refusal(&sandbox.delete(&user).await), (404, Value::Null));
    assert_eq!(all_ids(&sandbox).await.len(), 2);
}

fn if_match(sandbox: &Sandbox, tag: &str) -> Sandbox {
    sandbox.header("if-match", tag)
}

#[tokio::test]
async fn a_write_of_another_version_is_refused() {
    let sandbox = sandbox(0);
    let user = created(&sandbox, "a", json!({})).await;
    let body = |title: &str| draft("a", json!({"title": title}));

    for (tag, title, status) in [
        ("W/\"1\"", "one", 200),
        ("W/\"1\"", "two", 412),
        ("\"2\"", "three", 200),
        ("*", "four", 200),
        ("\"9\", W/\"4\"", "five", 200),
    ] {
        let reply = if_match(&sandbox, tag).put(&user, body(title)).await;
        assert_eq!(reply.status.as_u16(), status, "{tag} {title}");
    }
    let stale = if_match(&sandbox, "W/\"1\"");
    assert_eq!(refusal(&stale.delete(&user).await), (412, Value::Null));
    let title = sandbox.get(&user).await;
    assert_eq!(title.at("/title"), (200, json!("five")));

    let known = sandbox.header("if-none-match", "W/\"5\"");
    assert_eq!(known.get(&user).await.status.as_u16(), 304);
}

#[tokio::test]
async fn a_write_that_changes_nothing_makes_no_version() {
    let sandbox = sandbox(0);
    let user = created(&sandbox, "a", json!({"title": "T"})).await;
    let reply = sandbox.put(&user, draft("a", json!({"title": "T"}))).await;
    assert_eq!(reply.header("etag"), Some("W/\"1\""));
}
