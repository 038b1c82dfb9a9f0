//! `demo`: the whole product in one process, until a signal stops it.

use std::process::Stdio;

use roster::account::Provider;
use roster_sandbox::{TOKEN, known::EVERYWHERE};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{Child, ChildStdout},
    time::timeout,
};

use super::{PATIENCE, ran, roster, terminate};

/// A running demo.
struct Demo {
    child: Child,
    lines: tokio::io::Lines<BufReader<ChildStdout>>,
    gateway: String,
    sandbox: String,
    said: Vec<String>,
}

impl Demo {
    /// Starts it on free ports; it is ready when all its lines are printed.
    async fn start(more: &[&str]) -> Self {
        let ports = [
            "demo",
            "--listen",
            "127.0.0.1:0",
            "--sandbox-listen",
            "127.0.0.1:0",
        ];
        let mut program = roster(&[&ports, more].concat());
        program.env("RUST_LOG", "debug");
        program.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = tokio::process::Command::from(program)
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let (gateway, sandbox) = (String::new(), String::new());
        let mut demo = Self {
            child,
            lines,
            gateway,
            sandbox,
            said: Vec::new(),
        };
        while demo.said.len() < 6 {
            let line = timeout(PATIENCE, demo.lines.next_line()).await;
            let line = line.expect("in time").expect("text").expect("a line");
            demo.said.push(line);
        }
        demo.gateway = demo.address("GraphQL ");
        demo.sandbox = demo.address("Sandboxes ");
        demo
    }

    fn address(&self, what: &str) -> String {
        let line = self.said.iter().find(|line| line.starts_with(what));
        let address = line.and_then(|line| line.split_whitespace().nth(1));
        address.expect("an address").to_owned()
    }

    async fn query(&self, query: &str) -> Value {
        let body = json!({ "query": query });
        let request = reqwest::Client::new().post(&self.gateway).json(&body);
        request
            .send()
            .await
            .expect("an answer")
            .json()
            .await
            .expect("JSON")
    }

    async fn calls(&self) -> usize {
        let calls = reqwest::get(format!("{}/_sandbox/calls", self.sandbox)).await;
        let calls: Vec<Value> = calls.expect("an answer").json().await.expect("JSON");
        calls.len()
    }

    /// Waits for the end, and returns the exit code and the log.
    async fn end(mut self) -> (Option<i32>, String) {
        let mut log = String::new();
        let mut errors = self.child.stderr.take().expect("piped");
        timeout(PATIENCE, errors.read_to_string(&mut log))
            .await
            .expect("in time")
            .expect("text");
        let status = timeout(PATIENCE, self.child.wait()).await.expect("it ends");
        (status.expect("a status").code(), log)
    }
}

#[tokio::test]
async fn the_demo_prints_its_addresses_answers_and_stops_on_a_signal() {
    let demo = Demo::start(&["--users", "200"]).await;
    let tries: Vec<_> = demo
        .said
        .iter()
        .filter(|line| line.starts_with("Try "))
        .collect();
    assert_eq!(tries.len(), 3);
    assert!(demo.address("GraphiQL ").ends_with("/graphiql"));
    for line in tries {
        let query = line
            .trim_start_matches("Try")
            .split('#')
            .next()
            .expect("a query");
        let answer = demo
            .query(&format!(
                "{{ {query} {{ nodes {{ email }} sources {{ status }} }} }}"
            ))
            .await;
        let found = &answer["data"]["usersByEmail"];
        assert!(
            found["nodes"]
                .as_array()
                .is_some_and(|nodes| nodes.len() >= 3),
            "{answer}"
        );
    }
    let address = demo
        .gateway
        .trim_start_matches("http://")
        .trim_end_matches("/graphql")
        .to_owned();
    let health = ran(roster(&["health", "--address", &address])).await;
    assert_eq!(health.status.code(), Some(0));

    terminate(&demo.child).await;

    let (code, _) = demo.end().await;
    assert_eq!(code, Some(0));
}

