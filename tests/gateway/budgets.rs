//! Budgets: however many clients send requests at once, a provider gets no more calls than it allows, in any
//! window; and a request that cannot be served in time is refused without a call.

mod closing;
mod learning;
mod limits;
pub(crate) mod redis;
mod shared;
mod shown;

use std::time::Duration;

use futures_util::future::join_all;
use roster::{account::Provider, config::Settings, connectors::QuotaWindow};
use serde_json::Value;

use crate::world::{Call, World, account, word};

/// A world in which one provider has this budget, and the others the demo's.
async fn world(of: Provider, budget: &[(u32, u32)], change: impl FnOnce(&mut Settings)) -> World {
    World::with(200, |settings| {
        let windows = budget.iter();
        let windows = windows.map(|&(calls, seconds)| QuotaWindow { calls, seconds });
        account(settings, of).budget = Some(windows.collect());
        change(settings);
    })
    .await
}

/// The ids of a provider's users.
async fn ids(world: &World, of: Provider) -> Vec<String> {
    let records = world.records(of).await;
    let ids = records.iter().filter_map(|record| record["id"].as_str());
    ids.map(str::to_owned).collect()
}

/// Asks for one user.
async fn request(world: &World, of: Provider, id: &str) -> Value {
    let of = word(of);
    world
        .answer(&format!(
            "{{ user(provider: {of}, by: {{ remoteId: \"{id}\" }}) {{ remoteId }} }}"
        ))
        .await
}

/// Asks for `count` users, each in its own request, all at once.
async fn request_all(world: &World, of: Provider, count: usize) -> Vec<Value> {
    let ids = ids(world, of).await;
    assert!(ids.len() >= count);
    join_all(ids.iter().take(count).map(|id| request(world, of, id))).await
}

/// The largest number of calls that arrived within any span.
fn most_within(calls: &[Call], span: Duration) -> usize {
    let span = i64::try_from(span.as_millis()).expect("a span");
    let mut arrivals: Vec<_> = calls.iter().map(|call| call.at).collect();
    arrivals.sort_unstable();
    let from = |place: usize| {
        let first = arrivals[place];
        let within = arrivals[place..].iter();
        // Arrivals are noted in whole milliseconds.
        within.take_while(|at| **at < first + span - 1).count()
    };
    (0..arrivals.len()).map(from).max().unwrap_or_default()
}

/// The code of a refused query, and the number of seconds until a retry.
fn refusal(answer: &Value) -> Option<(&str, Option<u64>)> {
    let extensions = &answer["errors"][0]["extensions"];
    let code = extensions["code"].as_str()?;
    Some((code, extensions["retryAfter"].as_u64()))
}
