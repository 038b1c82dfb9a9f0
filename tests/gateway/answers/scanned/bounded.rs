//! Scans that reach a limit: of pages, of bytes, of age, of time.

use std::{sync::Arc, time::Duration};

use roster::account::Provider::Ada;
use serde_json::{Value, json};

use super::super::{ann, keeping, rename};
use super::{USERS, emails, search, searching, slow, until_called};
use crate::world::{World, account};

#[tokio::test]
async fn a_scan_that_reaches_its_limit_is_cached_as_incomplete() {
    let world = keeping(|settings| {
        let options = &mut account(settings, Ada).options;
        options.insert("scan_pages".to_owned(), 1.into());
        settings.cache.seconds = 60.0;
    });
    let world = world.await;
    let more = World::with(USERS, |settings| {
        let options = &mut account(settings, Ada).options;
        options.insert("scan_pages".to_owned(), 2.into());
        settings.cache.seconds = 60.0;
    });
    for (world, calls, status) in [(world, 1, "COMPLETE"), (more.await, 2, "PARTIAL")] {
        for email in ["nobody@x.test", "noone@x.test"] {
            let (count, source, _) = search(&world, email, None).await;
            assert_eq!((count, &source["status"]), (0, &json!(status)));
        }
        assert_eq!(world.calls(Ada).await.len(), calls);
    }
}

#[tokio::test]
async fn a_scan_larger_than_the_cache_is_not_cached() {
    // A page is smaller, and so is cached; four pages are not.
    let world = World::with(USERS, |settings| {
        settings.cache.seconds = 60.0;
        settings.cache.max_bytes = 100;
    })
    .await;
    for scans in 1..=2 {
        search(&world, super::super::ANN, None).await;
        assert_eq!(world.calls(Ada).await.len(), 4 * scans);
    }
}

#[tokio::test]
async fn a_stale_scan_is_returned_at_once_and_read_again_in_the_background() {
    let world = keeping(|settings| {
        settings.cache.seconds = 0.000_001;
        settings.cache.stale_seconds = 60.0;
    })
    .await;
    let (_, fresh) = ann(&world, Ada).await;
    rename(&super::super::elsewhere(&world).await, Ada, "Renamed").await;

    let (user, source) = ann(&world, Ada).await;

    assert_eq!(user["name"], "Ann Archer");
    assert_eq!(
        (&source["stale"], &source["asOf"]),
        (&json!(true), &fresh["asOf"])
    );
    let named = async {
        while ann(&world, Ada).await.0["name"] != "Renamed" {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), named)
        .await
        .expect("it was not read again");
}

#[tokio::test]
async fn the_call_log_lists_every_page_that_was_coalesced_or_cached() {
    let (world, pages) = slow(|settings| {
        settings.cache.seconds = 60.0;
        settings.server.show_calls = true;
    })
    .await;
    let query = "{ usersByEmail(email: \"ann@x.test\", providers: [ADA]) { nodes { id } } }";
    let first = {
        let world = Arc::clone(&world);
        tokio::spawn(async move { world.answer(query).await })
    };
    until_called(&world, 1).await;
    let shared = world.answer(query).await;
    let kept = world.answer(query).await;

    let first = first.await.expect("an answer");
    for (answer, origin, attempt) in [
        (first, "PROVIDER", 1),
        (shared, "COALESCED", 0),
        (kept, "CACHE_HIT", 0),
    ] {
        let calls = answer["extensions"]["roster"]["calls"].as_array();
        let calls = calls.expect("calls");
        assert_eq!(calls.len(), pages, "{origin}");
        for (place, call) in calls.iter().enumerate() {
            let page = if place == 0 { "start" } else { "after a key" };
            let told = (
                &call["origin"],
                &call["attempt"],
                &call["page"],
                &call["status"],
            );
            assert_eq!(
                told,
                (&json!(origin), &json!(attempt), &json!(page), &json!(200))
            );
        }
    }
}

/// A world with ten pages at Ada of half a second each, and a limit on the time of a scan.
async fn very_slow(scan_seconds: u64) -> Arc<World> {
    let world = World::with(940, |settings| {
        let options = &mut account(settings, Ada).options;
        options.insert("scan_seconds".to_owned(), scan_seconds.cast_signed().into());
    })
    .await;
    assert_eq!(world.records(Ada).await.len().div_ceil(100), 10);
    let fault = json!({ "kind": "latency", "milliseconds": 500 });
    world.fault(Ada, fault).await;
    Arc::new(world)
}

#[tokio::test]
async fn a_caller_that_joins_a_scan_late_has_as_much_time_as_its_starter() {
    let world = very_slow(4).await;
    let late = emails(&world, 1).await.remove(0);
    let first = searching(&world, &late, None);
    until_called(&world, 6).await;

    let (count, source, _) = search(&world, &late, None).await;

    assert_eq!(
        (count, &source["status"]),
        (1, &json!("COMPLETE")),
        "{source}"
    );
    let (count, source, kept) = first.await.expect("not aborted");
    assert_eq!((count, &source["status"]), (0, &json!("PARTIAL")));
    assert_eq!(
        (&source["error"], kept.as_str()),
        (&Value::Null, "no-store")
    );
    // The page that was in flight at the first caller's deadline is requested again.
    let calls = world.calls(Ada).await.len();
    assert!((10..=11).contains(&calls), "{calls}");
}

#[tokio::test]
async fn a_scan_that_others_extend_is_not_joined_forever() {
    let world = very_slow(2).await;
    let first = searching(&world, super::super::ANN, None);
    until_called(&world, 3).await;
    let second = searching(&world, super::super::ANN, None);
    // More than two seconds after it began.
    until_called(&world, 6).await;

    let (_, source, _) = search(&world, super::super::ANN, None).await;

    assert_ne!(source["calls"], 0, "it is a new one");
    let (_, source, _) = second.await.expect("not aborted");
    assert_eq!(source["calls"], 0);
    first.await.expect("not aborted");
}
