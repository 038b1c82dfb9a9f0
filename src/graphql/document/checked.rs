//! A document that is valid and within the limits, in the form in which it is kept and run again.

use std::collections::HashSet;

use async_graphql::{
    Name, Positioned, ServerError, Value, Variables,
    parser::types::{
        Directive, DocumentOperations, ExecutableDocument, OperationDefinition, OperationType,
        Selection, SelectionSet,
    },
};
use async_graphql_value::Value as Literal;

use super::{ParsedDocument, SchemaRules, has_plain_root, merge_root_fields};
use crate::{
    error::ErrorCode,
    graphql::{
        Graph, cost,
        cost::{CostError, FixedCosts},
        error::refusal,
        timestamps,
    },
};

/// The approximate memory of a document's parts, in bytes; measured on documents of one to sixty searches
/// and on one of ten thousand short fields.
mod size {
    /// A document, whatever is in it.
    pub(super) const DOCUMENT: usize = 4_096;
    /// A field, a fragment or a spread, without its name.
    pub(super) const SELECTION: usize = 200;
    /// An argument of a field or of a directive.
    pub(super) const ARGUMENT: usize = 100;
    /// A cost that no variable changes.
    pub(super) const FIXED_COST: usize = 128;
}

/// A document that passed every check that needs no variables.
pub struct CheckedDocument {
    executable: ExecutableDocument,
    fixed_costs: FixedCosts,
    operations: Vec<CheckedOperation>,
    bytes: usize,
}

/// The facts about an operation that need no variables.
pub struct CheckedOperation {
    /// Its name, if it has one.
    pub name: Option<Name>,
    /// Its kind.
    pub kind: OperationType,
    /// The variables on which `@skip` and `@include` depend.
    conditions: Vec<Name>,
    /// Whether its root fields can run as they are written: none is in a fragment, twice, or conditional.
    has_plain_root: bool,
}

impl CheckedDocument {
    /// Parses and checks a text. What comes first bounds the work of what follows.
    ///
    /// # Errors
    /// Every mistake in the document, or the limit that it exceeds.
    pub fn new(text: &str, graph: &Graph, rules: &SchemaRules) -> Result<Self, Vec<ServerError>> {
        let mut document = ParsedDocument::parse(text)?;
        let fixed_costs = cost::check_document(&document.executable, graph, rules)
            .map_err(|CostError { code, message }| vec![refusal(code, message, None)])?;
        rules.check(&document)?;
        timestamps::complete_document(&mut document.executable, rules.schema())?;
        let executable = document.executable;
        let operations = executable.operations.iter();
        let operations = operations.map(|(name, operation)| CheckedOperation {
            name: name.cloned(),
            kind: operation.node.ty,
            conditions: conditions(&executable, &operation.node),
            has_plain_root: has_plain_root(&operation.node.selection_set.node),
        });
        Ok(Self {
            operations: operations.collect(),
            bytes: size::DOCUMENT
                + 4 * text.len()
                + memory_of(&executable)
                + fixed_costs.len() * size::FIXED_COST,
            executable,
            fixed_costs,
        })
    }

    /// A document without operations that takes this many bytes.
    #[cfg(test)]
    pub(super) fn stub(bytes: usize) -> Self {
        Self {
            executable: ExecutableDocument {
                operations: DocumentOperations::Multiple(std::collections::HashMap::default()),
                fragments: std::collections::HashMap::default(),
            },
            fixed_costs: FixedCosts::default(),
            operations: Vec::new(),
            bytes,
        }
    }

    /// Approximately how many bytes it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The operation that a request means: the only one, or the one of a name.
    ///
    /// # Errors
    /// Why it cannot be determined, in words for the client.
    pub fn operation(
        &self,
        name: Option<&str>,
    ) -> Result<(&CheckedOperation, &Positioned<OperationDefinition>), String> {
        let found = match name {
            Some(name) => self
                .operations
                .iter()
                .find(|of| of.name.as_deref() == Some(name)),
            None if self.operations.len() > 1 => {
                let message =
                    "the document has several operations: say with `operationName` which one";
                return Err(message.to_owned());
            }
            None => self.operations.first(),
        };
        let definition = |operation: &CheckedOperation| {
            let mut definitions = self.executable.operations.iter();
            let definition = definitions.find(|(name, _)| *name == operation.name.as_ref())?;
            Some(definition.1)
        };
        let found = found.and_then(|operation| Some((operation, definition(operation)?)));
        found.ok_or_else(|| match name {
            Some(name) => format!("there is no operation `{name:.40}`"),
            None => "the document has no operation".to_owned(),
        })
    }

