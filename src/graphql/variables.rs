//! The coercion of variables (the GraphQL specification, section 6.1.2), before anything runs.
//!
//! The engine drops a variable that is missing or null without a word, though its type ends in `!`: of
//! `upsertUser(input: { vendorId: $id, email: "…" })` without `$id` it makes a write to whoever has
//! that address. Here a request is refused whose variables do not fit their types: presence, null, the
//! items of lists, enums, the fields of input objects, built-in scalars, and those of our own as far as
//! the engine can tell. Left to the engine are the types that [`Types`] does not know: `_Any`.

use async_graphql::{
    Request, Variables,
    parser::types::{ExecutableDocument, OperationDefinition, VariableDefinition},
};

use super::types::{Given, Types};

/// Whether the variables of a request fit the operation that is meant.
///
/// # Errors
/// Which does not and why, in words for the client.
pub fn check(request: &mut Request, types: &Types) -> Result<(), String> {
    let variables = std::mem::take(&mut request.variables);
    let name = request.operation_name.clone();
    let checked = match request.parsed_query() {
        Ok(document) => meant(document, name.as_deref())
            .into_iter()
            .flat_map(|operation| &operation.variable_definitions)
            .try_for_each(|definition| one(&definition.node, &variables, types)),
        // What cannot be parsed is refused by the engine, with the place of the mistake.
        Err(_) => Ok(()),
    };
    request.variables = variables;
    checked
}

/// The operation that will run; none when the request does not say which, and the engine refuses it.
fn meant<'a>(
    document: &'a ExecutableDocument,
    name: Option<&str>,
) -> Option<&'a OperationDefinition> {
    let mut operations = document.operations.iter();
    let (_, operation) = match name {
        Some(name) => operations.find(|(of, _)| of.is_some_and(|of| of == name))?,
        None if operations.len() == 1 => operations.next()?,
        None => return None,
    };
    Some(&operation.node)
}

fn one(
    definition: &VariableDefinition,
    variables: &Variables,
    types: &Types,
) -> Result<(), String> {
    let name = definition.name.node.as_str();
    let ty = &definition.var_type.node;
    let default = definition.default_value.as_ref();
    let (value, given) = match (variables.get(name), default) {
        (Some(value), _) => (value, Given::Json),
        (None, Some(default)) => (&default.node, Given::Literal),
        (None, None) if ty.nullable => return Ok(()),
        (None, None) => {
            return Err(format!("the variable `${name}` is missing: it is `{ty}`"));
        }
    };
    match types.misfit(ty, value, given) {
        Some(misfit) => Err(format!(
            "the variable `${name}` does not fit: `${name}{}`: {}",
            misfit.path, misfit.says
        )),
        None => Ok(()),
    }
}
