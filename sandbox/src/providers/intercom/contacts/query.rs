//! The query of a search: a tree of filters, checked before anybody is compared.

mod field;
mod filter;

use serde_json::{Map, Value};

use self::filter::Filter;
use super::Call;
use crate::providers::intercom::refusal::Refusal;
use crate::providers::intercom::store::{Contact, Store};
use crate::providers::intercom::version::Version;

/// Groups within groups.
const DEEPEST: usize = 2;
/// The filters of one group.
const WIDEST: usize = 15;
/// How far ahead of UTC the workspace's clock is, in seconds.
const TIMEZONE_OFFSET: u64 = 19_800;

/// What all the filters of a query are read with.
struct Rules<'a> {
    store: &'a Store,
    /// Whether an address must have the same letter case.
    minds_case: bool,
    /// The most values of an `IN`.
    in_limit: Option<u64>,
    /// The clock whose days dates are searched by; from 2.17 on it is by seconds.
    days: Option<i64>,
}

/// A query that is understood.
pub(super) enum Query {
    /// `AND`.
    All(Vec<Self>),
    /// `OR`.
    Any(Vec<Self>),
    /// One field.
    One(Filter),
}

impl Query {
    /// Reads a query, or refuses it.
    pub(super) fn parse(call: &Call<'_>, store: &Store, query: &Value) -> Result<Self, Refusal> {
        let offset = call.behaviour.number("timezone_offset");
        let offset = i64::try_from(offset.unwrap_or(TIMEZONE_OFFSET)).unwrap_or_default();
        let rules = Rules {
            store,
            minds_case: call.minds_case(),
            in_limit: call.behaviour.number("in_limit"),
            days: (call.version < Version::V2_17).then_some(offset),
        };
        Self::read(&rules, query, 1)
    }

    fn read(rules: &Rules<'_>, query: &Value, depth: usize) -> Result<Self, Refusal> {
        let node = query.as_object();
        let node = node.ok_or_else(|| Refusal::invalid("a filter must be an object"))?;
        let operator = node.get("operator").and_then(Value::as_str);
        let operator = operator.ok_or_else(|| Refusal::invalid("operator is needed"))?;
        if node.contains_key("field") {
            return Filter::parse(rules, node, operator).map(Self::One);
        }
        match operator {
            "AND" => Self::group(rules, node, depth).map(Self::All),
            "OR" => Self::group(rules, node, depth).map(Self::Any),
            _ => Err(Refusal::invalid("field is needed")),
        }
    }

    fn group(
        rules: &Rules<'_>,
        node: &Map<String, Value>,
        depth: usize,
    ) -> Result<Vec<Self>, Refusal> {
        let parts = node.get("value").and_then(Value::as_array);
        let parts = parts.ok_or_else(|| Refusal::invalid("a group needs a list of filters"))?;
        if depth > DEEPEST {
            return Err(Refusal::invalid("filters are nested too deep"));
        }
        if parts.is_empty() || parts.len() > WIDEST {
            let message = format!("a group has from 1 to {WIDEST} filters");
            return Err(Refusal::invalid(message));
        }
        let read = |part| Self::read(rules, part, depth + 1);
        parts.iter().map(read).collect()
    }

    /// Whether the query describes the contact.
    pub(super) fn matches(&self, contact: &Contact) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.matches(contact)),
            Self::Any(parts) => parts.iter().any(|part| part.matches(contact)),
            Self::One(filter) => filter.matches(contact),
        }
    }
}
