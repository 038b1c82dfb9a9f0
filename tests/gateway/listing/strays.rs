//! Pages that hold others than those who follow, pages of nobody before a place that is gone, and moments
//! that cannot be read.

use std::sync::atomic::{AtomicUsize, Ordering};

use roster::account::Provider;
use serde_json::{Value, json};

use crate::{
    stand_in::{Asked, StandIn, row},
    world::{World, word},
};

async fn list(world: &World, of: Provider, first: usize, after: &Value) -> Value {
    let query = "query ($of: Provider!, $first: Int, $after: String) {
        users(provider: $of, first: $first, after: $after) { nodes { remoteId }
            pageInfo { hasNextPage endCursor } sources { status notices { code message } } } }";
    let variables = json!({ "of": word(of), "first": first, "after": after });
    world.answer_with(query, variables).await
}

fn ids(answer: &Value) -> Vec<usize> {
    let nodes = answer["data"]["users"]["nodes"].as_array();
    let nodes = nodes.into_iter().flatten();
    let ids = nodes.map(|node| node["remoteId"].as_str().expect("an id"));
    ids.map(|id| id[1..].parse().expect("a number")).collect()
}

fn cursor(answer: &Value) -> &Value {
    &answer["data"]["users"]["pageInfo"]["endCursor"]
}

fn status(answer: &Value) -> &Value {
    &answer["data"]["users"]["sources"][0]["status"]
}

fn number(asked: &Asked, name: &str) -> usize {
    let number = asked.query.get(name).and_then(|number| number.parse().ok());
    number.unwrap_or_default()
}

fn rows(path: &str, numbers: impl IntoIterator<Item = usize>) -> String {
    let rows = numbers.into_iter();
    let rows = rows.map(|number| row(path, &format!("r{number}"), "p@x.test", ""));
    rows.collect::<Vec<_>>().join(",")
}

