//! Explains errors of a statement in TOML's words.

use super::TomlEntry;
use crate::error::is_harmless;

/// The error of a token in the file.
const TOKEN: &str = "a token is never in this file: name an environment variable by `token_env`, or a file by `token_file`";

/// The error of a table from before accounts.
const OLD_TABLE: &str = "a table is named after an account now: write [accounts.NAME] in place of [vendor.NAME]; an account \
     with another name than its provider's needs its provider, such as `provider = \"intercom\"`";

/// Explains a statement that is not TOML.
pub(super) fn explain_syntax_error(statement: &TomlEntry, text: &str, message: &str) -> String {
    let value = statement.value.clone().map(|value| text[value].trim());
    let has_no_value = value.is_some_and(|value| value.is_empty() || value.starts_with('#'));
    match (is_token(&statement.path), has_no_value) {
        (true, true) => format!("it has no value; {TOKEN}"),
        (true, false) => TOKEN.to_owned(),
        (false, true) => "it has no value: give it one, or drop the line".to_owned(),
        (false, false) => format!("this is not TOML: {message}"),
    }
}

/// Explains a statement that is TOML and does not fit.
pub(super) fn explain_type_error(statement: &TomlEntry, text: &str, message: &str) -> String {
    if is_token(&statement.path) {
        return TOKEN.to_owned();
    }
    if message.starts_with("unknown field `vendor`") {
        return OLD_TABLE.to_owned();
    }
    if let Some((old, new)) = RENAMED
        .iter()
        .find(|(old, new)| is_renamed(message, old, new))
    {
        return format!("`{old}` is now called `{new}`: rename it");
    }
    if message == "invalid socket address syntax" {
        let value = statement.value.clone().map(|value| text[value].trim());
        return format!(
            "{} is no address to listen on: expected {ADDRESS}",
            value.unwrap_or("it")
        );
    }
    explain_toml_error(message)
}

/// Settings that have a new name: the old one, and the new one.
const RENAMED: [(&str, &str); 3] = [
    ("notice_seconds", "shutdown_delay_seconds"),
    ("share", "failure_rate"),
    ("longest_seconds", "max_cooldown_seconds"),
];

/// Whether the parser found an old name in a table that has the new one.
fn is_renamed(message: &str, old: &str, new: &str) -> bool {
    message.starts_with(&format!("unknown field `{old}`")) && message.contains(&format!("`{new}`"))
}

const ADDRESS: &str = "an IP address and a port, such as \"127.0.0.1:8080\"";

fn is_token(path: &str) -> bool {
    path.starts_with("accounts.") && path.ends_with(".token")
}

/// Explains an error of the TOML library in words that need no knowledge of its types. A message of
/// another form stays as it is.
#[must_use]
pub fn explain_toml_error(message: &str) -> String {
    let kinds = ["invalid type: ", "invalid value: "];
    let rest = kinds.iter().find_map(|kind| message.strip_prefix(kind));
    if let Some((found, wanted)) = rest.and_then(|rest| rest.rsplit_once(", expected ")) {
        // A number beyond 64 bits comes with the name of one of the library's types.
        let wide = found
            .strip_prefix("integer `")
            .and_then(|rest| rest.split_once("` as "));
        if let Some((number, _)) = wide {
            return format!(
                "the number {number} is out of range: expected {}",
                describe_expected(wanted)
            );
        }
        return format!(
            "expected {}, not {}",
            describe_expected(wanted),
            describe_found(found)
        );
    }
    let kinds = ["unknown field ", "unknown variant "];
    if let Some(rest) = kinds.iter().find_map(|kind| message.strip_prefix(kind)) {
        let (name, known) = rest.split_once(", ").unwrap_or((rest, ""));
        let known = known
            .replace("expected one of ", "")
            .replace("expected ", "");
        let name = match is_harmless(name.trim_matches('`')) {
            true => format!("there is no {name} here"),
            false => "there is no such name here".to_owned(),
        };
        return format!("{name}: expected one of {}", known.replace('`', ""));
    }
    if let Some(name) = message.strip_prefix("missing field ") {
        return format!("{name} is missing: it is expected here");
    }
    if message == "wanted string or table" {
        return "expected a text in quotes".to_owned();
    }
    message.to_owned()
}

/// Describes the expected value.
fn describe_expected(wanted: &str) -> String {
    let words = match wanted {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number that is not negative",
        "i32" | "i64" => "a whole number",
        "f32" | "f64" => "a number, such as 5.0",
        "a boolean" => "true or false",
        "a string" => "a text in quotes",
        "path string" => "the path of a file, in quotes",
        "socket address" => ADDRESS,
        "a sequence" => "a list in [ ]",
        "a map" => "a table",
        wanted if wanted.starts_with("struct ") => "a table",
        wanted if wanted.starts_with("a nonzero") => "a whole number of at least 1",
        _ => "another kind of value",
    };
    words.to_owned()
}

/// Describes the value that was found. Strings are not shown: one may be a secret.
fn describe_found(found: &str) -> String {
    let (kind, value) = found.split_once('`').unwrap_or((found, ""));
    let value = value.trim_end_matches('`');
    match kind.trim() {
        "integer" | "floating point" => format!("the number {value}"),
        "boolean" => value.to_owned(),
        "sequence" => "a list".to_owned(),
        "map" => "a table".to_owned(),
        kind if kind.starts_with("string") => "a text".to_owned(),
        _ => "this".to_owned(),
    }
}
