//! Values in the document that the engine takes though they do not fit: `provider: "ADA"`, a string
//! where an enum is due, whole numbers beyond 32 bits where an `Int` is, and variables of another type
//! than the place where they are used.

use std::{collections::HashSet, convert::Infallible};

use async_graphql::{
    Name, Positioned, Value,
    parser::types::{
        BaseType, ExecutableDocument, Field, OperationType, Selection, SelectionSet, Type,
        VariableDefinition,
    },
};

use super::types::{Given, Place, Types};

/// Whether the values in a document fit. Each operation is looked at with the fragments that it
/// spreads, each of them once.
///
/// # Errors
/// Which does not and why, in words for the client.
pub fn check(document: &ExecutableDocument, types: &Types) -> Result<(), String> {
    for (_, operation) in document.operations.iter() {
        let root = match operation.node.ty {
            OperationType::Query => types.query(),
            OperationType::Mutation => types.mutation(),
            OperationType::Subscription => continue,
        };
        let mut walk = Walk {
            document,
            types,
            variables: &operation.node.variable_definitions,
            spread: HashSet::new(),
        };
        walk.set(root, &operation.node.selection_set.node)?;
    }
    Ok(())
}

struct Walk<'a> {
    document: &'a ExecutableDocument,
    types: &'a Types,
    variables: &'a [Positioned<VariableDefinition>],
    spread: HashSet<&'a str>,
}

impl<'a> Walk<'a> {
    fn set(&mut self, parent: &str, of: &'a SelectionSet) -> Result<(), String> {
        for selection in &of.items {
            match &selection.node {
                Selection::Field(of) => self.field(parent, &of.node)?,
                Selection::InlineFragment(fragment) => {
                    let condition = fragment.node.type_condition.as_ref();
                    let on = condition.map_or(parent, |condition| &condition.node.on.node);
                    self.set(on, &fragment.node.selection_set.node)?;
                }
                Selection::FragmentSpread(spread) => {
                    let name = spread.node.fragment_name.node.as_str();
                    let fragment = self.document.fragments.get(name);
                    if let Some(fragment) = fragment.filter(|_| self.spread.insert(name)) {
                        let on = &fragment.node.type_condition.node.on.node;
                        self.set(on, &fragment.node.selection_set.node)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn field(&mut self, parent: &str, of: &'a Field) -> Result<(), String> {
        let types = self.types;
        let name = of.name.node.as_str();
        // What the schema does not have is refused by the engine.
        let Some(known) = types.field(parent, name) else {
            return Ok(());
        };
        for (argument, value) in &of.arguments {
            let Some(known) = known.args.get(argument.node.as_str()) else {
                continue;
            };
            let Some(place) = Place::of(known) else {
                continue;
            };
            let value = value.node.clone();
            let Ok(value) = value.into_const_with(|name| Ok::<_, Infallible>(marked(&name)));
            if let Some(misfit) = types.misfit(&place.ty, &value, Given::Literal) {
                return Err(format!(
                    "`{name}({argument}:)` does not fit: `{argument}{}`: {}",
                    misfit.path,
                    misfit.says,
                    argument = argument.node,
                ));
            }
            types.leaves(&place, &value, &mut |place, value| {
                self.variable(place, value)
            })?;
        }
        match types.below(parent, name) {
            Some(below) => self.set(below, &of.selection_set.node),
            None => Ok(()),
        }
    }

    fn variable(&self, place: &Place, value: &Value) -> Result<(), String> {
        let Value::Enum(mark) = value else {
            return Ok(());
        };
        let mut variables = self.variables.iter().map(|variable| &variable.node);
        let is_it = |variable: &&VariableDefinition| {
            mark.strip_prefix('$') == Some(variable.name.node.as_str())
        };
        // One that is not declared is refused by the engine.
        match variables.find(is_it) {
            Some(variable) if !may_stand(variable, place) => Err(format!(
                "the variable `{mark}` is `{}`, and stands where `{}` is expected",
                variable.var_type.node, place.ty
            )),
            _ => Ok(()),
        }
    }
}

/// A variable within a value: no name in a document has a `$`, so that it is taken for nothing else.
fn marked(name: &Name) -> Value {
    Value::Enum(Name::new(format!("${name}")))
}

/// Whether a variable may stand in a place (the GraphQL specification, section 5.8.5).
fn may_stand(variable: &VariableDefinition, place: &Place) -> bool {
    let ty = &variable.var_type.node;
    let default = variable.default_value.as_ref();
    let has_default = default.is_some_and(|default| default.node != Value::Null);
    let is_never_null = !ty.nullable || has_default || place.has_default;
    (place.ty.nullable || is_never_null) && is_base(&ty.base, &place.ty.base)
}

fn is_base(of: &BaseType, wanted: &BaseType) -> bool {
    match (of, wanted) {
        (BaseType::Named(of), BaseType::Named(wanted)) => of == wanted,
        (BaseType::List(of), BaseType::List(wanted)) => is_within(of, wanted),
        _ => false,
    }
}

fn is_within(of: &Type, wanted: &Type) -> bool {
    (wanted.nullable || !of.nullable) && is_base(&of.base, &wanted.base)
}
