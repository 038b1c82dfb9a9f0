//! A provider whose circuit is open: the latency of a request that is refused at once.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::process::Process;

/// The number of requests of each case: all within the first cool-down.
const TIMES: usize = 500;

pub(crate) async fn compare(sandbox: &Process) {
    let gateway = Process::gateway(&sandbox.address, "2.17", 0);
    let client = reqwest::Client::new();
    let faults = format!("http://{}/_sandbox/faults", sandbox.address);
    let ill = json!({ "provider": "intercom", "kind": "status", "status": 503 });
    client.post(&faults).json(&ill).send().await.unwrap();
    let ask = async |query: &Value| -> (Value, Duration) {
        let url = format!("http://{}/graphql", gateway.address);
        let started = Instant::now();
        let answer = client.post(url).json(query).send().await.unwrap();
        let answer = answer.json().await.unwrap();
        (answer, started.elapsed())
    };
    let search = json!({ "query": "{ usersByEmail(email: \"ann@x.test\", providers: [INTERCOM]) {
        nodes { id } sources { status error { code retryAfter } } } }" });
    let (_, ill) = ask(&search).await;
    ask(&search).await;
    let nothing = json!({ "query": "{ __typename }" });
    println!("\n{:<28} {:>14}", "an open circuit", "median µs");
    for (name, query) in [
        ("usersByEmail, Intercom", &search),
        ("{ __typename }", &nothing),
    ] {
        let mut times = Vec::new();
        for _ in 0..TIMES {
            let (answer, took) = ask(query).await;
            let source = &answer["data"]["usersByEmail"]["sources"][0]["error"];
            assert_eq!(
                source["retryAfter"].is_number(),
                std::ptr::eq(query, &search)
            );
            times.push(took);
        }
        times.sort();
        println!("{name:<28} {:>14.0}", micros(times[TIMES / 2]));
    }
    println!("{:<28} {:>14.0}", "the same, still closed", micros(ill));
    client.delete(&faults).send().await.unwrap();
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}
