//! Deeply nested documents, behind everything that can hide a bracket. An overflow of the stack
//! would end the tests.

use std::time::Duration;

use async_graphql::parser::types::{BaseType, Selection, SelectionSet, Type};
use async_graphql_value::Value;
use proptest::prelude::*;
use roster::graphql::document::{NESTING, ParsedDocument};
use serde_json::json;
use tokio::time::timeout;

use crate::{bad_input::codes, world::World};

/// Everything that opens a level, with its closing part.
const BRACKETS: [(&str, &str); 11] = [
    ("{a", "}"),
    ("{...{a", "}}"),
    ("{...on Query{a", "}}"),
    ("{a(b:[", "])}"),
    ("{a(b:{c:", "})}"),
    ("{a@b(c:[", "])}"),
    ("[", "]"),
    ("{a:", "}"),
    ("(", ")"),
    ("query($a:[", "])"),
    ("query($a:A={b:", "})"),
];

/// Text before the levels: each piece looks to some lexers like the start or the end of a string.
const BEFORE: [&str; 8] = [
    "",
    "{a(b:\"\"\"\\\"\"\" \"\"\" c:",
    "{a(b:\"\"\"\\\\\"\"\" c:",
    "{a(b:\"\\\"\" c:",
    "{a(b:\"\\\\\" c:",
    "{a(b:\"\" c:",
    "# \"\"\"\r{a(b:1 c:",
    "{a(b:\"\"\"#\"\"\"c:",
];

async fn answered(world: &World, query: &str, by_get: bool) -> serde_json::Value {
    let url = format!("http://{}/graphql", world.gateway);
    let request = if by_get {
        world.client.get(format!("{url}?{}", encoded(query)))
    } else {
        world.client.post(url).json(&json!({ "query": query }))
    };
    let request = request.header("accept", "application/json");
    let answer = timeout(Duration::from_secs(10), request.send()).await;
    let answer = answer.expect("in time").expect("the gateway lives");
    answer.json().await.expect("JSON")
}

fn encoded(query: &str) -> String {
    let mut pairs = url::form_urlencoded::Serializer::new(String::new());
    pairs.append_pair("query", query);
    pairs.finish()
}

#[tokio::test]
async fn a_bracket_behind_a_block_string_is_a_bracket() {
    let world = World::with(0, |_| {}).await;
    let query = format!(
        "{{a(b:\"\"\"\\\"\"\" \"\"\" c:{}{})}}",
        "[".repeat(1_500),
        "]".repeat(1_500)
    );

    for by_get in [false, true] {
        let answer = answered(&world, &query, by_get).await;
        assert_eq!(codes(&answer), ["QUERY_TOO_COMPLEX"]);
    }
    world.data("{ accounts { provider } }").await;
}

#[tokio::test]
async fn twenty_thousand_levels_of_every_bracket_are_refused_wherever_they_begin() {
    let world = World::with(0, |_| {}).await;
    for before in BEFORE {
        for (open, _) in BRACKETS {
            let most = (250_000 / open.len()).min(20_000);
            let query = format!("{before}{}", open.repeat(most));
            let answer = answered(&world, &query, false).await;
            assert!(!codes(&answer).is_empty(), "{before} {open}");
            let query = format!("{before}{}", open.repeat(10_000 / open.len()));
            let answer = answered(&world, &query, true).await;
            assert!(!codes(&answer).is_empty(), "{before} {open}");
        }
    }
    world.data("{ accounts { provider } }").await;
}

/// The depth of selection sets, values and types in the engine's form of a document.
fn depth(document: &ParsedDocument) -> usize {
    let document = &document.executable;
    let operations = document.operations.iter().map(|(_, operation)| {
        let types = operation.node.variable_definitions.iter();
        let types = types.map(|variable| levels(&variable.node.var_type.node));
        let set = of_set(&operation.node.selection_set.node);
        types.max().unwrap_or(0).max(set)
    });
    let fragments = document.fragments.values();
    let fragments = fragments.map(|fragment| of_set(&fragment.node.selection_set.node));
    operations.chain(fragments).max().unwrap_or(0)
}

