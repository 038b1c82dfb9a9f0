//! The users of the organisation in the order of their creation, and the
//! definitions of its user fields.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use super::user::{self, User};
use crate::emulation::Record;
use crate::people::Person;
use crate::providers::Provider;
use crate::rate::now;

/// The users and fields of the organisation.
pub(super) struct DigitalChalkStore {
    pub(super) fields: Vec<UserField>,
    data: Mutex<DigitalChalkData>,
}

/// The definition of a user field.
pub(super) struct UserField {
    pub(super) id: String,
    pub(super) name: String,
}

/// The data behind the lock.
pub(super) struct DigitalChalkData {
    /// In the order of creation.
    pub(super) users: Vec<User>,
    /// Users ever created.
    created: usize,
}

/// The provider's own user fields.
const PREDEFINED: [&str; 5] = [
    "Phone Number",
    "Street 1",
    "City",
    "State/Province",
    "Postal Code",
];

impl DigitalChalkStore {
    pub(super) fn seeded(people: &[Person]) -> Self {
        let held: Vec<&Person> = people
            .iter()
            .filter(|person| person.is_at(Provider::DigitalChalk))
            .collect();
        let fields = define(&held);
        let seeded = |person: &&Person| User {
            values: values(person, &fields),
            ..User::of(person)
        };
        Self {
            data: Mutex::new(DigitalChalkData {
                users: held.iter().map(seeded).collect(),
                created: held.last().map_or(0, |last| last.index + 1),
            }),
            fields,
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, DigitalChalkData> {
        self.data.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn records(&self) -> Vec<Record> {
        self.lock().users.iter().map(User::record).collect()
    }
}

impl DigitalChalkData {
    /// The position of the user with this id.
    pub(super) fn position(&self, id: &str) -> Option<usize> {
        self.users.iter().position(|user| user.id == id)
    }

    /// Creates the user and returns its id.
    pub(super) fn create(&mut self, user: User) -> String {
        self.created += 1;
        let id = user::id(self.created);
        self.users.push(User {
            id: id.clone(),
            created: now(),
            ..user
        });
        id
    }
}

/// A field for each predefined name and for each attribute of any user.
fn define(people: &[&Person]) -> Vec<UserField> {
    let mut names = PREDEFINED.to_vec();
    for (name, value) in people.iter().flat_map(|person| &person.attributes) {
        if is_storable(value) && !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    let numbered = names.into_iter().enumerate();
    numbered
        .map(|(number, name)| UserField {
            id: format!("ff80818190bb00010190bb00{number:08x}"),
            name: name.to_owned(),
        })
        .collect()
}

/// Whether a user field takes the value: text, number, boolean or list.
pub(super) fn is_storable(value: &Value) -> bool {
    !value.is_null() && !value.is_object()
}

fn values(person: &Person, fields: &[UserField]) -> serde_json::Map<String, Value> {
    let value = |field: &UserField| match field.name.as_str() {
        "Phone Number" => person.phone.clone().map(Value::from),
        name => person.attributes.get(name).cloned(),
    };
    fields
        .iter()
        .filter_map(|field| Some((field.id.clone(), value(field).filter(is_storable)?)))
        .collect()
}
