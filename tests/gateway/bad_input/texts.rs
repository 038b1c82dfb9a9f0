//! Texts that no provider is asked for: too long, or with control characters.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use roster::account::Provider;
use serde_json::{Value, json};

use super::{calls, refused_with};
use crate::world::{FOUR, World, word};

/// Control characters of each kind.
const CONTROLS: [char; 6] = ['\u{0}', '\u{7}', '\n', '\u{1b}', '\u{7f}', '\u{85}'];

const BY_REMOTE_ID: &str =
    "query($of: Provider!, $id: ID!) { user(provider: $of, by: { remoteId: $id }) { id } }";
const BY_EXTERNAL_ID: &str =
    "query($of: Provider!, $id: ID!) { user(provider: $of, by: { externalId: $id }) { id } }";
const AT_ACCOUNT: &str = "query($of: String!, $id: ID!) { _entities(representations: [
    { __typename: \"User\", account: $of, remoteId: $id }]) { __typename } }";

fn global(of: Provider, id: &str) -> String {
    URL_SAFE_NO_PAD.encode(json!([3, "user", of.name(), id]).to_string())
}

#[tokio::test]
async fn an_id_of_more_than_512_characters_makes_no_call() {
    let world = World::with(3, |_| {}).await;
    for of in FOUR {
        let long = "x".repeat(513);
        for (query, name) in [(BY_REMOTE_ID, "remoteId"), (BY_EXTERNAL_ID, "externalId")] {
            let variables = json!({ "of": word(of), "id": long });
            let says = format!("`{name}` is longer than 512 characters");
            refused_with(&world, query, variables, &says).await;
        }
        let node = "query($id: ID!) { node(id: $id) { id } }";
        let variables = json!({ "id": global(of, &long) });
        refused_with(
            &world,
            node,
            variables,
            "`id` is longer than 512 characters",
        )
        .await;
        let kept = json!({ "of": word(of), "id": "x".repeat(512) });
        assert_eq!(
            world.data_with(BY_REMOTE_ID, kept).await["user"],
            Value::Null
        );
    }
}

#[tokio::test]
async fn control_characters_in_ids_filters_and_cursors_make_no_call() {
    let world = World::with(3, |_| {}).await;
    for control in CONTROLS {
        let id = format!("a{control}b");
        for query in [BY_REMOTE_ID, BY_EXTERNAL_ID] {
            let variables = json!({ "of": "ADA", "id": id });
            refused_with(&world, query, variables, "holds control characters").await;
        }
        let node = "query($id: ID!) { node(id: $id) { id } }";
        let variables = json!({ "id": global(Provider::Usertour, &id) });
        refused_with(&world, node, variables, "holds control characters").await;
        for name in ["segmentId", "companyId", "tagId"] {
            let list = "query($filter: UserFilter) { users(provider: INTERCOM, filter: $filter) { totalCount } }";
            let variables = json!({ "filter": { name: id } });
            let says = format!("`filter.{name}` holds control characters");
            refused_with(&world, list, variables, &says).await;
            let variables = json!({ "filter": { name: "x".repeat(513) } });
            refused_with(&world, list, variables, "is longer than 512").await;
        }
    }
}

#[tokio::test]
async fn a_representation_with_a_bad_id_makes_no_call() {
    let world = World::with(3, |_| {}).await;
    for (id, says) in [
        ("a\u{0}", "control characters"),
        (&*"x".repeat(513), "longer than 512"),
    ] {
        let variables = json!({ "of": "usertour", "id": id });
        refused_with(&world, AT_ACCOUNT, variables, says).await;
    }
}

#[tokio::test]
async fn a_made_up_cursor_with_control_characters_or_a_long_token_makes_no_call() {
    let world = World::with(3, |_| {}).await;
    let list = "query($of: Provider!, $after: String) { users(provider: $of, first: 1, after: $after) { edges { cursor } } }";
    for (of, path) in [
        ("ADA", &["key"][..]),
        ("USERTOUR", &["token", "t"]),
        ("INTERCOM", &["token", "n"]),
    ] {
        let data = world.data_with(list, json!({ "of": of })).await;
        let cursor = data["users"]["edges"][0]["cursor"]
            .as_str()
            .expect("a cursor");
        let decoded = URL_SAFE_NO_PAD.decode(cursor).expect("base64");
        for text in ["a\u{0}b".to_owned(), "x".repeat(1_025)] {
            let mut parts: Value = serde_json::from_slice(&decoded).expect("JSON");
            let place = path.iter().fold(&mut parts[3], |at, name| &mut at[*name]);
            *place = text.into();
            let after = URL_SAFE_NO_PAD.encode(parts.to_string());
            let variables = json!({ "of": of, "after": after });
            refused_with(&world, list, variables, "names a place that no list has").await;
        }
    }
}

/// Writes, and gives the way to the field at fault; no provider must hear of it.
async fn refused_field(world: &World, of: Provider, mut input: Value) -> Value {
    input["provider"] = word(of).into();
    let upsert = "mutation($input: UpsertUserInput!) { upsertUser(input: $input) { outcome userErrors { field code message } } }";
    let data = world.data_with(upsert, json!({ "input": input })).await;
    assert_eq!(data["upsertUser"]["outcome"], "SKIPPED", "{data}");
    let errors = &data["upsertUser"]["userErrors"];
    assert_eq!(errors[0]["code"], "BAD_USER_INPUT", "{input}: {errors}");
    assert_eq!(calls(world).await, 0, "{input}");
    errors[0]["field"][1].clone()
}

#[tokio::test]
async fn a_written_text_has_a_largest_length() {
    let world = World::with(0, |_| {}).await;
    let write = "mutation($input: UpsertUserInput!) { upsertUser(input: $input) { outcome userErrors { code field } } }";
    let tags: Vec<_> = (0..501).map(|n| format!("t{n}")).collect();
    for (field, value) in [
        ("name", json!("n".repeat(4_097))),
        ("firstName", json!("n".repeat(4_097))),
        ("attributes", json!({ "a": "x".repeat(66_000) })),
        ("tags", json!(tags)),
    ] {
        let mut input = json!({ "provider": "DIGITAL_CHALK", "email": "a@x.test" });
        input[field] = value;
        let answer = world.answer_with(write, json!({ "input": input })).await;
        let error = &answer["data"]["upsertUser"]["userErrors"][0];
        assert_eq!(error["code"], "BAD_USER_INPUT", "{field}: {answer:.300}");
        assert_eq!(error["field"][1], field, "{answer:.300}");
        assert_eq!(calls(&world).await, 0);
    }
}

#[tokio::test]
async fn control_characters_are_written_nowhere() {
    let world = World::with(3, |_| {}).await;
    for control in CONTROLS {
        let text = format!("a{control}b");
        for field in [
            "remoteId",
            "externalId",
            "email",
            "name",
            "firstName",
            "lastName",
            "username",
            "phone",
            "avatarUrl",
            "locale",
        ] {
            let mut input = json!({ "externalId": "x" });
            input[field] = if field == "email" {
                format!("{text}@x.test")
            } else {
                text.clone()
            }
            .into();
            assert_eq!(
                refused_field(&world, Provider::Usertour, input).await,
                field
            );
        }
        for (field, value) in [
            ("tags", json!(["fine", text])),
            ("companies", json!([{ "externalId": text }])),
            ("companies", json!([{ "externalId": "c", "name": text }])),
            ("attributes", json!({ "plan": { &text: 1 } })),
            ("attributes", json!({ &text: 1 })),
        ] {
            let mut input = json!({ "externalId": "x" });
            input[field] = value;
            assert_eq!(
                refused_field(&world, Provider::Usertour, input).await,
                field
            );
        }
    }
    let nul = json!({ "externalId": "x", "attributes": { "note": ["a\u{0}"] } });
    assert_eq!(
        refused_field(&world, Provider::Ada, nul).await,
        "attributes"
    );
    let long = json!({ "externalId": "x".repeat(513), "name": "X" });
    assert_eq!(
        refused_field(&world, Provider::Ada, long).await,
        "externalId"
    );
}

#[tokio::test]
async fn an_attribute_may_have_several_lines() {
    let world = World::with(3, |_| {}).await;
    let upsert = "mutation($note: JSON) { upsertUser(input: { provider: ADA, externalId: \"new\", attributes: $note }) {
        outcome userErrors { message } } }";

    let note = json!({ "note": "one\r\n\ttwo" });
    let data = world.data_with(upsert, json!({ "note": note })).await;

    assert_eq!(
        data["upsertUser"],
        json!({ "outcome": "CREATED", "userErrors": [] })
    );
}

