//! Makes providers' JSON fit for strict readers. Python writes `NaN`, Ruby writes half an emoji,
//! and a strict reader refuses a whole text because of one such value.
//!
//! This scans words and ignores grammar: a text that is not JSON stays not JSON.

use std::borrow::Cow;

/// The deepest nesting that is passed on; most readers refuse more than a few hundred levels.
pub const LEVELS: usize = 100;

/// Replaces a character that cannot be read.
const REPLACEMENT: &str = "\\ufffd";

/// Returns the same JSON without what strict readers refuse: half of a surrogate pair becomes
/// U+FFFD; a number outside the range of a double, `NaN`, `Infinity` and any value nested deeper
/// than `levels` become null. Digits, white space and the order of keys stay.
#[must_use]
pub fn sanitize(text: &str, levels: usize) -> Cow<'_, str> {
    let mut scanner = JsonSanitizer {
        text,
        at: 0,
        copied: 0,
        strict: String::new(),
    };
    scanner.run(levels);
    if scanner.copied == 0 {
        return Cow::Borrowed(text);
    }
    scanner.strict.push_str(&text[scanner.copied..]);
    Cow::Owned(scanner.strict)
}

/// Scans a text once. It looks only at ASCII, so it always cuts between characters.
struct JsonSanitizer<'a> {
    text: &'a str,
    at: usize,
    /// The end of the part that was copied; nothing is copied while nothing needs a change.
    copied: usize,
    strict: String,
}

impl JsonSanitizer<'_> {
    fn run(&mut self, levels: usize) {
        let mut depth = 0_usize;
        while let Some(byte) = self.byte(0) {
            match byte {
                b'"' => self.string(),
                b'[' | b'{' if depth == levels => {
                    let start = self.at;
                    self.skip();
                    self.replace(start, "null");
                }
                b'[' | b'{' => {
                    depth += 1;
                    self.at += 1;
                }
                b']' | b'}' => {
                    depth = depth.saturating_sub(1);
                    self.at += 1;
                }
                b'-' | b'0'..=b'9' | b'N' | b'I' => self.number(),
                _ => self.at += 1,
            }
        }
    }

    fn byte(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.at + ahead).copied()
    }

    /// Replaces the text from `start` to the current position.
    fn replace(&mut self, start: usize, other: &str) {
        self.strict.push_str(&self.text[self.copied..start]);
        self.strict.push_str(other);
        self.copied = self.at;
    }

    /// Scans a string, from its opening to its closing quote.
    fn string(&mut self) {
        self.at += 1;
        while let Some(byte) = self.byte(0) {
            match byte {
                b'"' => {
                    self.at += 1;
                    return;
                }
                b'\\' => self.escape(),
                0..=0x1f => {
                    self.at += 1;
                    self.replace(self.at - 1, &format!("\\u{byte:04x}"));
                }
                _ => self.at += 1,
            }
        }
    }

    /// Scans an escape in a string. A surrogate is valid only with the other half of its pair.
    fn escape(&mut self) {
        let start = self.at;
        match self.unit(0) {
            Some(0xd800..=0xdbff) if matches!(self.unit(6), Some(0xdc00..=0xdfff)) => {
                self.at += 12;
            }
            Some(0xd800..=0xdfff) => {
                self.at += 6;
                self.replace(start, REPLACEMENT);
            }
            Some(_) => self.at += 6,
            // Skips the escaped character, which may take several bytes.
            None if self.byte(1).is_some_and(|byte| byte.is_ascii()) => self.at += 2,
            None => self.at += 1,
        }
    }

    /// Reads the number of a `\uXXXX` escape that starts `ahead` bytes from here.
    fn unit(&self, ahead: usize) -> Option<u32> {
        let start = self.at + ahead;
        let digits = self.text.get(start..start + 6)?.strip_prefix("\\u")?;
        let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        u32::from_str_radix(digits, 16).ok().filter(|_| is_hex)
    }

    /// Scans a number, or a word that some writers use for a value that is not a number.
    fn number(&mut self) {
        let start = self.at;
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
        self.at += 1;
        while self.byte(0).is_some_and(is_part) {
            self.at += 1;
        }
        let word = &self.text[start..self.at];
        let is_word = matches!(word, "NaN" | "Infinity" | "-Infinity");
        // Rust reads some more words as numbers; the strict reader refuses those.
        let is_number = word.bytes().any(|byte| byte.is_ascii_digit());
        let is_beyond = || word.parse::<f64>().is_ok_and(f64::is_infinite);
        if is_word || (is_number && may_be_beyond(word) && is_beyond()) {
            self.replace(start, "null");
        }
    }

    /// Skips to the end of a list or an object, or of the text.
    fn skip(&mut self) {
        let mut depth = 0_usize;
        while let Some(byte) = self.byte(0) {
            self.at += 1;
            match byte {
                b'"' => self.skip_string(),
                b'[' | b'{' => depth += 1,
                b']' | b'}' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return;
            }
        }
    }

    /// Skips past the quote that closes the current string.
    fn skip_string(&mut self) {
        while let Some(byte) = self.byte(0) {
            self.at += 1;
            match byte {
                b'"' => return,
                // A multi-byte character contains no quote byte.
                b'\\' => self.at += usize::from(self.byte(0).is_some_and(|byte| byte.is_ascii())),
                _ => {}
            }
        }
    }
}

