//! What a caller sees of each fault.

use std::io::Read as _;
use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::house::{House, items, read};

const USERS: &str = "/ada/api/v2/end-users/";

async fn struck(house: &House, fault: Value) -> reqwest::Response {
    house.fault(fault).await;
    house
        .call(Method::GET, USERS)
        .send()
        .await
        .expect("an answer")
}

#[tokio::test]
async fn a_status_has_its_body_and_headers_as_often_as_counted() {
    let house = House::of(3).await;
    let fault = json!({"vendor": "ada", "kind": "status", "status": 503, "count": 2,
        "body": {"down": true}, "headers": {"Retry-After": "7"}});

    let answer = struck(&house, fault).await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.headers()["retry-after"], "7");
    assert_eq!(answer.json::<Value>().await.unwrap(), json!({"down": true}));

    let (_, active) = house.get("/_sandbox/faults").await;
    assert_eq!(active[0]["count"], 1);
    assert_eq!(house.get(USERS).await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(house.get(USERS).await.0, StatusCode::OK);
    let statuses: Vec<String> = house.calls("ada").await;
    assert_eq!(statuses.len(), 3);
    assert!(statuses[1].ends_with(" 503") && statuses[2].ends_with(" 200"));
}

#[tokio::test]
async fn a_fault_strikes_only_its_vendor_path_and_method() {
    let house = House::of(3).await;
    house
        .fault(json!({"vendor": "ada", "kind": "html", "path": "/api/v2/jobs", "method": "get"}))
        .await;
    assert_eq!(house.get(USERS).await.0, StatusCode::OK);
    assert_eq!(
        house.get("/digitalchalk/api/v5/users").await.0,
        StatusCode::OK
    );
    assert_eq!(
        house.get("/ada/api/v2/jobs/1").await.0,
        StatusCode::BAD_GATEWAY
    );
    let post = house
        .send(Method::POST, "/ada/api/v2/jobs/1", json!({}))
        .await;
    assert_eq!(post.0, StatusCode::METHOD_NOT_ALLOWED);

    let clear = |vendor| house.call(Method::DELETE, vendor);
    read(clear("/_sandbox/faults?vendor=intercom")).await;
    assert_eq!(items(&house.get("/_sandbox/faults").await.1).count(), 1);
    read(clear("/_sandbox/faults?vendor=ada")).await;
    assert_eq!(
        house.get("/ada/api/v2/jobs/1").await.0,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn a_rate_strikes_its_share_of_the_calls() {
    let house = House::of(1).await;
    house
        .fault(json!({"vendor": "ada", "kind": "status", "status": 500, "rate": 0.5}))
        .await;
    let mut struck = 0;
    for _ in 0..60 {
        struck += u32::from(house.get(USERS).await.0 == StatusCode::INTERNAL_SERVER_ERROR);
    }
    assert!((15..=45).contains(&struck), "{struck}");
}

#[tokio::test]
async fn a_truncated_body_is_shorter_than_its_length() {
    let house = House::of(20).await;
    let answer = struck(
        &house,
        json!({"vendor": "ada", "kind": "truncate", "count": 1}),
    )
    .await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(answer.content_length().unwrap() > 1000);
    assert!(answer.bytes().await.is_err());
}

#[tokio::test]
async fn a_reset_closes_the_connection_before_or_within_the_answer() {
    let house = House::of(20).await;
    house
        .fault(json!({"vendor": "ada", "kind": "reset", "count": 1}))
        .await;
    let ended = house.call(Method::GET, USERS).send().await;
    assert!(ended.is_err());

    let fault = json!({"vendor": "ada", "kind": "reset", "at": "body", "count": 1});
    let answer = struck(&house, fault).await;
    assert_eq!(answer.content_length(), None);
    assert!(answer.bytes().await.is_err());
    let calls = house.calls("ada").await;
    assert!(
        calls[0].ends_with(" null") && calls[1].ends_with(" 200"),
        "{calls:?}"
    );
}

#[tokio::test]
async fn a_hanging_call_is_logged_without_a_status() {
    let house = House::of(1).await;
    house.fault(json!({"vendor": "ada", "kind": "hang"})).await;
    let call = house
        .call(Method::GET, USERS)
        .timeout(Duration::from_millis(200));
    assert!(call.send().await.unwrap_err().is_timeout());
    assert_eq!(house.calls("ada").await, ["GET /api/v2/end-users/? null"]);
}

#[tokio::test]
async fn latency_and_drip_delay_the_real_answer() {
    let house = House::of(20).await;
    let (_, real) = house.get(USERS).await;
    for kind in ["latency", "drip"] {
        let start = Instant::now();
        let fault = json!({"vendor": "ada", "kind": kind, "milliseconds": 200, "count": 1});
        let answer = struck(&house, fault).await;
        assert_eq!(answer.json::<Value>().await.unwrap(), real, "{kind}");
        assert!(start.elapsed() >= Duration::from_millis(200), "{kind}");
    }
}

#[tokio::test]
async fn bodies_that_are_no_answer() {
    let house = House::of(1).await;
    let answer = struck(&house, json!({"vendor": "ada", "kind": "html", "count": 1})).await;
    assert_eq!(answer.status(), StatusCode::BAD_GATEWAY);
    assert_eq!(answer.headers()["content-type"], "text/html");

    let answer = struck(
        &house,
        json!({"vendor": "ada", "kind": "empty", "count": 1}),
    )
    .await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.text().await.unwrap(), "");

    let answer = struck(
        &house,
        json!({"vendor": "ada", "kind": "not_json", "count": 1}),
    )
    .await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(answer.json::<Value>().await.is_err());

    let fault = json!({"vendor": "ada", "kind": "redirect", "location": "http://attacker.test/", "count": 1});
    let answer = struck(&house, fault).await;
    assert_eq!(answer.status(), StatusCode::FOUND);
    assert_eq!(answer.headers()["location"], "http://attacker.test/");

    let answer = struck(
        &house,
        json!({"vendor": "ada", "kind": "big", "bytes": 300_000, "count": 1}),
    )
    .await;
    assert_eq!(answer.content_length(), Some(300_000));
    assert!(answer.json::<Value>().await.unwrap()["padding"].is_string());
}

#[tokio::test]
async fn a_rate_limit_speaks_as_the_vendor() {
    let house = House::of(1).await;
    let fault =
        json!({"vendor": "ada", "kind": "rate_limit", "retry_after": 3, "reset": 9, "count": 1});
    let answer = struck(&house, fault).await;
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.headers()["retry-after"], "3");
    assert!(answer.headers().contains_key("x-ratelimit-reset"));
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["errors"][0]["type"], "too_many_requests");
}

