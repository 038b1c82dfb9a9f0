//! `Subscription.usersByEmail`: an event as each account answers.

use std::time::{Duration, Instant};

use roster::{account::Provider, server::SocketLimits};
use serde_json::{Value, json};

use super::{StreamGateway, events, post_for_events};
use crate::world::World;

const SEARCH: &str = "subscription { usersByEmail(email: \"ann@x.test\") { users { id email account } source { account status calls error { code } } } }";

fn account(event: &Value) -> &str {
    let event = &event["data"]["usersByEmail"];
    event["source"]["account"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn fast_accounts_come_first_and_the_slow_one_last() {
    let world = World::with(5, |_| {}).await;
    let delay = json!({ "kind": "latency", "milliseconds": 2_000 });
    world.fault(Provider::Intercom, delay).await;
    let gateway = StreamGateway::over(&world, SocketLimits::default()).await;
    let mut socket = gateway.socket().await;

    let started = Instant::now();
    socket.subscribe("1", SEARCH).await;
    let first = socket.next().await;
    let first_after = started.elapsed();
    let mut rest = socket.messages("1").await;

    assert!(
        first_after < Duration::from_millis(1_000),
        "the first event waited for the slow account: {first_after:?}"
    );
    assert_eq!(
        rest.pop().map(|last| last["type"].clone()),
        Some(json!("complete"))
    );
    let last = rest.last().expect("four events");
    assert_eq!(account(&last["payload"]), "intercom");
    assert!(started.elapsed() >= Duration::from_millis(2_000));
    let mut accounts: Vec<_> = rest
        .iter()
        .map(|event| account(&event["payload"]))
        .collect();
    accounts.push(account(&first["payload"]));
    accounts.sort_unstable();
    assert_eq!(accounts, ["ada", "digitalchalk", "intercom", "usertour"]);
}

#[tokio::test]
async fn the_events_hold_what_the_query_holds() {
    let world = World::with(50, |_| {}).await;
    let gateway = StreamGateway::over(&world, SocketLimits::default()).await;
    let query = "{ usersByEmail(email: \"ann@x.test\") { nodes { id email account } sources { account status calls error { code } } } }";
    let whole = world.data(query).await;
    let whole = &whole["usersByEmail"];

    let body = json!({ "query": SEARCH });
    let events = events(post_for_events(gateway.address, &body).await).await;

    let mut users = Vec::new();
    let mut sources = Vec::new();
    for (name, event) in &events[..events.len() - 1] {
        assert_eq!(name, "next");
        let event = &event["data"]["usersByEmail"];
        users.extend(event["users"].as_array().expect("users").clone());
        sources.push(event["source"].clone());
    }
    assert_eq!(
        events.last().map(|(name, _)| name.as_str()),
        Some("complete")
    );
    let sorted = |values: &[Value]| {
        let mut texts: Vec<_> = values.iter().map(Value::to_string).collect();
        texts.sort();
        texts
    };
    assert_eq!(
        sorted(&users),
        sorted(whole["nodes"].as_array().expect("nodes"))
    );
    assert_eq!(
        sorted(&sources),
        sorted(whole["sources"].as_array().expect("sources"))
    );
}

#[tokio::test]
async fn an_account_that_fails_sends_an_event_that_says_so() {
    let world = World::with(5, |_| {}).await;
    world
        .fault(Provider::Ada, json!({ "kind": "status", "status": 401 }))
        .await;
    let gateway = StreamGateway::over(&world, SocketLimits::default()).await;

    let body = json!({ "query": SEARCH });
    let events = events(post_for_events(gateway.address, &body).await).await;

    assert_eq!(events.len(), 5, "{events:?}");
    let failed = events.iter().find(|(_, event)| account(event) == "ada");
    let source = &failed.expect("an event of Ada").1["data"]["usersByEmail"]["source"];
    assert_eq!(source["status"], "FAILED");
    assert_eq!(source["error"]["code"], "PROVIDER_AUTH");
}

#[tokio::test]
async fn a_wrong_argument_is_an_error_at_the_field() {
    let world = World::with(0, |_| {}).await;
    let gateway = StreamGateway::over(&world, SocketLimits::default()).await;
    let mut socket = gateway.socket().await;
    for (id, arguments) in [
        ("1", "email: \"\""),
        ("2", "email: \"a@x.test\", accounts: [\"nowhere\"]"),
    ] {
        let query =
            format!("subscription {{ usersByEmail({arguments}) {{ source {{ status }} }} }}");
        socket.subscribe(id, &query).await;

        let messages = socket.messages(id).await;
        assert_eq!(messages[0]["type"], "next", "{messages:?}");
        let error = &messages[0]["payload"]["errors"][0];
        assert_eq!(error["extensions"]["code"], "BAD_USER_INPUT");
        assert_eq!(error["path"], json!(["usersByEmail"]));
    }
}

#[tokio::test]
async fn the_source_counts_the_calls_of_the_fields_of_its_users() {
    let world = World::with(50, |_| {}).await;
    let gateway = StreamGateway::over(&world, SocketLimits::default()).await;
    let with_tags = "subscription { usersByEmail(email: \"ann@x.test\", providers: [INTERCOM]) { source { calls } users { tags } } }";
    world.forget_calls().await;

    let body = json!({ "query": with_tags });
    let events = events(post_for_events(gateway.address, &body).await).await;

    let calls = world.calls(Provider::Intercom).await.len();
    let source = &events[0].1["data"]["usersByEmail"]["source"];
    assert_eq!(source["calls"], calls, "{events:?}");
}

#[tokio::test]
async fn a_client_that_leaves_stops_the_work() {
    let world = World::with(2_000, |settings| settings.server.show_calls = false).await;
    let delay = json!({ "kind": "latency", "milliseconds": 100 });
    world.fault(Provider::Ada, delay).await;
    let gateway = StreamGateway::over(&world, SocketLimits::default()).await;
    let mut socket = gateway.socket().await;
    let search = "subscription { usersByEmail(email: \"nobody@x.test\", providers: [ADA]) { source { calls } } }";
    world.forget_calls().await;

    socket.subscribe("1", search).await;
    while world.calls(Provider::Ada).await.is_empty() {
        tokio::task::yield_now().await;
    }
    drop(socket);

    // Unhindered the scan makes 20 calls; those under way when the client left may still be made.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let calls = world.calls(Provider::Ada).await.len();
    assert!(calls < 10, "{calls} calls for a client that has left");
}

/// An account whose fields are slow holds its own event up, and not the search of another account.
#[tokio::test]
async fn a_slow_field_of_one_accounts_users_leaves_the_search_of_another_whole() {
    let world = World::with(300, |settings| {
        settings.limits.deadline_seconds = 3.0;
        let intercom = crate::world::account(settings, Provider::Intercom);
        (intercom.attempts, intercom.timeout_seconds) = (1, Some(2.5));
    })
    .await;
    let hangs = json!({ "kind": "hang", "path": "/tags" });
    world.fault(Provider::Intercom, hangs).await;
    let slow = json!({ "kind": "latency", "milliseconds": 400 });
    world.fault(Provider::DigitalChalk, slow).await;
    let gateway = StreamGateway::over(&world, SocketLimits::default()).await;
    let search = "subscription { usersByEmail(email: \"ann@x.test\", providers: [INTERCOM, DIGITAL_CHALK]) { \
        users { id tags } source { account status error { code } } } }";

    let body = json!({ "query": search });
    let events = events(post_for_events(gateway.address, &body).await).await;

    let mut events = events.iter().map(|(_, event)| event);
    let chalk = events.find(|event| account(event) == "digitalchalk");
    let source = &chalk.expect("an event")["data"]["usersByEmail"]["source"];
    assert_eq!(source["status"], "COMPLETE", "{source}");
}
