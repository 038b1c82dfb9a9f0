//! Four equal writes at once, again and again, through two gateways and one Redis, which is killed in
//! the middle of some: how many records are made, and what is told.
//!
//! `ROSTER_EQUAL_WRITES` says how often at each provider: `ROSTER_EQUAL_WRITES=200 cargo test --test
//! gateway upsert::many -- --nocapture` prints a table.

use std::{collections::BTreeMap, time::Duration};

use futures_util::future::{join, join_all};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::once::{all_at_once, two};
use crate::{
    budgets::redis::Redis,
    subject::Subject::{self, Ada, DigitalChalk, IntercomContacts, IntercomUsers, Usertour},
    world::World,
};

/// How often, unless told otherwise.
const ROUNDS: usize = 3;

const SUBJECTS: [Subject; 5] = [
    Ada,
    DigitalChalk,
    IntercomContacts { version: "2.17" },
    IntercomUsers { version: "1.4" },
    Usertour,
];

fn rounds() -> usize {
    let told = std::env::var("ROSTER_EQUAL_WRITES");
    told.map_or(ROUNDS, |told| {
        told.parse().expect("ROSTER_EQUAL_WRITES is a number")
    })
}

/// The records and payloads of some rounds.
#[derive(Default)]
struct Tally {
    /// How many rounds made so many records.
    records: BTreeMap<usize, usize>,
    /// How often an outcome was told, with the codes beside it.
    told: BTreeMap<String, usize>,
    /// How many rounds told so many CREATED.
    created: BTreeMap<usize, usize>,
}

impl Tally {
    fn add(&mut self, records: usize, payloads: &[Value]) {
        *self.records.entry(records).or_default() += 1;
        let mut created = 0;
        for payload in payloads {
            let errors = payload["userErrors"].as_array().expect("errors");
            let codes: Vec<_> = errors
                .iter()
                .map(|error| error["code"].to_string())
                .collect();
            let told = format!("{} {}", payload["outcome"], codes.join(" ")).replace('"', "");
            *self.told.entry(told.trim_end().to_owned()).or_default() += 1;
            created += usize::from(payload["outcome"] == "CREATED");
        }
        *self.created.entry(created).or_default() += 1;
    }
}

/// One round of four equal writes; with a moment at which Redis is killed in it.
async fn round(worlds: &[&World], subject: Subject, name: &str) -> (usize, Vec<Value>) {
    let of = subject.provider();
    let input = match subject {
        Usertour => json!({ "externalId": name }),
        _ => json!({ "email": format!("{name}@x.test") }),
    };
    let payloads = all_at_once(worlds, of, &vec![input.clone(); 4]).await;
    let is_it = |record: &&Value| match subject {
        Usertour => record["id"] == input["externalId"],
        _ => record["email"] == input["email"],
    };
    let records = worlds[0].records(of).await;
    (records.iter().filter(is_it).count(), payloads)
}

fn print(subject: Subject, what: &str, tally: &Tally) {
    println!(
        "{subject:?}, {what}: records a round {:?}; CREATED a round {:?}; told {:?}",
        tally.records, tally.created, tally.told
    );
}

#[tokio::test]
async fn four_equal_writes_make_one_record_however_often() {
    join_all(SUBJECTS.map(with_redis)).await;
}

async fn with_redis(subject: Subject) {
    let rounds = rounds();
    let Some(redis) = Redis::start().await else {
        return;
    };
    let [one, other] = two(&redis, subject).await;
    let mut tally = Tally::default();
    for at in 0..rounds {
        let (records, payloads) = round(&[&one, &other], subject, &format!("equal{at}")).await;
        tally.add(records, &payloads);
    }
    print(subject, "with Redis", &tally);
    assert_eq!(tally.records, BTreeMap::from([(1, rounds)]), "{subject:?}");
    assert_eq!(tally.created, BTreeMap::from([(1, rounds)]), "{subject:?}");
    let told = [
        ("CREATED".to_owned(), rounds),
        ("MATCHED".to_owned(), 3 * rounds),
    ];
    assert_eq!(tally.told, BTreeMap::from(told), "{subject:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_redis_killed_in_the_middle_each_gateway_makes_one_record_at_most() {
    for subject in SUBJECTS {
        with_redis_killed(subject).await;
    }
}

async fn with_redis_killed(subject: Subject) {
    let Some(mut redis) = Redis::start().await else {
        return;
    };
    let [one, other] = two(&redis, subject).await;
    let mut tally = Tally::default();
    for at in 0..rounds() {
        let name = format!("killed{at}");
        let moment = Duration::from_micros(fastrand::u64(..20_000));
        let kill = async {
            sleep(moment).await;
            redis.kill();
        };
        let ((records, payloads), ()) = join(round(&[&one, &other], subject, &name), kill).await;
        // A write that finds two records says so.
        let are_two = "2 users have this email: say with `remoteId` which one is meant";
        for payload in &payloads {
            let is_told = matches!(payload["outcome"].as_str(), Some("CREATED" | "MATCHED"));
            let is_refused = payload["userErrors"][0]["message"] == are_two && records == 2;
            assert!(is_told || is_refused, "{subject:?} {payload}");
        }
        tally.add(records, &payloads);
        redis.run().await;
        both_up(&one, &other).await;
    }
    print(subject, "with Redis killed", &tally);
    let most = tally.records.keys().max().copied().unwrap_or_default();
    assert!(
        (1..=2).contains(&most) && !tally.records.contains_key(&0),
        "{subject:?}"
    );
}

/// Waits until both gateways have found Redis again.
async fn both_up(one: &World, other: &World) {
    for world in [one, other] {
        let is_up = async {
            loop {
                let url = format!("http://{}/health/ready", world.gateway);
                let answer = world.client.get(url).send().await.expect("an answer");
                let answer: Value = answer.json().await.expect("JSON");
                if answer["sharedStore"] == "up" {
                    return;
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        let found = tokio::time::timeout(Duration::from_secs(60), is_up).await;
        found.expect("it is found again");
    }
}
