//! The answer of each fault.

use std::io::Read as _;
use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::server::{SandboxServer, items, read};

const USERS: &str = "/ada/api/v2/end-users/";

async fn struck(server: &SandboxServer, fault: Value) -> reqwest::Response {
    server.set_fault(fault).await;
    server
        .call(Method::GET, USERS)
        .send()
        .await
        .expect("an answer")
}

#[tokio::test]
async fn a_status_with_body_and_headers_applies_as_often_as_counted() {
    let server = SandboxServer::of(3).await;
    let fault = json!({"provider": "ada", "kind": "status", "status": 503, "count": 2,
        "body": {"down": true}, "headers": {"Retry-After": "7"}});

    let answer = struck(&server, fault).await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.headers()["retry-after"], "7");
    assert_eq!(answer.json::<Value>().await.unwrap(), json!({"down": true}));

    let (_, active) = server.get("/_sandbox/faults").await;
    assert_eq!(active[0]["count"], 1);
    assert_eq!(server.get(USERS).await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(server.get(USERS).await.0, StatusCode::OK);
    let statuses: Vec<String> = server.calls("ada").await;
    assert_eq!(statuses.len(), 3);
    assert!(statuses[1].ends_with(" 503") && statuses[2].ends_with(" 200"));
}

#[tokio::test]
async fn a_fault_applies_only_to_its_provider_path_and_method() {
    let server = SandboxServer::of(3).await;
    server
        .set_fault(
            json!({"provider": "ada", "kind": "html", "path": "/api/v2/jobs", "method": "get"}),
        )
        .await;
    assert_eq!(server.get(USERS).await.0, StatusCode::OK);
    assert_eq!(
        server.get("/digitalchalk/api/v5/users").await.0,
        StatusCode::OK
    );
    assert_eq!(
        server.get("/ada/api/v2/jobs/1").await.0,
        StatusCode::BAD_GATEWAY
    );
    let post = server
        .send(Method::POST, "/ada/api/v2/jobs/1", json!({}))
        .await;
    assert_eq!(post.0, StatusCode::METHOD_NOT_ALLOWED);

    let clear = |provider| server.call(Method::DELETE, provider);
    read(clear("/_sandbox/faults?provider=intercom")).await;
    assert_eq!(items(&server.get("/_sandbox/faults").await.1).count(), 1);
    read(clear("/_sandbox/faults?provider=ada")).await;
    assert_eq!(
        server.get("/ada/api/v2/jobs/1").await.0,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn a_rate_applies_to_its_share_of_the_calls() {
    let server = SandboxServer::of(1).await;
    server
        .set_fault(json!({"provider": "ada", "kind": "status", "status": 500, "rate": 0.5}))
        .await;
    let mut struck = 0;
    for _ in 0..60 {
        struck += u32::from(server.get(USERS).await.0 == StatusCode::INTERNAL_SERVER_ERROR);
    }
    assert!((15..=45).contains(&struck), "{struck}");
}

#[tokio::test]
async fn a_truncated_body_is_shorter_than_its_length() {
    let server = SandboxServer::of(20).await;
    let answer = struck(
        &server,
        json!({"provider": "ada", "kind": "truncate", "count": 1}),
    )
    .await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(answer.content_length().unwrap() > 1000);
    assert!(answer.bytes().await.is_err());
}

#[tokio::test]
async fn a_reset_closes_the_connection_before_or_within_the_answer() {
    let server = SandboxServer::of(20).await;
    server
        .set_fault(json!({"provider": "ada", "kind": "reset", "count": 1}))
        .await;
    let ended = server.call(Method::GET, USERS).send().await;
    assert!(ended.is_err());

    let fault = json!({"provider": "ada", "kind": "reset", "at": "body", "count": 1});
    let answer = struck(&server, fault).await;
    assert_eq!(answer.content_length(), None);
    assert!(answer.bytes().await.is_err());
    let calls = server.calls("ada").await;
    assert!(
        calls[0].ends_with(" null") && calls[1].ends_with(" 200"),
        "{calls:?}"
    );
}

#[tokio::test]
async fn a_hanging_call_is_logged_without_a_status() {
    let server = SandboxServer::of(1).await;
    server
        .set_fault(json!({"provider": "ada", "kind": "hang"}))
        .await;
    let call = server
        .call(Method::GET, USERS)
        .timeout(Duration::from_millis(200));
    assert!(call.send().await.unwrap_err().is_timeout());
    assert_eq!(server.calls("ada").await, ["GET /api/v2/end-users/? null"]);
}

#[tokio::test]
async fn latency_and_a_slow_body_delay_the_real_answer() {
    let server = SandboxServer::of(20).await;
    let (_, real) = server.get(USERS).await;
    for kind in ["latency", "drip"] {
        let start = Instant::now();
        let fault = json!({"provider": "ada", "kind": kind, "milliseconds": 200, "count": 1});
        let answer = struck(&server, fault).await;
        assert_eq!(answer.json::<Value>().await.unwrap(), real, "{kind}");
        assert!(start.elapsed() >= Duration::from_millis(200), "{kind}");
    }
}

#[tokio::test]
async fn empty_text_and_html_bodies_are_sent_as_they_are() {
    let server = SandboxServer::of(1).await;
    let answer = struck(
        &server,
        json!({"provider": "ada", "kind": "html", "count": 1}),
    )
    .await;
    assert_eq!(answer.status(), StatusCode::BAD_GATEWAY);
    assert_eq!(answer.headers()["content-type"], "text/html");

    let answer = struck(
        &server,
        json!({"provider": "ada", "kind": "empty", "count": 1}),
    )
    .await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.text().await.unwrap(), "");

    let answer = struck(
        &server,
        json!({"provider": "ada", "kind": "not_json", "count": 1}),
    )
    .await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(answer.json::<Value>().await.is_err());

    let fault = json!({"provider": "ada", "kind": "redirect", "location": "http://attacker.test/", "count": 1});
    let answer = struck(&server, fault).await;
    assert_eq!(answer.status(), StatusCode::FOUND);
    assert_eq!(answer.headers()["location"], "http://attacker.test/");

    let answer = struck(
        &server,
        json!({"provider": "ada", "kind": "big", "bytes": 300_000, "count": 1}),
    )
    .await;
    assert_eq!(answer.content_length(), Some(300_000));
    assert!(answer.json::<Value>().await.unwrap()["padding"].is_string());
}

#[tokio::test]
async fn a_rate_limit_has_the_body_of_the_provider() {
    let server = SandboxServer::of(1).await;
    let fault =
        json!({"provider": "ada", "kind": "rate_limit", "retry_after": 3, "reset": 9, "count": 1});
    let answer = struck(&server, fault).await;
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.headers()["retry-after"], "3");
    assert!(answer.headers().contains_key("x-ratelimit-reset"));
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["errors"][0]["type"], "too_many_requests");
}

