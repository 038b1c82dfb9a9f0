//! Every fault that we know of, at each provider in turn: what a client is told, what it costs the provider,
//! and how long it takes. What is expected stands in a table, which `docs/faults.md` holds as well; a
//! run writes the table as it found it to the file that `ROSTER_FAULT_TABLE` names.

mod page;
mod rows;

use std::{collections::BTreeMap, time::Duration};

use futures_util::future::join_all;
use roster::{account::Provider, config::Settings};
use roster_sandbox::known::EVERYWHERE;
use serde_json::{Value, json};
use tokio::{net::TcpListener, time::Instant};

use crate::{
    faults::gives_nothing_away,
    world::{FOUR, World, account, word},
};

/// Two pages of Ada's list.
const USERS: usize = 200;
/// Three pages at least of every provider's list.
const MANY: usize = 400;
/// The largest response of a provider.
const MAX_ANSWER: usize = 1 << 20;
/// An attempt's share, where a row is about it.
const ATTEMPT: Duration = Duration::from_millis(500);
/// A request's deadline, where a row is about it.
const DEADLINE: Duration = Duration::from_millis(1_500);
/// The time that a busy machine may add.
const SLACK: Duration = Duration::from_secs(4);

/// The query.
#[derive(Clone, Copy)]
enum Query {
    /// Everybody with an address.
    Email,
    /// All users, page after page.
    List,
}

impl Query {
    /// The number of users of its worlds.
    fn users(self) -> usize {
        match self {
            Self::Email => USERS,
            Self::List => MANY,
        }
    }
}

/// The timeouts of a row's gateway.
#[derive(Clone, Copy, PartialEq)]
enum Patience {
    /// Nothing runs out.
    Long,
    /// An attempt has half a second.
    ShortAttempt,
    /// The request has a second and a half, and an attempt all of it.
    ShortDeadline,
}

/// When the answer comes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum When {
    /// Without a wait of the gateway's own.
    AtOnce,
    /// When the provider has been asked as often as it may be.
    AfterRetries,
    /// When each attempt was given up.
    ByAttempts,
    /// When the request's time is over.
    ByDeadline,
}

/// The outcome of one query.
#[derive(Clone, Copy, PartialEq)]
struct Outcome {
    /// The source's status.
    status: &'static str,
    /// The error's code.
    code: Option<&'static str>,
    /// How many calls the provider gets.
    calls: u64,
    when: When,
}

/// The outcome of a query at each provider.
type Outcomes = BTreeMap<Provider, Outcome>;

/// A fault, and what becomes of a question under it.
struct Row {
    name: &'static str,
    fault: Value,
    query: Query,
    patience: Patience,
    expected: Outcomes,
}

impl Row {
    /// The outcome that a provider must have in this row.
    fn expected(&self, of: Provider) -> Outcome {
        let outcome = self.expected.get(&of).copied();
        outcome.unwrap_or_else(|| panic!("{}: nothing is expected of {of:?}", self.name))
    }
}

/// The outcome at one provider.
struct Found {
    status: String,
    code: Option<String>,
    calls: u64,
    took: Duration,
    /// Whether what is wrong was found in the answer itself, whatever the table says.
    wrong: Vec<String>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_at_every_provider() {
    let rows = rows::rows();
    let mut found = Vec::new();
    for row in &rows {
        let world = world(row).await;
        let of_row = FOUR.map(async |sick| (sick, try_out(&world, row, sick).await));
        found.push(join_all(of_row).await);
    }
    let seen: Vec<_> = rows
        .iter()
        .zip(&found)
        .map(|(row, found)| {
            let outcomes = found.iter();
            let outcomes = outcomes.map(|(of, found)| (*of, page::seen(row.expected(*of), found)));
            (row.name, outcomes.collect::<Vec<_>>())
        })
        .collect();
    let table = page::render(&seen);
    println!("{table}");
    #[expect(
        clippy::disallowed_methods,
        reason = "it is not a setting of the gateway"
    )]
    if let Ok(file) = std::env::var("ROSTER_FAULT_TABLE") {
        std::fs::write(file, &table).expect("a file for the table");
    }
    let wrong: Vec<_> = rows
        .iter()
        .zip(&found)
        .flat_map(|(row, found)| differences(row, found))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_documented_table_is_the_expected_one() {
    let rows = rows::rows();
    let expected: Vec<_> = rows
        .iter()
        .map(|row| {
            let expected = FOUR.map(|of| (of, page::expected(row.expected(of))));
            (row.name, expected.to_vec())
        })
        .collect();

    assert!(
        page::render(&expected) == include_str!("../../docs/faults.md"),
        "ROSTER_FAULT_TABLE=docs/faults.md cargo test --test gateway matrix"
    );
}

