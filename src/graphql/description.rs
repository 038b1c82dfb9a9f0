//! The description of the schema itself. The engine has one text for all schemas and exports none, so
//! ours is put into answers and into the exported schema here.

use async_graphql::{
    Name, Response, Value,
    parser::types::{ExecutableDocument, Selection},
};

/// The description of the schema, for its readers.
pub const DESCRIPTION: &str = "The people in a company's SaaS tools: their records at Intercom, Ada, Usertour, \
    DigitalChalk and SCIM servers, found by email, listed in pages, and written. `sources` tells how far an answer can be trusted.";

/// How the engine describes every schema.
const ENGINES: &str = "A GraphQL Schema defines the capabilities of a GraphQL server. It exposes all available types and directives on the server, as well as the entry points for query, mutation, and subscription operations.";

/// The keys of an answer that hold the schema. The root fields of the document stand without fragments.
pub(super) fn keys(document: &ExecutableDocument) -> Vec<Name> {
    let roots = document.operations.iter();
    let items = roots.flat_map(|(_, operation)| &operation.node.selection_set.node.items);
    let fields = items.filter_map(|selection| match &selection.node {
        Selection::Field(field) if field.node.name.node == "__schema" => {
            Some(field.node.response_key().node.clone())
        }
        _ => None,
    });
    fields.collect()
}

/// Puts our description in the place of the engine's.
pub fn describe(answer: &mut Response, keys: &[Name]) {
    let Value::Object(data) = &mut answer.data else {
        return;
    };
    for key in keys {
        let Some(Value::Object(schema)) = data.get_mut(key) else {
            continue;
        };
        for value in schema.values_mut() {
            if matches!(value, Value::String(text) if text == ENGINES) {
                *value = DESCRIPTION.into();
            }
        }
    }
}

/// The schema's definition with its description, which the engine leaves out of a subgraph.
pub(super) fn definition() -> String {
    let lines = wrapped(DESCRIPTION);
    format!(
        "\"\"\"\n{lines}\"\"\"\nschema {{\n  query: Query\n  mutation: Mutation\n  subscription: Subscription\n}}\n\n"
    )
}

/// A text in lines of at most 100 characters.
fn wrapped(text: &str) -> String {
    let mut lines = String::new();
    let mut width = 0;
    for word in text.split_whitespace() {
        if width > 0 && width + 1 + word.len() > 100 {
            lines.push('\n');
            width = 0;
        }
        if width > 0 {
            lines.push(' ');
            width += 1;
        }
        lines.push_str(word);
        width += word.len();
    }
    lines + "\n"
}