#[tokio::test]
async fn foreign_links_replace_all_links() {
    let server = SandboxServer::of(30).await;
    let (_, real) = server.get(USERS).await;
    server
        .set_fault(json!({"provider": "ada", "kind": "foreign_link", "count": 1}))
        .await;
    let (_, page) = server.get(USERS).await;
    let next = page["meta"]["next_page_url"].as_str().unwrap();
    assert!(
        next.starts_with("http://attacker.test/ada/api/v2/end-users/?cursor="),
        "{next}"
    );
    assert_eq!(page["data"][1], real["data"][1]);

    server.set_switch("digitalchalk", "links", "relative").await;
    server
        .set_fault(json!({"provider": "digitalchalk", "kind": "foreign_link"}))
        .await;
    let (_, page) = server.get("/digitalchalk/api/v5/users").await;
    assert_eq!(
        page["next"],
        "http://attacker.test/digitalchalk/api/v5/users?offset=15"
    );
}

#[tokio::test]
async fn a_self_link_replaces_the_link_to_the_next_page() {
    let server = SandboxServer::of(200).await;
    for (provider, place, page) in [
        (
            "ada",
            "/meta/next_page_url",
            "/ada/api/v2/end-users/?limit=50",
        ),
        (
            "digitalchalk",
            "/next",
            "/digitalchalk/api/v5/users?limit=50&offset=50",
        ),
        ("usertour", "/next", "/usertour/v1/users?limit=50"),
    ] {
        server
            .set_fault(json!({"provider": provider, "kind": "self_link"}))
            .await;
        let (_, answer) = server.get(page).await;
        let next = answer.pointer(place).and_then(Value::as_str);
        let next = next.unwrap_or_else(|| panic!("{provider}: {answer}"));
        assert!(
            next.starts_with("http://") && next.ends_with(page),
            "{next}"
        );
    }
}

#[tokio::test]
async fn a_self_link_repeats_the_token_of_intercoms_contacts() {
    let server = SandboxServer::of(200).await;
    let get = |page: String| {
        let call = server.call(Method::GET, &page);
        read(call.header("intercom-version", "2.17"))
    };
    let (_, first) = get("/intercom/contacts?per_page=50".to_owned()).await;
    let token = first["pages"]["next"]["starting_after"].as_str().unwrap();
    server
        .set_fault(json!({"provider": "intercom", "kind": "self_link"}))
        .await;
    let (_, second) = get(format!(
        "/intercom/contacts?per_page=50&starting_after={token}"
    ))
    .await;
    assert_eq!(second["pages"]["next"]["starting_after"], token);
    assert_eq!(second["data"].as_array().unwrap().len(), 50);
}

