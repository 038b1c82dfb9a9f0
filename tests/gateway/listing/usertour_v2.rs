//! Usertour's version 2: users of one moment have an order, what is unknown is said to be, and a cursor
//! whose user is gone looks like the end of the list.

use std::collections::BTreeSet;

use roster::account::Provider;
use roster_sandbox::known;
use serde_json::{Value, json};

use super::page::{Page, answer, ids, page, scan};
use crate::{
    stand_in::{Asked, StandIn},
    subject::Subject,
    world::{World, usertour_v2},
};

const USERTOUR: Provider = Provider::Usertour;

async fn world(users: usize) -> World {
    World::with(users, usertour_v2).await
}

async fn delete(world: &World, id: &str) {
    let url = format!("http://{}/usertour/v1/users/{id}", world.sandbox);
    let key = format!("ak_{}", roster_sandbox::TOKEN);
    let answer = world.client.delete(url).bearer_auth(key).send().await;
    assert!(answer.expect("an answer").status().is_success(), "{id}");
}

fn assert_complete(page: &Page) {
    let source = page.source();
    assert_eq!((&*source.status, &*source.notices), ("COMPLETE", &[][..]));
}

#[tokio::test]
async fn users_of_one_moment_come_once_each_in_as_few_calls_as_there_are_pages() {
    let world = world(340).await;
    world.behave(USERTOUR, "ties", "shuffled").await;
    let everybody: BTreeSet<String> = ids(&world, USERTOUR).await.into_iter().collect();
    for first in [7, 60, 100, 500] {
        world.forget_calls().await;
        let pages = scan(&world, USERTOUR, first).await;

        pages.iter().for_each(assert_complete);
        let seen: Vec<String> = pages.iter().flat_map(Page::ids).collect();
        assert_eq!(seen.len(), everybody.len(), "first: {first}");
        let seen: BTreeSet<String> = seen.into_iter().collect();
        assert_eq!(seen, everybody, "first: {first}");
        let calls = everybody.len().div_ceil(first.min(100));
        assert_eq!(world.calls(USERTOUR).await.len(), calls, "first: {first}");
    }
}

#[tokio::test]
async fn an_empty_page_behind_a_cursor_is_not_the_end_until_an_earlier_page_says_so() {
    let world = world(120).await;
    let records = ids(&world, USERTOUR).await;
    let mut scanned = Vec::new();
    let mut after = None;
    for window in 0..4 {
        if window == 1 {
            world.behave(USERTOUR, "delete_cursor", "once").await;
        }
        let page = page(&world, USERTOUR, json!({ "first": 30, "after": after })).await;
        assert_complete(&page);
        scanned.extend(page.ids());
        after = page.page_info.end_cursor;
    }

    assert_eq!(scanned, records);
    assert_eq!(ids(&world, USERTOUR).await.len(), 119, "one was deleted");
}

#[tokio::test]
async fn a_cursor_that_becomes_invalid_within_a_window_loses_no_user() {
    let world = world(320).await;
    let records = ids(&world, USERTOUR).await;
    world.behave(USERTOUR, "delete_cursor", "once").await;

    let all = page(&world, USERTOUR, json!({ "first": 500 })).await;

    assert_eq!(all.ids(), records);
    assert!(!all.page_info.has_next_page);
}

#[tokio::test]
async fn a_tail_that_vanished_behind_a_cursor_is_the_end() {
    let world = world(110).await;
    let records = ids(&world, USERTOUR).await;
    let first = page(&world, USERTOUR, json!({ "first": 100 })).await;
    assert!(first.page_info.has_next_page);
    for id in &records[100..] {
        delete(&world, id).await;
    }
    world.forget_calls().await;

    let slice = json!({ "first": 20, "after": first.page_info.end_cursor });
    let rest = page(&world, USERTOUR, slice).await;

    assert_eq!(rest.ids(), Vec::<String>::new());
    assert!(!rest.page_info.has_next_page);
    assert_complete(&rest);
    assert_eq!(world.calls(USERTOUR).await.len(), 2);
}

