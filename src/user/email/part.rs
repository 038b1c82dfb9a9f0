//! A part of an address, for searches that find parts: in which forms it is asked for, and which
//! addresses hold it.

use std::collections::HashSet;

use unicode_normalization::UnicodeNormalization;

use super::{MAX_BYTES, fold_domain, is_invisible, lower};
use crate::error::{Error, Result};

/// The shortest part of an address that is searched for: less would match nearly everybody.
const SHORTEST: usize = 3;

/// What separates the labels of a domain (IDNA).
const DOTS: [char; 4] = ['.', '\u{3002}', '\u{ff0e}', '\u{ff61}'];

/// A part of an address that has been checked once.
#[derive(Clone, Debug)]
pub struct EmailPart {
    /// As it was given, without surrounding space.
    given: String,
    /// The name with its `@`, in the form that is compared; empty where the part holds no `@`.
    local: String,
    /// The labels of the domain, or of all where there is no `@`, in the form that is compared.
    domain: String,
}

impl EmailPart {
    /// Reads a part of an address.
    ///
    /// # Errors
    /// `Invalid` when it is too short or too long, or holds white space, control or invisible characters.
    pub fn parse(text: &str) -> Result<Self> {
        let given = text.trim().to_owned();
        let (local, domain) = split(&given);
        let part = Self {
            local: lower(local),
            domain: each_label(domain, fold_domain),
            given,
        };
        let refused = |why: String| Err(Error::invalid(format!("`email` {why}")));
        if part.folded().chars().count() < SHORTEST {
            return refused(format!(
                "is shorter than {SHORTEST} characters: search for more of the address"
            ));
        }
        if part.given.len().max(part.folded().len()) > MAX_BYTES {
            return refused(format!("is longer than {MAX_BYTES} bytes"));
        }
        if part
            .given
            .chars()
            .any(|c| c.is_whitespace() || c.is_control())
        {
            return refused("holds white space or control characters".to_owned());
        }
        if part.given.chars().any(is_invisible) {
            return refused("holds an invisible character: type the address anew".to_owned());
        }
        Ok(part)
    }

    /// The part in the form that is compared.
    #[must_use]
    pub fn folded(&self) -> String {
        format!("{}{}", self.local, self.domain)
    }

    /// The texts that a provider is asked for which compares texts, though not the letter case of ASCII:
    /// letters composed and decomposed, labels of domains in both forms of IDNA.
    #[must_use]
    pub fn forms(&self) -> Vec<String> {
        let (local, domain) = split(&self.given);
        let locals = normal_forms(&[local, &self.local]);
        let mut domains = normal_forms(&[domain, &self.domain]);
        domains.push(each_label(&self.domain, to_ascii));
        let mut known = HashSet::new();
        let forms = domains.iter().flat_map(|domain| {
            let locals = locals.iter();
            locals.map(move |local| format!("{local}{domain}"))
        });
        forms
            .filter(|form| known.insert(form.to_ascii_lowercase()))
            .collect()
    }

    /// Whether an address holds the part, in whichever form either is spelt.
    #[must_use]
    pub fn is_in(&self, address: &str) -> bool {
        let part = lower(&self.given);
        let text = lower(address.trim());
        let (local, domain) = split(&text);
        let folded = each_label(domain, fold_domain);
        let ascii = each_label(&folded, to_ascii);
        let forms = [domain, &folded, &ascii].map(|domain| format!("{local}{domain}"));
        let in_domain = if self.local.is_empty() {
            folded.contains(&self.domain)
        } else {
            format!("{local}{folded}").contains(&self.folded())
        };
        in_domain || forms.iter().any(|form| form.contains(&part))
    }

    /// Whether addresses may hold the part in a form that nobody can ask for: a label of a domain has
    /// another form in ASCII as a whole only, and the part may be less than a whole one.
    #[must_use]
    pub fn may_be_within_a_label(&self) -> bool {
        let mut labels = self.domain.split('.');
        let is_open = |label: &str| !label.is_ascii() || label.starts_with("xn--");
        let first = labels.next().unwrap_or_default();
        let last = labels.next_back().unwrap_or(first);
        is_open(last) || self.local.is_empty() && is_open(first)
    }
}

/// The name with its `@` and the domain; all of a text without `@` is taken for a domain.
fn split(text: &str) -> (&str, &str) {
    text.split_at(text.rfind('@').map_or(0, |at| at + 1))
}

/// A domain, or a part of one, with each of its labels in another form.
fn each_label(domain: &str, form: impl Fn(&str) -> String) -> String {
    let labels = domain.split(DOTS);
    let labels = labels.map(|label| match label {
        "" => String::new(),
        label => form(label),
    });
    labels.collect::<Vec<_>>().join(".")
}

fn to_ascii(label: &str) -> String {
    idna::domain_to_ascii(label).unwrap_or_else(|_| label.to_owned())
}

/// Texts as they are, composed and decomposed.
fn normal_forms(texts: &[&str]) -> Vec<String> {
    let mut forms: Vec<String> = Vec::new();
    for text in texts {
        for form in [
            (*text).to_owned(),
            text.nfc().collect(),
            text.nfd().collect(),
        ] {
            if !forms.contains(&form) {
                forms.push(form);
            }
        }
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::EmailPart;

    fn part(text: &str) -> EmailPart {
        EmailPart::parse(text).expect("a part")
    }

    #[test]
    fn a_part_is_asked_for_in_each_form_once() {
        assert_eq!(part(" Ann@X ").forms(), ["Ann@X"]);
        assert_eq!(part("zo\u{eb}@").forms(), ["zo\u{eb}@", "zoe\u{308}@"]);
        assert_eq!(
            part("@xn--mller-kva.te").forms(),
            ["@xn--mller-kva.te", "@m\u{fc}ller.te", "@mu\u{308}ller.te"]
        );
        assert_eq!(
            part("jo@x\u{3002}te").forms(),
            ["jo@x\u{3002}te", "jo@x.te"]
        );
    }

    #[test]
    fn a_part_that_ends_within_a_label_of_a_domain_may_have_forms_that_nobody_knows() {
        for text in [
            "m\u{fc}ller",
            "m\u{fc}ller.test",
            "@m\u{fc}l",
            "xn--mller-kva",
        ] {
            assert!(part(text).may_be_within_a_label(), "{text}");
        }
        for text in [
            "muller",
            "zo\u{eb}@",
            "@m\u{fc}ller.",
            ".m\u{fc}ller.t",
            "x.test",
        ] {
            assert!(!part(text).may_be_within_a_label(), "{text}");
        }
    }

    #[test]
    fn an_address_holds_a_part_in_whichever_form_either_is_spelt() {
        for address in [
            "Jo@M\u{dc}LLER.test",
            "jo@mu\u{308}ller.test",
            "jo@xn--mller-kva.test",
        ] {
            for text in [
                "@m\u{fc}l",
                "jo@mu\u{308}ller",
                "O@XN--mller-kva.t",
                "kva.test",
            ] {
                assert!(part(text).is_in(address), "{text} {address}");
            }
            assert!(!part("jo@mull").is_in(address), "{address}");
        }
        assert!(!part("m\u{fc}ller").is_in("xn--mller-kva@x.test"));
    }
}
