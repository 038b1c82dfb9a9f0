//! The clients: their queries, and the checks of the answers.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use fastrand::Rng;
use serde_json::{Value, json};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};

use super::{
    DEADLINE, SLACK,
    questions::{Known, Question, nodes, page},
};

/// The codes that a client may get here: all documented ones except those that blame its query or
/// the gateway.
const CODES: &[&str] = &[
    "DEADLINE_EXCEEDED",
    "OUTCOME_UNKNOWN",
    "PROVIDER_AUTH",
    "PROVIDER_BAD_RESPONSE",
    "PROVIDER_RATE_LIMITED",
    "PROVIDER_REJECTED",
    "PROVIDER_TIMEOUT",
    "PROVIDER_UNAVAILABLE",
];

/// The results of all clients.
#[derive(Default)]
pub(crate) struct Account {
    /// The number of queries of each kind.
    pub(crate) asked: BTreeMap<&'static str, u64>,
    /// The number of errors of each code.
    pub(crate) codes: BTreeMap<String, u64>,
    pub(crate) times: Vec<Duration>,
    pub(crate) wrong: Vec<String>,
}

impl Account {
    pub(crate) fn add(&mut self, other: Self) {
        for (name, count) in other.asked {
            *self.asked.entry(name).or_default() += count;
        }
        for (code, count) in other.codes {
            *self.codes.entry(code).or_default() += count;
        }
        self.times.extend(other.times);
        self.wrong.extend(other.wrong);
    }

    /// Checks every error in an answer.
    fn look(&mut self, name: &str, answer: &Value) {
        for error in answer["errors"].as_array().into_iter().flatten() {
            self.code(name, &error["extensions"]["code"], error);
        }
        self.look_within(name, &answer["data"]);
    }

    fn look_within(&mut self, name: &str, data: &Value) {
        match data {
            Value::Array(items) => items.iter().for_each(|item| self.look_within(name, item)),
            Value::Object(fields) => {
                for (field, value) in fields {
                    match field.as_str() {
                        "error" if value.is_object() => self.code(name, &value["code"], value),
                        "userErrors" => {
                            let errors = value.as_array().into_iter().flatten();
                            errors.for_each(|error| self.code(name, &error["code"], error));
                        }
                        _ => self.look_within(name, value),
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn code(&mut self, name: &str, code: &Value, error: &Value) {
        let code = code.as_str().unwrap_or("without a code");
        *self.codes.entry(code.to_owned()).or_default() += 1;
        if !CODES.contains(&code) {
            self.wrong.push(format!("{name}: {error}"));
        }
    }
}

struct Client {
    http: reqwest::Client,
    url: String,
    dice: Rng,
    account: Account,
}

/// Starts this many clients with a seed; each ends at a moment.
pub(crate) fn start(
    (clients, seed): (u64, u64),
    gateway: &str,
    known: &Arc<Known>,
    until: Instant,
) -> Vec<JoinHandle<Account>> {
    let start = |number| {
        let mut client = Client {
            http: reqwest::Client::new(),
            url: format!("http://{gateway}/graphql"),
            dice: Rng::with_seed(seed.wrapping_mul(1_000).wrapping_add(number)),
            account: Account::default(),
        };
        let known = Arc::clone(known);
        tokio::spawn(async move {
            while Instant::now() < until {
                client.visit(&known).await;
                sleep(Duration::from_millis(client.dice.u64(300..1_500))).await;
            }
            client.account
        })
    };
    (0..clients).map(start).collect()
}

impl Client {
    /// Sends one query, and then those that follow from its answer.
    async fn visit(&mut self, known: &Known) {
        let question = known.ask(&mut self.dice);
        let answer = self.ask(&question).await;
        let (name, _, variables) = question;
        if name != "users" {
            return;
        }
        let users = &answer["data"]["users"];
        if let (Some(cursor), Some(provider)) = (
            users["pageInfo"]["endCursor"].as_str(),
            variables["of"].as_str(),
        ) {
            self.ask(&page(provider, 30, Some(cursor))).await;
        }
        let ids = users["nodes"].as_array().into_iter().flatten();
        let ids: Vec<_> = ids.map(|node| node["id"].clone()).take(4).collect();
        if !ids.is_empty() {
            self.ask(&nodes(&ids)).await;
        }
    }

    async fn ask(&mut self, (name, query, variables): &Question) -> Value {
        let body = json!({ "query": query, "variables": variables });
        let started = Instant::now();
        let answer = self.http.post(&self.url).json(&body).send().await;
        let answer = match answer {
            Ok(answer) if [200, 294].contains(&answer.status().as_u16()) => {
                answer.json::<Value>().await
            }
            Ok(answer) => {
                let status = answer.status();
                self.account.wrong.push(format!("{name}: HTTP {status}"));
                return Value::Null;
            }
            Err(error) => Err(error),
        };
        let took = started.elapsed();
        *self.account.asked.entry(name).or_default() += 1;
        self.account.times.push(took);
        if took > DEADLINE + SLACK {
            self.account.wrong.push(format!("{name}: after {took:?}"));
        }
        match answer {
            Ok(answer) => {
                self.account.look(name, &answer);
                answer
            }
            Err(error) => {
                self.account.wrong.push(format!("{name}: {error}"));
                Value::Null
            }
        }
    }
}
