//! Clients that send or read too slowly, and connections that are not used.

use bytes::Bytes;
use http_body::Frame;
use http_body_util::StreamBody;
use roster::server::{body::BodyLimits, pace::LeastRate};
use tokio::{net::TcpSocket, time::Instant};

use super::{
    AsyncReadExt, AsyncWriteExt, Duration, LARGE, Limits, PATIENCE, SHORT, SocketAddr, TcpStream,
    ask, closed, connect, gateway, limits, rest, serve, sleep, timeout,
};

/// A rate that a test can fall behind.
const RATE: LeastRate = LeastRate {
    bytes_per_second: 1024,
    behind: Duration::from_millis(200),
};

fn one_place() -> Limits {
    Limits {
        rate: RATE,
        connections: 1,
        ..limits(PATIENCE * 10, PATIENCE * 10)
    }
}

fn slow_bodies() -> Limits {
    let body = BodyLimits {
        rate: RATE,
        ..BodyLimits::default()
    };
    Limits {
        body,
        ..one_place()
    }
}

const POST: &[u8] = b"POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n";

/// Sends a body byte by byte, for as long as it is taken.
async fn trickle(mut stream: tokio::net::tcp::OwnedWriteHalf) {
    while stream.write_all(b" ").await.is_ok() {
        sleep(SHORT).await;
    }
}

#[tokio::test]
async fn a_body_that_comes_byte_by_byte_is_answered_408_and_its_connection_closed() {
    let address = gateway(slow_bodies()).await;
    let mut stream = connect(address).await;
    stream.write_all(POST).await.expect("an open connection");
    let (mut read, write) = stream.into_split();
    let trickle = tokio::spawn(trickle(write));

    let mut said = String::new();
    let end = timeout(PATIENCE, read.read_to_string(&mut said)).await;

    assert!(end.is_ok(), "the connection is still held");
    assert!(said.starts_with("HTTP/1.1 408 "), "{said}");
    assert!(said.contains("BAD_USER_INPUT") && said.contains("connection: close"));
    trickle.abort();
}

#[tokio::test]
async fn a_body_that_comes_byte_by_byte_is_answered_408_over_http_2() {
    let address = gateway(slow_bodies()).await;
    let client = reqwest::Client::builder().http2_prior_knowledge().build();
    let bytes = futures_util::stream::unfold((), |()| async {
        sleep(SHORT).await;
        let space = Frame::data(Bytes::from_static(b" "));
        Some((Ok::<_, std::io::Error>(space), ()))
    });
    let body = reqwest::Body::wrap(StreamBody::new(bytes));
    let request = client
        .expect("a client")
        .post(format!("http://{address}/graphql"));
    let request = request
        .header("content-type", "application/json")
        .body(body);

    let answer = timeout(PATIENCE, request.send()).await.expect("in time");

    assert_eq!(answer.expect("an answer").status(), 408);
}

#[tokio::test]
async fn slow_bodies_do_not_shut_others_out() {
    let address = gateway(slow_bodies()).await;
    let mut slow = connect(address).await;
    slow.write_all(POST).await.expect("an open connection");
    sleep(SHORT).await;

    let answer = reqwest::get(format!("http://{address}/health/live"));

    let answer = timeout(PATIENCE, answer).await.expect("its turn comes");
    assert_eq!(answer.expect("an answer").status(), 200);
}

#[tokio::test]
async fn a_request_that_is_received_for_long_makes_room_where_nothing_is_idle() {
    // Slow enough to be refused by nothing else.
    let address = gateway(one_place()).await;
    let mut slow = connect(address).await;
    slow.write_all(POST).await.expect("an open connection");
    sleep(SHORT).await;
    let start = Instant::now();

    let answer = reqwest::get(format!("http://{address}/health/live")).await;

    assert_eq!(answer.expect("an answer").status(), 200);
    // The body has ten seconds more.
    assert!(start.elapsed() < Duration::from_secs(8));
    closed(slow).await;
}

/// A client whose system keeps little of what it does not read.
async fn small(address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(16 * 1024).expect("a size");
    socket.connect(address).await.expect("a connection")
}

