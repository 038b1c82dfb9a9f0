//! What is written to Usertour v1: users, companies and memberships.

use serde_json::{Value, json};

use super::{invalid, refusal, usertour};
use crate::calling::column;

#[tokio::test]
async fn an_upsert_answers_201_merges_and_drops_what_has_another_type() {
    let sandbox = usertour(3);
    let first = json!({"id": 12345, "attributes": {"name": "Ann", "seats": 2, "email": "a@x.test", "since": "2026-01-02T03:04:05Z"}});
    let second = json!({"id": "12345", "attributes": {"name": null, "seats": "many", "since": "2026-01-02", "email": "b@x.test"}});

    let created = sandbox.post("/usertour/v1/users", first).await;
    let updated = sandbox.post("/usertour/v1/users", second).await;

    assert_eq!(created.at("/id"), (201, json!("12345")));
    assert_eq!(created.json()["companies"], Value::Null);
    let mut attributes = updated.json()["attributes"].clone();
    let seen = attributes["first_seen_at"].take();
    assert_eq!(seen.as_str().map(str::len), Some(24));
    attributes["last_seen_at"].take();
    let keys: Vec<&String> = attributes
        .as_object()
        .into_iter()
        .flat_map(|bag| bag.keys())
        .collect();
    assert_eq!(
        keys,
        ["email", "seats", "since", "last_seen_at", "first_seen_at"]
    );
    assert_eq!(updated.at("/attributes/seats"), (201, json!(2)));
    assert_eq!(updated.at("/attributes/email"), (201, json!("b@x.test")));
    assert_eq!(sandbox.records("usertour").await.len(), 4);
}

#[tokio::test]
async fn an_upsert_that_is_refused_changes_nothing() {
    let sandbox = usertour(3);
    let id = "id must be a non-empty string";
    for (body, message) in [
        (json!({"id": " "}), id),
        (json!({"id": ["x"]}), id),
        (json!([]), id),
        (
            json!({"id": "x", "attributes": "text"}),
            "attributes must be an object",
        ),
        (
            json!({"id": "x", "companies": {}}),
            "companies must be an array",
        ),
        (
            json!({"id": "x", "companies": [{}]}),
            "companies.0.company id must be a non-empty string",
        ),
        (
            json!({"id": "x", "memberships": [{"company": {}}]}),
            "memberships.0.company.company id must be a non-empty string",
        ),
    ] {
        let reply = sandbox.post("/usertour/v1/users", body).await;
        assert_eq!(refusal(&reply), invalid(message));
    }
    let reply = sandbox
        .post(
            "/usertour/v1/users",
            json!({"id": "x", "memberships": [{}]}),
        )
        .await;
    assert_eq!(refusal(&reply).1, "E0000");
    assert_eq!(sandbox.records("usertour").await.len(), 3);
}

#[tokio::test]
async fn memberships_are_added_and_deleted_but_not_twice() {
    let sandbox = usertour(3);
    let body = json!({
        "id": "x",
        "companies": [{"id": "one"}],
        "memberships": [{"company": {"id": "two"}, "attributes": {"role": "owner", "note": null}}],
    });
    sandbox.post("/usertour/v1/users", body).await;

    let user = sandbox
        .get("/usertour/v1/users/x?expand[]=companies&expand[]=memberships")
        .await
        .json();
    assert_eq!(column(&user["companies"], "id"), ["one", "two"]);
    assert_eq!(
        user["memberships"][1]["attributes"].to_string(),
        r#"{"note":null,"role":"owner"}"#
    );
    let path = "/usertour/v1/company-memberships?userId=x&companyId=two";
    assert_eq!(
        sandbox.delete(path).await.at("/object"),
        (200, json!("companyMembership"))
    );
    assert_eq!(refusal(&sandbox.delete(path).await).1, "E1003");
}

#[tokio::test]
async fn forms_are_bodies_too() {
    let sandbox = usertour(3).header("content-type", "application/x-www-form-urlencoded");

    let reply = sandbox
        .send(
            "POST",
            "/usertour/v1/users",
            "id=f&attributes[name]=Fay+Ray",
        )
        .await;

    assert_eq!(reply.at("/attributes/name"), (201, json!("Fay Ray")));
}

#[tokio::test]
async fn a_deleted_user_is_gone() {
    let sandbox = usertour(5);
    let id = sandbox.records("usertour").await[2]["id"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let path = format!("/usertour/v1/users/{id}");

    let reply = sandbox.delete(&path).await;

    assert_eq!(
        reply.json(),
        json!({"id": id, "object": "user", "deleted": true})
    );
    assert_eq!(refusal(&sandbox.delete(&path).await).1, "E1001");
    assert_eq!(sandbox.records("usertour").await.len(), 4);
}
