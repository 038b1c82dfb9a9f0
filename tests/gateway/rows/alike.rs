//! Rows that cannot be read and are alike: each has its position, and none is taken for another.

use serde_json::{Value, json};

use crate::{
    stand_in::{Asked, StandIn, row},
    world::{World, intercom},
};

const LIST: &str = "query ($p: Provider!, $n: Int, $after: String, $last: Int, $before: String) {
    users(provider: $p, first: $n, after: $after, last: $last, before: $before) {
    nodes { remoteId } edges { cursor } totalCount pageInfo { hasNextPage endCursor }
    sources { status notices { code message } } } }";

/// A provider's list in its own words; in place of some users there is something else.
struct Rows {
    users: usize,
    odd: std::ops::Range<usize>,
    text: &'static str,
}

impl Rows {
    fn readable(&self) -> Vec<String> {
        let readable = (0..self.users).filter(|n| !self.odd.contains(n));
        readable.map(|n| format!("a{n:03}")).collect()
    }

    fn answer(&self, asked: &Asked) -> String {
        let number = |name: &str| asked.query.get(name).and_then(|n| n.parse::<usize>().ok());
        let path = asked.path.as_str();
        let size = number("per_page").or(number("limit")).unwrap_or(1);
        let from = match number("page") {
            Some(page) => (page - 1) * size,
            None => number("offset").or(number("starting_after")).unwrap_or(0),
        };
        let rows = (from..self.users.min(from + size)).map(|n| match self.odd.contains(&n) {
            true => self.text.to_owned(),
            false => row(path, &format!("a{n:03}"), &format!("p{n}@x.test"), ""),
        });
        let rows = rows.collect::<Vec<_>>().join(",");
        let (is_more, total) = (from + size < self.users, self.users);
        let next = if is_more { "\"more\"" } else { "null" };
        if path.starts_with("/digitalchalk") {
            return format!(r#"{{"results":[{rows}],"next":{next}}}"#);
        }
        if path.ends_with("/users") {
            return format!(
                r#"{{"type":"user.list","users":[{rows}],"total_count":{total},"pages":{{"next":{next}}}}}"#
            );
        }
        let after = from + size;
        let next = match is_more {
            true => format!(r#"{{"starting_after":"{after}"}}"#),
            false => "null".to_owned(),
        };
        format!(
            r#"{{"type":"list","data":[{rows}],"total_count":{total},"pages":{{"next":{next}}}}}"#
        )
    }

    async fn world(self, version: &str) -> World {
        let providers = StandIn::of(move |asked: &Asked| self.answer(asked)).await;
        providers
            .world(|settings| intercom(settings, version))
            .await
    }
}

fn ids(users: &Value) -> Vec<String> {
    let nodes = users["nodes"].as_array().expect("users");
    let ids = nodes.iter().map(|user| user["remoteId"].as_str());
    ids.map(|id| id.unwrap_or_default().to_owned()).collect()
}

const PROVIDERS: [(&str, &str); 3] = [
    ("DIGITAL_CHALK", "2.17"),
    ("INTERCOM", "1.1"),
    ("INTERCOM", "2.17"),
];

#[tokio::test]
async fn pages_of_nothing_but_rows_that_cannot_be_read_are_read_past() {
    for (p, version) in PROVIDERS {
        for text in ["null", r#"{"id":null}"#] {
            for odd in [15..35, 15..115, 0..130] {
                let rows = || Rows {
                    users: 200,
                    odd: odd.clone(),
                    text,
                };
                let world = rows().world(version).await;
                for first in [10, 100] {
                    let context = format!("{p} {version} {text} {odd:?} first {first}");
                    let (mut seen, mut after) = (Vec::new(), Value::Null);
                    loop {
                        let variables = json!({ "p": p, "n": first, "after": after });
                        let data = world.data_with(LIST, variables).await;
                        seen.extend(ids(&data["users"]));
                        if data["users"]["pageInfo"]["hasNextPage"] == false {
                            break;
                        }
                        after = data["users"]["pageInfo"]["endCursor"].clone();
                    }
                    assert_eq!(seen, rows().readable(), "{context}");
                }
            }
        }
    }
}

#[tokio::test]
async fn as_many_records_are_said_to_be_left_out_as_there_are_and_nothing_else_is() {
    for (p, version) in PROVIDERS {
        for (odd, said) in [(58..61, 3), (98..103, 5), (147..200, 53)] {
            for text in ["null", r#"{"id":null,"email":"p@x.test"}"#] {
                let context = format!("{p} {version} {text} {odd:?}");
                let rows = Rows {
                    users: 200,
                    odd: odd.clone(),
                    text,
                };
                let world = rows.world(version).await;
                let data = world.data_with(LIST, json!({ "p": p, "n": 300 })).await;
                let notices = &data["users"]["sources"][0]["notices"];
                let wanted = format!(
                    "{said} records that the provider sent cannot be read, and are left out"
                );
                let wanted = json!([{ "code": "ROWS_UNREADABLE", "message": wanted }]);
                assert_eq!(*notices, wanted, "{context}");
            }
        }
    }
}

#[tokio::test]
async fn the_row_that_before_names_is_never_in_the_answer() {
    for (p, version) in [("DIGITAL_CHALK", "2.17"), ("INTERCOM", "1.1")] {
        let rows = || Rows {
            users: 90,
            odd: 20..29,
            text: "null",
        };
        let world = rows().world(version).await;
        let all = rows().readable();
        let data = world.data_with(LIST, json!({ "p": p, "n": 100 })).await;
        for place in [0, 1, 19, 20, 21, 22, 40, 80] {
            let before = &data["users"]["edges"][place]["cursor"];
            let variables = json!({ "p": p, "last": 100, "before": before });
            let earlier = world.data_with(LIST, variables).await;
            assert_eq!(ids(&earlier["users"]), all[..place], "{p} before {place}");
        }
    }
}
