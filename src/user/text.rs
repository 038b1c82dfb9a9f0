//! The rules for texts of clients, in one place: whatever names something, narrows a list or is
//! written passes here before a provider hears of it.

use serde_json::Value;

use crate::error::{Error, Result};

/// The longest id, in characters: of a user, a company, a segment or a tag.
pub const ID: usize = 512;

/// An id as a client gives it.
///
/// # Errors
/// `Invalid` when it is longer than [`ID`] or holds control characters.
pub fn id(name: &str, text: impl Into<String>) -> Result<String> {
    let text = text.into();
    if text.chars().nth(ID).is_some() {
        return Err(Error::invalid(format!(
            "`{name}` is longer than {ID} characters"
        )));
    }
    line(name, text)
}

/// The longest text that is written, in characters. Records that are longer would make pages of a
/// provider's list too large to read.
pub const WRITTEN: usize = 4096;
/// The most bytes of custom fields that are written at a time, as JSON.
pub const ATTRIBUTES: usize = 64 * 1024;
/// The most tags or companies that are written at a time.
pub const ITEMS: usize = 500;

/// A text of one line that is written.
///
/// # Errors
/// `Invalid` when it is longer than [`WRITTEN`] or holds control characters.
pub fn written(name: &str, text: impl Into<String>) -> Result<String> {
    let text = text.into();
    if text.chars().nth(WRITTEN).is_some() {
        return Err(Error::invalid(format!(
            "`{name}` is longer than {WRITTEN} characters"
        )));
    }
    line(name, text)
}

/// A list that is written.
///
/// # Errors
/// `Invalid` when it has more than [`ITEMS`] items.
pub fn items<T>(name: &str, items: Vec<T>) -> Result<Vec<T>> {
    if items.len() > ITEMS {
        return Err(Error::invalid(format!(
            "`{name}` has more than {ITEMS} items: write some of them at a time"
        )));
    }
    Ok(items)
}

/// Whether a client could give a text as an id: what a provider sends as one must come back.
#[must_use]
pub fn is_id(text: &str) -> bool {
    text.chars().nth(ID).is_none() && !text.chars().any(char::is_control)
}

/// A text of one line.
///
/// # Errors
/// `Invalid` when it holds control characters (C0, DEL, C1): line ends and tabs are some of them.
pub fn line(name: &str, text: impl Into<String>) -> Result<String> {
    let text = text.into();
    if text.chars().any(char::is_control) {
        return Err(refused(name));
    }
    Ok(text)
}

/// Checks a value of custom fields: its keys are lines, its texts may have several.
///
/// # Errors
/// `Invalid` when a text holds control characters other than tabs and line ends, or a key holds any.
pub fn value(name: &str, value: &Value) -> Result<()> {
    let is_bad = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    match value {
        Value::String(text) if text.chars().any(is_bad) => Err(refused(name)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
        Value::Array(items) => items.iter().try_for_each(|item| self::value(name, item)),
        Value::Object(members) => members.iter().try_for_each(|(key, member)| {
            line(name, key.as_str())?;
            self::value(name, member)
        }),
    }
}

fn refused(name: &str) -> Error {
    Error::invalid(format!("`{name}` holds control characters: leave them out"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{ID, id, line, value};

    #[test]
    fn an_id_is_bounded_in_characters() {
        for character in ["a", "\u{1f600}"] {
            assert!(id("x", character.repeat(ID)).is_ok());
            let error = id("x", character.repeat(ID + 1)).expect_err("too long");
            assert_eq!(error.message(), "`x` is longer than 512 characters");
        }
    }

    #[test]
    fn control_characters_are_refused_wherever_they_stand() {
        for c in ['\u{0}', '\u{1b}', '\u{7f}', '\u{85}', '\u{9f}', '\n', '\t'] {
            assert!(line("x", format!("a{c}b")).is_err(), "{c:?}");
            assert!(id("x", format!("{c}")).is_err(), "{c:?}");
            assert!(value("x", &json!({ format!("a{c}"): 1 })).is_err(), "{c:?}");
            let is_refused = value("x", &json!([{ "a": format!("{c}") }])).is_err();
            assert_eq!(is_refused, !matches!(c, '\n' | '\t'), "{c:?}");
        }
        assert!(line("x", "Zoë \u{1f600}").is_ok());
    }
}
