//! `Cache-Control` of requests and of answers.

use roster::{account::Provider::Intercom, config::Settings};
use serde_json::{Value, json};

use super::keeping;
use crate::world::{World, account};

const ANN: &str = "{ usersByEmail(email: \"ann@x.test\", providers: [INTERCOM]) { nodes { id } sources { status } } }";

/// The answer's `Cache-Control`, for a request with or without one.
async fn cache_control(world: &World, query: &str, sent: Option<&str>) -> String {
    let url = format!("http://{}/graphql", world.gateway);
    let mut request = world.client.post(url).json(&json!({ "query": query }));
    if let Some(sent) = sent {
        request = request.header("cache-control", sent);
    }
    let answer = request.send().await.expect("an answer");
    let header = answer.headers().get("cache-control").expect("a header");
    let header = header.to_str().expect("text").to_owned();
    let _: Value = answer.json().await.expect("JSON");
    header
}

#[tokio::test]
async fn no_cache_reads_from_the_provider_and_others_get_that_response() {
    let world = keeping(|_| {}).await;
    let mut calls = 0;
    for (sent, is_call) in [
        (None, true),
        (None, false),
        (Some("no-cache"), true),
        (None, false),
        (Some("max-age=0"), true),
        (Some("max-age=3600"), false),
        (Some("no-store"), true),
        (Some("max-age=nonsense, only-if-cached"), false),
        (Some("max-age=3600, no-cache"), true),
    ] {
        calls += usize::from(is_call);
        cache_control(&world, ANN, sent).await;
        assert_eq!(world.calls(Intercom).await.len(), calls, "{sent:?}");
    }
}

#[tokio::test]
async fn the_client_may_cache_an_answer_while_its_oldest_part_is_fresh() {
    let world = keeping(|settings: &mut Settings| {
        account(settings, Intercom).cache.seconds = Some(30.0);
    })
    .await;
    let everywhere = "{ usersByEmail(email: \"ann@x.test\") { nodes { id } } }";
    for query in [ANN, everywhere, ANN] {
        let kept = cache_control(&world, query, None).await;
        let age = kept.strip_prefix("private, max-age=").expect("an age");
        let age: u64 = age.parse().expect("seconds");
        assert!((1..=30).contains(&age), "{kept}");
    }
}

#[tokio::test]
async fn failures_writes_and_uncached_responses_may_not_be_cached() {
    let world = keeping(|settings| account(settings, Intercom).attempts = 1).await;
    let write = "mutation { upsertUser(input: { provider: INTERCOM, email: \"joann@x.test\" }) { outcome } }";
    for query in [
        write,
        "{ __typename }",
        "{ accounts { enabled } }",
        "{ nothing }",
    ] {
        assert_eq!(
            cache_control(&world, query, None).await,
            "no-store",
            "{query}"
        );
    }
    world
        .fault(Intercom, json!({ "kind": "status", "status": 503 }))
        .await;
    assert_eq!(cache_control(&world, ANN, None).await, "no-store");

    let world = keeping(|settings| settings.cache.seconds = 0.0).await;
    assert_eq!(cache_control(&world, ANN, None).await, "no-store");
}

#[tokio::test]
async fn an_age_beyond_all_measure_is_any_age() {
    let world = keeping(|_| {}).await;
    cache_control(&world, ANN, None).await;
    for age in [
        "86400",
        "9223372036854775807",
        "18446744073709551615",
        "99999999999999999999999",
    ] {
        let sent = format!("max-age={age}");
        cache_control(&world, ANN, Some(&sent)).await;
    }
    assert_eq!(world.calls(Intercom).await.len(), 1);
}
