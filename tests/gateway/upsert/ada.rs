//! Ada creates by external id in a call that may be repeated, and answers the record as it was when
//! there is one; by address it is found by a scan.

use roster::account::Provider::Ada;
use roster_sandbox::known::{AT_ADA, EVERYWHERE, NOBODY, SHARED};
use serde_json::{Value, json};

use super::{calls, record, skipped, text, upsert, written};
use crate::world::{World, account};

const LIST: &str = "/api/v2/end-users/";

#[tokio::test]
async fn an_unknown_external_id_is_created_in_one_call() {
    let world = World::with(3, |_| {}).await;
    let input = json!({ "externalId": "new", "email": "new@x.test", "firstName": "New", "attributes": { "seats": 3 } });

    let user = written(&world, Ada, input, "CREATED").await;

    assert_eq!(
        (text(&user["externalId"]), text(&user["email"])),
        ("new", "new@x.test")
    );
    assert_eq!(
        (text(&user["firstName"]), &user["attributes"]),
        ("New", &json!({ "seats": 3 }))
    );
    assert_eq!(calls(&world, Ada).await, [format!("POST {LIST} 201")]);
}

#[tokio::test]
async fn a_known_external_id_is_patched_after_it_was_found() {
    let world = World::with(200, |_| {}).await;
    let id = record(&world, Ada, EVERYWHERE).await["id"].take();
    let input = json!({ "externalId": "crm-ann", "firstName": null, "name": "Renamed" });

    let user = written(&world, Ada, input, "UPDATED").await;

    assert_eq!((&user["remoteId"], text(&user["name"])), (&id, "Renamed"));
    assert_eq!(user["firstName"], Value::Null);
    assert_eq!(user["email"], EVERYWHERE);
    let patch = format!("PATCH {LIST}{} 200", text(&id));
    assert_eq!(
        calls(&world, Ada).await,
        [format!("POST {LIST} 200"), patch]
    );
}

#[tokio::test]
async fn a_known_external_id_alone_is_matched() {
    let world = World::with(200, |_| {}).await;

    let user = written(&world, Ada, json!({ "externalId": "crm-ann" }), "MATCHED").await;

    assert_eq!(user["email"], EVERYWHERE);
    assert_eq!(calls(&world, Ada).await, [format!("POST {LIST} 200")]);
}

#[tokio::test]
async fn a_create_by_external_id_is_repeated() {
    let world = World::with(3, |_| {}).await;
    let once = json!({ "kind": "status", "status": 503, "count": 1, "method": "POST" });
    world.fault(Ada, once).await;

    written(&world, Ada, json!({ "externalId": "new" }), "CREATED").await;

    assert_eq!(
        calls(&world, Ada).await,
        [format!("POST {LIST} 503"), format!("POST {LIST} 201")]
    );
}

#[tokio::test]
async fn an_address_is_scanned_for_and_then_patched_or_created() {
    let world = World::with(200, |_| {}).await;
    let id = record(&world, Ada, AT_ADA).await["id"].take();
    let scan = vec![format!("GET {LIST} 200"); 2];

    let user = written(
        &world,
        Ada,
        json!({ "email": AT_ADA, "firstName": "Renamed" }),
        "UPDATED",
    )
    .await;
    assert_eq!(
        (&user["remoteId"], text(&user["firstName"])),
        (&id, "Renamed")
    );
    let patch = vec![format!("PATCH {LIST}{} 200", text(&id))];
    assert_eq!(calls(&world, Ada).await, [scan.clone(), patch].concat());

    written(&world, Ada, json!({ "email": AT_ADA }), "MATCHED").await;
    assert_eq!(calls(&world, Ada).await, scan);

    let user = written(&world, Ada, json!({ "email": NOBODY }), "CREATED").await;
    assert_eq!(user["email"], NOBODY);
    let create = vec![format!("POST {LIST} 201")];
    assert_eq!(calls(&world, Ada).await, [scan, create].concat());
}

#[tokio::test]
async fn a_blind_create_is_never_repeated() {
    let world = World::with(3, |_| {}).await;
    let ill = json!({ "kind": "status", "status": 500, "method": "POST" });
    world.fault(Ada, ill).await;

    let payload = upsert(&world, Ada, json!({ "email": NOBODY })).await;

    assert_eq!(
        (&payload["outcome"], &payload["user"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(payload["userErrors"][0]["code"], "PROVIDER_UNAVAILABLE");
    let writes: Vec<_> = calls(&world, Ada)
        .await
        .into_iter()
        .filter(|call| call.starts_with("POST"))
        .collect();
    assert_eq!(writes, [format!("POST {LIST} 500")]);
}

#[tokio::test]
async fn a_truncated_scan_creates_no_user() {
    let world = World::with(200, |settings| {
        let options = &mut account(settings, Ada).options;
        options.insert("scan_pages".to_owned(), 1.into());
    })
    .await;

    let errors = skipped(&world, Ada, json!({ "email": NOBODY, "firstName": "New" })).await;

    assert_eq!(errors[0]["field"], json!(["input", "email"]));
    assert_eq!(errors[0]["code"], "BAD_USER_INPUT");
    assert!(
        text(&errors[0]["message"]).contains("give `remoteId` or `externalId`"),
        "{errors}"
    );
    assert_eq!(calls(&world, Ada).await, [format!("GET {LIST} 200")]);
}

#[tokio::test]
async fn two_records_with_an_address_are_ambiguous() {
    let world = World::with(200, |_| {}).await;

    let errors = skipped(&world, Ada, json!({ "email": SHARED, "firstName": "Who" })).await;

    assert_eq!(errors[0]["code"], "BAD_USER_INPUT");
    assert_eq!(
        errors[0]["message"],
        "2 users have this email: say with `remoteId` which one is meant"
    );
}

#[tokio::test]
async fn a_providers_refusal_is_reported_in_its_words() {
    let world = World::with(200, |_| {}).await;
    let long = "x".repeat(37);
    for (input, words) in [
        (json!({ "externalId": long }), "36"),
        (
            json!({ "externalId": "crm-ann", "attributes": { "ratio": 0.5 } }),
            "integer",
        ),
        (
            json!({ "externalId": "new", "attributes": { "notes": "n".repeat(11_000) } }),
            "10 KB",
        ),
    ] {
        let payload = upsert(&world, Ada, input).await;
        assert_eq!(
            (&payload["outcome"], &payload["user"]),
            (&json!("SKIPPED"), &Value::Null)
        );
        let errors = payload["userErrors"].as_array().expect("errors");
        assert!(
            errors
                .iter()
                .all(|error| error["code"] == "PROVIDER_REJECTED"),
            "{payload}"
        );
        assert!(
            errors
                .iter()
                .any(|error| text(&error["message"]).contains(words)),
            "{payload}"
        );
    }
}

#[tokio::test]
async fn an_external_id_of_somebody_else_is_refused() {
    let world = World::with(200, |_| {}).await;
    let id = record(&world, Ada, AT_ADA).await["id"].take();

    let payload = upsert(
        &world,
        Ada,
        json!({ "remoteId": id, "externalId": "crm-ann" }),
    )
    .await;

    assert_eq!(payload["outcome"], "SKIPPED");
    assert_eq!(payload["userErrors"][0]["code"], "PROVIDER_REJECTED");
    assert!(
        text(&payload["userErrors"][0]["message"]).contains("already mapped"),
        "{payload}"
    );
}
