//! `last` and `before`: exact where rows have numbers, refused without a call where they do not.

use roster::account::Provider;
use serde_json::json;

use super::page::{answer, ids, page};
use crate::world::{World, intercom};

#[tokio::test]
async fn intercoms_numbered_users_page_from_their_end_to_their_start() {
    let world = World::with(130, |settings| intercom(settings, "1.1")).await;
    let records = ids(&world, Provider::Intercom).await;
    world.forget_calls().await;

    let mut window = page(&world, Provider::Intercom, json!({ "last": 20 })).await;
    let mut to = records.len();
    // The count, and the page.
    assert_eq!(window.source().calls, 2);
    loop {
        let from = to.saturating_sub(20);
        window.assert_is(&records, from, to);
        assert_eq!(window.total_count, Some(records.len()));
        if !window.page_info.has_previous_page {
            break;
        }
        to = from;
        let slice = json!({ "last": 20, "before": window.page_info.start_cursor });
        window = page(&world, Provider::Intercom, slice).await;
        assert_eq!(window.source().calls, 1, "{to}");
    }
    let windows = records.len().div_ceil(20);
    assert_eq!(world.calls(Provider::Intercom).await.len(), windows + 1);
}

#[tokio::test]
async fn digital_chalk_pages_backwards_from_any_edge() {
    let world = World::with(130, |_| {}).await;
    let records = ids(&world, Provider::DigitalChalk).await;
    let end = page(&world, Provider::DigitalChalk, json!({ "first": 130 })).await;
    world.forget_calls().await;

    let (mut to, mut before) = (129, end.page_info.end_cursor);
    while to > 0 {
        let slice = json!({ "last": 20, "before": before });
        let window = page(&world, Provider::DigitalChalk, slice).await;
        let from = to.max(20) - 20;
        window.assert_is(&records, from, to);
        assert_eq!(window.source().calls, 1);
        (to, before) = (from, window.page_info.start_cursor);
    }
    assert_eq!(world.calls(Provider::DigitalChalk).await.len(), 7);
}

#[tokio::test]
async fn a_window_between_two_cursors_is_exact_from_either_end() {
    for provider in [Provider::DigitalChalk, Provider::Intercom] {
        let world = World::with(60, |settings| intercom(settings, "1.1")).await;
        let records = ids(&world, provider).await;
        let start = page(&world, provider, json!({ "first": 30 })).await;
        let (after, before) = (&start.edges[4].cursor, &start.edges[17].cursor);

        for (slice, from, to) in [
            (
                json!({ "first": 5, "after": after, "before": before }),
                5,
                10,
            ),
            (
                json!({ "last": 5, "after": after, "before": before }),
                12,
                17,
            ),
            (
                json!({ "first": 50, "after": after, "before": before }),
                5,
                17,
            ),
            (
                json!({ "last": 50, "after": after, "before": before }),
                5,
                17,
            ),
            (json!({ "first": 50, "before": before }), 0, 17),
            (json!({ "last": 50, "before": before }), 0, 17),
            (json!({ "before": before }), 0, 17),
        ] {
            world.forget_calls().await;
            let window = page(&world, provider, slice.clone()).await;
            assert_eq!(window.ids(), records[from..to], "{slice}");
            assert!(window.page_info.has_next_page, "{slice}");
            assert_eq!(window.page_info.has_previous_page, from > 0, "{slice}");
            assert_eq!(world.calls(provider).await.len(), 1, "{slice}");
        }
        let nobody = json!({ "first": 5, "after": before, "before": after });
        let window = page(&world, provider, nobody).await;
        assert_eq!(window.ids(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn last_without_a_count_is_refused_with_the_way_out() {
    let world = World::with(10, |_| {}).await;

    let answer = answer(&world, Provider::DigitalChalk, json!({ "last": 5 })).await;

    assert_eq!(answer["data"], json!({ "users": null }));
    assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
    let message = "this provider does not count its users: `last` needs `before`";
    assert_eq!(answer["errors"][0]["message"], message);
}

#[tokio::test]
async fn a_list_without_numbers_is_not_read_backwards() {
    for provider in [Provider::Ada, Provider::Intercom, Provider::Usertour] {
        let world = World::with(30, |_| {}).await;
        let start = page(&world, provider, json!({ "first": 20 })).await;
        let before = start.page_info.end_cursor;
        world.forget_calls().await;

        for slice in [
            json!({ "last": 5 }),
            json!({ "last": 5, "before": before }),
            json!({ "first": 5, "before": before }),
            json!({ "before": before }),
        ] {
            let answer = answer(&world, provider, slice.clone()).await;
            assert_eq!(answer["data"], json!({ "users": null }), "{slice}");
            let error = &answer["errors"][0];
            assert_eq!(error["extensions"]["code"], "BAD_USER_INPUT", "{slice}");
            let message = "this list cannot be read backwards: use `first` and `after`";
            assert_eq!(error["message"], message, "{slice}");
        }
        assert_eq!(world.tally().await, [0; 4]);
    }
}

#[tokio::test]
async fn an_empty_window_at_the_end_reports_whether_users_come_before_it() {
    let world = World::with(60, |settings| intercom(settings, "1.1")).await;
    for (provider, total) in [
        (Provider::Intercom, Some(60)),
        (Provider::DigitalChalk, None),
    ] {
        let start = page(&world, provider, json!({ "first": 30 })).await;
        let total = total.map(|_| start.total_count.expect("a count"));
        for (edge, has_previous) in [(0, false), (1, true), (17, true)] {
            let slice = json!({ "last": 0, "before": start.edges[edge].cursor });
            world.forget_calls().await;
            let window = page(&world, provider, slice.clone()).await;
            assert_eq!(window.ids(), Vec::<String>::new(), "{slice}");
            let info = &window.page_info;
            assert_eq!(info.has_previous_page, has_previous, "{edge} {provider:?}");
            assert!(info.has_next_page, "{edge} {provider:?}");
            assert_eq!(window.total_count, total, "{edge} {provider:?}");
            assert_eq!(world.calls(provider).await.len(), 1, "{edge}");
        }
    }
    let end = page(&world, Provider::Intercom, json!({ "last": 0 })).await;
    let start = page(&world, Provider::Intercom, json!({ "first": 0 })).await;
    assert_eq!(end.total_count, start.total_count);
    assert!(end.page_info.has_previous_page && !end.page_info.has_next_page);
}
