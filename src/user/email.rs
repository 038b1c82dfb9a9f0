//! An email address as it was asked for, and the form in which addresses are compared.

pub mod pattern;

use std::collections::{HashMap, HashSet};

use unicode_normalization::UnicodeNormalization;

use crate::error::{Error, Result};

/// An address that has been checked once. Two spellings of one address are not equal as values: a
/// provider may tell them apart. [`Email::matches`] says whether they are the same address.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Email {
    given: String,
    /// Other spellings in which the address was given.
    other_spellings: Vec<String>,
    folded: String,
}

/// The longest address, in bytes: more cannot be sent to (RFC 5321, with erratum 1690 of RFC 3696).
pub const MAX_BYTES: usize = 254;

impl Email {
    /// Reads an address.
    ///
    /// # Errors
    /// `Invalid` when it is not `name@domain`, holds white space, control or invisible characters, or is
    /// too long.
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
        if let Some(c) = given.chars().find(|c| is_invisible(*c)) {
            let code = u32::from(c);
            return refused(&format!(
                "holds an invisible character (U+{code:04X}): type the address anew"
            ));
        }
        match given.rsplit_once('@') {
            Some((local, domain)) if !local.is_empty() && !domain.is_empty() => {
                Ok(Self::from_spelling(given))
            }
            _ => refused("is not an address"),
        }
    }

    /// Part of an address as it is, for providers whose search finds parts.
    #[must_use]
    pub fn fragment(text: &str) -> Self {
        Self::from_spelling(text.to_owned())
    }

    fn from_spelling(given: String) -> Self {
        Self {
            folded: fold(&given),
            other_spellings: Vec::new(),
            given,
        }
    }

    /// The different addresses among some, each with all the spellings in which it was given: it is
    /// asked for once.
    #[must_use]
    pub fn group_spellings(emails: &[Self]) -> Vec<Self> {
        let mut groups: Vec<Self> = Vec::new();
        let mut places: HashMap<&str, usize> = HashMap::new();
        for email in emails {
            if let Some(&place) = places.get(email.folded.as_str()) {
                groups[place].other_spellings.push(email.given.clone());
            } else {
                places.insert(&email.folded, groups.len());
                groups.push(email.clone());
            }
        }
        groups
    }

    /// The address as it was given, composed (NFC) and without surrounding space: what providers are
    /// asked for.
    #[must_use]
    pub fn given(&self) -> &str {
        &self.given
    }

    /// The spellings that a provider is asked for which compares texts, though not the letter case of
    /// ASCII: as given; and where it goes beyond ASCII, in lower case, composed and decomposed, its domain
    /// in either form of IDNA.
    #[must_use]
    pub fn forms(&self) -> Vec<Self> {
        let given = [&self.given, &self.folded]
            .into_iter()
            .chain(&self.other_spellings);
        let forms = given.flat_map(|given| forms(given));
        self.with(forms, str::to_ascii_lowercase)
    }

    /// The spellings that a provider is asked for which may compare letter case: also in lower case,
    /// where that differs.
    #[must_use]
    pub fn spellings(&self) -> Vec<Self> {
        let given = [&self.given, &self.folded]
            .into_iter()
            .chain(&self.other_spellings);
        self.with(given.flat_map(|given| forms(given)), str::to_owned)
    }

    /// The address in these spellings, of those that are the same in some form the first.
    fn with(
        &self,
        spellings: impl Iterator<Item = String>,
        form: impl Fn(&str) -> String,
    ) -> Vec<Self> {
        let mut known = HashSet::new();
        let spellings = spellings.filter(|given| known.insert(form(given)));
        let all = spellings.map(|given| Self {
            given,
            other_spellings: Vec::new(),
            folded: self.folded.clone(),
        });
        all.collect()
    }

    /// Whether this spelling is composed (NFC), as nearly all texts are.
    #[must_use]
    pub fn is_composed(&self) -> bool {
        unicode_normalization::is_nfc(&self.given)
    }

    /// Whether texts can spell it in more ways than by letter case.
    #[must_use]
    pub fn has_forms(&self) -> bool {
        [&self.given, &self.folded].map(|text| forms(text).len()) != [1, 1]
    }

    /// Whether its domain is ASCII in every spelling.
    #[must_use]
    pub fn has_ascii_domain(&self) -> bool {
        let domain = |text: &str| text.rsplit_once('@').map(|(_, domain)| domain.is_ascii());
        let mut spellings = [&self.given, &self.folded]
            .into_iter()
            .chain(&self.other_spellings);
        spellings.all(|text| domain(text).unwrap_or_default())
    }

    /// Whether a client gave the address in this very spelling.
    #[must_use]
    pub fn is_given_as(&self, spelling: &Self) -> bool {
        self.given == spelling.given || self.other_spellings.contains(&spelling.given)
    }

    /// The part behind the `@`, in the form that is compared.
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

    /// Whether a provider's spelling is this address.
    #[must_use]
    pub fn matches(&self, spelling: &str) -> bool {
        fold(spelling) == self.folded
    }
}

/// Characters that nobody sees and nobody means: they come along when an address is copied.
#[must_use]
pub fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}' | '\u{feff}'
    )
}

/// The forms in which texts spell an address: one, unless it goes beyond ASCII.
fn forms(address: &str) -> Vec<String> {
    if address.is_ascii() && !may_be_encoded(address) {
        return vec![address.to_owned()];
    }
    let Some((local, domain)) = address.rsplit_once('@') else {
        return vec![address.to_owned()];
    };
    let domains = domain_forms(domain);
    let locals = [local.to_owned(), local.nfd().collect()];
    let mut forms: Vec<String> = Vec::new();
    for domain in &domains {
        for local in &locals {
            let form = format!("{local}@{domain}");
            if !forms.contains(&form) {
                forms.push(form);
            }
        }
    }
    forms
}

