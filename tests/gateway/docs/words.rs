//! Names in the pages are those of the schema and of the metrics, and the text is plain.

use std::collections::BTreeSet;

use super::page::{guide, name, page, pages};

const SCHEMA: &str = include_str!("../../../schema.graphql");
const METRICS: &str = include_str!("../../../src/metrics.rs");

/// The values of an enum of the schema.
fn values(of: &str) -> BTreeSet<&'static str> {
    let start = format!("\nenum {of} {{\n");
    let at = SCHEMA.find(&start).expect("an enum") + start.len();
    let body = SCHEMA[at..].split("\n}").next().unwrap_or_default();
    let lines = body.lines().map(str::trim);
    let is_value =
        |line: &&str| !line.is_empty() && line.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    lines.filter(is_value).collect()
}

#[test]
fn the_graph_page_has_a_row_for_every_code() {
    let graph = page("docs/graph.md");
    for (title, of) in [
        ("Statuses of sources", "SourceStatus"),
        ("Notices", "NoticeCode"),
        ("Codes of errors", "RosterErrorCode"),
        ("Outcomes of a write", "UpsertOutcome"),
    ] {
        let rows = graph.rows(title);
        let documented = rows.iter().flat_map(|row| super::page::quoted(&row[0]));

        let documented: BTreeSet<_> = documented.collect();

        assert_eq!(documented, values(of), "{title}");
    }
}

/// The names of the metrics.
fn metrics() -> BTreeSet<&'static str> {
    let texts = METRICS.split('"').skip(1).step_by(2);
    texts.filter(|text| text.starts_with("roster_")).collect()
}

/// The words of a text that look like metrics.
fn mentioned(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("roster_") && *word != "roster_sandbox")
}

#[test]
fn every_metric_has_a_row_and_no_page_names_another() {
    let rows = page("docs/operations.md").rows("All metrics");
    let documented: BTreeSet<_> = rows.iter().map(|row| name(&row[0])).collect();
    assert_eq!(documented, metrics());

    let ends = ["_bucket", "_sum", "_count"];
    for page in guide() {
        for word in mentioned(&page.text) {
            let base = ends.iter().find_map(|end| word.strip_suffix(end));
            let is_known = [Some(word), base]
                .into_iter()
                .flatten()
                .any(|word| metrics().contains(word));
            assert!(is_known, "{} names {word}", page.name);
        }
    }
}

#[test]
fn the_readme_is_a_page() {
    let lines = page("README.md").text.lines().count();

    assert!(lines <= 160, "{lines} lines");
}

/// How no sentence begins, and words that no sentence has.
const STARTS: [&str; 2] = ["Who ", "For how long"];
const WORDS: [&str; 3] = ["says of", "nought", "whom"];

#[test]
fn the_text_of_the_pages_is_plain() {
    let records = |name: &str| name.starts_with("docs/adr/") || name == "CHANGELOG.md";
    let mut wrong = Vec::new();
    for page in pages().into_iter().filter(|page| !records(&page.name)) {
        let prose = page.prose().into_iter();
        let prose: Vec<_> = prose.map(|(_, line)| line.trim()).collect();
        let text = prose.join("\n");
        let sentences = text.split(['.', ':', '\n', '|']).map(str::trim);
        let starts = sentences.filter(|text| STARTS.iter().any(|start| text.starts_with(start)));
        wrong.extend(starts.map(|text| format!("{}: {text}", page.name)));
        let words = text.split(|c: char| !c.is_alphanumeric());
        let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
        let text = format!(" {} ", words.join(" "));
        let banned = WORDS
            .iter()
            .filter(|word| text.contains(&format!(" {word} ")));
        wrong.extend(banned.map(|word| format!("{}: {word}", page.name)));
    }

    assert_eq!(wrong, Vec::<String>::new());
}
