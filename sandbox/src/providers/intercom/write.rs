//! Create or update, archive, delete.

use serde_json::{Map, Value, json};

use super::error::IntercomError;
use super::seed::generated;
use super::store::{Contact, IntercomStore};
use crate::rate;

/// The custom attributes that a workspace may have.
const MOST_ATTRIBUTES: usize = 250;

/// `POST /users` and, for leads, `POST /contacts`: the first identifier that is given decides; the
/// others are not tried. Returns the contact as written.
pub(super) fn upsert(
    store: &mut IntercomStore,
    body: &[u8],
    lead: bool,
) -> Result<Contact, IntercomError> {
    let fields: Map<String, Value> = serde_json::from_slice(body)
        .map_err(|_| IntercomError::invalid("the body is not a JSON object"))?;
    let now = rate::now();
    let serial = locate(store, &fields, lead)?;
    let known = serial
        .and_then(|serial| store.table(lead).get(serial))
        .cloned();
    let is_new = known.is_none();
    let mut contact = known.unwrap_or_else(|| Contact {
        lead,
        created_at: now,
        ..Contact::default()
    });
    BodyFields(&fields).apply(&mut contact, now)?;
    let owner = contact
        .user_id
        .as_deref()
        .and_then(|id| store.table(lead).serial_of_user_id(id));
    if owner.is_some() && owner != serial {
        return Err(IntercomError::bad_request("User already exists"));
    }
    update_companies(store, &mut contact, fields.get("companies"), now)?;
    contact.updated_at = now;
    let serial = match serial {
        Some(serial) => serial,
        None => {
            let (serial, id) = store.next(now);
            contact.id = id;
            serial
        }
    };
    if is_new && lead && contact.user_id.is_none() {
        contact.user_id = Some(generated(serial));
    }
    store.register_attributes(&contact.custom);
    store.table_mut(lead).put(serial, contact.clone());
    Ok(contact)
}

/// The contact to write; none where the identifier is new.
fn locate(
    store: &IntercomStore,
    fields: &Map<String, Value>,
    lead: bool,
) -> Result<Option<u64>, IntercomError> {
    let table = store.table(lead);
    if let Some(id) = identifier(fields, "id")? {
        let message = if lead {
            "Contact Not Found"
        } else {
            "User Not Found"
        };
        let serial = table
            .serial_of(&id)
            .ok_or_else(|| IntercomError::not_found(message))?;
        return Ok(Some(serial));
    }
    if let Some(user_id) = identifier(fields, "user_id")? {
        return Ok(table.serial_of_user_id(&user_id));
    }
    if lead {
        return Ok(None);
    }
    let email = identifier(fields, "email")?.ok_or_else(IntercomError::nobody)?;
    match table.with_email(&email, false)[..] {
        [] => Ok(None),
        [(serial, _)] => Ok(Some(serial)),
        _ => Err(IntercomError::ambiguous()),
    }
}

/// A text that is not empty; a number counts as its digits.
pub(super) fn identifier(
    fields: &Map<String, Value>,
    name: &str,
) -> Result<Option<String>, IntercomError> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(_) => Err(invalid(name)),
    }
}

/// 400 for a field with a value of a wrong type.
pub(super) fn invalid(name: &str) -> IntercomError {
    IntercomError::invalid(format!("{name} is invalid"))
}

/// The fields of a body: absent fields stay, null clears.
pub(super) struct BodyFields<'a>(pub(super) &'a Map<String, Value>);

