//! SCIM servers and what they differ in: caps, filters that are refused or ignored, pages that contradict
//! themselves, PATCH and versions that they have or not.

mod lists;
mod searches;
mod writes;

use roster::{account::Provider::Scim, config::Settings};
use serde_json::{Value, json};

use crate::world::{Call, World, account};

/// A world with an account of a SCIM server alone.
async fn world(users: usize) -> World {
    world_with(users, |_| {}).await
}

async fn world_with(users: usize, change: impl FnOnce(&mut Settings)) -> World {
    World::with_providers(&[Scim], users, |settings| {
        settings.limits.calls = 1_000;
        // Every page of the sandbox is made from all of its users.
        settings.limits.deadline_seconds = 100.0;
        change(settings);
    })
    .await
}

/// Sets an option of the account.
fn option(settings: &mut Settings, name: &str, value: i64) {
    let options = &mut account(settings, Scim).options;
    options.insert(name.to_owned(), value.into());
}

/// The calls that the server got, and how it answered: `GET /Users 200`.
async fn calls(world: &World) -> Vec<String> {
    let of = |call: Call| {
        let path = call.path.trim_start_matches("/scim/v2").to_owned();
        format!("{} {path} {}", call.method, call.status.unwrap_or_default())
    };
    world.calls(Scim).await.into_iter().map(of).collect()
}

/// The users of an address, with the report of the source.
async fn search(world: &World, email: &str) -> Value {
    world.forget_calls().await;
    let query = "query ($email: String!) { usersByEmail(email: $email) {
        nodes { remoteId email } sources { status calls notices { code } error { code message } } } }";
    let mut data = world.data_with(query, json!({ "email": email })).await;
    data["usersByEmail"].take()
}

/// The ids of records or users, under the name that they have there.
fn ids(rows: &Value, name: &str) -> Vec<String> {
    let rows = rows.as_array().expect("a list").iter();
    rows.map(|row| row[name].as_str().expect("an id").to_owned())
        .collect()
}