#[tokio::test]
async fn links_are_led_away() {
    let house = House::of(30).await;
    let (_, real) = house.get(USERS).await;
    house
        .fault(json!({"vendor": "ada", "kind": "foreign_link", "count": 1}))
        .await;
    let (_, page) = house.get(USERS).await;
    let next = page["meta"]["next_page_url"].as_str().unwrap();
    assert!(
        next.starts_with("http://attacker.test/ada/api/v2/end-users/?cursor="),
        "{next}"
    );
    assert_eq!(page["data"][1], real["data"][1]);

    house.switch("digitalchalk", "links", "relative").await;
    house
        .fault(json!({"vendor": "digitalchalk", "kind": "foreign_link"}))
        .await;
    let (_, page) = house.get("/digitalchalk/api/v5/users").await;
    assert_eq!(
        page["next"],
        "http://attacker.test/digitalchalk/api/v5/users?offset=15"
    );
}

#[tokio::test]
async fn a_list_leads_back_to_the_page_it_is_on() {
    let house = House::of(200).await;
    for (vendor, place, page) in [
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
        house
            .fault(json!({"vendor": vendor, "kind": "self_link"}))
            .await;
        let (_, answer) = house.get(page).await;
        let next = answer.pointer(place).and_then(Value::as_str);
        let next = next.unwrap_or_else(|| panic!("{vendor}: {answer}"));
        assert!(
            next.starts_with("http://") && next.ends_with(page),
            "{next}"
        );
    }
}

