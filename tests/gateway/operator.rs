//! The gateway as an operator sees it: its log, its metrics and its answers.

mod audit;
mod connection;
mod day;
mod log;
mod metrics;
mod outcome;
mod secrets;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    process::Stdio,
    sync::{Arc, Mutex},
    time::Duration,
};

use roster::account::Provider;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Child,
    time::{sleep, timeout},
};

use crate::{
    program::{File, PATIENCE, roster, signal},
    world::FOUR,
};

/// The configuration of a gateway over sandboxes, or over providers that a test implements.
struct Setup {
    sandbox: SocketAddr,
    name: &'static str,
    /// Lines of `[server]`.
    server: String,
    /// Further tables.
    tables: String,
    /// Lines of every account's table.
    account: String,
    /// Tokens that replace those of the sandboxes.
    tokens: BTreeMap<Provider, String>,
}

impl Setup {
    fn over(sandbox: SocketAddr, name: &'static str) -> Self {
        Self {
            sandbox,
            name,
            server: "shutdown_delay_seconds = 0\n".to_owned(),
            tables: String::new(),
            account: "attempts = 1\nbudget = []\n".to_owned(),
            tokens: BTreeMap::new(),
        }
    }

    fn token(&self, of: Provider) -> String {
        let token = self.tokens.get(&of).cloned();
        token.unwrap_or_else(|| crate::world::token(of))
    }

    fn written(&self) -> (File, BTreeMap<Provider, File>) {
        let accounts = roster::demo::settings(self.sandbox).accounts;
        let mut text = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\n{}[cache]\nseconds = 0.0\nerror_seconds = 0.0\n{}",
            self.server, self.tables
        );
        let mut tokens = BTreeMap::new();
        for of in FOUR {
            let file = File::holding(&format!("{}-{}", self.name, of.name()), &self.token(of));
            let base = accounts[of.name()].base_url.clone().unwrap_or_default();
            text += &format!(
                "[accounts.{}]\nbase_url = \"{base}\"\ntoken_file = \"{}\"\n{}",
                of.name(),
                file.path(),
                self.account.replace("NAME", of.name())
            );
            tokens.insert(of, file);
        }
        (File::holding(self.name, &text), tokens)
    }

    async fn start(self) -> Gateway {
        let (file, tokens) = self.written();
        let program = roster(&["serve", "--config", file.path(), "--log", "json"]);
        Gateway::of(program, file, tokens).await
    }
}

/// A gateway in its own process, with its log.
pub(crate) struct Gateway {
    child: Child,
    address: String,
    log: Arc<Mutex<Vec<Value>>>,
    client: reqwest::Client,
    tokens: BTreeMap<Provider, File>,
    _file: File,
}

impl Gateway {
    pub(crate) async fn of(
        mut program: std::process::Command,
        file: File,
        tokens: BTreeMap<Provider, File>,
    ) -> Self {
        program.stdin(Stdio::null());
        program.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = tokio::process::Command::from(program)
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts");
        let log = Arc::<Mutex<Vec<Value>>>::default();
        let (kept, mut lines) = (
            Arc::clone(&log),
            BufReader::new(child.stderr.take().expect("piped")).lines(),
        );
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                let line = serde_json::from_str(&line).unwrap_or(Value::String(line));
                kept.lock().expect("no panic").push(line);
            }
        });
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let line = timeout(PATIENCE, lines.next_line()).await;
        let line = line.expect("in time").expect("text").expect("a line");
        let address = line.strip_prefix("GraphiQL ").expect("its title").trim();
        Self {
            child,
            address: address
                .strip_suffix("/graphiql")
                .expect("its path")
                .to_owned(),
            log,
            client: reqwest::Client::new(),
            tokens,
            _file: file,
        }
    }

    /// The lines of the log so far that match.
    fn lines(&self, fits: impl Fn(&Value) -> bool) -> Vec<Value> {
        let log = self.log.lock().expect("no panic");
        log.iter().filter(|line| fits(line)).cloned().collect()
    }

    /// Waits for the first line that matches.
    pub(crate) async fn line(&self, fits: impl Fn(&Value) -> bool) -> Value {
        let found = async {
            loop {
                if let Some(line) = self.lines(&fits).into_iter().next() {
                    return line;
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        let found = timeout(PATIENCE, found).await;
        found.unwrap_or_else(|_| panic!("no such line: {:#?}", self.lines(|_| true)))
    }

    async fn answer(&self, query: &str) -> Value {
        let request = self.client.post(format!("{}/graphql", self.address));
        let answer = request.json(&json!({ "query": query })).send().await;
        answer.expect("an answer").json().await.expect("JSON")
    }

    /// Reads a list and returns the code of its error, if any.
    async fn list(&self, of: &str, first: u32) -> Option<String> {
        let query = format!("{{ users(provider: {of}, first: {first}) {{ nodes {{ id }} }} }}");
        let answer = self.answer(&query).await;
        let code = answer["errors"][0]["extensions"]["code"].as_str();
        code.map(str::to_owned)
    }

    async fn metrics(&self) -> String {
        let answer = reqwest::get(format!("{}/metrics", self.address)).await;
        answer.expect("an answer").text().await.expect("text")
    }

    /// The sum of all series of a metric with these labels; `None` when there is none.
    async fn metric(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        series(&self.metrics().await, name, labels)
    }

    /// Waits until a metric has a value.
    async fn settles(&self, name: &str, labels: &[(&str, &str)], value: f64) {
        let settled = async {
            while self.metric(name, labels).await != Some(value) {
                sleep(Duration::from_millis(20)).await;
            }
        };
        let settled = timeout(PATIENCE, settled).await;
        assert!(settled.is_ok(), "{name} is not {value}");
    }

    async fn signal(&self, name: &str) {
        signal(&self.child, name).await;
    }
}

/// The sum of all series of a metric with these labels.
fn series(metrics: &str, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let lines = metrics.lines().filter(|line| {
        let rest = line.strip_prefix(name);
        let is_it = rest.is_some_and(|rest| rest.starts_with(['{', ' ']));
        let has = |(label, value): &(&str, &str)| line.contains(&format!("{label}=\"{value}\""));
        is_it && labels.iter().all(has)
    });
    let values: Vec<f64> = lines
        .filter_map(|line| line.rsplit(' ').next()?.parse().ok())
        .collect();
    (!values.is_empty()).then(|| values.iter().sum())
}

fn field<'a>(line: &'a Value, name: &str) -> &'a str {
    line["fields"][name].as_str().unwrap_or_default()
}

fn message(line: &Value) -> &str {
    field(line, "message")
}
