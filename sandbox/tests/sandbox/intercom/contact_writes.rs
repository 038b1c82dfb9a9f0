//! Writes to Intercom 2.x: contacts are created, updated, archived and deleted.

use roster_sandbox::known;
use serde_json::{Value, json};

use super::contacts::{find, id_of};
use super::{code, intercom};
use crate::in_process::{Reply, Sandbox};

async fn create(sandbox: &Sandbox, body: Value) -> Reply {
    sandbox.post("/intercom/contacts", body).await
}

async fn update(sandbox: &Sandbox, id: &str, body: Value) -> Reply {
    let path = format!("/intercom/contacts/{id}");
    sandbox.send("PUT", &path, body.to_string()).await
}

async fn order(sandbox: &Sandbox, id: &str, what: &str) -> Reply {
    let path = format!("/intercom/contacts/{id}/{what}");
    sandbox.send("POST", &path, "").await
}

fn exists(who: &str, id: &str) -> (u16, Value) {
    let message = format!("{who} contact matching those details already exists with id={id}");
    (409, json!(message))
}

#[tokio::test]
async fn a_create_answers_200_and_both_families_show_it() {
    let sandbox = intercom(3, "2.13");
    let body = json!({
        "external_id": "n-1", "email": "new@x.test", "name": "New", "phone": "+1 555 0100",
        "signed_up_at": 1_700_000_000, "owner_id": 390_001, "unsubscribed_from_emails": true,
    });

    let made = create(&sandbox, body).await;

    assert_eq!(made.at("/role"), (200, json!("user")));
    assert_eq!(made.at("/owner_id").1, 390_001);
    assert_eq!(made.json()["id"].as_str().map(str::len), Some(24));
    let old = sandbox.header("intercom-version", "1.4");
    let user = old.get("/intercom/users?user_id=n-1").await.json();
    assert_eq!(
        (&user["id"], &user["email"]),
        (&made.json()["id"], &json!("new@x.test"))
    );
    assert_eq!(sandbox.records("intercom").await.len(), 4);
    let posted =
        json!({"user_id": "n-2", "email": "old@x.test", "custom_attributes": {"fresh": 1}});
    old.post("/intercom/users", posted).await;
    let found = find(&sandbox, "old@x.test").await;
    assert_eq!(found["custom_attributes"], json!({"fresh": 1}));
}

#[tokio::test]
async fn a_create_never_updates_and_names_the_existing_contact() {
    let sandbox = intercom(known::ENOUGH, "2.16");
    let ann = find(&sandbox, known::EVERYWHERE).await;
    let id = ann["id"].as_str().unwrap_or_default();

    for body in [
        json!({"email": known::EVERYWHERE.to_uppercase(), "name": "Other"}),
        json!({"external_id": "crm-ann", "email": "other@x.test"}),
        json!({"email": known::EVERYWHERE, "external_id": "other"}),
    ] {
        let reply = create(&sandbox, body).await;
        assert_eq!(code(&reply), (409, json!("conflict")));
        assert_eq!(reply.at("/errors/0/message"), exists("A", id));
    }
    assert_eq!(find(&sandbox, known::EVERYWHERE).await, ann);
    order(&sandbox, id, "archive").await;
    let reply = create(&sandbox, json!({"email": known::EVERYWHERE})).await;
    assert_eq!(reply.at("/errors/0/message"), exists("An archived", id));
    sandbox
        .set_switch("intercom", "email", "case_sensitive")
        .await;
    let upper = json!({"email": known::SHARED.replace("help", "Help")});
    assert_eq!(create(&sandbox, upper).await.status, 200);
}

#[tokio::test]
async fn leads_may_share_an_address_and_need_none() {
    let sandbox = intercom(known::ENOUGH, "2.16");
    let bare = create(&sandbox, json!({"role": "lead"})).await;

    assert_eq!(bare.at("/role"), (200, json!("lead")));
    assert_eq!(bare.at("/email").1, Value::Null);
    assert_eq!(bare.json()["external_id"].as_str().map(str::len), Some(36));
    let again = json!({"role": "lead", "email": known::LEAD_ALONE});
    assert_eq!(create(&sandbox, again).await.status, 200);
    let nobody = create(&sandbox, json!({"name": "N"})).await;
    assert_eq!(code(&nobody), (400, json!("parameter_not_found")));
}

#[tokio::test]
async fn an_update_is_partial_and_null_clears() {
    let sandbox = intercom(known::ENOUGH, "2.16");
    let before = find(&sandbox, known::EVERYWHERE).await;
    let id = before["id"].as_str().unwrap_or_default();
    let body = json!({
        "phone": null, "name": "Anna", "avatar": {"image_url": "https://pictures.example/2.png"},
        "language_override": "pt-BR", "custom_attributes": {"plan": null, "seats": 18},
    });

    let after = update(&sandbox, id, body).await.json();

    assert_eq!(
        (&after["phone"], &after["name"]),
        (&Value::Null, &json!("Anna"))
    );
    assert_eq!(after["email"], before["email"]);
    assert_eq!(after["avatar"], "https://pictures.example/2.png");
    assert_eq!(after["language_override"], "pt-BR");
    let custom = json!({"plan": null, "seats": 18, "beta": true, "job title": "pilot"});
    assert_eq!(after["custom_attributes"], custom);
    assert!(after["updated_at"].as_i64() > before["updated_at"].as_i64());
    assert_eq!(find(&sandbox, known::EVERYWHERE).await, after);
}

