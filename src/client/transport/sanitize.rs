//! Makes a provider's error text fit for a client: bounded in number and length, and without
//! secrets and addresses. Every error text that a connector reads passes through here.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::error::RejectionReason;

/// The largest number of reasons shown for one refusal.
const REASONS: usize = 20;
/// The largest number of characters of a reason.
const MESSAGE: usize = 300;
/// The number of characters of a reason that are read: more than are shown, because some are
/// removed.
const LOOKED_AT: usize = 2_000;
/// The largest number of characters of a field's name.
const FIELD: usize = 64;
/// The largest number of characters of a provider's request id.
const REQUEST_ID: usize = 128;
/// The length from which a run of letters and digits looks like a secret. Record ids are shorter.
const SECRET: usize = 32;
/// The prefixes of some providers' secrets.
const SECRETS: [&str; 4] = ["ak_", "sk_", "eyJ", "dG9rO"];

/// Replaces a removed part.
const REMOVED: &str = "[removed]";

/// Makes a provider's reasons fit for a client. `token` is our own token at the provider.
pub(super) fn reasons(reasons: Vec<RejectionReason>, token: Option<&str>) -> Vec<RejectionReason> {
    let reasons = reasons.into_iter().take(REASONS);
    let cleaned = reasons.filter_map(|reason| {
        let message = text(&reason.message, token);
        let field = reason.field.filter(|name| is_field(name, token));
        (!message.is_empty()).then_some(RejectionReason { field, message })
    });
    cleaned.collect()
}

/// Returns a provider's request id if a client may see it.
pub(super) fn request_id(id: String, token: Option<&str>) -> Option<String> {
    let is_plain = |c: u8| c.is_ascii_alphanumeric() || b"._:-/+=".contains(&c);
    let is_id = !id.is_empty() && id.len() <= REQUEST_ID && id.bytes().all(is_plain);
    let is_secret = holds(&id, token) || begins_as_secret(&id);
    (is_id && !is_secret).then_some(id)
}

fn is_field(name: &str, token: Option<&str>) -> bool {
    let is_plain = |c: u8| c.is_ascii_alphanumeric() || b"_-.[]".contains(&c);
    let is_name = !name.is_empty() && name.len() <= FIELD && name.bytes().all(is_plain);
    is_name && !holds(name, token) && !is_secret(name)
}

/// Puts a text on one line, without links, addresses and secrets.
fn text(words: &str, token: Option<&str>) -> String {
    let end = words.char_indices().nth(LOOKED_AT).map(|(end, _)| end);
    let looked_at = end.and_then(|end| words.get(..end)).unwrap_or(words);
    let is_shown = |c: &char| c.is_whitespace() || !(c.is_control() || is_invisible(*c));
    let plain: String = looked_at.chars().filter(is_shown).collect();
    let mut shown: Vec<&str> = plain.split_whitespace().collect();
    if end.is_some() {
        // The last word may be cut off.
        shown.pop();
    }
    let cleaned = shown.into_iter().map(|word| cleaned(word, token));
    let text = cleaned.collect::<Vec<_>>().join(" ");
    let text: String = text.chars().take(MESSAGE).collect();
    text.trim_end().to_owned()
}

/// Whether a character only changes how others look: it could hide an address or reverse a text.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}'
    )
}

/// Returns a word or its replacement. Punctuation around it stays.
fn cleaned(word: &str, token: Option<&str>) -> String {
    let is_around = |c: char| !c.is_alphanumeric();
    let inner = word.trim_matches(is_around);
    if is_fit(word, token) {
        return word.to_owned();
    }
    match word.split_once(inner) {
        Some((before, after)) if !inner.is_empty() && is_fit(before, token) => {
            let after = if is_fit(after, token) { after } else { "" };
            format!("{before}{REMOVED}{after}")
        }
        _ => REMOVED.to_owned(),
    }
}

