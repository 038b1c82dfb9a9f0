//! Validation of parameters and bodies, with the provider's texts. Of several problems only the
//! first is reported.

use serde_json::{Map, Value};

use super::error::UsertourError;

/// A number of rows: as requested, and as it takes effect.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Limit(pub(super) f64);

impl Limit {
    /// How many rows a page has.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "validated to lie within 1 and 100"
    )]
    pub(super) fn rows(self) -> usize {
        self.0 as usize
    }

    /// The number as links echo it.
    pub(super) fn text(self) -> String {
        super::jsonb::number_text(self.0)
    }
}

/// `limit`, coerced as JavaScript's `Number` does. The maximum is checked first, so a text that is
/// not a number is "greater than 100".
pub(super) fn limit(query: &Map<String, Value>, whole: bool) -> Result<Limit, UsertourError> {
    let number = match query.get("limit") {
        None => return Ok(Limit(20.0)),
        Some(Value::String(text)) => js_number(text),
        Some(_) => f64::NAN,
    };
    if number.is_nan() || number > 100.0 {
        return Err(UsertourError::invalid("limit must not be greater than 100"));
    }
    if number < 1.0 {
        return Err(UsertourError::invalid("limit must not be less than 1"));
    }
    if whole && number.fract() != 0.0 {
        return Err(UsertourError::invalid("limit must be an integer number"));
    }
    Ok(Limit(number))
}

/// A parameter that must be one string.
pub(super) fn string<'a>(
    query: &'a Map<String, Value>,
    name: &str,
) -> Result<Option<&'a str>, UsertourError> {
    match query.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(UsertourError::invalid(format!("{name} must be a string"))),
    }
}

/// A parameter that is one or several of the allowed words.
pub(super) fn words<'a>(
    query: &'a Map<String, Value>,
    name: &str,
    allowed: &[&str],
) -> Result<Vec<&'a str>, UsertourError> {
    let refuse = || {
        let list = allowed.join(", ");
        UsertourError::invalid(format!(
            "each value in {name} must be one of the following values: {list}"
        ))
    };
    let values: Vec<&Value> = match query.get(name) {
        None => return Ok(Vec::new()),
        Some(Value::Array(items)) => items.iter().collect(),
        Some(single) => vec![single],
    };
    values
        .into_iter()
        .map(|value| {
            value
                .as_str()
                .filter(|word| allowed.contains(word))
                .ok_or_else(refuse)
        })
        .collect()
}

/// `email`, checked for its syntax only.
pub(super) fn email(query: &Map<String, Value>) -> Result<Option<&str>, UsertourError> {
    match query.get("email") {
        None => Ok(None),
        Some(Value::String(text)) if is_email(text) => Ok(Some(text)),
        Some(_) => Err(UsertourError::invalid("email must be an email")),
    }
}

/// An identifier in a body: any value but an array is coerced to a string, which must not be blank.
pub(super) fn identifier(value: Option<&Value>, message: &str) -> Result<String, UsertourError> {
    let text = match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => super::jsonb::number_text(number.as_f64().unwrap_or(0.0)),
        Some(Value::Bool(flag)) => flag.to_string(),
        Some(Value::Object(_)) => "[object Object]".to_owned(),
        None | Some(Value::Null | Value::Array(_)) => String::new(),
    };
    if text.trim().is_empty() {
        return Err(UsertourError::invalid(message));
    }
    Ok(text)
}

/// Optional attributes.
pub(super) fn attributes(
    value: Option<&Value>,
    message: &str,
) -> Result<Map<String, Value>, UsertourError> {
    match value {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(members)) => Ok(members.clone()),
        Some(_) => Err(UsertourError::invalid(message)),
    }
}

/// The provider's database refuses NUL, and the server does not catch the error.
pub(super) fn storable(text: &str) -> Result<(), UsertourError> {
    if text.contains('\0') {
        return Err(UsertourError::Unexpected);
    }
    Ok(())
}

fn storable_attributes(attributes: &Map<String, Value>) -> Result<(), UsertourError> {
    for (key, value) in attributes {
        storable(key)?;
        storable_value(value)?;
    }
    Ok(())
}