#[tokio::test]
async fn a_token_or_an_id_that_no_cursor_can_hold_is_an_error_when_it_is_read() {
    let world = World::with(3, |_| {}).await;
    let list = "{ users(provider: USERTOUR) { nodes { id } sources { status notices { code message } } } }";
    let says = async |body: Value, query: &str| {
        world.heal().await;
        let fault = json!({ "kind": "status", "status": 200, "body": body });
        world.fault(Provider::Usertour, fault).await;
        world.answer(query).await
    };
    let message = |answer: &Value| {
        let error = &answer["errors"][0];
        let code = &error["extensions"]["code"];
        assert_eq!(code, "PROVIDER_BAD_RESPONSE", "{answer}");
        error["message"].as_str().unwrap_or_default().to_owned()
    };

    let next = format!("/v1/users?cursor={}", "x".repeat(1_025));
    let answer = says(json!({ "results": [], "next": next }), list).await;
    let token = "a token that is longer than 1024 characters";
    assert!(message(&answer).contains(token), "{answer}");

    let user = json!({ "id": "x".repeat(513) });
    let one = "{ user(provider: USERTOUR, by: { remoteId: \"x\" }) { id } }";
    let answer = says(user.clone(), one).await;
    let id = "its id is longer than 512 characters";
    assert!(message(&answer).contains(id), "{answer}");

    let answer = says(json!({ "results": [user] }), list).await;
    let users = &answer["data"]["users"];
    assert_eq!(users["nodes"], json!([]), "{answer}");
    assert_eq!(users["sources"][0]["status"], "PARTIAL", "{answer}");
}
