//! The versions before 2.0: users, and leads under the name of contacts.

use serde_json::{Value, json};

use super::SharedScrolls;
use super::error::IntercomError;
use super::lists::ReadRequest;
use super::store::{Contact, IntercomStore, label_id};
use super::{Params, write};

/// The result of a `POST` or `DELETE`: the contact as written, or another answer.
pub(super) enum WriteResult {
    /// Created, updated or archived.
    Contact(Box<Contact>),
    /// Something else.
    Other(Value),
}

/// A write, if the method and path are one.
pub(super) fn write(
    store: &mut IntercomStore,
    method: &str,
    path: &[&str],
    params: &Params,
    body: &[u8],
) -> Result<WriteResult, IntercomError> {
    match (method, path) {
        ("POST", ["users"]) => write::upsert(store, body, false).map(contact),
        ("POST", ["contacts"]) => write::upsert(store, body, true).map(contact),
        ("POST", ["user_delete_requests"]) => {
            write::delete_for_good(store, body).map(WriteResult::Other)
        }
        ("DELETE", path) => archive(store, path, params).map(contact),
        _ => Err(IntercomError::no_resource()),
    }
}

fn contact(contact: Contact) -> WriteResult {
    WriteResult::Contact(Box::new(contact))
}

/// `GET`.
pub(super) fn read(
    reading: &ReadRequest<'_>,
    path: &[&str],
    scrolls: &SharedScrolls,
) -> Result<Value, IntercomError> {
    match path {
        ["users"] => reading.users(),
        ["users", "scroll"] => super::lock(scrolls).page(reading, false),
        ["users", id] => reading.by_id(id, false),
        ["contacts"] => reading.leads(),
        ["contacts", "scroll"] => super::lock(scrolls).page(reading, true),
        ["contacts", id] => reading.by_id(id, true),
        ["companies"] => company_by_query(reading),
        ["companies", id, "users"] => {
            let company = reading
                .store
                .company(id)
                .ok_or_else(IntercomError::no_company)?;
            reading.company_users(&company.company_id)
        }
        ["tags"] => Ok(labels("tag", &reading.store.tag_names())),
        ["segments"] => Ok(labels("segment", &reading.store.segment_names())),
        _ => Err(IntercomError::no_resource()),
    }
}

fn archive(
    store: &mut IntercomStore,
    path: &[&str],
    params: &Params,
) -> Result<Contact, IntercomError> {
    let (serial, lead) = match path {
        ["users"] => {
            let serial = write::named(store, params.get("user_id"), params.get("email"))?;
            (Some(serial), false)
        }
        ["users", id] => (store.users.serial_of(id), false),
        ["contacts", id] => (store.leads.serial_of(id), true),
        _ => return Err(IntercomError::no_resource()),
    };
    let message = if lead {
        "Contact Not Found"
    } else {
        "User Not Found"
    };
    serial
        .and_then(|serial| write::archive(store, serial, lead))
        .ok_or_else(|| IntercomError::not_found(message))
}

/// `GET /companies?company_id=`, with `type=user` for the users of it.
fn company_by_query(reading: &ReadRequest<'_>) -> Result<Value, IntercomError> {
    let company_id = reading.params.get("company_id");
    let company_id = company_id.ok_or_else(IntercomError::no_resource)?;
    let company = reading.store.companies.get(company_id);
    let company = company.ok_or_else(IntercomError::no_company)?;
    if reading.params.get("type") == Some("user") {
        return reading.company_users(company_id);
    }
    Ok(json!({
        "type": "company",
        "id": company.id,
        "company_id": company.company_id,
        "name": company.name,
    }))
}

/// All tags or segments.
pub(super) fn labels(kind: &str, names: &[&str]) -> Value {
    let labels: Vec<Value> = names
        .iter()
        .map(|name| json!({"type": kind, "id": label_id(name), "name": name}))
        .collect();
    let mut list = json!({"type": format!("{kind}.list")});
    list[format!("{kind}s")] = json!(labels);
    list
}
