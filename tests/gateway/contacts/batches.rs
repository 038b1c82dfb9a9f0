//! Keys that are asked for together are one search, and every key gets its own answer.

use std::collections::BTreeSet;

use roster_sandbox::known::{self, NOBODY, SHARED};
use serde_json::{Value, json};

use super::{calls, intercom, made, newest, world};
use crate::world::{World, account};
use roster::account::Provider::Intercom;

fn aliases(emails: &[String]) -> String {
    let fields = emails.iter().enumerate().map(|(at, email)| {
        format!(
            "a{at}: usersByEmail(email: \"{email}\", providers: [INTERCOM]) {{
                nodes {{ remoteId email kind }} totalCount sources {{ status calls }} }}"
        )
    });
    format!("{{ {} }}", fields.collect::<Vec<_>>().join(" "))
}

/// Addresses of the seeded people, those with several records and one that nobody has among them. Those
/// beyond ASCII are left out: each is several values of a search.
async fn addresses(world: &World, count: usize) -> Vec<String> {
    let records = world.records(Intercom).await.into_iter();
    let emails: BTreeSet<String> = records
        .filter_map(|record| Some(record["email"].as_str()?.to_lowercase()))
        .collect();
    let first = [SHARED.to_owned(), NOBODY.to_owned()];
    let others = emails
        .into_iter()
        .filter(|email| email != SHARED && email.is_ascii());
    first.into_iter().chain(others).take(count).collect()
}

#[tokio::test]
async fn twenty_addresses_in_one_request_are_one_call_and_give_the_answers_of_twenty_requests() {
    let world = world(known::ENOUGH).await;
    let emails = addresses(&world, 20).await;

    let together = world.data(&aliases(&emails)).await;

    assert_eq!(calls(&world).await, ["POST /contacts/search 200"]);
    for (at, email) in emails.iter().enumerate() {
        let alone = world.data(&aliases(std::slice::from_ref(email))).await;
        assert_eq!(together[format!("a{at}")], alone["a0"], "{email}");
    }
    let records = |at: usize| together[format!("a{at}")]["nodes"].as_array().map(Vec::len);
    assert!(records(0) > Some(1), "{SHARED} has several records");
    assert_eq!(records(1), Some(0), "{NOBODY} has none");
}

#[tokio::test]
async fn two_hundred_addresses_are_four_searches_and_one_that_fails_fails_alone() {
    let world = world(400).await;
    let emails = addresses(&world, 200).await;

    let data = world.data(&aliases(&emails)).await;

    assert_eq!(calls(&world).await, ["POST /contacts/search 200"; 4]);
    for (at, email) in emails.iter().enumerate().skip(2) {
        let users = data[format!("a{at}")]["nodes"].as_array().expect("users");
        assert!(!users.is_empty(), "{email}");
        for user in users {
            let spelling = user["email"].as_str().unwrap_or_default();
            assert_eq!(spelling.to_lowercase(), *email);
        }
    }

    world
        .fault(
            Intercom,
            json!({ "kind": "status", "status": 403, "count": 1 }),
        )
        .await;
    let data = world.data(&aliases(&emails)).await;
    let failed = (0..200).filter(|at| data[format!("a{at}")]["sources"][0]["status"] == "FAILED");
    assert_eq!(failed.count(), 50);
}

#[tokio::test]
async fn a_batch_is_as_large_as_configured_and_a_refused_one_is_sent_in_halves() {
    let world = World::with(known::ENOUGH, |settings| {
        newest(settings);
        let options = &mut account(settings, Intercom).options;
        options.insert("search_batch".to_owned(), 7.into());
    })
    .await;
    let emails = addresses(&world, 20).await;

    world.data(&aliases(&emails)).await;
    assert_eq!(calls(&world).await, ["POST /contacts/search 200"; 3]);

    world.behave(Intercom, "in_limit", "3").await;
    world.forget_calls().await;
    let data = world.data(&aliases(&emails)).await;
    for at in 0..20 {
        let source = &data[format!("a{at}")]["sources"][0];
        assert_eq!(source["status"], "COMPLETE", "{source}");
    }
    let refused = calls(&world).await;
    let refused = refused.iter().filter(|call| call.ends_with("400"));
    assert!(refused.count() > 0);

    let list = "{ users(provider: INTERCOM, first: 8) { nodes { id } } }";
    let listed = world.data(list).await["users"]["nodes"].take();
    let ids: Vec<_> = listed
        .as_array()
        .into_iter()
        .flatten()
        .map(|user| user["id"].clone())
        .collect();
    let query = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }";
    assert_eq!(
        world.data_with(query, json!({ "ids": ids })).await["nodes"],
        listed
    );
}