async fn send(stream: &mut TcpStream, path: &str) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: roster\r\n\r\n");
    let sent = stream.write_all(request.as_bytes()).await;
    sent.expect("an open connection");
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answer_loses_its_place() {
    let address = serve(one_place(), Duration::ZERO).await;
    let mut idle = small(address).await;
    send(&mut idle, "/large").await;
    sleep(SHORT).await;

    ask(&mut connect(address).await).await;

    let said = rest(&mut idle).await;
    assert!(said.starts_with("HTTP/1.1 200 ") && said.len() < LARGE);
}

#[tokio::test]
async fn a_stream_of_http_2_that_gets_no_window_ends_its_connection() {
    let mut limits = one_place();
    limits.idle = RATE.behind;
    let address = serve(limits, Duration::ZERO).await;
    let mut stalled = connect(address).await;
    let settings = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let get = b"\x82\x86\x44\x06/large\x41\x06roster";
    let head = [0, 0, get.len() as u8, 1, 5, 0, 0, 0, 1];
    let sent = [&settings[..], &head, get].concat();
    stalled.write_all(&sent).await.expect("an open connection");
    // The server sends what the first window lets it send.
    let mut first = vec![0; 60_000];
    stalled.read_exact(&mut first).await.expect("an answer");

    ask(&mut connect(address).await).await;

    closed(stalled).await;
}

#[tokio::test]
async fn an_answer_that_is_read_slowly_is_not_cut() {
    let limits = Limits {
        rate: LeastRate {
            behind: PATIENCE,
            ..RATE
        },
        ..limits(SHORT, SHORT * 20)
    };
    let address = serve(limits, Duration::ZERO).await;
    let mut stream = small(address).await;
    send(&mut stream, "/large").await;

    let (mut read, mut piece) = (0, vec![0; 256 * 1024]);
    while read < LARGE {
        let got = timeout(PATIENCE, stream.read_exact(&mut piece)).await;
        read += got.expect("in time").expect("more of the answer");
        // In all much longer than a connection may be idle.
        sleep(SHORT).await;
    }
}

#[tokio::test]
async fn the_longest_idle_connection_makes_room_for_a_new_one() {
    let three = Limits {
        connections: 3,
        ..Limits::default()
    };
    let address = serve(three, Duration::ZERO).await;
    let [mut first, mut second, mut third] = [
        connect(address).await,
        connect(address).await,
        connect(address).await,
    ];
    for stream in [&mut first, &mut second, &mut third] {
        ask(stream).await;
    }
    ask(&mut first).await;

    ask(&mut connect(address).await).await;

    closed(second).await;
    ask(&mut first).await;
    ask(&mut third).await;
}

#[tokio::test]
async fn connections_that_send_nothing_make_room() {
    let two = Limits {
        connections: 2,
        ..limits(PATIENCE * 10, PATIENCE * 10)
    };
    let address = serve(two, Duration::ZERO).await;
    let mut silent = Vec::new();
    for sent in [&b""[..], b"G", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b""] {
        let mut stream = connect(address).await;
        let _ = stream.write_all(sent).await;
        silent.push(stream);
    }

    ask(&mut connect(address).await).await;
}

#[tokio::test]
async fn a_connection_that_has_just_come_makes_no_room() {
    let address = serve(one_place(), Duration::ZERO).await;
    let mut first = connect(address).await;
    let mut second = connect(address).await;
    sleep(SHORT).await;

    // Both get an answer, though there is room for one.
    ask(&mut first).await;

    ask(&mut second).await;
}

#[tokio::test]
async fn a_new_connection_waits_while_requests_are_under_way_in_all_others() {
    let address = serve(one_place(), Duration::ZERO).await;
    let mut first = connect(address).await;
    send(&mut first, "/hang").await;
    sleep(SHORT).await;
    let second = tokio::spawn(async move { ask(&mut connect(address).await).await });
    sleep(SHORT * 6).await;
    assert!(!second.is_finished(), "both were let in");

    drop(first);

    let answered = timeout(PATIENCE, second).await.expect("its turn comes");
    answered.expect("an answer");
}
