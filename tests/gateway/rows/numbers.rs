//! Numbers at the edges: those that do not fit their type, those of headers, those of statuses.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use roster::{account::Provider, config::Settings};
use serde_json::{Value, json};

use crate::{
    stand_in::{Asked, Said, StandIn, list, row},
    world::{FOUR, World, intercom, word},
};

#[tokio::test]
async fn a_number_that_does_not_fit_an_int_is_an_error_of_its_field() {
    let providers = StandIn::of(|_: &Asked| {
        let user = |id: &str, count: u64| json!({ "type": "user", "id": id, "session_count": count });
        json!({ "type": "user.list", "users": [user("a1", 3_000_000_000), user("a2", 2_147_483_647)],
            "total_count": 3_000_000_000_u64 })
    })
    .await;
    let world = providers.world(|settings| intercom(settings, "1.1")).await;
    let query = "{ users(provider: INTERCOM, first: 2) { totalCount
        nodes { remoteId details { ... on IntercomUser { sessionCount } } } } }";

    let answer = world.answer(query).await;

    let users = &answer["data"]["users"];
    assert_eq!(users["totalCount"], Value::Null);
    assert_eq!(
        users["nodes"][0],
        json!({ "remoteId": "a1", "details": { "sessionCount": null } })
    );
    assert_eq!(users["nodes"][1]["details"]["sessionCount"], 2_147_483_647);
    let mut paths: Vec<_> = answer["errors"]
        .as_array()
        .expect("errors")
        .iter()
        .collect();
    paths.sort_by_key(|error| error["path"].to_string());
    let paths: Vec<_> = paths.iter().map(|error| error["path"].clone()).collect();
    assert_eq!(
        paths,
        [
            json!(["users", "nodes", 0, "details", "sessionCount"]),
            json!(["users", "totalCount"])
        ]
    );
    assert_eq!(
        answer["errors"][0]["extensions"]["code"],
        "PROVIDER_BAD_RESPONSE"
    );
}

