//! The way of a query in `docs/architecture.md` is that of the code: each function exists in its file,
//! and a file of one of the four functions above it calls it.

use std::fs;

use super::page::{page, root};

/// A function that the page names, such as `Directory::list`, and the files of its row.
struct Named {
    function: String,
    files: Vec<String>,
    /// Its place in the way of a query; `None` where the row says only where a thing is.
    place: Option<u32>,
    /// Whether the row says that the engine, a closure or a trait calls it.
    is_called_indirectly: bool,
}

impl Named {
    fn name(&self) -> &str {
        self.function.rsplit("::").next().unwrap_or_default()
    }

    fn text(&self) -> String {
        let texts = self.files.iter().map(|file| {
            let text = fs::read_to_string(root().join(file));
            text.unwrap_or_else(|error| panic!("{file}: {error}"))
        });
        texts.collect()
    }
}

fn cells(row: &str) -> Vec<&str> {
    row.trim_matches('|').split('|').map(str::trim).collect()
}

/// The texts between backquotes that look like code's names.
fn names(cell: &str) -> Vec<String> {
    let quoted = cell.split('`').skip(1).step_by(2);
    let is_name = |text: &&str| {
        text.chars()
            .all(|c| c.is_alphanumeric() || "_:".contains(c))
    };
    quoted.filter(is_name).map(str::to_owned).collect()
}

/// The sources that a cell links to, as paths below the root.
fn files(cell: &str) -> Vec<String> {
    let targets = cell.split("](").skip(1);
    let targets = targets.filter_map(|rest| rest.split(')').next());
    let sources = targets.filter_map(|target| target.strip_prefix("../"));
    let sources = sources.filter(|path| path.ends_with(".rs"));
    sources.map(str::to_owned).collect()
}

/// The functions of the numbered rows, table by table.
fn ways() -> Vec<Vec<Named>> {
    let text = page("docs/architecture.md").text;
    let mut ways: Vec<Vec<Named>> = Vec::new();
    for row in text.lines().filter(|line| line.starts_with('|')) {
        let cells = cells(row);
        if cells.first() == Some(&"") {
            ways.push(Vec::new());
        }
        let place = cells.first().and_then(|cell| cell.parse().ok());
        if let (Some(place), Some(way), [_, function, file, what]) =
            (place, ways.last_mut(), cells.as_slice())
        {
            let function = names(function).pop().expect("a function");
            way.push(Named {
                function,
                files: files(file),
                place: Some(place),
                is_called_indirectly: what.contains("calls it"),
            });
        }
    }
    ways.retain(|way| !way.is_empty());
    ways
}

/// The functions and types that the table of places names, each with the files of its row.
fn places() -> Vec<Named> {
    let text = page("docs/architecture.md").text;
    let (_, table) = text.split_once("## Where a thing is").expect("a heading");
    let rows = table.lines().filter(|line| line.starts_with('|'));
    let named = rows.flat_map(|row| {
        let place = cells(row).get(1).copied().unwrap_or_default().to_owned();
        // `a` in [x.rs]; `b` in [y.rs]: each has its own file.
        let parts: Vec<_> = place.split(';').map(str::to_owned).collect();
        parts.into_iter().flat_map(|part| {
            let files = files(&part);
            names(&part).into_iter().map(move |function| Named {
                function,
                files: files.clone(),
                place: None,
                is_called_indirectly: false,
            })
        })
    });
    named.filter(|named| !named.files.is_empty()).collect()
}

/// Whether a text defines what a path such as `Type::function` names.
fn defines(text: &str, path: &str) -> bool {
    let parts: Vec<_> = path.split("::").collect();
    let is_defined = |name: &str| {
        let kinds = ["fn", "struct", "enum", "trait", "type", "const"];
        let definitions = kinds.map(|kind| format!("{kind} {name}"));
        let mut after = definitions
            .iter()
            .flat_map(|start| text.split(start).skip(1));
        after.any(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
    };
    let is_named = |name: &str| text.contains(name);
    match parts.as_slice() {
        [name] => is_defined(name),
        [owner, name] => is_named(owner) && is_defined(name),
        _ => false,
    }
}

#[test]
fn every_function_that_the_page_names_is_where_it_says() {
    let mut number = 0;
    for named in ways().into_iter().flatten().chain(places()) {
        assert!(!named.files.is_empty(), "{} has no file", named.function);
        let is_there = defines(&named.text(), &named.function);
        assert!(is_there, "{} is not in {:?}", named.function, named.files);
        number += 1;
    }
    assert!(number > 60, "{number}");
}

#[test]
fn each_function_of_the_way_down_is_called_from_one_of_four_rows_above_it() {
    let ways = ways();
    for way in [&ways[0], &ways[2]] {
        for (place, named) in way.iter().enumerate() {
            let above = &way[place.saturating_sub(4)..place];
            let name = named.name();
            let calls = [
                format!("{name}("),
                format!("{name}::<"),
                format!("::{name}"),
            ];
            let own = format!("fn {name}(");
            let is_called = above.iter().any(|above| {
                let text = above.text().replace(&own, "");
                calls.iter().any(|call| text.contains(call))
            });
            assert!(
                place == 0 || named.is_called_indirectly || is_called,
                "no row above calls {}",
                named.function
            );
        }
    }
}

#[test]
fn the_rows_of_the_way_are_numbered_without_a_gap() {
    let [down, back, by_email] = &ways()[..] else {
        panic!("three tables are the way: down, back, and by email");
    };
    let numbers: Vec<_> = down
        .iter()
        .chain(back)
        .filter_map(|named| named.place)
        .collect();
    let last = u32::try_from(numbers.len()).expect("few");

    assert_eq!(numbers, (1..=last).collect::<Vec<_>>());
    assert!(by_email.len() > 5);
}
