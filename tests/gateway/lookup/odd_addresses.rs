//! Addresses with characters that mean something in a URL, and addresses that several users share.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::{
    stand_in::{Asked, StandIn},
    world::intercom,
};

const FIND: &str = "query ($email: String!, $of: [Provider!]) {
    usersByEmail(email: $email, providers: $of) {
        nodes { remoteId } sources { status error { code } } } }";

const ODD: [&str; 12] = [
    "ann+news@x.test",
    "a_b@x.test",
    "o'hara@x.test",
    "100%@x.test",
    "q&a@x.test",
    "h#1@x.test",
    "zo\u{eb}@x.test",
    "p?x@x.test",
    "semi;colon@x.test",
    "slash/x@x.test",
    "eq=1@x.test",
    "back\\slash@x.test",
];

/// The users that DigitalChalk has: for each address 20 that hold it, and one in capitals that has it.
fn students() -> Vec<Value> {
    let near = ODD.iter().flat_map(|email| {
        (1..=20).map(move |number| {
            json!({ "id": format!("near {number} {email}"),
            "email": format!("more{number}-{email}") })
        })
    });
    let exact = ODD
        .iter()
        .map(|email| json!({ "id": format!("has {email}"), "email": email.to_uppercase() }));
    near.chain(exact).collect()
}

/// A page of 15 users at DigitalChalk, however many were asked for.
fn digital_chalk(query: &HashMap<String, String>) -> Value {
    let part = query.get("email").map(|email| email.to_lowercase());
    let is_hit = |user: &Value| {
        let email = user["email"].as_str().unwrap_or_default().to_lowercase();
        part.as_ref().is_none_or(|part| email.contains(part))
    };
    let hits: Vec<_> = students().into_iter().filter(is_hit).collect();
    let from = query.get("offset").and_then(|from| from.parse().ok());
    let end = from.unwrap_or(0_usize) + 15;
    let page: Vec<_> = hits.iter().take(end).skip(end - 15).collect();
    if end < hits.len() {
        let next = format!("https://other.test/api/v5/users?offset={end}");
        return json!({ "results": page, "next": next });
    }
    json!({ "results": page })
}

#[tokio::test]
async fn every_character_of_an_address_arrives_as_it_is_and_near_misses_stay_out() {
    let providers = StandIn::of(|asked: &Asked| {
        if asked.path.starts_with("/digitalchalk") {
            return digital_chalk(&asked.query);
        }
        json!({ "results": [], "next": null, "previous": null })
    })
    .await;
    let world = providers.world(|_| {}).await;

    for email in ODD {
        let variables = json!({ "email": email, "of": ["DIGITAL_CHALK"] });
        let data = world.data_with(FIND, variables).await;
        let found = &data["usersByEmail"];
        assert_eq!(found["nodes"][0]["remoteId"], format!("has {email}"));
        assert_eq!(found["nodes"].as_array().map(Vec::len), Some(1), "{email}");
        assert_eq!(found["sources"][0]["status"], "COMPLETE", "{email}");
        providers.take();

        let variables = json!({ "email": email, "of": ["USERTOUR"] });
        world.data_with(FIND, variables).await;
        let asked = providers.take();
        let asked = asked.iter().filter_map(|asked| asked.query.get("email"));
        assert!(asked.clone().any(|asked| asked == email), "{email}");
    }
}

/// A user of Intercom 1.x.
fn user(id: &str, email: &str, kind: &str) -> Value {
    json!({ "type": kind, "id": id, "email": email, "anonymous": kind == "contact" })
}

fn users(users: &[Value]) -> Value {
    json!({ "type": "user.list", "users": users, "total_count": users.len(),
        "pages": { "type": "pages", "page": 1, "per_page": 60, "total_pages": 1, "next": null } })
}

#[tokio::test]
async fn all_users_of_one_address_are_answered_whatever_list_they_come_in() {
    let shared = [
        user("1", "dup@x.test", "user"),
        user("2", "DUP@x.test", "user"),
        user("3", "dup@x.test", "contact"),
        user("4", "xdup@x.test", "user"),
    ];
    let others = [user("8", "o@x.test", "user"), user("9", "p@x.test", "user")];
    let refusal = json!({ "type": "error.list", "errors": [
        { "code": "conflict", "message": "several users" }] });
    let cases = [
        (
            "1.1",
            200,
            users(&shared),
            json!(["1", "2", "3"]),
            "COMPLETE",
        ),
        // The provider sends a user instead of a list.
        ("1.1", 200, shared[0].clone(), json!(["1"]), "COMPLETE"),
        // The provider ignores the address.
        ("1.1", 200, users(&others), json!([]), "COMPLETE"),
        // Version 1.0 refuses an address that several users have: that is not "nobody".
        ("1.0", 400, refusal.clone(), json!([]), "FAILED"),
        ("1.0", 409, refusal, json!([]), "FAILED"),
    ];
    for (version, status, answer, ids, outcome) in cases {
        let said = answer.clone();
        let providers = StandIn::of(move |_| (status, said.clone())).await;
        let world = providers
            .world(|settings| intercom(settings, version))
            .await;

        let variables = json!({ "email": "dup@x.test", "of": ["INTERCOM"] });
        let data = world.data_with(FIND, variables).await;

        let found = &data["usersByEmail"];
        let nodes = found["nodes"].as_array().cloned().unwrap_or_default();
        let found_ids: Vec<_> = nodes.iter().map(|user| user["remoteId"].clone()).collect();
        assert_eq!(json!(found_ids), ids, "{version} {answer}");
        assert_eq!(found["sources"][0]["status"], outcome, "{version} {answer}");
    }
}
