//! Integers that the JSON parser would change.

/// Whether a JSON text has an integer beyond 64 bits. The parser silently turns it into a float,
/// which is another number.
pub(super) fn has_too_large(json: &[u8]) -> bool {
    let mut rest = json;
    while let Some((&first, after)) = rest.split_first() {
        rest = match first {
            b'"' => after_text(after),
            b'-' | b'0'..=b'9' => {
                let of_number =
                    |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
                let end = rest.iter().position(|byte| !of_number(byte));
                let (number, after) = rest.split_at(end.unwrap_or(rest.len()));
                if is_too_large(number) {
                    return true;
                }
                after
            }
            _ => after,
        };
    }
    false
}

/// Returns the text after a string whose opening quote has been read.
fn after_text(mut rest: &[u8]) -> &[u8] {
    while let Some((&first, after)) = rest.split_first() {
        rest = match first {
            b'"' => return after,
            b'\\' => after.get(1..).unwrap_or_default(),
            _ => after,
        };
    }
    rest
}

fn is_too_large(number: &[u8]) -> bool {
    let number = std::str::from_utf8(number).unwrap_or_default();
    let is_whole = !number.contains(['.', 'e', 'E']);
    // A number with this few digits always fits.
    is_whole
        && number.len() > 18
        && number.parse::<i64>().is_err()
        && number.parse::<u64>().is_err()
}

#[cfg(test)]
mod tests {
    use super::has_too_large;

    #[test]
    fn only_whole_numbers_outside_texts_count() {
        for fine in [
            "18446744073709551615",
            "-9223372036854775808",
            "[1e30, 123456789012345678901.5, 0]",
            r#"{"123456789012345678901":"\\\"123456789012345678901"}"#,
            "\"123456789012345678901",
            "",
        ] {
            assert!(!has_too_large(fine.as_bytes()), "{fine}");
        }
        for large in [
            "18446744073709551616",
            "-9223372036854775809",
            r#"{"a":"\\","b":[1,123456789012345678901]}"#,
        ] {
            assert!(has_too_large(large.as_bytes()), "{large}");
        }
    }
}
