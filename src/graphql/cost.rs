//! What a query costs, counted before it runs: over the document as it expands, every fragment once.
//!
//! The engine counts neither selections in fragments that spread each other (628 bytes can keep a core
//! busy for seconds) nor the rows that a `first` asks for.

use std::collections::HashMap;

use async_graphql::{
    Name, Positioned, Request, Value as Literal, Variables,
    parser::types::{
        ExecutableDocument, Field, FragmentDefinition, OperationDefinition, Selection, SelectionSet,
    },
};

use super::Bounds;
use crate::user::Provider;

/// How many fields a query may have, its fragments expanded.
const FIELDS: u64 = 10_000;
/// How many fields a query may have at its root, its fragments expanded.
const ROOTS: u64 = 300;
/// How many rows a query may ask of all its lists together.
const ROWS: u64 = 10_000;
/// How many values an answer may hold.
const VALUES: u64 = 1_000_000;
/// The fields that hold a tree of JSON, whatever is in it, and the one that reads a whole record.
const TREES: [&str; 6] = [
    "raw",
    "details",
    "attributes",
    "metadata",
    "customAttributes",
    "systemProperties",
];
/// For how many values such a field counts. Each alias of it is read and written anew.
const TREE: u64 = 100;
/// How deep brackets may be nested: the parser is recursive.
const NESTING: usize = 128;
/// How deep sets of fields may be nested, fragments expanded: whoever walks a document is recursive.
const LEVELS: usize = 64;

/// Whether brackets are nested deeper than the parser can be trusted with. Looks at the text alone.
#[must_use]
pub fn is_nested_too_deep(query: &str) -> bool {
    let mut depth = 0_usize;
    let mut rest = query;
    while let Some(byte) = rest.bytes().next() {
        let taken = match byte {
            b'#' => rest.find(['\n', '\r']).unwrap_or(rest.len()),
            b'"' => string(rest),
            b'{' | b'[' | b'(' => {
                depth += 1;
                1
            }
            b'}' | b']' | b')' => {
                depth = depth.saturating_sub(1);
                1
            }
            _ => rest.chars().next().map_or(1, char::len_utf8),
        };
        if depth > NESTING {
            return true;
        }
        rest = rest.get(taken..).unwrap_or_default();
    }
    false
}

/// The length of the string that a text begins with; of the whole text when it does not end.
fn string(text: &str) -> usize {
    let quotes = if text.starts_with("\"\"\"") { 3 } else { 1 };
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(quotes) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' if text[at..].starts_with(&text[..quotes]) => return at + quotes,
            _ => {}
        }
    }
    text.len()
}

fn too_deep() -> String {
    format!("the query is nested too deep, fragments expanded: at most {LEVELS} levels")
}

/// Counts what a request asks for.
///
/// # Errors
/// What is too much, in words for the client.
pub fn check(request: &mut Request, bounds: &Bounds) -> Result<(), String> {
    if is_nested_too_deep(&request.query) {
        return Err(format!(
            "the query is nested too deep: at most {NESTING} brackets"
        ));
    }
    let mut variables = request.variables.clone();
    let operation_name = request.operation_name.clone();
    // What cannot be parsed is refused by the engine, with the place of the mistake.
    let Ok(document) = request.parsed_query() else {
        return Ok(());
    };
    let meant = operation(document, operation_name.as_deref());
    for variable in meant.iter().flat_map(|meant| &meant.variable_definitions) {
        if let Some(default) = &variable.node.default_value {
            let name = variable.node.name.node.clone();
            variables.entry(name).or_insert(default.node.clone());
        }
    }
    let mut count = Count {
        document,
        variables: &variables,
        bounds,
        known: HashMap::new(),
        level: 0,
    };
    // The engine walks the whole document before it runs a part of it.
    let mut whole = 0_u64;
    for name in document.fragments.keys() {
        count.fragment(name)?;
    }
    for (_, operation) in document.operations.iter() {
        let cost = count.set(&operation.node.selection_set.node)?;
        whole = whole.saturating_add(cost.fields);
    }
    if whole > FIELDS {
        return over("fields, fragments expanded", whole, FIELDS);
    }
    let Some(meant) = meant else {
        return Ok(());
    };
    match count.set(&meant.selection_set.node)? {
        Cost { top, .. } if top > ROOTS => over("fields at its root", top, ROOTS),
        Cost { rows, .. } if rows > ROWS => over("users in all its lists together", rows, ROWS),
        Cost { values, .. } if values > VALUES => over("values in its answer", values, VALUES),
        Cost { .. } => Ok(()),
    }
}

