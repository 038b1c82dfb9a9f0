//! Root fields under one key, as clients write them whose components have a fragment each: the engine
//! would resolve every one by itself, ask for the same twice, and write twice. They become one field
//! with the selections of all (the GraphQL specification, section 6.3.2).

use std::collections::{HashMap, HashSet};

use async_graphql::{
    Name, Positioned, Value, Variables,
    indexmap::{IndexMap, map::Entry},
    parser::types::{
        Directive, DocumentOperations, ExecutableDocument, Field, FragmentDefinition, Selection,
        SelectionSet,
    },
};
use async_graphql_value::Value as Literal;

type FragmentDefinitions = HashMap<Name, Positioned<FragmentDefinition>>;

/// Whether the fields of a root stand there by themselves, each key once and without a condition: then
/// there is nothing to merge.
pub(super) fn has_plain_root(root: &SelectionSet) -> bool {
    let mut keys = HashSet::new();
    root.items.iter().all(|selection| match &selection.node {
        Selection::Field(field) => {
            field.node.directives.is_empty() && keys.insert(&field.node.response_key().node)
        }
        Selection::InlineFragment(_) | Selection::FragmentSpread(_) => false,
    })
}

/// The set of fields below a selection that stands in the document at this place.
pub(super) fn selections_of(selection: &Selection) -> Option<&SelectionSet> {
    match selection {
        Selection::Field(field) => Some(&field.node.selection_set.node),
        Selection::InlineFragment(of) => Some(&of.node.selection_set.node),
        Selection::FragmentSpread(_) => None,
    }
}

/// Makes one field of all root fields that have one key, in a document of one operation.
pub(super) fn merge_root_fields(document: &mut ExecutableDocument, variables: &Variables) {
    let DocumentOperations::Single(operation) = &mut document.operations else {
        return;
    };
    let set = &mut operation.node.selection_set.node;
    let mut collected = CollectedFields {
        fragments: &document.fragments,
        variables,
        fields: IndexMap::new(),
        spread: HashSet::new(),
    };
    collected.add(std::mem::take(set));
    let fields = collected.fields.into_values();
    let items = fields.map(|field| {
        let pos = field.pos;
        Positioned::new(Selection::Field(field), pos)
    });
    set.items = items.collect();
}

struct CollectedFields<'a> {
    fragments: &'a FragmentDefinitions,
    variables: &'a Variables,
    fields: IndexMap<Name, Positioned<Field>>,
    /// The fragments that are in it.
    spread: HashSet<Name>,
}

impl CollectedFields<'_> {
    fn add(&mut self, set: SelectionSet) {
        for selection in set.items {
            if is_left_out(selection.node.directives(), self.variables) {
                continue;
            }
            match selection.node {
                Selection::Field(field) => self.add_field(field),
                Selection::InlineFragment(of) => self.add(of.node.selection_set.node),
                Selection::FragmentSpread(of) => self.add_fragment(of.node.fragment_name.node),
            }
        }
    }

    fn add_field(&mut self, field: Positioned<Field>) {
        match self.fields.entry(field.node.response_key().node.clone()) {
            Entry::Vacant(place) => {
                place.insert(field);
            }
            Entry::Occupied(mut first) => {
                let items = &mut first.get_mut().node.selection_set.node.items;
                items.extend(field.node.selection_set.node.items);
            }
        }
    }

    fn add_fragment(&mut self, name: Name) {
        let fragment = self.fragments.get(&name);
        if let Some(fragment) = fragment
            && self.spread.insert(name)
        {
            self.add(fragment.node.selection_set.node.clone());
        }
    }
}

/// Whether `@skip` or `@include` leave a selection out.
fn is_left_out(directives: &[Positioned<Directive>], variables: &Variables) -> bool {
    directives.iter().any(|directive| {
        let condition = directive.node.get_argument("if");
        let condition = condition.and_then(|value| match &value.node {
            Literal::Boolean(value) => Some(*value),
            Literal::Variable(name) => match variables.get(name.as_str()) {
                Some(Value::Boolean(value)) => Some(*value),
                _ => None,
            },
            _ => None,
        });
        match directive.node.name.node.as_str() {
            "skip" => condition == Some(true),
            "include" => condition == Some(false),
            _ => false,
        }
    })
}