    /// Counts what an operation asks for with its variables. Returns how many bytes of its answer nobody
    /// counts while they are built.
    ///
    /// # Errors
    /// The limit that it exceeds.
    pub fn check_cost(
        &self,
        operation: &OperationDefinition,
        variables: &Variables,
        graph: &Graph,
        rules: &SchemaRules,
    ) -> Result<u64, CostError> {
        let document = (&self.executable, &self.fixed_costs);
        cost::check_operation(document, operation, variables, graph, rules)
    }

    /// The document as the engine runs it: one operation, with its root fields merged, and the fragments.
    #[must_use]
    pub fn runnable(
        &self,
        (operation, definition): (&CheckedOperation, &Positioned<OperationDefinition>),
        variables: &Variables,
    ) -> ExecutableDocument {
        let mut document = ExecutableDocument {
            operations: DocumentOperations::Single(definition.clone()),
            fragments: self.executable.fragments.clone(),
        };
        if !operation.has_plain_root {
            merge_root_fields(&mut document, variables);
        }
        document
    }
}

impl CheckedOperation {
    /// Checks the conditions of `@skip` and `@include`: a variable with a default may still be given as
    /// null, which the engine takes for false.
    ///
    /// # Errors
    /// Which variable is null.
    pub fn check_conditions(&self, variables: &Variables) -> Result<(), ServerError> {
        let mut conditions = self.conditions.iter();
        let null = conditions.find(|name| variables.get(name.as_str()) == Some(&Value::Null));
        match null {
            None => Ok(()),
            Some(name) => {
                let message =
                    format!("the variable `${name}` is null, and is the condition of a directive");
                Err(refusal(ErrorCode::BadUserInput, message, None))
            }
        }
    }
}

/// The approximate memory of the selections of a document.
fn memory_of(document: &ExecutableDocument) -> usize {
    let fragments = document.fragments.values();
    let fragments = fragments.map(|of| &of.node.selection_set.node);
    let operations = document.operations.iter();
    let operations = operations.map(|(_, of)| &of.node.selection_set.node);
    let mut sets: Vec<&SelectionSet> = fragments.chain(operations).collect();
    let mut bytes = 0;
    while let Some(set) = sets.pop() {
        for selection in &set.items {
            let arguments = match &selection.node {
                Selection::Field(field) => field.node.arguments.len(),
                Selection::InlineFragment(_) | Selection::FragmentSpread(_) => 0,
            };
            let arguments = arguments + 2 * selection.node.directives().len();
            bytes += size::SELECTION + arguments * size::ARGUMENT;
            sets.extend(super::merge::selections_of(&selection.node));
        }
    }
    bytes
}

/// The variables on which conditions in an operation and in all fragments depend.
fn conditions(document: &ExecutableDocument, operation: &OperationDefinition) -> Vec<Name> {
    let fragments = document.fragments.values();
    let mut sets: Vec<&SelectionSet> = fragments.map(|of| &of.node.selection_set.node).collect();
    sets.push(&operation.selection_set.node);
    let mut conditions = HashSet::new();
    while let Some(set) = sets.pop() {
        for selection in &set.items {
            conditions.extend(selection.node.directives().iter().filter_map(condition));
            sets.extend(super::merge::selections_of(&selection.node));
        }
    }
    let definitions = operation.variable_definitions.iter();
    let declared: HashSet<_> = definitions.map(|of| &of.node.name.node).collect();
    conditions
        .intersection(&declared)
        .map(|name| (*name).clone())
        .collect()
}

/// The variable that is the condition of a directive.
fn condition(directive: &Positioned<Directive>) -> Option<&Name> {
    let is_condition = ["skip", "include"].contains(&directive.node.name.node.as_str());
    let value = directive.node.get_argument("if").filter(|_| is_condition)?;
    match &value.node {
        Literal::Variable(name) => Some(name),
        _ => None,
    }
}