#[tokio::test]
async fn pages_of_this_machine_and_of_the_origins_that_are_named_may_call_the_demo() {
    let app = "https://app.example";
    let demo = Demo::start(&["--users", "0", "--cors-origin", app]).await;

    for (origin, is_allowed) in [
        ("http://localhost:5173", true),
        (app, true),
        ("https://evil.example", false),
    ] {
        let request = reqwest::Client::new().post(&demo.gateway);
        let request = request.header("origin", origin);
        let answer = request.json(&json!({ "query": "{ __typename }" })).send();
        let answer = answer.await.expect("an answer");
        let allowed = answer.headers().get("access-control-allow-origin");
        assert_eq!(
            allowed.is_some_and(|of| of == origin),
            is_allowed,
            "{origin}"
        );
    }
}

#[tokio::test]
async fn an_invalid_origin_is_named_before_the_demo_starts() {
    let listen = ["--listen", "127.0.0.1:0", "--sandbox-listen", "127.0.0.1:0"];
    let output = ran(roster(
        &[&["demo", "--cors-origin", "app.example"], &listen[..]].concat(),
    ))
    .await;

    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("\"app.example\" is no origin"), "{said}");
}

#[tokio::test]
async fn a_request_in_flight_is_answered_after_the_signal() {
    let demo = Demo::start(&["--users", "200", "--latency", "400"]).await;
    let query = format!(
        "{{ usersByEmail(email: \"{EVERYWHERE}\") {{ nodes {{ provider }} sources {{ status }} }} }}"
    );
    let (answer, ()) = tokio::join!(demo.query(&query), async {
        while demo.calls().await == 0 {}
        terminate(&demo.child).await;
    });

    let found = &answer["data"]["usersByEmail"];
    assert_eq!(
        found["nodes"].as_array().map(Vec::len),
        Some(Provider::ALL.len()),
        "{answer}"
    );
    assert_eq!(found["sources"][0]["status"], "COMPLETE", "{answer}");
    let (code, _) = demo.end().await;
    assert_eq!(code, Some(0));
}

#[tokio::test]
async fn the_log_holds_no_address_of_a_person_and_no_token() {
    let demo = Demo::start(&["--users", "200"]).await;
    for query in [
        "{ usersByEmail(email: \"ann@x.test\") { nodes { email raw } } }",
        "{ usersByEmail(email: \"no address@x.test\") { nodes { email } } }",
        "{ person(email: \"help@trainco.test\") { users { email } } }",
        "{ users(provider: DIGITAL_CHALK, filter: { email: \"ann@x.test\" }) { nodes { email } } }",
        "mutation { upsertUser(input: { provider: INTERCOM, email: \"help@trainco.test\", name: \"N\" }) { outcome } }",
        "mutation { upsertUser(input: { provider: DIGITAL_CHALK, email: \"new@x.test\" }) { outcome } }",
        "{ nobody(email: \"ann@x.test\") }",
        "{ usersByEmail(email: \"ann@x.test\"",
    ] {
        demo.query(query).await;
    }
    let by_get = format!(
        "{}?query=%7BusersByEmail(email%3A%22ann%40x.test%22)%7BtotalCount%7D%7D",
        demo.gateway
    );
    reqwest::get(by_get).await.expect("an answer");
    terminate(&demo.child).await;

    let (code, log) = demo.end().await;

    assert_eq!(code, Some(0));
    assert!(
        log.contains("provider called"),
        "the log is not what this test reads: {log:.300}"
    );
    for secret in ["@x.test", "%40x.test", "trainco", TOKEN, "Bearer", "Archer"] {
        assert!(
            !log.contains(secret),
            "{secret} is in the log: {}",
            around(&log, secret)
        );
    }
}

/// The line of a text that contains a word.
fn around<'a>(log: &'a str, word: &str) -> &'a str {
    log.lines()
        .find(|line| line.contains(word))
        .unwrap_or_default()
}
