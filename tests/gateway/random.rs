//! Lists that change at random while they are walked through a gateway, at providers with every paging
//! that there is, which mislabel their end, miscount, repeat rows, send empty pages, odd values, records
//! that cannot be read, and others than were asked for. Under COMPLETE nobody is missed who stays where he
//! is among his neighbours, nobody comes twice in an answer, and nobody is made up. A list without faults
//! is COMPLETE.
//!
//! Each run has another seed, which it prints. `ROSTER_RANDOM_SEED` and `ROSTER_RANDOM_CASES` (for each
//! provider) repeat a run, or make it long. `ROSTER_RANDOM_FROM` is the number of the first case: with
//! `ROSTER_RANDOM_CASES=1` one case is run alone.

mod asked;
mod client;
mod dice;
mod habits;
mod list;
mod outcome;
mod provider;
mod rows;
mod searches;

use std::{
    fmt::Write as _,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use futures_util::future::join_all;
use roster::config::Settings;
use tokio::net::TcpListener;

use self::{client::Lane, dice::Dice, habits::Paging, outcome::Outcome};
use crate::world::{World, intercom};

/// How many cases each provider gets, unless told otherwise.
const CASES: u64 = 120;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// The seed of a run that is told none.
fn seed_of_now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let since = since.expect("a time after 1970").as_millis();
    u64::try_from(since).expect("a time of this age")
}

/// A gateway over one fake provider of each kind; Intercom is asked for a version.
async fn gateway(address: std::net::SocketAddr, version: &str) -> std::net::SocketAddr {
    let mut settings: Settings = crate::world::settings(address);
    settings.cache.seconds = 0.0;
    settings.limits.deadline_seconds = 60.0;
    for (name, account) in &mut settings.accounts {
        let version = version.replace('.', "-");
        account.base_url = Some(format!("http://{address}/{name}-{version}"));
        account.breaker.enabled = false;
        account.timeout_seconds = Some(30.0);
        account.attempts = 1;
    }
    intercom(&mut settings, version);
    World::serve(&settings).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_user_that_stays_is_missed_and_none_comes_twice_or_is_made_up() {
    let seed = number("ROSTER_RANDOM_SEED").unwrap_or_else(seed_of_now);
    let cases = number("ROSTER_RANDOM_CASES").unwrap_or(CASES);
    let from = number("ROSTER_RANDOM_FROM").unwrap_or(0);
    println!("ROSTER_RANDOM_SEED={seed} ROSTER_RANDOM_CASES={cases} ROSTER_RANDOM_FROM={from}");
    let lists = Arc::new(provider::Lists::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let app = provider::app(Arc::clone(&lists));
    tokio::spawn(async move { axum::serve(listener, app).await });
    let (new, old) = (
        gateway(address, "2.17").await,
        gateway(address, "1.1").await,
    );

    let lanes = Paging::ALL.map(|paging| {
        let lists = &lists;
        let gateway = if paging == Paging::Numbers { old } else { new };
        async move {
            let mut lane = Lane {
                client: reqwest::Client::new(),
                gateway,
                lists,
                paging,
                outcome: Outcome::default(),
            };
            for number in from..from + cases {
                lane.case(number, Dice::of(seed, paging as u64, number))
                    .await;
            }
            (paging, lane.outcome)
        }
    });
    let outcomes = join_all(lanes).await;

    let mut faults = String::new();
    for (paging, outcome) in outcomes {
        println!("{paging:?}: {}", outcome.told());
        for fault in outcome.faults {
            let _ = writeln!(faults, "{paging:?}: {fault}");
        }
    }
    assert!(faults.is_empty(), "ROSTER_RANDOM_SEED={seed}\n{faults}");
}
