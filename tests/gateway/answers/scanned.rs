//! Ada has no search by email, so its list is scanned. All searches that may share a scan do.

mod bounded;

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use reqwest::header::HeaderMap;
use roster::{account::Provider::Ada, config::Settings};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::{ann, rename};
use crate::world::{World, account, notices};

/// Enough for four pages of a hundred.
const USERS: usize = 340;

/// A world with several slow pages at Ada, and their number.
async fn slow(change: impl FnOnce(&mut Settings)) -> (Arc<World>, usize) {
    let world = World::with(USERS, change).await;
    let pages = world.records(Ada).await.len().div_ceil(100);
    assert_eq!(pages, 4);
    delay(&world).await;
    (Arc::new(world), pages)
}

async fn delay(world: &World) {
    let fault = json!({ "kind": "latency", "milliseconds": 400 });
    world.fault(Ada, fault).await;
}

/// Addresses of users at Ada, each of a single user.
async fn emails(world: &World, count: usize) -> Vec<String> {
    let records = world.records(Ada).await;
    let emails = records
        .iter()
        .rev()
        .filter_map(|user| user["email"].as_str());
    emails.take(count).map(str::to_owned).collect()
}

/// A search at Ada with a header: the number of results, its source, and the answer's
/// `Cache-Control`.
async fn search(
    world: &World,
    email: &str,
    header: Option<(&str, &str)>,
) -> (usize, Value, String) {
    let query = "query ($email: String!) { usersByEmail(email: $email, providers: [ADA]) {
        nodes { id } sources { status asOf calls stale notices { code message } error { code } } } }";
    let body = json!({ "query": query, "variables": { "email": email } });
    let url = format!("http://{}/graphql", world.gateway);
    let mut request = world.client.post(url).json(&body);
    if let Some((name, value)) = header {
        request = request.header(name, value);
    }
    let answer = request.send().await.expect("an answer");
    let kept = cache_control(answer.headers());
    let answer: Value = answer.json().await.expect("JSON");
    assert_eq!(answer.get("errors"), None, "{answer}");
    let found = &answer["data"]["usersByEmail"];
    let count = found["nodes"].as_array().expect("nodes").len();
    (count, found["sources"][0].clone(), kept)
}

fn cache_control(headers: &HeaderMap) -> String {
    let header = headers.get("cache-control").expect("a header");
    header.to_str().expect("text").to_owned()
}

type Searching = JoinHandle<(usize, Value, String)>;

fn searching(
    world: &Arc<World>,
    email: &str,
    header: Option<(&'static str, &'static str)>,
) -> Searching {
    let (world, email) = (Arc::clone(world), email.to_owned());
    tokio::spawn(async move { search(&world, &email, header).await })
}

/// Waits until Ada has received this many calls.
async fn until_called(world: &World, calls: usize) {
    let called = async {
        while world.calls(Ada).await.len() < calls {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), called)
        .await
        .expect("the calls did not come");
}

#[tokio::test]
async fn searches_for_different_addresses_share_the_scan_in_flight_even_without_a_cache() {
    let (world, pages) = slow(|_| {}).await;
    let emails = emails(&world, 31).await;
    let first = searching(&world, &emails[0], None);
    until_called(&world, 2).await;

    let others = join_all(emails[1..].iter().map(|email| search(&world, email, None))).await;

    let (count, started, _) = first.await.expect("not aborted");
    assert_eq!((count, &started["calls"]), (1, &json!(pages)));
    for (count, source, kept) in others {
        assert_eq!((count, &source["status"]), (1, &json!("COMPLETE")));
        assert_eq!(source["calls"], 0);
        assert_eq!(source["asOf"], started["asOf"]);
        assert_eq!(kept, "no-store");
    }
    assert_eq!(world.calls(Ada).await.len(), pages);
    search(&world, &emails[0], None).await;
    assert_eq!(world.calls(Ada).await.len(), 2 * pages, "nothing is kept");
}

#[tokio::test]
async fn a_cached_scan_answers_for_every_address() {
    let (world, pages) = slow(|settings| settings.cache.seconds = 60.0).await;
    let emails = emails(&world, 40).await;
    let answers = join_all(emails[..30].iter().map(|email| search(&world, email, None))).await;
    for (count, source, _) in &answers {
        assert_eq!(*count, 1, "{source}");
    }
    assert_eq!(world.calls(Ada).await.len(), pages);

    for email in &emails[30..] {
        let (count, source, kept) = search(&world, email, None).await;
        assert_eq!((count, &source["status"]), (1, &json!("COMPLETE")));
        assert_eq!(
            (&source["calls"], &source["stale"]),
            (&json!(0), &json!(false))
        );
        assert_eq!(source["asOf"], answers[0].1["asOf"]);
        assert!(kept.starts_with("private, max-age="), "{kept}");
    }
    let (count, source, _) = search(&world, "nobody@x.test", None).await;
    assert_eq!((count, &source["status"]), (0, &json!("COMPLETE")));
    assert_eq!(world.calls(Ada).await.len(), pages);
}

