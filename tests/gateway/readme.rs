//! The README's examples work as it shows them.

use roster::config::Settings;
use serde_json::Value;

use crate::world::World;

const README: &str = include_str!("../../README.md");

/// The blocks of code in a language, with their place.
fn blocks(language: &str) -> Vec<(usize, &'static str)> {
    let fence = format!("```{language}\n");
    let starts = README.match_indices(&fence).map(|(at, _)| at + fence.len());
    starts
        .map(|at| (at, README[at..].split("```").next().unwrap_or_default()))
        .collect()
}

#[tokio::test]
async fn every_query_of_the_readme_has_the_answer_that_the_readme_shows() {
    let world = World::start().await;
    let answers = blocks("json");
    let queries = blocks("graphql");
    assert_eq!(queries.len(), answers.len());

    for ((at, query), (_, answer)) in queries.into_iter().zip(answers) {
        let shown: Value =
            serde_json::from_str(answer).unwrap_or_else(|error| panic!("after {at}: {error}"));

        assert_eq!(world.data(query).await, shown, "{query}");
    }
}

#[test]
fn the_configurations_of_the_readme_are_understood() {
    let [(_, whole), (_, two)] = blocks("toml").try_into().expect("two configurations");

    let settings = Settings::parse(whole).expect("a configuration");

    assert_eq!(settings.accounts.len(), 4);
    settings.bounds().expect("bounds");
    settings.listen(None).expect("an address");
    let settings = Settings::parse(two).expect("a configuration");
    let accounts = settings.accounts().expect("accounts");
    let names: Vec<_> = accounts.iter().map(|(account, _)| account.name()).collect();
    assert_eq!(names, ["intercom", "intercom-eu"]);
}
