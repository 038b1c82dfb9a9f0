//! The day of an operator: every row of docs/operations.md happens, and looks as the page says.

use futures_util::future::join_all;
use roster::account::Provider;
use serde_json::{Value, json};

use super::{Gateway, Setup, field, message};
use crate::{budgets::redis::Redis, world::World};

const PAGE: &str = include_str!("../../../docs/operations.md");

const WRITE: &str = "mutation { upsertUser(input: { provider: INTERCOM, externalId: \"day\", email: \"day@x.test\" }) {
    userErrors { code }
} }";

/// A row of the table.
struct Row {
    happens: &'static str,
    /// The code that a client gets; `None` when it gets its answer.
    code: Option<&'static str>,
    level: &'static str,
    message: &'static str,
    fields: Vec<(&'static str, &'static str)>,
    metric: &'static str,
    labels: Vec<(&'static str, &'static str)>,
    /// The value of the metric; `None` when it grows.
    value: Option<f64>,
}

/// The texts in backticks.
fn quoted(cell: &'static str) -> Vec<&'static str> {
    cell.split('`').skip(1).step_by(2).collect()
}

impl Row {
    fn parse(line: &'static str) -> Self {
        let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [happens, told, log, metric] = cells.try_into().expect("four cells");
        let mut texts = quoted(log).into_iter();
        let message = texts.next().expect("a message");
        let fields = texts.filter_map(|field| field.split_once('='));
        let series = quoted(metric)[0];
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let labels = labels.trim_end_matches('}').split(',');
        let labels = labels.filter_map(|label| label.split_once('='));
        Self {
            happens,
            code: quoted(told).first().copied(),
            level: log.split_whitespace().next().expect("a level"),
            message,
            fields: fields.collect(),
            metric: name,
            labels: labels
                .map(|(name, value)| (name, value.trim_matches('"')))
                .collect(),
            value: metric
                .rsplit_once(" is ")
                .map(|(_, value)| value.parse().expect("a number")),
        }
    }

    /// Sends a query, and checks the answer, the log and the metric.
    async fn is_seen(&self, gateway: &Gateway, query: &str) {
        let happens = self.happens;
        let before = gateway.metric(self.metric, &self.labels).await;
        let before = before.unwrap_or_else(|| panic!("{happens}: no {}", self.metric));

        let answer = gateway.answer(query).await;

        let code = answer["errors"][0]["extensions"]["code"].as_str();
        assert_eq!(code, self.code, "{happens}: {answer}");
        let fits = |line: &Value| {
            let has = |(name, value): &(&str, &str)| field(line, name) == *value;
            message(line) == self.message && self.fields.iter().all(has)
        };
        let line = gateway.line(fits).await;
        assert_eq!(line["level"], self.level, "{happens}: {line}");
        let after = gateway.metric(self.metric, &self.labels).await;
        let after = after.expect("it was there");
        match self.value {
            Some(value) => assert!((after - value).abs() < 0.5, "{happens}: {after}"),
            None => assert!(after > before, "{happens}: {before} to {after}"),
        }
    }
}

fn rows() -> Vec<Row> {
    let (_, section) = PAGE.split_once("\n## A day of an operator\n").expect("it");
    let lines = section.lines().skip_while(|line| !line.starts_with("|---"));
    let lines = lines.skip(1).take_while(|line| line.starts_with("| "));
    lines.map(Row::parse).collect()
}

/// The sandbox's fault for an event.
fn fault(happens: &str) -> Option<Value> {
    Some(match happens {
        "a provider revokes the token" => json!({ "kind": "status", "status": 401 }),
        "a provider hangs" | "a provider hangs on" => json!({ "kind": "hang" }),
        "a provider answers 500" => json!({ "kind": "status", "status": 500 }),
        "a provider answers what nobody can read" => json!({ "kind": "not_json" }),
        "a provider is well again" => json!({ "kind": "status", "status": 503, "count": 1 }),
        _ => return None,
    })
}

/// The configuration for an event.
fn setup(row: &Row, world: &World, redis: Option<&Redis>) -> Setup {
    let name: String = row.happens.replace([' ', '\''], "-");
    let mut setup = Setup::over(world.sandbox, format!("day-{name}").leak());
    match row.happens {
        "a provider hangs" | "a provider hangs on" => setup.account += "timeout_seconds = 0.5\n",
        "the budget is used up" => {
            setup.account = "attempts = 1\nbudget = [{ calls = 1, seconds = 3600 }]\n".to_owned();
        }
        "the disk of the audit log is full" => {
            setup.tables = "[log]\naudit_file = \"/dev/full\"\n".to_owned();
        }
        "the token's file is renewed" => {
            setup
                .tokens
                .insert(Provider::Intercom, "revoked".to_owned());
        }
        _ => {}
    }
    if let Some(redis) = redis {
        setup.tables = format!(
            "[shared]\nurl = \"{}\"\ntimeout_seconds = 2.0\n",
            redis.url()
        );
        setup.account = "attempts = 1\n".to_owned();
    }
    setup
}

/// Makes an event happen, and checks what the page says.
async fn lives_through(row: &Row) {
    let list =
        |first| format!("{{ users(provider: INTERCOM, first: {first}) {{ nodes {{ id }} }} }}");
    let world = World::with(20, |_| {}).await;
    let mut redis = match row.happens {
        "Redis is away" => match Redis::start().await {
            Some(redis) => Some(redis),
            None => return,
        },
        _ => None,
    };
    let gateway = setup(row, &world, redis.as_ref()).start().await;
    if let Some(fault) = fault(row.happens) {
        world.fault(Provider::Intercom, fault).await;
    }
    let query = match row.happens {
        "the disk of the audit log is full" => WRITE.to_owned(),
        _ => list(9),
    };
    // The values from before.
    let before = match row.happens {
        "a provider hangs on" => 5,
        "the budget is used up" | "a provider is well again" | "Redis is away" => 1,
        _ => 0,
    };
    for first in 1..=before {
        gateway.answer(&list(first)).await;
    }
    if let Some(redis) = &mut redis {
        redis.kill();
    }
    if row.happens == "the token's file is renewed" {
        let file = gateway.tokens[&Provider::Intercom].path();
        std::fs::write(file, roster_sandbox::TOKEN).expect("a file");
    }

    row.is_seen(&gateway, &query).await;
}

#[tokio::test]
async fn every_row_of_the_operations_page_is_true() {
    let rows = rows();
    let others = [
        "the token's file is renewed",
        "the budget is used up",
        "Redis is away",
        "the disk of the audit log is full",
    ];
    for row in &rows {
        let is_known = fault(row.happens).is_some() || others.contains(&row.happens);
        assert!(is_known, "nobody knows how {:?} happens", row.happens);
    }
    assert_eq!(rows.len(), 10);

    join_all(rows.iter().map(lives_through)).await;
}
