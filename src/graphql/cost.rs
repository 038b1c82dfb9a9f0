//! The cost of a query, counted before it is validated and run: over the document as it expands, every
//! fragment once.
//!
//! The engine counts neither selections in fragments that spread each other (628 bytes can keep a core
//! busy for seconds) nor what a list writes out. The cost is an upper estimate of the answer: rows by
//! what a field can return, response names by their length, lists in rows as lists, introspection as
//! what it lists. How large the values themselves are is not known here: the meter counts them while
//! the answer is built.

mod arguments;
mod lists;
mod sum;

use std::{cell::Cell, collections::HashMap};

use apollo_compiler::{Schema, ast};
use async_graphql::{
    Name, Pos, Positioned, Variables,
    parser::types::{
        ExecutableDocument, Field, OperationDefinition, OperationType, Selection, SelectionSet,
    },
};

use super::{Graph, document::SchemaRules};
use crate::error::ErrorCode;
pub(super) use lists::Lists;
pub use sum::Cost;

/// How many fields a document may have, its fragments expanded.
const FIELDS: u64 = 10_000;
/// How many fields a query may have at its root, its fragments expanded.
const ROOTS: u64 = 300;
/// How many rows a query may ask of all its lists together.
const ROWS: u64 = 10_000;
/// How many values an answer may hold.
const VALUES: u64 = 300_000;
/// How many values the arguments of all fields may hold, variables put in for each: the engine copies
/// an argument for every field.
const INPUTS: u64 = 50_000;
/// How deep fields may be nested, fragments expanded.
const DEPTH: u64 = 20;
/// How deep sets of fields may be nested, fragments expanded: whoever walks a document is recursive.
pub(super) const LEVELS: usize = 64;

/// For how many values a tree of JSON counts, or a field that decodes a whole record.
const TREE: u64 = 20;
/// How many bytes a value takes in the answer, about, beside its name.
const VALUE_BYTES: u64 = 32;
/// How many bytes a value of introspection takes: some are descriptions.
const DESCRIPTION_BYTES: u64 = 96;
/// The root fields whose answers nobody counts while they are built.
const UNCOUNTED: [&str; 4] = ["__schema", "__type", "_service", "accounts"];
/// How many bytes an error takes in the answer, about, beside its path.
const ERROR_BYTES: u64 = 300;

/// Why a document is refused before it is validated.
#[derive(Debug)]
pub struct CostError {
    /// Too complex, or without end, which no valid document is.
    pub code: ErrorCode,
    /// In words for the client.
    pub message: String,
}

impl From<String> for CostError {
    fn from(message: String) -> Self {
        Self {
            code: ErrorCode::QueryTooComplex,
            message,
        }
    }
}

/// The costs of those fields of a document that no variable changes, by the place of the field and
/// whether it stands below a list of average size.
pub type FixedCosts = HashMap<(Pos, bool), Cost>;

/// Checks what it takes to look at a whole document: validation and the engine walk all of it before a
/// part of it runs. Returns the costs that no variable changes.
///
/// # Errors
/// The limit that it exceeds.
pub fn check_document(
    document: &ExecutableDocument,
    graph: &Graph,
    rules: &SchemaRules,
) -> Result<FixedCosts, CostError> {
    let none = (Variables::default(), FixedCosts::default());
    let mut count = CostCalculator::new((document, &none.0, &none.1), graph, rules);
    let mut whole = 0_u64;
    for name in document.fragments.keys() {
        whole = whole.saturating_add(count.fragment(name, false)?.fields);
    }
    for (_, operation) in document.operations.iter() {
        let cost = count.operation(&operation.node)?;
        whole = whole.saturating_add(cost.fields);
    }
    at_most(FIELDS, whole, "fields, fragments expanded")?;
    Ok(count.found.into_iter().collect())
}

/// Counts what an operation of a document asks for with its variables. Returns how many bytes of the
/// answer nobody counts while they are built.
///
/// # Errors
/// The limit that it exceeds.
pub fn check_operation(
    (document, fixed): (&ExecutableDocument, &FixedCosts),
    operation: &OperationDefinition,
    variables: &Variables,
    graph: &Graph,
    rules: &SchemaRules,
) -> Result<u64, CostError> {
    let mut count = CostCalculator::new((document, variables, fixed), graph, rules);
    let cost = count.operation(operation)?;
    at_most(ROOTS, cost.top, "fields at its root")?;
    at_most(ROWS, cost.rows, "users in all its lists together")?;
    at_most(INPUTS, cost.inputs, "values in its arguments")?;
    at_most(VALUES, cost.values, "values in its answer")?;
    at_most(
        graph.limits.request_bytes,
        cost.written(),
        "bytes in its answer",
    )?;
    at_most(
        graph.limits.request_bytes,
        cost.uncounted,
        "bytes in its answer",
    )?;
    for (account, calls) in &cost.calls {
        let what = format!("pages of the list of {} (limits.calls)", account.name());
        at_most(u64::from(graph.limits.calls), *calls, &what)?;
    }
    Ok(cost.uncounted)
}

