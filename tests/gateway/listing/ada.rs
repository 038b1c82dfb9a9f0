//! Ada's cursor, in both readings of its documents, and every way in which its list may end.

use roster::account::Provider;
use serde_json::json;

use super::page::{answer, assert_whole, least, page, scan};
use crate::{subject::Subject, world::World};

const ENDS: [&str; 5] = ["", "absent", "meta_null", "meta_empty", "empty_string"];

/// The page after an exclusive cursor is all new.
fn exclusive(_: Subject, _: usize, rows: usize) -> usize {
    rows.div_ceil(100)
}

#[tokio::test]
async fn an_inclusive_cursor_repeats_no_user_whatever_marks_the_end() {
    for end in ENDS {
        let world = World::with(200, |_| {}).await;
        if !end.is_empty() {
            world.behave(Provider::Ada, "end", end).await;
        }
        for first in [20, 60, 100, 500] {
            assert_whole(&world, Subject::Ada, first, least).await;
        }
    }
}

#[tokio::test]
async fn an_exclusive_cursor_loses_no_user_whatever_marks_the_end() {
    for end in ENDS {
        let world = World::with(200, |_| {}).await;
        world.behave(Provider::Ada, "cursor", "exclusive").await;
        if !end.is_empty() {
            world.behave(Provider::Ada, "end", end).await;
        }
        for first in [20, 60, 100, 500] {
            assert_whole(&world, Subject::Ada, first, exclusive).await;
        }
    }
}

#[tokio::test]
async fn a_link_that_keeps_the_limit_or_leads_elsewhere_changes_nothing() {
    for next in ["keep_limit", "foreign_host"] {
        let world = World::with(130, |_| {}).await;
        world.behave(Provider::Ada, "next", next).await;
        for first in [20, 100] {
            assert_whole(&world, Subject::Ada, first, least).await;
        }
    }
}

#[tokio::test]
async fn a_list_that_says_for_ever_that_there_is_more_ends_in_an_error_and_not_in_a_loop() {
    let world = World::with(40, |_| {}).await;
    world.behave(Provider::Ada, "next", "self_loop").await;
    let whole = page(&world, Provider::Ada, json!({ "first": 40 })).await;
    assert_eq!(whole.edges.len(), 40);
    world.forget_calls().await;

    let slice = json!({ "first": 20, "after": whole.page_info.end_cursor });
    let answer = answer(&world, Provider::Ada, slice).await;

    assert_eq!(answer["data"], json!({ "users": null }));
    assert_eq!(
        answer["errors"][0]["extensions"]["code"],
        "PROVIDER_BAD_RESPONSE"
    );
    assert_eq!(
        answer["errors"][0]["message"],
        "the provider's list runs in a circle"
    );
    assert_eq!(world.calls(Provider::Ada).await.len(), 1);
}

#[tokio::test]
async fn a_user_that_a_cursor_names_may_vanish_with_an_error_that_says_so() {
    let world = World::with(40, |_| {}).await;
    let larger = World::with(60, |_| {}).await;
    let cursor = scan(&larger, Provider::Ada, 60).await.remove(0);

    // This world does not hold the user that the cursor of the larger one names.
    let slice = json!({ "first": 20, "after": cursor.page_info.end_cursor });
    let answer = answer(&world, Provider::Ada, slice).await;

    assert_eq!(answer["data"], json!({ "users": null }));
    assert_eq!(
        answer["errors"][0]["extensions"]["code"],
        "PROVIDER_REJECTED"
    );
    assert_eq!(answer["errors"][0]["extensions"]["provider"], "ADA");
}