#[tokio::test]
async fn a_scan_whose_cursors_all_become_invalid_ends_in_an_error_that_says_what_to_do() {
    let world = world(120).await;
    let first = page(&world, USERTOUR, json!({ "first": 30 })).await;
    let second = json!({ "first": 30, "after": first.page_info.end_cursor });
    let second = page(&world, USERTOUR, second).await;
    world.behave(USERTOUR, "delete_cursor", "always").await;

    let slice = json!({ "first": 30, "after": second.page_info.end_cursor });
    let answer = answer(&world, USERTOUR, slice).await;

    assert_eq!(answer["data"], json!({ "users": null }));
    assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
    let message = "the provider no longer knows the place that this cursor names: read the list from its start";
    assert_eq!(answer["errors"][0]["message"], message);
}

#[tokio::test]
async fn an_unknown_segment_or_company_is_an_empty_list_with_a_notice_in_one_call() {
    let world = world(90).await;
    for (filter, says) in [
        (
            json!({ "segmentId": "cmnobodys" }),
            "`segmentId`: Usertour has no segment with the id `cmnobodys`, so nobody is in the list",
        ),
        (
            json!({ "segmentId": known::SEGMENT_OF_OTHERS }),
            "`segmentId`: Usertour has no segment with the id `cmsegmentofothers00000000`, so nobody is in the list",
        ),
        (
            json!({ "companyId": "c-nowhere" }),
            "`companyId`: Usertour has no company with the id `c-nowhere`, so nobody is in the list",
        ),
    ] {
        world.forget_calls().await;
        let list = page(&world, USERTOUR, json!({ "first": 5, "filter": filter })).await;

        assert_eq!(list.ids(), Vec::<String>::new(), "{filter}");
        let source = list.source();
        let [notice] = &*source.notices else {
            panic!("one notice: {source:?}");
        };
        assert_eq!((&*source.status, &*notice.message), ("PARTIAL", says));
        assert_eq!(world.calls(USERTOUR).await.len(), 1, "{filter}");
    }
}

#[tokio::test]
async fn a_list_without_a_segment_is_whole_whatever_segment_the_server_has_first() {
    let world = world(90).await;
    let everybody = ids(&world, USERTOUR).await;
    for first in ["first_by_hand", "first_by_rule"] {
        world.behave(USERTOUR, "segments", first).await;
        let narrowed = world
            .at_provider(
                USERTOUR,
                &format!(
                    "{}?limit=100",
                    (Subject::UsertourV2.expected().users_path)()
                ),
            )
            .await;
        let narrowed = narrowed["results"].as_array().map(Vec::len);
        assert_ne!(narrowed, Some(everybody.len()), "the fault is there");

        let list = page(&world, USERTOUR, json!({ "first": 100 })).await;

        list.assert_is(&everybody, 0, everybody.len());
        assert_complete(&list);
        let query =
            "{ usersByEmail(email: \"joann@x.test\", providers: [USERTOUR]) { nodes { email } } }";
        let found = world.data(query).await;
        assert_eq!(found["usersByEmail"]["nodes"][0]["email"], "joann@x.test");
    }
}

#[tokio::test]
async fn a_server_that_refuses_an_empty_segment_gets_a_request_without() {
    let stand_in = StandIn::of(|asked: &Asked| {
        if asked.query.get("segmentId").is_some_and(String::is_empty) {
            let issue = json!({ "rule": "schema", "message": "too short", "path": "segmentId" });
            let error =
                json!({ "code": "E1017", "message": "segmentId: too short", "issues": [issue] });
            return (400, json!({ "error": error }));
        }
        let user = json!({ "id": "one", "attributes": {} });
        (
            200,
            json!({ "results": [user], "next": null, "previous": null }),
        )
    })
    .await;
    let world = stand_in.world(usertour_v2).await;
    for calls in [2, 1] {
        let list = page(&world, USERTOUR, json!({ "first": 5 })).await;
        assert_eq!(list.ids(), ["one"]);
        assert_complete(&list);
        assert_eq!(stand_in.take().len(), calls);
    }
}