/// A page of rows with ids, and a token, as long as the gateway takes them, of characters that take most
/// room.
fn longest(asked: &Asked) -> String {
    let path = asked.path.as_str();
    let rows = ["a", "b", "c"].map(|begin| {
        let id = format!("{begin}{}", "\u{1f600}".repeat(511));
        row(path, &id, "p1@x.test", "")
    });
    if path.split('/').any(|segment| segment.starts_with("a%")) {
        return rows[0].clone();
    }
    let text = list(path, &rows);
    let token = "\u{1f600}".repeat(1_023);
    let encoded: String = url::form_urlencoded::byte_serialize(token.as_bytes()).collect();
    let is_first =
        !asked.query.contains_key("cursor") && !asked.query.contains_key("starting_after");
    if !is_first {
        return text;
    }
    if path.starts_with("/usertour") {
        return text.replace(
            "\"next\":null",
            &format!("\"next\":\"/x?cursor={encoded}\""),
        );
    }
    let next = format!(r#""pages":{{"next":{{"starting_after":"{token}"}},"#);
    text.replace(r#""pages":{"#, &next)
}

#[tokio::test]
async fn ids_and_cursors_that_are_handed_out_are_taken_back() {
    let providers = StandIn::of(longest).await;
    let world = providers.world(|_| {}).await;
    for provider in FOUR {
        let p = word(provider);
        let list = "query ($p: Provider!, $after: String) {
            users(provider: $p, first: 3, after: $after) { edges { cursor node { id } } } }";
        let data = world.data_with(list, json!({ "p": p })).await;
        let edges = data["users"]["edges"].as_array().expect("edges");
        assert_eq!(edges.len(), 3, "{p}");
        for edge in edges {
            let after = json!({ "p": p, "after": edge["cursor"] });
            world.data_with(list, after).await;
        }
        let id = json!({ "id": edges[0]["node"]["id"] });
        let node = "query ($id: ID!) { node(id: $id) { id } }";
        let found = world.data_with(node, id.clone()).await;
        assert_eq!(found["node"], id, "{p}");
        let search = "query ($p: Provider!, $after: String) {
            usersByEmail(email: \"p1@x.test\", providers: [$p], after: $after) { edges { cursor } } }";
        let data = world.data_with(search, json!({ "p": p })).await;
        let cursor = &data["usersByEmail"]["edges"][0]["cursor"];
        let after = json!({ "p": p, "after": cursor });
        let data = world.data_with(search, after).await;
        let edges = data["usersByEmail"]["edges"].as_array();
        assert_eq!(edges.map(Vec::len), Some(2), "{p}");
    }
}

#[tokio::test]
async fn an_external_id_that_no_lookup_could_name_is_null() {
    let long = "x".repeat(513);
    let providers = StandIn::of(move |asked: &Asked| {
        let path = asked.path.as_str();
        let user = format!(r#"{{"type":"contact","id":"a1","end_user_id":"a1","role":"user","external_id":"{long}"}}"#);
        list(path, &[user])
    })
    .await;
    let world = providers.world(|_| {}).await;
    for p in ["ADA", "INTERCOM"] {
        let query =
            "query ($p: Provider!) { users(provider: $p) { nodes { remoteId externalId } } }";
        let data = world.data_with(query, json!({ "p": p })).await;
        assert_eq!(
            data["users"]["nodes"],
            json!([{ "remoteId": "a1", "externalId": null }]),
            "{p}"
        );
    }
}

#[tokio::test]
async fn a_404_of_an_unknown_user_is_no_failure_in_the_call_log() {
    let providers = StandIn::of(|_: &Asked| -> Said {
        (
            404,
            // In the words of each provider.
            json!({
                "error": { "code": "E1004", "message": "no" },
                "errors": [{ "code": "not_found", "message": "no" }],
            }),
        )
            .into()
    })
    .await;
    let shown = |settings: &mut Settings| {
        settings.server.show_calls = true;
        settings.cache.seconds = 60.0;
        settings.cache.negative_seconds = 60.0;
    };
    let world = providers.world(shown).await;
    for _ in 0..2 {
        for provider in FOUR {
            let query =
                "query ($p: Provider!) { user(provider: $p, by: { remoteId: \"x\" }) { id } }";
            let answer = world
                .answer_with(query, json!({ "p": word(provider) }))
                .await;
            assert_eq!(answer["data"]["user"], Value::Null);
            let calls = answer["extensions"]["roster"]["calls"]
                .as_array()
                .expect("calls");
            assert!(!calls.is_empty());
            for call in calls {
                assert_eq!(
                    (&call["status"], &call["code"]),
                    (&json!(404), &Value::Null),
                    "{call}"
                );
            }
        }
    }
    let query = "{ users(provider: USERTOUR) { nodes { id } } }";
    let answer = world.answer(query).await;
    let call = &answer["extensions"]["roster"]["calls"][0];
    assert_eq!(call["code"], "PROVIDER_BAD_RESPONSE", "{call}");
}

async fn preferring(world: &World, wait: &str, query: &str) -> (Option<String>, Value) {
    let request = world
        .client
        .post(format!("http://{}/graphql", world.gateway));
    let request = request
        .header("prefer", wait)
        .json(&json!({ "query": query }));
    let answer = request.send().await.expect("an answer");
    let applied = answer.headers().get("preference-applied");
    let applied = applied.map(|applied| applied.to_str().expect("text").to_owned());
    (applied, answer.json().await.expect("JSON"))
}

#[tokio::test]
async fn a_clients_deadline_is_applied_and_reported() {
    let world = World::with(3, |settings| settings.limits.deadline_seconds = 15.0).await;
    let query = "{ usersByEmail(email: \"ann@x.test\", providers: [INTERCOM]) {
        sources { status error { code } } } }";
    for (wait, applied) in [
        ("wait=3", Some("wait=3")),
        ("wait=\"2.5\"", Some("wait=2.5")),
        ("wait=100000", Some("wait=15")),
        ("wait=99999999999999999999999", Some("wait=15")),
        ("wait=-1", None),
        ("wait=soon", None),
        ("wait=1e3", None),
        ("wait", None),
    ] {
        let (told, answer) = preferring(&world, wait, query).await;
        assert_eq!(told.as_deref(), applied, "{wait}");
        let source = &answer["data"]["usersByEmail"]["sources"][0];
        assert_eq!(source["status"], "COMPLETE", "{wait}");
    }
    world.forget_calls().await;
    let (told, answer) = preferring(&world, "wait=0", query).await;
    assert_eq!(told.as_deref(), Some("wait=0"));
    let source = &answer["data"]["usersByEmail"]["sources"][0];
    assert_eq!(source["status"], "FAILED", "{answer}");
    assert_eq!(world.calls(Provider::Intercom).await.len(), 0);
}

#[tokio::test]
async fn errors_of_entities_carry_the_place_of_their_representation() {
    let failing = Arc::new(AtomicU64::new(0));
    let providers = StandIn::of({
        let failing = Arc::clone(&failing);
        move |asked: &Asked| -> Said {
            let id = asked.path.split('/').next_back().unwrap_or_default();
            if id.starts_with("bad") || id == "userfieldvalues" {
                failing.fetch_add(1, Ordering::Relaxed);
                return (403, json!({})).into();
            }
            json!({ "end_user_id": id, "id": id }).into()
        }
    })
    .await;
    let world = providers.world(|_| {}).await;
    let query = "query ($r: [_Any!]!) {
        a: _entities(representations: $r) { ... on User { remoteId attributes } }
        b: _entities(representations: $r) { ... on User { remoteId } } }";
    // More than the engine waits for in a plain row.
    let of = |at: usize| match at % 4 {
        0 => json!({ "__typename": "User", "id": "nonsense" }),
        1 => {
            json!({ "__typename": "User", "account": "ada", "remoteId": format!("bad{}", at % 8) })
        }
        2 => json!({ "__typename": "User", "account": "ada", "remoteId": format!("u{at}") }),
        _ => json!({ "__typename": "Nothing" }),
    };
    let all: Vec<_> = (0..60).map(of).collect();

    let answer = world.answer_with(query, json!({ "r": all })).await;

    for alias in ["a", "b"] {
        for at in 0..60 {
            let path = json!([alias, at]);
            let errors = answer["errors"].as_array().expect("errors");
            let here = errors.iter().filter(|error| error["path"] == path).count();
            assert_eq!(here, usize::from(at % 4 != 2), "{path}");
            assert_eq!(answer["data"][alias][at].is_null(), at % 4 != 2, "{path}");
        }
    }
    // A failure below an entity has its path, too.
    let query =
        "query ($r: [_Any!]!) { _entities(representations: $r) { ... on User { attributes } } }";
    let chalk =
        |id: &str| json!({ "__typename": "User", "account": "digitalchalk", "remoteId": id });
    let answer = world
        .answer_with(query, json!({ "r": [chalk("u1"), chalk("u2")] }))
        .await;
    let expected = json!(["_entities", 0, "attributes"]);
    let errors = answer["errors"].as_array().expect("errors");
    let here = errors.iter().filter(|error| error["path"] == expected);
    assert_eq!(here.count(), 1, "{answer}");
}

