//! The cost of a request: provider calls, latency beyond the slowest provider, CPU and memory,
//! compared with a hand-written proxy that makes the same provider calls and joins the answers.
//!
//! `cargo bench --bench requests [-- --requests N --latency MS]` prints a table; `-- --only burst`
//! runs only the last part. Machines are noisy: compare only the figures of one run.
//!
//! Sandboxes, gateway and proxy are separate processes on loopback; CPU and memory are read from
//! `/proc`, so it runs on Linux only.

#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark is a client of its own"
)]
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on may stop")]

mod burst;
mod cached;
mod open;
mod process;
mod proxy;
mod versions;

use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use process::Process;

/// The number of requests in flight while CPU is measured.
const CLIENTS: usize = 8;

struct Case {
    name: &'static str,
    query: String,
    proxy: &'static str,
}

fn cases() -> Vec<Case> {
    let fields = "nodes { id provider remoteId email name createdAt } sources { provider status }";
    let aliases: Vec<_> = (0..20)
        .map(|n| format!("u{n}: usersByEmail(email: \"person{n}@bench{n}.test\") {{ {fields} }}"))
        .collect();
    vec![
        Case {
            name: "usersByEmail, four providers",
            query: format!("{{ usersByEmail(email: \"ann@x.test\") {{ {fields} }} }}"),
            proxy: "/by-email?email=ann@x.test",
        },
        Case {
            name: "users(INTERCOM, first: 50)",
            query: "{ users(provider: INTERCOM, first: 50) { edges { cursor node { id email name createdAt } } \
                    pageInfo { hasNextPage endCursor } totalCount } }"
                .to_owned(),
            proxy: "/page",
        },
        Case {
            name: "20 aliased usersByEmail",
            query: format!("{{ {} }}", aliases.join(" ")),
            proxy: "/by-emails",
        },
    ]
}

#[tokio::main]
async fn main() {
    let number = |flag: &str, usual: u64| {
        let mut args = std::env::args().skip_while(|arg| arg != flag);
        args.nth(1)
            .and_then(|value| value.parse().ok())
            .unwrap_or(usual)
    };
    if let Some(sandbox) = std::env::args().skip_while(|arg| arg != "--proxy").nth(1) {
        return proxy::serve(&sandbox).await;
    }
    let (requests, latency) = (number("--requests", 200), number("--latency", 20));
    let only = std::env::args().skip_while(|arg| arg != "--only").nth(1);
    if only.as_deref() == Some("burst") {
        return burst::compare(latency).await;
    }
    let sandbox = Process::sandbox(500, latency);
    // The version of Intercom's API for which both make the same calls.
    let gateway = Process::gateway(&sandbox.address, "1.1", 0);
    let proxy = Process::proxy(&sandbox.address);
    println!(
        "{requests} requests a case, {CLIENTS} at a time for CPU; every provider answers after {latency} ms\n"
    );
    println!(
        "{:<28} {:>8} {:>14} {:>18} {:>14} {:>10}",
        "", "calls", "median ms", "over slowest ms", "CPU ms/req", "RSS MiB"
    );
    for case in cases() {
        let ask = json!({ "query": case.query });
        let graph = |client: &reqwest::Client| {
            client
                .post(format!("http://{}/graphql", gateway.address))
                .json(&ask)
        };
        let plain = |client: &reqwest::Client| {
            client.get(format!("http://{}{}", proxy.address, case.proxy))
        };
        report(&case, ("roster", &gateway), &sandbox, requests, graph).await;
        report(&case, ("proxy", &proxy), &sandbox, requests, plain).await;
    }
    versions::compare(&sandbox, &gateway).await;
    cached::compare(&sandbox).await;
    open::compare(&sandbox).await;
    burst::compare(latency).await;
}

async fn report(
    case: &Case,
    (of, process): (&str, &Process),
    sandbox: &Process,
    requests: u64,
    request: impl Fn(&reqwest::Client) -> reqwest::RequestBuilder,
) {
    let client = reqwest::Client::new();
    let send = async || {
        let answer: Value = request(&client).send().await.unwrap().json().await.unwrap();
        assert_eq!(answer.get("errors"), None, "{}", case.name);
    };
    send().await;
    let calls_url = format!("http://{}/_sandbox/calls", sandbox.address);
    client.delete(&calls_url).send().await.unwrap();
    let mut times = Vec::new();
    for _ in 0..20 {
        let started = Instant::now();
        send().await;
        times.push(started.elapsed());
    }
    let calls: Vec<Value> = client
        .get(&calls_url)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let slowest = slowest(&client, &calls, sandbox, times.len()).await;
    let before = process.cpu();
    stream::iter(0..requests)
        .for_each_concurrent(CLIENTS, |_| send())
        .await;
    let cpu = process.cpu().saturating_sub(before);
    times.sort();
    let median = times[times.len() / 2];
    println!(
        "{:<28} {:>8.1} {:>14.1} {:>18.1} {:>14.2} {:>10.1}",
        format!("{} ({of})", case.name),
        calls.len() as f64 / times.len() as f64,
        milliseconds(median),
        milliseconds(median) - milliseconds(slowest),
        milliseconds(cpu) / requests as f64,
        process.memory_mib(),
    );
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// The time that the slowest provider takes for one request's calls, in sequence where they depend
/// on each other: only Ada's scan is a chain, the other calls run in parallel.
async fn slowest(
    client: &reqwest::Client,
    calls: &[Value],
    sandbox: &Process,
    requests: usize,
) -> Duration {
    let of = |provider: &str| {
        calls
            .iter()
            .filter(|call| call["provider"] == provider)
            .count()
            / requests
    };
    let chain = of("ada").max(1);
    let address = format!("http://{}/ada/api/v2/end-users/?limit=100", sandbox.address);
    let mut times = Vec::new();
    for _ in 0..5 {
        let started = Instant::now();
        for _ in 0..chain {
            let request = client.get(&address).bearer_auth(roster_sandbox::TOKEN);
            request.send().await.unwrap().bytes().await.unwrap();
        }
        times.push(started.elapsed());
    }
    times.sort();
    times[times.len() / 2]
}
