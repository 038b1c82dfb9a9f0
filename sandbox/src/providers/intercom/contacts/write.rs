//! Creating, updating, archiving and deleting contacts.
//!
//! A create may not repeat the external identifier or the address of a user. Leads may share an
//! address.

use serde_json::{Map, Value, json};

use super::{ContactRequest, absent, present};
use crate::providers::intercom::error::IntercomError;
use crate::providers::intercom::seed::generated;
use crate::providers::intercom::store::{Contact, IntercomStore};
use crate::providers::intercom::write::{BodyFields, identifier, invalid};
use crate::rate;

/// `POST /contacts`: creates, and never updates.
pub(super) fn create(
    request: &ContactRequest<'_>,
    store: &mut IntercomStore,
) -> Result<Value, IntercomError> {
    let fields = request.fields()?;
    let names = ["email", "external_id", "role"];
    let is_given = |name: &&str| fields.get(*name).is_some_and(|value| !value.is_null());
    if !names.iter().any(is_given) {
        return Err(IntercomError::missing_parameter(
            "email, external_id or role is needed",
        ));
    }
    let now = rate::now();
    let mut contact = Contact {
        created_at: now,
        updated_at: now,
        ..Contact::default()
    };
    apply(store, &fields, &mut contact)?;
    check_unique(request, store, &contact)?;
    let (serial, id) = store.next(now);
    contact.id = id;
    if contact.lead && contact.user_id.is_none() {
        contact.user_id = Some(generated(serial));
    }
    let answer = request.shape(store).contact(&contact);
    store.table_mut(contact.lead).put(serial, contact);
    Ok(answer)
}

/// `PUT /contacts/{id}`: absent fields stay, null clears.
pub(super) fn update(
    request: &ContactRequest<'_>,
    store: &mut IntercomStore,
    id: &str,
) -> Result<Value, IntercomError> {
    let before = present(request, store, id)?;
    let mut contact = before.clone();
    let fields = request.fields()?;
    apply(store, &fields, &mut contact)?;
    let is_same = before.lead == contact.lead
        && before.email == contact.email
        && before.user_id == contact.user_id;
    if !is_same {
        check_unique(request, store, &contact)?;
    }
    contact.updated_at = rate::now();
    let answer = request.shape(store).contact(&contact);
    if let Some((lead, serial)) = store.find(id) {
        if lead != contact.lead {
            store.table_mut(lead).take(serial);
        }
        store.table_mut(contact.lead).put(serial, contact);
    }
    Ok(answer)
}

/// `DELETE /contacts/{id}`: permanently.
pub(super) fn delete(
    request: &ContactRequest<'_>,
    store: &mut IntercomStore,
    id: &str,
) -> Result<Value, IntercomError> {
    let held = store.find(id);
    let held = held.and_then(|(lead, serial)| store.table_mut(lead).take(serial));
    let contact = held.or_else(|| store.archived.remove(id));
    let contact = contact.ok_or_else(|| absent(request, store, id))?;
    Ok(state_answer(&contact, "deleted", true))
}

/// `POST /contacts/{id}/archive`.
pub(super) fn archive(
    request: &ContactRequest<'_>,
    store: &mut IntercomStore,
    id: &str,
) -> Result<Value, IntercomError> {
    if let Some(contact) = store.archived.get(id) {
        return Ok(state_answer(contact, "archived", true));
    }
    let held = store.find(id);
    let gone = held
        .and_then(|(lead, serial)| crate::providers::intercom::write::archive(store, serial, lead));
    let contact = gone.ok_or_else(|| absent(request, store, id))?;
    Ok(state_answer(&contact, "archived", true))
}

/// `POST /contacts/{id}/unarchive`; 409 where another took its identifier or address.
pub(super) fn unarchive(
    request: &ContactRequest<'_>,
    store: &mut IntercomStore,
    id: &str,
) -> Result<Value, IntercomError> {
    let Some(contact) = store.archived.remove(id) else {
        let contact = present(request, store, id)?;
        return Ok(state_answer(contact, "archived", false));
    };
    if let Err(taken) = check_unique(request, store, &contact) {
        store.archived.insert(contact.id.clone(), contact);
        return Err(taken);
    }
    let answer = state_answer(&contact, "archived", false);
    let (serial, _) = store.next(contact.created_at);
    store.table_mut(contact.lead).put(serial, contact);
    Ok(answer)
}

fn state_answer(contact: &Contact, what: &str, is_so: bool) -> Value {
    let mut answer = json!({
        "type": "contact",
        "id": contact.id,
        "external_id": contact.user_id,
    });
    answer[what] = json!(is_so);
    answer
}

/// Whether another, active or archived, has the same identifier or, among users, address.
fn check_unique(
    request: &ContactRequest<'_>,
    store: &IntercomStore,
    contact: &Contact,
) -> Result<(), IntercomError> {
    let table = store.table(contact.lead);
    let external_id = contact.user_id.as_deref();
    let by_external_id = external_id.and_then(|id| table.get(table.serial_of_user_id(id)?));
    let email = contact.email.as_deref().filter(|_| !contact.lead);
    let by_email = email.map(|email| table.with_email(email, request.is_case_sensitive()));
    let by_email = by_email.into_iter().flatten().map(|(_, other)| other);
    let mut others = by_external_id.into_iter().chain(by_email);
    if let Some(other) = others.find(|other| other.id != contact.id) {
        return Err(IntercomError::exists(&other.id, false));
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
        Some(other) => Err(IntercomError::exists(&other.id, true)),
        None => Ok(()),
    }
}

/// Sets the fields of a body: all of them or none.
fn apply(
    store: &IntercomStore,
    fields: &Map<String, Value>,
    contact: &mut Contact,
) -> Result<(), IntercomError> {
    let draft = BodyFields(fields);
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
            return Err(IntercomError::invalid(message));
        }
    }
    draft.custom(contact)
}

fn role(fields: &Map<String, Value>, contact: &mut Contact) -> Result<(), IntercomError> {
    match fields.get("role") {
        None | Some(Value::Null) => {}
        Some(role) if role == "user" => contact.lead = false,
        Some(role) if role == "lead" => contact.lead = true,
        Some(_) => return Err(invalid("role")),
    }
    Ok(())
}

fn owner(fields: &Map<String, Value>, contact: &mut Contact) -> Result<(), IntercomError> {
    if fields.contains_key("owner_id") {
        let text = identifier(fields, "owner_id")?;
        let number = text.map(|text| text.parse().map_err(|_| invalid("owner_id")));
        contact.owner = number.transpose()?;
    }
    Ok(())
}
