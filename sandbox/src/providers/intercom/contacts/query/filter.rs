//! One filter: a field, an operator and a value of the field's type.

use std::collections::HashSet;

use serde_json::{Map, Number, Value};

use super::SearchRules;
use super::field::{FieldKind, SearchField};
use crate::providers::intercom::error::IntercomError;
use crate::providers::intercom::store::Contact;

const DAY: i64 = 86_400;

/// A valid filter.
pub(in crate::providers::intercom::contacts) struct SearchFilter {
    field: SearchField,
    folds: bool,
    test: Predicate,
}

enum Predicate {
    /// One of these; none is a value, too.
    In(HashSet<Option<String>>),
    /// None of these.
    NotIn(HashSet<Option<String>>),
    /// A number below, above or at this one.
    Compare(Operator, f64),
    /// A time from the first second on, before the second.
    Within(i64, i64),
    /// A part of a text, in any letter case.
    Part(Operator, String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Is,
    IsNot,
    In,
    NotIn,
    Less,
    More,
    AtMost,
    AtLeast,
    Contains,
    Lacks,
    Starts,
    Ends,
}

impl Operator {
    fn parse(text: &str) -> Result<Self, IntercomError> {
        Ok(match text {
            "=" => Self::Is,
            "!=" => Self::IsNot,
            "IN" => Self::In,
            "NIN" => Self::NotIn,
            "<" => Self::Less,
            ">" => Self::More,
            "<=" => Self::AtMost,
            ">=" => Self::AtLeast,
            "~" => Self::Contains,
            "!~" => Self::Lacks,
            "^" => Self::Starts,
            "$" => Self::Ends,
            // The operators of groups are not expected at a field.
            "AND" | "OR" => return Err(IntercomError::broken()),
            _ => {
                return Err(IntercomError::invalid(format!(
                    "operator '{text}' is invalid"
                )));
            }
        })
    }

    /// The provider's table of operators by type.
    fn fits(self, kind: FieldKind) -> bool {
        let equal = matches!(self, Self::Is | Self::IsNot);
        let listed = equal || matches!(self, Self::In | Self::NotIn);
        let sided = matches!(self, Self::Less | Self::More);
        match kind {
            FieldKind::Text | FieldKind::Address => {
                listed
                    || matches!(
                        self,
                        Self::Contains | Self::Lacks | Self::Starts | Self::Ends
                    )
            }
            FieldKind::Flag | FieldKind::Segment => listed,
            FieldKind::Number | FieldKind::Owner => {
                listed || sided || matches!(self, Self::AtMost | Self::AtLeast)
            }
            FieldKind::Date | FieldKind::CustomDate => self == Self::Is || sided,
            FieldKind::Tag => equal,
        }
    }
}

impl SearchFilter {
    /// Parses a filter.
    pub(super) fn parse(
        rules: &SearchRules<'_>,
        node: &Map<String, Value>,
        operator: &str,
    ) -> Result<Self, IntercomError> {
        let name = node.get("field").and_then(Value::as_str);
        let name = name.ok_or_else(|| IntercomError::invalid("field must be a string"))?;
        let operator = Operator::parse(operator)?;
        let field = SearchField::named(rules, name)?;
        if !operator.fits(field.kind) {
            let message = format!("operator is not supported for field '{name}'");
            return Err(IntercomError::invalid(message));
        }
        let value = node.get("value").unwrap_or(&Value::Null);
        let folds = field.kind == FieldKind::Address && !rules.minds_case;
        let mistyped = || IntercomError::invalid(format!("value is invalid for field '{name}'"));
        let test = match operator {
            Operator::Is | Operator::IsNot | Operator::In | Operator::NotIn
                if !matches!(field.kind, FieldKind::Date | FieldKind::CustomDate) =>
            {
                membership(rules, &field, operator, value)?
            }
            _ => test(rules, field.kind, operator, value),
        };
        let test = test.ok_or_else(mistyped)?;
        Ok(Self { field, folds, test })
    }

