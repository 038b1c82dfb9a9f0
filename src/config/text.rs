//! A configuration's text: all mistakes of its form at once, each with its line and its setting, in the
//! words of TOML. A mistake shows no text of the file, which may be a secret in the wrong place; only an
//! address to listen on is shown.

mod statement;
mod words;

use std::{fs, io, ops::Range, path::Path};

use toml::de::DeTable;

use super::{ConfigErrors, Settings};
use statement::Statement;
pub use words::in_words;

/// How many mistakes of form are looked for.
const MOST: usize = 100;

/// A configuration as far as it can be read, and what is wrong with its form.
#[derive(Debug, Default)]
pub struct ConfigDraft {
    /// The settings that can be read.
    pub settings: Settings,
    errors: Vec<ConfigMistake>,
    /// What each mistake of form begins with: the file.
    begins: String,
}

#[derive(Debug)]
struct ConfigMistake {
    line: usize,
    path: String,
    says: String,
}

impl ConfigDraft {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// When there is no text to read.
    pub fn read(path: &Path) -> Result<Self, ConfigErrors> {
        let text = fs::read_to_string(path);
        let text = text.map_err(|error| {
            let why = unread(&error);
            ConfigErrors(vec![format!("{}: {why}", path.display())])
        })?;
        Ok(Self {
            begins: format!("{}: ", path.display()),
            ..Self::parse(&text)
        })
    }

    /// The settings, if all of them could be read.
    ///
    /// # Errors
    /// The mistakes of form.
    pub fn finish(self) -> Result<Settings, ConfigErrors> {
        match self.errors() {
            errors if errors.is_empty() => Ok(self.settings),
            errors => Err(ConfigErrors(errors)),
        }
    }

    /// Reads a configuration's text.
    #[must_use]
    pub fn parse(original: &str) -> Self {
        let mut draft = Self::default();
        let mut text = original.to_owned();
        for _ in 0..MOST {
            let (statement, says) = match fault(&text) {
                Ok(settings) => {
                    draft.settings = settings;
                    break;
                }
                Err(fault) => fault,
            };
            text = blanked(&text, statement.range.clone());
            draft.add(original, &statement, says);
        }
        draft.errors.sort_by_key(|error| error.line);
        draft
    }

    fn add(&mut self, original: &str, statement: &Statement, says: String) {
        // What is wrong with a table is not said again of the tables in it.
        let is_known = |known: &ConfigMistake| {
            let rest = statement.path.strip_prefix(&known.path);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        if statement.path.is_empty() || !self.errors.iter().any(is_known) {
            self.errors.push(ConfigMistake {
                line: original[..statement.range.start].matches('\n').count() + 1,
                path: statement.path.clone(),
                says,
            });
        }
    }

    /// The mistakes of form, a line each.
    fn errors(&self) -> Vec<String> {
        let said = self.errors.iter().map(|error| {
            let ConfigMistake { line, path, says } = error;
            let colon = if path.is_empty() { "" } else { ": " };
            format!("{}line {line}: {path}{colon}{says}", self.begins)
        });
        said.collect()
    }

    /// All mistakes, a line each: those of form, and those of meaning that do not follow from them.
    #[must_use]
    pub fn all_mistakes(&self, of_meaning: Vec<String>) -> Vec<String> {
        let follows = |said: &String| {
            let mut paths = self.errors.iter().map(|error| &error.path);
            paths.any(|path| !path.is_empty() && said.starts_with(path.as_str()))
        };
        let of_meaning = of_meaning.into_iter().filter(|said| !follows(said));
        self.errors().into_iter().chain(of_meaning).collect()
    }
}

/// Why a text file cannot be read.
pub(super) fn unread(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::InvalidData => "its text is not UTF-8".to_owned(),
        _ => error.to_string(),
    }
}

/// The first statement that cannot be read, and why.
fn fault(text: &str) -> Result<Settings, (Statement, String)> {
    let (table, errors) = DeTable::parse_recoverable(text);
    if let Some(error) = errors.into_iter().next() {
        let at = error.span().unwrap_or(0..0).start;
        let statement = Statement::on_line(text, at);
        let says = words::syntax(&statement, text, error.message());
        return Err((statement, says));
    }
    toml::from_str(text).map_err(|error| {
        let at = error.span().unwrap_or(0..0).start;
        let statement = Statement::at(text, table.get_ref(), at);
        let says = words::form(&statement, text, error.message());
        (statement, says)
    })
}

/// The text with spaces in the place of a range: all lines stay where they are.
fn blanked(text: &str, range: Range<usize>) -> String {
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
