//! Numbers in `attributes` reach the provider as they are given, or are refused.

use roster::account::Provider::Ada;
use serde_json::Value;

use super::calls;
use crate::world::World;

const FIELDS: &str = "outcome user { attributes } userErrors { code message }";

/// A write whose attribute stands in the document.
fn literal(attribute: &str) -> String {
    format!(
        r#"{{"query":"mutation {{ upsertUser(input: {{ provider: ADA, externalId: \"n\", attributes: {{ k: {attribute} }} }}) {{ {FIELDS} }} }}"}}"#
    )
}

/// A write whose attribute is the default of a variable.
fn default(attribute: &str) -> String {
    format!(
        r#"{{"query":"mutation ($a: JSON = {{ k: {attribute} }}) {{ upsertUser(input: {{ provider: ADA, externalId: \"n\", attributes: $a }}) {{ {FIELDS} }} }}"}}"#
    )
}

/// A write whose attribute stands in the variables.
fn variable(attribute: &str) -> String {
    format!(
        r#"{{"query":"mutation ($a: JSON) {{ upsertUser(input: {{ provider: ADA, externalId: \"n\", attributes: $a }}) {{ {FIELDS} }} }}","variables":{{"a":{{"k":{attribute}}}}}}}"#
    )
}

async fn sent(world: &World, body: &str) -> String {
    let request = world
        .client
        .post(format!("http://{}/graphql", world.gateway))
        .header("content-type", "application/json")
        .body(body.to_owned());
    let answer = request.send().await.expect("an answer");
    answer.text().await.expect("text")
}

#[tokio::test]
async fn a_number_beyond_64_bits_is_refused_and_never_becomes_another() {
    let world = World::with(3, |_| {}).await;
    for number in [
        "18446744073709551616",
        "-9223372036854775809",
        "[12345678901234567890123]",
    ] {
        for body in [literal(number), default(number), variable(number)] {
            let said = sent(&world, &body).await;

            assert!(said.contains("BAD_USER_INPUT"), "{body}: {said}");
            let bounds = "-9223372036854775808 to 18446744073709551615";
            assert!(said.contains(bounds), "{body}: {said}");
        }
    }
    assert_eq!(calls(&world, Ada).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_number_of_64_bits_keeps_its_digits() {
    let world = World::with(3, |_| {}).await;
    for number in [
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551615",
        "-9223372036854775808",
    ] {
        for body in [literal(number), default(number), variable(number)] {
            let said = sent(&world, &body).await;

            assert!(said.contains(&format!("\"k\":{number}")), "{body}: {said}");
        }
    }
}

#[tokio::test]
async fn digits_in_a_text_and_in_an_id_may_be_as_many_as_they_like() {
    let world = World::with(3, |_| {}).await;
    let body = r#"{"query":"{ user(provider: DIGITAL_CHALK, by: { remoteId: 123456789012345678901 }) { id } }","variables":{"a":"say \"x\" 123456789012345678901"}}"#;

    let said = sent(&world, body).await;

    let said: Value = serde_json::from_str(&said).expect("JSON");
    assert!(said["errors"].is_null(), "{said}");
}

#[test]
fn every_json_that_is_given_is_called_attributes() {
    let schema = include_str!("../../../schema.graphql");
    let inputs = schema.split("\ninput ").skip(1);
    let inputs = inputs.filter_map(|rest| rest.split("\n}").next());
    let mut given = inputs.flat_map(str::lines).map(str::trim);
    let other = given.find(|line| line.ends_with(": JSON") && *line != "attributes: JSON");
    assert_eq!(other, None);
    assert!(!schema.contains(": JSON)") && !schema.contains(": JSON,"));
}