/// Whether a number may be outside the range of a double: that takes an exponent or hundreds of
/// digits.
fn may_be_beyond(word: &str) -> bool {
    word.len() > 300 || word.contains(['e', 'E'])
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use proptest::prelude::{
        Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest,
    };
    use serde_json::{Value, value::RawValue};

    use super::{LEVELS, sanitize};

    fn made(text: &str) -> String {
        sanitize(text, LEVELS).into_owned()
    }

    #[test]
    fn valid_json_stays_as_it_is() {
        for text in [
            r#"{ "b": 12345678901234567890123, "a": 1.10, "a": -0.0e-999 }"#,
            r#"["\ud83d\ude00", "\\ud83d", "\"", "é😀", "\u00e9", 1e308, null, true]"#,
            r#"{"$serde_json::private::RawValue": "1"}"#,
            r#""NaN, -Infinity and 1e999""#,
        ] {
            assert!(matches!(sanitize(text, LEVELS), Cow::Borrowed(same) if same == text));
        }
    }

    #[test]
    fn half_of_a_pair_becomes_the_replacement_character() {
        assert_eq!(made(r#""Kim \ud83d""#), r#""Kim \ufffd""#);
        assert_eq!(made(r#""\ude00\ud83d""#), r#""\ufffd\ufffd""#);
        assert_eq!(made(r#""\uD83D\n\\\uDE00é""#), r#""\ufffd\n\\\ufffdé""#);
        assert_eq!(made(r#""\ud83d\ud83d\ude00""#), r#""\ufffd\ud83d\ude00""#);
        assert_eq!(made(r#"{"\udead": 1}"#), r#"{"\ufffd": 1}"#);
    }

    #[test]
    fn numbers_beyond_a_double_become_null() {
        assert_eq!(
            made("[1e999,-1E+400,NaN,Infinity, -Infinity ,1]"),
            "[null,null,null,null, null ,1]"
        );
        assert_eq!(made(&"9".repeat(310)), "null");
        assert_eq!(made(&"9".repeat(308)), "9".repeat(308));
    }

    #[test]
    fn control_characters_in_texts_are_escaped() {
        assert_eq!(
            made("[\"a\tb\n\",\t\"\u{0}\"]"),
            "[\"a\\u0009b\\u000a\",\t\"\\u0000\"]"
        );
    }

    #[test]
    fn values_nested_too_deeply_become_null() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));

        assert_eq!(made(&nested(LEVELS)), nested(LEVELS));
        let cut = format!("{}null{}", "[".repeat(LEVELS), "]".repeat(LEVELS));
        assert_eq!(made(&nested(LEVELS + 1)), cut);
        assert_eq!(made(&nested(100_000)), cut);
        assert_eq!(sanitize(r#"[{"a":"]}\"é"},[1],2]"#, 1), "[null,null,2]");
    }

    /// Fragments of JSON, and of invalid JSON.
    fn word() -> impl Strategy<Value = String> {
        let fixed = [
            "\"", "\\", "\\u", "\\ud83d", "\\ude00", "\\\"", "[", "]", "{", "}", ":", ",", "1",
            "-", "e999", "NaN", "null", "\n", "é", "😀", "\"a\":",
        ];
        prop_oneof![
            any::<proptest::sample::Index>().prop_map(move |at| at.get(&fixed).to_string()),
            "\\PC{0,3}",
        ]
    }

    fn json() -> impl Strategy<Value = String> {
        let text = prop_oneof![
            "\\PC{0,6}".prop_map(|text| serde_json::to_string(&text).expect("a text")),
            Just(r#""\ud800""#.to_owned()),
            Just(r#""\udc00 \ud83d\ude00""#.to_owned()),
        ];
        let number = prop_oneof![
            any::<f64>().prop_map(|number| format!("{number:e}")),
            any::<i64>().prop_map(|number| number.to_string()),
            Just("1e999".to_owned()),
            Just("null".to_owned()),
        ];
        let leaf = prop_oneof![
            text.clone(),
            number.prop_filter("JSON", |text| !text.contains("inf")
                && !text.contains("NaN"))
        ];
        leaf.prop_recursive(6, 40, 5, move |inner| {
            let members = proptest::collection::vec((text.clone(), inner.clone()), 0..5);
            prop_oneof![
                proptest::collection::vec(inner, 0..5)
                    .prop_map(|items| format!("[{}]", items.join(" , "))),
                members.prop_map(|members| {
                    let members = members
                        .into_iter()
                        .map(|(key, value)| format!("{key}: {value}"));
                    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_text_is_scanned_exactly_once(words in proptest::collection::vec(word(), 0..30)) {
            let text = words.concat();
            for levels in [0, 2, LEVELS] {
                let once = sanitize(&text, levels).into_owned();
                prop_assert_eq!(sanitize(&once, levels).into_owned(), once);
            }
        }

        #[test]
        fn a_strict_reader_accepts_every_result(text in json()) {
            let out = made(&text);
            prop_assert!(serde_json::from_str::<Value>(&out).is_ok(), "{}", out);
            prop_assert!(serde_json::from_str::<&RawValue>(&out).is_ok());
            if let Ok(read) = serde_json::from_str::<Value>(&text) {
                prop_assert_eq!(&out, &text);
                prop_assert_eq!(serde_json::from_str::<Value>(&out).ok(), Some(read));
            }
        }
    }
}
