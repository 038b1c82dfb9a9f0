//! The page of the sandboxes has every fault and every switch of their behaviour, with what it takes.

mod pipeline;

use roster_sandbox::Provider;
use serde_json::{Value, json};

use super::page::{name, page, quoted};
use crate::world::World;

const PAGE: &str = "docs/sandbox.md";

/// Sends a setting to the sandbox's controls: `None` where it is taken, or what is wrong with it.
async fn refusal(world: &World, path: &str, body: &Value) -> Option<String> {
    let url = format!("http://{}/_sandbox/{path}", world.sandbox);
    let response = world.client.post(url).json(body).send().await;
    let response = response.expect("an answer");
    if response.status() == 204 {
        return None;
    }
    let answer: Value = response.json().await.expect("JSON");
    Some(answer["message"].as_str().expect("a message").to_owned())
}

/// The names that the error of an unknown one lists.
async fn known(world: &World, path: &str, body: &Value) -> Vec<String> {
    let error = refusal(world, path, body).await.expect("an error");
    let (_, expected) = error.split_once(", ").expect("a list");
    let names = quoted(expected).into_iter();
    names.map(str::to_owned).collect()
}

#[tokio::test]
async fn the_page_has_every_fault_with_its_parameters_and_an_example_that_is_taken() {
    let world = World::with(1, |_| {}).await;
    let rows = page(PAGE).rows("Kinds of faults");

    let unknown = json!({ "provider": "ada", "kind": "unheard_of" });
    let kinds = known(&world, "faults", &unknown).await;
    let documented: Vec<_> = rows.iter().map(|row| name(&row[0])).collect();
    assert_eq!(documented, kinds);

    for row in &rows {
        let example: Value = serde_json::from_str(name(&row[2])).expect("JSON");
        assert_eq!(example["kind"], name(&row[0]));
        assert_eq!(refusal(&world, "faults", &example).await, None, "{example}");

        let mut extended = example.clone();
        extended["unheard_of"] = true.into();
        let parameters = known(&world, "faults", &extended).await;
        assert_eq!(quoted(&row[1]), parameters, "{}", row[0]);
    }
}

#[tokio::test]
async fn the_page_has_every_parameter_that_all_faults_take() {
    let world = World::with(1, |_| {}).await;
    for row in page(PAGE).rows("Which calls a fault strikes") {
        let value: Value = serde_json::from_str(name(&row[1])).expect("JSON");
        let mut fault = json!({ "provider": "ada", "kind": "hang" });
        fault[name(&row[0])] = value;

        assert_eq!(refusal(&world, "faults", &fault).await, None, "{fault}");
    }
}

/// A provider's switches, as the error of an unknown one lists them: `rate=on`.
async fn switches(world: &World, provider: Provider) -> Vec<String> {
    let body = json!({ "provider": provider.name(), "name": "unheard_of", "value": "on" });
    let error = refusal(world, "behaviour", &body).await.expect("an error");
    let (_, known) = error.split_once("known: ").expect("a list");
    known.split(", ").map(str::to_owned).collect()
}

/// The switch of a row, as the sandbox lists it.
fn documented(row: &[String]) -> String {
    let values = match quoted(&row[1]) {
        values if values.is_empty() => row[1].clone(),
        values => values.join("|"),
    };
    format!("{}={values}", name(&row[0]))
}

#[tokio::test]
async fn the_page_has_every_switch_with_its_values() {
    let world = World::with(1, |_| {}).await;
    let titles = roster::account::Provider::ALL;
    for (provider, title) in Provider::ALL.into_iter().zip(titles) {
        assert_eq!(provider.name(), title.name());
        let rows = page(PAGE).rows(&format!("Switches of {}", title.title()));
        let documented: Vec<_> = rows.iter().map(|row| documented(row)).collect();

        assert_eq!(documented, switches(&world, provider).await, "{provider}");
    }
}

#[test]
fn the_page_has_the_address_and_the_tokens_of_every_sandbox() {
    let listen = "127.0.0.1:8081".parse().expect("an address");
    let rows = page(PAGE).rows("Addresses and tokens");
    let documented: Vec<_> = rows.iter().map(|row| row[1..].concat()).collect();

    for (provider, shown) in Provider::ALL.into_iter().zip(&documented) {
        let mut expected = vec![provider.base_url(listen)];
        expected.extend(provider.tokens(roster_sandbox::TOKEN));
        assert_eq!(quoted(shown), expected);
    }
    assert_eq!(documented.len(), Provider::ALL.len());
}

#[tokio::test]
async fn every_command_of_the_page_that_sets_something_is_taken() {
    let world = World::with(1, |_| {}).await;
    let blocks = page(PAGE).blocks().into_iter();
    let shell: String = blocks
        .filter(|block| block.language == "sh")
        .map(|block| block.text)
        .collect();
    let mut number = 0;
    for line in shell.lines() {
        let Some((address, body)) = line.split_once(" --json '") else {
            continue;
        };
        let (_, path) = address.split_once("/_sandbox/").expect("a control");
        let body: Value = serde_json::from_str(body.trim_end_matches('\'')).expect("JSON");

        assert_eq!(refusal(&world, path, &body).await, None, "{line}");
        number += 1;
    }
    assert_eq!(number, 2);
}

#[tokio::test]
async fn the_people_of_the_page_are_at_the_providers() {
    let world = World::with_providers(&roster::account::Provider::ALL, 500, |_| {}).await;
    for row in page(PAGE).rows("People to test with") {
        let address = name(&row[0]);
        let query = format!("{{ usersByEmail(email: \"{address}\") {{ nodes {{ provider }} }} }}");
        let data = world.data(&query).await;
        let nodes = data["usersByEmail"]["nodes"].as_array().expect("a list");
        assert_eq!(nodes.is_empty(), row[1] == "at no provider", "{address}");
        if row[1].contains("at every provider") {
            assert!(nodes.len() >= Provider::ALL.len(), "{address}: {nodes:?}");
        }
    }
}
