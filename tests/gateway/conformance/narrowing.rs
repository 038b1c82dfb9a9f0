//! Filters and orders: exact where they are declared, held against the people that the vendor was
//! seeded with; refused without a call where they are not.

use std::cmp::Reverse;

use roster::user::Provider;
use roster_sandbox::{Person, known};
use serde_json::{Value, json};

use super::people_held::{USERS, emails, everybody, listed, name};
use crate::world::{World, word};

const LIST: &str = "query ($of: Provider!, $filter: UserFilter, $first: Int, $after: String) {
    users(provider: $of, filter: $filter, first: $first, after: $after) {
        nodes { email } pageInfo { hasNextPage endCursor } totalCount sources { status notice } } }";

const FILTERS: [(&str, &str); 5] = [
    ("EMAIL", "email"),
    ("SEGMENT_ID", "segmentId"),
    ("COMPANY_ID", "companyId"),
    ("TAG_ID", "tagId"),
    ("CREATED_SINCE", "createdSince"),
];
const SORTS: [&str; 4] = ["CREATED_AT", "UPDATED_AT", "LAST_SEEN_AT", "SIGNED_UP_AT"];

async fn declared(world: &World, provider: Provider) -> (Vec<String>, Vec<String>) {
    let mut data = world
        .data("{ providers { capabilities { filters sorts } } }")
        .await;
    let mut capabilities = data["providers"][provider as usize]["capabilities"].take();
    let mut words =
        |of: &str| serde_json::from_value(capabilities[of].take()).expect("a list of words");
    (words("filters"), words("sorts"))
}

fn found(data: &Value) -> Vec<Value> {
    let nodes = data["users"]["nodes"].as_array().expect("users");
    nodes.iter().map(|user| user["email"].clone()).collect()
}

/// A filter by a declared field, and those whom it must find, in the vendor's order.
async fn case(world: &World, provider: Provider, field: &str) -> (Value, Vec<Value>) {
    let of = |wanted: &dyn Fn(&Person) -> bool, people: Vec<Person>| {
        emails(provider, people.iter().filter(|person| wanted(person)))
    };
    match field {
        "EMAIL" => {
            let is_same = |person: &Person| {
                let spelling = person.email_at(name(provider)).unwrap_or_default();
                // Usertour tells the other spelling apart, and says so.
                match provider {
                    Provider::Usertour => spelling == known::SHARED,
                    _ => spelling.to_lowercase() == known::SHARED,
                }
            };
            let found = of(&is_same, everybody(provider));
            (json!({ "email": known::SHARED }), found)
        }
        "COMPANY_ID" => {
            let is_in = |person: &Person| person.companies.iter().any(|at| at.id == "c-2");
            (json!({ "companyId": "c-2" }), of(&is_in, listed(provider)))
        }
        "TAG_ID" => {
            let id = label(world, "tags", "vip").await;
            let has = |person: &Person| person.tags.iter().any(|tag| tag == "vip");
            (json!({ "tagId": id }), of(&has, everybody(provider)))
        }
        "SEGMENT_ID" if provider == Provider::Intercom => {
            let id = label(world, "segments", "Active").await;
            let has = |person: &Person| person.segments.iter().any(|of| of == "Active");
            (json!({ "segmentId": id }), of(&has, everybody(provider)))
        }
        // Usertour filters nothing by a segment that it does not know, and its sandbox knows none.
        "SEGMENT_ID" => (
            json!({ "segmentId": "s-1" }),
            of(&|_| true, listed(provider)),
        ),
        "CREATED_SINCE" => {
            let people = listed(provider);
            let since = people[69].created_at;
            let moment = jiff::Timestamp::from_second(since).expect("a moment");
            let found = of(&|person| person.created_at >= since, people);
            assert_eq!(found.len(), 70);
            (json!({ "createdSince": moment.to_string() }), found)
        }
        other => panic!("no case for {other}"),
    }
}

/// Intercom's id of a tag or segment.
async fn label(world: &World, kind: &str, name: &str) -> Value {
    let mut labels = world
        .at_vendor(Provider::Intercom, &format!("/{kind}"))
        .await;
    world.forget_calls().await;
    let labels = labels[kind].take();
    let label = labels
        .as_array()
        .into_iter()
        .flatten()
        .find(|label| label["name"] == name);
    label.expect("a label of this name")["id"].clone()
}

