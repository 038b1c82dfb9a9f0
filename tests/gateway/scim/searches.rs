//! Searches: many keys in one filter, and fewer where the server refuses or ignores it.

use std::collections::HashSet;

use roster::account::Provider::Scim;
use roster_sandbox::known;
use serde_json::{Value, json};

use super::{calls, option, search, world, world_with};
use crate::world::World;

/// Asks for the addresses of the first users in one request; each must be found.
async fn search_all(world: &World, users: usize) -> usize {
    let records = world.records(Scim).await;
    let mut known = HashSet::new();
    let emails: Vec<_> = records
        .iter()
        .filter_map(|record| record["email"].as_str())
        .filter(|email| known.insert(email.to_lowercase()))
        .take(users)
        .collect();
    let fields = emails.iter().enumerate().map(|(number, email)| {
        format!(
            "a{number}: usersByEmail(email: {email:?}) {{ nodes {{ email }} sources {{ status }} }}"
        )
    });
    let query = format!("{{ {} }}", fields.collect::<Vec<_>>().join(" "));
    world.forget_calls().await;
    let data = world.data(&query).await;
    for (number, email) in emails.iter().enumerate() {
        let found = &data[format!("a{number}")];
        let nodes = found["nodes"].as_array().expect("users");
        assert!(
            nodes.iter().any(|user| user["email"] == **email),
            "{email}: {found}"
        );
        assert_eq!(found["sources"][0]["status"], "COMPLETE", "{email}");
    }
    calls(world).await.len()
}

#[tokio::test]
async fn twenty_addresses_are_one_call() {
    let world = world(60).await;
    assert_eq!(search_all(&world, 20).await, 1);
    assert_eq!(search_all(&world, 21).await, 2);
    let small = world_with(60, |settings| option(settings, "search_batch", 7)).await;
    assert_eq!(search_all(&small, 20).await, 3);
}

#[tokio::test]
async fn a_filter_that_is_too_long_is_halved_and_the_next_one_is_shorter() {
    for refusal in ["", "413"] {
        let world = world(60).await;
        // Each address takes two parts, and four where it is not in lower case.
        world.behave(Scim, "or_limit", "30").await;
        if !refusal.is_empty() {
            world.behave(Scim, "or_refusal", refusal).await;
        }

        assert_eq!(search_all(&world, 20).await, 3, "{refusal}");
        assert_eq!(search_all(&world, 20).await, 2, "{refusal}");
    }
}

#[tokio::test]
async fn a_server_that_takes_one_comparison_finds_everybody_all_the_same() {
    let world = world(20).await;
    world.behave(Scim, "or_limit", "1").await;

    // Two spellings in two places; what all of them are refused together is learned.
    for calls in [5, 4] {
        let found = search(&world, "ANN@x.test").await;

        assert_eq!(found["nodes"][0]["email"], known::EVERYWHERE);
        assert_eq!(found["nodes"].as_array().map(Vec::len), Some(1));
        let source = &found["sources"][0];
        assert_eq!(
            (&source["status"], &source["calls"]),
            (&json!("COMPLETE"), &json!(calls))
        );
    }
}

#[tokio::test]
async fn a_server_that_compares_letter_case_is_asked_for_lower_case_too() {
    let world = world(20).await;
    world.behave(Scim, "emails", "case_exact").await;

    let found = search(&world, "ANN@x.test").await;

    assert_eq!(found["nodes"][0]["email"], known::EVERYWHERE);
    assert_eq!(calls(&world).await.len(), 1);
}

#[tokio::test]
async fn a_server_that_ignores_filters_finds_exactly_those_who_have_the_address() {
    let world = world(230).await;
    world.behave(Scim, "filter", "ignored").await;

    let found = search(&world, known::EVERYWHERE).await;
    let nobody = search(&world, known::NOBODY).await;

    assert_eq!(found["nodes"].as_array().map(Vec::len), Some(1));
    assert_eq!(found["sources"][0]["status"], "COMPLETE");
    assert_eq!(nobody["nodes"], json!([]));
    assert_eq!(nobody["sources"][0]["status"], "COMPLETE");

    let bounded = world_with(230, |settings| option(settings, "search_pages", 1)).await;
    bounded.behave(Scim, "filter", "ignored").await;
    let found = search(&bounded, known::NOBODY).await;
    assert_eq!(found["sources"][0]["status"], "PARTIAL");
    assert_eq!(found["sources"][0]["notices"][0]["code"], "LIMIT_REACHED");
}

#[tokio::test]
async fn a_server_without_filters_fails_and_says_so() {
    let world = world(20).await;
    world.behave(Scim, "filter", "unsupported").await;

    let found = search(&world, known::EVERYWHERE).await;

    assert_eq!(found["nodes"], json!([]));
    assert_eq!(found["sources"][0]["status"], "FAILED");
    assert_eq!(found["sources"][0]["error"]["code"], "PROVIDER_REJECTED");
    assert_eq!(calls(&world).await, ["GET /Users 501"]);
}

#[tokio::test]
async fn external_ids_are_found_together_and_exactly() {
    let world = world(60).await;
    let records = world.records(Scim).await;
    let known: Vec<_> = records
        .iter()
        .filter_map(|record| record["externalId"].as_str())
        .take(5)
        .collect();
    let any = known
        .iter()
        .chain(&["a\"b\\c", "CRM-ANN"])
        .map(|id| json!({ "__typename": "User", "account": "scim", "externalId": id }));
    let query = "query ($any: [_Any!]!) { _entities(representations: $any) {
        ... on User { externalId } } }";
    for switch in ["", "ignored"] {
        if !switch.is_empty() {
            world.behave(Scim, "filter", switch).await;
        }
        world.forget_calls().await;

        let data = world
            .data_with(query, json!({ "any": any.clone().collect::<Value>() }))
            .await;

        let expected = known.iter().map(|id| json!({ "externalId": id }));
        let expected = expected.chain([Value::Null, Value::Null]);
        assert_eq!(data["_entities"], expected.collect::<Value>());
        assert_eq!(calls(&world).await, ["GET /Users 200"], "{switch}");
    }
}

#[tokio::test]
async fn throttled_searches_say_how_long_to_wait() {
    let world = world_with(20, |settings| {
        crate::world::account(settings, Scim).attempts = 1;
    })
    .await;
    let limit = json!({ "kind": "rate_limit", "retry_after": 7 });
    world.fault(Scim, limit).await;

    let found = search(&world, known::EVERYWHERE).await;

    let error = &found["sources"][0]["error"];
    assert_eq!(error["code"], "PROVIDER_RATE_LIMITED", "{found}");
}
