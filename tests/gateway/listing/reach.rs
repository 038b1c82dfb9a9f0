//! Intercom 1.x pages through ten thousand users and no further: the answer says so.

use roster::account::Provider;
use serde_json::json;

use super::page::{answer, page};
use crate::world::{World, intercom};

const REACH: usize = 10_000;

#[tokio::test]
async fn users_beyond_the_providers_reach_are_reported_and_never_requested() {
    let world = World::with(REACH + 50, |settings| intercom(settings, "1.1")).await;
    let records = super::page::ids(&world, Provider::Intercom).await;
    let total = records.len();
    assert!((REACH + 40..REACH + 50).contains(&total));
    let assert_cut = |page: &super::page::Page, from: usize, calls: usize| {
        assert_eq!(page.ids(), records[from..REACH]);
        assert_eq!(page.total_count.unwrap_or(total), total);
        assert!(!page.page_info.has_next_page);
        let source = page.source();
        assert_eq!((source.status.as_str(), source.calls), ("PARTIAL", calls));
        let [notice] = &*source.notices else {
            panic!("one notice: {source:?}");
        };
        assert_eq!(notice.code, "LIMIT_REACHED");
        assert!(
            notice.message.contains("refuses to page past 10000 users"),
            "{notice:?}"
        );
    };

    // The end of the list cannot be had: the count, and what can be reached of it.
    let end = page(&world, Provider::Intercom, json!({ "last": 60 })).await;
    assert_cut(&end, total - 60, 2);

    let slice = json!({ "first": 20, "after": end.edges[3].cursor });
    let across = page(&world, Provider::Intercom, slice).await;
    assert_cut(&across, total - 56, 1);

    let slice = json!({ "last": 30, "before": end.edges[0].cursor });
    let before = page(&world, Provider::Intercom, slice).await;
    assert_eq!(before.ids(), records[total - 90..total - 60]);
    assert_eq!(
        (before.source().status.as_str(), before.source().calls),
        ("COMPLETE", 1)
    );

    // A window that ends where the reach does.
    let slice = json!({ "first": REACH - (total - 60) - 1, "after": end.edges[0].cursor });
    let exact = page(&world, Provider::Intercom, slice).await;
    assert_cut(&exact, total - 59, 1);

    let slice = json!({ "first": 20, "after": end.page_info.end_cursor });
    let beyond = page(&world, Provider::Intercom, slice).await;
    assert_cut(&beyond, REACH, 0);

    let calls = world.calls(Provider::Intercom).await;
    assert!(
        calls.iter().all(|call| call.status == Some(200)),
        "{calls:?}"
    );
}

#[tokio::test]
async fn a_provider_that_refuses_sooner_than_it_says_is_an_error_and_no_end() {
    let world = World::with(150, |settings| intercom(settings, "1.1")).await;
    world.behave(Provider::Intercom, "ceiling", "100").await;

    let start = page(&world, Provider::Intercom, json!({ "first": 50 })).await;
    let slice = json!({ "first": 60, "after": start.page_info.end_cursor });
    let answer = answer(&world, Provider::Intercom, slice).await;

    assert_eq!(answer["data"], json!({ "users": null }));
    assert_eq!(
        answer["errors"][0]["extensions"]["code"],
        "PROVIDER_REJECTED"
    );
    assert_eq!(answer["errors"][0]["extensions"]["provider"], "INTERCOM");
}
