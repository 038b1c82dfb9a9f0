//! Filters together, and with an order: whoever is found fits all of them.

use roster_sandbox::{Person, known};
use serde_json::{Value, json};

use super::{
    super::people_held::{USERS, emails, name},
    LIST,
    cases::{label, moment, written},
    clocks, found, set, sorted,
};
use crate::{subject::Subject, world::World};

const DAY: i64 = 86_400;

/// The users that a list must have, and their order.
struct Wanted<'a> {
    /// Field and direction; the provider's own order is that of creation, the newest first.
    sort: Option<(&'a str, &'a str)>,
    fits: &'a dyn Fn(&Person) -> bool,
}

/// Asserts who is found by a filter, whole and in windows of seven.
async fn assert_finds(world: &World, subject: Subject, mut filter: Value, wanted: Wanted<'_>) {
    let (field, direction) = wanted.sort.unwrap_or(("CREATED_AT", "DESCENDING"));
    if wanted.sort.is_some() {
        filter["sort"] = json!({ "field": field, "direction": direction });
    }
    let people = sorted(subject, field, direction);
    let people = people.iter().filter(|person| (wanted.fits)(person));
    let expected = emails(subject, people);
    assert!(!expected.is_empty(), "{filter}");
    assert!(expected.len() < USERS, "{filter}");

    for first in [300, 7] {
        let (mut scanned, mut after) = (Vec::new(), Value::Null);
        loop {
            let variables = json!({
                "of": subject.word(), "filter": filter, "first": first, "after": after,
            });
            let data = world.data_with(LIST, variables).await;
            scanned.extend(found(&data));
            after = data["users"]["pageInfo"]["endCursor"].clone();
            assert!(scanned.len() <= expected.len(), "{filter}");
            if data["users"]["pageInfo"]["hasNextPage"] == false {
                break;
            }
        }
        assert_eq!(scanned, expected, "{filter} by {first}");
    }
    for call in world.calls(subject.provider()).await {
        assert_eq!(call.request(), "POST /contacts/search");
    }
}

/// Ranges of every length, from a second to weeks, whose ends fall somewhere into days: at a person's very
/// second, so that the start is in and the end is not.
pub(in crate::conformance) async fn a_range_within_days_is_exact(subject: Subject) {
    let world = subject.world(USERS).await;
    let names = [
        ("CREATED", "createdSince", "createdBefore"),
        ("UPDATED", "updatedSince", "updatedBefore"),
        ("LAST_SEEN", "lastSeenSince", "lastSeenBefore"),
    ];
    for clock in clocks(subject) {
        set(&world, subject, *clock).await;
        for (of, since_name, before_name) in names {
            let people = sorted(subject, "CREATED_AT", "DESCENDING");
            let mut moments: Vec<_> = people.iter().filter_map(|one| moment(one, of)).collect();
            moments.sort_unstable();
            let since = moments[moments.len() / 4];
            let next = moments.iter().find(|moment| **moment > since);
            for before in [
                since + 1,
                *next.expect("a later moment"),
                since + DAY / 2,
                since + DAY,
                since + 20 * DAY,
            ] {
                let filter = json!({
                    since_name: written(since * 1000), before_name: written(before * 1000),
                });
                let fits = |person: &Person| {
                    moment(person, of).is_some_and(|moment| (since..before).contains(&moment))
                };
                let wanted = Wanted {
                    sort: None,
                    fits: &fits,
                };
                assert_finds(&world, subject, filter, wanted).await;
            }
        }
    }
}

/// An address in lower case.
fn spelling(person: &Person, subject: Subject) -> String {
    let spelling = person.email_at(name(subject)).unwrap_or_default();
    spelling.to_lowercase()
}

fn has(labels: &[String], wanted: &str) -> bool {
    labels.iter().any(|label| label == wanted)
}

pub(in crate::conformance) async fn an_email_with_another_filter_is_exact(subject: Subject) {
    let world = subject.world(USERS).await;
    let tag = label(&world, "tags", "known").await;

    let filter = json!({ "email": known::LEAD, "kind": "LEAD" });
    let wanted = Wanted {
        sort: None,
        fits: &|person| spelling(person, subject) == known::LEAD && person.lead,
    };
    assert_finds(&world, subject, filter, wanted).await;

    let filter = json!({ "email": known::SHARED, "tagId": tag });
    let wanted = Wanted {
        sort: Some(("CREATED_AT", "ASCENDING")),
        fits: &|person| spelling(person, subject) == known::SHARED,
    };
    assert_finds(&world, subject, filter, wanted).await;
}

pub(in crate::conformance) async fn a_range_with_other_filters_and_an_order_is_exact(
    subject: Subject,
) {
    let world = subject.world(USERS).await;
    let vip = label(&world, "tags", "vip").await;
    let active = label(&world, "segments", "Active").await;
    let people = sorted(subject, "UPDATED_AT", "ASCENDING");
    let (from, to) = (people[60].updated_at, people[180].updated_at);
    let is_updated = |person: &Person| (from..to).contains(&person.updated_at);
    let with = |mut filter: Value| {
        filter["updatedSince"] = written(from * 1000).into();
        filter["updatedBefore"] = written(to * 1000).into();
        filter
    };
    for clock in clocks(subject) {
        set(&world, subject, *clock).await;
        let filter = with(json!({ "tagId": vip, "kind": "USER" }));
        let wanted = Wanted {
            sort: Some(("LAST_SEEN_AT", "DESCENDING")),
            fits: &|person| is_updated(person) && has(&person.tags, "vip") && !person.lead,
        };
        assert_finds(&world, subject, filter, wanted).await;

        let filter = with(json!({ "segmentId": active, "emailDomain": "mail.test" }));
        let wanted = Wanted {
            sort: Some(("UPDATED_AT", "ASCENDING")),
            fits: &|person| {
                let is_there = spelling(person, subject).ends_with("@mail.test");
                is_updated(person) && has(&person.segments, "Active") && is_there
            },
        };
        assert_finds(&world, subject, filter, wanted).await;

        let filter = with(json!({ "lastSeenBefore": written(to * 1000) }));
        let is_seen = |person: &Person| person.last_seen_at.is_some_and(|seen| seen < to);
        let wanted = Wanted {
            sort: Some(("SIGNED_UP_AT", "DESCENDING")),
            fits: &|person| is_updated(person) && is_seen(person),
        };
        assert_finds(&world, subject, filter, wanted).await;
    }
}
