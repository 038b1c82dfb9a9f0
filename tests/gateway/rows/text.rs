//! `raw`, `attributes` and JSON fields are as they were sent, but for what strict readers refuse.

use roster::account::Provider;
use serde_json::{Value, json};

use crate::{
    stand_in::{Asked, StandIn},
    world::{FOUR, word},
};

/// The answer's own text.
async fn answered(world: &crate::world::World, query: &str, variables: Value) -> String {
    let body = json!({ "query": query, "variables": variables });
    let url = format!("http://{}/graphql", world.gateway);
    let answer = world.client.post(url).json(&body).send().await;
    answer.expect("an answer").text().await.expect("a text")
}

fn record(path: &str, bag: &str) -> String {
    match path.split('/').nth(1) {
        Some("ada") => format!(r#"{{"end_user_id":"a1","profile":{{"metadata":{bag}}}}}"#),
        Some("usertour") => format!(r#"{{"id":"a1","attributes":{bag}}}"#),
        Some("digitalchalk") if path.ends_with("userfieldvalues") => bag.to_owned(),
        Some("digitalchalk") => format!(r#"{{"id":"a1","x":{bag}}}"#),
        _ => format!(r#"{{"id":"a1","role":"user","custom_attributes":{bag}}}"#),
    }
}

const READ: &str = "query ($p: Provider!) { user(provider: $p, by: { remoteId: \"a1\" }) {
    attributes raw details {
        ... on AdaEndUser { profile { metadata } } ... on IntercomUser { customAttributes }
        ... on UsertourUser { bag: attributes } } } }";

#[tokio::test]
async fn a_providers_json_comes_out_as_json_that_every_parser_reads() {
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    for (sent, shown) in [
        (
            r#"{"b":12345678901234567890123,"a":1.10,"A":[ 1E2 , -0.0 ]}"#.to_owned(),
            None,
        ),
        (r#"{"😀":"\ud83d\ude00","q":"\"\\u"}"#.to_owned(), None),
        (
            r#"{"$serde_json::private::RawValue":"[1,2"}"#.to_owned(),
            None,
        ),
        (
            r#"{"a":"Kim \ud83d","\ude00":1e999}"#.to_owned(),
            Some(r#"{"a":"Kim \ufffd","\ufffd":null}"#.to_owned()),
        ),
        (
            format!(r#"{{"a":{}}}"#, deep(50_000)),
            Some(format!(r#"{{"a":{}"#, "[".repeat(90))),
        ),
        (r#"{"a":NaN}"#.to_owned(), Some(r#"{"a":null}"#.to_owned())),
    ] {
        let bag = sent.clone();
        let providers = StandIn::of(move |asked: &Asked| record(&asked.path, &bag)).await;
        let world = providers.world(|_| {}).await;
        for provider in FOUR {
            let text = answered(&world, READ, json!({ "p": word(provider) })).await;

            let shown = shown.as_ref().unwrap_or(&sent);
            let times = if provider == Provider::DigitalChalk {
                2
            } else {
                3
            };
            assert_eq!(text.matches(shown.as_str()).count(), times, "{text:.300}");
            let read: Value = serde_json::from_str(&text.replace("private", "public"))
                .expect("JSON for strict readers");
            assert_eq!(read.get("errors"), None, "{text:.300}");
        }
    }
}

#[tokio::test]
async fn nesting_of_one_hundred_stays_and_more_becomes_null() {
    let nested = |levels: usize| {
        format!(
            "{}{}",
            r#"{"a":"#.repeat(levels - 1) + "{",
            "}".repeat(levels)
        )
    };
    for (levels, shown) in [
        (100, nested(100)),
        (101, nested(100).replace("{}", r#"{"a":null}"#)),
    ] {
        let providers =
            StandIn::of(move |asked: &Asked| record(&asked.path, &nested(levels))).await;
        let world = providers.world(|_| {}).await;
        let query = "{ user(provider: USERTOUR, by: { remoteId: \"a1\" }) { attributes } }";
        let text = answered(&world, query, json!({})).await;
        let expected = format!(r#"{{"data":{{"user":{{"attributes":{shown}}}}}}}"#);
        assert_eq!(text, expected, "{levels}");
    }
}

/// The name by which a JSON library marks text that it should not look at: a provider, or a client, may
/// send it as any other name.
#[tokio::test]
async fn a_key_that_libraries_use_among_themselves_is_a_key_as_any_other() {
    let providers = StandIn::of(|asked: &Asked| {
        if asked.method == "POST" && asked.path.ends_with("/v1/users") {
            return asked.body.to_string();
        }
        record(&asked.path, "{}")
    })
    .await;
    let world = providers.world(|_| {}).await;
    let write = "mutation ($a: JSON) { upsertUser(input: {
        provider: USERTOUR, externalId: \"a1\", attributes: $a }) { outcome userErrors { message } } }";
    let key = "$serde_json::private::RawValue";
    let evil = format!("{}1{}", "[".repeat(120), "]".repeat(120));
    for inner in ["[1,2", "{\"x\":1}", "nonsense", evil.as_str()] {
        let attributes = json!({ "a": { key: inner } });
        // Written by hand: the library would take its own word.
        let body = format!(
            r#"{{"query":{},"variables":{{"a":{{"a":{{"{key}":{}}}}}}}}}"#,
            json!(write),
            json!(inner)
        );
        let url = format!("http://{}/graphql", world.gateway);
        let request = world
            .client
            .post(url)
            .header("content-type", "application/json");
        let answer = request.body(body).send().await.expect("an answer");
        let text = answer.text().await.expect("a text");

        let sent = providers.take();
        let sent = sent.last().expect("a write");
        assert_eq!(sent.method, "POST", "{text}");
        // The test's own reader takes the word for a command, where it can.
        let bodies = (sent.body.to_string(), attributes.to_string());
        assert!(
            bodies.0.contains(&bodies.1) || sent.body.is_null() || inner.starts_with(['[', '{']),
            "{bodies:?}"
        );
        assert!(!text.contains("EOF") && !text.contains("line 1"), "{text}");
    }
}
