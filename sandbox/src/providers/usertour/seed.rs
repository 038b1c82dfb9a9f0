//! The people as Usertour stores them.

use serde_json::{Map, Value, json};

use super::moment;
use super::segments::{Members, Segment};
use super::store::{DataType, Scope, UsertourStore};
use crate::people::{Person, known};
use crate::providers::Provider;

/// The attributes that every project has.
const PREDEFINED: [(Scope, &str, DataType); 7] = [
    (Scope::User, "name", DataType::String),
    (Scope::User, "email", DataType::String),
    (Scope::User, "first_seen_at", DataType::DateTime),
    (Scope::User, "last_seen_at", DataType::DateTime),
    (Scope::User, "signed_up_at", DataType::DateTime),
    (Scope::Company, "name", DataType::String),
    (Scope::Membership, "role", DataType::String),
];
const ROLES: [&str; 3] = ["owner", "member", "guest"];

/// A store with Usertour's people.
pub(super) fn store(people: &[Person]) -> UsertourStore {
    let mut store = UsertourStore::default();
    let founded = people.first().map_or(0, |first| millis(first.created_at));
    for (scope, name, data_type) in PREDEFINED {
        store.define(scope, name, data_type, founded);
    }
    for person in people
        .iter()
        .filter(|person| person.is_at(Provider::Usertour))
    {
        if let Some(id) = &person.external_id {
            admit(&mut store, id, person);
        }
    }
    store.segments = segments(&store);
    store
}

fn segments(store: &UsertourStore) -> Vec<Segment> {
    let serials = store.users.iter().map(|(serial, _)| serial);
    let by_hand = serials.filter(|serial| serial % 5 == 0).collect();
    let segments = [
        (known::SEGMENT_OF_ALL, Members::All),
        (known::SEGMENT_BY_HAND, Members::ByHand(by_hand)),
        (known::SEGMENT_BY_RULE, Members::ByRule("plan", "gold")),
        (known::SEGMENT_OF_OTHERS, Members::ByHand([].into())),
    ];
    let segments = segments.into_iter();
    segments
        .map(|(key, members)| Segment {
            key,
            members,
            is_own: key != known::SEGMENT_OF_OTHERS,
        })
        .collect()
}

fn admit(store: &mut UsertourStore, id: &str, person: &Person) {
    let at = millis(person.created_at);
    // People of the same second get different milliseconds.
    let newest = store
        .users
        .iter()
        .next_back()
        .map(|(_, row)| row.created_at);
    let at = newest.map_or(at, |newest| at.max(newest + 1));
    let attributes = attributes(person);
    // Imported values define the types, but none of them is dropped for its type.
    store.typed(Scope::User, attributes.clone(), at);
    let row = store.row(id, attributes, at);
    let user = store.users.add(row);
    for (index, company) in person.companies.iter().enumerate() {
        let serial = store.companies.find(&company.id).unwrap_or_else(|| {
            let name = Map::from_iter([("name".to_owned(), json!(company.name))]);
            let row = store.row(&company.id, name, at);
            store.companies.add(row)
        });
        let role = ROLES[(person.index + index) % ROLES.len()];
        let about = Map::from_iter([("role".to_owned(), json!(role))]);
        store.join(user, serial, about, at);
    }
}

fn attributes(person: &Person) -> Map<String, Value> {
    let seen = |at: i64| json!(moment::text(millis(at) + 6));
    let mut attributes = Map::new();
    let mut put = |name: &str, value: Value| attributes.insert(name.to_owned(), value);
    put("first_seen_at", seen(person.created_at));
    put(
        "last_seen_at",
        seen(person.last_seen_at.unwrap_or(person.created_at)),
    );
    if let Some(name) = person.name() {
        put("name", json!(name));
    }
    if let Some(email) = person.email_at(Provider::Usertour) {
        put("email", json!(email));
    }
    if let Some(locale) = &person.locale {
        put("locale", json!(locale));
    }
    for (name, value) in &person.attributes {
        if !value.is_null() {
            put(name, value.clone());
        }
    }
    attributes
}

/// Seconds with some milliseconds.
fn millis(seconds: i64) -> i64 {
    seconds * 1000 + seconds.rem_euclid(1000)
}
