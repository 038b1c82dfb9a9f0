//! How a provider speaks HTTP: the data and functions that a connector gives to the client.

use std::{collections::HashMap, time::Duration};

use serde_json::value::RawValue;

use super::{auth::AuthScheme, quota::QuotaHeaders, transport::ReadErrorFn};

/// How a provider speaks HTTP.
#[derive(Clone, Copy)]
pub struct HttpSpec {
    /// How a request carries the token.
    pub auth: AuthScheme,
    /// The headers that tell what is left of the rate limit; `None` where there are none.
    pub quota_headers: Option<QuotaHeaders>,
    /// Reads the body of an error.
    pub read_error: ReadErrorFn,
    /// Says what the body of a successful response is.
    pub classify_body: ClassifyBodyFn,
    /// How long an unused connection is kept: shorter than the provider keeps it.
    pub idle: Duration,
}

/// Says what the body of a successful response is.
pub type ClassifyBodyFn = fn(&[u8]) -> BodyKind;

/// The kind of the body of a successful response.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BodyKind {
    /// A record, or a list with rows.
    Data,
    /// A list without rows.
    EmptyList,
    /// An error under a success status.
    Error,
    /// No JSON object.
    Unreadable,
}

/// The members by which most providers' bodies are told apart.
#[derive(Clone, Copy)]
pub struct BodyMembers {
    /// The id of a record. An object without it is a list if it has a member that is one.
    pub id: &'static str,
    /// The errors.
    pub errors: &'static [&'static str],
}

impl BodyMembers {
    /// Says what a body is. An error has something in one of the members for errors. An empty list
    /// has no id, at least one list, and no list with items.
    #[must_use]
    pub fn classify(&self, body: &[u8]) -> BodyKind {
        if !body.starts_with(b"{") {
            return BodyKind::Unreadable;
        }
        let Ok(members) = serde_json::from_slice::<HashMap<String, &RawValue>>(body) else {
            return BodyKind::Unreadable;
        };
        let error = |name: &&str| members.get(*name).is_some_and(|value| !is_nothing(value));
        if self.errors.iter().any(error) {
            return BodyKind::Error;
        }
        let mut lists = members.values().filter(|value| is_list(value)).peekable();
        let has_lists = lists.peek().is_some();
        match !members.contains_key(self.id) && has_lists && lists.all(|list| is_nothing(list)) {
            true => BodyKind::EmptyList,
            false => BodyKind::Data,
        }
    }
}

fn is_list(value: &RawValue) -> bool {
    value.get().starts_with('[')
}

/// Whether a value is `null`, or has no items, members or characters.
fn is_nothing(value: &RawValue) -> bool {
    let text = value.get();
    let inner = |open: char, close: char| text.strip_prefix(open)?.strip_suffix(close);
    let inner = inner('[', ']')
        .or_else(|| inner('{', '}'))
        .or_else(|| inner('"', '"'));
    text == "null" || inner.is_some_and(|inner| inner.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::{BodyKind, BodyMembers};

    const MEMBERS: BodyMembers = BodyMembers {
        id: "id",
        errors: &["errors"],
    };

    #[test]
    fn a_body_is_told_by_its_members() {
        for (body, kind) in [
            ("{\"id\": 1, \"tags\": []}", BodyKind::Data),
            ("{\"data\": [{}], \"more\": []}", BodyKind::Data),
            ("{}", BodyKind::Data),
            ("{\"data\": null}", BodyKind::Data),
            ("{\"errors\": [], \"id\": 1}", BodyKind::Data),
            ("{\"data\": [ ], \"total\": 0}", BodyKind::EmptyList),
            ("{\"data\": [], \"errors\": null}", BodyKind::EmptyList),
            ("{\"errors\": [{}]}", BodyKind::Error),
            ("{\"data\": [], \"errors\": \"no\"}", BodyKind::Error),
            ("[]", BodyKind::Unreadable),
            ("<html>", BodyKind::Unreadable),
            ("{\"data\": [", BodyKind::Unreadable),
            ("", BodyKind::Unreadable),
        ] {
            assert_eq!(MEMBERS.classify(body.as_bytes()), kind, "{body}");
        }
    }
}