fn at_most(most: u64, is: u64, what: &str) -> Result<(), CostError> {
    if is <= most {
        return Ok(());
    }
    Err(format!("the query asks for too many {what}: {is}, at most {most}").into())
}

struct CostCalculator<'a> {
    document: &'a ExecutableDocument,
    variables: &'a Variables,
    graph: &'a Graph,
    lists: &'a Lists,
    schema: &'a Schema,
    /// The costs that are known from an earlier count of the document.
    fixed: &'a FixedCosts,
    /// The costs that this count found to be fixed: of the outermost of fields that are below each other.
    found: Vec<((Pos, bool), Cost)>,
    /// Whether a variable was read since the field that is being counted began.
    has_variable: Cell<bool>,
    /// The cost of each fragment, and whether a variable changes it; `None` for one that is being counted.
    known: HashMap<(&'a str, bool), Option<(Cost, bool)>>,
    /// How many values each variable holds.
    sizes: HashMap<&'a str, u64>,
    level: usize,
}

impl<'a> CostCalculator<'a> {
    fn new(
        (document, variables, fixed): (&'a ExecutableDocument, &'a Variables, &'a FixedCosts),
        graph: &'a Graph,
        rules: &'a SchemaRules,
    ) -> Self {
        Self {
            document,
            variables,
            graph,
            lists: rules.lists(),
            schema: rules.schema(),
            fixed,
            found: Vec::new(),
            has_variable: Cell::new(false),
            known: HashMap::new(),
            sizes: HashMap::new(),
            level: 0,
        }
    }

    fn operation(&mut self, operation: &'a OperationDefinition) -> Result<Cost, CostError> {
        let root = self.schema.root_operation(match operation.ty {
            OperationType::Query => ast::OperationType::Query,
            OperationType::Mutation => ast::OperationType::Mutation,
            OperationType::Subscription => ast::OperationType::Subscription,
        });
        let root = root.map_or("", |name| name.as_str());
        self.set(root, false, &operation.selection_set.node)
    }

    /// The cost of a set of fields of a type; of an unknown type the fields alone are counted.
    fn set(
        &mut self,
        parent: &'a str,
        is_average: bool,
        set: &'a SelectionSet,
    ) -> Result<Cost, CostError> {
        if set.items.is_empty() {
            return Ok(Cost::default());
        }
        self.level += 1;
        let total = self.selections(parent, is_average, set);
        self.level -= 1;
        let mut total = total?;
        total.levels += 1;
        Ok(total)
    }

    fn selections(
        &mut self,
        parent: &'a str,
        is_average: bool,
        set: &'a SelectionSet,
    ) -> Result<Cost, CostError> {
        let mut total = Cost::default();
        if self.level > LEVELS {
            return Err(too_deep());
        }
        for selection in &set.items {
            let cost = match &selection.node {
                Selection::Field(field) => self.field(parent, is_average, field)?,
                Selection::InlineFragment(fragment) => {
                    let condition = fragment.node.type_condition.as_ref();
                    let on = condition.map_or(parent, |on| on.node.on.node.as_str());
                    fragment_cost(&self.set(on, is_average, &fragment.node.selection_set.node)?)
                }
                Selection::FragmentSpread(of) => {
                    fragment_cost(&self.fragment(&of.node.fragment_name.node, is_average)?)
                }
            };
            total = total.and(&cost);
        }
        if total.levels > LEVELS || total.depth > DEPTH {
            return Err(too_deep());
        }
        Ok(total)
    }

    /// A fragment is counted once, however often it is spread. One that spreads itself is refused here:
    /// what stands beside the spread would be counted too low.
    fn fragment(&mut self, name: &'a Name, is_average: bool) -> Result<Cost, CostError> {
        match self.known.get(&(name.as_str(), is_average)) {
            Some(Some((known, has_variable))) => {
                self.has_variable
                    .set(self.has_variable.get() | has_variable);
                return Ok(known.clone());
            }
            Some(None) => {
                let name = name.as_str();
                return Err(CostError {
                    code: ErrorCode::GraphqlValidationFailed,
                    message: format!(
                        "the query is nested without end: the fragment `{name:.40}` spreads itself"
                    ),
                });
            }
            None => {}
        }
        let Some(fragment) = self.document.fragments.get(name) else {
            return Ok(Cost::default());
        };
        self.known.insert((name, is_average), None);
        let on = fragment.node.type_condition.node.on.node.as_str();
        let before = self.has_variable.replace(false);
        let cost = self.set(on, is_average, &fragment.node.selection_set.node)?;
        let known = (cost.clone(), self.has_variable.get());
        self.known.insert((name, is_average), Some(known));
        self.has_variable.set(self.has_variable.get() | before);
        Ok(cost)
    }

    /// The cost of a field. It is counted once per document, unless a variable changes it.
    fn field(
        &mut self,
        parent: &'a str,
        is_average: bool,
        field: &'a Positioned<Field>,
    ) -> Result<Cost, CostError> {
        let place = (field.pos, is_average);
        if let Some(cost) = self.fixed.get(&place) {
            return Ok(cost.clone());
        }
        let before = self.has_variable.replace(false);
        let outer = self.found.len();
        let cost = self.counted(parent, is_average, &field.node)?;
        if !self.has_variable.get() {
            self.found.truncate(outer);
            self.found.push((place, cost.clone()));
        }
        self.has_variable.set(self.has_variable.get() | before);
        Ok(cost)
    }

    fn counted(
        &mut self,
        parent: &'a str,
        is_average: bool,
        field: &'a Field,
    ) -> Result<Cost, CostError> {
        let name = field.name.node.as_str();
        let definition = self.schema.type_field(parent, name).ok();
        let ty = definition.map(|definition| &definition.ty);
        let below = match ty {
            Some(ty) => {
                let is_average = (parent, name) == ("__Schema", "types");
                let below = ty.inner_named_type().as_str();
                self.set(below, is_average, &field.selection_set.node)?
            }
            None => self.set("", false, &field.selection_set.node)?,
        };
        let rows = self.rows(parent, field)?;
        let items = match rows {
            Some(rows) => rows,
            None if (parent, name) == ("Subscription", "usersByEmail") => self.lists.accounts(),
            None if ty.is_some_and(ast::Type::is_list) => self.lists.size(parent, name, is_average),
            None => 1,
        };
        let key = field.response_key().node.len() as u64;
        let mut cost = below.times(items);
        cost.calls = self.calls(parent, field);
        cost.top = 1;
        cost.fields = cost.fields.saturating_add(1);
        cost.depth += 1;
        cost.rows = cost.rows.saturating_add(rows.unwrap_or_default());
        let size = match (parent, name) {
            ("_Service", "sdl") => self.lists.sdl_bytes(),
            _ if parent.starts_with("__") => DESCRIPTION_BYTES,
            _ => VALUE_BYTES,
        };
        cost.write(ty, (items, size), key);
        if parent == "Query" && UNCOUNTED.contains(&name) {
            // The values, and the text that is written of them.
            cost.uncounted = cost.bytes.saturating_mul(2);
        }
        for (_, value) in &field.arguments {
            cost.inputs = cost.inputs.saturating_add(self.values(&value.node));
        }
        Ok(cost)
    }

    /// How many records a field returns, where it returns records of its own.
    fn rows(&self, parent: &str, field: &Field) -> Result<Option<u64>, CostError> {
        let name = field.name.node.as_str();
        let rows = match (parent, name) {
            ("Query", "users") => self.page(field, 20),
            ("Query", "usersByEmail") if self.is_exact(field) => {
                self.page(field, u64::MAX).min(self.lists.of_an_address())
            }
            ("Query", "usersByEmail") => self.page(field, u64::MAX),
            ("Person", "users") => self.lists.of_an_address(),
            ("UsersByEmailEvent", "users") => lists::RECORDS_AT_ACCOUNT,
            ("Query", "nodes") => self.keys(field, "ids")?,
            ("Query", "_entities") => self.keys(field, "representations")?,
            _ => return Ok(None),
        };
        Ok(Some(rows))
    }
}

fn too_deep() -> CostError {
    let message = format!(
        "the query is nested too deep, fragments expanded: at most {DEPTH} fields and {LEVELS} sets of fields"
    );
    message.into()
}

/// The cost of a spread: that of its fragment, and one field more.
fn fragment_cost(cost: &Cost) -> Cost {
    let mut cost = cost.clone();
    cost.fields = cost.fields.saturating_add(1);
    cost
}

#[cfg(test)]
mod tests;
