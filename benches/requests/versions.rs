//! Many addresses in one request at Intercom: versions 1.x need a call for each, versions 2.x a
//! search for fifty.

use std::time::Instant;

use serde_json::{Value, json};

use crate::{milliseconds, process::Process};

/// The number of requests of each case.
const TIMES: usize = 10;

pub(crate) async fn compare(sandbox: &Process, users: &Process) {
    let contacts = Process::gateway(&sandbox.address, "2.17", 0);
    println!(
        "\n{:<28} {:>8} {:>14}",
        "addresses at Intercom", "calls", "median ms"
    );
    for emails in [1, 20, 200] {
        for (version, gateway) in [("1.1", users), ("2.17", &contacts)] {
            let (calls, median) = ask(sandbox, gateway, emails).await;
            println!(
                "{:<28} {calls:>8} {median:>14.1}",
                format!("{emails} ({version})")
            );
        }
    }
}

/// Asks for addresses in one request; returns its provider calls and its median time in
/// milliseconds.
async fn ask(sandbox: &Process, gateway: &Process, emails: usize) -> (usize, f64) {
    let fields = (0..emails).map(|n| {
        format!(
            "u{n}: usersByEmail(email: \"person{n}@bench.test\", providers: [INTERCOM]) {{
                nodes {{ id remoteId email name createdAt }} sources {{ status }} }}"
        )
    });
    let query = json!({ "query": format!("{{ {} }}", fields.collect::<Vec<_>>().join(" ")) });
    let client = reqwest::Client::new();
    let send = async || {
        let url = format!("http://{}/graphql", gateway.address);
        let answer = client.post(url).json(&query).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        assert_eq!(answer.get("errors"), None);
        assert_eq!(answer["data"]["u0"]["sources"][0]["status"], "COMPLETE");
    };
    send().await;
    let calls_url = format!("http://{}/_sandbox/calls", sandbox.address);
    client.delete(&calls_url).send().await.unwrap();
    let mut times = Vec::new();
    for _ in 0..TIMES {
        let started = Instant::now();
        send().await;
        times.push(started.elapsed());
    }
    let calls = client.get(&calls_url).send().await.unwrap();
    let calls: Vec<Value> = calls.json().await.unwrap();
    times.sort();
    (calls.len() / TIMES, milliseconds(times[TIMES / 2]))
}
