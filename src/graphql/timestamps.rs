//! Moments as clients give them, before anything runs: a bad one is refused with the whole request, and
//! a bare date becomes the start of its day, which is all that the engine's own reader understands.

use apollo_compiler::{
    Schema,
    ast::Type,
    schema::{ExtendedType, FieldDefinition},
};
use async_graphql::{
    Positioned, ServerError, Variables,
    parser::types::{
        ExecutableDocument, Field, OperationDefinition, OperationType, Selection, SelectionSet,
    },
};
use async_graphql_value::Value;
use jiff::{Timestamp, civil::Date, tz::TimeZone};

use super::error::refusal;
use crate::error::ErrorCode;

/// The name of the scalar.
pub const NAME: &str = "DateTime";

/// The message about a value that is no moment.
pub const EXPECTED: &str = "a moment is expected, in ISO 8601 with its zone, such as `2026-02-03T04:05:06Z`, or a date such as `2026-02-03`";

/// The message about a moment that some time zone cannot express.
const TOO_LATE: &str = "the latest moment is `9999-12-30T22:00:00Z`, in ISO 8601: leave it out where there is no bound";

/// The message about a text that is no moment.
#[must_use]
pub fn refused(text: &str) -> &'static str {
    let (date, rest) = text.split_at_checked(DATE).unwrap_or_default();
    let is_late = date.starts_with("9999-12-3") && parse(&format!("9999-12-29{rest}")).is_some();
    if is_late { TOO_LATE } else { EXPECTED }
}

/// How many characters a date has: `2026-02-03`.
const DATE: usize = 10;

/// A moment in ISO 8601; of a date the start, in UTC.
#[must_use]
pub fn parse(text: &str) -> Option<Timestamp> {
    if text.len() != DATE {
        return text.parse().ok();
    }
    let date: Date = text.parse().ok()?;
    let start = date.to_zoned(TimeZone::UTC).ok()?;
    Some(start.timestamp())
}

/// Puts whole moments in the place of dates in variables that fit their types.
pub fn complete(operation: &OperationDefinition, variables: &mut Variables, schema: &Schema) {
    for definition in &operation.variable_definitions {
        let of = definition.node.var_type.node.to_string();
        let (Some(given), Ok(of)) = (
            variables.get_mut(&definition.node.name.node),
            Type::parse(of, "type"),
        ) else {
            continue;
        };
        if !may_hold(schema, &of) {
            continue;
        }
        let mut value = std::mem::take(given).into_value();
        // A text that is no moment was refused before.
        value_of(schema, &of, &mut value).ok();
        *given = value.into_const().unwrap_or_default();
    }
}

/// Checks the moments in a document's text and puts whole ones in the place of dates.
///
/// # Errors
/// Where a text is no moment.
pub fn complete_document(
    document: &mut ExecutableDocument,
    schema: &Schema,
) -> Result<(), Vec<ServerError>> {
    for fragment in document.fragments.values_mut() {
        let of = fragment.node.type_condition.node.on.node.to_string();
        set(schema, &of, &mut fragment.node.selection_set)?;
    }
    let operations = match &mut document.operations {
        async_graphql::parser::types::DocumentOperations::Single(only) => vec![only],
        async_graphql::parser::types::DocumentOperations::Multiple(all) => {
            all.values_mut().collect()
        }
    };
    for operation in operations {
        let kind = match operation.node.ty {
            OperationType::Query => apollo_compiler::ast::OperationType::Query,
            OperationType::Mutation => apollo_compiler::ast::OperationType::Mutation,
            OperationType::Subscription => apollo_compiler::ast::OperationType::Subscription,
        };
        if let Some(of) = schema.root_operation(kind) {
            set(schema, of.as_str(), &mut operation.node.selection_set)?;
        }
    }
    Ok(())
}

fn set(
    schema: &Schema,
    of: &str,
    set_of: &mut Positioned<SelectionSet>,
) -> Result<(), Vec<ServerError>> {
    for selection in &mut set_of.node.items {
        match &mut selection.node {
            Selection::Field(field) => self::field(schema, of, &mut field.node)?,
            Selection::InlineFragment(fragment) => {
                let condition = fragment.node.type_condition.as_ref();
                let on = condition.map_or_else(|| of.to_owned(), |on| on.node.on.node.to_string());
                set(schema, &on, &mut fragment.node.selection_set)?;
            }
            Selection::FragmentSpread(_) => {}
        }
    }
    Ok(())
}

fn field(schema: &Schema, of: &str, field: &mut Field) -> Result<(), Vec<ServerError>> {
    // A field without a declaration is introspection, which takes no moments.
    let Some(definition) = declared(schema, of, field.name.node.as_str()) else {
        return Ok(());
    };
    for (name, value) in &mut field.arguments {
        let Some(argument) = definition.argument_by_name(name.node.as_str()) else {
            continue;
        };
        value_of(schema, &argument.ty, &mut value.node).map_err(|(path, why)| {
            let message = format!("`{}{path}`: {why}", name.node);
            vec![refusal(ErrorCode::BadUserInput, message, Some(value.pos))]
        })?;
    }
    let below = definition.ty.inner_named_type().as_str();
    set(schema, below, &mut field.selection_set)
}

fn declared<'a>(schema: &'a Schema, of: &str, field: &str) -> Option<&'a FieldDefinition> {
    let fields = match schema.types.get(of)? {
        ExtendedType::Object(of) => &of.fields,
        ExtendedType::Interface(of) => &of.fields,
        _ => return None,
    };
    fields.get(field).map(|field| &**field)
}

/// Whether a value of a type can have a moment in it.
fn may_hold(schema: &Schema, of: &Type) -> bool {
    let name = of.inner_named_type();
    name == NAME || matches!(schema.types.get(name), Some(ExtendedType::InputObject(_)))
}

/// Completes the moments of a value; where one is no moment, the way to it and what to say.
fn value_of(schema: &Schema, of: &Type, value: &mut Value) -> Result<(), (String, &'static str)> {
    let name = of.inner_named_type();
    match value {
        Value::List(items) => items
            .iter_mut()
            .try_for_each(|item| value_of(schema, of.item_type(), item)),
        Value::String(text) if name == NAME => {
            let moment = parse(text).ok_or((String::new(), refused(text)))?;
            *text = moment.to_string();
            Ok(())
        }
        Value::Null | Value::Variable(_) => Ok(()),
        _ if name == NAME => Err((String::new(), EXPECTED)),
        Value::Object(members) => {
            let Some(ExtendedType::InputObject(of)) = schema.types.get(name) else {
                return Ok(());
            };
            members.iter_mut().try_for_each(|(key, member)| {
                let Some(field) = of.fields.get(key.as_str()) else {
                    return Ok(());
                };
                let found = value_of(schema, &field.ty, member);
                found.map_err(|(path, why)| (format!(".{key}{path}"), why))
            })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_date_is_the_start_of_its_day_and_other_texts_need_a_zone() {
        let shown = |text| parse(text).map(|moment| moment.to_string());

        let start = Some("2026-02-03T00:00:00Z".to_owned());
        assert_eq!(shown("2026-02-03"), start);
        assert_eq!(shown("2026-02-03T01:00:00+01:00"), start);
        for bad in [
            "yesterday",
            "2026-02-30",
            "2026-02-03T04:05:06",
            "20260203",
            "",
            "1700000000",
        ] {
            assert_eq!(shown(bad), None, "{bad}");
        }
    }
}
