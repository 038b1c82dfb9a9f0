//! Writes to Usertour v1: users, companies and memberships.

use serde_json::{Value, json};

use super::{invalid, refusal, usertour};
use crate::in_process::column;

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

#[tokio::test]
async fn names_that_every_object_has_are_dropped_and_nul_fails_where_it_is_kept() {
    let sandbox = usertour(3);
    let attributes = json!({"constructor": 1, "toString": "x", "hasOwnProperty": true, "kept": 1});
    let created = sandbox
        .post(
            "/usertour/v1/users",
            json!({"id": "x", "attributes": attributes}),
        )
        .await;
    let shown = created.json()["attributes"].clone();
    assert_eq!(shown["kept"], 1);
    for name in ["constructor", "toString", "hasOwnProperty"] {
        assert_eq!(shown.get(name), None, "{name}");
    }
    let write = async |attributes: Value| {
        let body = json!({"id": "x", "attributes": attributes});
        sandbox.post("/usertour/v1/users", body).await
    };
    assert_eq!(refusal(&write(json!({"name": "a\u{0}b"})).await).1, "E0000");
    // `kept` holds numbers: a text is dropped before the database sees it.
    assert_eq!(write(json!({"kept": "a\u{0}b"})).await.at("/id").0, 201);
}

#[tokio::test]
async fn a_new_company_has_been_seen_and_every_answer_has_a_keep_alive_time() {
    let sandbox = usertour(3);
    let company = sandbox
        .post("/usertour/v1/companies", json!({"id": "c"}))
        .await;
    let attributes = company.json()["attributes"].clone();
    for name in ["first_seen_at", "last_seen_at"] {
        assert!(attributes[name].is_string(), "{name}");
    }
    assert_eq!(company.header("keep-alive"), Some("timeout=5"));
    assert_eq!(company.header("connection"), Some("keep-alive"));
}

#[tokio::test]
async fn an_older_release_takes_a_blank_id_and_lists_it() {
    let sandbox = usertour(3);
    sandbox.set_switch("usertour", "ids", "blank").await;
    let made = sandbox.post("/usertour/v1/users", json!({"id": ""})).await;
    assert_eq!(made.at("/id"), (201, json!("")));
    let list = sandbox.get("/usertour/v1/users").await;
    assert_eq!(column(&list.json()["results"], "id").len(), 4);
    assert_eq!(
        sandbox.get("/usertour/v1/users/").await.at("/results").0,
        200
    );
}
