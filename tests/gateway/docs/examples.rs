//! The examples of the pages work as they are shown: queries have their answers, `roster check`
//! accepts the configurations, and the program understands its command lines.

use futures_util::future::join_all;
use roster::account::Provider;
use serde_json::{Value, json};

use super::page::{Block, Page, guide, page, pages};
use crate::{
    program::{File, ran, roster, stderr, stdout},
    streams::{events, post_for_events},
    world::World,
};

/// The page for clients also shows documents that a frontend holds, which have no answer there.
const WITHOUT_ANSWERS: &str = "docs/clients.md";

/// The queries of a page, each with the block that follows it if that is an answer.
fn queries(page: &Page) -> Vec<(Block, Option<Block>)> {
    let blocks = page.blocks();
    let mut found = Vec::new();
    for (at, block) in blocks.iter().enumerate() {
        if block.language != "graphql" {
            continue;
        }
        let next = blocks.get(at + 1).cloned();
        let answer = next.filter(|block| block.language == "json");
        assert!(
            answer.is_some() || page.name == WITHOUT_ANSWERS,
            "{}: the query has no answer",
            block.place
        );
        found.push((block.clone(), answer));
    }
    found
}

/// The data of the first event of a subscription.
async fn first_event(world: &World, query: &str) -> Value {
    let response = post_for_events(world.gateway, &json!({ "query": query })).await;
    let events = events(response).await;
    let (_, response) = events.into_iter().next().expect("an event");
    assert_eq!(response.get("errors"), None, "{query}");
    response["data"].clone()
}

/// What a page should show: the data, or all of an answer that has errors.
async fn answer(world: &World, query: &str) -> Value {
    if query.trim_start().starts_with("subscription") {
        return first_event(world, query).await;
    }
    let mut answer = world.answer(query).await;
    match answer.get("errors") {
        None => answer["data"].take(),
        Some(_) => answer,
    }
}

#[tokio::test]
async fn every_query_of_the_pages_has_the_answer_that_is_shown() {
    let mut number = 0;
    for page in guide() {
        let world = World::with_providers(&Provider::ALL, 500, |_| {}).await;
        for (query, shown) in queries(&page) {
            let Some(shown) = shown else { continue };
            let expected: Value = serde_json::from_str(&shown.text)
                .unwrap_or_else(|error| panic!("{}: {error}", shown.place));

            let answer = answer(&world, &query.text).await;

            assert_eq!(answer, expected, "{}", query.place);
            number += 1;
        }
    }
    assert!(number >= 10, "{number}");
}

/// The accounts of a configuration, each with the text of its table.
fn accounts(text: &str) -> Vec<(&str, &str)> {
    let tables = text.split("\n[").map(|table| table.trim_start_matches('['));
    let accounts = tables.filter_map(|table| {
        let (name, body) = table.strip_prefix("accounts.")?.split_once(']')?;
        Some((name, body))
    });
    accounts.collect()
}

/// A folder with the files that the examples name.
fn folder() -> String {
    let folder = std::env::temp_dir().join(format!("roster-docs-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    for file in ["intercom", "usertour"] {
        std::fs::write(folder.join(file), "secret").expect("a file");
    }
    format!("{}/", folder.display())
}

/// Runs `check` on an example, with the tokens, files and names that a reader would have.
async fn check(block: &Block, folder: &str) -> Result<(), String> {
    let mut text = block
        .text
        .replace("HANDLE", "acme")
        .replace("/run/secrets/", folder)
        .replace("/var/log/roster/", folder);
    if !text.contains("[accounts.") {
        text += "[accounts.intercom]\n";
    }
    let file = File::holding(&block.place.replace(['/', ':'], "-"), &text);
    let mut program = roster(&["check", "--config", file.path()]);
    for (account, table) in accounts(&text) {
        let name = account.to_uppercase().replace('-', "_");
        let token = match table.contains("\noptions = { project = ") {
            true => "utp_secret",
            false => "secret",
        };
        program.env(format!("ROSTER_{name}_TOKEN"), token);
    }
    program.env("ROSTER_TRACE_TOKEN", "secret");
    program.env("ROSTER_REDIS_PASSWORD", "secret");
    let output = ran(program).await;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("{}: {}", block.place, stderr(&output))),
    }
}

#[tokio::test]
async fn every_configuration_of_the_pages_is_accepted_by_check() {
    let pages = pages();
    let blocks = pages.iter().flat_map(Page::blocks);
    let blocks: Vec<_> = blocks.filter(|block| block.language == "toml").collect();

    let folder = folder();

    let checked = join_all(blocks.iter().map(|block| check(block, &folder))).await;

    std::fs::remove_dir_all(&folder).expect("it is removed");
    let wrong: Vec<_> = checked.into_iter().filter_map(Result::err).collect();
    assert_eq!(wrong, Vec::<String>::new());
    assert!(blocks.len() >= 5, "{}", blocks.len());
}

/// The command lines of the program in a page, without its name: in blocks of the shell, and in
/// backticks within the text.
fn command_lines(page: &Page) -> Vec<String> {
    let blocks = page.blocks();
    let shell = blocks.iter().filter(|block| block.language == "sh");
    let lines = shell.flat_map(|block| block.text.lines());
    let code = page.code();
    let lines = lines.chain(code);
    let lines = lines.filter_map(|line| {
        let line = line.trim_start();
        let called = ["roster ", "cargo run --release -- ", "cargo run -- "];
        let rest = called.iter().find_map(|name| line.strip_prefix(name))?;
        let end = rest.find([';', '#', '|', '>', '&']).unwrap_or(rest.len());
        Some(rest[..end].trim().to_owned())
    });
    lines.collect()
}

/// Lets the program read a command line without running it.
async fn is_understood(line: &str) -> Result<(), String> {
    let mut arguments: Vec<_> = line.split_whitespace().collect();
    arguments.push("--help");
    let output = ran(roster(&arguments)).await;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("roster {line}: {}", stderr(&output))),
    }
}

#[tokio::test]
async fn every_command_line_of_the_pages_is_understood() {
    let pages = pages();
    let mut lines: Vec<_> = pages.iter().flat_map(command_lines).collect();
    lines.sort();
    lines.dedup();

    let read = join_all(lines.iter().map(|line| is_understood(line))).await;

    let wrong: Vec<_> = read.into_iter().filter_map(Result::err).collect();
    assert_eq!(wrong, Vec::<String>::new());
    assert!(lines.len() >= 6, "{lines:?}");
}

#[tokio::test]
async fn every_command_has_a_row_in_the_operations_page() {
    let help = stdout(&ran(roster(&["--help"])).await);
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let commands = commands.take_while(|line| !line.is_empty());
    let names = commands.filter_map(|line| line.split_whitespace().next());
    let names: Vec<_> = names.filter(|name| *name != "help").collect();

    let rows = page("docs/operations.md").rows("Commands");
    let documented = rows.iter().map(|row| super::page::name(&row[0]));
    let documented: Vec<_> = documented
        .map(|command| command.trim_start_matches("roster "))
        .collect();

    assert_eq!(documented, names);
}
