//! The controls are not for pages of other sites.

use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::server::{SandboxServer, read};

const FAULT: &str = "/_sandbox/faults";

fn fault() -> serde_json::Value {
    json!({"provider": "ada", "kind": "hang"})
}

#[tokio::test]
async fn a_page_of_another_site_changes_nothing() {
    let server = SandboxServer::of(1).await;
    let own = server.url("");
    for (name, value, expected) in [
        ("sec-fetch-site", "cross-site", 403),
        ("sec-fetch-site", "same-site", 403),
        ("sec-fetch-site", "same-origin", 204),
        ("sec-fetch-site", "none", 204),
        ("origin", "https://evil.test", 403),
        ("origin", "http://localhost.evil.test", 403),
        ("origin", "http://127.0.0.1.evil.test:80", 403),
        ("origin", "null", 403),
        ("origin", "", 403),
        ("origin", "http://localhost:8080", 204),
        ("origin", "http://[::1]:8080", 204),
        ("origin", &own, 204),
    ] {
        let set = server.call(Method::POST, FAULT).json(&fault());
        assert_eq!(
            read(set.header(name, value)).await.0,
            expected,
            "{name}: {value}"
        );
        let is_set = server.get(FAULT).await.1 != json!([]);
        assert_eq!(is_set, expected == 204, "{name}: {value}");
        for path in [FAULT, "/_sandbox/calls", "/_sandbox/behaviour"] {
            let clear = server.call(Method::DELETE, path).header(name, value);
            assert_eq!(read(clear).await.0, expected, "{name}: {value}");
        }
    }
}

#[tokio::test]
async fn a_page_of_another_site_may_read_because_the_browser_hides_the_answer() {
    let server = SandboxServer::of(1).await;
    let get = server
        .call(Method::GET, FAULT)
        .header("sec-fetch-site", "cross-site");
    assert_eq!(read(get).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_body_without_a_json_content_type_changes_nothing() {
    let server = SandboxServer::of(1).await;
    for media in [
        Some("text/plain"),
        Some("text/plain; charset=application/json"),
        Some("application/x-www-form-urlencoded"),
        Some("multipart/form-data; boundary=b"),
        None,
    ] {
        for path in [FAULT, "/_sandbox/behaviour"] {
            let mut set = server.call(Method::POST, path).body(fault().to_string());
            if let Some(media) = media {
                set = set.header("content-type", media);
            }
            let (status, answer) = read(set).await;
            assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{media:?}");
            assert!(answer["message"].to_string().contains("application/json"));
        }
    }
    assert_eq!(server.get(FAULT).await.1, json!([]));
    let set = server.call(Method::POST, FAULT).body(fault().to_string());
    let set = set.header("content-type", "Application/JSON; charset=utf-8");
    assert_eq!(read(set).await.0, StatusCode::NO_CONTENT);
}

/// The status of an answer to a request with such headers.
async fn status(server: &SandboxServer, target: &str, headers: &str) -> u16 {
    let address = server.url("").trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let request = format!("GET {target} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n");
    stream
        .write_all(request.as_bytes())
        .await
        .expect("an open connection");
    let mut said = String::new();
    stream.read_to_string(&mut said).await.expect("an answer");
    let status = said
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    status.expect("a status")
}

#[tokio::test]
async fn the_controls_answer_to_loopback_names() {
    let server = SandboxServer::of(1).await;
    for (headers, expected) in [
        ("Host: 127.0.0.1:1\r\n", 200),
        ("Host: LOCALHOST.\r\n", 200),
        ("Host: [::1]:80\r\n", 200),
        ("Host: evil.test\r\n", 421),
        ("Host: localhost.evil.test\r\n", 421),
        ("Host: 10.0.0.1\r\n", 421),
        ("Host: \r\n", 421),
        ("", 400),
        ("Host: localhost\r\nHost: localhost\r\n", 400),
    ] {
        let found = status(&server, "/_sandbox/records?provider=ada", headers).await;
        assert_eq!(found, expected, "{headers}");
    }
    let target = "http://evil.test/_sandbox/calls";
    assert_eq!(status(&server, target, "Host: localhost\r\n").await, 421);
    // The providers answer to every host: in containers the sandboxes have other names.
    assert_eq!(status(&server, "/ada/", "Host: ada.test\r\n").await, 401);
}
