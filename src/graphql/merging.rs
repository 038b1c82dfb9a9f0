//! Whether fields that share a response key can be merged (the GraphQL specification, section 5.3.2).
//!
//! The engine compares within one set of fields. It does not see that `nodes { name: email }` and
//! `nodes { name }` beside each other make one set, and answers one of the two for both.

use std::collections::{BTreeMap, HashSet};

use async_graphql::parser::types::{
    ExecutableDocument, Field, OperationType, Selection, SelectionSet,
};

use super::types::Types;

/// A set of fields, and the type that it is asked of.
type Typed<'a> = (&'a str, &'a SelectionSet);
/// Fields by their response keys, each with the type that it is asked of.
type Found<'a> = BTreeMap<&'a str, Vec<(&'a str, &'a Field)>>;

/// Whether all fields of a document that share a key are one. Fields of two object types are not
/// compared: no record is of both.
///
/// Fragments are expanded: whoever calls this has counted before what they expand to, and has made sure
/// that none spreads itself. Each field is then looked at once for each place it expands to.
///
/// # Errors
/// Which are not, in words for the client.
pub fn check(document: &ExecutableDocument, types: &Types) -> Result<(), String> {
    let merging = Merging { document, types };
    for (_, operation) in document.operations.iter() {
        let root = match operation.node.ty {
            OperationType::Query => types.query(),
            OperationType::Mutation => types.mutation(),
            OperationType::Subscription => continue,
        };
        merging.sets(&[(root, &operation.node.selection_set.node)])?;
    }
    Ok(())
}

struct Merging<'a> {
    document: &'a ExecutableDocument,
    types: &'a Types,
}

impl<'a> Merging<'a> {
    /// Looks at sets that make one in the answer.
    fn sets(&self, sets: &[Typed<'a>]) -> Result<(), String> {
        let mut found = Found::new();
        let mut spread = HashSet::new();
        for (parent, set) in sets {
            self.collect(parent, set, &mut spread, &mut found);
        }
        for (key, fields) in &found {
            self.compare(key, fields)?;
            for below in self.below(fields).values() {
                self.sets(below)?;
            }
        }
        Ok(())
    }

    /// A fragment that is spread twice adds nothing the second time.
    fn collect(
        &self,
        parent: &'a str,
        set: &'a SelectionSet,
        spread: &mut HashSet<&'a str>,
        found: &mut Found<'a>,
    ) {
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) => {
                    let key = field.node.response_key().node.as_str();
                    found.entry(key).or_default().push((parent, &field.node));
                }
                Selection::InlineFragment(fragment) => {
                    let condition = fragment.node.type_condition.as_ref();
                    let on = condition.map_or(parent, |condition| &condition.node.on.node);
                    self.collect(on, &fragment.node.selection_set.node, spread, found);
                }
                Selection::FragmentSpread(of) => {
                    let name = of.node.fragment_name.node.as_str();
                    let Some(fragment) = self.document.fragments.get(name) else {
                        continue;
                    };
                    if spread.insert(name) {
                        let on = &fragment.node.type_condition.node.on.node;
                        self.collect(on, &fragment.node.selection_set.node, spread, found);
                    }
                }
            }
        }
    }

    /// Compares each field with the first of its own type, and those of interfaces with every first.
    fn compare(&self, key: &str, fields: &[(&'a str, &'a Field)]) -> Result<(), String> {
        let mut firsts: BTreeMap<&str, &Field> = BTreeMap::new();
        for (parent, field) in fields {
            firsts.entry(parent).or_insert(field);
        }
        let (objects, others): (Vec<_>, Vec<_>) = fields
            .iter()
            .partition(|(parent, _)| self.types.is_object(parent));
        for (parent, field) in objects {
            if let Some(first) = firsts.get(parent) {
                same(key, first, field)?;
            }
        }
        for (_, field) in others {
            for first in firsts.values() {
                same(key, first, field)?;
            }
        }
        Ok(())
    }

    /// The sets below fields that share a key, by the type of record that they make one set for. Those
    /// of an interface belong to every type; no interface here has fields with a set below them.
    fn below(&self, fields: &[(&'a str, &'a Field)]) -> BTreeMap<&'a str, Vec<Typed<'a>>> {
        let mut groups: BTreeMap<&str, Vec<Typed<'a>>> = BTreeMap::new();
        for (parent, field) in fields {
            let set = &field.selection_set.node;
            let below = self.types.below(parent, &field.name.node);
            if let Some(below) = below.filter(|_| !set.items.is_empty()) {
                groups.entry(parent).or_default().push((below, set));
            }
        }
        groups
    }
}

fn same(key: &str, one: &Field, other: &Field) -> Result<(), String> {
    let (of, and) = (&one.name.node, &other.name.node);
    if of != and {
        return Err(format!(
            "`{key:.40}` stands for two fields, `{of:.40}` and `{and:.40}`: give one another alias",
            of = of.as_str(),
            and = and.as_str(),
        ));
    }
    let is_same = one.arguments.len() == other.arguments.len()
        && one.arguments.iter().all(|(name, value)| {
            let found = other.get_argument(&name.node);
            found.is_some_and(|found| found.node == value.node)
        });
    if is_same {
        return Ok(());
    }
    Err(format!(
        "`{key:.40}` stands for `{of:.40}` with two sets of arguments: give one another alias",
        of = of.as_str(),
    ))
}
