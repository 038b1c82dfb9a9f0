//! The tests that the documents name exist.

use std::{fs, path::Path};

const LIMITS: &str = include_str!("../../docs/limits.md");

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
