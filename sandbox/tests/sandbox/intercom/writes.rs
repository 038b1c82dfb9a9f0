//! Writes to Intercom 1.x: users, leads and archives.

use roster_sandbox::known;
use serde_json::{Value, json};

use super::{code, intercom};
use crate::in_process::column;

#[tokio::test]
async fn an_upsert_answers_200_and_never_falls_back_to_the_email() {
    let sandbox = intercom(known::ENOUGH, "1.4");
    let before = sandbox.records("intercom").await.len();
    let by_email = json!({"email": known::EVERYWHERE.to_uppercase(), "custom_attributes": {"plan": null, "city": "Bath"}});
    let by_user_id = json!({"user_id": "new-ann", "email": known::EVERYWHERE});

    let updated = sandbox.post("/intercom/users", by_email).await;
    assert_eq!(updated.at("/user_id"), (200, json!("crm-ann")));
    assert_eq!(updated.at("/custom_attributes/plan").1, Value::Null);
    assert_eq!(updated.at("/custom_attributes/seats").1, 17);
    assert!(updated.json()["updated_at"].as_i64() > updated.json()["created_at"].as_i64());
    assert_eq!(sandbox.records("intercom").await.len(), before);
    let created = sandbox.post("/intercom/users", by_user_id).await;
    assert_eq!(created.at("/user_id"), (200, json!("new-ann")));
    let held = sandbox.records("intercom").await;
    assert_eq!(
        (held.len(), &held[0]["externalId"]),
        (before + 1, &json!("new-ann"))
    );
    let ambiguous = sandbox
        .post("/intercom/users", json!({"email": known::EVERYWHERE}))
        .await;
    assert_eq!(code(&ambiguous), (409, json!("conflict")));
}

#[tokio::test]
async fn an_upsert_that_is_refused_changes_nothing() {
    let sandbox = intercom(known::ENOUGH, "1.4");
    let ann = sandbox.get("/intercom/users?user_id=crm-ann").await.json();
    let id = ann["id"].clone();
    for (body, expected) in [
        (json!({"name": "Nobody"}), (400, "parameter_not_found")),
        (
            json!({"id": "64aa00000000000000000001", "name": "N"}),
            (404, "not_found"),
        ),
        (
            json!({"id": id, "user_id": "odd/slash"}),
            (400, "bad_request"),
        ),
        (json!({"id": id, "name": 7}), (400, "parameter_invalid")),
        (
            json!({"id": id, "name": "N", "custom_attributes": {"a": []}}),
            (400, "parameter_invalid"),
        ),
        (
            json!({"id": id, "name": "N", "companies": [{"company_id": "x"}, {}]}),
            (400, "parameter_invalid"),
        ),
        (json!(["x"]), (400, "parameter_invalid")),
    ] {
        let reply = sandbox.post("/intercom/users", body).await;
        assert_eq!(
            code(&reply),
            (expected.0, json!(expected.1)),
            "{}",
            reply.text
        );
    }
    assert_eq!(
        sandbox.get("/intercom/users?user_id=crm-ann").await.json(),
        ann
    );
    assert_eq!(
        sandbox.get("/intercom/companies?company_id=x").await.status,
        404
    );
}

#[tokio::test]
async fn null_clears_absent_fields_stay_and_companies_are_added_and_removed() {
    let sandbox = intercom(known::ENOUGH, "1.4");
    let first = json!({"user_id": "crm-ann", "phone": null, "companies": [{"company_id": "n", "name": "New"}, {"company_id": "c-1", "remove": true}]});

    let reply = sandbox.post("/intercom/users", first).await.json();

    assert_eq!(
        (&reply["phone"], &reply["name"]),
        (&Value::Null, &json!("Ann Archer"))
    );
    let companies = &reply["companies"]["companies"];
    assert_eq!(column(companies, "name"), ["New"]);
}

#[tokio::test]
async fn an_archived_user_is_no_longer_read() {
    let sandbox = intercom(known::ENOUGH, "1.4");
    let before = sandbox.records("intercom").await.len();

    let gone = sandbox.delete("/intercom/users?user_id=crm-ann").await;

    let id = gone.json()["id"].clone();
    assert_eq!(gone.at("/email"), (200, json!(known::EVERYWHERE)));
    assert_eq!(
        sandbox.get("/intercom/users?user_id=crm-ann").await.status,
        404
    );
    assert_eq!(sandbox.records("intercom").await.len(), before - 1);
    let request = json!({"intercom_user_id": id});
    assert_eq!(
        sandbox
            .post("/intercom/user_delete_requests", request.clone())
            .await
            .status,
        200
    );
    assert_eq!(
        sandbox
            .post("/intercom/user_delete_requests", request)
            .await
            .status,
        404
    );
    let shared = format!("/intercom/users?email={}", known::SHARED);
    assert_eq!(
        code(&sandbox.delete(&shared).await),
        (409, json!("conflict"))
    );
}

#[tokio::test]
async fn leads_are_created_without_an_identifier() {
    let sandbox = intercom(3, "1.4");

    let lead = sandbox
        .post("/intercom/contacts", json!({"email": "l@x.test"}))
        .await
        .json();
    let renamed = json!({"id": lead["id"], "name": "Lou"});
    let again = sandbox.post("/intercom/contacts", renamed).await.json();

    assert_eq!(
        (&lead["type"], &lead["anonymous"]),
        (&json!("contact"), &json!(true))
    );
    assert_eq!(lead["user_id"].as_str().map(str::len), Some(36));
    assert_eq!(
        (&again["id"], &again["email"]),
        (&lead["id"], &json!("l@x.test"))
    );
}
