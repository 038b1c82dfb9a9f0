//! Root fields under one key whose arguments differ (the GraphQL specification, section 5.3.2). The
//! validation of the crate compares two lists as far as the shorter one goes: `[ADA]` and
//! `[ADA, INTERCOM]` would be one field, and one answer would stand for both. Fields below the root take
//! no lists.

use std::collections::{HashMap, HashSet};

use async_graphql::{
    Positioned, ServerError,
    parser::types::{ExecutableDocument, Field, Selection, SelectionSet},
};

use crate::{error::ErrorCode, graphql::error::refusal};

/// Compares the root fields of every operation.
///
/// # Errors
/// The first field that differs from one before it.
pub(super) fn check(document: &ExecutableDocument) -> Result<(), Vec<ServerError>> {
    for (_, operation) in document.operations.iter() {
        let mut fields: HashMap<&str, &Field> = HashMap::new();
        for field in root_fields(document, &operation.node.selection_set.node) {
            let key = field.node.response_key().node.as_str();
            let first = fields.entry(key).or_insert(&field.node);
            if !have_equal_arguments(first, &field.node) {
                let code = ErrorCode::GraphqlValidationFailed;
                let message = format!(
                    "`{key:.40}` stands for two fields with other arguments: give one another alias"
                );
                return Err(vec![refusal(code, message, Some(field.pos))]);
            }
        }
    }
    Ok(())
}

/// The fields of a set, with those of its fragments.
fn root_fields<'a>(
    document: &'a ExecutableDocument,
    set: &'a SelectionSet,
) -> Vec<&'a Positioned<Field>> {
    let (mut fields, mut sets, mut spread) = (Vec::new(), vec![set], HashSet::new());
    while let Some(set) = sets.pop() {
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) => fields.push(field),
                Selection::InlineFragment(of) => sets.push(&of.node.selection_set.node),
                Selection::FragmentSpread(of) => {
                    let name = &of.node.fragment_name.node;
                    if let Some(fragment) = document.fragments.get(name)
                        && spread.insert(name)
                    {
                        sets.push(&fragment.node.selection_set.node);
                    }
                }
            }
        }
    }
    fields
}

fn have_equal_arguments(one: &Field, other: &Field) -> bool {
    one.arguments.len() == other.arguments.len()
        && one.arguments.iter().all(|(name, value)| {
            let found = other.get_argument(&name.node);
            found.is_some_and(|found| found.node == value.node)
        })
}
