//! The coercion of variables (the GraphQL specification, section 6.1.2), before anything runs.
//!
//! The engine drops a variable that is missing or null without a word, though its type ends in `!`: of
//! `upsertUser(input: { remoteId: $id, email: "…" })` without `$id` it makes a write to whoever has
//! that address. The parser's crate has a coercion too, but its messages repeat the values: these are
//! personal data, of any length. What is in `JSON` and `_Any` is left to the engine.

use apollo_compiler::{
    Schema,
    ast::Type as SchemaType,
    schema::{ExtendedType, InputObjectType},
};
use async_graphql::{
    Name, Value, Variables,
    indexmap::IndexMap,
    parser::types::{BaseType, OperationDefinition, Type, VariableDefinition},
};

use super::timestamps;

/// Puts the defaults of variables in, where none is given: `@skip` and `@include` need them, and the
/// engine reads the variables alone.
pub fn add_defaults(operation: &OperationDefinition, variables: &mut Variables) {
    for variable in &operation.variable_definitions {
        if let Some(default) = &variable.node.default_value {
            let name = variable.node.name.node.clone();
            variables.entry(name).or_insert(default.node.clone());
        }
    }
}

/// Whether the variables of a request, defaults included, fit the operation that will run.
///
/// # Errors
/// Which does not and why, in words for the client.
pub fn check(
    operation: &OperationDefinition,
    variables: &Variables,
    schema: &Schema,
) -> Result<(), String> {
    let mut definitions = operation.variable_definitions.iter();
    definitions.try_for_each(|definition| check_variable(&definition.node, variables, schema))
}

fn check_variable(
    definition: &VariableDefinition,
    variables: &Variables,
    schema: &Schema,
) -> Result<(), String> {
    let name = definition.name.node.as_str();
    let ty = &definition.var_type.node;
    let Some(value) = variables.get(name) else {
        return if ty.nullable {
            Ok(())
        } else {
            Err(format!("the variable `${name}` is missing: it is `{ty}`"))
        };
    };
    match coercion_error(schema, ty, value) {
        Some(misfit) => Err(format!(
            "the variable `${name}` does not fit: `${name}{}`: {}",
            misfit.path, misfit.problem
        )),
        None => Ok(()),
    }
}

/// A value that does not fit its type.
struct CoercionError {
    /// Where in the value, such as `.companies[0].name`.
    path: String,
    /// The problem, without the value.
    problem: String,
}

impl CoercionError {
    fn new(problem: impl Into<String>) -> Self {
        Self {
            path: String::new(),
            problem: problem.into(),
        }
    }

    fn within_path(self, step: &str) -> Self {
        Self {
            path: format!("{step}{}", self.path),
            ..self
        }
    }
}

fn coercion_error(schema: &Schema, ty: &Type, value: &Value) -> Option<CoercionError> {
    match (value, &ty.base) {
        (Value::Null, _) => {
            (!ty.nullable).then(|| CoercionError::new(format!("null where `{ty}` is expected")))
        }
        (Value::List(items), BaseType::List(of)) => {
            items.iter().enumerate().find_map(|(at, item)| {
                Some(coercion_error(schema, of, item)?.within_path(&format!("[{at}]")))
            })
        }
        // One value stands for a list of one.
        (_, BaseType::List(of)) => coercion_error(schema, of, value),
        (_, BaseType::Named(name)) => named(schema, name, value),
    }
}

fn named(schema: &Schema, name: &str, value: &Value) -> Option<CoercionError> {
    let fits = match (name, value) {
        (timestamps::NAME, Value::String(text)) if timestamps::parse(text).is_some() => true,
        (timestamps::NAME, Value::String(text)) => {
            return Some(CoercionError::new(timestamps::refused(text)));
        }
        (timestamps::NAME, _) => return Some(CoercionError::new(timestamps::EXPECTED)),
        ("Int", Value::Number(number)) => number
            .as_i64()
            .is_some_and(|whole| i32::try_from(whole).is_ok()),
        ("ID", Value::Number(number)) => !number.is_f64(),
        ("Float", Value::Number(_))
        | ("String" | "ID", Value::String(_))
        | ("Boolean", Value::Boolean(_)) => true,
        ("Int" | "Float" | "String" | "ID" | "Boolean", _) => false,
        _ => return declared(schema, name, value),
    };
    (!fits).then(|| expected(name))
}

fn declared(schema: &Schema, name: &str, value: &Value) -> Option<CoercionError> {
    match (schema.types.get(name)?, value) {
        // JSON has no enums: their values are strings there. A default in the document has them.
        (ExtendedType::Enum(of), Value::String(text)) if !of.values.contains_key(text.as_str()) => {
            Some(CoercionError::new(format!("`{text:.40}` is no `{name}`")))
        }
        (ExtendedType::Enum(_), Value::String(_) | Value::Enum(_)) => None,
        (ExtendedType::InputObject(of), Value::Object(values)) => object(schema, of, values),
        (ExtendedType::Enum(_) | ExtendedType::InputObject(_), _) => Some(expected(name)),
        _ => None,
    }
}

fn object(
    schema: &Schema,
    of: &InputObjectType,
    values: &IndexMap<Name, Value>,
) -> Option<CoercionError> {
    let name = of.name.as_str();
    let is_one_of = of.directives.has("oneOf");
    if is_one_of && (values.len() != 1 || values.values().any(|value| *value == Value::Null)) {
        let problem = format!("`{name}` takes exactly one field, which is not null");
        return Some(CoercionError::new(problem));
    }
    let unknown = values
        .keys()
        .find(|key| !of.fields.contains_key(key.as_str()));
    if let Some(unknown) = unknown {
        let problem = format!("`{name}` has no field `{:.40}`", unknown.as_str());
        return Some(CoercionError::new(problem));
    }
    of.fields.values().find_map(|field| {
        let misfit = match values.get(field.name.as_str()) {
            Some(value) => coercion_error(schema, &type_of(&field.ty)?, value),
            None if !field.is_required() => None,
            None => Some(CoercionError::new(format!("`{}` is missing", field.ty))),
        };
        misfit.map(|misfit| misfit.within_path(&format!(".{}", field.name)))
    })
}

fn type_of(ty: &SchemaType) -> Option<Type> {
    Type::new(&ty.to_string())
}

fn expected(name: &str) -> CoercionError {
    CoercionError::new(format!("a value of type `{name}` is expected"))
}
