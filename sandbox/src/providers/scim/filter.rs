//! Filters, RFC 7644, section 3.4.2.2.

mod parse;

use std::cmp::Ordering;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::path::AttributePath;
pub(super) use parse::{FilterError, FilterRules};

/// A filter that selects resources, or items of a list.
#[derive(Debug)]
pub(super) enum Filter {
    And(Vec<Self>),
    Or(Vec<Self>),
    Not(Box<Self>),
    Present(AttributePath),
    Compare(Comparison),
    /// `emails[type eq "work"]`: an item that the filter selects.
    Within(AttributePath, Box<Self>),
}

/// An attribute compared with a value.
#[derive(Debug)]
pub(super) struct Comparison {
    path: AttributePath,
    operator: Operator,
    value: Value,
    /// Whether letter case counts.
    is_exact: bool,
    /// Whether the attribute is a moment.
    is_moment: bool,
}

/// How an attribute is compared.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Operator {
    Equal,
    NotEqual,
    Contains,
    StartsWith,
    EndsWith,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Filter {
    /// Whether the filter selects a resource or an item.
    pub(super) fn selects(&self, fields: &Map<String, Value>) -> bool {
        match self {
            Self::And(parts) => parts.iter().all(|part| part.selects(fields)),
            Self::Or(parts) => parts.iter().any(|part| part.selects(fields)),
            Self::Not(part) => !part.selects(fields),
            Self::Present(path) => path.values(fields).into_iter().any(is_present),
            Self::Compare(comparison) => comparison.selects(fields),
            Self::Within(path, filter) => items(path, fields)
                .into_iter()
                .any(|item| filter.selects(item)),
        }
    }
}

/// The items of a list, or the one complex value.
fn items<'a>(path: &AttributePath, fields: &'a Map<String, Value>) -> Vec<&'a Map<String, Value>> {
    let holder = match path.extension {
        Some(extension) => fields.get(extension).and_then(Value::as_object),
        None => Some(fields),
    };
    let key = holder.and_then(|holder| super::path::key_of(holder, &path.name));
    let found = holder.zip(key).and_then(|(holder, key)| holder.get(key));
    match found {
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_object).collect(),
        one => one.and_then(Value::as_object).into_iter().collect(),
    }
}

fn is_present(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        _ => true,
    }
}

impl Comparison {
    fn selects(&self, fields: &Map<String, Value>) -> bool {
        let values = self.path.values(fields);
        match self.operator {
            Operator::NotEqual => !self.any_equal(&values),
            Operator::Equal => self.any_equal(&values),
            _ => values.into_iter().any(|value| self.holds(value)),
        }
    }

    fn any_equal(&self, values: &[&Value]) -> bool {
        if self.value.is_null() {
            return !values.iter().any(|value| is_present(value));
        }
        values.iter().any(|value| match self.order(value) {
            Some(order) => order == Ordering::Equal,
            None => **value == self.value,
        })
    }

    fn holds(&self, value: &Value) -> bool {
        let order = self.order(value);
        match self.operator {
            Operator::Greater => order == Some(Ordering::Greater),
            Operator::GreaterOrEqual => order.is_some_and(Ordering::is_ge),
            Operator::Less => order == Some(Ordering::Less),
            Operator::LessOrEqual => order.is_some_and(Ordering::is_le),
            _ => self.has_part(value),
        }
    }

    fn has_part(&self, value: &Value) -> bool {
        let (Some(text), Some(part)) = (value.as_str(), self.value.as_str()) else {
            return false;
        };
        let (text, part) = (self.folded(text), self.folded(part));
        match self.operator {
            Operator::StartsWith => text.starts_with(&part),
            Operator::EndsWith => text.ends_with(&part),
            _ => text.contains(&part),
        }
    }

    /// How a value of the resource relates to the one of the filter.
    fn order(&self, value: &Value) -> Option<Ordering> {
        if let (Value::Number(one), Value::Number(other)) = (value, &self.value) {
            return match (one.as_i64(), other.as_i64()) {
                (Some(one), Some(other)) => Some(one.cmp(&other)),
                _ => one.as_f64()?.partial_cmp(&other.as_f64()?),
            };
        }
        let (one, other) = (value.as_str()?, self.value.as_str()?);
        if self.is_moment {
            let moment = |text: &str| text.parse::<Timestamp>().ok();
            return Some(moment(one)?.cmp(&moment(other)?));
        }
        Some(self.folded(one).cmp(&self.folded(other)))
    }

    fn folded(&self, text: &str) -> String {
        if self.is_exact {
            text.to_owned()
        } else {
            text.to_lowercase()
        }
    }
}
