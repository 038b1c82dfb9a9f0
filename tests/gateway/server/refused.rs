//! Requests that are too large: their clients read the reason.

use serde_json::Value;

use super::{
    AsyncReadExt, AsyncWriteExt, ConnectionLimits, PATIENCE, SocketAddr, connect, gateway, rest,
    timeout,
};

/// The largest body.
const MOST: usize = 256 * 1024;

const HEAD: &str =
    "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";

/// The answer that a client reads after it has sent everything.
async fn said(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = connect(address).await;
    let sent = timeout(PATIENCE, stream.write_all(request)).await;
    sent.expect("in time").expect("an open connection");
    let mut said = String::new();
    let read = timeout(PATIENCE, stream.read_to_string(&mut said)).await;
    read.expect("the connection closes")
        .unwrap_or_else(|error| panic!("after {} bytes: {error}", request.len()));
    said
}

fn with_length(bytes: usize) -> Vec<u8> {
    let head = format!("{HEAD}Content-Length: {bytes}\r\n\r\n");
    [head.as_bytes(), &vec![b' '; bytes]].concat()
}

fn chunked(bytes: usize) -> Vec<u8> {
    let head = format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n");
    let piece = [b"1000\r\n", &[b' '; 0x1000][..], b"\r\n"].concat();
    let pieces = piece.repeat(bytes.div_ceil(0x1000));
    [head.as_bytes(), &pieces, b"0\r\n\r\n"].concat()
}

#[tokio::test]
async fn a_body_that_is_too_large_is_answered_413_before_the_connection_closes() {
    let address = gateway(ConnectionLimits::default()).await;
    for bytes in [MOST + 1, MOST + (1 << 20), 10 << 20] {
        for request in [with_length(bytes), chunked(bytes)] {
            let said = said(address, &request).await;
            assert!(said.starts_with("HTTP/1.1 413 "), "{said}");
            let (head, body) = said.split_once("\r\n\r\n").expect("a body");
            assert!(head.contains("connection: close"), "{head}");
            let body: Value = serde_json::from_str(body).expect("JSON");
            assert_eq!(body["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
            assert_eq!(body.get("data"), None);
        }
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_answered_413_over_http_2() {
    let address = gateway(ConnectionLimits::default()).await;
    let client = reqwest::Client::builder().http2_prior_knowledge().build();
    let request = client
        .expect("a client")
        .post(format!("http://{address}/graphql"));
    let request = request.header("content-type", "application/json");

    let answer = request.body(vec![b' '; 10 << 20]).send().await;

    assert_eq!(answer.expect("an answer").status(), 413);
}

#[tokio::test]
async fn a_client_that_announces_too_large_a_body_is_refused_before_it_sends() {
    let address = gateway(ConnectionLimits::default()).await;
    let mut stream = connect(address).await;
    let head = format!(
        "{HEAD}Content-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        MOST + 1
    );
    stream
        .write_all(head.as_bytes())
        .await
        .expect("an open connection");

    let said = rest(&mut stream).await;

    assert!(said.starts_with("HTTP/1.1 413 "), "{said}");
}

#[tokio::test]
async fn a_body_of_the_largest_size_is_read() {
    let address = gateway(ConnectionLimits::default()).await;
    let query = format!(
        "{{\"query\":\"{{accounts{{provider}}}}\"{}}}",
        " ".repeat(MOST - 32)
    );
    assert_eq!(query.len(), MOST);
    let head = format!("{HEAD}Connection: close\r\nContent-Length: {MOST}\r\n\r\n");

    let said = said(address, &[head.as_bytes(), query.as_bytes()].concat()).await;

    assert!(said.starts_with("HTTP/1.1 200 "), "{said}");
}

#[tokio::test]
async fn a_body_that_no_route_reads_does_not_reset_the_answer() {
    let address = gateway(ConnectionLimits::default()).await;
    for path in ["/health/live", "/nowhere", "/metrics"] {
        let request = with_length(4 << 20);
        let request = String::from_utf8(request)
            .expect("ASCII")
            .replacen("/graphql", path, 1);

        let said = said(address, request.as_bytes()).await;

        assert!(said.starts_with("HTTP/1.1 4"), "{said}");
    }
}

#[tokio::test]
async fn headers_that_are_too_large_are_answered_431() {
    let address = gateway(ConnectionLimits::default()).await;
    let large = format!("x: {}\r\n", "y".repeat(1 << 20));
    let many = "x: y\r\n".repeat(101);
    for headers in [large, many] {
        let request = format!("GET /graphql HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
        let said = said(address, request.as_bytes()).await;
        assert!(said.starts_with("HTTP/1.1 431 "), "{said}");
    }
}

#[tokio::test]
async fn an_address_that_is_too_long_is_answered_414() {
    let address = gateway(ConnectionLimits::default()).await;
    let request = format!(
        "GET /graphql?query={} HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "x".repeat(100_000)
    );

    let said = said(address, request.as_bytes()).await;

    assert!(said.starts_with("HTTP/1.1 414 "), "{said}");
}

#[tokio::test]
async fn a_get_with_the_content_type_of_a_form_is_refused() {
    let address = gateway(ConnectionLimits::default()).await;
    let client = reqwest::Client::new();
    for (media, expected) in [
        ("text/plain", 415),
        ("TEXT/PLAIN; charset=utf-8", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=b", 415),
        ("application/json", 200),
    ] {
        let url = format!("http://{address}/graphql?query=%7Baccounts%7Bprovider%7D%7D");
        let answer = client.get(url).header("content-type", media).send().await;
        let answer = answer.expect("an answer");
        assert_eq!(answer.status(), expected, "{media}");
        let body: Value = answer.json().await.expect("JSON");
        assert_eq!(body.get("data").is_some(), expected == 200, "{body}");
    }
}

#[tokio::test]
async fn every_answer_forbids_sniffing() {
    let address = gateway(ConnectionLimits::default()).await;
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    let client = client.build().expect("a client");
    for (path, host) in [
        ("/", "localhost"),
        ("/graphql", "localhost"),
        ("/graphql?query=%7Baccounts%7Bprovider%7D%7D", "localhost"),
        ("/graphiql", "localhost"),
        ("/health/live", "localhost"),
        ("/health/ready", "localhost"),
        ("/metrics", "localhost"),
        ("/nowhere", "localhost"),
        ("/graphql", "evil.test"),
    ] {
        let request = client
            .get(format!("http://{address}{path}"))
            .header("host", host);
        let answer = request.send().await.expect("an answer");
        assert_eq!(
            answer.headers()["x-content-type-options"],
            "nosniff",
            "{path}"
        );
    }
}
