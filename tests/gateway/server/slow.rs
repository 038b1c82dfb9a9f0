//! Clients that send or read too slowly, and unused connections.

use bytes::Bytes;
use http_body::Frame;
use http_body_util::StreamBody;
use roster::server::{body::BodyLimits, slow_client::MinTransferRate};
use tokio::time::Instant;

use super::{
    AsyncReadExt, AsyncWriteExt, ConnectionLimits, Duration, PATIENCE, SHORT, closed, connect,
    gateway, limits, request, send, serve, sleep, timeout,
};

/// A rate that a test can fall behind.
const RATE: MinTransferRate = MinTransferRate {
    bytes_per_second: 1024,
    max_lag: Duration::from_millis(200),
};

fn one_place() -> ConnectionLimits {
    ConnectionLimits {
        rate: RATE,
        connections: 1,
        ..limits(PATIENCE * 10, PATIENCE * 10)
    }
}

fn slow_bodies() -> ConnectionLimits {
    let body = BodyLimits {
        rate: RATE,
        ..BodyLimits::default()
    };
    ConnectionLimits {
        body,
        ..one_place()
    }
}

const POST: &[u8] = b"POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n";

/// Sends a body byte by byte, as long as the server reads it.
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
async fn bodies_that_together_hold_too_much_are_refused() {
    let mut limits = ConnectionLimits::default();
    limits.body.total_bytes = 1000;
    let address = gateway(limits).await;
    let mut first = connect(address).await;
    first.write_all(POST).await.expect("an open connection");
    let part = vec![b' '; 900];
    first.write_all(&part).await.expect("an open connection");
    let url = format!("http://{address}/graphql");
    let post = async || {
        let request = reqwest::Client::new().post(&url);
        let request = request.header("content-type", "application/json");
        let query = format!(
            "{{\"query\":\"{{accounts{{provider}}}}\"{}}}",
            " ".repeat(200)
        );
        request.body(query).send().await.expect("an answer")
    };

    let refused = async {
        loop {
            let answer = post().await;
            // The first may still be in transit.
            if answer.status() != 200 {
                break answer;
            }
        }
    };
    let refused = timeout(PATIENCE, refused).await.expect("a refusal");
    assert_eq!(refused.status(), 503);
    assert_eq!(refused.headers()["retry-after"], "1");
    assert_eq!(refused.headers()["connection"], "close");
    let body = refused.text().await.expect("a text");
    assert!(body.contains("OVERLOADED"), "{body}");

    drop(first);
    let served = async { while post().await.status() != 200 {} };
    timeout(PATIENCE, served).await.expect("room again");
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
async fn a_slowly_received_request_makes_room_when_nothing_is_idle() {
    // Slow, but not slow enough for any other limit.
    let address = gateway(one_place()).await;
    let mut slow = connect(address).await;
    slow.write_all(POST).await.expect("an open connection");
    sleep(SHORT).await;
    let start = Instant::now();

    let answer = reqwest::get(format!("http://{address}/health/live")).await;

    assert_eq!(answer.expect("an answer").status(), 200);
    // The body has ten more seconds.
    assert!(start.elapsed() < Duration::from_secs(8));
    closed(slow).await;
}

#[tokio::test]
async fn the_longest_idle_connection_makes_room_for_a_new_one() {
    let three = ConnectionLimits {
        connections: 3,
        ..ConnectionLimits::default()
    };
    let address = serve(three, Duration::ZERO).await;
    let [mut first, mut second, mut third] = [
        connect(address).await,
        connect(address).await,
        connect(address).await,
    ];
    for stream in [&mut first, &mut second, &mut third] {
        request(stream).await;
    }
    request(&mut first).await;

    request(&mut connect(address).await).await;

    closed(second).await;
    request(&mut first).await;
    request(&mut third).await;
}

#[tokio::test]
async fn connections_that_send_nothing_make_room() {
    let two = ConnectionLimits {
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

    request(&mut connect(address).await).await;
}

#[tokio::test]
async fn a_new_connection_makes_no_room() {
    let address = serve(one_place(), Duration::ZERO).await;
    let mut first = connect(address).await;
    let mut second = connect(address).await;
    sleep(SHORT).await;

    // Both get an answer, though only one slot exists.
    request(&mut first).await;

    request(&mut second).await;
}

#[tokio::test]
async fn a_new_connection_waits_while_all_others_have_requests_in_flight() {
    let address = serve(one_place(), Duration::ZERO).await;
    let mut first = connect(address).await;
    send(&mut first, "/hang").await;
    sleep(SHORT).await;
    let second = tokio::spawn(async move { request(&mut connect(address).await).await });
    sleep(SHORT * 6).await;
    assert!(!second.is_finished(), "both were let in");

    drop(first);

    let answered = timeout(PATIENCE, second).await.expect("its turn comes");
    answered.expect("an answer");
}