#[tokio::test]
async fn two_spellings_of_an_address_are_two_of_the_values_of_a_search() {
    let world = world(known::ENOUGH).await;
    world.behave(Intercom, "in_limit", "50").await;
    let emails: Vec<_> = (0..50).map(|at| format!("User{at}@X.test")).collect();

    world.data(&aliases(&emails)).await;

    assert_eq!(calls(&world).await, ["POST /contacts/search 200"; 2]);
}

#[tokio::test]
async fn every_page_of_a_search_is_read_and_every_record_of_an_address_is_kept() {
    let world = world(3).await;
    for at in 0..160 {
        let lead = json!({ "role": "lead", "email": "many@x.test", "name": format!("Lead {at}") });
        made(&world, lead).await;
    }
    let emails = ["many@x.test".to_owned(), known::EVERYWHERE.to_owned()];

    let data = world.data(&aliases(&emails)).await;

    assert_eq!(data["a0"]["totalCount"], 160);
    assert_eq!(data["a0"]["sources"][0]["calls"], 2);
    assert_eq!(data["a1"]["totalCount"], 1);
    assert_eq!(calls(&world).await, ["POST /contacts/search 200"; 2]);
}

#[tokio::test]
async fn ids_in_one_request_are_one_search_and_a_lookup_for_each_that_it_misses() {
    let world = world(60).await;
    let list = "{ users(provider: INTERCOM, first: 30) { nodes { id name } } }";
    let listed = world.data(list).await["users"]["nodes"].take();
    let mut expected = listed.as_array().cloned().expect("users");
    let ids = expected.iter().map(|user| user["id"].clone());
    let nobody = "WzMsInVzZXIiLCJpbnRlcmNvbSIsIm5vYm9keSJd";
    let ids: Vec<_> = ids.chain([json!(nobody)]).collect();
    expected.push(Value::Null);
    world.forget_calls().await;

    let query = "query ($ids: [ID!]!) { nodes(ids: $ids) { id ... on User { name } } }";
    let data = world.data_with(query, json!({ "ids": ids })).await;

    assert_eq!(data["nodes"], Value::Array(expected));
    assert_eq!(
        calls(&world).await,
        ["POST /contacts/search 200", "GET /contacts/nobody 404"]
    );
}

async fn external_ids(version: &str) -> Vec<String> {
    let world = World::with(known::ENOUGH, |settings| intercom(settings, version)).await;
    let records = world.records(Intercom).await.into_iter();
    let ids = records.filter_map(|record| record["externalId"].as_str().map(str::to_owned));
    let mut ids: Vec<_> = ids.filter(|id| id.starts_with("crm-")).take(4).collect();
    ids.push("crm-of-nobody".to_owned());
    let fields = ids.iter().enumerate().map(|(at, id)| {
        format!("a{at}: user(provider: INTERCOM, by: {{ externalId: \"{id}\" }}) {{ externalId }}")
    });
    let query = format!("{{ {} }}", fields.collect::<Vec<_>>().join(" "));

    let data = world.data(&query).await;

    for (at, id) in ids.iter().enumerate().take(4) {
        assert_eq!(data[format!("a{at}")]["externalId"], **id);
    }
    assert_eq!(data["a4"], Value::Null);
    calls(&world).await
}

#[tokio::test]
async fn external_ids_in_one_request_are_one_search_and_a_lookup_for_each_that_it_misses() {
    assert_eq!(
        external_ids("2.13").await,
        [
            "POST /contacts/search 200",
            "GET /contacts/find_by_external_id/crm-of-nobody 404"
        ]
    );
    assert_eq!(
        external_ids("2.12").await,
        ["POST /contacts/search 200", "POST /contacts/search 200"]
    );
}

#[tokio::test]
async fn a_lookup_that_fails_fails_its_own_key() {
    let world = world(20).await;
    let list = "{ users(provider: INTERCOM, first: 2) { nodes { remoteId } } }";
    let listed = world.data(list).await["users"]["nodes"].take();
    let id = listed[0]["remoteId"].as_str().expect("an id");
    let fault = json!({ "kind": "status", "status": 403, "path": "/contacts/nobody" });
    world.fault(Intercom, fault).await;

    let answer = world
        .answer(&format!(
            "{{ one: user(provider: INTERCOM, by: {{ remoteId: \"{id}\" }}) {{ remoteId }}
                other: user(provider: INTERCOM, by: {{ remoteId: \"nobody\" }}) {{ remoteId }} }}"
        ))
        .await;

    assert_eq!(answer["data"]["one"]["remoteId"], id);
    assert_eq!(answer["data"]["other"], Value::Null);
    assert_eq!(answer["errors"][0]["path"], json!(["other"]));
    assert_eq!(answer["errors"][0]["extensions"]["code"], "PROVIDER_AUTH");
    assert_eq!(answer["errors"].as_array().map(Vec::len), Some(1));
}