#[tokio::test]
async fn a_write_that_is_refused_changes_nothing() {
    let sandbox = intercom(known::ENOUGH, "2.16");
    let before = find(&sandbox, known::EVERYWHERE).await;
    let id = before["id"].as_str().unwrap_or_default();
    for body in [
        json!({"name": "N", "custom_attributes": {"never_seen": 1}}),
        json!({"name": "N", "custom_attributes": {"plan": []}}),
        json!({"name": "N", "role": "visitor"}),
        json!({"name": "N", "owner_id": "x"}),
        json!({"name": 7}),
        json!(["x"]),
    ] {
        let reply = update(&sandbox, id, body.clone()).await;
        assert_eq!(code(&reply), (400, json!("parameter_invalid")), "{body}");
    }
    let other = id_of(&sandbox, known::JOANN).await;
    let taken = update(&sandbox, id, json!({"name": "N", "email": known::JOANN})).await;
    assert_eq!(taken.at("/errors/0/message"), exists("A", &other));
    let attribute = json!({"email": "new@x.test", "custom_attributes": {"never_seen": 1}});
    assert_eq!(create(&sandbox, attribute).await.status, 400);
    assert_eq!(find(&sandbox, known::EVERYWHERE).await, before);
    assert_eq!(
        code(&update(&sandbox, "nope", json!({})).await),
        (404, json!("not_found"))
    );
}

#[tokio::test]
async fn one_of_several_with_an_address_is_updated_without_conflict() {
    let sandbox = intercom(known::ENOUGH, "2.16");
    let found = json!({"query": {"field": "email", "operator": "=", "value": known::SHARED}});
    let found = sandbox
        .post("/intercom/contacts/search", found)
        .await
        .json();
    let one = &found["data"][0];
    let id = one["id"].as_str().unwrap_or_default();

    let reply = update(&sandbox, id, json!({"email": one["email"], "name": "Help"})).await;

    assert_eq!(reply.at("/name"), (200, json!("Help")));
}

#[tokio::test]
async fn a_lead_becomes_a_user_by_its_role() {
    let sandbox = intercom(known::ENOUGH, "2.16");
    let id = id_of(&sandbox, known::LEAD_ALONE).await;

    let user = update(&sandbox, &id, json!({"role": "user", "external_id": "u-9"})).await;

    assert_eq!(user.at("/role"), (200, json!("user")));
    let found = sandbox
        .get("/intercom/contacts/find_by_external_id/u-9")
        .await;
    assert_eq!(found.at("/id"), (200, json!(id)));
    let old = sandbox.header("intercom-version", "1.4");
    assert_eq!(old.get(&format!("/intercom/users/{id}")).await.status, 200);
}

#[tokio::test]
async fn archived_contacts_are_404_until_they_are_unarchived() {
    let sandbox = intercom(known::ENOUGH, "2.16");
    let before = find(&sandbox, known::EVERYWHERE).await;
    let id = before["id"].as_str().unwrap_or_default();
    let path = format!("/intercom/contacts/{id}");
    let told = |archived: bool| json!({"type": "contact", "id": id, "external_id": "crm-ann", "archived": archived});

    assert_eq!(order(&sandbox, id, "archive").await.json(), told(true));
    assert_eq!(order(&sandbox, id, "archive").await.json(), told(true));
    assert_eq!(code(&sandbox.get(&path).await), (404, json!("not_found")));
    assert_eq!(update(&sandbox, id, json!({})).await.status, 404);
    assert_eq!(
        sandbox.get("/intercom/contacts").await.at("/total_count").1,
        199
    );
    assert_eq!(order(&sandbox, id, "unarchive").await.json(), told(false));
    assert_eq!(sandbox.get(&path).await.json(), before);
    assert_eq!(order(&sandbox, "nope", "archive").await.status, 404);
    assert_eq!(order(&sandbox, "nope", "unarchive").await.status, 404);
}

#[tokio::test]
async fn a_contact_whose_identifier_was_taken_cannot_be_unarchived() {
    let sandbox = intercom(known::ENOUGH, "2.16");
    let id = id_of(&sandbox, known::EVERYWHERE).await;
    order(&sandbox, &id, "archive").await;
    let old = sandbox.header("intercom-version", "1.4");
    old.post("/intercom/users", json!({"user_id": "crm-ann"}))
        .await;

    for _ in 0..2 {
        let refused = order(&sandbox, &id, "unarchive").await;
        assert_eq!(code(&refused), (409, json!("conflict")));
    }
}

#[tokio::test]
async fn a_deleted_contact_is_gone_permanently() {
    let sandbox = intercom(known::ENOUGH, "2.16");
    let id = id_of(&sandbox, known::EVERYWHERE).await;
    let path = format!("/intercom/contacts/{id}");

    let gone = sandbox.delete(&path).await;

    let expected = json!({"type": "contact", "id": id, "external_id": "crm-ann", "deleted": true});
    assert_eq!((gone.status.as_u16(), gone.json()), (200, expected));
    assert_eq!(sandbox.get(&path).await.status, 404);
    assert_eq!(sandbox.delete(&path).await.status, 404);
    let again = create(&sandbox, json!({"email": known::EVERYWHERE})).await;
    assert_eq!(again.status, 200);
}
