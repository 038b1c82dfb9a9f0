//! One filter: a field, an operator and a value of the field's type.

use std::collections::HashSet;

use serde_json::{Map, Number, Value};

use super::Rules;
use super::field::{Field, Kind};
use crate::providers::intercom::refusal::Refusal;
use crate::providers::intercom::store::Contact;

const DAY: i64 = 86_400;

/// A filter that is understood.
pub(in crate::providers::intercom::contacts) struct Filter {
    field: Field,
    folds: bool,
    test: Test,
}

enum Test {
    /// One of these; nothing is a value too.
    In(HashSet<Option<String>>),
    /// None of these.
    NotIn(HashSet<Option<String>>),
    /// A number below, above or at this one.
    Compare(Operator, f64),
    /// A time from the first second on, before the second.
    Within(i64, i64),
    /// A part of a text, without regard to letter case.
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
    fn parse(text: &str) -> Result<Self, Refusal> {
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
            "AND" | "OR" => return Err(Refusal::broken()),
            _ => return Err(Refusal::invalid(format!("operator '{text}' is invalid"))),
        })
    }

    /// The vendor's table of operators by type.
    fn fits(self, kind: Kind) -> bool {
        let equal = matches!(self, Self::Is | Self::IsNot);
        let listed = equal || matches!(self, Self::In | Self::NotIn);
        let sided = matches!(self, Self::Less | Self::More);
        match kind {
            Kind::Text | Kind::Address => {
                listed
                    || matches!(
                        self,
                        Self::Contains | Self::Lacks | Self::Starts | Self::Ends
                    )
            }
            Kind::Flag | Kind::Segment => listed,
            Kind::Number | Kind::Owner => {
                listed || sided || matches!(self, Self::AtMost | Self::AtLeast)
            }
            Kind::Date | Kind::CustomDate => self == Self::Is || sided,
            Kind::Tag => equal,
        }
    }
}

impl Filter {
    /// Reads a filter, or refuses it.
    pub(super) fn parse(
        rules: &Rules<'_>,
        node: &Map<String, Value>,
        operator: &str,
    ) -> Result<Self, Refusal> {
        let name = node.get("field").and_then(Value::as_str);
        let name = name.ok_or_else(|| Refusal::invalid("field must be a string"))?;
        let operator = Operator::parse(operator)?;
        let field = Field::named(rules, name)?;
        if !operator.fits(field.kind) {
            let message = format!("operator is not supported for field '{name}'");
            return Err(Refusal::invalid(message));
        }
        let value = node.get("value").unwrap_or(&Value::Null);
        let folds = field.kind == Kind::Address && !rules.minds_case;
        let mistyped = || Refusal::invalid(format!("value is invalid for field '{name}'"));
        let test = match operator {
            Operator::Is | Operator::IsNot | Operator::In | Operator::NotIn
                if !matches!(field.kind, Kind::Date | Kind::CustomDate) =>
            {
                membership(rules, &field, operator, value)?
            }
            _ => test(rules, field.kind, operator, value),
        };
        let test = test.ok_or_else(mistyped)?;
        Ok(Self { field, folds, test })
    }

    /// Whether it describes the contact.
    pub(super) fn matches(&self, contact: &Contact) -> bool {
        let held = self.field.of(contact);
        match &self.test {
            Test::In(wanted) => self.is_in(wanted, &held),
            Test::NotIn(unwanted) => !self.is_in(unwanted, &held),
            Test::Compare(operator, bound) => held.as_f64().is_some_and(|held| match operator {
                Operator::Less => held < *bound,
                Operator::More => held > *bound,
                Operator::AtMost => held <= *bound,
                _ => held >= *bound,
            }),
            Test::Within(from, until) => held
                .as_i64()
                .is_some_and(|held| (*from..*until).contains(&held)),
            Test::Part(operator, part) => {
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

/// A value as sets hold it.
fn key(value: &Value, folds: bool) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) if folds => Some(text.to_lowercase()),
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// Equality with one value, or with one of a list; nothing where a value has a wrong type.
fn membership(
    rules: &Rules<'_>,
    field: &Field,
    operator: Operator,
    value: &Value,
) -> Result<Option<Test>, Refusal> {
    let values = match (operator, value) {
        (Operator::Is | Operator::IsNot, one) => std::slice::from_ref(one),
        (_, Value::Array(many)) => many.as_slice(),
        _ => return Ok(None),
    };
    let count = u64::try_from(values.len()).unwrap_or(u64::MAX);
    if rules.in_limit.is_some_and(|limit| count > limit) && operator != Operator::Is {
        return Err(Refusal::invalid("value has too many entries"));
    }
    let folds = field.kind == Kind::Address && !rules.minds_case;
    let is_single = matches!(operator, Operator::Is | Operator::IsNot);
    let mut set = HashSet::new();
    for value in values {
        if !(is_single && value.is_null() || has_type(field.kind, value)) {
            return Ok(None);
        }
        set.insert(key(value, folds));
    }
    Ok(Some(match operator {
        Operator::Is | Operator::In => Test::In(set),
        _ => Test::NotIn(set),
    }))
}

fn has_type(kind: Kind, value: &Value) -> bool {
    match kind {
        Kind::Flag => value.is_boolean(),
        Kind::Number | Kind::Owner => number(kind, value).is_some(),
        _ => value.is_string(),
    }
}

fn number(kind: Kind, value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(digits) if kind == Kind::Owner => {
            digits.parse::<i64>().map(Number::from).ok()?.as_f64()
        }
        _ => None,
    }
}

fn test(rules: &Rules<'_>, kind: Kind, operator: Operator, value: &Value) -> Option<Test> {
    match kind {
        Kind::Date => within(operator, seconds(value)?, rules.days),
        Kind::CustomDate => within(operator, seconds(value)?, rules.days.or(Some(0))),
        Kind::Number | Kind::Owner => Some(Test::Compare(operator, number(kind, value)?)),
        _ => Some(Test::Part(operator, value.as_str()?.to_lowercase())),
    }
}

/// The vendor's own sample has the digits in a string.
fn seconds(value: &Value) -> Option<i64> {
    match value {
        Value::String(digits) => digits.parse().ok(),
        other => other.as_i64(),
    }
}

/// The time that an operator leaves: by the days of a clock, or by seconds.
fn within(operator: Operator, at: i64, clock: Option<i64>) -> Option<Test> {
    let (start, end) = match clock {
        Some(offset) => {
            let into_the_day = at.checked_add(offset)?.rem_euclid(DAY);
            let start = at.checked_sub(into_the_day)?;
            (start, start.checked_add(DAY)?)
        }
        None => (at, at.checked_add(1)?),
    };
    Some(match operator {
        Operator::Less => Test::Within(i64::MIN, start),
        Operator::More => Test::Within(end, i64::MAX),
        _ => Test::Within(start, end),
    })
}
