//! Filters and orders: exact where they are declared, held against the people that the provider was
//! seeded with; refused without a call where they are not.

mod cases;
mod combined;

use std::cmp::Reverse;

use roster_sandbox::Person;
use serde_json::{Value, json};

use self::cases::{Case, FILTERS, cases, moment};
pub(super) use self::combined::{
    a_range_with_other_filters_and_an_order_is_exact, a_range_within_days_is_exact,
    an_email_with_another_filter_is_exact,
};
use super::people_held::{USERS, emails, listed};
use crate::{
    subject::Subject,
    world::{Call, World, row_of},
};

const LIST: &str = "query ($of: Provider!, $filter: UserFilter, $first: Int, $after: String) {
    users(provider: $of, filter: $filter, first: $first, after: $after) {
        nodes { email } pageInfo { hasNextPage endCursor } totalCount sources { status notices { code message } } } }";

const SORTS: [&str; 4] = ["CREATED_AT", "UPDATED_AT", "LAST_SEEN_AT", "SIGNED_UP_AT"];

async fn declared(world: &World, subject: Subject) -> (Vec<String>, Vec<String>) {
    let data = world
        .data("{ accounts { provider capabilities { filters sorts } } }")
        .await;
    let capabilities = &row_of(&data["accounts"], subject.provider())["capabilities"];
    let words =
        |of: &str| serde_json::from_value(capabilities[of].clone()).expect("a list of words");
    (words("filters"), words("sorts"))
}

fn found(data: &Value) -> Vec<Value> {
    let nodes = data["users"]["nodes"].as_array().expect("users");
    nodes.iter().map(|user| user["email"].clone()).collect()
}

/// The clocks of a workspace, in seconds ahead of UTC, by whose days a version compares moments.
fn clocks(subject: Subject) -> &'static [Option<&'static str>] {
    match subject {
        Subject::IntercomContacts { version } if version != "2.17" => {
            // Half past five before UTC, and five hours behind it, which falls into the same days.
            &[None, Some("68400")]
        }
        _ => &[None],
    }
}

/// Sets the workspace's clock.
async fn set(world: &World, subject: Subject, clock: Option<&str>) {
    if let Some(ahead) = clock {
        let provider = subject.provider();
        world.behave(provider, "timezone_offset", ahead).await;
    }
}

/// Whether a provider narrows less than asked, so that it costs more rows than there are in the end.
fn is_loose(subject: Subject, field: &str) -> bool {
    let is_bound = field.ends_with("_SINCE") || field.ends_with("_BEFORE");
    is_bound && subject.expected().compares_days
}

/// Asserts that Intercom was asked for contacts in the one way that narrows so.
fn assert_asked_of_contacts(field: &str, calls: &[Call]) {
    let requests: Vec<_> = calls.iter().map(Call::request).collect();
    match field {
        "COMPANY_ID" => {
            assert_eq!(requests[0], "GET /companies");
            let is_of_company = |request: &String| {
                request.starts_with("GET /companies/") && request.ends_with("/contacts")
            };
            assert!(requests[1..].iter().all(is_of_company), "{requests:?}");
        }
        _ => {
            let is_search = |request: &String| request == "POST /contacts/search";
            assert!(requests.iter().all(is_search), "{requests:?}");
        }
    }
}

pub(super) async fn a_declared_filter_is_exact(subject: Subject) {
    for clock in clocks(subject) {
        let world = subject.world(USERS).await;
        set(&world, subject, *clock).await;
        for field in declared(&world, subject).await.0 {
            for case in cases(&world, subject, &field).await {
                assert!(!case.expected.is_empty(), "{field}");
                assert_exact(&world, subject, &field, &case).await;
            }
        }
    }
}

async fn assert_exact(world: &World, subject: Subject, field: &str, case: &Case) {
    let Case { filter, expected } = case;
    world.forget_calls().await;
    let variables = json!({ "of": subject.word(), "filter": filter, "first": 300 });

    let data = world.data_with(LIST, variables).await;

    assert_eq!(found(&data), *expected, "{filter}");
    assert_eq!(data["users"]["pageInfo"]["hasNextPage"], false, "{filter}");
    let status = match field {
        "EMAIL" => subject.expected().search_status(),
        _ => "COMPLETE",
    };
    assert_eq!(data["users"]["sources"][0]["status"], status, "{filter}");
    let calls = world.calls(subject.provider()).await;
    if matches!(subject, Subject::IntercomContacts { .. }) {
        assert_asked_of_contacts(field, &calls);
    }
    let lookups = match field {
        "COMPANY_ID" => subject.expected().calls.company_lookup,
        "SEGMENT_ID" => subject.expected().calls.segment_lookup,
        _ => 0,
    };
    let least = lookups + subject.pages(expected.len());
    if is_loose(subject, field) {
        let most = lookups + subject.pages(listed(subject).len());
        assert!((least..=most).contains(&calls.len()), "{filter}");
    } else {
        assert_eq!(calls.len(), least, "{filter}");
    }
}

