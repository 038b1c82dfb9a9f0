//! The schema is the contract with other programs.

use std::collections::BTreeMap;

use apollo_compiler::{Schema, schema::ExtendedType};
use roster::{
    app,
    config::Settings,
    graphql::{client_sdl, sdl},
};
use serde_json::Value;

use crate::world::World;

#[test]
fn the_committed_schema_is_the_one_that_is_served() {
    let executor = app::open(&Settings::default()).expect("settings without mistakes");

    assert!(
        sdl(executor.schema()) == include_str!("../../schema.graphql"),
        "schema.graphql is not what the code exports: run `cargo run -- schema > schema.graphql`"
    );
}

/// The types of a schema with their fields, as texts.
fn types(text: &str) -> BTreeMap<String, String> {
    let schema = Schema::parse_and_validate(text, "schema.graphql").expect("a valid schema");
    let types = schema.types.iter().filter(|(_, of)| !of.is_built_in());
    let types = types.map(|(name, of)| {
        let mut of = of.clone();
        if let ExtendedType::Object(of) = &mut of {
            of.make_mut().directives.clear();
        }
        (name.to_string(), of.to_string())
    });
    types.collect()
}

#[test]
fn the_schema_for_clients_is_valid_by_itself_and_has_every_type_and_field() {
    let executor = app::open(&Settings::default()).expect("settings without mistakes");

    let of_clients = client_sdl(executor.schema());

    let (committed, extension) = include_str!("../../schema.graphql")
        .split_once("extend schema @link")
        .expect("a link");
    assert!(extension.contains("federation"));
    let directives =
        "\ndirective @key(fields: String!) repeatable on OBJECT\ndirective @shareable on OBJECT";
    assert_eq!(
        types(&of_clients),
        types(&format!("{committed}{directives}"))
    );
    assert!(!of_clients.contains("directive @"));
}

#[tokio::test]
async fn scalars_say_where_their_format_is_specified() {
    let world = World::with(0, |_| {}).await;
    let query = "{ moment: __type(name: \"DateTime\") { specifiedByURL } json: __type(name: \"JSON\") { specifiedByURL } }";

    let data = world.data(query).await;

    let rfc = |number| format!("https://datatracker.ietf.org/doc/html/rfc{number}");
    assert_eq!(data["moment"]["specifiedByURL"], rfc(3339));
    assert_eq!(data["json"]["specifiedByURL"], rfc(8259));
    let text = include_str!("../../schema.graphql");
    let scalars: Vec<_> = text
        .lines()
        .filter(|line| line.starts_with("scalar "))
        .collect();
    assert_eq!(scalars.len(), 2);
    assert!(
        scalars
            .iter()
            .all(|line| line.contains("@specifiedBy(url:"))
    );
}

#[tokio::test]
async fn the_schema_is_described_in_its_language_and_by_introspection() {
    let world = World::with(0, |_| {}).await;
    let query = "{ __schema { of: description queryType { name } }
        other: __schema { description } __type(name: \"__Schema\") { description } }";

    let data = world.data(query).await;

    let description = data["__schema"]["of"].as_str().expect("a text");
    assert!(
        description.starts_with("The people in a company's SaaS tools"),
        "{description}"
    );
    assert_eq!(data["other"]["description"], description);
    assert_ne!(data["__type"]["description"], description);
    let committed = include_str!("../../schema.graphql");
    let text: Vec<_> = committed
        .split("\"\"\"")
        .nth(1)
        .expect("a text")
        .split_whitespace()
        .collect();
    assert_eq!(text.join(" "), description);
    let definition = "\n\"\"\"\nschema {\n  query: Query\n  mutation: Mutation\n  subscription: Subscription\n}\n";
    assert!(committed.contains(definition));
}

#[tokio::test]
async fn every_element_of_the_schema_is_described() {
    let world = World::with(0, |_| {}).await;
    let introspection = "{ __schema { types { name description
        fields(includeDeprecated: true) { name description args { name description } }
        inputFields { name description } enumValues(includeDeprecated: true) { name description } } } }";

    let data = world.data(introspection).await;

    let types = data["__schema"]["types"].as_array().expect("types");
    let mut bare = Vec::new();
    for of in types.iter().filter(|of| {
        !of["name"]
            .as_str()
            .is_some_and(|name| name.starts_with('_'))
    }) {
        collect(of, of["name"].as_str().unwrap_or_default(), &mut bare);
    }
    assert_eq!(bare, Vec::<String>::new());
}

fn collect(element: &Value, path: &str, bare: &mut Vec<String>) {
    if element["description"]
        .as_str()
        .unwrap_or_default()
        .is_empty()
    {
        bare.push(path.to_owned());
    }
    for members in ["fields", "args", "inputFields", "enumValues"] {
        for member in element[members].as_array().into_iter().flatten() {
            let name = member["name"].as_str().unwrap_or_default();
            // The engine's own fields of a federated subgraph.
            if !name.starts_with('_') {
                collect(member, &format!("{path}.{name}"), bare);
            }
        }
    }
}