async fn world(row: &Row) -> World {
    World::with(row.query.users(), |settings| {
        settings.limits.deadline_seconds = match row.patience {
            Patience::Long | Patience::ShortAttempt => 20.0,
            Patience::ShortDeadline => DEADLINE.as_secs_f64(),
        };
        for provider in settings.accounts.values_mut() {
            provider.attempts = 2;
            provider.max_answer_bytes = MAX_ANSWER;
            provider.timeout_seconds = Some(match row.patience {
                Patience::ShortAttempt => ATTEMPT.as_secs_f64(),
                Patience::Long | Patience::ShortDeadline => 20.0,
            });
        }
    })
    .await
}

/// A gateway that looks for a provider where nobody is.
async fn astray(world: &World, sick: Provider) -> World {
    // The port was free a moment ago, and nobody listens on it now.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let closed = listener.local_addr().expect("an address");
    drop(listener);
    let mut settings: Settings = crate::world::settings(world.sandbox);
    let lost = account(&mut settings, sick);
    lost.base_url = Some(format!("http://{closed}/api"));
    lost.attempts = 2;
    world.beside(World::serve(&settings).await)
}

/// Asks one provider under a fault.
async fn try_out(world: &World, row: &Row, sick: Provider) -> Found {
    let astray = match row.fault["kind"].as_str() {
        Some("nobody") => Some(astray(world, sick).await),
        _ => {
            world.fault(sick, row.fault.clone()).await;
            None
        }
    };
    let world = astray.as_ref().unwrap_or(world);
    let query = match row.query {
        Query::Email => {
            "query($of: Provider!, $email: String!) {
            found: usersByEmail(email: $email, providers: [$of]) {
                nodes { email } sources { status calls error { code } } } }"
        }
        Query::List => {
            "query($of: Provider!) { found: users(provider: $of, first: 400) { nodes { email } } }"
        }
    };
    let variables = json!({ "of": word(sick), "email": EVERYWHERE });
    let started = Instant::now();
    let answer = world.answer_with(query, variables).await;
    let took = started.elapsed();
    let logged = world.calls(sick).await.len() as u64;
    gives_nothing_away(world, &answer);
    read(row, &answer, (took, logged), astray.is_some())
}

fn read(row: &Row, answer: &Value, (took, logged): (Duration, u64), is_astray: bool) -> Found {
    let data = &answer["data"]["found"];
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let mut wrong = Vec::new();
    let rows = data["nodes"].as_array().map_or(0, Vec::len);
    let (status, code, calls) = match row.query {
        Query::Email => {
            let source = &data["sources"][0];
            let calls = source["calls"].as_u64().unwrap_or_default();
            if calls != logged && !is_astray {
                wrong.push(format!("{calls} calls are shown, and {logged} were made"));
            }
            (
                source["status"].clone(),
                text(&source["error"]["code"]),
                calls,
            )
        }
        Query::List => {
            let code = text(&answer["errors"][0]["extensions"]["code"]);
            let status = if code.is_some() { "FAILED" } else { "COMPLETE" };
            (status.into(), code, logged)
        }
    };
    let status = text(&status).unwrap_or_default();
    let should_be = match (row.query, status == "FAILED") {
        (_, true) => 0,
        (Query::Email, false) => 1,
        (Query::List, false) => MANY,
    };
    if rows != should_be {
        wrong.push(format!("{rows} users are in the answer: {answer}"));
    }
    Found {
        status,
        code,
        calls,
        took,
        wrong,
    }
}

fn differences(row: &Row, found: &[(Provider, Found)]) -> Vec<String> {
    let each = found.iter();
    each.flat_map(|(of, found)| {
        let expected = row.expected(*of);
        let mut wrong = found.wrong.clone();
        let (is, should) = (page::seen(expected, found), page::expected(expected));
        if is != should {
            wrong.push(format!("{is:?}, and not {should:?}"));
        }
        let wrong = wrong.into_iter();
        wrong.map(move |what| format!("{}, {of:?}: {what}", row.name))
    })
    .collect()
}

impl When {
    /// Between which times an answer comes.
    fn bounds(self) -> (Duration, Duration) {
        match self {
            // Nothing else would take twenty seconds.
            Self::AtOnce => (Duration::ZERO, SLACK),
            // Retries wait for a fifth of a second, or for the second that the provider asks for.
            Self::AfterRetries => (Duration::ZERO, Duration::from_millis(1_500) + SLACK),
            Self::ByAttempts => (ATTEMPT, 2 * ATTEMPT + Duration::from_millis(200) + SLACK),
            Self::ByDeadline => (DEADLINE.mul_f64(0.9), DEADLINE + SLACK),
        }
    }
}