fn of_set(set: &SelectionSet) -> usize {
    let below = set.items.iter().map(|selection| match &selection.node {
        Selection::Field(field) => {
            let arguments = field.node.arguments.iter();
            let values = arguments.map(|(_, value)| of_value(&value.node)).max();
            let set = of_set(&field.node.selection_set.node);
            set.max(values.unwrap_or(0))
        }
        Selection::InlineFragment(fragment) => of_set(&fragment.node.selection_set.node),
        Selection::FragmentSpread(_) => 0,
    });
    // A field without a set has an empty one.
    below.max().map_or(0, |below| 1 + below)
}

fn of_value(value: &Value) -> usize {
    match value {
        Value::List(items) => 1 + items.iter().map(of_value).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(of_value).max().unwrap_or(0),
        _ => 0,
    }
}

fn levels(ty: &Type) -> usize {
    match &ty.base {
        BaseType::Named(_) => 0,
        BaseType::List(of) => 1 + levels(of),
    }
}

fn piece() -> impl Strategy<Value = String> {
    let string = prop_oneof![
        Just("\"\"".to_owned()),
        Just("\"\\\"\"".to_owned()),
        Just("\"\\\\\"".to_owned()),
        Just("\"[{(\"".to_owned()),
        Just("\"\"\"\\\"\"\"\"\"\"".to_owned()),
        Just("\"\"\"\\\"\"\" [[[ \"\"\"".to_owned()),
        Just("\"\"\" \\\\\"\"\"".to_owned()),
        Just("\"\"\"\"\"\"".to_owned()),
        Just("\"\"\"".to_owned()),
        Just("\"".to_owned()),
    ];
    let filler = prop_oneof![
        Just("#\"\"\"\n".to_owned()),
        Just("#[[[\r".to_owned()),
        Just("# {{{ \r\n".to_owned()),
        Just("\r".to_owned()),
        Just(",\u{feff}".to_owned()),
        Just(" a: 1 ".to_owned()),
        Just("a(b:".to_owned()),
        Just("...on Query".to_owned()),
        Just("$a:".to_owned()),
        Just("@skip(if:".to_owned()),
    ];
    let bracket = (
        prop::sample::select(BRACKETS.to_vec()),
        1_usize..200,
        any::<bool>(),
    );
    let brackets = bracket.prop_map(|((open, close), times, is_closed)| {
        let end = if is_closed {
            close.repeat(times)
        } else {
            String::new()
        };
        format!("{}1{end}", open.repeat(times))
    });
    prop_oneof![string, filler, brackets]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// A test's thread has the same stack as the gateway's own threads: 2 MiB.
    #[test]
    fn no_parsed_document_is_deeper_than_the_limit(
        pieces in prop::collection::vec(piece(), 1..12),
    ) {
        let text = pieces.concat();
        if let Ok(document) = ParsedDocument::parse(&text) {
            prop_assert!(depth(&document) <= NESTING);
        }
    }

    #[test]
    fn a_document_within_the_bound_is_parsed_whatever_its_strings_hold(
        values in 1_usize..60,
        sets in 1_usize..60,
        inside in "[ -!#-\\[\\]-~é\n\r]{0,20}",
    ) {
        let string = format!("\"\"\"{inside}\\\"\"\" {{[(\"\"\"");
        let value = format!("{}{string}{}", "[".repeat(values), "]".repeat(values));
        let below = format!("{}b{}", "{a".repeat(sets), "}".repeat(sets));
        let text = format!("{{a(b:{value}){below}}}").replace("ab", "a{b}");
        let document = ParsedDocument::parse(&text);
        prop_assert!(document.is_ok_and(|document| depth(&document) >= values), "{text}");
    }
}
