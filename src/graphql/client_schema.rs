//! The schema for the tools of clients, such as relay-compiler: without what routers need of a federated
//! subgraph.

use apollo_compiler::ast::{Definition, Document};
use async_graphql::SDLExportOptions;

use super::{Schema, description};

/// The types that every federated subgraph has.
const OF_FEDERATION: [&str; 3] = ["_Any", "_Entity", "_Service"];

/// The schema in its own language, without federation's parts. Every tool knows the directives that
/// are left out: they are the specification's own.
///
/// # Panics
/// When the engine prints a schema that cannot be parsed, which a test would have shown.
#[must_use]
pub fn client_sdl(schema: &Schema) -> String {
    let text = schema.sdl_with_options(SDLExportOptions::new().include_specified_by());
    let parsed = Document::parse(text, "schema.graphql");
    let mut document = parsed.expect("the engine prints a schema that can be parsed");
    document.definitions.retain(is_for_clients);
    for definition in &mut document.definitions {
        if let Definition::ObjectTypeDefinition(of) = definition {
            of.make_mut()
                .fields
                .retain(|field| !field.name.starts_with('_'));
        }
    }
    description::definition() + &document.to_string()
}

/// The schema's own definition is written with its description.
fn is_for_clients(definition: &Definition) -> bool {
    match definition {
        Definition::SchemaDefinition(_) | Definition::DirectiveDefinition(_) => false,
        definition => definition
            .name()
            .is_none_or(|name| !OF_FEDERATION.contains(&name.as_str())),
    }
}
