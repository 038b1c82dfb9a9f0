//! Creating, updating, archiving and deleting contacts.
//!
//! Of users neither the external identifier nor the address may be given twice by a create; leads
//! may share an address, as visitors who leave the same one do.

use serde_json::{Map, Value, json};

use super::{Call, absent, present};
use crate::providers::intercom::refusal::Refusal;
use crate::providers::intercom::seed::generated;
use crate::providers::intercom::store::{Contact, Store};
use crate::providers::intercom::write::{Draft, identifier, invalid};
use crate::rate;

/// `POST /contacts`: creates, and never updates.
pub(super) fn create(call: &Call<'_>, store: &mut Store) -> Result<Value, Refusal> {
    let fields = call.fields()?;
    let names = ["email", "external_id", "role"];
    let is_given = |name: &&str| fields.get(*name).is_some_and(|value| !value.is_null());
    if !names.iter().any(is_given) {
        return Err(Refusal::missing("email, external_id or role is needed"));
    }
    let now = rate::now();
    let mut contact = Contact {
        created_at: now,
        updated_at: now,
        ..Contact::default()
    };
    apply(store, &fields, &mut contact)?;
    check_unique(call, store, &contact)?;
    let (place, id) = store.next(now);
    contact.id = id;
    if contact.lead && contact.user_id.is_none() {
        contact.user_id = Some(generated(place));
    }
    let answer = call.shape(store).contact(&contact);
    store.table_mut(contact.lead).put(place, contact);
    Ok(answer)
}

/// `PUT /contacts/{id}`: what is absent stays, null clears.
pub(super) fn update(call: &Call<'_>, store: &mut Store, id: &str) -> Result<Value, Refusal> {
    let before = present(call, store, id)?;
    let mut contact = before.clone();
    let fields = call.fields()?;
    apply(store, &fields, &mut contact)?;
    let is_same = before.lead == contact.lead
        && before.email == contact.email
        && before.user_id == contact.user_id;
    if !is_same {
        check_unique(call, store, &contact)?;
    }
    contact.updated_at = rate::now();
    let answer = call.shape(store).contact(&contact);
    if let Some((lead, place)) = store.find(id) {
        if lead != contact.lead {
            store.table_mut(lead).take(place);
        }
        store.table_mut(contact.lead).put(place, contact);
    }
    Ok(answer)
}

/// `DELETE /contacts/{id}`: for good.
pub(super) fn delete(call: &Call<'_>, store: &mut Store, id: &str) -> Result<Value, Refusal> {
    let held = store.find(id);
    let held = held.and_then(|(lead, place)| store.table_mut(lead).take(place));
    let contact = held.or_else(|| store.archived.remove(id));
    let contact = contact.ok_or_else(|| absent(call, store, id))?;
    Ok(told(&contact, "deleted", true))
}

/// `POST /contacts/{id}/archive`.
pub(super) fn archive(call: &Call<'_>, store: &mut Store, id: &str) -> Result<Value, Refusal> {
    if let Some(contact) = store.archived.get(id) {
        return Ok(told(contact, "archived", true));
    }
    let held = store.find(id);
    let gone = held
        .and_then(|(lead, place)| crate::providers::intercom::write::archive(store, place, lead));
    let contact = gone.ok_or_else(|| absent(call, store, id))?;
    Ok(told(&contact, "archived", true))
}

/// `POST /contacts/{id}/unarchive`; 409 where another took its identifier or address.
pub(super) fn unarchive(call: &Call<'_>, store: &mut Store, id: &str) -> Result<Value, Refusal> {
    let Some(contact) = store.archived.remove(id) else {
        let contact = present(call, store, id)?;
        return Ok(told(contact, "archived", false));
    };
    if let Err(taken) = check_unique(call, store, &contact) {
        store.archived.insert(contact.id.clone(), contact);
        return Err(taken);
    }
    let answer = told(&contact, "archived", false);
    let (place, _) = store.next(contact.created_at);
    store.table_mut(contact.lead).put(place, contact);
    Ok(answer)
}

fn told(contact: &Contact, what: &str, is_so: bool) -> Value {
    let mut told = json!({
        "type": "contact",
        "id": contact.id,
        "external_id": contact.user_id,
    });
    told[what] = json!(is_so);
    told
}

/// Whether another, active or archived, has the same identifier or, among users, address.
fn check_unique(call: &Call<'_>, store: &Store, contact: &Contact) -> Result<(), Refusal> {
    let table = store.table(contact.lead);
    let external_id = contact.user_id.as_deref();
    let by_external_id = external_id.and_then(|id| table.at(table.place_of_user_id(id)?));
    let email = contact.email.as_deref().filter(|_| !contact.lead);
    let by_email = email.map(|email| table.with_email(email, call.minds_case()));
    let by_email = by_email.into_iter().flatten().map(|(_, other)| other);
    let mut others = by_external_id.into_iter().chain(by_email);
    if let Some(other) = others.find(|other| other.id != contact.id) {
        return Err(Refusal::exists(&other.id, false));
    }
    let folded = email.map(str::to_lowercase);
    let is_same = |other: &&Contact| {
        let address = other.email.as_deref().map(str::to_lowercase);
        other.lead == contact.lead
            && other.id != contact.id
            && (external_id.is_some() && other.user_id.as_deref() == external_id
                || folded.is_some() && address == folded)
    };
    match store.archived.values().find(is_same) {
        Some(other) => Err(Refusal::exists(&other.id, true)),
        None => Ok(()),
    }
}

/// Sets the fields of a body, or refuses all of them.
fn apply(store: &Store, fields: &Map<String, Value>, contact: &mut Contact) -> Result<(), Refusal> {
    let draft = Draft(fields);
    role(fields, contact)?;
    draft.text("email", &mut contact.email)?;
    if fields.contains_key("external_id") {
        contact.user_id = identifier(fields, "external_id")?;
    }
    draft.text("phone", &mut contact.phone)?;
    draft.text("name", &mut contact.name)?;
    draft.text("language_override", &mut contact.language)?;
    draft.moment("signed_up_at", &mut contact.signed_up_at)?;
    draft.moment("last_seen_at", &mut contact.last_request_at)?;
    if let Some(unsubscribed) = draft.flag("unsubscribed_from_emails")? {
        contact.unsubscribed = unsubscribed;
    }
    draft.avatar(contact)?;
    owner(fields, contact)?;
    if let Some(Value::Object(changes)) = fields.get("custom_attributes") {
        let is_unknown = |name: &&String| !store.attributes.contains_key(*name);
        if let Some(name) = changes.keys().find(is_unknown) {
            let message = format!("Custom attribute '{name}' does not exist");
            return Err(Refusal::invalid(message));
        }
    }
    draft.custom(contact)
}

fn role(fields: &Map<String, Value>, contact: &mut Contact) -> Result<(), Refusal> {
    match fields.get("role") {
        None | Some(Value::Null) => {}
        Some(role) if role == "user" => contact.lead = false,
        Some(role) if role == "lead" => contact.lead = true,
        Some(_) => return Err(invalid("role")),
    }
    Ok(())
}

fn owner(fields: &Map<String, Value>, contact: &mut Contact) -> Result<(), Refusal> {
    if fields.contains_key("owner_id") {
        let text = identifier(fields, "owner_id")?;
        let number = text.map(|text| text.parse().map_err(|_| invalid("owner_id")));
        contact.owner = number.transpose()?;
    }
    Ok(())
}
