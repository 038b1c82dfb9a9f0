//! A burst: 1,500 searches by email at once over four providers, each for a different address.
//! Measures how many answers are complete, how long they take, and what they cost the gateway.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::process::Process;

const REQUESTS: usize = 1500;
const USERS: usize = 2000;

/// The result of one request.
struct Outcome {
    /// Whether each of its sources answered completely.
    is_whole: bool,
    /// The sources that did not, with their codes.
    shortfalls: Vec<String>,
    took: Duration,
}

pub(crate) async fn compare(latency: u64) {
    println!(
        "\n{:<28} {:>8} {:>8} {:>14} {:>14} {:>14} {:>10}",
        format!("{REQUESTS} emails at once"),
        "whole",
        "calls",
        "seconds in all",
        "median s",
        "CPU s",
        "RSS MiB"
    );
    for name in ["cold", "cold again"] {
        let sandbox = Process::sandbox(USERS, latency);
        let gateway = Process::demo(&sandbox.address);
        let client = reqwest::Client::new();
        let emails = emails(&client, &sandbox).await;
        let before = gateway.cpu();
        let started = Instant::now();
        let outcomes = join_all(emails.iter().map(|email| ask(&client, &gateway, email))).await;
        let burst = Burst {
            took: started.elapsed(),
            cpu: gateway.cpu().saturating_sub(before),
            memory_mib: gateway.memory_mib(),
            calls: calls(&client, &sandbox).await,
            outcomes,
        };
        burst.print(name);
    }
}

/// Sends all requests together.
struct Burst {
    outcomes: Vec<Outcome>,
    took: Duration,
    cpu: Duration,
    memory_mib: f64,
    calls: usize,
}

impl Burst {
    fn print(&self, name: &str) {
        let mut times: Vec<_> = self.outcomes.iter().map(|outcome| outcome.took).collect();
        times.sort();
        println!(
            "{name:<28} {:>8} {:>8} {:>14.2} {:>14.2} {:>14.2} {:>10.1}",
            self.outcomes
                .iter()
                .filter(|outcome| outcome.is_whole)
                .count(),
            self.calls,
            self.took.as_secs_f64(),
            times[times.len() / 2].as_secs_f64(),
            self.cpu.as_secs_f64(),
            self.memory_mib,
        );
        let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
        for reason in self.outcomes.iter().flat_map(|outcome| &outcome.shortfalls) {
            *reasons.entry(reason).or_default() += 1;
        }
        for (reason, count) in reasons {
            println!("  {count:>6} x {reason}");
        }
    }
}

/// The addresses of users at Ada.
async fn emails(client: &reqwest::Client, sandbox: &Process) -> Vec<String> {
    let url = format!("http://{}/_sandbox/records?provider=ada", sandbox.address);
    let records: Vec<Value> = client.get(url).send().await.unwrap().json().await.unwrap();
    let mut emails: Vec<_> = records
        .iter()
        .filter_map(|record| record["email"].as_str())
        .filter(|email| email.contains('@'))
        .map(str::to_lowercase)
        .collect();
    emails.sort();
    emails.dedup();
    emails.truncate(REQUESTS);
    assert_eq!(emails.len(), REQUESTS);
    emails
}

async fn calls(client: &reqwest::Client, sandbox: &Process) -> usize {
    let url = format!("http://{}/_sandbox/calls", sandbox.address);
    let calls: Vec<Value> = client.get(url).send().await.unwrap().json().await.unwrap();
    calls.len()
}

async fn ask(client: &reqwest::Client, gateway: &Process, email: &str) -> Outcome {
    let query = "query ($email: String!) { usersByEmail(email: $email) {
        nodes { id provider email name } totalCount sources { provider status notices { code } error { code } } } }";
    let body = json!({ "query": query, "variables": { "email": email } });
    let url = format!("http://{}/graphql", gateway.address);
    let started = Instant::now();
    let answer = answer(client.post(url).json(&body)).await;
    let took = started.elapsed();
    let found = match &answer {
        Ok(answer) => &answer["data"]["usersByEmail"],
        Err(_) => &Value::Null,
    };
    let sources = found["sources"].as_array().map_or(&[][..], Vec::as_slice);
    // A caveat of the provider's search does not count: the users are complete nevertheless.
    let is_whole = sources.len() == 4 && found["totalCount"].is_number();
    let mut shortfalls: Vec<_> = sources.iter().filter_map(shortfall).collect();
    if sources.is_empty() {
        shortfalls.push(match answer {
            Ok(answer) => answer["errors"][0]["extensions"]["code"].to_string(),
            Err(error) => error,
        });
    }
    Outcome {
        is_whole,
        shortfalls,
        took,
    }
}

async fn answer(request: reqwest::RequestBuilder) -> Result<Value, String> {
    let answer = request.send().await.map_err(|_| "no answer".to_owned())?;
    let status = answer.status();
    answer
        .json()
        .await
        .map_err(|_| format!("no JSON under status {status}"))
}

/// Why a source is incomplete, if it is.
fn shortfall(source: &Value) -> Option<String> {
    let provider = source["provider"].as_str()?;
    let status = source["status"].as_str()?;
    let code = source["error"]["code"].as_str();
    let cuts = ["LIMIT_REACHED", "DEADLINE_EXCEEDED", "PARTIAL_FAILURE"];
    let is_cut = source["notices"].as_array().is_some_and(|notices| {
        notices
            .iter()
            .any(|notice| cuts.iter().any(|cut| notice["code"] == *cut))
    });
    let is_short = status == "FAILED" || code.is_some() || is_cut;
    is_short.then(|| format!("{provider} {status} {}", code.unwrap_or("bounded")))
}
