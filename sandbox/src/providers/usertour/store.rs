//! The data of an environment: users, companies, memberships, and the types of attributes.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value};

use super::moment;
use super::segments::Segment;

/// A user or a company.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// The internal identifier: 25 characters, shown only in cursors and memberships.
    pub(super) key: String,
    /// The external identifier.
    pub(super) id: String,
    /// The attributes.
    pub(super) attributes: Map<String, Value>,
    /// Milliseconds since the epoch.
    pub(super) created_at: i64,
}

/// Rows in the order of their creation, found by either identifier.
#[derive(Debug, Default)]
pub(super) struct RowTable {
    rows: BTreeMap<u64, Row>,
    by_id: HashMap<String, u64>,
    by_key: HashMap<String, u64>,
    rows_created: u64,
}

impl RowTable {
    /// Every row with its serial number, oldest first.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, &Row)> {
        self.rows.iter().map(|(serial, row)| (*serial, row))
    }

    /// The serial number of the row with this external identifier.
    pub(super) fn find(&self, id: &str) -> Option<u64> {
        self.by_id.get(id).copied()
    }

    /// The row with this serial number.
    pub(super) fn get(&self, serial: u64) -> Option<&Row> {
        self.rows.get(&serial)
    }

    /// The row with this serial number, to be changed. Its identifiers must stay.
    pub(super) fn get_mut(&mut self, serial: u64) -> Option<&mut Row> {
        self.rows.get_mut(&serial)
    }

    /// The serial number of the row with this internal identifier.
    pub(super) fn find_by_key(&self, key: &str) -> Option<u64> {
        self.by_key.get(key).copied()
    }

    /// Adds a row after all others.
    pub(super) fn add(&mut self, row: Row) -> u64 {
        let serial = self.rows_created;
        self.rows_created += 1;
        self.by_id.insert(row.id.clone(), serial);
        self.by_key.insert(row.key.clone(), serial);
        self.rows.insert(serial, row);
        serial
    }

    /// Removes a row.
    pub(super) fn remove(&mut self, serial: u64) -> Option<Row> {
        let row = self.rows.remove(&serial)?;
        self.by_id.remove(&row.id);
        self.by_key.remove(&row.key);
        Some(row)
    }
}

/// A membership of a user in a company.
#[derive(Debug, Clone)]
pub(super) struct Membership {
    /// The internal identifier.
    pub(super) key: String,
    /// The attributes; unlike elsewhere, a value may be null.
    pub(super) attributes: Map<String, Value>,
    /// Milliseconds since the epoch.
    pub(super) created_at: i64,
    /// The number of memberships created before.
    pub(super) order: u64,
}

/// The kind of object that an attribute belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scope {
    /// A user.
    User,
    /// A company.
    Company,
    /// A membership.
    Membership,
}

impl Scope {
    /// The provider's word.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Company => "company",
            Self::Membership => "companyMembership",
        }
    }
}

/// The type of an attribute, fixed by the first value seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DataType {
    /// Any number.
    Number,
    /// Text that is not a moment.
    String,
    /// True or false.
    Boolean,
    /// An array.
    List,
    /// `YYYY-MM-DDTHH:mm:ss(.SSS)Z`.
    DateTime,
    /// An object, for which the provider has no type.
    Other,
}

impl DataType {
    /// The type of a value.
    pub(super) fn of(value: &Value) -> Self {
        match value {
            Value::Number(_) => Self::Number,
            Value::Bool(_) => Self::Boolean,
            Value::Array(_) => Self::List,
            Value::String(text) if moment::is_utc(text) => Self::DateTime,
            Value::String(_) => Self::String,
            Value::Null | Value::Object(_) => Self::Other,
        }
    }

    /// The provider's word, if it has one.
    pub(super) fn word(self) -> Option<&'static str> {
        match self {
            Self::Number => Some("number"),
            Self::String => Some("string"),
            Self::Boolean => Some("boolean"),
            Self::List => Some("list"),
            Self::DateTime => Some("datetime"),
            Self::Other => None,
        }
    }
}

/// The definition of an attribute.
#[derive(Debug, Clone)]
pub(super) struct Definition {
    /// The internal identifier.
    pub(super) key: String,
    /// The kind of object that it belongs to.
    pub(super) scope: Scope,
    /// Its name among the attributes.
    pub(super) code_name: String,
    /// Its type.
    pub(super) data_type: DataType,
    /// Milliseconds since the epoch.
    pub(super) created_at: i64,
}

/// Names that every JavaScript object has: attributes with these names are dropped silently.
const DROPPED_NAMES: [&str; 4] = ["__proto__", "constructor", "toString", "hasOwnProperty"];

/// Everything in one environment.
#[derive(Debug, Default)]
pub(super) struct UsertourStore {
    /// The users.
    pub(super) users: RowTable,
    /// The companies.
    pub(super) companies: RowTable,
    /// The segments of all projects, in the order of the database.
    pub(super) segments: Vec<Segment>,
    memberships: BTreeMap<(u64, u64), Membership>,
    definitions: Vec<Definition>,
    keys: u64,
    memberships_created: u64,
}