#[tokio::test]
async fn the_pages_of_a_cached_scan_are_not_cached_twice() {
    let world = World::with(USERS, |settings| settings.cache.seconds = 60.0).await;
    search(&world, super::ANN, None).await;
    world.forget_calls().await;

    world
        .data("{ users(provider: ADA, first: 100) { nodes { id } } }")
        .await;

    assert_eq!(
        world.calls(Ada).await.len(),
        1,
        "the list's first page is asked for"
    );
}

#[tokio::test]
async fn no_cache_starts_a_new_scan_whatever_is_cached_or_in_flight() {
    let (world, pages) = slow(|settings| settings.cache.seconds = 60.0).await;
    let first = searching(&world, super::ANN, None);
    until_called(&world, 2).await;

    let no_cache = Some(("cache-control", "no-cache"));
    let (_, source, _) = search(&world, super::ANN, no_cache).await;
    first.await.expect("not aborted");

    assert_eq!(source["calls"], pages);
    search(&world, super::ANN, no_cache).await;
    assert_eq!(world.calls(Ada).await.len(), 3 * pages);
    search(&world, super::ANN, None).await;
    assert_eq!(world.calls(Ada).await.len(), 3 * pages);
}

#[tokio::test]
async fn a_scan_in_flight_that_began_too_long_ago_is_not_joined() {
    let (world, pages) = slow(|_| {}).await;
    let first = searching(&world, super::ANN, None);
    // Three pages have taken more than a second.
    until_called(&world, 4).await;

    let (_, source, _) = search(&world, super::ANN, Some(("cache-control", "max-age=1"))).await;

    assert_eq!(source["calls"], pages);
    first.await.expect("not aborted");
}

#[tokio::test]
async fn a_scan_does_not_mix_a_cached_page_with_new_ones() {
    let world = World::with(USERS, |settings| {
        settings.cache.seconds = 60.0;
        (
            account(settings, Ada).attempts,
            account(settings, Ada).timeout_seconds,
        ) = (1, Some(2.1));
    })
    .await;
    let world = Arc::new(world);
    world
        .fault(
            Ada,
            json!({ "kind": "latency", "milliseconds": 0, "count": 1 }),
        )
        .await;
    world.fault(Ada, json!({ "kind": "hang" })).await;
    let (_, failed, _) = search(&world, "nobody@x.test", None).await;
    assert_eq!(failed["status"], "FAILED");
    world.heal().await;
    delay(&world).await;
    world.forget_calls().await;

    let resumed = searching(&world, super::ANN, None);
    until_called(&world, 1).await;
    let (_, newer, _) = search(&world, super::ANN, Some(("cache-control", "max-age=1"))).await;

    let (_, resumed, _) = resumed.await.expect("not aborted");
    assert_eq!(resumed["calls"], 4, "the first page is read again");
    assert_eq!(
        (&resumed["status"], &newer["status"]),
        (&json!("COMPLETE"), &json!("COMPLETE"))
    );
    let moment = |source: &Value| source["asOf"].as_str().map(str::parse::<jiff::Timestamp>);
    let moments = [&resumed, &newer].map(|source| moment(source).expect("asOf").expect("a moment"));
    assert!(moments[0] < moments[1], "{moments:?}");
    let first = world
        .calls(Ada)
        .await
        .iter()
        .filter(|call| !call.query.contains("cursor"))
        .count();
    assert_eq!(
        first, 2,
        "who joins pages and who wanted it newer read the first page"
    );
}

#[tokio::test]
async fn a_scan_from_before_a_write_is_neither_joined_nor_cached_after_it() {
    let (world, pages) = slow(|settings| settings.cache.seconds = 60.0).await;
    let early = searching(&world, super::ANN, None);
    until_called(&world, 2).await;

    rename(&world, Ada, "Renamed").await;
    let (user, source) = ann(&world, Ada).await;

    assert_eq!(user["name"], "Renamed");
    assert_eq!(source["status"], "COMPLETE");
    early.await.expect("an answer");
    world.forget_calls().await;
    let (user, source) = ann(&world, Ada).await;
    assert_eq!(
        (&user["name"], &source["calls"]),
        (&json!("Renamed"), &json!(0))
    );

    // The earlier one ends last.
    let early = searching(&world, super::ANN, Some(("cache-control", "no-cache")));
    until_called(&world, pages).await;
    rename(&world, Ada, "Again").await;
    early.await.expect("an answer");
    assert_eq!(ann(&world, Ada).await.0["name"], "Again");
}