pub(super) async fn a_declared_filter_is_exact(provider: Provider) {
    let world = World::with(USERS, |_| {}).await;
    for field in declared(&world, provider).await.0 {
        let (filter, expected) = case(&world, provider, &field).await;
        assert!(!expected.is_empty(), "{field}");

        let variables = json!({ "of": word(provider), "filter": filter, "first": 300 });
        let data = world.data_with(LIST, variables).await;

        assert_eq!(found(&data), expected, "{field}");
        assert_eq!(data["users"]["pageInfo"]["hasNextPage"], false, "{field}");
        let status = match (provider, field.as_str()) {
            (Provider::Usertour, "EMAIL" | "SEGMENT_ID") => "PARTIAL",
            _ => "COMPLETE",
        };
        assert_eq!(data["users"]["sources"][0]["status"], status, "{field}");
        let pages = |rows: usize| match provider {
            Provider::Intercom => rows.div_ceil(60),
            _ => rows.div_ceil(100),
        };
        let calls = world.calls(provider).await;
        if field == "CREATED_SINCE" {
            // The vendor counts in days back from now: of the day before the first it answers some.
            let whole = listed(provider).len();
            assert!((pages(expected.len())..=pages(whole)).contains(&calls.len()));
        } else {
            assert_eq!(calls.len(), pages(expected.len()), "{field}");
        }
        if (provider, field.as_str()) == (Provider::Usertour, "SEGMENT_ID") {
            assert!(
                calls
                    .iter()
                    .all(|call| call.query.contains("segmentId=s-1"))
            );
        }
        world.forget_calls().await;
    }
    for filter in [json!({ "companyId": "c-nowhere" }), json!({ "tagId": "1" })] {
        let variables = json!({ "of": word(provider), "filter": filter, "first": 5 });
        let answer = world.answer_with(LIST, variables).await;
        if answer.get("errors").is_none() {
            assert_eq!(found(&answer["data"]), Vec::<Value>::new(), "{filter}");
        }
    }
}

pub(super) async fn a_narrowed_list_pages_like_the_whole(provider: Provider) {
    let world = World::with(USERS, |_| {}).await;
    for field in declared(&world, provider).await.0 {
        let (filter, expected) = case(&world, provider, &field).await;
        let (mut walked, mut after, mut windows) = (Vec::new(), Value::Null, 0);
        loop {
            let variables = json!({
                "of": word(provider), "filter": filter, "first": 30, "after": after,
            });
            let data = world.data_with(LIST, variables).await;
            walked.extend(found(&data));
            windows += 1;
            after = data["users"]["pageInfo"]["endCursor"].clone();
            if data["users"]["pageInfo"]["hasNextPage"] == false || windows > 20 {
                break;
            }
        }
        assert_eq!(walked, expected, "{field}");
        assert_eq!(windows, expected.len().div_ceil(30), "{field}");
        if field != "CREATED_SINCE" {
            assert_eq!(world.calls(provider).await.len(), windows, "{field}");
        }
        world.forget_calls().await;
    }
}

pub(super) async fn a_declared_sort_is_exact(provider: Provider) {
    let world = World::with(USERS, |_| {}).await;
    for field in declared(&world, provider).await.1 {
        let key = |person: &Person| match field.as_str() {
            "UPDATED_AT" => Some(person.updated_at),
            "LAST_SEEN_AT" => person.last_seen_at,
            _ => Some(person.created_at),
        };
        for direction in ["ASCENDING", "DESCENDING"] {
            let mut people = listed(provider);
            people.sort_by_key(|person| person.index);
            people.sort_by_key(key);
            if direction == "DESCENDING" {
                people.reverse();
                people.sort_by_key(|person| Reverse(key(person)));
            }
            let sort = json!({ "sort": { "field": field, "direction": direction } });
            let variables = json!({ "of": word(provider), "filter": sort, "first": 60 });

            let data = world.data_with(LIST, variables).await;

            let expected = emails(provider, people.iter().take(60));
            assert_eq!(found(&data), expected, "{field} {direction}");
            assert_eq!(world.calls(provider).await.len(), 1);
            world.forget_calls().await;
        }
    }
}

pub(super) async fn an_undeclared_filter_or_sort_is_refused_without_a_call(provider: Provider) {
    let world = World::with(5, |_| {}).await;
    let (filters, sorts) = declared(&world, provider).await;
    let filters = FILTERS
        .iter()
        .filter(|(word, _)| !filters.iter().any(|known| known == word));
    let filters = filters.map(|(_, field)| {
        let value = match *field {
            "email" => "ann@x.test",
            "createdSince" => "2024-01-01T00:00:00Z",
            _ => "1",
        };
        (*field, json!({ *field: value }))
    });
    let sorts = SORTS
        .iter()
        .filter(|word| !sorts.iter().any(|known| known == *word));
    let sorts = sorts.map(|word| (*word, json!({ "sort": { "field": word } })));
    for (named, filter) in filters.chain(sorts) {
        let variables = json!({ "of": word(provider), "filter": filter, "first": 5 });
        let answer = world.answer_with(LIST, variables).await;

        let error = &answer["errors"][0];
        assert_eq!(answer["data"], json!({ "users": null }), "{named}");
        assert_eq!(error["extensions"]["code"], "BAD_USER_INPUT", "{named}");
        assert_eq!(error["extensions"]["provider"], word(provider), "{named}");
        let message = error["message"].as_str().unwrap_or_default();
        assert!(message.contains(named), "{named}: {message}");
    }
    assert_eq!(world.tally().await, [0; 4]);
}