impl UsertourStore {
    /// A new internal identifier.
    pub(super) fn key(&mut self) -> String {
        self.keys += 1;
        let mut state = scramble(self.keys);
        let mut key = format!("cm{:07}", self.keys % 10_000_000);
        while key.len() < 25 {
            state = scramble(state);
            let digit = u32::try_from(state % 36).unwrap_or_default();
            key.extend(char::from_digit(digit, 36));
        }
        key
    }

    /// Whether the project has a segment with this identifier.
    pub(super) fn has_own_segment(&self, key: &str) -> bool {
        let mut segments = self.segments.iter();
        segments.any(|segment| segment.is_own && segment.key == key)
    }

    /// A row for a user or company created at a moment.
    pub(super) fn row(&mut self, id: &str, attributes: Map<String, Value>, at: i64) -> Row {
        Row {
            key: self.key(),
            id: id.to_owned(),
            attributes,
            created_at: at,
        }
    }

    /// The memberships of a user with the company's serial number, in the order of their creation.
    pub(super) fn companies_of(&self, user: u64) -> Vec<(u64, &Membership)> {
        let mut found: Vec<_> = self
            .memberships
            .range((user, 0)..=(user, u64::MAX))
            .map(|((_, company), membership)| (*company, membership))
            .collect();
        found.sort_by_key(|(_, membership)| membership.order);
        found
    }

    /// The memberships of a company with the user's serial number, in the order of their creation.
    pub(super) fn users_of(&self, company: u64) -> Vec<(u64, &Membership)> {
        let mut found: Vec<_> = self
            .memberships
            .iter()
            .filter(|((_, serial), _)| *serial == company)
            .map(|((user, _), membership)| (*user, membership))
            .collect();
        found.sort_by_key(|(_, membership)| membership.order);
        found
    }

    /// Whether a user belongs to a company.
    pub(super) fn is_member(&self, user: u64, company: u64) -> bool {
        self.memberships.contains_key(&(user, company))
    }

    /// Adds a user to a company. In a new membership a null attribute stays; in an old one it
    /// removes the key.
    pub(super) fn join(
        &mut self,
        user: u64,
        company: u64,
        attributes: Map<String, Value>,
        at: i64,
    ) {
        let attributes = self.typed(Scope::Membership, attributes, at);
        if let Some(membership) = self.memberships.get_mut(&(user, company)) {
            merge(&mut membership.attributes, attributes);
            return;
        }
        self.memberships_created += 1;
        let membership = Membership {
            key: self.key(),
            attributes,
            created_at: at,
            order: self.memberships_created,
        };
        self.memberships.insert((user, company), membership);
    }

    /// Deletes a membership.
    pub(super) fn leave(&mut self, user: u64, company: u64) -> Option<Membership> {
        self.memberships.remove(&(user, company))
    }

    /// Deletes a user and its memberships.
    pub(super) fn delete_user(&mut self, serial: u64) {
        self.users.remove(serial);
        self.memberships.retain(|(user, _), _| *user != serial);
    }

    /// Deletes a company and its memberships.
    pub(super) fn delete_company(&mut self, serial: u64) {
        self.companies.remove(serial);
        self.memberships
            .retain(|(_, company), _| *company != serial);
    }

    /// The attributes whose type fits. The first value of a new one defines its type; a value of
    /// another type is dropped silently.
    pub(super) fn typed(
        &mut self,
        scope: Scope,
        attributes: Map<String, Value>,
        at: i64,
    ) -> Map<String, Value> {
        attributes
            .into_iter()
            .filter(|(name, _)| !DROPPED_NAMES.contains(&name.as_str()))
            .filter(|(name, value)| {
                value.is_null() || self.has_defined_type(scope, name, value, at)
            })
            .collect()
    }

    fn has_defined_type(&mut self, scope: Scope, name: &str, value: &Value, at: i64) -> bool {
        let seen = DataType::of(value);
        let known = self
            .definitions
            .iter()
            .find(|definition| definition.scope == scope && definition.code_name == name);
        if let Some(definition) = known {
            return definition.data_type == seen;
        }
        self.define(scope, name, seen, at);
        true
    }

    /// Whether a value would be dropped, for its name or its type.
    pub(super) fn drops(&self, scope: Scope, name: &str, value: &Value) -> bool {
        let known = self.definitions.iter();
        let mut known = known.filter(|known| known.scope == scope && known.code_name == name);
        let is_other = known.any(|known| known.data_type != DataType::of(value));
        DROPPED_NAMES.contains(&name) || is_other
    }

    /// Defines an attribute.
    pub(super) fn define(&mut self, scope: Scope, name: &str, data_type: DataType, at: i64) {
        let key = self.key();
        self.definitions.push(Definition {
            key,
            scope,
            code_name: name.to_owned(),
            data_type,
            created_at: at,
        });
    }

    /// The defined attributes.
    pub(super) fn definitions(&self) -> &[Definition] {
        &self.definitions
    }
}

/// Merges one level deep; null removes a key.
pub(super) fn merge(into: &mut Map<String, Value>, changes: Map<String, Value>) {
    for (name, value) in changes {
        if value.is_null() {
            into.remove(&name);
        } else {
            into.insert(name, value);
        }
    }
}

/// Spreads the bits of a number (the finaliser of `SplitMix64`).
pub(super) fn scramble(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
