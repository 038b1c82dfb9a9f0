//! HTTP that is not GraphQL over HTTP.

use reqwest::{
    Method,
    header::{ACCEPT, ALLOW, CONTENT_TYPE, HeaderMap},
};
use serde_json::{Value, json};

use super::{calls, codes};
use crate::world::World;

const READ: &str = "{ accounts { provider } }";
const WRITE: &str = "mutation { upsertUser(input: { provider: USERTOUR, externalId: \"new\", name: \"New\" }) { outcome } }";

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

fn request(world: &World, method: Method) -> reqwest::RequestBuilder {
    let url = format!("http://{}/graphql", world.gateway);
    world.client.request(method, url)
}

fn get(world: &World, pairs: &[(&str, &str)]) -> reqwest::RequestBuilder {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish();
    let url = format!("http://{}/graphql?{query}", world.gateway);
    world.client.get(url)
}

fn post(world: &World, media: &str, body: impl Into<reqwest::Body>) -> reqwest::RequestBuilder {
    request(world, Method::POST)
        .header(CONTENT_TYPE, media)
        .body(body)
}

async fn sent(request: reqwest::RequestBuilder) -> Answer {
    let answer = request.send().await.expect("an answer");
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let body = answer.json().await.unwrap_or_default();
    Answer {
        status,
        headers,
        body,
    }
}

/// Checks that a request is refused with a status, and that no provider heard of it.
async fn refused(world: &World, request: reqwest::RequestBuilder, status: u16) -> Answer {
    let answer = sent(request).await;
    assert_eq!(answer.status, status, "{}", answer.body);
    assert_eq!(codes(&answer.body), ["BAD_USER_INPUT"]);
    assert_eq!(answer.body.get("data"), None);
    assert_eq!(calls(world).await, 0);
    answer
}

#[tokio::test]
async fn a_mutation_over_get_is_refused_and_writes_nothing() {
    let world = World::with(0, |_| {}).await;
    let named = format!("query A {READ} {}", WRITE.replace("mutation", "mutation B"));
    for pairs in [
        vec![("query", WRITE)],
        vec![("query", named.as_str()), ("operationName", "B")],
    ] {
        let answer = refused(&world, get(&world, &pairs), 405).await;
        assert_eq!(answer.headers[ALLOW], "POST");
        assert!(
            answer.body["errors"][0]["message"]
                .to_string()
                .contains("POST")
        );
    }
}

#[tokio::test]
async fn a_query_over_get_is_answered_as_its_parameters_say() {
    let world = World::with(0, |_| {}).await;
    let query = format!(
        "query A {READ} query B($of: Provider!) {{ users(provider: $of, first: 0) {{ totalCount }} }}"
    );

    let first = sent(get(&world, &[("query", &query), ("operationName", "A")])).await;
    let second = sent(get(
        &world,
        &[
            ("query", &query),
            ("operationName", "B"),
            ("variables", "{\"of\":\"ADA\"}"),
        ],
    ))
    .await;

    assert_eq!((first.status, second.status), (200, 200));
    assert_eq!(first.body["data"]["accounts"][0]["provider"], "ADA");
    assert_eq!(
        second.body,
        json!({ "data": { "users": { "totalCount": null } } })
    );
}

#[tokio::test]
async fn wrong_parameters_of_a_get_are_refused() {
    let world = World::with(0, |_| {}).await;
    for (pairs, status) in [
        (vec![], 422),
        (vec![("variables", "{}")], 422),
        (vec![("query", READ), ("variables", "{")], 400),
        (vec![("query", READ), ("variables", "[1]")], 422),
        (vec![("query", READ), ("extensions", "7")], 422),
    ] {
        refused(&world, get(&world, &pairs), status).await;
    }
}

#[tokio::test]
async fn only_json_is_taken_so_that_no_foreign_page_can_write() {
    let world = World::with(0, |_| {}).await;
    let body = json!({ "query": WRITE }).to_string();
    let form = format!("query={}", WRITE.replace(' ', "+"));
    let parts = format!(
        "--b\r\nContent-Disposition: form-data; name=\"operations\"\r\n\r\n{body}\r\n--b--\r\n"
    );
    for (media, body) in [
        ("text/plain", body.clone()),
        ("text/plain; charset=application/json", body.clone()),
        ("application/graphql", WRITE.to_owned()),
        ("application/x-www-form-urlencoded", form),
        ("multipart/form-data; boundary=b", parts),
        ("application/json; charset=utf-16", body.clone()),
        ("", body.clone()),
    ] {
        let answer = refused(&world, post(&world, media, body), 415).await;
        assert!(
            answer.body["errors"][0]["message"]
                .to_string()
                .contains("application/json")
        );
    }
    refused(&world, request(&world, Method::POST).body(body), 415).await;
}

#[tokio::test]
async fn methods_other_than_get_and_post_are_refused() {
    let world = World::with(0, |_| {}).await;
    for method in [Method::PUT, Method::DELETE, Method::PATCH] {
        let body = json!({ "query": WRITE });
        let answer = refused(&world, request(&world, method).json(&body), 405).await;
        assert_eq!(answer.headers[ALLOW], "GET, POST");
    }
}

