//! Create or update of users and companies.

use serde_json::{Map, Value, json};

use super::error::UsertourError;
use super::moment;
use super::rules;
use super::shape::{self, MembershipIds};
use super::store::{Scope, UsertourStore, merge};

type Attributes = Map<String, Value>;

/// A valid body of `POST /v1/users`.
pub(super) struct UserUpsert {
    /// The external identifier.
    pub(super) id: String,
    attributes: Attributes,
    companies: Vec<CompanyLink>,
}

/// A company to join, with its attributes and those of the membership.
struct CompanyLink {
    company: String,
    attributes: Attributes,
    membership: Attributes,
}

impl UserUpsert {
    /// Validates in the order id, attributes, companies, memberships.
    /// Releases before 2026-07-31 accepted blank ids.
    pub(super) fn of(body: &Value, takes_blank: bool) -> Result<Self, UsertourError> {
        let blank = body.get("id").and_then(Value::as_str);
        let blank = blank.filter(|id| takes_blank && id.trim().is_empty());
        let id = match blank {
            Some(id) => id.to_owned(),
            None => rules::identifier(body.get("id"), "id must be a non-empty string")?,
        };
        let message = "attributes must be an object";
        let attributes = rules::attributes(body.get("attributes"), message)?;
        let mut companies = Vec::new();
        for (index, item) in items(body, "companies")?.iter().enumerate() {
            companies.push(company(
                item,
                &format!("companies.{index}."),
                Attributes::new(),
            )?);
        }
        let mut incomplete = false;
        for (index, item) in items(body, "memberships")?.iter().enumerate() {
            match membership(item, index)? {
                Some(link) => companies.push(link),
                None => incomplete = true,
            }
        }
        if incomplete {
            return Err(UsertourError::Unexpected);
        }
        Ok(Self {
            id,
            attributes,
            companies,
        })
    }

    /// A user with attributes and no company.
    pub(super) fn with_attributes(id: &str, attributes: Attributes) -> Self {
        Self {
            id: id.to_owned(),
            attributes,
            companies: Vec::new(),
        }
    }

    /// Checks that the database accepts the values. Values that are dropped never reach it.
    pub(super) fn storable(&self, store: &UsertourStore) -> Result<(), UsertourError> {
        rules::storable(&self.id)?;
        storable(store, Scope::User, &self.attributes)?;
        for link in &self.companies {
            rules::storable(&link.company)?;
            storable(store, Scope::Company, &link.attributes)?;
            storable(store, Scope::Membership, &link.membership)?;
        }
        Ok(())
    }

    /// Writes the user and shows it, unexpanded.
    pub(super) fn write(self, store: &mut UsertourStore) -> Option<Value> {
        let now = moment::now();
        let serial = write_user(store, &self.id, self.attributes, now);
        for link in self.companies {
            let company = write_company(store, &link.company, link.attributes, now);
            store.join(serial, company, link.membership, now);
        }
        let row = store.users.get(serial)?;
        Some(shape::user(
            store,
            serial,
            row,
            &[],
            MembershipIds::Internal,
        ))
    }
}

fn storable(
    store: &UsertourStore,
    scope: Scope,
    attributes: &Attributes,
) -> Result<(), UsertourError> {
    let kept = attributes
        .iter()
        .filter(|(name, value)| !store.drops(scope, name, value));
    kept.into_iter().try_for_each(|(name, value)| {
        rules::storable(name)?;
        rules::storable_value(value)
    })
}

fn items<'a>(body: &'a Value, name: &str) -> Result<&'a [Value], UsertourError> {
    let items = match body.get(name) {
        None | Some(Value::Null) => return Ok(&[]),
        Some(Value::Array(items)) => items,
        Some(_) => return Err(UsertourError::invalid(format!("{name} must be an array"))),
    };
    if items.iter().any(|item| !item.is_object()) {
        return Err(UsertourError::invalid(format!(
            "each value in nested property {name} must be either object or array"
        )));
    }
    Ok(items)
}

fn company(
    item: &Value,
    prefix: &str,
    membership: Attributes,
) -> Result<CompanyLink, UsertourError> {
    let message = format!("{prefix}company id must be a non-empty string");
    let company = rules::identifier(item.get("id"), &message)?;
    let message = format!("{prefix}attributes must be an object");
    Ok(CompanyLink {
        company,
        attributes: rules::attributes(item.get("attributes"), &message)?,
        membership,
    })
}

/// A membership without a company passes validation, and fails later.
fn membership(item: &Value, index: usize) -> Result<Option<CompanyLink>, UsertourError> {
    let prefix = format!("memberships.{index}.");
    let link = match item.get("company") {
        None | Some(Value::Null) => None,
        Some(found @ Value::Object(_)) => Some(company(
            found,
            &format!("{prefix}company."),
            Attributes::new(),
        )?),
        Some(_) => {
            return Err(UsertourError::invalid(format!(
                "{prefix}nested property company must be either object or array"
            )));
        }
    };
    let message = format!("{prefix}attributes must be an object");
    let membership = rules::attributes(item.get("attributes"), &message)?;
    Ok(link.map(|link| CompanyLink { membership, ..link }))
}

/// Writes a user. A new one gets `first_seen_at` and `last_seen_at`.
pub(super) fn write_user(
    store: &mut UsertourStore,
    id: &str,
    attributes: Attributes,
    now: i64,
) -> u64 {
    let changes = store.typed(Scope::User, attributes, now);
    if let Some(serial) = store.users.find(id) {
        if let Some(row) = store.users.get_mut(serial) {
            merge(&mut row.attributes, changes);
        }
        return serial;
    }
    let row = store.row(id, with_seen_times(changes, now), now);
    store.users.add(row)
}

/// The attributes of a new row: seen now, unless they are given.
fn with_seen_times(changes: Attributes, now: i64) -> Attributes {
    let mut attributes = Attributes::new();
    for name in ["first_seen_at", "last_seen_at"] {
        attributes.insert(name.to_owned(), json!(moment::text(now + 6)));
    }
    merge(&mut attributes, changes);
    attributes
}

fn write_company(store: &mut UsertourStore, id: &str, attributes: Attributes, now: i64) -> u64 {
    let changes = store.typed(Scope::Company, attributes, now);
    if let Some(serial) = store.companies.find(id) {
        if let Some(row) = store.companies.get_mut(serial) {
            merge(&mut row.attributes, changes);
        }
        return serial;
    }
    let row = store.row(id, with_seen_times(changes, now), now);
    store.companies.add(row)
}

/// `POST /v1/companies`. Attributes given as text become one attribute per character.
pub(super) fn upsert_company(
    store: &mut UsertourStore,
    body: &Value,
) -> Result<Value, UsertourError> {
    let id = rules::identifier(body.get("id"), "id must be a non-empty string")?;
    let attributes = match body.get("attributes") {
        Some(Value::String(text)) => text
            .chars()
            .enumerate()
            .map(|(index, letter)| (index.to_string(), json!(letter.to_string())))
            .collect(),
        other => rules::attributes(other, "attributes must be an object")?,
    };
    rules::storable(&id)?;
    storable(store, Scope::Company, &attributes)?;
    let serial = write_company(store, &id, attributes, moment::now());
    let row = store
        .companies
        .get(serial)
        .ok_or(UsertourError::NoCompany)?;
    Ok(shape::company(store, serial, row, &[]))
}
