//! Values in the document that the engine takes though they do not fit: `provider: "ADA"`, a string
//! where an enum is due, and whole numbers beyond 32 bits where an `Int` is.

use std::convert::Infallible;

use async_graphql::{
    Value,
    parser::types::{ExecutableDocument, Field, OperationType, Selection, SelectionSet, Type},
};

use super::types::{Given, Types};

/// Whether the values in a document fit. Each definition is looked at once, fragments not expanded.
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
        set(root, &operation.node.selection_set.node, types)?;
    }
    for fragment in document.fragments.values() {
        let on = &fragment.node.type_condition.node.on.node;
        set(on, &fragment.node.selection_set.node, types)?;
    }
    Ok(())
}

fn set(parent: &str, of: &SelectionSet, types: &Types) -> Result<(), String> {
    for selection in &of.items {
        match &selection.node {
            Selection::Field(of) => field(parent, &of.node, types)?,
            Selection::InlineFragment(fragment) => {
                let condition = fragment.node.type_condition.as_ref();
                let on = condition.map_or(parent, |condition| &condition.node.on.node);
                set(on, &fragment.node.selection_set.node, types)?;
            }
            Selection::FragmentSpread(_) => {}
        }
    }
    Ok(())
}

fn field(parent: &str, of: &Field, types: &Types) -> Result<(), String> {
    let name = of.name.node.as_str();
    // What the schema does not have is refused by the engine.
    let Some(known) = types.field(parent, name) else {
        return Ok(());
    };
    for (argument, value) in &of.arguments {
        let argument = argument.node.as_str();
        let ty = known.args.get(argument).and_then(|of| Type::new(&of.ty));
        // Variables are looked at by themselves: here each is a null, which passes.
        let value = value.node.clone();
        let Ok(value) = value.into_const_with(|_| Ok::<_, Infallible>(Value::Null));
        let misfit = ty.and_then(|ty| types.misfit(&ty, &value, Given::Literal));
        if let Some(misfit) = misfit {
            return Err(format!(
                "`{name}({argument}:)` does not fit: `{argument}{}`: {}",
                misfit.path, misfit.says
            ));
        }
    }
    match types.below(parent, name) {
        Some(below) => set(below, &of.selection_set.node, types),
        None => Ok(()),
    }
}
