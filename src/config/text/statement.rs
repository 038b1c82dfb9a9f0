//! The position of an error: the key with its value, or the table, that contains a byte of the
//! text.

use std::ops::Range;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// A key with its value, or a table with its header.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TomlEntry {
    /// The whole name of the setting or table: `server.listen`.
    pub(super) path: String,
    pub(super) range: Range<usize>,
    /// The range of the value; `None` for a table.
    pub(super) value: Option<Range<usize>>,
}

impl TomlEntry {
    /// The statement that contains a byte of a valid text.
    pub(super) fn containing(text: &str, table: &DeTable<'_>, at: usize) -> Self {
        let mut path = Vec::new();
        match value_at(text, table, at, &mut path) {
            Some(value) => Self {
                path: path.join("."),
                range: line_start(text, key_start(text, value.start))..value.end,
                value: Some(value),
            },
            None => Self::on_line(text, at),
        }
    }

    /// The statement on a line of an invalid text: its key, or its header and what follows.
    pub(super) fn on_line(text: &str, at: usize) -> Self {
        let start = line_start(text, at);
        let line = text[start..].lines().next().unwrap_or_default();
        let end = start + line.len();
        if let Some(path) = header(line) {
            let rest = lines_from(text, end).skip(1);
            let next = rest.into_iter().find(|(_, line)| header(line).is_some());
            let end = next.map_or(text.len(), |(start, _)| start);
            return Self {
                path,
                range: start..end,
                value: None,
            };
        }
        let before: Vec<_> = lines_from(text, 0)
            .take_while(|(of, _)| *of < start)
            .collect();
        let table = before.iter().rev().find_map(|(_, line)| header(line));
        let key = line.split_once('=').map(|(key, _)| plain(key));
        let path: Vec<_> = table.into_iter().chain(key).collect();
        Self {
            path: path.join("."),
            range: start..end,
            value: line.find('=').map(|equals| start + equals + 1..end),
        }
    }
}

/// The value that contains a byte, or whose key does. Searches tables with headers too.
fn value_at(
    text: &str,
    table: &DeTable<'_>,
    at: usize,
    path: &mut Vec<String>,
) -> Option<Range<usize>> {
    for (key, value) in table {
        path.push(key.get_ref().to_string());
        let found = match value.get_ref() {
            DeValue::Table(inner) if !is_inline(text, value) => value_at(text, inner, at, path),
            _ => {
                let whole = key.span().start.min(value.span().start)..value.span().end;
                let is_empty = value.span().is_empty();
                (whole.contains(&at) && !is_empty).then(|| value.span())
            }
        };
        if found.is_some() {
            return found;
        }
        path.pop();
    }
    None
}

fn is_inline(text: &str, value: &Spanned<DeValue<'_>>) -> bool {
    text[value.span()].starts_with('{')
}

/// The start of the key before a value: its line has the `=`.
fn key_start(text: &str, value: usize) -> usize {
    text[..value].rfind('=').unwrap_or(value)
}

fn line_start(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    text[..at].rfind('\n').map_or(0, |end| end + 1)
}

/// The lines from a byte on, with their positions.
fn lines_from(text: &str, at: usize) -> impl Iterator<Item = (usize, &str)> {
    let mut start = at;
    text[at..].split_inclusive('\n').map(move |line| {
        let of = start;
        start += line.len();
        (of, line.trim_end_matches(['\n', '\r']))
    })
}

/// The name of the table, if a line is its header.
fn header(line: &str) -> Option<String> {
    let name = line.trim_start().strip_prefix('[')?;
    let name = name.trim_start_matches('[');
    let name = name.split([']', '#', '\n']).next().unwrap_or_default();
    Some(plain(name))
}

/// A key without quotes.
fn plain(key: &str) -> String {
    let parts = key.trim().split('.');
    let parts = parts.map(|part| part.trim().trim_matches(['"', '\'']));
    parts.collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use toml::de::DeTable;

    use super::TomlEntry;

    const TEXT: &str = "[server]\nlisten = 7 # here\n[accounts.ada]\nbudget = [\n  { calls = 1 },\n]\n\
                        cache.seconds = true\n[accounts.\"usertour\"]\noptions = { a = { b = 1 } }\n";

    fn at(words: &str) -> (String, &'static str) {
        let table = DeTable::parse(TEXT).expect("TOML");
        let at = TEXT.find(words).expect("a place");
        let statement = TomlEntry::containing(TEXT, table.get_ref(), at);
        (statement.path, &TEXT[statement.range])
    }

    #[test]
    fn a_statement_is_a_key_with_its_value_or_a_table() {
        for (words, path, range) in [
            ("listen", "server.listen", "listen = 7"),
            ("7", "server.listen", "listen = 7"),
            (
                "calls",
                "accounts.ada.budget",
                "budget = [\n  { calls = 1 },\n]",
            ),
            ("true", "accounts.ada.cache.seconds", "cache.seconds = true"),
            (
                "b = 1",
                "accounts.usertour.options",
                "options = { a = { b = 1 } }",
            ),
            ("server", "server", "[server]\nlisten = 7 # here\n"),
        ] {
            assert_eq!(at(words), (path.to_owned(), range), "{words}");
        }
    }

    #[test]
    fn a_line_that_is_no_toml_has_a_path_too() {
        let text = "[accounts.ada]\nattempts = 1\ntoken =\n[server\nlisten = 1\n";
        let path = |words: &str| TomlEntry::on_line(text, text.find(words).expect("a place")).path;

        assert_eq!(path("token"), "accounts.ada.token");
        assert_eq!(path("[server"), "server");
    }
}
