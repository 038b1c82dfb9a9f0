//! Filters by one field each, and the users that they must find.

use roster::account::Provider;
use roster_sandbox::{Person, known};
use serde_json::{Value, json};

use super::super::people_held::{emails, everybody, listed, name};
use crate::{subject::Subject, world::World};

/// Every field of a filter, by its word in the graph and its name in a filter.
pub(super) const FILTERS: [(&str, &str); 12] = [
    ("EMAIL", "email"),
    ("SEGMENT_ID", "segmentId"),
    ("COMPANY_ID", "companyId"),
    ("TAG_ID", "tagId"),
    ("EMAIL_DOMAIN", "emailDomain"),
    ("KIND", "kind"),
    ("CREATED_SINCE", "createdSince"),
    ("CREATED_BEFORE", "createdBefore"),
    ("UPDATED_SINCE", "updatedSince"),
    ("UPDATED_BEFORE", "updatedBefore"),
    ("LAST_SEEN_SINCE", "lastSeenSince"),
    ("LAST_SEEN_BEFORE", "lastSeenBefore"),
];

/// A filter, and the users that it must find, in the provider's order.
pub(super) struct Case {
    pub(super) filter: Value,
    pub(super) expected: Vec<Value>,
}

/// Filters by one field that the subject declares.
pub(super) async fn cases(world: &World, subject: Subject, field: &str) -> Vec<Case> {
    let of = |people: Vec<Person>, wanted: &dyn Fn(&Person) -> bool| {
        emails(subject, people.iter().filter(|person| wanted(person)))
    };
    let one = |filter, expected| vec![Case { filter, expected }];
    match field {
        "EMAIL" => {
            let is_same = |person: &Person| {
                let spelling = person.email_at(name(subject)).unwrap_or_default();
                match subject.expected().compares_case {
                    true => spelling == known::SHARED,
                    false => spelling.to_lowercase() == known::SHARED,
                }
            };
            let expected = of(everybody(subject), &is_same);
            one(json!({ "email": known::SHARED }), expected)
        }
        "COMPANY_ID" => {
            let is_in = |person: &Person| person.companies.iter().any(|at| at.id == "c-2");
            one(json!({ "companyId": "c-2" }), of(listed(subject), &is_in))
        }
        "TAG_ID" => {
            let id = label(world, "tags", "vip").await;
            let has = |person: &Person| person.tags.iter().any(|tag| tag == "vip");
            one(json!({ "tagId": id }), of(everybody(subject), &has))
        }
        "SEGMENT_ID" if subject.provider() == Provider::Intercom => {
            let id = label(world, "segments", "Active").await;
            let has = |person: &Person| person.segments.iter().any(|of| of == "Active");
            one(json!({ "segmentId": id }), of(everybody(subject), &has))
        }
        "SEGMENT_ID" => {
            let has = |person: &Person| person.attributes.get("plan") == Some(&json!("gold"));
            one(
                json!({ "segmentId": known::SEGMENT_BY_RULE }),
                of(listed(subject), &has),
            )
        }
        "EMAIL_DOMAIN" => {
            let has = |person: &Person| {
                let spelling = person.email_at(name(subject)).unwrap_or_default();
                spelling.to_lowercase().ends_with("@x.test")
            };
            one(
                json!({ "emailDomain": " X.test" }),
                of(listed(subject), &has),
            )
        }
        "KIND" => ["USER", "LEAD"]
            .map(|kind| Case {
                filter: json!({ "kind": kind }),
                expected: of(listed(subject), &|person| person.lead == (kind == "LEAD")),
            })
            .into(),
        _ => bounds(subject, field),
    }
}

/// A moment of a person that lists are bounded by and sorted by.
pub(super) fn moment(person: &Person, of: &str) -> Option<i64> {
    match of {
        "CREATED" | "SIGNED_UP" if person.lead && of == "SIGNED_UP" => None,
        "CREATED" | "SIGNED_UP" => Some(person.created_at),
        "UPDATED" => Some(person.updated_at),
        "LAST_SEEN" => person.last_seen_at,
        other => panic!("no moment {other}"),
    }
}

/// How a moment is written, of milliseconds since the epoch.
pub(super) fn written(milliseconds: i64) -> String {
    let moment = jiff::Timestamp::from_millisecond(milliseconds).expect("a moment");
    moment.to_string()
}

/// A bound at somebody's very second, and half a second off it on either side.
fn bounds(subject: Subject, field: &str) -> Vec<Case> {
    let (of, side) = field.rsplit_once('_').expect("a kind of moment and a side");
    let (_, argument) = FILTERS
        .into_iter()
        .find(|(word, _)| *word == field)
        .expect("a field");
    let people = listed(subject);
    let mut moments: Vec<_> = people
        .iter()
        .filter_map(|person| moment(person, of))
        .collect();
    moments.sort_unstable();
    let bound = moments[moments.len() / 3] * 1000;
    let case = |bound: i64| {
        let holds = |person: &&Person| {
            let moment = moment(person, of).map(|seconds| seconds * 1000);
            moment.is_some_and(|moment| match side {
                "SINCE" => moment >= bound,
                _ => moment < bound,
            })
        };
        Case {
            filter: json!({ argument: written(bound) }),
            expected: emails(subject, people.iter().filter(holds)),
        }
    };
    [bound, bound - 500, bound + 500].map(case).into()
}

/// Intercom's id of a tag or segment.
pub(super) async fn label(world: &World, kind: &str, name: &str) -> Value {
    let mut labels = world
        .at_provider(Provider::Intercom, &format!("/{kind}"))
        .await;
    world.forget_calls().await;
    // A `tag.list` holds `tags` in 1.x, and `data` in 2.x.
    let labels = match labels[kind].take() {
        Value::Null => labels["data"].take(),
        labels => labels,
    };
    let label = labels
        .as_array()
        .into_iter()
        .flatten()
        .find(|label| label["name"] == name);
    label.expect("a label of this name")["id"].clone()
}