#[tokio::test]
async fn the_code_of_an_error_in_a_document_is_that_of_its_kind() {
    let world = World::with(1, |_| {}).await;
    for (document, code) in [
        ("}".repeat(300), "GRAPHQL_PARSE_FAILED"),
        (
            "{ a(b: \"\\u{110000}\") }".to_owned(),
            "GRAPHQL_PARSE_FAILED",
        ),
        ("{ accounts { provider }".to_owned(), "GRAPHQL_PARSE_FAILED"),
        (
            "{ accounts { ...f } } fragment f on ProviderAccount { ...f }".to_owned(),
            "GRAPHQL_VALIDATION_FAILED",
        ),
        ("{ syntax }".to_owned(), "GRAPHQL_VALIDATION_FAILED"),
        (
            format!("{}{}", "{a".repeat(200), "}".repeat(200)),
            "QUERY_TOO_COMPLEX",
        ),
    ] {
        let answer = world.answer(&document).await;
        assert_eq!(
            answer["errors"][0]["extensions"]["code"], code,
            "{document:.60}: {answer}"
        );
    }
}

/// When the provider is asked again after a refusal with some headers, in milliseconds.
async fn asked_again(
    headers: impl Fn(u64) -> Vec<(&'static str, String)> + Send + Sync + 'static,
) -> u128 {
    let calls = Arc::new(AtomicU64::new(0));
    let providers = StandIn::of(move |asked: &Asked| -> Said {
        if calls.fetch_add(1, Ordering::Relaxed) > 0 {
            return list(&asked.path, &[]).into();
        }
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let now = now.expect("a time").as_millis() as u64;
        Said {
            headers: headers(now),
            ..(429, json!({ "type": "error.list", "errors": [] })).into()
        }
    })
    .await;
    let world = providers.world(|_| {}).await;
    let started = tokio::time::Instant::now();
    let data = world
        .data("{ users(provider: INTERCOM) { sources { status calls } } }")
        .await;
    let source = &data["users"]["sources"][0];
    assert_eq!(*source, json!({ "status": "COMPLETE", "calls": 2 }));
    started.elapsed().as_millis()
}

#[tokio::test]
async fn a_retry_after_in_an_odd_form_is_obeyed() {
    type Headers = Box<dyn Fn(u64) -> Vec<(&'static str, String)> + Send + Sync>;
    let reset = |after: &'static str, end: fn(u64) -> String| -> Headers {
        Box::new(move |now| {
            vec![
                ("retry-after", after.to_owned()),
                ("x-ratelimit-reset", end(now)),
            ]
        })
    };
    let waits: [Headers; 4] = [
        Box::new(|_| vec![("retry-after", "0.7".to_owned())]),
        Box::new(|_| vec![("retry-after", "1.0".to_owned())]),
        reset("", |now| (now / 1_000 + 2).to_string()),
        reset("soon", |now| (now + 1_000).to_string()),
    ];
    let waits = futures_util::future::join_all(waits.into_iter().map(asked_again)).await;
    for (at, waited) in waits.into_iter().enumerate() {
        assert!(waited >= 990, "{at}: {waited}");
    }
}

#[tokio::test]
async fn a_character_by_its_number_is_that_character() {
    let world = World::with(1, |_| {}).await;
    for escape in ["\\u{1F600}", "\\ud83d\\ude00"] {
        let search = format!(
            "{{ usersByEmail(email: \"{escape}@x.test\", providers: [DIGITAL_CHALK]) {{ nodes {{ id }} }} }}"
        );
        world.data(&search).await;
    }
    let calls = world.calls(Provider::DigitalChalk).await;
    assert_eq!(calls.len(), 2);
    for call in calls {
        assert!(call.query.contains("%F0%9F%98%80%40x.test"), "{call:?}");
    }
}
