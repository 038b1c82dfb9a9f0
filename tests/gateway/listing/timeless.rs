//! Users at Usertour whose `createdAt` cannot be read, among users of one moment: the provider knows the
//! moment that its answer does not tell, and lists users of one moment in another order each time.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::stand_in::{Asked, StandIn};

const LIST: &str = "query ($first: Int, $after: String) {
    users(provider: USERTOUR, first: $first, after: $after) { edges { cursor node { remoteId } }
        pageInfo { hasNextPage } sources { status notices { code message } } } }";

/// A row: a name of one letter, and the second of its moment, `!` being none.
type Row = (char, char);

/// A row that is no user.
const BROKEN: Row = ('?', '!');

fn page_of(rows: &[Row], next: Option<&str>) -> String {
    let row = |row: &Row| match *row {
        BROKEN => "17".to_owned(),
        (id, second) => format!(r#"{{"id":"{id}","createdAt":"2026-01-01T00:00:0{second}Z"}}"#),
    };
    let rows = rows.iter().map(row).collect::<Vec<_>>().join(",");
    let next = next.map(|next| format!("/v1/users?cursor={next}"));
    format!(r#"{{"results":[{rows}],"next":{}}}"#, json!(next))
}

/// The ids of a window.
fn ids(users: &Value) -> Vec<&str> {
    let edges = users["edges"].as_array().expect("edges");
    let ids = edges.iter().map(|edge| edge["node"]["remoteId"].as_str());
    ids.map(|id| id.expect("an id")).collect()
}

fn is_complete(users: &Value) -> bool {
    users["sources"][0]["status"] == "COMPLETE"
}

/// Every order of some rows.
fn orders(rows: &[Row]) -> Vec<Vec<Row>> {
    let Some((first, others)) = rows.split_first() else {
        return vec![Vec::new()];
    };
    let insert = |order: Vec<Row>| {
        (0..=order.len()).map(move |place| {
            let mut order = order.clone();
            order.insert(place, *first);
            order
        })
    };
    orders(others).into_iter().flat_map(insert).collect()
}

#[tokio::test]
async fn a_complete_window_that_resumes_beside_a_user_without_a_moment_misses_no_user() {
    for group in [
        &[('t', '!'), ('b', '2')][..],
        &[('t', '!'), ('b', '2'), ('c', '2')],
    ] {
        let around = |group: &Vec<Row>| [&[('a', '1')], &group[..], &[('d', '3')]].concat();
        let lists: Vec<Vec<Row>> = orders(group).iter().map(around).collect();
        let (edges, pairs) = (lists[0].len(), lists.len() * lists.len());
        let calls = AtomicUsize::new(0);
        let provider = StandIn::of(move |_: &Asked| {
            // Two calls for each edge of each pair of orders.
            let call = calls.fetch_add(1, Ordering::Relaxed);
            let pair = call / 2 / edges;
            let order = [pair / lists.len(), pair % lists.len()][call % 2];
            page_of(&lists[order], None)
        })
        .await;
        let world = provider.world(|_| {}).await;
        let mut complete = 0;
        for turn in 0..pairs * edges {
            let start = world.data_with(LIST, json!({ "first": 50 })).await;
            let edge = &start["users"]["edges"][turn % edges];
            let onward = json!({ "first": 50, "after": edge["cursor"] });
            let rest = world.data_with(LIST, onward).await;

            let (start, rest) = (&start["users"], &rest["users"]);
            let mut seen = [&ids(start)[..=turn % edges], &ids(rest)].concat();
            seen.sort_unstable();
            seen.dedup();
            assert!(is_complete(start), "{start}");
            complete += usize::from(is_complete(rest));
            assert!(
                seen.len() == edges || !is_complete(rest),
                "{:?} {:?} after {}",
                ids(start),
                ids(rest),
                edge["node"]
            );
        }
        assert!(
            complete >= pairs,
            "behind users with moments it is COMPLETE"
        );
    }
}

/// A list of 103 users, one a second, but for three of one moment in an order of the call; one of them,
/// `odd`, does not tell his moment.
fn numbered(asked: &Asked, order: [usize; 3], odd: usize) -> String {
    let base = order.iter().min().copied().unwrap_or_default();
    let at = |place: usize| match place.checked_sub(base) {
        Some(within @ 0..3) => (order[within], base),
        _ => (place, place),
    };
    let after: Option<usize> = asked.query.get("cursor").and_then(|at| at.parse().ok());
    let from = after.and_then(|after| (0..103).position(|place| at(place).0 == after));
    let from = from.map_or(0, |from| from + 1);
    let size: usize = asked.query["limit"].parse().expect("a size");
    let end = (from + size).min(103);
    let row = |place| match at(place) {
        (id, _) if id == odd => format!(r#"{{"id":"{id}","createdAt":null}}"#),
        (id, second) => {
            let (minute, second) = (second / 60, second % 60);
            format!(r#"{{"id":"{id}","createdAt":"2026-01-01T00:{minute:02}:{second:02}Z"}}"#)
        }
    };
    let rows = (from..end).map(row).collect::<Vec<_>>().join(",");
    let next = (end < 103).then(|| format!("/v1/users?cursor={}", at(end - 1).0));
    format!(r#"{{"results":[{rows}],"next":{}}}"#, json!(next))
}

#[tokio::test]
async fn a_complete_page_that_ends_beside_a_user_without_a_moment_hides_no_user() {
    let orders = [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ];
    for base in 97..=99 {
        for (one, other) in orders
            .iter()
            .flat_map(|one| orders.map(|other| (*one, other)))
        {
            let (one, other) = (one.map(|user| user + base), other.map(|user| user + base));
            let end = one[99 - base];
            let behind = other.iter().skip_while(|user| **user != end).nth(1);
            if base == 99 && end != base && behind != Some(&base) {
                // Neither page shows two of one moment, nor him who does not tell his.
                continue;
            }
            let calls = AtomicUsize::new(0);
            let provider = StandIn::of(move |asked: &Asked| {
                let call = calls.fetch_add(1, Ordering::Relaxed);
                numbered(asked, if call == 0 { one } else { other }, base)
            })
            .await;
            let world = provider.world(|_| {}).await;

            let answer = world.data_with(LIST, json!({ "first": 103 })).await;

            let users = &answer["users"];
            let seen = ids(users).len();
            assert!(
                seen == 103 || !is_complete(users),
                "{one:?} {other:?}: {seen}"
            );
        }
    }
}

#[tokio::test]
async fn users_that_come_again_behind_an_unclear_page_are_no_loop() {
    let group = ['b', 'c', 'd', 'e', 'f', 'g'].map(|id| (id, '2'));
    let start = [&[('a', '1'), BROKEN], &group[..]].concat();
    let rest = [&group[..5], &[('h', '3'), ('i', '4')]].concat();
    let provider = StandIn::of(move |asked: &Asked| match asked.query.get("cursor") {
        None => page_of(&start, Some("g")),
        Some(_) => page_of(&rest, None),
    })
    .await;
    let world = provider.world(|_| {}).await;

    for first in [8, 9, 50] {
        let answer = world.data_with(LIST, json!({ "first": first })).await;
        let users = &answer["users"];
        let everybody = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
        let mut seen = ids(users);
        seen.sort_unstable();
        assert_eq!(seen, everybody[..first.min(9)], "first {first}");
        assert!(!is_complete(users), "{users}");
    }
}
