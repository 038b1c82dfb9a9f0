//! Create or update of users and companies.

use serde_json::{Map, Value, json};

use super::failure::Failure;
use super::moment;
use super::rules;
use super::shape::{self, MembershipIds};
use super::store::{Scope, Store, merge};

type Bag = Map<String, Value>;

/// A valid body of `POST /v1/users`.
pub(super) struct UserDraft {
    /// The customer's identifier.
    pub(super) id: String,
    attributes: Bag,
    joins: Vec<Join>,
}

/// A company to belong to, with what is said of it and of the membership.
struct Join {
    company: String,
    attributes: Bag,
    membership: Bag,
}

impl UserDraft {
    /// Validates in the order id, attributes, companies, memberships.
    /// Releases before 2026-07-31 took blank ids.
    pub(super) fn of(body: &Value, takes_blank: bool) -> Result<Self, Failure> {
        let blank = body.get("id").and_then(Value::as_str);
        let blank = blank.filter(|id| takes_blank && id.trim().is_empty());
        let id = match blank {
            Some(id) => id.to_owned(),
            None => rules::identifier(body.get("id"), "id must be a non-empty string")?,
        };
        let message = "attributes must be an object";
        let attributes = rules::attributes(body.get("attributes"), message)?;
        let mut joins = Vec::new();
        for (index, item) in items(body, "companies")?.iter().enumerate() {
            joins.push(company(item, &format!("companies.{index}."), Bag::new())?);
        }
        let mut incomplete = false;
        for (index, item) in items(body, "memberships")?.iter().enumerate() {
            match membership(item, index)? {
                Some(join) => joins.push(join),
                None => incomplete = true,
            }
        }
        if incomplete {
            return Err(Failure::Unexpected);
        }
        Ok(Self {
            id,
            attributes,
            joins,
        })
    }

    /// A user with attributes and no company.
    pub(super) fn with_attributes(id: &str, attributes: Bag) -> Self {
        Self {
            id: id.to_owned(),
            attributes,
            joins: Vec::new(),
        }
    }

    /// Whether the database takes it. What is dropped anyway never comes there.
    pub(super) fn storable(&self, store: &Store) -> Result<(), Failure> {
        rules::storable(&self.id)?;
        storable(store, Scope::User, &self.attributes)?;
        for join in &self.joins {
            rules::storable(&join.company)?;
            storable(store, Scope::Company, &join.attributes)?;
            storable(store, Scope::Membership, &join.membership)?;
        }
        Ok(())
    }

    /// Writes the user and shows it, unexpanded.
    pub(super) fn write(self, store: &mut Store) -> Option<Value> {
        let now = moment::now();
        let place = write_user(store, &self.id, self.attributes, now);
        for join in self.joins {
            let company = write_company(store, &join.company, join.attributes, now);
            store.join(place, company, join.membership, now);
        }
        let row = store.users.at(place)?;
        Some(shape::user(store, place, row, &[], MembershipIds::Internal))
    }
}

fn storable(store: &Store, scope: Scope, attributes: &Bag) -> Result<(), Failure> {
    let kept = attributes
        .iter()
        .filter(|(name, value)| !store.drops(scope, name, value));
    kept.into_iter().try_for_each(|(name, value)| {
        rules::storable(name)?;
        rules::storable_value(value)
    })
}

fn items<'a>(body: &'a Value, name: &str) -> Result<&'a [Value], Failure> {
    let items = match body.get(name) {
        None | Some(Value::Null) => return Ok(&[]),
        Some(Value::Array(items)) => items,
        Some(_) => return Err(Failure::invalid(format!("{name} must be an array"))),
    };
    if items.iter().any(|item| !item.is_object()) {
        return Err(Failure::invalid(format!(
            "each value in nested property {name} must be either object or array"
        )));
    }
    Ok(items)
}

fn company(item: &Value, place: &str, membership: Bag) -> Result<Join, Failure> {
    let message = format!("{place}company id must be a non-empty string");
    let company = rules::identifier(item.get("id"), &message)?;
    let message = format!("{place}attributes must be an object");
    Ok(Join {
        company,
        attributes: rules::attributes(item.get("attributes"), &message)?,
        membership,
    })
}

/// A membership without a company passes validation, and fails later.
fn membership(item: &Value, index: usize) -> Result<Option<Join>, Failure> {
    let place = format!("memberships.{index}.");
    let join = match item.get("company") {
        None | Some(Value::Null) => None,
        Some(found @ Value::Object(_)) => {
            Some(company(found, &format!("{place}company."), Bag::new())?)
        }
        Some(_) => {
            return Err(Failure::invalid(format!(
                "{place}nested property company must be either object or array"
            )));
        }
    };
    let message = format!("{place}attributes must be an object");
    let membership = rules::attributes(item.get("attributes"), &message)?;
    Ok(join.map(|join| Join { membership, ..join }))
}

/// Writes a user; a new one has been seen now.
pub(super) fn write_user(store: &mut Store, id: &str, attributes: Bag, now: i64) -> u64 {
    let changes = store.typed(Scope::User, attributes, now);
    if let Some(place) = store.users.place(id) {
        if let Some(row) = store.users.at_mut(place) {
            merge(&mut row.attributes, changes);
        }
        return place;
    }
    let row = store.row(id, seen(changes, now), now);
    store.users.add(row)
}

/// What is made is seen, unless it says when.
fn seen(changes: Bag, now: i64) -> Bag {
    let mut attributes = Bag::new();
    for name in ["first_seen_at", "last_seen_at"] {
        attributes.insert(name.to_owned(), json!(moment::text(now + 6)));
    }
    merge(&mut attributes, changes);
    attributes
}

fn write_company(store: &mut Store, id: &str, attributes: Bag, now: i64) -> u64 {
    let changes = store.typed(Scope::Company, attributes, now);
    if let Some(place) = store.companies.place(id) {
        if let Some(row) = store.companies.at_mut(place) {
            merge(&mut row.attributes, changes);
        }
        return place;
    }
    let row = store.row(id, seen(changes, now), now);
    store.companies.add(row)
}

/// `POST /v1/companies`; attributes that are text are taken apart into characters.
pub(super) fn upsert_company(store: &mut Store, body: &Value) -> Result<Value, Failure> {
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
    let place = write_company(store, &id, attributes, moment::now());
    let row = store.companies.at(place).ok_or(Failure::NoCompany)?;
    Ok(shape::company(store, place, row, &[]))
}