#[tokio::test]
async fn a_failed_scan_fails_every_request_that_shares_it_and_the_next_request_scans_again() {
    for seconds in [0.0, 60.0] {
        let world = World::with(USERS, |settings| {
            settings.cache.seconds = seconds;
            let ada = account(settings, Ada);
            (ada.attempts, ada.timeout_seconds) = (1, Some(2.0));
        })
        .await;
        let world = Arc::new(world);
        world.fault(Ada, json!({ "kind": "hang" })).await;
        let emails = emails(&world, 10).await;
        let first = searching(&world, &emails[0], None);
        until_called(&world, 1).await;

        let others = join_all(emails[1..].iter().map(|email| search(&world, email, None))).await;

        let first = first.await.expect("not aborted");
        for (count, source, kept) in others.into_iter().chain([first]) {
            assert_eq!((count, &source["status"]), (0, &json!("FAILED")));
            assert_eq!(source["error"]["code"], "PROVIDER_TIMEOUT");
            assert_eq!(kept, "no-store");
        }
        assert_eq!(world.calls(Ada).await.len(), 1);
        world.heal().await;
        let (count, source, _) = search(&world, &emails[0], None).await;
        assert_eq!((count, &source["status"]), (1, &json!("COMPLETE")));
    }
}

#[tokio::test]
async fn a_scan_that_fails_midway_gives_its_results_to_every_request_that_shares_it() {
    let world = World::with(USERS, |settings| {
        let ada = account(settings, Ada);
        (ada.attempts, ada.timeout_seconds) = (1, Some(2.0));
    })
    .await;
    let world = Arc::new(world);
    let fault = json!({ "kind": "latency", "milliseconds": 400, "count": 1 });
    world.fault(Ada, fault).await;
    world.fault(Ada, json!({ "kind": "hang" })).await;
    let records = world.records(Ada).await;
    let early = records.iter().find_map(|user| user["email"].as_str());
    let late = emails(&world, 1).await.remove(0);
    let first = searching(&world, early.expect("an address"), None);
    until_called(&world, 1).await;

    let (count, source, _) = search(&world, &late, None).await;

    assert_eq!((count, &source["status"]), (0, &json!("FAILED")));
    let (count, source, _) = first.await.expect("not aborted");
    assert_eq!((count, &source["status"]), (1, &json!("PARTIAL")));
    assert_eq!(source["error"]["code"], "PROVIDER_TIMEOUT");
    assert_eq!(world.calls(Ada).await.len(), 2);
}

#[tokio::test]
async fn a_caller_with_less_time_takes_a_part_and_others_the_whole_scan() {
    for seconds in [0.0, 60.0] {
        let (world, pages) = slow(|settings| settings.cache.seconds = seconds).await;
        let late = emails(&world, 1).await.remove(0);
        let hasty = searching(&world, &late, Some(("prefer", "wait=1")));
        until_called(&world, 1).await;

        let (count, source, _) = search(&world, &late, None).await;

        assert_eq!((count, &source["status"]), (1, &json!("COMPLETE")));
        let (count, source, kept) = hasty.await.expect("not aborted");
        assert_eq!((count, &source["status"]), (0, &json!("PARTIAL")));
        let notice = notices(&source);
        assert!(notice.contains("was not read to its end"), "{notice}");
        assert_eq!(kept, "no-store");
        assert_eq!(world.calls(Ada).await.len(), pages);
    }
}

#[tokio::test]
async fn a_scan_continues_when_its_starter_leaves_and_ends_with_the_last_caller() {
    let (world, pages) = slow(|_| {}).await;
    let first = searching(&world, super::ANN, None);
    until_called(&world, 1).await;
    let second = searching(&world, super::ANN, None);
    until_called(&world, 2).await;

    first.abort();

    let (count, source, _) = second.await.expect("not aborted");
    assert_eq!((count, &source["status"]), (1, &json!("COMPLETE")));
    assert_eq!(world.calls(Ada).await.len(), pages);
    world.forget_calls().await;
    let third = searching(&world, super::ANN, None);
    until_called(&world, 1).await;
    third.abort();
    // A whole scan takes longer than the rest of that page.
    search(&world, super::ANN, None).await;
    let calls = world.calls(Ada).await.len();
    assert!(calls < 2 * pages, "{calls}: nobody waited for it");
}
