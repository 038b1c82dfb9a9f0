//! The hosts that the gateway answers to.

use super::{AsyncWriteExt, ConnectionLimits, SocketAddr, World, connect, gateway, rest};

/// The status and the whole answer to a raw request, which must close the connection.
async fn said(address: SocketAddr, request: &str) -> (u16, String) {
    let mut stream = connect(address).await;
    let sent = stream.write_all(request.as_bytes()).await;
    sent.expect("an open connection");
    let said = rest(&mut stream).await;
    let status = said
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    (status.unwrap_or_else(|| panic!("{said:?}")), said)
}

async fn get(address: SocketAddr, target: &str, headers: &str) -> (u16, String) {
    let request = format!("GET {target} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n");
    said(address, &request).await
}

const READ: &str = "/graphql?query=%7Baccounts%7Bprovider%7D%7D";

#[tokio::test]
async fn a_host_that_is_not_listed_is_misdirected_on_every_route() {
    let address = gateway(ConnectionLimits::default()).await;
    for host in [
        "evil.test",
        "evil.test:80",
        "localhost.evil.test",
        "10.0.0.1",
        "0.0.0.0",
    ] {
        for path in [READ, "/graphiql", "/metrics", "/", "/nowhere"] {
            let (status, said) = get(address, path, &format!("Host: {host}\r\n")).await;
            assert_eq!(status, 421, "{host} {path}: {said}");
            assert!(said.contains("`hosts` under [server]"), "{said}");
            assert!(
                said.contains("BAD_USER_INPUT") && !said.contains("provider"),
                "{said}"
            );
        }
    }
}

#[tokio::test]
async fn names_of_loopback_are_served() {
    let address = gateway(ConnectionLimits::default()).await;
    for host in [
        "localhost",
        "LocalHost.:99",
        "127.0.0.1:8080",
        "127.1.2.3",
        "[::1]:1",
    ] {
        let (status, said) = get(address, READ, &format!("Host: {host}\r\n")).await;
        assert_eq!(status, 200, "{host}: {said}");
    }
}

#[tokio::test]
async fn health_is_answered_to_any_host() {
    let address = gateway(ConnectionLimits::default()).await;
    for headers in ["Host: evil.test\r\n", "", "Host: a b\r\n"] {
        for path in ["/health/live", "/health/ready"] {
            assert_eq!(get(address, path, headers).await.0, 200, "{headers}");
        }
    }
}

#[tokio::test]
async fn a_request_names_one_host() {
    let address = gateway(ConnectionLimits::default()).await;
    for headers in [
        "",
        "Host: localhost\r\nHost: localhost\r\n",
        "Host: \r\n",
        "Host: a b\r\n",
        "Host: user@localhost\r\n",
        "Host: localhost:port\r\n",
        "Host: localhost/\r\n",
    ] {
        let (status, said) = get(address, READ, headers).await;
        assert_eq!(status, 400, "{headers}: {said}");
        assert!(
            said.contains("Host") && said.contains("BAD_USER_INPUT"),
            "{said}"
        );
    }
}

#[tokio::test]
async fn the_host_of_a_whole_target_counts() {
    let address = gateway(ConnectionLimits::default()).await;
    let of = |host: &str| format!("http://{host}{READ}");
    for (target, header, expected) in [
        ("evil.test", "localhost", 421),
        ("localhost", "evil.test", 421),
        ("localhost:80", "localhost", 200),
    ] {
        let (status, said) = get(address, &of(target), &format!("Host: {header}\r\n")).await;
        assert_eq!(status, expected, "{target} {header}: {said}");
    }
}

#[tokio::test]
async fn the_authority_of_http_2_counts() {
    let address = gateway(ConnectionLimits::default()).await;
    for (host, expected) in [("evil.test", 421), ("localhost", 200)] {
        let client = reqwest::Client::builder()
            .http2_prior_knowledge()
            .resolve(host, address)
            .build();
        let url = format!("http://{host}:{}{READ}", address.port());
        let answer = client.expect("a client").get(url).send().await;
        assert_eq!(answer.expect("an answer").status(), expected, "{host}");
    }
}

#[tokio::test]
async fn a_host_that_is_listed_is_served() {
    let world = World::with(1, |settings| {
        settings.server.hosts = vec!["Roster.example".to_owned(), "10.1.1.1".to_owned()];
    })
    .await;
    for (host, expected) in [
        ("roster.example:443", 200),
        ("ROSTER.EXAMPLE.", 200),
        ("10.1.1.1", 200),
        ("localhost", 200),
        ("other.example", 421),
        ("10.1.1.2", 421),
    ] {
        let (status, said) = get(world.gateway, READ, &format!("Host: {host}\r\n")).await;
        assert_eq!(status, expected, "{host}: {said}");
    }
}
