//! Companies in 2.x, as `developers.intercom.com/docs/references/2.17/rest-api/companies` has them.

use serde_json::{Value, json};

use super::{ContactRequest, present, sublist};
use crate::providers::intercom::error::IntercomError;
use crate::providers::intercom::store::{IntercomStore, StoredCompany};
use crate::providers::intercom::write::{identifier, invalid};
use crate::rate;

/// The companies that a contact can be in.
const MOST: usize = 1000;
const PER_PAGE: u64 = 15;

/// Below `/companies`.
pub(super) fn answer(
    request: &ContactRequest<'_>,
    store: &mut IntercomStore,
    path: &[&str],
) -> Result<Value, IntercomError> {
    match (request.method, path) {
        ("GET", []) => by_query(request, store),
        ("POST", []) => put(request, store),
        ("GET", [id]) => Ok(counted(store, by_id(store, id)?)),
        ("GET", [id, "contacts"]) => sublist::members(request, store, by_id(store, id)?),
        _ => Err(IntercomError::no_resource()),
    }
}

/// Below `/contacts/{id}/companies`: the list, joining and leaving.
pub(super) fn of_contact(
    request: &ContactRequest<'_>,
    store: &mut IntercomStore,
    contact: &str,
    path: &[&str],
) -> Result<Value, IntercomError> {
    match (request.method, path) {
        ("GET", []) => sublist::companies(request, store, present(request, store, contact)?),
        ("POST", []) => join(request, store, contact),
        ("DELETE", [company]) => leave(request, store, contact, company),
        _ => Err(IntercomError::no_resource()),
    }
}

/// A company as lists show it.
pub(super) fn company_json(company: &StoredCompany) -> Value {
    json!({
        "type": "company",
        "company_id": company.company_id,
        "id": company.id,
        "app_id": "ws0sandbox",
        "name": company.name,
        "remote_created_at": company.created_at,
        "created_at": company.created_at,
        "updated_at": company.updated_at,
        "monthly_spend": 0,
        "session_count": 0,
        "tags": {"type": "tag.list", "tags": []},
        "segments": {"type": "segment.list", "segments": []},
        "plan": {},
        "custom_attributes": {},
    })
}

/// A single company, with its number of users.
fn counted(store: &IntercomStore, company: &StoredCompany) -> Value {
    let users = store.users.newest_first();
    let members = users.filter(|(_, user)| user.companies.contains(&company.company_id));
    let mut shown = company_json(company);
    shown["user_count"] = json!(members.count());
    shown
}

fn by_id<'a>(store: &'a IntercomStore, id: &str) -> Result<&'a StoredCompany, IntercomError> {
    store.company(id).ok_or_else(IntercomError::no_company)
}

/// `GET /companies`: one by the customer's identifier or the name, or all by page number.
fn by_query(request: &ContactRequest<'_>, store: &IntercomStore) -> Result<Value, IntercomError> {
    if let Some(company_id) = request.params.get("company_id") {
        let company = store.companies.get(company_id);
        return Ok(counted(
            store,
            company.ok_or_else(IntercomError::no_company)?,
        ));
    }
    if let Some(name) = request.params.get("name") {
        let mut companies = store.companies.values();
        let company = companies.find(|company| company.name.as_deref() == Some(name));
        return Ok(counted(
            store,
            company.ok_or_else(IntercomError::no_company)?,
        ));
    }
    let all: Vec<&StoredCompany> = store.companies.values().collect();
    sublist::company_pages(request, &all, PER_PAGE)
}

/// `POST /companies`: creates a company, or updates the one with the customer's identifier.
fn put(request: &ContactRequest<'_>, store: &mut IntercomStore) -> Result<Value, IntercomError> {
    let fields = request.fields()?;
    let company_id = identifier(&fields, "company_id")?;
    let company_id =
        company_id.ok_or_else(|| IntercomError::missing_parameter("company_id is needed"))?;
    let name = match fields.get("name") {
        None | Some(Value::Null) => None,
        Some(Value::String(name)) => Some(name.as_str()),
        Some(_) => return Err(invalid("name")),
    };
    store.found(&company_id, name, rate::now());
    let company = store.companies.get(&company_id);
    Ok(counted(
        store,
        company.ok_or_else(IntercomError::no_company)?,
    ))
}

fn join(
    request: &ContactRequest<'_>,
    store: &mut IntercomStore,
    contact: &str,
) -> Result<Value, IntercomError> {
    present(request, store, contact)?;
    let id = identifier(&request.fields()?, "id")?;
    let id = id.ok_or_else(|| IntercomError::missing_parameter("company not specified"))?;
    let company = by_id(store, &id)?.clone();
    let companies = |store: &IntercomStore| store.contact(contact).map(|one| one.companies.clone());
    let mut joined = companies(store).unwrap_or_default();
    if !joined.contains(&company.company_id) {
        if joined.len() >= MOST {
            return Err(IntercomError::too_many_companies());
        }
        joined.push(company.company_id.clone());
        store.update(contact, |one| one.companies = joined);
    }
    Ok(counted(store, &company))
}

fn leave(
    request: &ContactRequest<'_>,
    store: &mut IntercomStore,
    contact: &str,
    id: &str,
) -> Result<Value, IntercomError> {
    let member = present(request, store, contact)?;
    let company = by_id(store, id)?.clone();
    if !member.companies.contains(&company.company_id) {
        return Err(IntercomError::no_company());
    }
    store.update(contact, |one| {
        one.companies.retain(|known| *known != company.company_id);
    });
    Ok(counted(store, &company))
}