fn over(what: &str, is: u64, most: u64) -> Result<(), String> {
    Err(format!(
        "the query asks for too many {what}: {is}, at most {most}"
    ))
}

fn operation<'a>(
    document: &'a ExecutableDocument,
    name: Option<&str>,
) -> Option<&'a OperationDefinition> {
    let mut operations = document.operations.iter();
    match name {
        Some(name) => operations
            .find(|(of, _)| of.is_some_and(|of| of == name))
            .map(|(_, operation)| &operation.node),
        None => operations.next().map(|(_, operation)| &operation.node),
    }
}

#[derive(Clone, Copy, Default)]
struct Cost {
    /// Fields, at whatever depth.
    fields: u64,
    /// Rows of lists.
    rows: u64,
    /// Fields of the outermost set.
    top: u64,
    /// Values in the answer, those of each row of a list by themselves.
    values: u64,
    /// How deep sets are nested.
    depth: usize,
}

impl Cost {
    fn and(self, other: Self) -> Self {
        Self {
            fields: self.fields.saturating_add(other.fields),
            rows: self.rows.saturating_add(other.rows),
            top: self.top.saturating_add(other.top),
            values: self.values.saturating_add(other.values),
            depth: self.depth.max(other.depth),
        }
    }
}

struct Count<'a> {
    document: &'a ExecutableDocument,
    variables: &'a Variables,
    bounds: &'a Bounds,
    /// What each fragment costs; nothing for one that is being counted.
    known: HashMap<&'a str, Option<Cost>>,
    level: usize,
}

/// What it costs to look at a fragment, whatever is in it.
const SPREAD: Cost = Cost {
    fields: 1,
    rows: 0,
    top: 0,
    values: 0,
    depth: 0,
};

impl<'a> Count<'a> {
    fn set(&mut self, set: &'a SelectionSet) -> Result<Cost, String> {
        self.level += 1;
        let total = self.selections(set);
        self.level -= 1;
        let total = total?;
        let depth = total.depth + 1;
        Ok(Cost { depth, ..total })
    }

    fn selections(&mut self, set: &'a SelectionSet) -> Result<Cost, String> {
        let mut total = Cost::default();
        if self.level > LEVELS {
            return Err(too_deep());
        }
        for selection in &set.items {
            let cost = match &selection.node {
                Selection::Field(field) => self.field(&field.node)?,
                Selection::InlineFragment(fragment) => {
                    self.set(&fragment.node.selection_set.node)?.and(SPREAD)
                }
                Selection::FragmentSpread(spread) => {
                    self.fragment(&spread.node.fragment_name.node)?.and(SPREAD)
                }
            };
            total = total.and(cost);
        }
        if total.depth > LEVELS {
            return Err(too_deep());
        }
        Ok(total)
    }

    /// A fragment is counted once, however often it is spread. One that spreads itself is refused here:
    /// what stands beside the spread would be counted too low.
    fn fragment(&mut self, name: &'a Name) -> Result<Cost, String> {
        match self.known.get(name.as_str()) {
            Some(Some(known)) => return Ok(*known),
            Some(None) => {
                let name = name.as_str();
                return Err(format!(
                    "the query is nested without end: the fragment `{name:.40}` spreads itself"
                ));
            }
            None => {}
        }
        let Some(fragment) = self.definition(name) else {
            return Ok(Cost::default());
        };
        self.known.insert(name, None);
        let cost = self.set(&fragment.node.selection_set.node)?;
        self.known.insert(name, Some(cost));
        Ok(cost)
    }

