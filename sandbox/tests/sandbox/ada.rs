//! Ada, as its documents have it.

use reqwest::{Method, StatusCode};
use roster_sandbox::known;
use serde_json::{Value, json};

use crate::server::{SandboxServer, items, read, texts};

const USERS: &str = "/ada/api/v2/end-users/";

/// Follows the links as they are, at most `most` pages.
async fn walk(server: &SandboxServer, first: &str, most: usize) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut next = Some(server.url(first));
    while let Some(url) = next.take().filter(|_| pages.len() < most) {
        let (status, page) = server.get(&url).await;
        assert_eq!(status, StatusCode::OK, "{url}");
        pages.push(texts(&page["data"], "end_user_id"));
        next = page["meta"]["next_page_url"].as_str().map(str::to_owned);
    }
    pages
}

#[tokio::test]
async fn the_links_lead_through_every_user_once() {
    for (users, sizes) in [
        (0, vec![0]),
        (20, vec![20]),
        (21, vec![20, 1]),
        (55, vec![20, 20, 15]),
    ] {
        let server = SandboxServer::of(users).await;
        let pages = walk(&server, USERS, 9).await;
        let found: Vec<usize> = pages.iter().map(Vec::len).collect();
        assert_eq!(found, sizes);
        assert_eq!(pages.concat(), server.ids("ada").await);
    }
}

#[tokio::test]
async fn an_inclusive_cursor_is_the_first_row_and_an_exclusive_one_is_not() {
    let server = SandboxServer::of(30).await;
    let ids = server.ids("ada").await;
    let path = format!("{USERS}?limit=2&cursor={}", ids[3]);

    let (_, page) = server.get(&path).await;
    assert_eq!(texts(&page["data"], "end_user_id"), ids[3..5]);

    server.set_switch("ada", "cursor", "exclusive").await;
    let (_, page) = server.get(&path).await;
    assert_eq!(texts(&page["data"], "end_user_id"), ids[4..6]);
    assert_eq!(walk(&server, USERS, 9).await.concat(), ids);
}

#[tokio::test]
async fn the_next_link_is_absolute_and_drops_the_limit() {
    let server = SandboxServer::of(30).await;
    let ids = server.ids("ada").await;
    let next = async || {
        let (_, page) = server.get(&format!("{USERS}?limit=7")).await;
        page["meta"]["next_page_url"].as_str().map(str::to_owned)
    };

    let plain = server.url(&format!("{USERS}?cursor={}", ids[7]));
    assert_eq!(next().await, Some(plain.clone()));
    server.set_switch("ada", "next", "keep_limit").await;
    assert_eq!(next().await, Some(format!("{plain}&limit=7")));
    server.set_switch("ada", "next", "foreign_host").await;
    let foreign = format!("http://attacker.test/api/v2/end-users/?cursor={}", ids[7]);
    assert_eq!(next().await, Some(foreign));
    server.set_switch("ada", "next", "self_loop").await;
    let pages = walk(&server, USERS, 4).await;
    assert_eq!(pages, vec![ids[..20].to_vec(); 4]);
}

#[tokio::test]
async fn the_end_of_the_list_has_five_shapes() {
    let server = SandboxServer::of(3).await;
    let rest = async || {
        let (_, mut page) = server.get(USERS).await;
        page.as_object_mut().and_then(|page| page.remove("data"));
        page
    };

    assert_eq!(rest().await, json!({"meta": {"next_page_url": null}}));
    for (value, shape) in [
        ("absent", json!({})),
        ("meta_null", json!({"meta": null})),
        ("meta_empty", json!({"meta": {}})),
        ("empty_string", json!({"meta": {"next_page_url": ""}})),
    ] {
        server.set_switch("ada", "end", value).await;
        assert_eq!(rest().await, shape);
    }
}

