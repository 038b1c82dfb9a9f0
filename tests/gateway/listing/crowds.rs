//! Users who were made at the same moment, and are more than a page of Usertour's holds: a list of them is
//! read to its end, without an error and nobody twice, and every page that may lack one says so.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicU64, Ordering},
};

use serde_json::{Value, json};

use crate::stand_in::{Asked, Said, StandIn};

const LIST: &str = "query ($n: Int, $after: String, $filter: UserFilter) {
    users(provider: USERTOUR, first: $n, after: $after, filter: $filter) { nodes { remoteId }
    pageInfo { hasNextPage endCursor } sources { status notices { code message } } } }";

/// Usertour's list of groups of users, each of one moment, which come in another order with each request.
struct Groups {
    sizes: Vec<usize>,
    requests: AtomicU64,
}

fn mixed(mut number: u64) -> u64 {
    number = (number ^ (number >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    number = (number ^ (number >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    number ^ (number >> 33)
}

impl Groups {
    fn of(sizes: Vec<usize>) -> Self {
        let requests = AtomicU64::new(1);
        Self { sizes, requests }
    }

    /// The number of each user, and that of his group.
    fn users(&self) -> Vec<(usize, usize)> {
        let groups = self.sizes.iter().enumerate();
        let groups = groups.flat_map(|(group, size)| std::iter::repeat_n(group, *size));
        groups.enumerate().collect()
    }

    fn answer(&self, asked: &Asked) -> Said {
        let request = self.requests.fetch_add(1, Ordering::Relaxed) << 32;
        let mut users = self.users();
        users.sort_by_key(|(user, group)| (*group, mixed(request + *user as u64)));
        if asked
            .query
            .get("orderBy")
            .is_some_and(|by| by == "-createdAt")
        {
            users.reverse();
        }
        let size = asked.query["limit"].parse().unwrap_or(1);
        let cursor = asked.query.get("cursor").and_then(|at| at.parse().ok());
        let from = cursor.map_or(Some(0), |cursor: usize| {
            let place = users.iter().position(|(user, _)| *user == cursor);
            place
                .map(|place| place + 1)
                .filter(|from| *from < users.len())
        });
        let Some(from) = from else {
            return (
                400,
                json!({ "error": { "code": "E1007", "message": "Invalid cursor" } }),
            )
                .into();
        };
        let page = &users[from..users.len().min(from + size)];
        let next = (from + size < users.len()).then(|| page[size - 1].0);
        let rows = page.iter().map(|(user, group)| {
            let created = format!("2024-01-01T{:02}:{:02}:00.000Z", group / 60, group % 60);
            json!({ "id": format!("u{user:03}"), "createdAt": created, "attributes": {} })
        });
        json!({
            "results": rows.collect::<Vec<_>>(),
            "next": next.map(|next| format!("/v1/users?cursor={next}")),
        })
        .into()
    }
}

fn alone(users: usize) -> Vec<usize> {
    vec![1; users]
}

/// A window's users and its status.
type Window = (Vec<String>, String);

/// The windows of a scan, and how many calls it took.
async fn scan(sizes: &[usize], first: usize, direction: &str) -> (Vec<Window>, usize) {
    let groups = Groups::of(sizes.to_vec());
    let providers = StandIn::of(move |asked: &Asked| groups.answer(asked)).await;
    let world = providers.world(|_| {}).await;
    let (mut windows, mut after) = (Vec::new(), Value::Null);
    loop {
        let filter = json!({ "sort": { "field": "CREATED_AT", "direction": direction } });
        let variables = json!({ "n": first, "after": after, "filter": filter });
        let data = world.data_with(LIST, variables).await;
        let users = &data["users"];
        let nodes = users["nodes"].as_array().expect("users");
        let ids = nodes.iter().filter_map(|node| node["remoteId"].as_str());
        let status = users["sources"][0]["status"].as_str().unwrap_or_default();
        windows.push((ids.map(str::to_owned).collect(), status.to_owned()));
        if users["pageInfo"]["hasNextPage"] == false {
            return (windows, providers.take().len());
        }
        after = users["pageInfo"]["endCursor"].clone();
        assert!(windows.len() < 60, "it goes on and on");
    }
}

/// Whether anybody comes twice in the windows, and who is missing.
fn told(sizes: &[usize], windows: &[Window]) -> (bool, BTreeSet<usize>) {
    let all: Vec<&String> = windows.iter().flat_map(|(ids, _)| ids).collect();
    let seen: BTreeSet<&String> = all.iter().copied().collect();
    let users = Groups::of(sizes.to_vec()).users().into_iter();
    let missing = users.filter(|(user, _)| !seen.contains(&format!("u{user:03}")));
    let groups = missing.map(|(_, group)| group).collect();
    (seen.len() < all.len(), groups)
}

#[tokio::test]
async fn a_moment_of_more_users_than_a_page_holds_is_in_doubt_wherever_a_window_touches_it() {
    let sizes = [alone(100), vec![150], alone(90)].concat();
    for direction in ["ASCENDING", "DESCENDING"] {
        for first in [20, 100, 500] {
            let (windows, calls) = scan(&sizes, first, direction).await;
            let (is_doubled, missing) = told(&sizes, &windows);
            let context = format!("{direction} first {first}");
            assert!(!is_doubled, "{context}");
            assert!(
                missing.iter().all(|group| *group == 100),
                "{context}: {missing:?}"
            );
            assert!(calls <= 90, "{context}: {calls} calls");
            let is_of_crowd = |id: &String| ("u100".."u250").contains(&id.as_str());
            for (ids, status) in &windows {
                if ids.iter().any(is_of_crowd) {
                    assert_eq!(status, "PARTIAL", "{context}: {ids:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn large_moments_in_a_row_are_no_error_and_lose_no_user_under_complete() {
    for sizes in [
        vec![90, 90],
        vec![100, 100],
        vec![60, 60],
        vec![150],
        vec![95, 1, 100, 70],
        vec![40; 6],
    ] {
        let sizes = [alone(20), sizes, alone(50)].concat();
        for first in [20, 100, 500] {
            let (windows, _) = scan(&sizes, first, "ASCENDING").await;
            let (is_doubled, missing) = told(&sizes, &windows);
            let is_whole = windows.iter().all(|(_, status)| status == "COMPLETE");
            let context = format!("{:?} first {first}", &sizes[20..26]);
            assert!(!is_doubled, "{context}");
            assert!(missing.is_empty() || !is_whole, "{context}: {missing:?}");
            assert!(
                missing.iter().all(|group| sizes[*group] > 40),
                "{context}: {missing:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_moment_that_fits_into_a_page_is_read_whole() {
    for size in [2, 40, 60, 95, 99] {
        let sizes = [alone(75), vec![size], alone(60)].concat();
        for first in [20, 100, 500] {
            let (windows, _) = scan(&sizes, first, "ASCENDING").await;
            let is_whole = windows.iter().all(|(_, status)| status == "COMPLETE");
            let told = told(&sizes, &windows);
            assert_eq!(
                (told, is_whole),
                ((false, BTreeSet::new()), true),
                "{size} {first}"
            );
        }
    }
}

#[tokio::test]
async fn a_user_out_of_order_does_not_hide_users_of_one_moment() {
    let groups = Groups::of(vec![6; 50]);
    let providers = StandIn::of(move |asked: &Asked| {
        let said = groups.answer(asked);
        let mut body: Value = serde_json::from_slice(&said.body).unwrap_or_default();
        for row in body["results"].as_array_mut().into_iter().flatten() {
            if ["u050", "u150", "u250"].iter().any(|id| row["id"] == *id) {
                row["createdAt"] = json!("2023-01-01T00:00:00.000Z");
            }
        }
        Said {
            body: body.to_string().into_bytes(),
            ..said
        }
    })
    .await;
    let world = providers.world(|_| {}).await;
    for _ in 0..5 {
        let data = world.data_with(LIST, json!({ "n": 300 })).await;
        let nodes = data["users"]["nodes"].as_array().map(Vec::len);
        let status = &data["users"]["sources"][0]["status"];
        assert!(
            nodes == Some(300) || status == "PARTIAL",
            "{nodes:?} {status}"
        );
    }
}
