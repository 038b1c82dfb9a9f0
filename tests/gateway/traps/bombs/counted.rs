//! Queries that are refused for the size of what they name, read or return.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;

use super::{refused, too_complex};
use crate::{bad_input::codes, world::World};

#[tokio::test]
async fn long_names_are_counted_for_every_row_and_every_error() {
    let long = "a".repeat(40_000);
    let lists = |fields: &str| -> String {
        (0..20)
            .map(|n| format!("u{n}: users(provider: ADA, first: 500) {{ nodes {{ {fields} }} }} "))
            .collect()
    };
    too_complex(&format!(
        "{{ {} }} fragment f on User {{ {long}: name }}",
        lists("...f")
    ))
    .await;
    let tags: String = (0..10).map(|n| format!("t{n}: tags ")).collect();
    too_complex(&format!(
        "{{ {long}: users(provider: ADA, first: 500) {{ nodes {{ {tags} }} }} }}"
    ))
    .await;
}

#[tokio::test]
async fn a_large_variable_behind_many_arguments_is_refused_at_once() {
    let world = World::with(0, |_| {}).await;
    let fields: String = (0..290)
        .map(|n| format!("a{n}: users(provider: $x, first: $x, last: $x) {{ totalCount }} "))
        .collect();
    let query = format!("query($x: Int) {{ {fields} }}");
    let large: Vec<_> = (0..24_000).map(|_| json!({ "a": 0 })).collect();

    let answer = timeout(
        Duration::from_secs(10),
        world.answer_with(&query, json!({ "x": large })),
    );

    let answer = answer.await.expect("in time");
    assert!(!codes(&answer).is_empty());
}

#[tokio::test]
async fn more_values_in_arguments_than_allowed_are_refused() {
    let world = World::with(0, |_| {}).await;
    let junk: Vec<_> = (0..2_000).map(|_| json!({ "": 0 })).collect();
    let representation =
        json!([{ "__typename": "User", "account": "ada", "remoteId": "x", "j": junk }]);
    let roots =
        |times: usize, of: &str| -> String { (0..times).map(|n| format!("a{n}: {of} ")).collect() };
    let entities = roots(290, "_entities(representations: $of) { __typename }");
    let query = format!("query($of: [_Any!]!) {{ {entities} }}");
    refused(
        &world,
        &query,
        json!({ "of": representation }),
        "QUERY_TOO_COMPLEX",
    )
    .await;

    let upsert =
        "upsertUser(input: { provider: USERTOUR, externalId: \"x\", attributes: $of }) { outcome }";
    let query = format!("mutation($of: JSON) {{ {} }}", roots(290, upsert));
    refused(
        &world,
        &query,
        json!({ "of": { "j": junk } }),
        "QUERY_TOO_COMPLEX",
    )
    .await;
}

#[tokio::test]
async fn a_schema_is_counted_by_its_length() {
    let sdl: String = (0..1_200).map(|n| format!("a{n}: sdl ")).collect();
    too_complex(&format!("{{ _service {{ {sdl} }} }}")).await;

    let world = World::with(0, |_| {}).await;
    world.data("{ _service { sdl } }").await;
}

#[tokio::test]
async fn a_large_type_is_counted_by_its_fields() {
    let names: String = (0..30).map(|n| format!("d{n}: description ")).collect();
    let types: String = (0..295)
        .map(|n| format!("a{n}: __type(name: \"IntercomUser\") {{ ...f }} "))
        .collect();
    too_complex(&format!(
        "{{ {types} }} fragment f on __Type {{ fields {{ {names} }} }}"
    ))
    .await;
}

#[tokio::test]
async fn json_inside_json_has_no_separate_depth_limit() {
    let world = World::with(0, |_| {}).await;
    let write = "mutation($input: UpsertUserInput!) { upsertUser(input: $input) { outcome } }";
    let entities = "query($of: [_Any!]!) { _entities(representations: $of) { __typename } }";
    let mut nested = "[".repeat(100) + &"]".repeat(100);
    for _ in 0..5 {
        let inner = serde_json::to_string(&nested).expect("JSON");
        nested = format!(
            "{}{{\"$serde_json::private::RawValue\": {inner}}}{}",
            "[".repeat(100),
            "]".repeat(100)
        );
    }
    for (query, variables) in [
        (
            write,
            format!(
                "{{\"input\": {{\"provider\": \"ADA\", \"externalId\": \"1\", \"attributes\": {{\"a\": {nested}}}}}}}"
            ),
        ),
        (entities, format!("{{\"of\": [{nested}]}}")),
    ] {
        let body = format!(
            "{{\"query\": {}, \"variables\": {variables}}}",
            json!(query)
        );
        let answer = world
            .client
            .post(format!("http://{}/graphql", world.gateway))
            .header("content-type", "application/json")
            .body(body)
            .send();
        let answer: Value = answer.await.expect("an answer").json().await.expect("JSON");
        assert!(answer.is_object(), "{query}");
        world.data("{ accounts { provider } }").await;
    }
}

#[tokio::test]
async fn introspection_is_counted_as_what_it_lists() {
    let names: String = (0..2_500).map(|n| format!("a{n}:description ")).collect();
    too_complex(&format!(
        "{{ __schema {{ types {{ fields {{ {names} }} }} }} }}"
    ))
    .await;
}