#[tokio::test]
async fn intercoms_contacts_go_on_from_where_they_began() {
    let house = House::of(200).await;
    let get = |page: String| {
        let call = house.call(Method::GET, &page);
        read(call.header("intercom-version", "2.17"))
    };
    let (_, first) = get("/intercom/contacts?per_page=50".to_owned()).await;
    let token = first["pages"]["next"]["starting_after"].as_str().unwrap();
    house
        .fault(json!({"vendor": "intercom", "kind": "self_link"}))
        .await;
    let (_, second) = get(format!(
        "/intercom/contacts?per_page=50&starting_after={token}"
    ))
    .await;
    assert_eq!(second["pages"]["next"]["starting_after"], token);
    assert_eq!(second["data"].as_array().unwrap().len(), 50);
}

#[tokio::test]
async fn errors_under_200_are_each_vendors_own() {
    let house = House::of(1).await;
    for (vendor, path, place) in [
        ("ada", USERS, "/errors/0/type"),
        ("digitalchalk", "/digitalchalk/api/v5/users", "/errors/0"),
        ("intercom", "/intercom/contacts", "/errors/0/code"),
        ("usertour", "/usertour/v1/users", "/error/code"),
    ] {
        house
            .fault(json!({"vendor": vendor, "kind": "error_list"}))
            .await;
        let (status, body) = house.get(path).await;
        assert_eq!(status, StatusCode::OK);
        assert!(body.pointer(place).is_some_and(Value::is_string), "{body}");
    }
}

#[tokio::test]
async fn the_real_answer_comes_under_another_type() {
    let house = House::of(3).await;
    let (_, real) = house.get(USERS).await;
    let fault = json!({"vendor": "ada", "kind": "content_type", "value": "text/html"});
    let answer = struck(&house, fault).await;
    assert_eq!(answer.headers()["content-type"], "text/html");
    assert_eq!(answer.json::<Value>().await.unwrap(), real);
}

#[tokio::test]
async fn a_window_may_have_ended_in_the_past() {
    let house = House::of(1).await;
    let past = jiff::Timestamp::now().as_second() - 50;
    for (vendor, path) in [
        ("ada", USERS),
        ("digitalchalk", "/digitalchalk/api/v5/users"),
        ("intercom", "/intercom/contacts"),
        ("usertour", "/usertour/v1/users"),
    ] {
        house
            .fault(json!({"vendor": vendor, "kind": "rate_limit", "reset": -60}))
            .await;
        let answer = house.call(Method::GET, path).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS, "{vendor}");
        let reset = answer.headers()["x-ratelimit-reset"].to_str().unwrap();
        assert!(reset.parse::<i64>().unwrap() < past, "{vendor}: {reset}");
    }
}

#[tokio::test]
async fn large_bodies_come_in_chunks_and_in_gzip() {
    let house = House::of(1).await;
    let fault =
        json!({"vendor": "ada", "kind": "big", "bytes": 300_000, "chunked": true, "count": 1});
    let answer = struck(&house, fault).await;
    assert_eq!(answer.content_length(), None);
    assert_eq!(answer.bytes().await.unwrap().len(), 300_000);

    let fault = json!({"vendor": "ada", "kind": "gzip_bomb", "bytes": 9_000_000});
    let answer = struck(&house, fault).await;
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
    let house = House::of(1).await;
    for fault in [
        json!({"vendor": "ada", "kind": "nonsense"}),
        json!({"vendor": "ada", "kind": "hang", "status": 500}),
        json!({"vendor": "ada", "kind": "status"}),
        json!({"vendor": "ada", "kind": "status", "status": 99}),
        json!({"vendor": "ada", "kind": "status", "status": 200, "headers": {"a b": "c"}}),
        json!({"vendor": "ada", "kind": "content_type", "value": "a\nb"}),
        json!({"vendor": "ada", "kind": "gzip_bomb", "bytes": 5_000_000_000_u64}),
        json!({"vendor": "ada", "kind": "html", "rate": 2}),
        json!({"vendor": "ada", "kind": "html", "count": 0}),
        json!({"vendor": "nobody", "kind": "html"}),
        json!({"kind": "html"}),
        json!([]),
    ] {
        let (status, body) = house
            .send(Method::POST, "/_sandbox/faults", fault.clone())
            .await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{fault}");
        assert!(body["message"].is_string());
    }
    assert_eq!(house.get("/_sandbox/faults").await.1, json!([]));
}
