//! Pages that contradict themselves: what they withhold is said to be missing, and other pages are read.

use serde_json::{Value, json};

use crate::{
    stand_in::{Asked, StandIn, row},
    world::intercom,
};

const LIST: &str = "query ($p: Provider!, $n: Int = 500, $after: String, $filter: UserFilter) {
    users(provider: $p, first: $n, after: $after, filter: $filter) { nodes { remoteId }
    pageInfo { hasNextPage endCursor } sources { status notices { code message } error { message } } } }";

fn number(asked: &Asked, name: &str) -> Option<usize> {
    asked.query.get(name).and_then(|n| n.parse().ok())
}

/// The users of a place, in a provider's words.
fn rows(asked: &Asked, places: std::ops::Range<usize>) -> String {
    let of = |n| {
        row(
            &asked.path,
            &format!("a{n:03}"),
            &format!("p{n}@x.test"),
            "",
        )
    };
    places.map(of).collect::<Vec<_>>().join(",")
}

/// How many users a list has, whether each comes once, and its status.
async fn listed(
    providers: &StandIn,
    version: &str,
    variables: Value,
) -> (usize, bool, String, Value) {
    let world = providers
        .world(|settings| intercom(settings, version))
        .await;
    let (mut seen, mut after, mut status) = (Vec::new(), Value::Null, "COMPLETE".to_owned());
    loop {
        let mut variables = variables.clone();
        variables["after"] = after;
        let data = world.data_with(LIST, variables).await;
        let users = &data["users"];
        let nodes = users["nodes"].as_array().expect("users");
        seen.extend(nodes.iter().map(|node| node["remoteId"].to_string()));
        if users["sources"][0]["status"] != "COMPLETE" {
            status = users["sources"][0]["status"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
        }
        if users["pageInfo"]["hasNextPage"] == false {
            let is_sorted = seen.is_sorted_by(|one, other| one < other);
            return (seen.len(), is_sorted, status, users["sources"][0].clone());
        }
        after = users["pageInfo"]["endCursor"].clone();
    }
}

#[tokio::test]
async fn an_empty_page_of_offsets_that_names_a_next_one_is_read_past_and_withholds_users() {
    for (empty, users) in [(0, 250), (99, 250), (198, 250)] {
        let providers = StandIn::of(move |asked: &Asked| {
            let from = number(asked, "offset").unwrap_or(0);
            let size = number(asked, "limit").unwrap_or(1);
            let end = (from + size).min(350);
            let places = if from == empty {
                0..0
            } else {
                from.min(350)..end
            };
            let next = if from + size < 350 {
                "\"more\""
            } else {
                "null"
            };
            format!(r#"{{"results":[{}],"next":{next}}}"#, rows(asked, places))
        })
        .await;
        let (seen, is_sorted, status, source) =
            listed(&providers, "2.17", json!({ "p": "DIGITAL_CHALK" })).await;
        assert!(seen >= users && is_sorted, "{empty}: {seen} {source}");
        assert_eq!(status, "PARTIAL", "{empty}: {source}");
    }
    let providers = StandIn::of(|asked: &Asked| {
        let from = number(asked, "offset").unwrap_or(0);
        let rows = if from == 0 {
            String::new()
        } else {
            rows(asked, 100..120)
        };
        let next = if from == 0 { "\"more\"" } else { "null" };
        format!(r#"{{"results":[{rows}],"next":{next}}}"#)
    })
    .await;
    let world = providers.world(|_| {}).await;
    let query = "{ usersByEmail(email: \"p50@x.test\", providers: [DIGITAL_CHALK]) {
        nodes { remoteId } sources { status } } }";
    let data = world.data(query).await;
    assert_eq!(data["usersByEmail"]["sources"][0]["status"], "PARTIAL");
}

#[tokio::test]
async fn every_page_of_offsets_behind_the_first_may_be_empty_and_the_list_ends_in_a_doubt() {
    let providers = StandIn::of(|asked: &Asked| {
        let is_first = number(asked, "offset").unwrap_or(0) == 0;
        let rows = rows(asked, if is_first { 0..100 } else { 0..0 });
        format!(r#"{{"results":[{rows}],"next":"more"}}"#)
    })
    .await;
    let (seen, is_sorted, status, source) =
        listed(&providers, "2.17", json!({ "p": "DIGITAL_CHALK" })).await;
    assert_eq!(
        (seen, is_sorted, &*status),
        (100, true, "PARTIAL"),
        "{source}"
    );
    assert!(providers.take().len() <= 12);
}

#[tokio::test]
async fn an_end_before_the_last_of_the_pages_that_are_counted_is_in_doubt() {
    for version in ["1.1", "2.17"] {
        for (pages, status) in [(3, "PARTIAL"), (1, "COMPLETE")] {
            let providers = StandIn::of(move |asked: &Asked| {
                let key = if version == "1.1" { "users" } else { "data" };
                let rows = rows(asked, 0..2);
                format!(
                    r#"{{"type":"list","{key}":[{rows}],"pages":{{"page":1,"next":null,"total_pages":{pages}}}}}"#
                )
            })
            .await;
            let listed = listed(&providers, version, json!({ "p": "INTERCOM" })).await;
            assert_eq!(
                (listed.0, &*listed.2),
                (2, status),
                "{version} {pages}: {}",
                listed.3
            );
        }
    }
}

/// Intercom 1.x whose pages are never larger than 20 or 50, whatever is asked for.
fn capped(cap: usize, said: &'static str) -> impl Fn(&Asked) -> String {
    move |asked: &Asked| {
        let size = number(asked, "per_page").unwrap_or(50).min(cap);
        let page = number(asked, "page").unwrap_or(1);
        let from = ((page - 1) * size).min(130);
        let rows = rows(asked, from..(from + size).min(130));
        let next = if from + size < 130 {
            "\"more\""
        } else {
            "null"
        };
        let said = said
            .replace("NEXT", next)
            .replace("SIZE", &size.to_string());
        format!(r#"{{"type":"user.list","users":[{rows}]{said}}}"#)
    }
}

#[tokio::test]
async fn pages_smaller_than_requested_are_counted_in_their_size() {
    for cap in [20, 50, 59] {
        for said in [
            r#","total_count":130,"pages":{"next":NEXT,"per_page":SIZE}"#,
            r#","pages":{"next":NEXT,"per_page":SIZE}"#,
            "",
        ] {
            for first in [25, 60, 500] {
                let providers = StandIn::of(capped(cap, said)).await;
                let variables = json!({ "p": "INTERCOM", "n": first });
                let (seen, is_sorted, status, source) = listed(&providers, "1.1", variables).await;
                // A window that resumes where nothing says the size cannot know it.
                if said.is_empty() && first < 130 && status == "PARTIAL" {
                    continue;
                }
                let got = (seen, is_sorted, &*status);
                assert_eq!(
                    got,
                    (130, true, "COMPLETE"),
                    "{cap} {said} {first}: {source}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_full_page_that_does_not_say_whether_there_is_more_is_not_the_end() {
    for cap in [20, 50, 60] {
        for said in [
            r#","pages":{"per_page":SIZE}"#,
            r#","pages":{"per_page":60}"#,
            r#","pages":{"per_page":10}"#,
        ] {
            let providers = StandIn::of(capped(cap, said)).await;
            let variables = json!({ "p": "INTERCOM" });
            let (seen, is_sorted, status, source) = listed(&providers, "1.1", variables).await;
            let got = (seen, is_sorted, &*status);
            assert_eq!(got, (130, true, "COMPLETE"), "{cap} {said}: {source}");
        }
    }
}

#[tokio::test]
async fn a_size_that_is_smaller_than_the_page_itself_is_not_believed() {
    for said in [
        r#","total_count":130,"pages":{"per_page":10}"#,
        r#","total_count":130,"pages":{"next":NEXT,"per_page":10}"#,
        r#","pages":{"next":NEXT,"per_page":10}"#,
        r#","pages":{"per_page":10}"#,
    ] {
        let providers = StandIn::of(capped(60, said)).await;
        let variables = json!({ "p": "INTERCOM" });
        let (seen, is_sorted, status, source) = listed(&providers, "1.1", variables).await;
        let got = (seen, is_sorted, &*status);
        assert_eq!(got, (130, true, "COMPLETE"), "{said}: {source}");
        assert!(providers.take().len() <= 5, "{said}");
    }
}

/// DigitalChalk with 250 users, whose first page holds one user twice, so that its last is cut off.
fn doubled(place: usize) -> impl Fn(&Asked) -> String {
    move |asked: &Asked| {
        let from = number(asked, "offset").unwrap_or(0).min(250);
        let size = number(asked, "limit").unwrap_or(1);
        let users = match from {
            0 => {
                let twice = rows(asked, place..place + 1);
                let before = rows(asked, 0..place + 1);
                let after = rows(asked, place + 1..(size - 1).max(place + 1));
                let all = [before, twice, after];
                all.into_iter()
                    .filter(|rows| !rows.is_empty())
                    .collect::<Vec<_>>()
                    .join(",")
            }
            _ => rows(asked, from..(from + size).min(250)),
        };
        let next = if from + size < 250 {
            "\"more\""
        } else {
            "null"
        };
        format!(r#"{{"results":[{users}],"next":{next}}}"#)
    }
}

#[tokio::test]
async fn a_first_page_that_holds_a_user_twice_and_withholds_its_last_is_in_doubt() {
    for place in [1, 49, 97] {
        let providers = StandIn::of(doubled(place)).await;
        let variables = json!({ "p": "DIGITAL_CHALK" });
        let (seen, _, status, source) = listed(&providers, "2.17", variables).await;
        assert!(seen >= 249, "{place}: {seen} {source}");
        assert_eq!(status, "PARTIAL", "{place}: {source}");
    }
}

#[tokio::test]
async fn a_company_whose_contacts_change_between_numbered_pages_is_in_doubt() {
    for (leaves, total, status) in [
        (false, ",\"total_count\":", "COMPLETE"),
        (true, ",\"total_count\":", "PARTIAL"),
        (false, "", "PARTIAL"),
    ] {
        let providers = StandIn::of(move |asked: &Asked| {
            if asked.path.ends_with("/companies") {
                return r#"{"type":"company","id":"one","company_id":"c1"}"#.to_owned();
            }
            let page = number(asked, "page").unwrap_or(1);
            let gone = usize::from(leaves && page > 1);
            let from = (page - 1) * 60 + gone;
            let rows = rows(asked, from..(from + 60).min(120));
            let count = 120 - gone;
            let total = if total.is_empty() {
                String::new()
            } else {
                format!("{total}{count}")
            };
            let next = match page {
                1 => "\"https://api.intercom.io/companies/one/contacts?page=2\"",
                _ => "null",
            };
            format!(r#"{{"type":"list","data":[{rows}]{total},"pages":{{"next":{next}}}}}"#)
        })
        .await;
        for first in [60, 500] {
            let filter = json!({ "companyId": "c1" });
            let variables = json!({ "p": "INTERCOM", "n": first, "filter": filter });
            let (seen, _, got, source) = listed(&providers, "2.17", variables).await;
            assert_eq!(got, status, "{leaves} {total} {first}: {source}");
            assert_eq!(seen, 120 - usize::from(leaves));
        }
    }
}
