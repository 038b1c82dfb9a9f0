//! Texts from outside in messages: only short, plain ones, because any other may be a secret.

/// The most characters of a text without upper-case letters, and of any other.
const MOST: (usize, usize) = (31, 20);

/// Whether a text is too short and too plain for a secret.
#[must_use]
pub fn is_harmless(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || " _-.:/[]".contains(c);
    let has_upper = text.contains(|c: char| c.is_ascii_uppercase());
    let most = if has_upper { MOST.1 } else { MOST.0 };
    text.len() <= most && text.chars().all(is_plain)
}

/// A text in quotes, unless it may be a secret.
#[must_use]
pub fn shown_value(text: &str) -> String {
    match is_harmless(text) {
        true => format!("{text:?}"),
        false => "a text that is not shown here".to_owned(),
    }
}