#[tokio::test]
async fn a_segment_of_everybody_is_everybody() {
    let world = world(90).await;
    let filter = json!({ "segmentId": known::SEGMENT_OF_ALL });

    let list = page(&world, USERTOUR, json!({ "first": 100, "filter": filter })).await;

    assert_eq!(list.ids(), ids(&world, USERTOUR).await);
    assert_complete(&list);
}

/// An environment with a user for each moment, which the provider compares as it stores them: with
/// microseconds, though it shows milliseconds.
async fn made_at(moments: &'static [&'static str]) -> (StandIn, World) {
    let stand_in = StandIn::of(move |asked: &Asked| {
        let bound = |name: &str| {
            asked
                .query
                .get(name)
                .map(|text| text.parse().expect("a moment"))
        };
        let (after, before): (Option<jiff::Timestamp>, Option<_>) =
            (bound("createdAfter"), bound("createdBefore"));
        let rows = moments.iter().enumerate().filter_map(|(number, moment)| {
            let stored: Option<jiff::Timestamp> = moment.parse().ok();
            let is_in = stored.is_none_or(|stored| {
                after.is_none_or(|after| stored >= after)
                    && before.is_none_or(|before| stored <= before)
            });
            let shown = stored.map(|stored| {
                let shown = jiff::Timestamp::from_millisecond(stored.as_millisecond());
                shown.expect("a moment").to_string()
            });
            let shown = shown.unwrap_or_else(|| (*moment).to_owned());
            is_in.then(|| json!({ "id": number.to_string(), "attributes": {}, "createdAt": shown }))
        });
        json!({ "results": rows.collect::<Vec<_>>(), "next": null, "previous": null })
    })
    .await;
    let world = stand_in.world(usertour_v2).await;
    (stand_in, world)
}

#[tokio::test]
async fn a_range_of_creation_has_its_start_and_not_its_end_to_the_millisecond() {
    let (_stand_in, world) = made_at(&[
        "2026-02-03T04:05:06.000Z",
        "2026-02-03T04:05:06.001Z",
        "2026-02-03T04:05:06.001500Z",
        "2026-02-03T04:05:06.002Z",
    ])
    .await;
    for (since, before, expected) in [
        (
            "2026-02-03T04:05:06.001Z",
            "2026-02-03T04:05:06.002Z",
            &["1", "2"][..],
        ),
        ("2026-02-03T04:05:06Z", "2026-02-03T04:05:06.001Z", &["0"]),
        (
            "2026-02-03T04:05:06.0005Z",
            "2026-02-03T04:05:06.0011Z",
            &["1", "2"],
        ),
        ("2026-02-03T04:05:06.002Z", "2026-02-03T04:05:07Z", &["3"]),
    ] {
        let filter = json!({ "createdSince": since, "createdBefore": before });
        let list = page(&world, USERTOUR, json!({ "first": 10, "filter": filter })).await;
        assert_eq!(list.ids(), expected, "{since} {before}");
        assert!(!list.page_info.has_next_page);
        assert_complete(&list);
    }
}

#[tokio::test]
async fn a_range_of_creation_with_a_user_of_an_unknown_moment_is_partial() {
    let (_stand_in, world) = made_at(&["2026-02-03T04:05:06Z", "yesterday"]).await;
    let filter = json!({ "createdBefore": "2026-02-04T00:00:00Z" });

    let list = page(&world, USERTOUR, json!({ "first": 10, "filter": filter })).await;

    assert_eq!(list.source().status, "PARTIAL");
    let [notice] = &*list.source().notices else {
        panic!("one notice: {:?}", list.source());
    };
    assert_eq!(notice.code, "ROWS_UNREADABLE");
}

