//! The cache: a thousand requests over fifty addresses with and without it, and the cost of a cache
//! hit.

use std::time::Instant;

use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use crate::{CLIENTS, milliseconds, process::Process};

const REQUESTS: usize = 1000;
const EMAILS: usize = 50;
const EVERY: &str = "ADA, DIGITAL_CHALK, INTERCOM, USERTOUR";

pub(crate) async fn compare(sandbox: &Process) {
    println!(
        "\n{:<28} {:>8} {:>14} {:>14}",
        format!("{REQUESTS} requests, {EMAILS} emails"),
        "calls",
        "seconds in all",
        "CPU ms/req"
    );
    for (name, seconds) in [("cached for a minute", 60), ("not cached", 0)] {
        let gateway = Process::gateway(&sandbox.address, "2.17", seconds);
        let client = reqwest::Client::new();
        let calls_url = format!("http://{}/_sandbox/calls", sandbox.address);
        client.delete(&calls_url).send().await.unwrap();
        let (before, started) = (gateway.cpu(), Instant::now());
        stream::iter(0..REQUESTS)
            .for_each_concurrent(CLIENTS, |n| ask(&client, &gateway, n % EMAILS, EVERY))
            .await;
        let (took, cpu) = (started.elapsed(), gateway.cpu().saturating_sub(before));
        let calls = client.get(&calls_url).send().await.unwrap();
        let calls: Vec<Value> = calls.json().await.unwrap();
        println!(
            "{name:<28} {:>8} {:>14.1} {:>14.2}",
            calls.len(),
            took.as_secs_f64(),
            milliseconds(cpu) / REQUESTS as f64
        );
        if seconds > 0 {
            hit(&client, &gateway, "INTERCOM").await;
            hit(&client, &gateway, EVERY).await;
        }
    }
}

async fn ask(client: &reqwest::Client, gateway: &Process, person: usize, providers: &str) {
    let query = format!(
        "{{ usersByEmail(email: \"person{person}@bench{person}.test\", providers: [{providers}]) {{
            nodes {{ id provider email name }} sources {{ status }} }} }}"
    );
    let url = format!("http://{}/graphql", gateway.address);
    let answer = client.post(url).json(&json!({ "query": query }));
    let answer: Value = answer.send().await.unwrap().json().await.unwrap();
    assert_eq!(answer.get("errors"), None);
}

/// The time of one request whose responses are cached.
async fn hit(client: &reqwest::Client, gateway: &Process, provider: &str) {
    let mut times = Vec::new();
    for _ in 0..200 {
        let started = Instant::now();
        ask(client, gateway, 1, provider).await;
        times.push(started.elapsed());
    }
    times.sort();
    let (median, slow) = (times[times.len() / 2], times[times.len() * 99 / 100]);
    println!(
        "{:<28} median {:.2} ms, 99 % below {:.2} ms",
        format!("  a cache hit ({provider})"),
        milliseconds(median),
        milliseconds(slow)
    );
}
