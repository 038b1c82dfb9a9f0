//! The seeded people as a provider's list must show them: tests of filters and sorts compare with them.

use roster_sandbox::{Options, Person, Provider, people};
use serde_json::{Value, json};

use crate::subject::Subject;

/// With so many users every hard case is there.
pub(crate) const USERS: usize = roster_sandbox::known::ENOUGH;

pub(super) fn name(subject: Subject) -> Provider {
    let name = subject.provider().name();
    name.parse().expect("the sandbox has every provider")
}

/// All people of a provider, with Intercom's leads, in the order of its lists.
pub(super) fn everybody(subject: Subject) -> Vec<Person> {
    let mut held = people(USERS, Options::default().seed);
    held.retain(|person| person.is_at(name(subject)));
    (subject.expected().sort)(&mut held);
    held
}

/// The people of a provider's plain list.
pub(super) fn listed(subject: Subject) -> Vec<Person> {
    let mut held = everybody(subject);
    let has_leads = subject.expected().leads > 0;
    held.retain(|person| has_leads || !person.lead);
    held
}

/// The addresses of people as a provider spells them; they identify people in an answer.
pub(super) fn emails<'a>(
    subject: Subject,
    people: impl IntoIterator<Item = &'a Person>,
) -> Vec<Value> {
    let email = |person: &Person| json!(person.email_at(name(subject)));
    people.into_iter().map(email).collect()
}
