//! Companies in 2.x, as `developers.intercom.com/docs/references/2.17/rest-api/companies` tells.

use serde_json::{Value, json};

use super::{Call, present, sublist};
use crate::providers::intercom::refusal::Refusal;
use crate::providers::intercom::store::{Company, Store};
use crate::providers::intercom::write::{identifier, invalid};
use crate::rate;

/// The companies that a contact can be in.
const MOST: usize = 1000;
const PER_PAGE: u64 = 15;

/// Below `/companies`.
pub(super) fn answer(call: &Call<'_>, store: &mut Store, path: &[&str]) -> Result<Value, Refusal> {
    match (call.method, path) {
        ("GET", []) => by_query(call, store),
        ("POST", []) => put(call, store),
        ("GET", [id]) => Ok(counted(store, by_id(store, id)?)),
        ("GET", [id, "contacts"]) => sublist::members(call, store, by_id(store, id)?),
        _ => Err(Refusal::no_resource()),
    }
}

/// Below `/contacts/{id}/companies`: the list, joining and leaving.
pub(super) fn of_contact(
    call: &Call<'_>,
    store: &mut Store,
    contact: &str,
    path: &[&str],
) -> Result<Value, Refusal> {
    match (call.method, path) {
        ("GET", []) => sublist::companies(call, store, present(call, store, contact)?),
        ("POST", []) => join(call, store, contact),
        ("DELETE", [company]) => leave(call, store, contact, company),
        _ => Err(Refusal::no_resource()),
    }
}

/// A company as lists show it.
pub(super) fn shown(company: &Company) -> Value {
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

/// A company by itself, which also tells how many users it has.
fn counted(store: &Store, company: &Company) -> Value {
    let users = store.users.newest_first();
    let members = users.filter(|(_, user)| user.companies.contains(&company.company_id));
    let mut shown = shown(company);
    shown["user_count"] = json!(members.count());
    shown
}

fn by_id<'a>(store: &'a Store, id: &str) -> Result<&'a Company, Refusal> {
    store.company(id).ok_or_else(Refusal::no_company)
}

/// `GET /companies`: one by the customer's identifier or the name, or all by page number.
fn by_query(call: &Call<'_>, store: &Store) -> Result<Value, Refusal> {
    if let Some(company_id) = call.params.get("company_id") {
        let company = store.companies.get(company_id);
        return Ok(counted(store, company.ok_or_else(Refusal::no_company)?));
    }
    if let Some(name) = call.params.get("name") {
        let mut companies = store.companies.values();
        let company = companies.find(|company| company.name.as_deref() == Some(name));
        return Ok(counted(store, company.ok_or_else(Refusal::no_company)?));
    }
    let all: Vec<&Company> = store.companies.values().collect();
    sublist::company_pages(call, &all, PER_PAGE)
}

/// `POST /companies`: creates a company, or updates the one with the customer's identifier.
fn put(call: &Call<'_>, store: &mut Store) -> Result<Value, Refusal> {
    let fields = call.fields()?;
    let company_id = identifier(&fields, "company_id")?;
    let company_id = company_id.ok_or_else(|| Refusal::missing("company_id is needed"))?;
    let name = match fields.get("name") {
        None | Some(Value::Null) => None,
        Some(Value::String(name)) => Some(name.as_str()),
        Some(_) => return Err(invalid("name")),
    };
    store.found(&company_id, name, rate::now());
    let company = store.companies.get(&company_id);
    Ok(counted(store, company.ok_or_else(Refusal::no_company)?))
}

fn join(call: &Call<'_>, store: &mut Store, contact: &str) -> Result<Value, Refusal> {
    present(call, store, contact)?;
    let id = identifier(&call.fields()?, "id")?;
    let id = id.ok_or_else(|| Refusal::missing("company not specified"))?;
    let company = by_id(store, &id)?.clone();
    let companies = |store: &Store| store.contact(contact).map(|one| one.companies.clone());
    let mut joined = companies(store).unwrap_or_default();
    if !joined.contains(&company.company_id) {
        if joined.len() >= MOST {
            return Err(Refusal::too_many_companies());
        }
        joined.push(company.company_id.clone());
        store.amend(contact, |one| one.companies = joined);
    }
    Ok(counted(store, &company))
}

fn leave(call: &Call<'_>, store: &mut Store, contact: &str, id: &str) -> Result<Value, Refusal> {
    let member = present(call, store, contact)?;
    let company = by_id(store, id)?.clone();
    if !member.companies.contains(&company.company_id) {
        return Err(Refusal::no_company());
    }
    store.amend(contact, |one| {
        one.companies.retain(|known| *known != company.company_id);
    });
    Ok(counted(store, &company))
}
