//! Pages of other origins: what the browser asks before it lets them call the gateway.

use reqwest::{Method, Response, header::HeaderMap};
use serde_json::json;

use crate::world::World;

const APP: &str = "https://app.example";
const ASKED: &str =
    "content-type,baggage,sentry-trace,traceparent,x-apollo-operation-name,x-roster-trace";

async fn world(origins: &[&str]) -> World {
    let origins = origins.iter().map(|origin| (*origin).to_owned()).collect();
    World::with(0, |settings| {
        settings.server.cors_origins = origins;
        settings.server.loopback_origins = false;
    })
    .await
}

async fn preflight(world: &World, origin: &str) -> HeaderMap {
    let url = format!("http://{}/graphql", world.gateway);
    let request = world.client.request(Method::OPTIONS, url);
    let request = request
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", ASKED);
    let answer: Response = request.send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    answer.headers().clone()
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get(name)
        .map(|value| value.to_str().expect("a text"))
}

#[tokio::test]
async fn a_page_of_an_allowed_origin_may_send_the_headers_that_its_tools_add() {
    let world = world(&[APP]).await;

    let headers = preflight(&world, APP).await;

    assert_eq!(header(&headers, "access-control-allow-origin"), Some(APP));
    let allowed = header(&headers, "access-control-allow-headers").expect("headers");
    let allowed: Vec<&str> = allowed.split(',').map(str::trim).collect();
    assert_eq!(allowed, ASKED.split(',').collect::<Vec<_>>());
}

#[tokio::test]
async fn a_browser_caches_a_preflight_for_two_hours() {
    let world = world(&[APP]).await;

    let headers = preflight(&world, APP).await;

    assert_eq!(header(&headers, "access-control-max-age"), Some("7200"));
    let vary = headers.get_all("vary").iter();
    let vary: Vec<_> = vary.map(|value| value.to_str().expect("a text")).collect();
    let vary = vary.join(",").to_lowercase();
    assert!(vary.contains("origin") && vary.contains("access-control-request-headers"));
}

#[tokio::test]
async fn a_page_of_an_allowed_origin_reads_the_request_id_and_when_to_try_again() {
    let world = world(&[APP]).await;
    let url = format!("http://{}/graphql", world.gateway);
    let request = world.client.post(url).header("origin", APP);

    let answer = request.json(&json!({ "query": "{ __typename }" })).send();

    let answer = answer.await.expect("an answer");
    let exposed = header(answer.headers(), "access-control-expose-headers").expect("headers");
    let mut exposed: Vec<&str> = exposed.split(',').map(str::trim).collect();
    exposed.sort_unstable();
    assert_eq!(
        exposed,
        ["preference-applied", "retry-after", "x-request-id"]
    );
    assert!(answer.headers().contains_key("x-request-id"));
}

#[tokio::test]
async fn a_page_of_another_origin_is_not_allowed() {
    let world = world(&[APP]).await;

    for origin in [
        "https://evil.example",
        "https://app.example.evil.example",
        "http://app.example",
        "http://localhost:3000",
        "null",
    ] {
        let headers = preflight(&world, origin).await;
        assert_eq!(
            header(&headers, "access-control-allow-origin"),
            None,
            "{origin}"
        );
    }
}

#[tokio::test]
async fn a_gateway_over_sandboxes_is_open_to_pages_of_loopback_and_to_those_named() {
    let world = World::with(0, |settings| {
        settings.server.cors_origins = vec![APP.to_owned()];
    })
    .await;

    for origin in [
        "http://localhost",
        "http://localhost:3000",
        "https://localhost:5173",
        "http://127.0.0.1:4200",
        "https://127.0.0.1",
        "http://[::1]:8000",
        APP,
    ] {
        let headers = preflight(&world, origin).await;
        assert_eq!(
            header(&headers, "access-control-allow-origin"),
            Some(origin)
        );
    }
    for origin in [
        "http://localhost.evil.example",
        "http://localhost:80@evil.example",
        "http://evil.example:3000",
        "http://127.0.0.1.evil.example",
        "ftp://localhost",
        "file://localhost",
        "http://localhost:3000/page",
        "http://192.168.0.1:3000",
        "null",
    ] {
        let headers = preflight(&world, origin).await;
        assert_eq!(
            header(&headers, "access-control-allow-origin"),
            None,
            "{origin}"
        );
    }
}