    fn definition(&self, name: &str) -> Option<&'a Positioned<FragmentDefinition>> {
        self.document.fragments.get(name)
    }

    fn field(&mut self, field: &'a Field) -> Result<Cost, String> {
        let below = self.set(&field.selection_set.node)?;
        let keys = match field.name.node.as_str() {
            "nodes" => self.length(field, "ids"),
            "_entities" => self.length(field, "representations"),
            _ => 0,
        };
        if keys > self.bounds.keys as u64 {
            let name = &field.name.node;
            return Err(format!(
                "`{name}` is asked for too many things: {keys}, at most {}",
                self.bounds.keys
            ));
        }
        let rows = match field.name.node.as_str() {
            "users" if field.get_argument("provider").is_some() => self.rows(field),
            // An address has few records, whatever `first` allows.
            "usersByEmail" | "person" => Provider::ALL.len() as u64,
            _ => keys,
        };
        let below = Cost {
            top: 0,
            values: below.values.saturating_mul(rows.max(1)),
            ..below
        };
        let is_tree = TREES.contains(&field.name.node.as_str());
        Ok(below.and(Cost {
            fields: 1,
            rows,
            top: 1,
            values: if is_tree { TREE } else { 1 },
            depth: 0,
        }))
    }

    fn rows(&self, field: &Field) -> u64 {
        let asked = |name| match self.argument(field, name)? {
            Literal::Number(number) => number.as_u64(),
            _ => None,
        };
        let asked = asked("first").or_else(|| asked("last")).unwrap_or(20);
        // More than a page is refused where it is asked for, and reads nothing.
        asked.min(u64::from(self.bounds.page))
    }

    fn length(&self, field: &Field, name: &str) -> u64 {
        match self.argument(field, name) {
            Some(Literal::List(items)) => items.len() as u64,
            _ => 0,
        }
    }

    fn argument(&self, field: &Field, name: &str) -> Option<Literal> {
        let value = &field.get_argument(name)?.node;
        value
            .clone()
            .into_const_with(|name| self.variables.get(&name).cloned().ok_or(()))
            .ok()
    }
}

#[cfg(test)]
mod tests {
    use super::{Bounds, TREES, check, is_nested_too_deep};

    fn refused(query: &str) -> Option<String> {
        check(&mut async_graphql::Request::new(query), &Bounds::default()).err()
    }

    #[test]
    fn fragments_that_spread_each_other_are_counted_as_they_expand() {
        let spread = |to: usize| format!("...f{to} ").repeat(10);
        let mut bomb = format!("{{ {} }} fragment f8 on Query {{ __typename }}", "...f0 ");
        for of in 0..8 {
            bomb.push_str(&format!("fragment f{of} on Query {{ {} }}", spread(of + 1)));
        }

        assert!(refused(&bomb).is_some());
    }

    #[test]
    fn rows_are_counted_through_variables_and_aliases() {
        let lists = |number: usize| {
            let fields: Vec<_> = (0..number)
                .map(|n| format!("a{n}: users(provider: ADA, first: 500) {{ totalCount }}"))
                .collect();
            format!("{{ {} }}", fields.join(" "))
        };

        assert_eq!(refused(&lists(20)), None);
        assert!(refused(&lists(21)).is_some());
    }

    #[test]
    fn an_everyday_query_passes() {
        assert_eq!(
            refused(
                "{ usersByEmail(email: \"a@x.test\") { nodes { id ...f } } } fragment f on User { name }"
            ),
            None
        );
    }

    #[test]
    fn a_tree_weighs_more_than_a_value() {
        let list = |fields: &str| {
            format!("{{ users(provider: ADA, first: 500) {{ nodes {{ {fields} }} }} }}")
        };
        let aliases = |of: &str| -> String { (0..20).map(|n| format!("a{n}: {of} ")).collect() };

        assert_eq!(
            refused(&list(
                "id name email attributes raw details { ... on AdaEndUser { profile { metadata systemProperties } } }"
            )),
            None
        );
        assert_eq!(refused(&list(&aliases("name"))), None);
        for tree in TREES {
            assert!(refused(&list(&aliases(tree))).is_some(), "{tree}");
        }
    }

    #[test]
    fn every_field_of_json_is_known_as_a_tree() {
        let schema = include_str!("../../schema.graphql");
        let json = schema
            .lines()
            .filter_map(|line| line.trim().strip_suffix(": JSON"));
        for field in json {
            assert!(TREES.contains(&field), "{field}");
        }
    }

    #[test]
    fn deep_nesting_is_seen_before_the_parser_sees_it() {
        assert!(is_nested_too_deep(&"{a".repeat(1000)));
        assert!(is_nested_too_deep(&format!(
            "{{ a(b: {}1",
            "[".repeat(1000)
        )));
        assert!(!is_nested_too_deep("{ a { b(c: [1, 2]) } } # {{{"));
        let braces = "{a".repeat(1000);
        assert!(!is_nested_too_deep(&format!("{{ a }} # {braces}")));
        for end in ["\n", "\r", "\r\n"] {
            assert!(is_nested_too_deep(&format!("#{end}{braces}")));
        }
        let braces = "{".repeat(1000);
        assert!(!is_nested_too_deep(&format!(
            "{{ a(b: \"\\\"{braces}\", c: \"\"\"é\"{braces}\"\"\") }}"
        )));
        assert!(is_nested_too_deep(&format!("{{ a(b: \"\") {braces}")));
    }
}
