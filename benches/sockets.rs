//! Many WebSockets at the demo: what an idle one costs, and how fast those that ask are answered.
//!
//! `cargo bench --bench sockets`

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};

use futures_util::{SinkExt, StreamExt, future::join_all};
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{Message, client::IntoClientRequest},
};

/// How many sockets are opened.
const SOCKETS: usize = 2_000;

/// How many of them ask, and how often each.
const ASKING: usize = 200;
const TIMES: usize = 20;

type Socket = WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>;

/// The demo as a process of its own; it ends with the benchmark.
struct Demo {
    process: Child,
    address: String,
}

impl Demo {
    fn start() -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_roster"))
            .args([
                "demo",
                "--listen",
                "127.0.0.1:0",
                "--sandbox-listen",
                "127.0.0.1:0",
            ])
            .env("RUST_LOG", "warn")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the demo");
        let output = process.stdout.take().expect("its output");
        let mut lines = BufReader::new(output).lines().map_while(Result::ok);
        let line = lines.find(|line| line.starts_with("GraphQL "));
        let line = line.expect("the address of the demo");
        let address = line.rsplit("http://").next().unwrap_or_default();
        Self {
            process,
            address: address.to_owned(),
        }
    }

    /// The memory of the process, in KiB.
    fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()));
        let status = status.expect("the status of the demo");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        number
            .and_then(|number| number.parse().ok())
            .expect("a number")
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

async fn open(address: &str) -> Socket {
    let url = format!("ws://{address}");
    let mut request = url.into_client_request().expect("a request");
    let protocol = "graphql-transport-ws".parse().expect("a protocol");
    request
        .headers_mut()
        .insert("sec-websocket-protocol", protocol);
    let (mut socket, _) = tokio_tungstenite::connect_async(request)
        .await
        .expect("a socket");
    let init = json!({ "type": "connection_init" }).to_string();
    socket.send(Message::Text(init.into())).await.expect("init");
    assert_eq!(next(&mut socket).await["type"], "connection_ack");
    socket
}

async fn next(socket: &mut Socket) -> Value {
    loop {
        match socket.next().await.expect("a message").expect("a message") {
            Message::Text(text) => return serde_json::from_str(&text).expect("JSON"),
            Message::Ping(_) | Message::Pong(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// Asks some times, and returns how long each answer took.
async fn ask(mut socket: Socket, query: &str) -> (Socket, Vec<Duration>) {
    let mut took = Vec::new();
    for n in 0..TIMES {
        let id = n.to_string();
        let message = json!({ "type": "subscribe", "id": id, "payload": { "query": query } });
        let started = Instant::now();
        let text = message.to_string().into();
        socket
            .send(Message::Text(text))
            .await
            .expect("an open socket");
        assert_eq!(next(&mut socket).await["type"], "next");
        took.push(started.elapsed());
        assert_eq!(next(&mut socket).await["type"], "complete");
    }
    (socket, took)
}

fn print_latency(what: &str, mut took: Vec<Duration>) {
    took.sort_unstable();
    let at = |part: usize| took[(took.len() - 1) * part / 100].as_secs_f64() * 1e3;
    println!(
        "{what}: median {:.2} ms, 99 % {:.2} ms, longest {:.2} ms",
        at(50),
        at(99),
        at(100)
    );
}

#[tokio::main]
async fn main() {
    rlimit::increase_nofile_limit(u64::MAX).ok();
    let demo = Demo::start();
    let first = open(&demo.address).await;
    let before = demo.memory();
    let mut sockets = vec![first];
    while sockets.len() < SOCKETS {
        let more = (0..100).map(|_| open(&demo.address));
        sockets.extend(join_all(more).await);
    }
    let idle = demo.memory();
    let each = idle.saturating_sub(before) as f64 / sockets.len() as f64;
    println!(
        "{} idle sockets: {} MiB more, {each:.1} KiB each",
        sockets.len(),
        (idle - before) / 1024
    );

    let (answered, alone) = ask(sockets.pop().expect("a socket"), "{ accounts { name } }").await;
    print_latency("one that asks", alone);
    sockets.push(answered);
    let asking = sockets.split_off(sockets.len() - ASKING);
    let answers = join_all(
        asking
            .into_iter()
            .map(|socket| ask(socket, "{ accounts { name } }")),
    )
    .await;
    let took = answers.iter().flat_map(|(_, took)| took.clone()).collect();
    print_latency(&format!("{ASKING} that ask at once"), took);
    println!("afterwards: {} MiB", demo.memory() / 1024);
}
