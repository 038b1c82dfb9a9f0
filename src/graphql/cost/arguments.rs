//! The arguments of a field that decide its cost.

use std::collections::BTreeMap;

use async_graphql::{Name, Value, parser::types::Field};
use async_graphql_value::Value as Literal;

use super::{CostCalculator, CostError};
use crate::account::{Account, Provider};

impl<'a> CostCalculator<'a> {
    /// How many keys an argument holds.
    pub(super) fn keys(&self, field: &Field, argument: &str) -> Result<u64, CostError> {
        let keys = match self.argument(field, argument) {
            Some(ArgumentValue::Items(items)) => items,
            Some(_) => 1,
            None => 0,
        };
        let (name, most) = (field.name.node.as_str(), self.graph.limits.keys);
        if keys > most {
            let message = format!("`{name}` is asked for too many things: {keys}, at most {most}");
            return Err(message.into());
        }
        Ok(keys as u64)
    }

    pub(super) fn is_exact(&self, field: &Field) -> bool {
        match self.argument(field, "match") {
            Some(ArgumentValue::Name(name)) => name == "EXACT",
            _ => true,
        }
    }

    /// The page size that a field asks for. More than a page is refused where it is asked for, and reads
    /// nothing.
    pub(super) fn page(&self, field: &Field, unless_given: u64) -> u64 {
        let asked = |name| match self.argument(field, name)? {
            ArgumentValue::Number(number) => Some(number),
            _ => None,
        };
        let asked = asked("first").or_else(|| asked("last"));
        asked
            .unwrap_or(unless_given)
            .min(u64::from(self.graph.limits.page))
    }

    /// The calls that a list needs at its account, which no other field shares.
    pub(super) fn calls(&self, parent: &str, field: &Field) -> BTreeMap<Account, u64> {
        let is_list = (parent, field.name.node.as_str()) == ("Query", "users");
        let of_list = is_list.then(|| self.calls_of_list(field)).flatten();
        of_list.into_iter().collect()
    }

    pub(super) fn calls_of_list(&self, field: &Field) -> Option<(Account, u64)> {
        let Some(ArgumentValue::Name(name)) = self.argument(field, "provider") else {
            return None;
        };
        let mut providers = Provider::ALL.into_iter();
        let provider = providers.find(|of| Value::from(*of) == Value::Enum(Name::new(name)))?;
        let account = match self.argument(field, "account") {
            Some(ArgumentValue::Name(account)) => Some(account),
            _ => None,
        };
        let account = self.graph.accounts.resolve_one(provider, account).ok()?;
        let directory = self.graph.accounts.directory(account).ok()?;
        let size = u64::from(directory.capabilities()?.pagination.max_page_size.max(1));
        Some((account, self.page(field, 20).div_ceil(size).max(1)))
    }

    /// How many values an argument holds, variables put in.
    pub(super) fn values(&mut self, value: &'a Literal) -> u64 {
        match value {
            Literal::Variable(name) => {
                self.has_variable.set(true);
                if let Some(size) = self.sizes.get(name.as_str()) {
                    return *size;
                }
                let size = self.variables.get(name.as_str()).map_or(0, values);
                self.sizes.insert(name, size);
                size
            }
            Literal::List(items) => 1 + items.iter().map(|item| self.values(item)).sum::<u64>(),
            Literal::Object(fields) => {
                1 + fields.values().map(|field| self.values(field)).sum::<u64>()
            }
            _ => 1,
        }
    }

    /// The value of an argument, read in place: a value may be large, and stand behind many arguments.
    pub(super) fn argument<'v>(
        &'v self,
        field: &'v Field,
        name: &str,
    ) -> Option<ArgumentValue<'v>> {
        match &field.get_argument(name)?.node {
            Literal::Variable(name) => {
                self.has_variable.set(true);
                match self.variables.get(name)? {
                    Value::Number(number) => number.as_u64().map(ArgumentValue::Number),
                    Value::Enum(name) => Some(ArgumentValue::Name(name)),
                    Value::String(name) => Some(ArgumentValue::Name(name)),
                    Value::List(items) => Some(ArgumentValue::Items(items.len())),
                    _ => Some(ArgumentValue::Other),
                }
            }
            Literal::Number(number) => number.as_u64().map(ArgumentValue::Number),
            Literal::Enum(name) => Some(ArgumentValue::Name(name)),
            Literal::String(name) => Some(ArgumentValue::Name(name)),
            Literal::List(items) => Some(ArgumentValue::Items(items.len())),
            _ => Some(ArgumentValue::Other),
        }
    }
}

/// How many values a variable holds.
fn values(value: &Value) -> u64 {
    match value {
        Value::List(items) => 1 + items.iter().map(values).sum::<u64>(),
        Value::Object(fields) => 1 + fields.values().map(values).sum::<u64>(),
        _ => 1,
    }
}

/// The part of an argument that decides the cost.
pub(super) enum ArgumentValue<'a> {
    Number(u64),
    Name(&'a str),
    Items(usize),
    Other,
}
