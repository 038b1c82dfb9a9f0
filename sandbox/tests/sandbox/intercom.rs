//! Intercom 1.x; 2.x is in [`contacts`].

mod contact_lists;
mod contact_search;
mod contact_writes;
mod contacts;
mod lookups;
mod merges;
mod writes;

use roster_sandbox::known;
use serde_json::{Value, json};

use crate::in_process::{Reply, Sandbox, column};

fn intercom(users: usize, version: &str) -> Sandbox {
    Sandbox::with_users(users)
        .header("authorization", "Bearer sandbox-token")
        .header("intercom-version", version)
}

fn code(reply: &Reply) -> (u16, Value) {
    reply.at("/errors/0/code")
}

/// The ids on all pages by page number, and the number of pages.
async fn walk(sandbox: &Sandbox, query: &str) -> (Vec<String>, u64) {
    let (mut ids, mut page) = (Vec::new(), 0);
    loop {
        page += 1;
        let path = format!("/intercom/users?{query}&page={page}");
        let body = sandbox.get(&path).await.json();
        ids.extend(column(&body["users"], "id"));
        if body["pages"]["total_pages"].as_u64().unwrap_or_default() <= page {
            return (ids, page);
        }
    }
}

#[tokio::test]
async fn only_the_token_is_accepted_and_other_callers_see_no_rate() {
    let open = Sandbox::with_users(3);
    for header in ["Bearer nope", "Basic bm9wZTo=", "sandbox-token", "Basic !"] {
        let reply = open
            .header("authorization", header)
            .get("/intercom/users")
            .await;
        assert_eq!(code(&reply), (401, json!("unauthorized")), "{header}");
        assert_eq!(reply.header("x-ratelimit-limit"), None);
    }
    for header in ["Bearer sandbox-token", "Basic c2FuZGJveC10b2tlbjo="] {
        let reply = open
            .header("authorization", header)
            .get("/intercom/users")
            .await;
        assert_eq!(reply.status, 200, "{header}");
    }
}

#[tokio::test]
async fn every_answer_has_a_request_id_and_the_rate() {
    let sandbox = intercom(3, "1.4");

    let reply = sandbox.get("/intercom/users/nobody").await;

    assert_eq!(code(&reply), (404, json!("not_found")));
    assert_eq!(
        reply.header("x-request-id"),
        reply.json()["request_id"].as_str()
    );
    assert_eq!(reply.header("x-request-id").map(str::len), Some(20));
    assert_eq!(reply.header("x-ratelimit-limit"), Some("167"));
    let reset = reply
        .header("x-ratelimit-reset")
        .and_then(|reset| reset.parse::<i64>().ok());
    assert_eq!(reset.map(|reset| reset % 10), Some(0));
    assert_eq!(reply.header("intercom-version"), Some("1.4"));
    assert_eq!(
        reply.header("content-type"),
        Some("application/json; charset=utf-8")
    );
}

#[tokio::test]
async fn users_are_refused_in_versions_but_those_of_1() {
    let sandbox = intercom(3, "1.1");
    for version in ["2.0", "2.14", "1.5", "1", "Unstable"] {
        let caller = sandbox.header("intercom-version", version);
        let reply = caller.get("/intercom/users").await;
        assert_eq!(
            code(&reply),
            (400, json!("intercom_version_invalid")),
            "{version}"
        );
    }
    let app = Sandbox::with_users(3).header("authorization", "Bearer sandbox-token");
    assert_eq!(
        app.get("/intercom/users").await.header("intercom-version"),
        Some("1.1")
    );
    app.set_switch("intercom", "app_version", "2.0").await;
    assert_eq!(app.get("/intercom/users").await.status, 400);
    app.set_switch("intercom", "app_version", "1.0").await;
    assert_eq!(
        app.get("/intercom/users?email=nobody@x.test").await.status,
        404
    );
}

