//! The people as Intercom stores them.

use serde_json::{Map, Value};

use super::store::{Contact, IntercomStore, scramble};
use crate::people::{Person, known};
use crate::providers::Provider;

/// The tags of [`known::AT_INTERCOM`], beside those that it has anywhere.
const MANY_TAGS: usize = 12;
/// The companies of [`known::AT_INTERCOM`].
const MANY_COMPANIES: usize = 130;

/// A workspace with Intercom's people.
pub(super) fn store(people: &[Person]) -> IntercomStore {
    let mut store = IntercomStore::default();
    for person in people
        .iter()
        .filter(|person| person.is_at(Provider::Intercom))
    {
        for company in &person.companies {
            store.found(&company.id, Some(&company.name), person.created_at);
        }
        let (serial, id) = store.next(person.created_at);
        let contact = contact(person, id);
        store.register_attributes(&contact.custom);
        store
            .table_mut(person.lead)
            .insert_without_history(serial, contact);
    }
    add_many_lists(&mut store);
    store
}

/// Gives one contact more tags and companies than fit into a page or into the contact itself. The
/// others keep the identifiers that they have without it.
fn add_many_lists(store: &mut IntercomStore) {
    let found = store.users.with_email(known::AT_INTERCOM, false);
    let Some((serial, mut contact)) = found.first().map(|(serial, one)| (*serial, (*one).clone()))
    else {
        return;
    };
    for number in 1..=MANY_TAGS {
        contact.tags.push(format!("tag-{number:02}"));
    }
    for number in 1..=MANY_COMPANIES {
        let company_id = format!("many-{number:03}");
        store.found(
            &company_id,
            Some(&format!("Subsidiary {number:03}")),
            contact.created_at,
        );
        contact.companies.push(company_id);
    }
    contact.segments = ["Early birds", "Enterprise", "Spring campaign"]
        .map(str::to_owned)
        .into();
    store.users.remove(serial);
    store.users.insert_without_history(serial, contact);
}

fn contact(person: &Person, id: String) -> Contact {
    let number = u64::try_from(person.index).unwrap_or_default();
    let user_id = if person.lead {
        Some(generated(number))
    } else {
        person.external_id.clone()
    };
    Contact {
        id,
        lead: person.lead,
        user_id,
        email: person.email_at(Provider::Intercom).map(str::to_owned),
        phone: person.phone.clone(),
        name: person.name(),
        pseudonym: person.lead.then(|| format!("Teal Heron {number}")),
        avatar: person.avatar.clone(),
        timezone: person.timezone.clone(),
        created_at: person.created_at,
        updated_at: person.updated_at,
        last_request_at: person.last_seen_at,
        signed_up_at: (!person.lead).then_some(person.created_at),
        last_seen_ip: person
            .last_seen_at
            .map(|_| format!("192.0.2.{}", number % 254 + 1)),
        user_agent: person
            .last_seen_at
            .map(|_| "Mozilla/5.0 (X11; Linux x86_64) Sandbox/1.0".to_owned()),
        owner: number.is_multiple_of(5).then_some(390_000 + number % 3),
        session_count: if person.last_seen_at.is_some() {
            number % 40 + 1
        } else {
            0
        },
        unsubscribed: number % 11 == 3,
        language: None,
        tags: person.tags.clone(),
        segments: person.segments.clone(),
        companies: person
            .companies
            .iter()
            .map(|company| company.id.clone())
            .collect(),
        campaign: Map::new(),
        custom: scalars(&person.attributes),
    }
}

/// Custom attributes are scalars.
fn scalars(attributes: &Map<String, Value>) -> Map<String, Value> {
    attributes
        .iter()
        .filter(|(_, value)| !value.is_array() && !value.is_object())
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// The identifier that Intercom gives to a lead.
pub(super) fn generated(number: u64) -> String {
    let (high, low) = (scramble(number), scramble(!number));
    format!(
        "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        low >> 52,
        low & 0xffff_ffff_ffff
    )
}
