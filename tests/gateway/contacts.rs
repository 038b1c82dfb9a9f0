//! Intercom's contacts (2.x): many keys in one search, whatever its index does not know yet, contacts
//! that became others, writes, and the lists that a record only begins.

mod batches;
mod expiry;
mod lag;
mod merges;
mod parts;
mod replicas;
mod writes;

use roster::{account::Provider, config::Settings};
use roster_sandbox::TOKEN;
use serde_json::{Value, json};

use crate::world::{World, intercom};

/// The newest version.
const NEWEST: &str = "2.17";

/// Gateways over contacts.
async fn world(users: usize) -> World {
    World::with(users, newest).await
}

fn newest(settings: &mut Settings) {
    intercom(settings, NEWEST);
}

/// Sends Intercom something past the gateway, and forgets the calls.
async fn at_intercom(world: &World, method: &str, path: &str, body: Value) -> Value {
    let method = method.parse().expect("a method");
    let url = format!("http://{}/intercom{path}", world.sandbox);
    let request = world.client.request(method, url).bearer_auth(TOKEN);
    let request = request.header("Intercom-Version", NEWEST).json(&body);
    let answer = request.send().await.expect("an answer");
    let (status, text) = (answer.status(), answer.text().await.expect("a body"));
    assert!(status.is_success(), "{path}: {status} {text}");
    world.forget_calls().await;
    serde_json::from_str(&text).expect("JSON")
}

/// Makes a contact past the gateway; its id.
async fn made(world: &World, contact: Value) -> String {
    let contact = at_intercom(world, "POST", "/contacts", contact).await;
    contact["id"].as_str().expect("an id").to_owned()
}

/// The calls that Intercom got: method, path without ids, status.
async fn calls(world: &World) -> Vec<String> {
    let calls = world.calls(Provider::Intercom).await.into_iter();
    calls
        .map(|call| {
            let is_id =
                |part: &&str| part.len() == 24 && part.bytes().all(|b| b.is_ascii_hexdigit());
            let path = call
                .path
                .split('/')
                .map(|part| if is_id(&part) { "ID" } else { part });
            let path: Vec<_> = path.collect();
            let status = call.status.unwrap_or_default();
            format!("{} {} {status}", call.method, path.join("/"))
        })
        .collect()
}

/// The ids that a search by email finds at Intercom, which must be whole.
async fn ids_at(world: &World, email: &str) -> Vec<Value> {
    let query = "query ($email: String!) { usersByEmail(email: $email, providers: [INTERCOM]) {
        nodes { remoteId } sources { status } } }";
    let data = world.data_with(query, json!({ "email": email })).await;
    let found = &data["usersByEmail"];
    assert_eq!(found["sources"], json!([{ "status": "COMPLETE" }]));
    let users = found["nodes"].as_array().expect("users");
    users.iter().map(|user| user["remoteId"].clone()).collect()
}
