//! The response cache: no second call, never older than stated, invalidated by a write.

mod ages;
mod common;
mod documents;
mod forgotten;
mod headers;
mod kept;
mod scanned;
mod shared;
mod traced;
mod trusted;

use roster::{account::Provider, config::Settings};
use serde_json::{Value, json};

use crate::{subject::expected, world::World};

const ANN: &str = "ann@x.test";

/// A world whose gateway caches responses for a minute, unless `change` differs.
async fn keeping(change: impl FnOnce(&mut Settings)) -> World {
    World::with(60, |settings| {
        settings.cache.seconds = 60.0;
        change(settings);
    })
    .await
}

/// A second gateway on the same providers, without a cache: its writes are changes made elsewhere.
async fn elsewhere(world: &World) -> World {
    let mut settings = crate::world::settings(world.sandbox);
    settings.cache.seconds = 0.0;
    world.beside(World::serve(&settings).await)
}

/// Renames Ann at a provider.
async fn rename(world: &World, of: Provider, name: &str) {
    let expected = expected(of);
    let mut input = json!({ "provider": expected.graph_name, expected.name_field: name });
    match expected.has_external_ids {
        true => input["externalId"] = "crm-ann".into(),
        false => input["email"] = ANN.into(),
    }
    let query = "mutation ($input: UpsertUserInput!) { upsertUser(input: $input) { outcome userErrors { code message } } }";
    let data = world.data_with(query, json!({ "input": input })).await;
    let payload = &data["upsertUser"];
    assert_eq!(payload["outcome"], "UPDATED", "{payload}");
    // An unavailable store is a warning.
    let errors = payload["userErrors"].as_array().expect("errors");
    let is_warning = |error: &Value| error["code"] == "UNGUARDED";
    assert!(errors.iter().all(is_warning), "{payload}");
}

const FIND: &str =
    "query ($of: [Provider!]) { usersByEmail(email: \"ann@x.test\", providers: $of) {
    nodes { provider name firstName }
    sources { provider status stale asOf calls notices { code message } error { code } } } }";

/// Finds Ann at a provider: her record and its source.
async fn ann(world: &World, of: Provider) -> (Value, Value) {
    let of = json!({ "of": [crate::world::word(of)] });
    let mut data = world.data_with(FIND, of).await;
    let found = &mut data["usersByEmail"];
    let user = found["nodes"].get_mut(0).map(Value::take);
    (user.unwrap_or_default(), found["sources"][0].take())
}