/// A page by offsets of users from `gone` to 199; the first one holds two more, from further down.
fn padded(asked: &Asked, gone: usize) -> String {
    let (from, size) = (number(asked, "offset"), number(asked, "limit"));
    let page = (gone..200).skip(from).take(size);
    let more: &[usize] = if from == 0 { &[180, 181] } else { &[] };
    let rows = rows(&asked.path, page.chain(more.iter().copied()));
    let next = if gone + from + size < 200 {
        r#""/users?offset=1""#
    } else {
        "null"
    };
    format!(r#"{{"results":[{rows}],"next":{next}}}"#)
}

#[tokio::test]
async fn a_page_does_not_repeat_users_that_came_too_early() {
    let calls = AtomicUsize::new(0);
    let provider = StandIn::of(move |asked| {
        let is_first = calls.fetch_add(1, Ordering::Relaxed) == 0;
        padded(asked, if is_first { 0 } else { 5 })
    });
    let world = provider.await.world(|_| {}).await;

    let answer = list(&world, Provider::DigitalChalk, 300, &Value::Null).await;

    let mut found = ids(&answer);
    found.sort_unstable();
    assert_eq!(found, (0..200).collect::<Vec<_>>());
    assert_eq!(status(&answer), "COMPLETE");
}

#[tokio::test]
async fn a_page_does_not_repeat_users_that_come_again_behind_its_end() {
    let calls = AtomicUsize::new(0);
    let provider = StandIn::of(move |asked: &Asked| {
        let gone = if calls.fetch_add(1, Ordering::Relaxed) == 0 {
            0
        } else {
            5
        };
        let (from, size) = (number(asked, "offset"), number(asked, "limit"));
        let page = (gone..200).skip(from).take(size);
        let again = (from > 0 && page.len() == size).then_some(50);
        let is_last = gone + from + size >= 200;
        let rows = rows(&asked.path, page.chain(again));
        let next = if is_last {
            "null"
        } else {
            r#""/users?offset=1""#
        };
        format!(r#"{{"results":[{rows}],"next":{next}}}"#)
    });
    let world = provider.await.world(|_| {}).await;

    let answer = list(&world, Provider::DigitalChalk, 150, &Value::Null).await;

    assert_eq!(ids(&answer), (0..150).collect::<Vec<_>>());
    assert_eq!(status(&answer), "COMPLETE");
}

#[tokio::test]
async fn a_cursor_of_a_user_that_came_too_early_skips_no_user() {
    let provider = StandIn::of(|asked| padded(asked, 0)).await;
    let world = provider.world(|_| {}).await;
    let start = list(&world, Provider::DigitalChalk, 100, &Value::Null).await;
    assert_eq!(ids(&start).last(), Some(&99));
    let start = list(&world, Provider::DigitalChalk, 102, &Value::Null).await;
    assert_eq!(ids(&start).len(), 102);

    let after = list(&world, Provider::DigitalChalk, 20, cursor(&start)).await;

    // One more was read from the second page: the first two of it may have been given.
    assert!(ids(&after)[0] <= 102, "{after}");
}

/// Users 3 to 9, where the place of 2 was named before and is gone.
fn without_a_place(asked: &Asked) -> String {
    let path = &asked.path;
    let (numbers, next) = match asked.query.get("cursor").map(String::as_str) {
        None => (0..3, "\"https://x.test/?cursor=r2\""),
        Some("r2") => (0..0, "\"https://x.test/?cursor=other\""),
        Some("other") => (0..0, "null"),
        Some(_) => (3..10, "null"),
    };
    let rows = rows(path, numbers);
    format!(r#"{{"data":[{rows}],"meta":{{"next_page_url":{next}}}}}"#)
}

#[tokio::test]
async fn a_deleted_position_behind_an_empty_page_is_not_the_end() {
    let provider = StandIn::of(without_a_place).await;
    let world = provider.world(|_| {}).await;
    let start = list(&world, Provider::Ada, 3, &Value::Null).await;
    assert_eq!(ids(&start), [0, 1, 2]);

    let rest = list(&world, Provider::Ada, 50, cursor(&start)).await;

    assert_eq!(ids(&rest), [3, 4, 5, 6, 7, 8, 9]);
}

#[tokio::test]
async fn empty_and_repeated_pages_end_a_list_though_they_alternate() {
    let calls = AtomicUsize::new(0);
    let provider = StandIn::of(move |asked: &Asked| {
        let call = calls.fetch_add(1, Ordering::Relaxed);
        let rows = rows(&asked.path, 0..if call.is_multiple_of(2) { 3 } else { 0 });
        format!(r#"{{"data":[{rows}],"meta":{{"next_page_url":"/?cursor=at{call}"}}}}"#)
    })
    .await;
    let world = provider.world(|_| {}).await;

    list(&world, Provider::Ada, 50, &Value::Null).await;

    let calls = provider.take().len();
    assert!(calls < 30, "{calls}");
}

/// A page of users at Usertour of these moments, `!` being none.
fn of_moments(asked: &Asked, moments: &[&str]) -> String {
    let size = number(asked, "limit");
    let rows = moments.iter().enumerate().take(size).map(|(number, moment)| {
        format!(r#"{{"id":"r{number}","attributes":{{}},"createdAt":"2026-01-01T00:00:0{moment}Z"}}"#)
    });
    let rows = rows.collect::<Vec<_>>().join(",");
    let next = match size < moments.len() {
        true => "\"/v1/users?cursor=more\"",
        false => "null",
    };
    format!(r#"{{"results":[{rows}],"next":{next}}}"#)
}

#[tokio::test]
async fn a_moment_that_cannot_be_read_hides_no_tie_and_costs_nothing_where_there_is_none() {
    for (moments, wanted) in [
        (["1", "!", "2", "2", "2"], "PARTIAL"),
        (["1", "!", "2", "3", "4"], "COMPLETE"),
    ] {
        let provider = StandIn::of(move |asked: &Asked| of_moments(asked, &moments)).await;
        let world = provider.world(|_| {}).await;

        let answer = list(&world, Provider::Usertour, 4, &Value::Null).await;

        assert_eq!(status(&answer), wanted, "{answer}");
        assert_eq!(ids(&answer), [0, 1, 2, 3]);
    }
}

#[tokio::test]
async fn a_cursor_behind_a_page_that_is_too_long_is_valid() {
    let provider = StandIn::of(|asked: &Asked| {
        let is_first = !asked.query.contains_key("cursor");
        let numbers = if is_first { 0..104 } else { 104..110 };
        let rows = numbers.map(|number| {
            let (minute, second) = (number / 60, number % 60);
            format!(r#"{{"id":"r{number}","createdAt":"2026-01-01T00:{minute:02}:{second:02}Z"}}"#)
        });
        let rows = rows.collect::<Vec<_>>().join(",");
        let next = if is_first {
            "\"/v1/users?cursor=more\""
        } else {
            "null"
        };
        format!(r#"{{"results":[{rows}],"next":{next}}}"#)
    })
    .await;
    let world = provider.world(|_| {}).await;
    let start = list(&world, Provider::Usertour, 104, &Value::Null).await;
    assert_eq!(ids(&start).len(), 104);

    let rest = list(&world, Provider::Usertour, 50, cursor(&start)).await;

    assert_eq!(ids(&rest), (104..110).collect::<Vec<_>>(), "{rest}");
}

/// Users 0 to 249 at Usertour, one a second, but for those at the places of a group, who are of one moment
/// and in another order at each call, and one whose moment cannot be read.
fn with_a_group(group: &'static [usize], odd: usize) -> impl Fn(&Asked) -> String {
    let calls = AtomicUsize::new(0);
    move |asked: &Asked| {
        let turn = calls.fetch_add(1, Ordering::Relaxed);
        let at = |place: usize| match group.iter().position(|at| *at == place) {
            Some(at) => (
                group[(at + turn * (group.len() - 1)) % group.len()],
                group[0],
            ),
            None => (place, place),
        };
        let after = asked.query.get("cursor");
        let after = after.map(|id| id[1..].parse().expect("a number"));
        let from = after.map_or(0, |id: usize| {
            (0..250)
                .position(|place| at(place).0 == id)
                .expect("a user")
                + 1
        });
        let places = from..(from + number(asked, "limit")).min(250);
        let row = |place| {
            let (id, moment) = at(place);
            let (minute, second) = (moment / 60, moment % 60);
            let created = match id == odd {
                true => "soon".to_owned(),
                false => format!("2026-01-01T00:{minute:02}:{second:02}Z"),
            };
            format!(r#"{{"id":"r{id}","createdAt":"{created}"}}"#)
        };
        let last = at(places.end - 1).0;
        let next = match places.end < 250 {
            true => format!("\"/v1/users?cursor=r{last}\""),
            false => "null".to_owned(),
        };
        let rows = places.map(row).collect::<Vec<_>>().join(",");
        format!(r#"{{"results":[{rows}],"next":{next}}}"#)
    }
}

#[tokio::test]
async fn an_unreadable_moment_between_two_pages_hides_no_user_of_one_moment() {
    let cases: [(&[usize], usize); 5] = [
        (&[98, 100], 99),
        (&[98, 100, 101], 99),
        (&[98, 99, 100, 101], 99),
        (&[98, 99, 100, 101], 100),
        (&[99, 100, 101, 102], 100),
    ];
    for (group, odd) in cases {
        let provider = StandIn::of(with_a_group(group, odd)).await;
        for turn in 0..4 {
            let world = provider.world(|_| {}).await;
            let answer = list(&world, Provider::Usertour, 250, &Value::Null).await;
            let seen = ids(&answer).len();
            let is_said = *status(&answer) == "PARTIAL";
            assert!(seen == 250 || is_said, "{group:?} {odd} {turn}: {seen}");
        }
    }
}
