//! The HTTP server: connections, request ids, metrics, and pages without a requested size.

mod answers;
mod hosts;
mod refused;
mod slow;

use std::{future::pending, net::SocketAddr, time::Duration};

use axum::{Router, routing::get};
use roster::{
    config::Settings,
    server::{
        AllowedHosts, MainListenerSettings, Origins, Readiness, SocketLimits,
        accept::ConnectionLimits,
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};

use crate::world::World;

/// Longer than any answer takes on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A time that a test waits.
const SHORT: Duration = Duration::from_millis(50);

const ASK: &[u8] = b"GET / HTTP/1.1\r\nHost: roster\r\n\r\n";

/// A server with limits, whose answers take `takes`.
async fn serve(limits: ConnectionLimits, takes: Duration) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let answer = move || async move {
        sleep(takes).await;
        "answered"
    };
    let app = Router::new()
        .route("/", get(answer))
        .route("/hang", get(pending::<()>))
        .route("/medium", get(|| async { vec![b'x'; MEDIUM] }))
        .route("/large", get(|| async { vec![b'x'; LARGE] }));
    tokio::spawn(limits.serve(listener, app, Readiness::default(), pending()));
    address
}

/// More bytes than the system buffers for a client that does not read.
const LARGE: usize = 16 << 20;

/// A few times the bytes that the system buffers of an answer.
const MEDIUM: usize = 1 << 20;

/// The gateway's routes with limits, without providers.
async fn gateway(limits: ConnectionLimits) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let front = MainListenerSettings {
        readiness: Readiness::default(),
        origins: Origins::default(),
        hosts: AllowedHosts::of(&[], address).expect("hosts"),
        has_admin: false,
        sockets: SocketLimits::default(),
    };
    let executor = roster::app::open(&Settings::default()).expect("settings without mistakes");
    let app = front.router(executor).expect("routes");
    tokio::spawn(limits.serve(listener, app, Readiness::default(), pending()));
    address
}

/// Everything that a server sends until it closes, whether or not it resets the connection.
async fn rest(stream: &mut TcpStream) -> String {
    let mut said = Vec::new();
    let end = timeout(PATIENCE, stream.read_to_end(&mut said)).await;
    assert!(end.is_ok(), "the connection is still held");
    String::from_utf8_lossy(&said).into_owned()
}

fn limits(head: Duration, idle: Duration) -> ConnectionLimits {
    ConnectionLimits {
        head,
        idle,
        ..ConnectionLimits::default()
    }
}

/// Sends a request and reads its answer; the connection stays open.
async fn request(stream: &mut TcpStream) {
    stream.write_all(ASK).await.expect("an open connection");
    let (mut answer, mut piece) = (Vec::new(), [0; 1024]);
    while !answer.ends_with(b"answered") {
        let read = timeout(PATIENCE, stream.read(&mut piece)).await;
        let read = read.expect("in time").expect("an open connection");
        assert!(
            read > 0,
            "closed after {:?}",
            String::from_utf8_lossy(&answer)
        );
        answer.extend_from_slice(&piece[..read]);
    }
}

/// Waits until the server has closed a connection, whatever it sends before.
async fn closed(mut stream: TcpStream) {
    rest(&mut stream).await;
}

async fn send(stream: &mut TcpStream, path: &str) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: roster\r\n\r\n");
    let sent = stream.write_all(request.as_bytes()).await;
    sent.expect("an open connection");
}

async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.expect("a connection")
}

#[tokio::test]
async fn a_connection_that_sends_no_request_is_closed() {
    let address = serve(limits(SHORT, PATIENCE * 10), Duration::ZERO).await;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    for sent in [
        &b""[..],
        b"PRI * HT",
        b"G",
        b"GET / HTTP/1.1\r\nHost: r",
        preface,
    ] {
        let mut stream = connect(address).await;
        stream.write_all(sent).await.expect("an open connection");

        closed(stream).await;
    }
}

#[tokio::test]
async fn a_connection_may_idle_longer_than_a_head_may_take() {
    let address = serve(limits(SHORT, PATIENCE * 10), Duration::ZERO).await;
    let mut stream = connect(address).await;

    request(&mut stream).await;
    sleep(SHORT * 4).await;

    request(&mut stream).await;
}

#[tokio::test]
async fn a_connection_that_is_not_used_again_is_closed() {
    let address = serve(limits(PATIENCE * 10, SHORT), Duration::ZERO).await;
    let mut stream = connect(address).await;

    request(&mut stream).await;

    closed(stream).await;
}

#[tokio::test]
async fn a_request_in_flight_is_no_idle_connection() {
    let address = serve(limits(PATIENCE * 10, SHORT), SHORT * 4).await;

    request(&mut connect(address).await).await;
}

#[tokio::test]
async fn a_request_id_comes_back_unless_it_is_too_long() {
    let world = World::with(1, |_| {}).await;
    let id = async |given: String| {
        let url = format!("http://{}/health/live", world.gateway);
        let request = world.client.get(url).header("x-request-id", given);
        let answer = request.send().await.expect("an answer");
        let ids = answer.headers().get_all("x-request-id").iter();
        ids.map(|id| id.to_str().expect("ASCII").to_owned())
            .collect::<Vec<_>>()
    };

    assert_eq!(id("a".repeat(128)).await, ["a".repeat(128)]);
    let [ours] = id("a".repeat(129)).await.try_into().expect("one id");
    assert!(ours.len() == 16 && !ours.contains("aaaaaaaa"), "{ours}");
}

#[tokio::test]
async fn durations_are_histograms_that_can_be_added() {
    let world = World::with(1, |_| {}).await;
    world
        .data("{ usersByEmail(email: \"a@x.test\") { totalCount } }")
        .await;

    let url = format!("http://{}/metrics", world.gateway);
    let answer = world.client.get(url).send().await.expect("an answer");
    let text = answer.text().await.expect("text");

    for name in [
        "roster_graphql_request_duration_seconds",
        "roster_provider_call_duration_seconds",
    ] {
        assert!(text.contains(&format!("# TYPE {name} histogram")), "{text}");
        assert!(text.contains(&format!("{name}_bucket{{")), "{text}");
    }
    assert!(
        text.contains("le=\"0.25\"") && !text.contains("quantile="),
        "{text}"
    );
}

#[tokio::test]
async fn a_page_without_a_size_is_no_larger_than_pages_may_be() {
    let world = World::with(30, |settings| settings.limits.page = 5).await;

    let data = world
        .data("{ users(provider: INTERCOM) { nodes { id } } }")
        .await;

    assert_eq!(data["users"]["nodes"].as_array().map(Vec::len), Some(5));
}
