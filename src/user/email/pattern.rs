//! A part of an address, for searches that find parts: in which forms it is asked for, and which
//! addresses hold it.

use std::collections::HashSet;

use unicode_normalization::UnicodeNormalization;

use super::{MAX_BYTES, fold_domain, is_invisible, lower};
use crate::error::{Error, Result};

/// The shortest part of an address that is searched for: less would match nearly everybody.
const SHORTEST: usize = 3;

/// The characters that separate the labels of a domain (IDNA).
const DOTS: [char; 4] = ['.', '\u{3002}', '\u{ff0e}', '\u{ff61}'];

/// Where in an address a part of it stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PatternPosition {
    /// At its beginning.
    Start,
    /// Anywhere.
    Anywhere,
}

/// A part of an address that has been checked once.
#[derive(Clone, Debug)]
pub struct EmailPattern {
    position: PatternPosition,
    /// As it was given, without surrounding space.
    given: String,
    /// The name with its `@`, in the form that is compared; empty where the part holds no `@`.
    local: String,
    /// The labels of the domain, or of all where there is no `@`, in the form that is compared.
    domain: String,
}

impl EmailPattern {
    /// Reads a part of an address.
    ///
    /// # Errors
    /// `Invalid` when it is too short or too long, or holds white space, control or invisible characters.
    pub fn parse(text: &str, position: PatternPosition) -> Result<Self> {
        let given = text.trim().to_owned();
        let (local, domain) = split(&given);
        let part = Self {
            position,
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
        if !self.is_start_of_name() {
            domains.push(each_label(&self.domain, to_ascii));
        }
        let mut known = HashSet::new();
        let forms = domains.iter().flat_map(|domain| {
            let locals = locals.iter();
            locals.map(move |local| format!("{local}{domain}"))
        });
        forms
            .filter(|form| known.insert(form.to_ascii_lowercase()))
            .collect()
    }

    /// Whether the part is the beginning of what stands before the `@`, and no more.
    fn is_start_of_name(&self) -> bool {
        self.position == PatternPosition::Start && self.local.is_empty()
    }

    /// Whether an address has the part in its place, in whichever form either is spelt.
    #[must_use]
    pub fn is_in(&self, address: &str) -> bool {
        match self.position {
            PatternPosition::Start => self.begins(address),
            PatternPosition::Anywhere => self.is_within(address),
        }
    }

    fn begins(&self, address: &str) -> bool {
        let text = lower(address.trim());
        let (local, domain) = split(&text);
        let folded = each_label(domain, fold_domain);
        let in_domain =
            !self.local.is_empty() && format!("{local}{folded}").starts_with(&self.folded());
        let ascii = each_label(&folded, to_ascii);
        let part = lower(&self.given);
        let mut forms = [domain, &folded, &ascii]
            .map(|domain| format!("{local}{domain}"))
            .into_iter();
        in_domain || forms.any(|form| form.starts_with(&part))
    }

    fn is_within(&self, address: &str) -> bool {
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
        if self.is_start_of_name() {
            return false;
        }
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
    use super::{EmailPattern, PatternPosition};

    fn part(text: &str) -> EmailPattern {
        EmailPattern::parse(text, PatternPosition::Anywhere).expect("a part")
    }

    fn start(text: &str) -> EmailPattern {
        EmailPattern::parse(text, PatternPosition::Start).expect("a part")
    }

    #[test]
    fn an_address_begins_with_a_part_in_whichever_form_either_is_spelt() {
        for (part, address) in [
            ("ANN", "ann@x.test"),
            ("ann@x", " Ann@X.test"),
            ("ann@x\u{3002}te", "ann@x.test"),
            ("zo\u{eb}", "zoe\u{308}@x.test"),
            ("jo@m\u{fc}ller.", "jo@xn--mller-kva.test"),
            ("jo@xn--mller", "jo@m\u{fc}ller.test"),
        ] {
            assert!(start(part).is_in(address), "{part} {address}");
        }
        for (part, address) in [
            ("ann", "joann@x.test"),
            ("x.t", "ann@x.test"),
            ("ann@x", "joann@x.test"),
            ("@x.", "ann@x.test"),
        ] {
            assert!(!start(part).is_in(address), "{part} {address}");
        }
        assert_eq!(start("m\u{fc}l").forms(), ["m\u{fc}l", "mu\u{308}l"]);
        assert!(!start("m\u{fc}l").may_be_within_a_label());
        assert!(start("jo@m\u{fc}l").may_be_within_a_label());
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