pub(super) async fn a_filter_without_matches_finds_no_user(subject: Subject) {
    let world = subject.world(USERS).await;
    let declared = declared(&world, subject).await.0;
    for (field, filter) in [
        ("EMAIL", json!({ "email": "nobody@x.test" })),
        ("COMPANY_ID", json!({ "companyId": "c-nowhere" })),
        ("TAG_ID", json!({ "tagId": "1" })),
        ("EMAIL_DOMAIN", json!({ "emailDomain": "test" })),
        (
            "CREATED_BEFORE",
            json!({ "createdBefore": "1969-12-31T23:59:59Z" }),
        ),
        (
            "UPDATED_SINCE",
            json!({ "updatedSince": "9999-01-01T00:00:00Z" }),
        ),
    ] {
        if declared.iter().any(|known| known == field) {
            let variables = json!({ "of": subject.word(), "filter": filter, "first": 5 });
            let data = world.data_with(LIST, variables).await;
            assert_eq!(found(&data), Vec::<Value>::new(), "{filter}");
            assert_eq!(data["users"]["pageInfo"]["hasNextPage"], false, "{filter}");
        }
    }
}

pub(super) async fn a_narrowed_list_pages_like_the_whole(subject: Subject) {
    let world = subject.world(USERS).await;
    for field in declared(&world, subject).await.0 {
        for Case { filter, expected } in cases(&world, subject, &field).await {
            world.forget_calls().await;
            let (mut scanned, mut after, mut windows) = (Vec::new(), Value::Null, 0);
            loop {
                let variables = json!({
                    "of": subject.word(), "filter": filter, "first": 30, "after": after,
                });
                let data = world.data_with(LIST, variables).await;
                scanned.extend(found(&data));
                windows += 1;
                after = data["users"]["pageInfo"]["endCursor"].clone();
                if data["users"]["pageInfo"]["hasNextPage"] == false || windows > 20 {
                    break;
                }
            }
            assert_eq!(scanned, expected, "{filter}");
            assert_eq!(windows, expected.len().div_ceil(30), "{filter}");
            let cost = &subject.expected().calls;
            let is_of_company = filter.get("companyId").is_some();
            let is_of_segment = filter.get("segmentId").is_some();
            let [company, segment] = [is_of_company, is_of_segment].map(usize::from);
            let lookups = company * cost.company_lookup + segment * cost.segment_lookup;
            let calls = world.calls(subject.provider()).await.len();
            if is_loose(subject, &field) {
                let most = windows + subject.pages(listed(subject).len());
                assert!((windows..=most).contains(&calls), "{filter}: {calls}");
            } else {
                assert_eq!(calls, lookups + windows, "{filter}");
            }
        }
    }
}

/// The people of a list in an order, those who have the same in the provider's own.
fn sorted(subject: Subject, field: &str, direction: &str) -> Vec<Person> {
    let of = field.strip_suffix("_AT").unwrap_or_default();
    let key = |person: &Person| moment(person, of);
    let mut people = listed(subject);
    people.sort_by_key(|person| person.index);
    match (subject, direction) {
        (_, "ASCENDING") => people.sort_by_key(key),
        // By ids, whichever the direction.
        (Subject::IntercomContacts { .. }, _) => people.sort_by_key(|person| Reverse(key(person))),
        _ => {
            people.reverse();
            people.sort_by_key(|person| Reverse(key(person)));
        }
    }
    people
}

pub(super) async fn a_declared_sort_is_exact(subject: Subject) {
    let world = subject.world(USERS).await;
    let mut lookups = subject.sort_lookups();
    for field in declared(&world, subject).await.1 {
        for direction in ["ASCENDING", "DESCENDING"] {
            let people = sorted(subject, &field, direction);
            let sort = json!({ "sort": { "field": field, "direction": direction } });
            for first in [60, 300] {
                world.forget_calls().await;
                let variables = json!({ "of": subject.word(), "filter": sort, "first": first });

                let data = world.data_with(LIST, variables).await;

                let expected = emails(subject, people.iter().take(first));
                assert_eq!(found(&data), expected, "{field} {direction}");
                let calls = world.calls(subject.provider()).await;
                let pages = (subject.expected().list_calls)(0, expected.len());
                assert_eq!(calls.len(), lookups + pages);
                lookups = 0;
                if matches!(subject, Subject::IntercomContacts { .. }) {
                    assert_asked_of_contacts(&field, &calls);
                }
            }
        }
    }
}

pub(super) async fn an_undeclared_filter_or_sort_is_refused_without_a_call(subject: Subject) {
    let world = subject.world(5).await;
    let (filters, sorts) = declared(&world, subject).await;
    let filters = FILTERS
        .iter()
        .filter(|(word, _)| !filters.iter().any(|known| known == word));
    let filters = filters.map(|(_, field)| {
        let value = match *field {
            "email" => "ann@x.test",
            "emailDomain" => "x.test",
            "kind" => "USER",
            _ if field.ends_with("Since") || field.ends_with("Before") => "2024-01-01T00:00:00Z",
            _ => "1",
        };
        (*field, json!({ *field: value }))
    });
    let sorts = SORTS
        .iter()
        .filter(|word| !sorts.iter().any(|known| known == *word));
    let sorts = sorts.map(|word| (*word, json!({ "sort": { "field": word } })));
    for (named, filter) in filters.chain(sorts) {
        let variables = json!({ "of": subject.word(), "filter": filter, "first": 5 });
        let answer = world.answer_with(LIST, variables).await;

        let error = &answer["errors"][0];
        assert_eq!(answer["data"], json!({ "users": null }), "{named}");
        assert_eq!(error["extensions"]["code"], "BAD_USER_INPUT", "{named}");
        assert_eq!(error["extensions"]["provider"], subject.word(), "{named}");
        let message = error["message"].as_str().unwrap_or_default();
        assert!(message.contains(named), "{named}: {message}");
    }
    assert_eq!(world.called().await, []);
}
