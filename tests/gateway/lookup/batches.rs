//! A request that names a user several times makes one call, and a failure fails alone.

use roster::account::Provider;
use roster_sandbox::known;
use serde_json::{Value, json};

use crate::world::{World, account};

#[tokio::test]
async fn twenty_aliases_of_sixteen_addresses_are_as_few_calls_as_each_provider_allows() {
    let world = World::with(known::ENOUGH, |_| {}).await;
    let emails = [
        known::EVERYWHERE,
        known::JOANN,
        known::PLUS,
        known::SHARED,
        known::SHARED_DECOY,
        known::UPPER,
        known::LEAD,
        known::AT_ADA,
        known::AT_USERTOUR,
        known::NOBODY,
        known::UNDERSCORE,
        known::PERCENT,
        known::APOSTROPHE,
        known::PREFIX,
        known::IDN,
        known::UNICODE_NAME,
    ];
    let aliases = emails.iter().cycle().take(20).enumerate();
    let fields = aliases.map(|(at, email)| {
        format!(
            "a{at}: usersByEmail(email: \"{email}\") {{ nodes {{ email }} sources {{ calls }} }}"
        )
    });
    let query = format!("{{ {} }}", fields.collect::<Vec<_>>().join(" "));

    let data = world.data(&query).await;

    for (at, email) in emails.iter().cycle().take(20).enumerate() {
        let found = &data[format!("a{at}")];
        for user in found["nodes"].as_array().expect("users") {
            let spelling = user["email"].as_str().unwrap_or_default();
            assert_eq!(spelling.to_lowercase(), *email);
        }
        let records = match *email {
            known::NOBODY => 0,
            known::AT_ADA | known::AT_USERTOUR => 1,
            known::LEAD => 3,
            known::SHARED => 7,
            _ => 4,
        };
        assert_eq!(
            found["nodes"].as_array().map(Vec::len),
            Some(records),
            "{email}"
        );
        // The scan of 200 users is counted by each of those who share it.
        let calls: Vec<_> = found["sources"].as_array().into_iter().flatten().collect();
        let calls: Vec<_> = calls.iter().map(|source| &source["calls"]).collect();
        // Providers that compare texts get a call for each form of a domain beyond ASCII.
        let forms = if *email == known::IDN { 3 } else { 1 };
        let expected = [2, forms, 1, forms].map(|calls| json!(calls));
        assert_eq!(calls, expected.each_ref(), "{email}");
    }
    assert_eq!(world.tally().await, [2, 7, 1, 18]);
}

#[tokio::test]
async fn a_person_an_entity_and_a_search_of_one_address_share_their_calls() {
    let world = World::with(60, |_| {}).await;
    let query = "query ($any: [_Any!]!) {
        usersByEmail(email: \"ann@x.test\") { nodes { name } }
        person(email: \"ann@x.test\") { name avatarUrl lastSeenAt users { email } sources { status } }
        _entities(representations: $any) { ... on Person { name users { email } } } }";
    let any = json!([{ "__typename": "Person", "email": known::EVERYWHERE }]);

    let data = world.data_with(query, json!({ "any": any })).await;

    assert_eq!(data["person"]["name"], "Ann Archer");
    assert_eq!(data["_entities"][0]["name"], "Ann Archer");
    assert_eq!(world.tally().await, [1; 4]);
}

#[tokio::test]
async fn a_user_requested_in_every_way_is_one_call_for_each_kind_of_key() {
    let world = World::with(60, |_| {}).await;
    let query = "{ a: user(provider: USERTOUR, by: { remoteId: \"crm-ann\" }) { id }
        b: user(provider: USERTOUR, by: { remoteId: \"crm-ann\" }) { name }
        c: user(provider: USERTOUR, by: { externalId: \"crm-ann\" }) { name }
        d: user(provider: USERTOUR, by: { externalId: \"crm-ann\" }) { email } }";

    let data = world.data(query).await;

    assert_eq!(data["d"]["email"], known::EVERYWHERE);
    assert_eq!(world.tally().await, [0, 0, 0, 1]);
}

#[tokio::test]
async fn a_key_that_fails_fails_alone() {
    let world = World::with(60, |settings| {
        account(settings, Provider::Usertour).attempts = 1
    })
    .await;
    let fault = json!({ "kind": "status", "status": 500, "path": "/v1/users/crm-ann" });
    world.fault(Provider::Usertour, fault).await;
    let query = "{ a: user(provider: USERTOUR, by: { remoteId: \"crm-ann\" }) { email }
        b: user(provider: USERTOUR, by: { remoteId: \"k-joann-at-x.test\" }) { email }
        c: usersByEmail(email: \"ann@x.test\", providers: [USERTOUR]) { nodes { email } } }";

    let answer = world.answer(query).await;

    let expected = json!({
        "a": null, "b": { "email": known::JOANN }, "c": { "nodes": [{ "email": known::EVERYWHERE }] },
    });
    assert_eq!(answer["data"], expected);
    let errors = answer["errors"].as_array().expect("errors");
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0]["path"], json!(["a"]));
    let extensions =
        json!({ "code": "PROVIDER_UNAVAILABLE", "provider": "USERTOUR", "account": "usertour" });
    assert_eq!(errors[0]["extensions"], extensions);
}

#[tokio::test]
async fn a_provider_that_fails_fails_no_other_and_the_sources_say_so() {
    let world = World::with(60, |settings| {
        account(settings, Provider::Intercom).attempts = 1
    })
    .await;
    let fault = json!({ "kind": "status", "status": 503 });
    world.fault(Provider::Intercom, fault).await;
    let query = "{ a: usersByEmail(email: \"ann@x.test\") { ...f } b: usersByEmail(email: \"joann@x.test\") { ...f } }
        fragment f on UserConnection { nodes { provider } sources { provider status error { code } } }";

    let data = world.data(query).await;

    let nodes =
        json!([{ "provider": "ADA" }, { "provider": "DIGITAL_CHALK" }, { "provider": "USERTOUR" }]);
    for alias in ["a", "b"] {
        assert_eq!(data[alias]["nodes"], nodes);
        let failed = json!({
            "provider": "INTERCOM", "status": "FAILED", "error": { "code": "PROVIDER_UNAVAILABLE" },
        });
        let sources = &data[alias]["sources"];
        assert_eq!(sources[2], failed);
        let others = [&sources[0], &sources[1], &sources[3]].map(|source| &source["error"]);
        assert_eq!(others, [&Value::Null; 3]);
    }
    assert_eq!(world.tally().await, [1, 2, 1, 2]);
}
