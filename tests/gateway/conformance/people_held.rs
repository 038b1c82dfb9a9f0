//! The seeded people as a vendor's list must show them: the truth that filters and sorts are held
//! against.

use roster::user::Provider;
use roster_sandbox::{Name, Options, Person, people};
use serde_json::{Value, json};

/// With so many users every hard case is there.
pub(super) const USERS: usize = roster_sandbox::known::ENOUGH;

pub(super) fn name(provider: Provider) -> Name {
    match provider {
        Provider::Ada => Name::Ada,
        Provider::DigitalChalk => Name::DigitalChalk,
        Provider::Intercom => Name::Intercom,
        Provider::Usertour => Name::Usertour,
    }
}

/// Everybody whom a vendor holds, Intercom's leads among them, in the order of its lists.
pub(super) fn everybody(provider: Provider) -> Vec<Person> {
    let mut held = people(USERS, Options::default().seed);
    held.retain(|person| person.is_at(name(provider)));
    if provider == Provider::Intercom {
        held.reverse();
    }
    held
}

/// The people of a vendor's plain list.
pub(super) fn listed(provider: Provider) -> Vec<Person> {
    let mut held = everybody(provider);
    held.retain(|person| provider != Provider::Intercom || !person.lead);
    held
}

/// The addresses of people as a vendor spells them: what tells people apart in an answer.
pub(super) fn emails<'a>(
    provider: Provider,
    people: impl IntoIterator<Item = &'a Person>,
) -> Vec<Value> {
    let email = |person: &Person| json!(person.email_at(name(provider)));
    people.into_iter().map(email).collect()
}