#[tokio::test]
async fn unknown_paths_and_methods_are_not_found() {
    let sandbox = intercom(3, "1.4");
    for (method, path) in [
        ("GET", "/nope"),
        ("PUT", "/users"),
        ("PATCH", "/users/x"),
        ("GET", "/users/x/y"),
    ] {
        let reply = sandbox.send(method, &format!("/intercom{path}"), "").await;
        assert_eq!(
            reply.at("/type"),
            (404, json!("error.list")),
            "{method} {path}"
        );
    }
}

#[tokio::test]
async fn a_walk_lists_every_user_once_the_newest_first() {
    let sandbox = intercom(130, "1.4");
    let held = column(&json!(sandbox.records("intercom").await), "id");

    assert!(held.len() < 130, "leads are no users");
    assert_eq!(walk(&sandbox, "x=1").await, (held.clone(), 3));
    assert_eq!(walk(&sandbox, "per_page=60").await, (held.clone(), 3));
    assert_eq!(walk(&sandbox, "per_page=500").await, (held.clone(), 3));
    assert_eq!(walk(&sandbox, "per_page=7").await.0, held);
    let backwards: Vec<String> = held.into_iter().rev().collect();
    assert_eq!(walk(&sandbox, "order=asc").await.0, backwards);
}

#[tokio::test]
async fn the_next_link_has_the_real_host_by_default() {
    let sandbox = intercom(130, "1.4").header("host", "127.0.0.1:8081");
    let next =
        async || sandbox.get("/intercom/users?order=asc&page=1").await.json()["pages"].clone();

    let expected = "https://api.intercom.io/users?order=asc&per_page=50&page=2";
    assert_eq!(next().await["next"], expected);
    sandbox.set_switch("intercom", "next", "same_host").await;
    let expected = "http://127.0.0.1:8081/intercom/users?order=asc&per_page=50&page=2";
    assert_eq!(next().await["next"], expected);
    sandbox.set_switch("intercom", "next", "absent").await;
    assert_eq!(next().await.get("next"), None);
    let past = sandbox.get("/intercom/users?page=9").await.json();
    assert_eq!(
        (&past["users"], &past["pages"]["page"]),
        (&json!([]), &json!(9))
    );
}

#[tokio::test]
async fn sizes_are_clamped_or_rejected_and_the_depth_is_limited() {
    let sandbox = intercom(130, "1.4");
    let size = async |size: &str| {
        let reply = sandbox
            .get(&format!("/intercom/users?per_page={size}"))
            .await;
        reply.at("/pages/per_page")
    };

    assert_eq!(size("61").await, (200, json!(60)));
    assert_eq!(size("0").await, (200, json!(50)));
    sandbox.set_switch("intercom", "per_page", "reject").await;
    assert_eq!(size("61").await.0, 400);
    sandbox.set_switch("intercom", "ceiling", "100").await;
    assert_eq!(sandbox.get("/intercom/users?page=2").await.status, 200);
    let beyond = sandbox.get("/intercom/users?page=3").await;
    assert_eq!(code(&beyond), (400, json!("bad_request")));
    let beyond = intercom(3, "1.4")
        .get("/intercom/users?page=167&per_page=60")
        .await;
    assert_eq!(code(&beyond), (400, json!("bad_request")));
}

