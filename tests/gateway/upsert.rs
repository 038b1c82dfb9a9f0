//! `upsertUser` at every provider: what it answers, which calls it makes, and that what is refused
//! writes nothing.

mod ada;
mod digital_chalk;
mod intercom;
mod lost;
mod many;
mod numbers;
mod once;
mod refused;
mod remarks;
mod told;
mod unclear;
mod unconfirmed;
mod unsettled;
mod usertour;
mod usertour_v2;

use roster::account::Provider;
use serde_json::{Value, json};

use crate::{
    subject::expected,
    world::{World, word},
};

const UPSERT: &str = "mutation($input: UpsertUserInput!) { upsertUser(input: $input) {
    outcome
    user { remoteId externalId email name firstName tags attributes }
    userErrors { field message code retryAfter }
} }";

/// [`UPSERT`] without attributes where reading them takes another call.
fn upsert_query(of: Provider) -> String {
    match expected(of).attributes_cost_a_call {
        true => UPSERT.replace(" attributes", ""),
        false => UPSERT.to_owned(),
    }
}

/// Writes, and gives the payload. There are no errors but those in it.
async fn upsert(world: &World, of: Provider, mut input: Value) -> Value {
    input["provider"] = word(of).into();
    world.forget_calls().await;
    let query = upsert_query(of);
    let mut data = world.data_with(&query, json!({ "input": input })).await;
    data["upsertUser"].take()
}

/// Writes, and gives the user; it must be written without objection.
async fn written(world: &World, of: Provider, input: Value, outcome: &str) -> Value {
    let mut payload = upsert(world, of, input).await;
    assert_eq!(payload["userErrors"], json!([]), "{payload}");
    assert_eq!(payload["outcome"], outcome, "{payload}");
    payload["user"].take()
}

/// Writes, and gives the user errors; nothing must be written.
async fn skipped(world: &World, of: Provider, input: Value) -> Value {
    let mut payload = upsert(world, of, input).await;
    assert_eq!(payload["outcome"], "SKIPPED", "{payload}");
    assert_eq!(payload["user"], Value::Null, "{payload}");
    let written = calls(world, of).await;
    let written = written.iter().filter(|call| !call.starts_with("GET"));
    assert_eq!(written.count(), 0);
    payload["userErrors"].take()
}

/// The calls of a provider: method, path and status.
async fn calls(world: &World, of: Provider) -> Vec<String> {
    let calls = world.calls(of).await.into_iter();
    calls
        .map(|call| {
            format!(
                "{} {} {}",
                call.method,
                call.path,
                call.status.unwrap_or_default()
            )
        })
        .collect()
}

/// A record of a provider, by its address.
async fn record(world: &World, of: Provider, email: &str) -> Value {
    let records = world.records(of).await;
    let found = records.into_iter().find(|record| record["email"] == email);
    found.unwrap_or_else(|| panic!("{of:?} holds no {email}"))
}

fn text(value: &Value) -> &str {
    value.as_str().expect("text")
}
