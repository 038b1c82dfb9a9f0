//! An email address as it was asked for, and the form in which addresses are compared.

use unicode_normalization::UnicodeNormalization;

use crate::error::{Error, Result};

/// An address that has been checked once. Two spellings of one address are not equal as values: a
/// vendor may tell them apart. [`Email::is`] says whether they are the same address.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Email {
    given: String,
    folded: String,
}

/// The longest address, in bytes: more cannot be sent to (RFC 5321, with erratum 1690 of RFC 3696).
pub const MAX_BYTES: usize = 254;

impl Email {
    /// Reads an address.
    ///
    /// # Errors
    /// `Invalid` when it is not `name@domain`, holds white space or control characters, or is too long.
    pub fn parse(text: &str) -> Result<Self> {
        let given: String = text.trim().nfc().collect();
        let refused = |why: &str| {
            Err(Error::invalid(format!(
                "`email` {why}; expected name@domain"
            )))
        };
        if given.is_empty() {
            return refused("is empty");
        }
        if given.len() > MAX_BYTES {
            return refused("is longer than 254 bytes");
        }
        if given.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return refused("holds white space or control characters");
        }
        match given.rsplit_once('@') {
            Some((local, domain)) if !local.is_empty() && !domain.is_empty() => Ok(Self {
                given: given.to_owned(),
                folded: fold(&given),
            }),
            _ => refused("is not an address"),
        }
    }

    /// Part of an address, for vendors whose search finds parts.
    #[must_use]
    pub fn fragment(text: &str) -> Self {
        let given: String = text.trim().nfc().collect();
        let folded = fold(&given);
        Self { given, folded }
    }

    /// The address as it was given, composed (NFC) and without surrounding space: what vendors are
    /// asked for.
    #[must_use]
    pub fn given(&self) -> &str {
        &self.given
    }

    /// The spellings that a vendor is asked for which may compare letter case: as given, and in lower
    /// case where that differs.
    #[must_use]
    pub fn spellings(&self) -> Vec<Self> {
        let folded = Self {
            given: self.folded.clone(),
            folded: self.folded.clone(),
        };
        if folded == *self {
            vec![folded]
        } else {
            vec![self.clone(), folded]
        }
    }

    /// What follows the `@`, in the form that is compared.
    #[must_use]
    pub fn domain(&self) -> &str {
        let parts = self.folded.rsplit_once('@');
        parts.map(|(_, domain)| domain).unwrap_or_default()
    }

    /// The address in the form that is compared.
    #[must_use]
    pub fn folded(&self) -> &str {
        &self.folded
    }

    /// Whether a vendor's spelling is this address.
    #[must_use]
    pub fn is(&self, spelling: &str) -> bool {
        fold(spelling) == self.folded
    }
}

impl From<Email> for serde_json::Value {
    fn from(email: Email) -> Self {
        email.given.into()
    }
}

/// The form in which addresses are compared: trimmed, composed (NFC), lower-cased.
#[must_use]
pub fn fold(spelling: &str) -> String {
    spelling
        .trim()
        .nfc()
        .collect::<String>()
        .to_lowercase()
        .nfc()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Email, fold};

    #[test]
    fn letter_case_space_and_composition_do_not_matter() {
        let email = Email::parse("  ZO\u{cb}@Example.Test ").expect("an address");

        assert_eq!(email.given(), "ZO\u{cb}@Example.Test");
        assert!(email.is("zoe\u{308}@example.test"));
        assert!(!email.is("zoe@example.test"));
    }

    #[test]
    fn folding_twice_changes_nothing() {
        for text in [
            "\u{130}@x.test",
            "STRASSE@x.test",
            "A\u{30a}@x.test",
            "\u{3a3}\u{3c3}\u{3c2}@x.test",
        ] {
            assert_eq!(fold(&fold(text)), fold(text));
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "  ",
            "ann",
            "@x.test",
            "ann@",
            "a b@x.test",
            "a\u{0}@x.test",
        ] {
            assert!(Email::parse(text).is_err(), "{text:?}");
        }
    }
}