/// Checks that a value contains no NUL.
pub(super) fn storable_value(value: &Value) -> Result<(), UsertourError> {
    match value {
        Value::String(text) => storable(text),
        Value::Array(items) => items.iter().try_for_each(storable_value),
        Value::Object(members) => storable_attributes(members),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

/// `Number(text)` of JavaScript.
pub(super) fn js_number(text: &str) -> f64 {
    let text = text.trim();
    if text.is_empty() {
        return 0.0;
    }
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = text.to_ascii_lowercase().strip_prefix(prefix) {
            return u32::from_str_radix(digits, radix).map_or(f64::NAN, f64::from);
        }
    }
    let plain = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    if plain {
        text.parse().unwrap_or(f64::NAN)
    } else {
        f64::NAN
    }
}

fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    is_local_part(local) && is_domain(domain)
}

/// The local part, as the server's library checks it: characters of the basic plane only, so most
/// emoji are refused; between quotation marks anything but a bare quotation mark.
fn is_local_part(local: &str) -> bool {
    let is_beyond_ascii = |c: char| matches!(c, '\u{a1}'..='\u{d7ff}' | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{ffef}');
    if local.len() > 64 {
        return false;
    }
    let quoted = local
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    if let Some(quoted) = quoted {
        let mut is_escaped = false;
        let is_allowed = quoted.chars().all(|c| {
            let is_plain = c == '\u{a0}' || is_beyond_ascii(c) || c.is_ascii() && c != '\0';
            let was_escaped = is_escaped;
            is_escaped = c == '\\' && !was_escaped;
            is_plain && (was_escaped || c != '"')
        });
        return is_allowed && !is_escaped;
    }
    let allowed = |c: char| {
        c.is_ascii_alphanumeric() || "!#$%&'*+/=?^_`{|}~-".contains(c) || is_beyond_ascii(c)
    };
    local
        .split('.')
        .all(|atom| !atom.is_empty() && atom.chars().all(allowed))
}

fn is_domain(domain: &str) -> bool {
    let is_letter = |c: char| {
        c.is_ascii_alphanumeric()
            || matches!(c, '\u{a1}'..='\u{ffff}') && !matches!(c, '\u{ff01}'..='\u{ff5e}')
    };
    let label = |label: &str| {
        let is_bounded = !label.is_empty() && label.encode_utf16().count() <= 63;
        is_bounded
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c == '-' || is_letter(c))
    };
    let Some((_, top)) = domain.rsplit_once('.') else {
        return false;
    };
    let is_of_top = |c: char| c.is_ascii_alphabetic() || !c.is_ascii();
    domain.len() <= 254
        && domain.split('.').all(label)
        && top.chars().count() >= 2
        && (top.starts_with("xn--") || top.chars().all(is_of_top))
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value};

    use super::{Limit, is_email, limit};
    use crate::providers::usertour::error::UsertourError;
    use crate::providers::usertour::qs;

    fn limit_of(text: &str) -> Result<Limit, UsertourError> {
        let query: Map<String, Value> = qs::parse(&format!("limit={text}"));
        limit(&query, false)
    }

    #[test]
    fn limits_are_coerced_as_javascript_does() {
        for (text, rows) in [
            ("1e1", 10),
            ("0x10", 16),
            ("%205%20", 5),
            ("%2B5", 5),
            ("2.5", 2),
        ] {
            assert_eq!(limit_of(text).map(Limit::rows), Ok(rows), "{text}");
        }
    }

    #[test]
    fn a_text_that_is_not_a_number_is_greater_than_the_maximum() {
        for text in ["abc", "5abc", "Infinity", "null", "101", "inf", "nan"] {
            let refusal = UsertourError::invalid("limit must not be greater than 100");
            assert_eq!(limit_of(text), Err(refusal), "{text}");
        }
        for text in ["0", "-1", ""] {
            let refusal = UsertourError::invalid("limit must not be less than 1");
            assert_eq!(limit_of(text), Err(refusal), "{text}");
        }
    }

    #[test]
    fn only_plain_addresses_are_emails() {
        for good in [
            "a@x.example",
            "A+b@X.Example",
            "jürg@x.example",
            "\"q\"@x.example",
            "\"a b\"@x.example",
            "\u{263a}@x.example",
            "a@mu\u{308}ller.example",
        ] {
            assert!(is_email(good), "{good}");
        }
        for bad in [
            "",
            "a",
            "a@localhost",
            " a@x.example",
            "A <a@x.example>",
            "a b@x.example",
            "a..b@x.example",
            "@x.example",
            "\u{1f600}@x.example",
            "\"a\"b\"@x.example",
            "a\0@x.example",
        ] {
            assert!(!is_email(bad), "{bad}");
        }
    }
}