fn is_fit(word: &str, token: Option<&str>) -> bool {
    !(word.contains("://")
        || word.contains("www.")
        || is_email(word)
        || has_address(word)
        || is_secret(word)
        || holds(word, token))
}

/// Whether a word contains our own token, or most of it.
fn holds(word: &str, token: Option<&str>) -> bool {
    token.is_some_and(|token| !token.is_empty() && word.contains(token))
}

/// Whether there is text on both sides of an `@`.
fn is_email(word: &str) -> bool {
    word.char_indices().any(|(at, c)| {
        let before = word[..at].chars().next_back();
        let after = word[at + c.len_utf8()..].chars().next();
        matches!(c, '@' | '\u{ff20}')
            && before.is_some_and(|c| c.is_alphanumeric() || "\"'_+-.".contains(c))
            && after.is_some_and(char::is_alphanumeric)
    })
}

/// Whether a word contains an IP address.
fn has_address(word: &str) -> bool {
    let is_v4 = |part: &str| part.trim_matches('.').parse::<Ipv4Addr>().is_ok();
    let is_v6 = |part: &str| {
        let part = part.trim_end_matches('.');
        part.matches(':').count() > 1
            && (part.parse::<Ipv6Addr>().is_ok()
                || part.trim_matches(':').parse::<Ipv6Addr>().is_ok())
    };
    word.split(|c: char| !c.is_ascii_digit() && c != '.')
        .any(is_v4)
        || word
            .split(|c: char| !c.is_ascii_hexdigit() && c != ':' && c != '.')
            .any(is_v6)
}

/// Whether a word contains something that looks like a secret.
fn is_secret(word: &str) -> bool {
    let parts = word.split(|c: char| !c.is_ascii_alphanumeric() && !"+/_-".contains(c));
    parts.into_iter().any(|part| {
        let is_long = part.len() >= SECRET && part.bytes().any(|c| c.is_ascii_digit());
        is_long || begins_as_secret(part)
    })
}

