//! The log at its default level: which provider fails and why, a line for each request, start and
//! stop.

use std::time::Duration;

use futures_util::future::join_all;
use roster::account::Provider;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::{Gateway, Setup, field, message};
use crate::{program::PATIENCE, world::World};

/// The warnings about Intercom.
fn warnings(gateway: &Gateway) -> Vec<Value> {
    gateway.lines(|line| line["level"] == "WARN" && field(line, "provider.name") == "intercom")
}

/// Kinds of failure: a name, the sandbox's fault, the code, and words that say why.
fn ways() -> [(&'static str, Value, &'static str, &'static str); 5] {
    [
        (
            "ill-401",
            json!({ "kind": "status", "status": 401 }),
            "PROVIDER_AUTH",
            "credentials (401)",
        ),
        (
            "ill-hang",
            json!({ "kind": "hang" }),
            "PROVIDER_TIMEOUT",
            "in time",
        ),
        (
            "ill-reset",
            json!({ "kind": "reset" }),
            "PROVIDER_UNAVAILABLE",
            "closed the connection",
        ),
        (
            "ill-500",
            json!({ "kind": "status", "status": 500 }),
            "PROVIDER_UNAVAILABLE",
            "unavailable (500)",
        ),
        (
            "ill-words",
            json!({ "kind": "not_json" }),
            "PROVIDER_BAD_RESPONSE",
            "no JSON",
        ),
    ]
}

#[tokio::test]
async fn a_failing_provider_is_logged_once_with_its_operation_and_why() {
    join_all(ways().map(|(name, fault, code, why)| async move {
        let world = World::with(20, |_| {}).await;
        let mut setup = Setup::over(world.sandbox, name);
        setup.account += "timeout_seconds = 1.5\n";
        let gateway = setup.start().await;
        world.fault(Provider::Intercom, fault).await;

        for first in 1..=3 {
            let said = gateway.list("INTERCOM", first).await;
            assert_eq!(said.as_deref(), Some(code), "{name}");
        }

        let line = gateway.line(|line| field(line, "code") == code).await;
        assert_eq!(line["level"], "WARN", "{line}");
        assert_eq!(field(&line, "provider.name"), "intercom");
        assert_eq!(field(&line, "operation"), "list");
        assert!(field(&line, "why").contains(why), "{line}");
        assert_eq!(warnings(&gateway).len(), 1, "{name}");
        let label = code.to_lowercase();
        let errors = "roster_graphql_errors_total";
        gateway.settles(errors, &[("code", &label)], 3.0).await;

        world.heal().await;
        for first in 1..=2 {
            assert_eq!(gateway.list("INTERCOM", first).await, None);
        }
        let is_well = |line: &Value| message(line) == "the provider answers again";
        let line = gateway.line(is_well).await;
        assert_eq!(line["level"], "INFO");
        assert_eq!(gateway.lines(is_well).len(), 1);
    }))
    .await;
}

#[tokio::test]
async fn the_providers_request_id_is_logged_and_bounded() {
    let world = World::with(5, |_| {}).await;
    let gateway = Setup::over(world.sandbox, "request-id").start().await;
    let long = "x".repeat(5_000);
    for (status, id) in [(500, "req_1-a"), (401, long.as_str())] {
        world
            .fault(
                Provider::Ada,
                json!({ "kind": "status", "status": status, "count": 1, "headers": { "x-request-id": id } }),
            )
            .await;
        gateway.list("ADA", 1).await;
    }

    let line = gateway
        .line(|line| field(line, "code") == "PROVIDER_UNAVAILABLE")
        .await;
    assert_eq!(field(&line, "provider.request_id"), "req_1-a");
    let line = gateway
        .line(|line| field(line, "code") == "PROVIDER_AUTH")
        .await;
    assert!(field(&line, "provider.request_id").len() <= 200, "{line}");
}

#[tokio::test]
async fn an_answer_is_no_warning() {
    let world = World::with(5, |_| {}).await;
    let gateway = Setup::over(world.sandbox, "no-warning").start().await;

    let absent =
        "{ user(provider: INTERCOM, by: { remoteId: \"65557a2128cc5f8bb174ede4\" }) { id } }";
    gateway.answer(absent).await;
    let refused = "mutation { upsertUser(input: { provider: DIGITAL_CHALK, email: \"a@x.test\" }) { userErrors { code } } }";
    gateway.answer(refused).await;

    gateway.metrics().await;
    let warnings = gateway.lines(|line| line["level"] == "WARN" || line["level"] == "ERROR");
    assert_eq!(warnings, Vec::<Value>::new());
}

/// The id of the request that a line belongs to.
fn request(line: &Value) -> Option<&str> {
    let spans = line["spans"].as_array().into_iter().flatten();
    let mut spans = spans.chain(std::iter::once(&line["span"]));
    spans.find_map(|span| span["id"].as_str())
}

/// A request: its id, its status, the request itself, and the name of its operation.
type Sent = (&'static str, u16, reqwest::RequestBuilder, &'static str);

fn operations(gateway: &Gateway) -> Vec<Sent> {
    let two = "query Names { __typename } query Others { __typename }";
    let long = format!("query {} {{ __typename }}", "n".repeat(4_000));
    let of = |body: Value| {
        let url = format!("{}/graphql", gateway.address);
        gateway.client.post(url).json(&body)
    };
    let named = of(json!({ "query": "query Names { __typename }" }));
    let chosen = of(json!({ "query": two, "operationName": "Others" }));
    let made_up = of(json!({ "query": two, "operationName": "a\nb@x.test" }));
    vec![
        ("named", 200, named, "Names"),
        ("chosen", 200, chosen, "Others"),
        ("long", 200, of(json!({ "query": long })), ""),
        ("made-up", 422, made_up, ""),
    ]
}

fn refused(gateway: &Gateway) -> Vec<Sent> {
    let (client, at) = (&gateway.client, &gateway.address);
    let post = || client.post(format!("{at}/graphql"));
    let get = |path: &str| client.get(format!("{at}{path}"));
    let no_json = post().header("content-type", "application/json").body("{");
    vec![
        ("no-json", 400, no_json, ""),
        ("form", 415, post().body("x"), ""),
        ("put", 405, client.put(format!("{at}/graphql")), ""),
        ("page", 200, get("/graphiql"), ""),
        ("nowhere", 404, get("/nowhere?email=a@x.test"), ""),
        (
            "host",
            421,
            get("/graphiql").header("host", "evil.test"),
            "",
        ),
    ]
}

#[tokio::test]
async fn each_request_is_one_line_with_its_status_and_operation() {
    let world = World::with(5, |_| {}).await;
    let gateway = Setup::over(world.sandbox, "one-line").start().await;
    let requests = operations(&gateway).into_iter().chain(refused(&gateway));
    for (id, status, sent, operation) in requests {
        let answer = sent.header("x-request-id", id).send().await;
        assert_eq!(answer.expect("an answer").status().as_u16(), status, "{id}");

        let line = gateway.line(|line| request(line) == Some(id)).await;
        assert_eq!(line["level"], "INFO", "{line}");
        assert_eq!(line["fields"]["status"], status, "{line}");
        let name = field(&line, "operation.name");
        match id {
            "long" => assert!((1..=100).contains(&name.len()), "{line}"),
            _ => assert_eq!(name, operation, "{line}"),
        }
        let contexts = ["span", "spans"].map(|name| usize::from(line.get(name).is_some()));
        assert_eq!(contexts.iter().sum::<usize>(), 1, "{line}");
        let lines = gateway.lines(|line| request(line) == Some(id));
        assert_eq!(lines.len(), 1, "{id}");
    }
    let told = format!("{:?}", gateway.lines(|_| true));
    assert!(!told.contains("x.test"), "an address is in the log");
}

#[tokio::test]
async fn an_operation_with_events_has_a_line_of_its_own_when_it_ends() {
    let world = World::with(5, |_| {}).await;
    let gateway = Setup::over(world.sandbox, "events").start().await;
    let query = "subscription Live { usersByEmail(email: \"ann@x.test\") { source { status } } }";
    let sent = gateway
        .client
        .post(format!("{}/graphql", gateway.address))
        .header("x-request-id", "live")
        .header("accept", "text/event-stream")
        .json(&json!({ "query": query }));
    let events = sent.send().await.expect("an answer").text().await;
    assert_eq!(events.expect("a text").matches("event: next").count(), 4);

    let is_end = |line: &Value| line["fields"]["message"] == "operation ended";
    let line = gateway
        .line(|line| request(line) == Some("live") && is_end(line))
        .await;

    assert_eq!(line["level"], "INFO", "{line}");
    assert_eq!(field(&line, "transport"), "sse");
    assert_eq!(field(&line, "operation.type"), "subscription");
    assert_eq!(field(&line, "operation.name"), "Live");
    assert_eq!(line["fields"]["events"], 4, "{line}");
    assert!(
        ["ok", "partial"].contains(&field(&line, "outcome")),
        "{line}"
    );
}

#[tokio::test]
async fn a_client_that_leaves_is_one_line_too() {
    let world = World::with(5, |_| {}).await;
    let gateway = Setup::over(world.sandbox, "leaves").start().await;
    world.fault(Provider::Ada, json!({ "kind": "hang" })).await;

    let query = json!({ "query": "{ users(provider: ADA) { nodes { id } } }" });
    let sent = gateway
        .client
        .post(format!("{}/graphql", gateway.address))
        .json(&query);
    let sent = sent.header("x-request-id", "left").send();
    assert!(timeout(Duration::from_millis(500), sent).await.is_err());

    let line = gateway.line(|line| request(line) == Some("left")).await;
    assert_eq!(field(&line, "outcome"), "client_left", "{line}");
}

#[tokio::test]
async fn start_and_stop_are_logged_and_the_probe_that_sees_the_stop_is_no_error() {
    let world = World::with(5, |_| {}).await;
    let mut setup = Setup::over(world.sandbox, "start-stop");
    setup.server = "shutdown_delay_seconds = 2\n".to_owned();
    let mut gateway = setup.start().await;
    let address = gateway.address.trim_start_matches("http://").to_owned();
    gateway.signal("TERM").await;
    let probe = || async {
        let answer = reqwest::get(format!("{}/health/ready", gateway.address)).await;
        answer.expect("an answer").status().as_u16()
    };
    let stopping = timeout(PATIENCE, async {
        while probe().await != 503 {
            sleep(Duration::from_millis(10)).await;
        }
    });
    stopping.await.expect("it says that it stops");
    let ended = timeout(PATIENCE, gateway.child.wait()).await;
    assert!(ended.expect("in time").expect("a status").success());

    for said in ["serving", "stopping", "stopped"] {
        let line = gateway.line(|line| message(line) == said).await;
        assert_eq!(line["level"], "INFO");
        assert_eq!(field(&line, "version"), env!("CARGO_PKG_VERSION"), "{line}");
        assert_eq!(field(&line, "address"), address, "{line}");
    }
    let errors = gateway.lines(|line| line["level"] == "ERROR" || line["level"] == "WARN");
    assert_eq!(errors, Vec::<Value>::new());
}
