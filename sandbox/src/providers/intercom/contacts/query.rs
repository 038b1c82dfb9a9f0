//! The query of a search: a tree of filters, all checked before the search.

mod field;
mod filter;

use serde_json::{Map, Value};

use self::filter::SearchFilter;
use super::ContactRequest;
use crate::providers::intercom::error::IntercomError;
use crate::providers::intercom::store::{Contact, IntercomStore};
use crate::providers::intercom::version::Version;

/// Groups within groups.
const DEEPEST: usize = 2;
/// The filters of one group.
const WIDEST: usize = 15;
/// How far ahead of UTC the workspace's clock is, in seconds.
const TIMEZONE_OFFSET: u64 = 19_800;

/// The context in which all filters of a query are read.
struct SearchRules<'a> {
    store: &'a IntercomStore,
    /// Whether an address must have the same letter case.
    minds_case: bool,
    /// The most values of an `IN`.
    in_limit: Option<u64>,
    /// The time zone of the days by which dates are searched; from 2.17 on none, by seconds.
    days: Option<i64>,
}

/// A valid query.
pub(super) enum SearchQuery {
    /// `AND`.
    All(Vec<Self>),
    /// `OR`.
    Any(Vec<Self>),
    /// One field.
    One(SearchFilter),
}

impl SearchQuery {
    /// Parses a query.
    pub(super) fn parse(
        request: &ContactRequest<'_>,
        store: &IntercomStore,
        query: &Value,
    ) -> Result<Self, IntercomError> {
        let offset = request.behaviour.number("timezone_offset");
        let offset = i64::try_from(offset.unwrap_or(TIMEZONE_OFFSET)).unwrap_or_default();
        let rules = SearchRules {
            store,
            minds_case: request.is_case_sensitive(),
            in_limit: request.behaviour.number("in_limit"),
            days: (request.version < Version::V2_17).then_some(offset),
        };
        Self::read(&rules, query, 1)
    }

    fn read(rules: &SearchRules<'_>, query: &Value, depth: usize) -> Result<Self, IntercomError> {
        let node = query.as_object();
        let node = node.ok_or_else(|| IntercomError::invalid("a filter must be an object"))?;
        let operator = node.get("operator").and_then(Value::as_str);
        let operator = operator.ok_or_else(|| IntercomError::invalid("operator is needed"))?;
        if node.contains_key("field") {
            return SearchFilter::parse(rules, node, operator).map(Self::One);
        }
        match operator {
            "AND" => Self::group(rules, node, depth).map(Self::All),
            "OR" => Self::group(rules, node, depth).map(Self::Any),
            _ => Err(IntercomError::invalid("field is needed")),
        }
    }

    fn group(
        rules: &SearchRules<'_>,
        node: &Map<String, Value>,
        depth: usize,
    ) -> Result<Vec<Self>, IntercomError> {
        let parts = node.get("value").and_then(Value::as_array);
        let parts =
            parts.ok_or_else(|| IntercomError::invalid("a group needs a list of filters"))?;
        if depth > DEEPEST {
            return Err(IntercomError::invalid("filters are nested too deep"));
        }
        if parts.is_empty() || parts.len() > WIDEST {
            let message = format!("a group has from 1 to {WIDEST} filters");
            return Err(IntercomError::invalid(message));
        }
        let read = |part| Self::read(rules, part, depth + 1);
        parts.iter().map(read).collect()
    }

    /// Whether the contact matches the query.
    pub(super) fn matches(&self, contact: &Contact) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.matches(contact)),
            Self::Any(parts) => parts.iter().any(|part| part.matches(contact)),
            Self::One(filter) => filter.matches(contact),
        }
    }
}