#[tokio::test]
async fn errors_under_200_have_the_body_of_the_provider() {
    let server = SandboxServer::of(1).await;
    for (provider, path, place) in [
        ("ada", USERS, "/errors/0/type"),
        ("digitalchalk", "/digitalchalk/api/v5/users", "/errors/0"),
        ("intercom", "/intercom/contacts", "/errors/0/code"),
        ("scim", "/scim/scim/v2/Users", "/detail"),
        ("usertour", "/usertour/v1/users", "/error/code"),
    ] {
        server
            .set_fault(json!({"provider": provider, "kind": "error_list"}))
            .await;
        let (status, body) = server.get(path).await;
        assert_eq!(status, StatusCode::OK);
        assert!(body.pointer(place).is_some_and(Value::is_string), "{body}");
    }
}

#[tokio::test]
async fn the_real_answer_has_another_content_type() {
    let server = SandboxServer::of(3).await;
    let (_, real) = server.get(USERS).await;
    let fault = json!({"provider": "ada", "kind": "content_type", "value": "text/html"});
    let answer = struck(&server, fault).await;
    assert_eq!(answer.headers()["content-type"], "text/html");
    assert_eq!(answer.json::<Value>().await.unwrap(), real);
}

#[tokio::test]
async fn a_window_may_have_ended_in_the_past() {
    let server = SandboxServer::of(1).await;
    let past = jiff::Timestamp::now().as_second() - 50;
    for (provider, path) in [
        ("ada", USERS),
        ("digitalchalk", "/digitalchalk/api/v5/users"),
        ("intercom", "/intercom/contacts"),
        ("scim", "/scim/scim/v2/Users"),
        ("usertour", "/usertour/v1/users"),
    ] {
        server
            .set_fault(json!({"provider": provider, "kind": "rate_limit", "reset": -60}))
            .await;
        let answer = server.call(Method::GET, path).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS, "{provider}");
        let reset = answer.headers()["x-ratelimit-reset"].to_str().unwrap();
        assert!(reset.parse::<i64>().unwrap() < past, "{provider}: {reset}");
    }
}

#[tokio::test]
async fn large_bodies_come_in_chunks_and_in_gzip() {
    let server = SandboxServer::of(1).await;
    let fault =
        json!({"provider": "ada", "kind": "big", "bytes": 300_000, "chunked": true, "count": 1});
    let answer = struck(&server, fault).await;
    assert_eq!(answer.content_length(), None);
    assert_eq!(answer.bytes().await.unwrap().len(), 300_000);

    let fault = json!({"provider": "ada", "kind": "gzip_bomb", "bytes": 9_000_000});
    let answer = struck(&server, fault).await;
    assert_eq!(answer.headers()["content-encoding"], "gzip");
    let packed = answer.bytes().await.unwrap();
    assert!(packed.len() < 20_000, "{}", packed.len());
    // Its checksum and its length are those of the whole.
    let mut body = String::new();
    flate2::read::GzDecoder::new(&packed[..])
        .read_to_string(&mut body)
        .unwrap();
    assert_eq!(body.len(), 9_000_000);
    let json: Value = serde_json::from_str(&body).unwrap();
    assert!(json["padding"].is_string());
}

#[tokio::test]
async fn a_wrong_fault_is_refused() {
    let server = SandboxServer::of(1).await;
    for fault in [
        json!({"provider": "ada", "kind": "nonsense"}),
        json!({"provider": "ada", "kind": "hang", "status": 500}),
        json!({"provider": "ada", "kind": "status"}),
        json!({"provider": "ada", "kind": "status", "status": 99}),
        json!({"provider": "ada", "kind": "status", "status": 200, "headers": {"a b": "c"}}),
        json!({"provider": "ada", "kind": "content_type", "value": "a\nb"}),
        json!({"provider": "ada", "kind": "gzip_bomb", "bytes": 5_000_000_000_u64}),
        json!({"provider": "ada", "kind": "html", "rate": 2}),
        json!({"provider": "ada", "kind": "html", "count": 0}),
        json!({"provider": "nobody", "kind": "html"}),
        json!({"kind": "html"}),
        json!([]),
    ] {
        let (status, body) = server
            .send(Method::POST, "/_sandbox/faults", fault.clone())
            .await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{fault}");
        assert!(body["message"].is_string());
    }
    assert_eq!(server.get("/_sandbox/faults").await.1, json!([]));
}
