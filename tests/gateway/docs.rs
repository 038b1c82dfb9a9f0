//! The documents are true: their examples run, and the tests, types, settings, metrics, codes and pages
//! that they name exist.

mod examples;
mod http;
mod links;
pub(crate) mod page;
mod providers;
mod sandbox;
mod settings;
mod way;
mod words;

use std::{collections::BTreeSet, fs, path::Path};

use roster::account::Provider;

use crate::program::{ran, roster, stdout};

const CONTRIBUTING: &str = include_str!("../../CONTRIBUTING.md");
const LIMITS: &str = include_str!("../../docs/limits.md");
const SCHEMA: &str = include_str!("../../schema.graphql");

/// The text of every file in a folder.
fn tests(folder: &Path) -> String {
    let entries = fs::read_dir(folder).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .map(|path| match path.is_dir() {
            true => tests(&path),
            false => String::from_utf8_lossy(&fs::read(path).expect("a file")).into_owned(),
        })
        .collect()
}

#[test]
fn every_limit_names_a_test_that_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = tests(&root.join("tests/gateway")) + &tests(&root.join("src"));
    let rows = LIMITS.lines().filter(|line| line.starts_with("| "));
    let rows = rows.filter(|line| !line.starts_with("| limit |"));
    let mut number = 0;
    for row in rows {
        let cell = row.trim_end_matches(['|', ' ']).rsplit('|').next();
        let names = cell.unwrap_or_default().split(',');
        for name in names.map(|name| name.trim().trim_matches('`')) {
            assert!(text.contains(&format!("fn {name}(")), "{name:?} of {row}");
            number += 1;
        }
    }
    assert!(number > 30, "{number}");
}

#[test]
fn contributing_names_only_what_the_code_has() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = tests(&root.join("src")) + &tests(&root.join("tests/gateway"));
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let code = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let known: BTreeSet<&str> = code.flat_map(|line| line.split(|c| !is_part(c))).collect();
    let quoted = CONTRIBUTING.split('`').skip(1).step_by(2);
    // Headings of the changelog.
    let quoted = quoted.filter(|quoted| !quoted.contains(['#', '[']));
    let words = quoted.flat_map(|quoted| quoted.split(|c| !is_part(c)));
    let is_name = |word: &&str| {
        let has_upper = word.starts_with(|c: char| c.is_ascii_uppercase());
        let has_lower = word.contains(|c: char| c.is_ascii_lowercase());
        // The guide's own example is a provider called Hub; the other is a header.
        has_lower
            && (has_upper || word.contains('_'))
            && !word.starts_with("Hub")
            && *word != "Authorization"
    };
    let names: Vec<_> = words.filter(is_name).collect();

    let unknown = names.iter().filter(|name| !known.contains(**name));
    assert_eq!(unknown.collect::<Vec<_>>(), Vec::<&&str>::new());
    assert!(names.len() > 20, "{names:?}");
}

#[tokio::test]
async fn texts_that_list_the_providers_list_all_of_them() {
    let help = stdout(&ran(roster(&["--help"])).await);
    let schema = SCHEMA.split("schema").next().unwrap_or_default();
    for provider in Provider::ALL {
        assert!(help.contains(provider.title()), "{help}");
    }
    for provider in Provider::ALL {
        assert!(schema.contains(provider.title()), "{schema}");
    }
}