/// The forms in which texts spell a domain: one, unless it goes beyond ASCII.
#[must_use]
pub fn domain_forms(domain: &str) -> Vec<String> {
    let mut forms = vec![domain.to_owned()];
    let folded = fold_domain(domain);
    if !folded.is_ascii() || !folded.eq_ignore_ascii_case(domain) {
        let ascii = idna::domain_to_ascii(&folded).ok();
        let decomposed = folded.nfd().collect();
        let others = [Some(folded), Some(decomposed), ascii];
        forms.extend(others.into_iter().flatten());
    }
    let mut known = HashSet::new();
    forms.retain(|form| known.insert(form.clone()));
    forms
}

impl From<Email> for serde_json::Value {
    fn from(email: Email) -> Self {
        email.given.into()
    }
}

/// The form in which addresses are compared: trimmed, composed (NFC), lower-cased, the domain as people
/// write it (IDNA).
#[must_use]
pub fn fold(spelling: &str) -> String {
    let spelling = spelling.trim();
    if spelling.is_ascii() && !may_be_encoded(spelling) {
        return spelling.to_ascii_lowercase();
    }
    let composed: String = spelling.nfc().collect();
    match composed.rsplit_once('@') {
        Some((local, domain)) => format!("{}@{}", lower(local), fold_domain(domain)),
        None => lower(&composed),
    }
}

/// The form in which domains are compared: as people write them (IDNA), composed, lower-cased. What is no
/// domain of IDNA's is lower-cased.
#[must_use]
pub fn fold_domain(domain: &str) -> String {
    let domain = domain.trim();
    if domain.is_ascii() && !may_be_encoded(domain) {
        return domain.to_ascii_lowercase();
    }
    match idna::domain_to_unicode(domain) {
        (unicode, Ok(())) => unicode,
        _ => lower(&domain.nfc().collect::<String>()),
    }
}

/// Whether a text may hold a label in the form of mail servers, such as `xn--mller-kva`.
fn may_be_encoded(text: &str) -> bool {
    text.as_bytes()
        .windows(4)
        .any(|part| part.eq_ignore_ascii_case(b"xn--"))
}

fn lower(text: &str) -> String {
    text.to_lowercase().nfc().collect()
}

#[cfg(test)]
mod tests {
    use super::{Email, fold, fold_domain};

    #[test]
    fn letter_case_space_and_composition_do_not_matter() {
        let email = Email::parse("  ZO\u{cb}@Example.Test ").expect("an address");

        assert_eq!(email.given(), "ZO\u{cb}@Example.Test");
        assert!(email.matches("zoe\u{308}@example.test"));
        assert!(!email.matches("zoe@example.test"));
    }

    #[test]
    fn both_forms_of_a_domain_are_one_address() {
        let email = Email::parse("jo@xn--mller-kva.test").expect("an address");

        assert_eq!(email.folded(), "jo@m\u{fc}ller.test");
        for same in [
            "jo@m\u{fc}ller.test",
            "JO@MU\u{308}LLER.test",
            "jo@XN--MLLER-KVA.TEST",
        ] {
            assert!(email.matches(same), "{same}");
        }
        assert!(!email.matches("jo@muller.test"));
        assert!(!email.matches("xn--mller-kva@muller.test"));
        assert_eq!(fold_domain("xn--a.test"), "xn--a.test", "no such label");
    }

    #[test]
    fn texts_spell_an_address_in_one_form_unless_it_goes_beyond_ascii() {
        let forms = |text| {
            let forms = Email::parse(text).expect("an address").forms();
            let forms = forms.iter().map(|form| form.given().to_owned());
            forms.collect::<Vec<_>>()
        };
        assert_eq!(forms("Ann@X.test"), ["Ann@X.test"]);
        assert_eq!(
            forms("zo\u{eb}@x.test"),
            ["zo\u{eb}@x.test", "zoe\u{308}@x.test"]
        );
        assert_eq!(
            forms("jo@xn--mller-kva.test"),
            [
                "jo@xn--mller-kva.test",
                "jo@m\u{fc}ller.test",
                "jo@mu\u{308}ller.test"
            ]
        );
        assert_eq!(forms("Jo@\u{ff38}.test"), ["Jo@\u{ff38}.test", "Jo@x.test"]);
        assert_eq!(
            forms("ZO\u{cb}@x.test"),
            ["ZO\u{cb}@x.test", "ZOE\u{308}@x.test", "zo\u{eb}@x.test"]
        );
    }

    #[test]
    fn spellings_of_one_address_are_one_that_is_asked_for_in_all_of_them() {
        let emails = ["ANN@x.test", "bob@x.test", "Ann@x.test"];
        let emails = emails.map(|text| Email::parse(text).expect("an address"));

        let groups = Email::group_spellings(&emails);

        assert_eq!(groups.len(), 2);
        let spellings = groups[0].spellings();
        let spellings: Vec<_> = spellings.iter().map(Email::given).collect();
        assert_eq!(spellings, ["ANN@x.test", "ann@x.test", "Ann@x.test"]);
    }

    #[test]
    fn folding_twice_changes_nothing() {
        for text in [
            "a@xn--mller-kva.test",
            "a@\u{ff38}.test",
            "a@stra\u{df}e.test",
            "a@-\u{fc}-.test",
            "@\u{fc}",
            "a@xn--a",
            "a@[IPv6:\u{fc}]",
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
            "a\u{200b}@x.test",
            "\u{feff}a@x.test",
            "a@x\u{2060}.test",
        ] {
            assert!(Email::parse(text).is_err(), "{text:?}");
        }
    }
}