#[tokio::test]
async fn a_client_that_accepts_no_media_type_gets_an_error_with_all_of_them() {
    let world = World::with(0, |_| {}).await;
    for accepted in ["text/html", "image/*", "application/json;q=0"] {
        let body = json!({ "query": WRITE });
        let request = request(&world, Method::POST)
            .header(ACCEPT, accepted)
            .json(&body);
        let answer = refused(&world, request, 406).await;
        let message = answer.body["errors"][0]["message"].to_string();
        for media in [
            "application/graphql-response+json",
            "application/json",
            "text/event-stream",
        ] {
            assert!(message.contains(media), "{message}");
        }
    }
}

#[tokio::test]
async fn a_body_that_is_no_request_is_refused() {
    let world = World::with(0, |_| {}).await;
    let deep = format!(
        "{{\"query\":\"{READ}\",\"variables\":{}{}}}",
        "{\"a\":".repeat(10_000),
        "}".repeat(10_000)
    );
    for (body, words) in [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("{\"query\":\"{ providers", "not JSON"),
        ("\u{feff}{}", "not JSON"),
        ("null", "an object with `query`"),
        ("17", "an object with `query`"),
        ("[]", "batches are not taken"),
        (
            "[{\"query\":\"{ accounts { provider } }\"}]",
            "batches are not taken",
        ),
        ("{}", "`query` is missing"),
        ("{\"query\":null}", "`query` must be a string"),
        ("{\"query\":[\"{a}\"]}", "`query` must be a string"),
        (
            "{\"query\":\"{a}\",\"operationName\":7}",
            "`operationName` must be a string",
        ),
        ("{\"query\":\"{a}\",\"variables\":[1]}", "`variables`"),
        ("{\"query\":\"{a}\",\"variables\":\"{}\"}", "`variables`"),
        ("{\"query\":\"{a}\",\"extensions\":7}", "`extensions`"),
        (&deep, "not JSON"),
    ] {
        let status = if words == "not JSON" { 400 } else { 422 };
        let request = post(&world, "application/json", body.to_owned());
        let answer = refused(&world, request, status).await;
        let message = answer.body["errors"][0]["message"]
            .as_str()
            .unwrap_or_default();
        assert!(message.contains(words), "{body:.60} says {message:?}");
    }
    let broken = post(&world, "application/json", vec![b'{', 0xff, b'}']);
    refused(&world, broken, 400).await;
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let world = World::with(0, |_| {}).await;
    let body = json!({ "query": format!("{READ} # {}", "x".repeat(300_000)) });

    let answer = refused(&world, request(&world, Method::POST).json(&body), 413).await;

    assert!(
        answer.body["errors"][0]["message"]
            .to_string()
            .contains("too large")
    );
}

#[tokio::test]
async fn the_status_of_a_request_that_cannot_run_says_why_under_every_media_type() {
    let world = World::with(0, |_| {}).await;
    for accepted in ["application/graphql-response+json", "application/json"] {
        for (query, status, code) in [
            ("{ nobody }", 422, "GRAPHQL_VALIDATION_FAILED"),
            ("{", 400, "GRAPHQL_PARSE_FAILED"),
            (
                "query($a: Int!) { users(provider: ADA, first: $b) { totalCount } }",
                422,
                "GRAPHQL_VALIDATION_FAILED",
            ),
            (
                "query($a: Int!) { users(provider: ADA, first: $a) { totalCount } }",
                422,
                "BAD_USER_INPUT",
            ),
            (
                "query A { __typename } query B { __typename }",
                422,
                "BAD_USER_INPUT",
            ),
            (
                "subscription { usersByEmail(email: \"a@x.test\") { source { status } } }",
                406,
                "BAD_USER_INPUT",
            ),
        ] {
            let body = json!({ "query": query });
            let request = request(&world, Method::POST)
                .header(ACCEPT, accepted)
                .json(&body);
            let answer = sent(request).await;
            assert_eq!(answer.status, status, "{accepted} {query}: {}", answer.body);
            assert_eq!(answer.body.get("data"), None);
            let media = answer.headers[CONTENT_TYPE].to_str().expect("text");
            assert!(
                media.starts_with("application/graphql-response+json"),
                "{media}"
            );
            assert!(codes(&answer.body).iter().all(|found| *found == code));
        }
    }
}

#[tokio::test]
async fn data_with_errors_is_294_under_every_media_type() {
    let world = World::with(0, |_| {}).await;
    for accepted in ["application/graphql-response+json", "application/json"] {
        for (query, status) in [
            ("{ accounts { name } }", 200),
            (
                "{ accounts { name } users(provider: ADA, first: -1) { totalCount } }",
                294,
            ),
            ("{ users(provider: ADA, first: -1) { totalCount } }", 294),
        ] {
            let body = json!({ "query": query });
            let request = request(&world, Method::POST)
                .header(ACCEPT, accepted)
                .json(&body);
            let answer = sent(request).await;
            assert_eq!(answer.status, status, "{accepted} {query}: {}", answer.body);
            assert!(answer.body.get("data").is_some(), "{}", answer.body);
            let media = answer.headers[CONTENT_TYPE].to_str().expect("text");
            assert!(media.starts_with(accepted), "{media}");
        }
    }
}

#[tokio::test]
async fn no_proxy_may_cache_an_answer() {
    let world = World::with(0, |_| {}).await;

    let answer = sent(get(&world, &[("query", READ)])).await;

    assert_eq!(answer.headers["cache-control"], "no-store");
}