#[tokio::test]
async fn a_wrong_parameter_is_a_validation_error() {
    let server = SandboxServer::of(3).await;
    for query in [
        "limit=0",
        "limit=101",
        "limit=-1",
        "limit=two",
        "limit=",
        "cursor=unknown",
        "external_id=",
        "external_id=a%3Cb",
        "external_id=crm-ann&limit=5",
    ] {
        let (status, body) = server.get(&format!("{USERS}?{query}")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{query}");
        assert_eq!(body["errors"][0]["type"], "validation_error", "{query}");
        assert_eq!(body["errors"][0]["details"][0]["location"], "query");
    }

    server.set_switch("ada", "unknown_cursor", "empty").await;
    let (status, body) = server.get(&format!("{USERS}?cursor=unknown")).await;
    assert_eq!((status, &body["data"]), (StatusCode::OK, &json!([])));
}

#[tokio::test]
async fn an_email_is_no_filter() {
    let server = SandboxServer::of(30).await;
    let (_, page) = server.get(&format!("{USERS}?email=ann%40x.test")).await;
    assert_eq!(items(&page["data"]).count(), 20);
}

#[tokio::test]
async fn an_external_id_in_any_case_turns_the_list_into_one_user() {
    let server = SandboxServer::of(30).await;
    let (status, user) = server.get(&format!("{USERS}?external_id=CRM-Ann")).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(user["profile"]["email"], known::EVERYWHERE);
    assert_eq!(user["external_id"], known::EVERYWHERE_EXTERNAL_ID);

    let (status, body) = server.get(&format!("{USERS}?external_id=nobody")).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(body["errors"][0]["type"], "not_found");
}

#[tokio::test]
async fn the_slash_belongs_to_the_collection_and_not_to_the_item() {
    let server = SandboxServer::of(3).await;
    let id = server.ids("ada").await.remove(0);
    for (path, status) in [
        ("/ada/api/v2/end-users".to_owned(), StatusCode::NOT_FOUND),
        (format!("{USERS}{id}"), StatusCode::OK),
        (format!("{USERS}{id}/"), StatusCode::NOT_FOUND),
        (format!("{USERS}unknown"), StatusCode::NOT_FOUND),
        (format!("{USERS}%FF"), StatusCode::NOT_FOUND),
    ] {
        assert_eq!(server.get(&path).await.0, status, "{path}");
    }
}

#[tokio::test]
async fn a_caller_without_the_token_is_unauthorized() {
    let server = SandboxServer::of(1).await;
    let wrong = server.bare(Method::GET, USERS).bearer_auth("wrong");
    for request in [server.bare(Method::GET, USERS), wrong] {
        let (status, body) = read(request).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        assert_eq!(body["errors"][0]["type"], "unauthorized");
    }

    server.set_switch("ada", "auth_body", "message").await;
    let (_, body) = read(server.bare(Method::GET, USERS)).await;
    assert_eq!(body, json!({"message": "Unauthorized"}));
}

#[tokio::test]
async fn unset_fields_and_dates_have_the_shape_switched_on() {
    let server = SandboxServer::of(60).await;
    let path = format!("{USERS}?external_id={}", known::EMPTY_EXTERNAL_ID);
    let (_, user) = server.get(&path).await;
    assert_eq!(user["profile"]["email"], Value::Null);
    assert!(user["created_at"].as_str().unwrap().ends_with("+00:00"));

    server.set_switch("ada", "unset", "empty_object").await;
    server.set_switch("ada", "dates", "naive_micro").await;
    let (_, user) = server.get(&path).await;
    assert_eq!(user["profile"]["email"], json!({}));
    assert!(user["created_at"].as_str().unwrap().ends_with(".000000"));

    server.set_switch("ada", "unset", "omit").await;
    server.set_switch("ada", "dates", "z").await;
    let (_, user) = server.get(&path).await;
    assert_eq!(user["profile"].get("email"), None);
    assert!(user["created_at"].as_str().unwrap().ends_with('Z'));
}

#[tokio::test]
async fn a_post_creates_once_for_each_external_id() {
    let server = SandboxServer::of(5).await;
    let body = json!({"external_id": "New-1", "profile": {"email": "new@x.test", "metadata": {"orders": 3}}});
    let (status, first) = server.send(Method::POST, USERS, body).await;
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!(first["external_id"], "new-1");
    assert_eq!(first["profile"]["metadata"], json!({"orders": 3}));

    let body = json!({"external_id": "NEW-1", "profile": {"email": "other@x.test"}});
    let (status, again) = server.send(Method::POST, USERS, body).await;
    assert_eq!((status, again), (StatusCode::OK, first.clone()));

    let ids = server.ids("ada").await;
    assert_eq!(ids.len(), 6);
    assert_eq!(ids[5], first["end_user_id"]);
    assert!(ids.is_sorted());
}

#[tokio::test]
async fn a_patch_merges_metadata_and_leaves_the_rest() {
    let server = SandboxServer::of(5).await;
    let path = format!("{USERS}{}", server.ids("ada").await[0]);
    let (_, before) = server.get(&path).await;
    let body = json!({"profile": {"last_name": null, "metadata": {"plan": null, "seats": 18, "vip": true}}});

    let (status, after) = server.send(Method::PATCH, &path, body).await;

    assert_eq!(status, StatusCode::OK);
    assert_eq!(after["profile"]["first_name"], "Ann");
    assert_eq!(after["profile"]["last_name"], Value::Null);
    let metadata = json!({"seats": 18, "beta": true, "job title": "pilot", "vip": true});
    assert_eq!(after["profile"]["metadata"], metadata);
    assert_eq!(after["created_at"], before["created_at"]);
    assert_eq!(server.get(&path).await.1, after);
}

#[tokio::test]
async fn a_refused_patch_changes_nothing() {
    let server = SandboxServer::of(60).await;
    let path = format!("{USERS}{}", server.ids("ada").await[0]);
    let (_, before) = server.get(&path).await;
    let large = "x".repeat(10 << 10);
    let crowd = serde_json::Map::from_iter((0..21).map(|n| (format!("k{n}"), json!(n))));
    for (body, status) in [
        (json!({}), 400),
        (json!({"profile": null}), 400),
        (json!({"profile": {"email": 5}}), 400),
        (json!({"profile": {"metadata": {"ratio": 0.5}}}), 400),
        (json!({"profile": {"metadata": {"list": []}}}), 400),
        (json!({"profile": {"metadata": {"large": large}}}), 400),
        (json!({"profile": {"sensitive_metadata": {}}}), 400),
        (
            json!({"profile": {"sensitive_metadata": {"fields": crowd}}}),
            400,
        ),
        (
            json!({"profile": {"last_name": "X"}, "external_id": ""}),
            400,
        ),
        (
            json!({"profile": {"last_name": "X"}, "external_id": "CRM-EMPTY"}),
            409,
        ),
    ] {
        let (found, answer) = server.send(Method::PATCH, &path, body.clone()).await;
        assert_eq!(found.as_u16(), status, "{body} {answer}");
        assert_eq!(server.get(&path).await.1, before, "{body}");
    }
    let request = server.call(Method::PATCH, &path).body("{\"profile\":");
    assert_eq!(read(request).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn the_details_of_a_validation_error_have_four_shapes() {
    let server = SandboxServer::of(1).await;
    let path = format!("{USERS}{}", server.ids("ada").await[0]);
    let details = async || {
        let (_, body) = server.send(Method::PATCH, &path, json!({})).await;
        body["errors"][0]["details"].clone()
    };

    let problem = json!({"parameter": "$.profile", "location": "body", "message": "profile must be provided"});
    assert_eq!(details().await, json!([problem]));
    for (value, shape) in [
        ("string", json!("$.profile: profile must be provided")),
        ("object", json!({"0": problem})),
        ("null", Value::Null),
    ] {
        server.set_switch("ada", "details", value).await;
        assert_eq!(details().await, shape);
    }
}

#[tokio::test]
async fn numbers_beyond_doubles_stay_exact() {
    let server = SandboxServer::of(60).await;
    let (_, page) = server.get(&format!("{USERS}?limit=100")).await;
    let user = items(&page["data"]).find(|user| user["profile"]["email"] == known::BIG_NUMBER);
    let account = &user.expect("the known user")["profile"]["metadata"]["account"];
    assert_eq!(account.as_i64(), Some(known::BIG_NUMBER_ACCOUNT));
}

#[tokio::test]
async fn erasure_by_email_ignores_the_letter_case() {
    let server = SandboxServer::of(60).await;
    let before = server.ids("ada").await.len();
    let body = json!({"identifiers": [
        {"type": "email", "value": "Help@TrainCo.test"}, {"type": "end_user_id", "value": "unknown"},
    ]});

    let (status, job) = server
        .send(Method::POST, &format!("{USERS}delete"), body)
        .await;
    assert_eq!(
        (status, &job["submitted_count"]),
        (StatusCode::ACCEPTED, &json!(2))
    );
    let job = job["job_id"].as_str().expect("a job id").to_owned();
    let (_, report) = server.get(&format!("/ada/api/v2/jobs/{job}")).await;

    assert_eq!(report["status"], "partial");
    assert_eq!(
        texts(&report["results"], "disposition"),
        ["accepted", "not_found"]
    );
    assert_eq!(server.ids("ada").await.len(), before - 2);
}

#[tokio::test]
async fn the_rate_limit_is_off_until_switched_on() {
    let server = SandboxServer::of(1).await;
    server.set_switch("ada", "rate_limit", "2").await;
    let mut statuses = Vec::new();
    // More calls than two windows grant, so that the end of a minute changes nothing.
    for _ in 0..6 {
        statuses.push(server.get(USERS).await.0.as_u16());
    }
    assert_eq!(statuses[..2], [200, 200]);
    assert!(statuses.contains(&429));
}