#[tokio::test]
async fn a_range_of_creation_goes_with_a_segment_and_an_order() {
    let world = world(200).await;
    let list = json!({ "filter": { "segmentId": known::SEGMENT_BY_HAND }, "first": 100 });
    let members = page(&world, USERTOUR, list).await.ids();
    let query =
        "query ($id: ID!) { user(provider: USERTOUR, by: { remoteId: $id }) { createdAt } }";
    let since = world.data_with(query, json!({ "id": members[3] })).await;
    let before = world.data_with(query, json!({ "id": members[9] })).await;
    let filter = json!({
        "segmentId": known::SEGMENT_BY_HAND,
        "createdSince": since["user"]["createdAt"], "createdBefore": before["user"]["createdAt"],
        "sort": { "field": "CREATED_AT", "direction": "DESCENDING" },
    });

    let list = page(&world, USERTOUR, json!({ "first": 4, "filter": filter })).await;

    let expected: Vec<String> = members[3..9].iter().rev().cloned().collect();
    assert_eq!(list.ids(), expected[..4]);
    let rest = json!({ "first": 4, "filter": filter, "after": list.page_info.end_cursor });
    let rest = page(&world, USERTOUR, rest).await;
    assert_eq!(rest.ids(), expected[4..]);
    assert!(!rest.page_info.has_next_page);
}

#[tokio::test]
async fn a_project_or_an_environment_that_the_token_does_not_have_is_an_error_of_credentials() {
    for (option, id) in [
        ("project", "cmother"),
        ("environment", known::USERTOUR_ENVIRONMENT_OF_OTHERS),
    ] {
        let world = World::with(3, |settings| {
            usertour_v2(settings);
            let account = crate::world::account(settings, USERTOUR);
            account.options.insert(option.to_owned(), id.into());
        })
        .await;

        let answer = answer(&world, USERTOUR, json!({ "first": 5 })).await;

        let error = &answer["errors"][0];
        assert_eq!(error["extensions"]["code"], "PROVIDER_AUTH", "{option}");
        assert_eq!(world.calls(USERTOUR).await[0].status, Some(403), "{option}");
    }
}

#[tokio::test]
async fn a_wrong_address_is_no_missing_user() {
    let world = World::with(3, |settings| {
        usertour_v2(settings);
        let account = crate::world::account(settings, USERTOUR);
        let base = account.base_url.take().expect("an address");
        account.base_url = Some(format!("{base}/v2"));
    })
    .await;
    let find = "{ user(provider: USERTOUR, by: { remoteId: \"crm-ann\" }) { id } }";

    let answer = world.answer(find).await;

    assert_eq!(answer["data"]["user"], Value::Null);
    assert_eq!(
        answer["errors"][0]["extensions"]["code"],
        "PROVIDER_BAD_RESPONSE"
    );
}

#[tokio::test]
async fn the_headers_tell_how_many_calls_are_left_and_a_429_when_to_come_back() {
    let world = World::with(3, |settings| {
        usertour_v2(settings);
        crate::world::account(settings, USERTOUR).budget = None;
    })
    .await;
    world.behave(USERTOUR, "rate", "on").await;
    world.behave(USERTOUR, "rate_limit", "3").await;

    // A minute of the provider's may end in between: it grants three more then.
    let mut answered = 0;
    let code = loop {
        let answer = answer(&world, USERTOUR, json!({ "first": 1 })).await;
        match answer["errors"][0]["extensions"]["code"].as_str() {
            None if answered < 6 => answered += 1,
            code => break code.map(str::to_owned),
        }
    };

    assert_eq!(code.as_deref(), Some("PROVIDER_RATE_LIMITED"));
    assert!((3..=6).contains(&answered), "{answered}");
    let calls = world.calls(USERTOUR).await.len();
    assert_eq!(calls, answered, "nothing is asked in vain");
}