#[tokio::test]
async fn a_scroll_keeps_its_parameter_and_is_alone() {
    let sandbox = intercom(250, "1.4");
    let held = column(&json!(sandbox.records("intercom").await), "id");
    let first = sandbox.get("/intercom/users/scroll").await.json();
    let param = first["scroll_param"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let path = format!("/intercom/users/scroll?scroll_param={param}");
    let second = sandbox.get("/intercom/users/scroll").await;

    assert_eq!(code(&second), (400, json!("scroll_exists")));
    assert_eq!(sandbox.get("/intercom/contacts/scroll").await.status, 400);
    let mut ids = column(&first["users"], "id");
    for expected in [100, held.len() - 200, 0] {
        let page = sandbox.get(&path).await.json();
        assert_eq!(
            (&page["scroll_param"], page.get("pages")),
            (&json!(param), None)
        );
        let found = column(&page["users"], "id");
        assert_eq!(found.len(), expected);
        ids.extend(found);
    }
    assert_eq!(ids, held);
    let message = sandbox.get(&path).await.at("/errors/0/message");
    assert_eq!(message, (404, json!("scroll parameter not found")));
    assert_eq!(sandbox.get("/intercom/users/scroll").await.status, 200);
}

#[tokio::test]
async fn personal_data_of_visits_is_gone_from_1_2_on() {
    let sandbox = intercom(known::ENOUGH, "1.1");
    let path = "/intercom/users?user_id=crm-ann";
    let old = sandbox.get(path).await.json();
    let new = sandbox
        .header("intercom-version", "1.2")
        .get(path)
        .await
        .json();

    assert!(old["last_seen_ip"].is_string() && old["user_agent_data"].is_string());
    assert!(old["location_data"]["latitude"].is_f64());
    assert_eq!(
        (new.get("last_seen_ip"), new.get("user_agent_data")),
        (None, None)
    );
    assert_eq!(new["location_data"].get("latitude"), None);
    assert_eq!(new["location_data"]["city_name"], "London");
    assert_eq!(new["custom_attributes"]["job title"], "pilot");
}

#[tokio::test]
async fn switches_change_the_shape_of_users_and_errors() {
    let sandbox = intercom(known::ENOUGH, "1.4");
    let ann = async || sandbox.get("/intercom/users?user_id=crm-ann").await.json();
    let picture = json!("https://pictures.example/ann.png");

    assert_eq!(
        ann().await["avatar"],
        json!({"type": "avatar", "image_url": picture})
    );
    assert!(ann().await["owner_id"].is_string());
    sandbox.set_switch("intercom", "avatar", "string").await;
    sandbox.set_switch("intercom", "owner_id", "int").await;
    sandbox
        .set_switch("intercom", "location", "empty_object")
        .await;
    sandbox.set_switch("intercom", "errors", "type_only").await;
    let odd = ann().await;
    assert_eq!(
        (&odd["avatar"], &odd["location_data"]),
        (&picture, &json!({}))
    );
    assert!(odd["owner_id"].is_u64());
    let entry = sandbox.get("/intercom/users/nope").await.json()["errors"][0].clone();
    assert_eq!(
        entry,
        json!({"type": "not_found", "message": "User Not Found"})
    );
    sandbox
        .set_switch("intercom", "email_body", "error_list_200")
        .await;
    let reply = sandbox.get("/intercom/users?email=ann@x.test").await;
    assert_eq!(reply.at("/type"), (200, json!("error.list")));
}

#[tokio::test]
async fn the_rate_is_limited_only_when_switched_on() {
    let sandbox = intercom(3, "1.4");
    sandbox.set_switch("intercom", "rate_limit", "2").await;
    for _ in 0..5 {
        assert_eq!(sandbox.get("/intercom/users").await.status, 200);
    }
    sandbox.set_switch("intercom", "rate", "on").await;

    let mut replies = Vec::new();
    for _ in 0..6 {
        replies.push(sandbox.get("/intercom/users").await);
    }

    // Two windows may meet within the six calls; at least one is then refused in each.
    let refused = replies
        .iter()
        .find(|reply| reply.status == 429)
        .expect("one is refused");
    assert_eq!(code(refused), (429, json!("rate_limit_exceeded")));
    assert_eq!(
        refused.at("/errors/0/message").1,
        "Exceeded rate limit of 2 in 10_seconds"
    );
    assert_eq!(refused.header("x-ratelimit-remaining"), Some("0"));
    assert_eq!(refused.header("retry-after"), None);
}

#[tokio::test]
async fn created_since_counts_days_and_is_ignored_in_lookups() {
    let sandbox = intercom(known::ENOUGH, "1.4");
    sandbox
        .post("/intercom/users", json!({"user_id": "fresh"}))
        .await;
    let total = async |query: &str| {
        let reply = sandbox.get(&format!("/intercom/users?{query}")).await;
        reply.at("/total_count")
    };

    assert_eq!(total("created_since=1").await, (200, json!(1)));
    assert_eq!(total("created_since=x").await.0, 400);
    assert_eq!(
        total("created_since=x&email=ann@x.test").await,
        (200, json!(1))
    );
}