    /// Whether the contact matches.
    pub(super) fn matches(&self, contact: &Contact) -> bool {
        let held = self.field.of(contact);
        match &self.test {
            Predicate::In(wanted) => self.is_in(wanted, &held),
            Predicate::NotIn(unwanted) => !self.is_in(unwanted, &held),
            Predicate::Compare(operator, bound) => {
                held.as_f64().is_some_and(|held| match operator {
                    Operator::Less => held < *bound,
                    Operator::More => held > *bound,
                    Operator::AtMost => held <= *bound,
                    _ => held >= *bound,
                })
            }
            Predicate::Within(from, until) => held
                .as_i64()
                .is_some_and(|held| (*from..*until).contains(&held)),
            Predicate::Part(operator, part) => {
                let held = held.as_str().map(str::to_lowercase);
                let has = |test: fn(&str, &str) -> bool| {
                    held.as_deref().is_some_and(|held| test(held, part))
                };
                match operator {
                    Operator::Contains => has(|held, part| held.contains(part)),
                    Operator::Lacks => !has(|held, part| held.contains(part)),
                    Operator::Starts => has(|held, part| held.starts_with(part)),
                    _ => has(|held, part| held.ends_with(part)),
                }
            }
        }
    }

    fn is_in(&self, set: &HashSet<Option<String>>, held: &Value) -> bool {
        match held {
            Value::Array(many) if many.is_empty() => set.contains(&None),
            Value::Array(many) => many.iter().any(|one| set.contains(&key(one, self.folds))),
            one => set.contains(&key(one, self.folds)),
        }
    }
}

/// A value as the sets store it.
fn key(value: &Value, folds: bool) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) if folds => Some(text.to_lowercase()),
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// Equality with one value, or with one of a list; none where a value has a wrong type.
fn membership(
    rules: &SearchRules<'_>,
    field: &SearchField,
    operator: Operator,
    value: &Value,
) -> Result<Option<Predicate>, IntercomError> {
    let values = match (operator, value) {
        (Operator::Is | Operator::IsNot, one) => std::slice::from_ref(one),
        (_, Value::Array(many)) => many.as_slice(),
        _ => return Ok(None),
    };
    let count = u64::try_from(values.len()).unwrap_or(u64::MAX);
    if rules.in_limit.is_some_and(|limit| count > limit) && operator != Operator::Is {
        return Err(IntercomError::invalid("value has too many entries"));
    }
    let folds = field.kind == FieldKind::Address && !rules.minds_case;
    let is_single = matches!(operator, Operator::Is | Operator::IsNot);
    let mut set = HashSet::new();
    for value in values {
        if !(is_single && value.is_null() || has_type(field.kind, value)) {
            return Ok(None);
        }
        set.insert(key(value, folds));
    }
    Ok(Some(match operator {
        Operator::Is | Operator::In => Predicate::In(set),
        _ => Predicate::NotIn(set),
    }))
}

fn has_type(kind: FieldKind, value: &Value) -> bool {
    match kind {
        FieldKind::Flag => value.is_boolean(),
        FieldKind::Number | FieldKind::Owner => number(kind, value).is_some(),
        _ => value.is_string(),
    }
}

fn number(kind: FieldKind, value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(digits) if kind == FieldKind::Owner => {
            digits.parse::<i64>().map(Number::from).ok()?.as_f64()
        }
        _ => None,
    }
}

fn test(
    rules: &SearchRules<'_>,
    kind: FieldKind,
    operator: Operator,
    value: &Value,
) -> Option<Predicate> {
    match kind {
        FieldKind::Date => time_range(operator, seconds(value)?, rules.days),
        FieldKind::CustomDate => time_range(operator, seconds(value)?, rules.days.or(Some(0))),
        FieldKind::Number | FieldKind::Owner => {
            Some(Predicate::Compare(operator, number(kind, value)?))
        }
        _ => Some(Predicate::Part(operator, value.as_str()?.to_lowercase())),
    }
}

/// The provider's own sample has the digits in a string.
fn seconds(value: &Value) -> Option<i64> {
    match value {
        Value::String(digits) => digits.parse().ok(),
        other => other.as_i64(),
    }
}

/// The range of time that an operator selects: by the days of a time zone, or by seconds.
fn time_range(operator: Operator, at: i64, clock: Option<i64>) -> Option<Predicate> {
    let (start, end) = match clock {
        Some(offset) => {
            let into_the_day = at.checked_add(offset)?.rem_euclid(DAY);
            let start = at.checked_sub(into_the_day)?;
            (start, start.checked_add(DAY)?)
        }
        None => (at, at.checked_add(1)?),
    };
    Some(match operator {
        Operator::Less => Predicate::Within(i64::MIN, start),
        Operator::More => Predicate::Within(end, i64::MAX),
        _ => Predicate::Within(start, end),
    })
}
