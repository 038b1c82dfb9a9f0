//! Reads a page of Markdown: its blocks of code, headings, tables and code in the text.

use std::{fs, path::Path};

/// A page, with its path below the root of the repository.
pub(crate) struct Page {
    pub(crate) name: String,
    pub(crate) text: String,
}

/// A block of code.
#[derive(Clone)]
pub(crate) struct Block {
    pub(crate) language: String,
    /// The page and the line, for messages.
    pub(crate) place: String,
    pub(crate) text: String,
}

/// The rows of a table under a heading, cell by cell.
pub(crate) type Rows = Vec<Vec<String>>;

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// One page.
pub(crate) fn page(name: &str) -> Page {
    let text = fs::read_to_string(root().join(name));
    let text = text.unwrap_or_else(|error| panic!("{name}: {error}"));
    let name = name.to_owned();
    Page { name, text }
}

/// The pages of a folder, in the order of their names.
fn pages_in(folder: &str) -> Vec<Page> {
    let entries = fs::read_dir(root().join(folder)).expect("a folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let names = names.map(|name| name.to_string_lossy().into_owned());
    let mut names: Vec<_> = names.filter(|name| name.ends_with(".md")).collect();
    names.sort();
    let pages = names.iter().map(|name| page(&format!("{folder}/{name}")));
    pages.collect()
}

/// The README and the pages of `docs`.
pub(crate) fn guide() -> Vec<Page> {
    let mut pages = vec![page("README.md")];
    pages.extend(pages_in("docs"));
    pages
}

/// All pages of the repository, but for those of tests.
pub(crate) fn pages() -> Vec<Page> {
    let mut pages = guide();
    pages.extend(["CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"].map(page));
    pages.extend(pages_in("docs/adr"));
    pages
}

/// The title of a heading, without its number signs.
fn heading(line: &str) -> Option<&str> {
    let title = line.trim_start_matches('#');
    (title.len() < line.len()).then_some(title.strip_prefix(' ')?.trim())
}

impl Page {
    /// The lines with their numbers from 1, each with the language of its block, if it is in one.
    fn lines(&self) -> Vec<(usize, &str, Option<&str>)> {
        let mut language = None;
        let mut lines = Vec::new();
        for (at, line) in self.text.lines().enumerate() {
            match (line.strip_prefix("```"), language) {
                // Behind the language a block may name a file.
                (Some(name), None) => language = name.split_whitespace().next().or(Some("")),
                (Some(_), Some(_)) => language = None,
                (None, _) => lines.push((at + 1, line, language)),
            }
        }
        assert_eq!(language, None, "{}: a block is not closed", self.name);
        lines
    }

    /// The blocks of code, in order.
    pub(crate) fn blocks(&self) -> Vec<Block> {
        let mut blocks: Vec<(usize, Block)> = Vec::new();
        for (at, line, language) in self.lines() {
            let Some(language) = language else { continue };
            match blocks.last_mut() {
                Some((last, block)) if *last + 1 == at => {
                    *last = at;
                    block.text += line;
                    block.text.push('\n');
                }
                _ => {
                    let block = Block {
                        language: language.to_owned(),
                        place: format!("{}:{at}", self.name),
                        text: format!("{line}\n"),
                    };
                    blocks.push((at, block));
                }
            }
        }
        blocks.into_iter().map(|(_, block)| block).collect()
    }

    /// The lines outside of blocks, with their numbers.
    pub(crate) fn prose(&self) -> Vec<(usize, &str)> {
        let lines = self.lines().into_iter();
        let lines = lines.filter(|(_, _, language)| language.is_none());
        lines.map(|(at, line, _)| (at, line)).collect()
    }

    /// The headings.
    pub(crate) fn headings(&self) -> Vec<&str> {
        let prose = self.prose().into_iter();
        prose.filter_map(|(_, line)| heading(line)).collect()
    }

    /// The code within the text: `like this`.
    pub(crate) fn code(&self) -> Vec<&str> {
        let prose = self.prose().into_iter();
        prose
            .flat_map(|(_, line)| line.split('`').skip(1).step_by(2))
            .collect()
    }

    /// The rows of all tables, each with the heading that it stands under.
    pub(crate) fn tables(&self) -> Vec<(&str, Vec<String>)> {
        let (mut title, mut is_body) = ("", false);
        let mut rows = Vec::new();
        for (_, line) in self.prose() {
            title = heading(line).unwrap_or(title);
            let Some(row) = line.strip_prefix('|') else {
                is_body = false;
                continue;
            };
            match (row.starts_with("---"), is_body) {
                (true, _) => is_body = true,
                (false, true) => rows.push((title, cells(row))),
                (false, false) => {}
            }
        }
        rows
    }

    /// The rows of the tables under a heading.
    pub(crate) fn rows(&self, title: &str) -> Rows {
        let tables = self.tables().into_iter();
        let rows: Rows = tables
            .filter_map(|(of, row)| (of == title).then_some(row))
            .collect();
        assert!(!rows.is_empty(), "{}: no table under {title:?}", self.name);
        rows
    }
}

fn cells(row: &str) -> Vec<String> {
    let row = row.trim_end().trim_end_matches('|');
    let cells = row.split('|').map(|cell| cell.trim().to_owned());
    cells.collect()
}

/// The texts in backticks.
pub(crate) fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// The one text in backticks that a cell starts with.
pub(crate) fn name(cell: &str) -> &str {
    let names = quoted(cell);
    let name = names.first().copied();
    name.unwrap_or_else(|| panic!("{cell:?} names nothing in backticks"))
}
