//! Known weaknesses of GraphQL engines: partial failure, documents that cost more than they seem
//! to, clients that leave.

mod bombs;
mod depth;
mod introspection;
mod leaving;

use serde_json::{Value, json};

use crate::{bad_input::codes, world::World};
use roster::account::Provider;

fn keys(object: &Value) -> Vec<&str> {
    let object = object.as_object().expect("an object");
    object.keys().map(String::as_str).collect()
}

async fn ill(world: &World, of: Provider) {
    let fault = json!({ "kind": "status", "status": 401 });
    world.fault(of, fault).await;
}

#[tokio::test]
async fn keys_follow_the_order_of_the_document_whatever_finishes_first() {
    let world = World::with(3, |_| {}).await;
    for (of, milliseconds) in [(Provider::Intercom, 200), (Provider::Ada, 100)] {
        let late = json!({ "kind": "latency", "milliseconds": milliseconds });
        world.fault(of, late).await;
    }
    ill(&world, Provider::Usertour).await;

    let answer = world
        .answer(
            "{ last: users(provider: INTERCOM, first: 1) { totalCount nodes { provider remoteId kind } }
               failing: users(provider: USERTOUR) { totalCount }
               middle: users(provider: ADA, first: 1) { pageInfo { hasNextPage startCursor } totalCount }
               ...more
               accounts { provider }
               first: users(provider: DIGITAL_CHALK, first: 1) { totalCount } }
             fragment more on Query { nobody: node(id: \"x\") { id } __typename }",
        )
        .await;

    let data = &answer["data"];
    assert_eq!(
        keys(data),
        [
            "last",
            "failing",
            "middle",
            "nobody",
            "__typename",
            "accounts",
            "first"
        ]
    );
    assert_eq!(keys(&data["last"]), ["totalCount", "nodes"]);
    assert_eq!(
        keys(&data["last"]["nodes"][0]),
        ["provider", "remoteId", "kind"]
    );
    assert_eq!(keys(&data["middle"]), ["pageInfo", "totalCount"]);
    assert_eq!(codes(&answer).len(), 2);
}

#[tokio::test]
async fn a_failing_root_field_leaves_its_siblings_their_values() {
    let world = World::with(3, |_| {}).await;
    ill(&world, Provider::Ada).await;
    let user = world.records(Provider::Intercom).await[0]["id"].take();

    let answer = world
        .answer_with(
            "query($id: ID!) {
                before: user(provider: INTERCOM, by: { remoteId: $id }) { remoteId }
                list: users(provider: ADA) { totalCount }
                user: user(provider: ADA, by: { remoteId: \"1\" }) { id }
                wrong: users(provider: INTERCOM, first: -1) { totalCount }
                bad: usersByEmail(email: \"\") { totalCount }
                person(email: \"nobody\") { email }
                after: users(provider: INTERCOM) { totalCount }
             }",
            json!({ "id": user }),
        )
        .await;

    assert_eq!(
        answer["data"],
        json!({
            "before": { "remoteId": user }, "list": null, "user": null, "wrong": null, "bad": null,
            "person": null, "after": { "totalCount": 3 },
        })
    );
    let mut failed: Vec<_> = answer["errors"].as_array().into_iter().flatten().collect();
    failed.sort_by_key(|error| error["path"].to_string());
    let failed: Vec<_> = failed
        .iter()
        .map(|error| {
            (
                error["path"][0].as_str(),
                error["extensions"]["code"].as_str(),
            )
        })
        .collect();
    assert_eq!(
        failed,
        [
            (Some("bad"), Some("BAD_USER_INPUT")),
            (Some("list"), Some("PROVIDER_AUTH")),
            (Some("person"), Some("BAD_USER_INPUT")),
            (Some("user"), Some("PROVIDER_AUTH")),
            (Some("wrong"), Some("BAD_USER_INPUT")),
        ]
    );
}

#[tokio::test]
async fn one_failing_alias_of_a_field_fails_alone() {
    let world = World::with(200, |_| {}).await;

    let answer = world
        .answer(
            "{ a: usersByEmail(email: \"ann@x.test\", providers: [INTERCOM]) { nodes { email } }
               b: usersByEmail(email: \"no address\") { nodes { email } }
               c: usersByEmail(email: \"joann@x.test\", providers: [INTERCOM]) { nodes { email } } }",
        )
        .await;

    assert_eq!(
        answer["data"],
        json!({
            "a": { "nodes": [{ "email": "ann@x.test" }] },
            "b": null,
            "c": { "nodes": [{ "email": "joann@x.test" }] },
        })
    );
    assert_eq!(answer["errors"][0]["path"], json!(["b"]));
    assert_eq!(codes(&answer), ["BAD_USER_INPUT"]);
}

#[tokio::test]
async fn a_failing_field_that_cannot_be_null_takes_its_parent() {
    let world = World::with(3, |_| {}).await;
    let query = "mutation($input: UpsertUserInput!, $good: UpsertUserInput!) {
        good: upsertUser(input: $good) { outcome }
        bad: upsertUser(input: $input) { outcome } }";
    let good = json!({ "provider": "USERTOUR", "externalId": "x" });

    let answer = world
        .answer_with(
            query,
            json!({ "good": good, "input": { "provider": "NOBODY" } }),
        )
        .await;

    assert!(answer["data"].is_null(), "{answer}");
    assert_eq!(codes(&answer), ["BAD_USER_INPUT"]);
}

#[tokio::test]
async fn mutations_run_one_after_the_other_in_their_order() {
    let world = World::with(3, |_| {}).await;
    let late = json!({ "kind": "latency", "milliseconds": 50 });
    world.fault(Provider::Usertour, late).await;
    world.forget_calls().await;

    let data = world
        .data(
            "mutation {
                b: upsertUser(input: { provider: USERTOUR, externalId: \"new\", name: \"B\" }) { outcome user { name } }
                a: upsertUser(input: { provider: USERTOUR, externalId: \"new\", name: \"A\" }) { outcome user { name } } }",
        )
        .await;

    assert_eq!(keys(&data), ["b", "a"]);
    assert_eq!(
        data["b"],
        json!({ "outcome": "CREATED", "user": { "name": "B" } })
    );
    assert_eq!(
        data["a"],
        json!({ "outcome": "UPDATED", "user": { "name": "A" } })
    );
    let calls = world.calls(Provider::Usertour).await;
    let methods: Vec<_> = calls.iter().map(|call| call.method.as_str()).collect();
    assert_eq!(methods, ["GET", "POST", "GET", "POST"]);
}
