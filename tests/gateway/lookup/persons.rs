//! A person: the records of one address, merged.

use roster::account::Provider;
use roster_sandbox::known;
use serde_json::json;

use crate::world::{World, account};

const PERSON: &str = "query ($email: String!) { person(email: $email) { email name avatarUrl
    firstSeenAt lastSeenAt users { provider email kind } sources { provider status } } }";

#[tokio::test]
async fn a_person_gathers_the_records_and_merges_what_they_say() {
    let world = World::with(known::ENOUGH, |_| {}).await;

    let data = world
        .data_with(PERSON, json!({ "email": "Ann@X.test" }))
        .await;

    let user = |provider| json!({ "provider": provider, "email": "ann@x.test", "kind": "USER" });
    let expected = json!({
        "email": "ann@x.test", "name": "Ann Archer", "avatarUrl": "https://pictures.example/ann.png",
        "firstSeenAt": "2023-11-14T22:13:20Z", "lastSeenAt": "2025-02-19T21:20:00.006Z",
        "users": [user("ADA"), user("DIGITAL_CHALK"), user("INTERCOM"), user("USERTOUR")],
        "sources": [
            { "provider": "ADA", "status": "COMPLETE" }, { "provider": "DIGITAL_CHALK", "status": "COMPLETE" },
            { "provider": "INTERCOM", "status": "COMPLETE" }, { "provider": "USERTOUR", "status": "PARTIAL" },
        ],
    });
    assert_eq!(data["person"], expected);
    assert_eq!(world.tally().await, [2, 1, 1, 2]);
}

#[tokio::test]
async fn a_users_word_counts_more_than_a_leads() {
    let world = World::with(known::ENOUGH, |_| {}).await;

    let data = world
        .data_with(PERSON, json!({ "email": known::LEAD }))
        .await;

    assert_eq!(data["person"]["name"], "Lee Known");
    assert_eq!(data["person"]["avatarUrl"], json!(null));
    let lead = world
        .data_with(PERSON, json!({ "email": known::LEAD_ALONE }))
        .await;
    assert_eq!(lead["person"]["name"], "Only Lead");
}

#[tokio::test]
async fn nobody_is_null_only_when_every_provider_has_searched_as_it_can() {
    let world = World::with(60, |_| {}).await;
    let data = world
        .data_with(PERSON, json!({ "email": known::NOBODY }))
        .await;
    // Usertour may pass another spelling over, which its capabilities say; it searched as it can.
    assert_eq!(data, json!({ "person": null }));

    let certain = World::with(60, |settings| {
        account(settings, Provider::Usertour).enabled = false
    })
    .await;
    let data = certain
        .data_with(PERSON, json!({ "email": known::NOBODY }))
        .await;
    assert_eq!(data, json!({ "person": null }));
    assert_eq!(certain.tally().await, [1, 1, 1, 0]);

    certain
        .fault(
            Provider::Intercom,
            json!({ "kind": "status", "status": 401 }),
        )
        .await;
    let data = certain
        .data_with(PERSON, json!({ "email": known::NOBODY }))
        .await;
    assert_eq!(data["person"]["users"], json!([]));
    assert_eq!(
        data["person"]["sources"][2],
        json!({ "provider": "INTERCOM", "status": "FAILED" })
    );
}

#[tokio::test]
async fn a_person_with_records_is_there_though_a_provider_failed() {
    let world = World::with(60, |_| {}).await;
    world
        .fault(
            Provider::DigitalChalk,
            json!({ "kind": "status", "status": 403 }),
        )
        .await;

    let data = world
        .data_with(PERSON, json!({ "email": known::EVERYWHERE }))
        .await;

    assert_eq!(data["person"]["name"], "Ann Archer");
    assert_eq!(data["person"]["users"].as_array().map(Vec::len), Some(3));
    let failed = json!({ "provider": "DIGITAL_CHALK", "status": "FAILED" });
    assert_eq!(data["person"]["sources"][1], failed);
}
