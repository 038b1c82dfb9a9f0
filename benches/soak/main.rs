//! Many clients, failing providers and tight budgets for a while, and then a verdict.
//!
//! `scripts/soak [--minutes 5] [--seed 1] [--clients 20]` starts the sandboxes and a gateway as
//! processes, sends clients' queries while providers fail and recover at random, lifts the last
//! fault and watches the recovery. It exits with 1 when a promise is broken, and prints which one
//! and by how much.
//!
//! The same seed means the same faults and questions, not the same run: machines are noisy. Memory is read
//! from `/proc`, so it runs on Linux only.

#![expect(clippy::disallowed_methods, reason = "a load is a client of its own")]
#![expect(clippy::unwrap_used, reason = "a load that cannot go on may stop")]

mod clients;
mod process;
mod questions;
mod sandbox;
mod verdict;
mod weather;

use std::{process::ExitCode, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use clients::Account;
use process::Process;
use sandbox::Sandbox;
use verdict::Verdict;

/// The deadline of a request, as configured.
const DEADLINE: Duration = Duration::from_secs(4);
/// How much later an answer may come on a busy machine.
const SLACK: Duration = Duration::from_secs(2);
/// The time after the last fault within which every provider must answer completely.
const RECOVERY: Duration = Duration::from_secs(30);
/// The interval between two readings of the gateway's memory.
const GLANCE: Duration = Duration::from_secs(1);

/// The rate limit of each provider in ten seconds.
const BUDGETS: [(&str, u32); 4] = [
    ("ada", 150),
    ("digitalchalk", 200),
    ("intercom", 200),
    ("usertour", 200),
];
const WINDOW_SECONDS: u32 = 10;

#[tokio::main]
async fn main() -> ExitCode {
    let number = |flag: &str, usual: f64| {
        let mut args = std::env::args().skip_while(|arg| arg != flag);
        let given = args.nth(1).and_then(|value| value.parse().ok());
        given.unwrap_or(usual)
    };
    let time = Duration::from_secs_f64(number("--minutes", 5.0) * 60.0);
    let (seed, clients) = (
        number("--seed", 1.0) as u64,
        number("--clients", 20.0) as u64,
    );
    println!("{clients} clients for {} s, seed {seed}", time.as_secs());

    let house = Process::sandbox();
    let sandbox = Sandbox::at(&house.address);
    sandbox.limit().await;
    let mut gateway = Process::gateway(&house.address);
    let questions = questions::known(&sandbox).await;
    let until = Instant::now() + time;
    let accounts = clients::start(
        (clients, seed),
        &gateway.address,
        &Arc::new(questions),
        until,
    );
    let weather = tokio::spawn(weather::change(sandbox.clone(), seed, until));
    let memory = watch(&mut gateway, until).await;
    let faults = weather.await.unwrap();
    let mut account = Account::default();
    for client in accounts {
        account.add(client.await.unwrap());
    }
    let recovered = sandbox::recovered(&gateway.address, RECOVERY).await;
    let verdict = Verdict {
        is_alive: gateway.is_alive(),
        log: gateway.log(),
        calls: sandbox.calls().await,
        account,
        faults,
        memory,
        recovered,
    };
    verdict.print()
}

/// The gateway's memory in MiB, by second.
async fn watch(gateway: &mut Process, until: Instant) -> Vec<f64> {
    let mut memory = Vec::new();
    while Instant::now() < until && gateway.is_alive() {
        memory.push(gateway.memory_mib());
        sleep(GLANCE).await;
    }
    memory
}