fn begins_as_secret(text: &str) -> bool {
    SECRETS.iter().any(|begin| text.starts_with(begin))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, proptest};

    use super::{FIELD, MESSAGE, REASONS, REMOVED, REQUEST_ID, reasons, request_id, text};
    use crate::error::RejectionReason;

    fn reason(field: Option<&str>, message: &str) -> RejectionReason {
        RejectionReason {
            field: field.map(str::to_owned),
            message: message.to_owned(),
        }
    }

    #[test]
    fn plain_words_stay_as_they_are() {
        for words in [
            "email is invalid (must be an address)".to_owned(),
            "A contact matching those details already exists with id=5ba682d23d7cf92bef87bfd4"
                .into(),
            "Größe \"x\" ist zu groß: 1.234,56 > 1.000".into(),
            "custom_attributes.some_long_name_of_an_attribute_without_digits is no number".into(),
            "at 12:30:45 on 2026-01-02, version 2.17.3".into(),
        ] {
            assert_eq!(text(&words, None), words);
        }
    }

    #[test]
    fn secrets_and_addresses_are_removed() {
        for (words, fit) in [
            (
                "see https://x.test/a?token=1 or (www.x.test).",
                "see [removed] or ([removed]).",
            ),
            ("user ann@x.test exists", "user [removed] exists"),
            ("<jörg+a@bücher.example>, taken", "<[removed]>, taken"),
            ("host=10.0.0.3:5432 refused", "[removed] refused"),
            ("from 192.168.1.1.", "from [removed]."),
            ("from [fe80::1] and ::1", "from [[removed]] and [removed]"),
            ("bad token ak_1a2b3c", "bad token [removed]"),
            ("Bearer eyJhbGciOiJIUzI1NiJ9.e30.x", "Bearer [removed]"),
            (
                "key \"0123456789abcdef0123456789abcdef\"",
                "key \"[removed]\"",
            ),
            ("our s3cr3t, here", "our [removed], here"),
            ("ann\u{200b}@\u{0}x.test", "[removed]"),
            (
                "a\u{0}b\u{1b}[31m\u{85}c\u{9b}d\nnext\tline",
                "ab[31m cd next line",
            ),
        ] {
            assert_eq!(text(words, Some("s3cr3t")), fit, "{words:?}");
        }
    }

    #[test]
    fn reasons_are_few_and_short() {
        let many = vec![reason(Some("email"), &"word ".repeat(1_000)); 2_000];

        let cleaned = reasons(many, None);

        assert_eq!(cleaned.len(), REASONS);
        let length = |reason: &RejectionReason| reason.message.chars().count();
        assert!(
            cleaned
                .iter()
                .all(|of| (290..=MESSAGE).contains(&length(of)))
        );
        assert_eq!(reasons(vec![reason(None, "\u{0}\u{7}")], None), vec![]);
    }

    #[test]
    fn fields_are_names() {
        for name in ["email", "custom_attributes.plan", "profile[0].first-name"] {
            let cleaned = reasons(vec![reason(Some(name), "x")], None);
            assert_eq!(cleaned[0].field.as_deref(), Some(name));
        }
        for name in [
            "",
            "a b",
            "é",
            "a\u{0}",
            "ann@x.test",
            "ak_123",
            &"a".repeat(FIELD + 1),
        ] {
            let cleaned = reasons(vec![reason(Some(name), "x")], None);
            assert_eq!(cleaned, vec![reason(None, "x")], "{name:?}");
        }
    }

    #[test]
    fn an_id_of_a_request_is_short_and_plain_or_none() {
        for id in [
            "b1946ac9-2f",
            "000+q/x.y:z=_".trim_end_matches('_'),
            &"a".repeat(REQUEST_ID),
        ] {
            assert_eq!(request_id(id.to_owned(), None).as_deref(), Some(id));
        }
        for id in [
            "",
            "a b",
            "<script>",
            "a\u{0}",
            "ak_123",
            "eyJhbGciOi",
            "is-s3cr3t",
            "é",
        ] {
            assert_eq!(request_id(id.to_owned(), Some("s3cr3t")), None, "{id:?}");
        }
        assert_eq!(request_id("a".repeat(REQUEST_ID + 1), None), None);
        assert_eq!(request_id("a".repeat(2 << 20), None), None);
    }

    proptest! {
        #[test]
        fn whatever_a_provider_sends_is_bounded_and_on_one_line(bytes: Vec<u8>, field: Vec<u8>, id: Vec<u8>) {
            let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let reason = RejectionReason { field: Some(said(&field)), message: said(&bytes) };
            for reason in reasons(vec![reason], None) {
                prop_assert!(reason.message.chars().count() <= MESSAGE);
                prop_assert!(!reason.message.chars().any(char::is_control));
                let is_name = |name: &String| name.len() <= FIELD && name.is_ascii();
                prop_assert!(reason.field.as_ref().is_none_or(is_name));
            }
            if let Some(id) = request_id(said(&id), None) {
                prop_assert!(id.len() <= REQUEST_ID && id.is_ascii());
            }
        }

        #[test]
        fn no_address_or_secret_comes_through(
            before in "[a-z ,.(]{0,10}", after in "[ ,.)]{0,10}", ip: std::net::Ipv4Addr,
            v6: std::net::Ipv6Addr, name in "[a-z.+]{1,10}[a-z]", secret in "[0-9][A-Za-z0-9]{40}",
            port in any::<u16>(),
        ) {
            for word in [ip.to_string(), format!("{ip}:{port}"), format!("[{v6}]"), format!("{name}@x.test"), secret] {
                let cleaned = text(&format!("{before}{word}{after}"), None);
                prop_assert!(!cleaned.contains(&word), "{}", cleaned);
                prop_assert!(cleaned.contains(REMOVED));
            }
        }
    }
}
