//! Reads a configuration's text and reports all errors of form at once, each with its line and its
//! setting, in TOML's words. An error shows no text of the file that may be a misplaced secret: only short, plain
//! names, and an address to listen on.

mod messages;
mod statement;

use std::{fs, io, ops::Range, path::Path};

use toml::de::DeTable;

use super::{ConfigErrors, Settings};
use crate::error::is_harmless;
pub use messages::explain_toml_error;
use statement::TomlEntry;

/// The largest number of errors of form that are collected.
const MOST: usize = 100;

const NO_UTF8: &str = "its text is not UTF-8";

/// The readable part of a configuration, and its errors of form.
#[derive(Debug, Default)]
pub struct ConfigDraft {
    /// The settings that could be read.
    pub settings: Settings,
    errors: Vec<TomlEntryError>,
    /// The prefix of each error of form: the file.
    prefix: String,
}

#[derive(Debug)]
struct TomlEntryError {
    line: usize,
    path: String,
    message: String,
}

impl ConfigDraft {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// A file that cannot be read as text.
    pub fn read(path: &Path) -> Result<Self, ConfigErrors> {
        let text = fs::read_to_string(path);
        let text = text.map_err(|error| {
            let why = read_error(&error);
            ConfigErrors(vec![format!("{}: {why}", path.display())])
        })?;
        Ok(Self {
            prefix: format!("{}: ", path.display()),
            ..Self::parse(&text)
        })
    }

    /// The settings, if all of them could be read.
    ///
    /// # Errors
    /// The errors of form.
    pub fn finish(self) -> Result<Settings, ConfigErrors> {
        match self.errors() {
            errors if errors.is_empty() => Ok(self.settings),
            errors => Err(ConfigErrors(errors)),
        }
    }

    /// Reads a configuration's text.
    #[must_use]
    pub fn parse(original: &str) -> Self {
        let mut patch = Self::default();
        let mut text = original.to_owned();
        for _ in 0..MOST {
            let (statement, message) = match first_error(&text) {
                Ok(settings) => {
                    patch.settings = settings;
                    break;
                }
                Err(fault) => fault,
            };
            text = blank_out(&text, statement.range.clone());
            patch.add(original, &statement, message);
        }
        patch.errors.sort_by_key(|error| error.line);
        patch
    }

    fn add(&mut self, original: &str, statement: &TomlEntry, message: String) {
        // An error in a table is not repeated for the tables in it.
        let is_known = |known: &TomlEntryError| {
            let rest = statement.path.strip_prefix(&known.path);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        if statement.path.is_empty() || !self.errors.iter().any(is_known) {
            self.errors.push(TomlEntryError {
                line: original[..statement.range.start].matches('\n').count() + 1,
                path: statement.path.clone(),
                message,
            });
        }
    }

    /// The errors of form, one per line.
    fn errors(&self) -> Vec<String> {
        let said = self.errors.iter().map(|error| {
            let TomlEntryError {
                line,
                path,
                message,
            } = error;
            let path = shown_setting(path);
            let colon = if path.is_empty() { "" } else { ": " };
            format!("{}line {line}: {path}{colon}{message}", self.prefix)
        });
        said.collect()
    }

    /// All errors, one per line: those of form, and those of meaning that do not follow from them.
    #[must_use]
    pub fn all_errors(&self, of_meaning: Vec<String>) -> Vec<String> {
        let follows = |said: &String| {
            let mut paths = self.errors.iter().map(|error| &error.path);
            paths.any(|path| !path.is_empty() && said.starts_with(path.as_str()))
        };
        let of_meaning = of_meaning.into_iter().filter(|said| !follows(said));
        self.errors().into_iter().chain(of_meaning).collect()
    }
}

/// The path of a file for an error, unless it looks like the content of one.
pub(super) fn shown_path(path: &Path) -> String {
    let text = path.to_string_lossy();
    match text.contains(['/', '\\', '.']) || is_harmless(&text) {
        true => text.into_owned(),
        false => "a path that is not shown here".to_owned(),
    }
}

/// The path of a setting for an error, with `?` for each part that may be a secret.
fn shown_setting(path: &str) -> String {
    let parts = path.split('.');
    let parts = parts.map(|part| if is_harmless(part) { part } else { "?" });
    parts.collect::<Vec<_>>().join(".")
}

/// Reads a text file; the error says why it cannot be read, without its path.
pub(super) fn read_regular_file(file: &Path) -> Result<String, String> {
    let bytes = read_regular_bytes(file)?;
    String::from_utf8(bytes).map_err(|_| NO_UTF8.to_owned())
}

/// Reads a file; the error says why it cannot be read, without its path.
pub(super) fn read_regular_bytes(file: &Path) -> Result<Vec<u8>, String> {
    // Opening a pipe would block.
    if fs::metadata(file).is_ok_and(|metadata| !metadata.is_file()) {
        return Err("this is no regular file".to_owned());
    }
    fs::read(file).map_err(|error| error.to_string())
}

/// Explains why a text file cannot be read.
fn read_error(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::InvalidData => NO_UTF8.to_owned(),
        _ => error.to_string(),
    }
}

/// The first statement that cannot be read, and why.
fn first_error(text: &str) -> Result<Settings, (TomlEntry, String)> {
    let (table, errors) = DeTable::parse_recoverable(text);
    if let Some(error) = errors.into_iter().next() {
        let at = error.span().unwrap_or(0..0).start;
        let statement = TomlEntry::on_line(text, at);
        let message = messages::explain_syntax_error(&statement, text, error.message());
        return Err((statement, message));
    }
    toml::from_str(text).map_err(|error| {
        let at = error.span().unwrap_or(0..0).start;
        let statement = TomlEntry::containing(text, table.get_ref(), at);
        let message = messages::explain_type_error(&statement, text, error.message());
        (statement, message)
    })
}

/// Replaces a range with spaces, so that all lines keep their numbers.
fn blank_out(text: &str, range: Range<usize>) -> String {
    let part = &text[range.clone()];
    let spaces: String = part
        .chars()
        .map(|c| match c {
            '\n' | '\r' => c.to_string(),
            c => " ".repeat(c.len_utf8()),
        })
        .collect();
    format!("{}{spaces}{}", &text[..range.start], &text[range.end..])
}
