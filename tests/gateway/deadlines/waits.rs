//! No wait of a call exceeds the deadline.

use std::time::Duration;

use roster::account::Provider;
use roster_sandbox::known::{self, EVERYWHERE};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{DEADLINE, GRACE, LONG, code, in_time, search, world};
use crate::world::{World, account, intercom, notices, place, word};

#[tokio::test]
async fn a_provider_that_never_answers_leaves_the_others_their_time() {
    let world = world(|_| {}).await;
    world
        .fault(Provider::Intercom, json!({ "kind": "hang" }))
        .await;
    let slow = json!({ "kind": "latency", "milliseconds": (DEADLINE * 500.0) as u64 });
    world.fault(Provider::Usertour, slow).await;

    search(&world, Provider::Intercom).await;
}

#[tokio::test]
async fn a_client_with_a_shorter_wait_gets_its_answer_in_that_time() {
    let world = world(|settings| settings.limits.deadline_seconds = LONG).await;
    world
        .fault(Provider::Intercom, json!({ "kind": "hang" }))
        .await;
    let query = format!(
        "{{ usersByEmail(email: \"{EVERYWHERE}\") {{ nodes {{ provider }} sources {{ status }} }} }}"
    );
    let request = world
        .client
        .post(format!("http://{}/graphql", world.gateway))
        .header("prefer", "respond-async, Wait=1; foo=bar")
        .json(&json!({ "query": query }));
    let started = Instant::now();

    let answer = request.send().await.expect("an answer");

    assert!(started.elapsed() < Duration::from_secs_f64(1.0 + GRACE));
    assert_eq!(answer.headers()["preference-applied"], "wait=1");
    let answer: Value = answer.json().await.expect("JSON");
    let found = &answer["data"]["usersByEmail"];
    assert_eq!(found["nodes"].as_array().map(Vec::len), Some(3), "{answer}");
    assert_eq!(
        found["sources"][place(Provider::Intercom)]["status"],
        "FAILED"
    );
}

#[tokio::test]
async fn retries_and_the_waits_between_them_end_in_time() {
    for fault in [
        json!({ "kind": "status", "status": 503 }),
        json!({ "kind": "status", "status": 503, "headers": { "retry-after": "1" } }),
        json!({ "kind": "reset" }),
        json!({ "kind": "latency", "milliseconds": 500 }),
    ] {
        let world = world(|settings| {
            account(settings, Provider::Usertour).timeout_seconds = Some(0.3);
        })
        .await;
        world.fault(Provider::Usertour, fault.clone()).await;

        let answer = in_time(&world, "{ users(provider: USERTOUR) { nodes { id } } }").await;

        assert!(answer["errors"].is_array(), "{fault}: {answer}");
        assert!(world.calls(Provider::Usertour).await.len() > 1, "{fault}");
    }
}

#[tokio::test]
async fn a_permit_that_does_not_come_is_not_waited_for() {
    let world = world(|settings| {
        // A lookup is one call in this version.
        intercom(settings, "1.1");
        account(settings, Provider::Intercom).concurrency = Some(2);
    })
    .await;
    world
        .fault(Provider::Intercom, json!({ "kind": "hang" }))
        .await;
    let field =
        |n: u32| format!("a{n}: user(provider: INTERCOM, by: {{ remoteId: \"n{n}\" }}) {{ id }}");
    let query = (0..20).map(field).collect::<Vec<_>>().join(" ");

    let answer = in_time(&world, &format!("{{ {query} }}")).await;

    let errors = answer["errors"].as_array().map(Vec::len);
    assert_eq!(
        (errors, code(&answer)),
        (Some(20), &json!("DEADLINE_EXCEEDED"))
    );
    assert_eq!(world.calls(Provider::Intercom).await.len(), 2);
}

/// The source of one provider in a search by address whose pages take `milliseconds` each.
async fn paged(world: &World, of: Provider, milliseconds: u64) -> Value {
    let slow = json!({ "kind": "latency", "milliseconds": milliseconds });
    world.fault(of, slow).await;
    let query = "{ usersByEmail(email: \"nobody@x.test\") { sources { status } } }";
    let answer = in_time(world, query).await;
    answer["data"]["usersByEmail"]["sources"][place(of)]["status"].clone()
}

#[tokio::test]
async fn a_scan_ends_in_time_and_says_that_it_is_incomplete() {
    let world = World::with(1_000, |settings| {
        settings.limits.deadline_seconds = DEADLINE;
    })
    .await;

    let status = paged(&world, Provider::Ada, 300).await;

    assert!(["PARTIAL", "FAILED"].contains(&status.as_str().expect("a status")));
    let pages = world.calls(Provider::Ada).await.len();
    assert!((2..=4).contains(&pages), "{pages}");
}

#[tokio::test]
async fn a_window_of_many_pages_ends_in_time_with_the_users_that_were_read() {
    let world = World::with(1_000, |settings| {
        settings.limits.deadline_seconds = DEADLINE;
    })
    .await;
    let slow = json!({ "kind": "latency", "milliseconds": 400 });
    world.fault(Provider::Usertour, slow).await;

    let answer = in_time(
        &world,
        "{ users(provider: USERTOUR, first: 500) { nodes { id } pageInfo { hasNextPage endCursor }
             sources { status notices { code message } error { code } } } }",
    )
    .await;

    let users = &answer["data"]["users"];
    let read = users["nodes"].as_array().map_or(0, Vec::len);
    assert!([100, 200, 300].contains(&read), "{answer}");
    assert_eq!(users["pageInfo"]["hasNextPage"], true);
    assert!(users["pageInfo"]["endCursor"].is_string());
    let source = &users["sources"][0];
    assert_eq!(source["status"], "PARTIAL");
    let notice = notices(source);
    assert!(notice.contains("the time was over"), "{notice}");
    assert_eq!(source["error"]["code"], "DEADLINE_EXCEEDED");
}

#[tokio::test]
async fn a_search_that_the_deadline_ends_says_that_it_was_the_deadline() {
    let world = World::with(1_000, |settings| {
        settings.limits.deadline_seconds = DEADLINE;
    })
    .await;
    for (of, email, milliseconds) in [
        (Provider::DigitalChalk, known::POSITION_101, 800),
        (Provider::Ada, "nobody@x.test", 300),
    ] {
        let slow = json!({ "kind": "latency", "milliseconds": milliseconds });
        world.fault(of, slow).await;
        let query = format!(
            "{{ usersByEmail(email: \"{email}\", providers: [{}]) {{
                sources {{ status notices {{ code message }} error {{ code }} }} }} }}",
            word(of)
        );

        let answer = in_time(&world, &query).await;

        let source = &answer["data"]["usersByEmail"]["sources"][0];
        assert_eq!(source["status"], "PARTIAL", "{answer}");
        assert_eq!(source["error"]["code"], "DEADLINE_EXCEEDED", "{answer}");
        let notice = notices(source);
        assert!(notice.contains("the time was over"), "{notice}");
        assert!(!notice.contains("bounded by"), "{notice}");
    }
}