impl BodyFields<'_> {
    fn apply(&self, contact: &mut Contact, now: i64) -> Result<(), IntercomError> {
        if let Some(user_id) = identifier(self.0, "user_id")? {
            contact.user_id = Some(user_id);
        }
        self.text("email", &mut contact.email)?;
        self.text("phone", &mut contact.phone)?;
        self.text("name", &mut contact.name)?;
        self.text("last_seen_ip", &mut contact.last_seen_ip)?;
        self.text("last_seen_user_agent", &mut contact.user_agent)?;
        self.moment("remote_created_at", &mut contact.signed_up_at)?;
        self.moment("signed_up_at", &mut contact.signed_up_at)?;
        self.moment("last_request_at", &mut contact.last_request_at)?;
        if self.flag("update_last_request_at")? == Some(true) {
            contact.last_request_at = Some(now);
        }
        if self.flag("new_session")? == Some(true) {
            contact.session_count += 1;
        }
        if let Some(unsubscribed) = self.flag("unsubscribed_from_emails")? {
            contact.unsubscribed = unsubscribed;
        }
        self.avatar(contact)?;
        self.campaign(contact)?;
        self.custom(contact)
    }

    /// Sets or clears a text.
    pub(super) fn text(&self, name: &str, field: &mut Option<String>) -> Result<(), IntercomError> {
        match self.0.get(name) {
            None => {}
            Some(Value::Null) => *field = None,
            Some(Value::String(text)) => *field = Some(text.clone()),
            Some(_) => return Err(invalid(name)),
        }
        Ok(())
    }

    /// Sets or clears a time.
    pub(super) fn moment(&self, name: &str, field: &mut Option<i64>) -> Result<(), IntercomError> {
        match self.0.get(name) {
            None => {}
            Some(Value::Null) => *field = None,
            Some(value) => *field = Some(value.as_i64().ok_or_else(|| invalid(name))?),
        }
        Ok(())
    }

    /// A flag, if it is given.
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, IntercomError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value.as_bool().map(Some).ok_or_else(|| invalid(name)),
        }
    }

    /// Sets or clears the picture, given by its address or in an object.
    pub(super) fn avatar(&self, contact: &mut Contact) -> Result<(), IntercomError> {
        let address = match self.0.get("avatar") {
            None => return Ok(()),
            Some(Value::Object(avatar)) => avatar.get("image_url").unwrap_or(&Value::Null),
            Some(other) => other,
        };
        contact.avatar = match address {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            _ => return Err(invalid("avatar")),
        };
        Ok(())
    }

    fn campaign(&self, contact: &mut Contact) -> Result<(), IntercomError> {
        for (name, value) in self.0 {
            if name != "referrer" && !name.starts_with("utm_") {
                continue;
            }
            if !value.is_string() && !value.is_null() {
                return Err(invalid(name));
            }
            contact.campaign.insert(name.clone(), value.clone());
        }
        Ok(())
    }

    /// Sets custom attributes one by one.
    pub(super) fn custom(&self, contact: &mut Contact) -> Result<(), IntercomError> {
        let changes = match self.0.get("custom_attributes") {
            None | Some(Value::Null) => return Ok(()),
            Some(Value::Object(changes)) => changes,
            Some(_) => return Err(invalid("custom_attributes")),
        };
        for (name, value) in changes {
            if value.is_array() || value.is_object() {
                return Err(IntercomError::invalid(format!(
                    "custom attribute {name} is not a single value"
                )));
            }
            contact.custom.insert(name.clone(), value.clone());
        }
        if contact.custom.len() > MOST_ATTRIBUTES {
            return Err(IntercomError::too_many_attributes());
        }
        Ok(())
    }
}

/// Attaches the companies named, and detaches those with `remove`.
fn update_companies(
    store: &mut IntercomStore,
    contact: &mut Contact,
    companies: Option<&Value>,
    now: i64,
) -> Result<(), IntercomError> {
    let companies = match companies {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::Array(companies)) => companies,
        Some(_) => return Err(invalid("companies")),
    };
    let mut changes = Vec::new();
    for company in companies {
        let fields = company.as_object().ok_or_else(|| invalid("companies"))?;
        let company_id = identifier(fields, "company_id")?.ok_or_else(|| invalid("company_id"))?;
        let remove = BodyFields(fields).flag("remove")? == Some(true);
        changes.push((
            company_id,
            fields.get("name").and_then(Value::as_str),
            remove,
        ));
    }
    for (company_id, name, remove) in changes {
        contact.companies.retain(|known| *known != company_id);
        if !remove {
            store.found(&company_id, name, now);
            contact.companies.push(company_id);
        }
    }
    Ok(())
}

/// Archives a contact: reads no longer show it. The answer is the whole contact.
pub(super) fn archive(store: &mut IntercomStore, serial: u64, lead: bool) -> Option<Contact> {
    let contact = store.table_mut(lead).take(serial)?;
    store.archived.insert(contact.id.clone(), contact.clone());
    Some(contact)
}

/// `DELETE /users?user_id=` or `?email=`: the contact to archive.
pub(super) fn named(
    store: &IntercomStore,
    user_id: Option<&str>,
    email: Option<&str>,
) -> Result<u64, IntercomError> {
    let unknown = || IntercomError::not_found("User Not Found");
    if let Some(user_id) = user_id {
        return store.users.serial_of_user_id(user_id).ok_or_else(unknown);
    }
    let email = email.ok_or_else(IntercomError::nobody)?;
    match store.users.with_email(email, false)[..] {
        [] => Err(unknown()),
        [(serial, _)] => Ok(serial),
        _ => Err(IntercomError::ambiguous()),
    }
}

/// `POST /user_delete_requests`: permanently, by Intercom's identifier alone.
pub(super) fn delete_for_good(
    store: &mut IntercomStore,
    body: &[u8],
) -> Result<Value, IntercomError> {
    let fields: Map<String, Value> = serde_json::from_slice(body)
        .map_err(|_| IntercomError::invalid("the body is not a JSON object"))?;
    let id = fields.get("intercom_user_id").and_then(Value::as_str);
    let id = id.ok_or_else(|| invalid("intercom_user_id"))?;
    let serial = store.users.serial_of(id);
    let held = serial.and_then(|serial| store.users.take(serial)).is_some();
    if !held && store.archived.remove(id).is_none() {
        return Err(IntercomError::not_found("User Not Found"));
    }
    Ok(json!({"id": super::store::label_id(id)}))
}
