//! The requests that a provider gets.

use serde_json::Value;

use super::{
    habits::Paging,
    list::{List, User},
    rows::external_id,
};

pub(super) type Pairs = Vec<(String, String)>;

/// One user, by a key.
#[derive(Clone, Debug)]
pub(super) enum Key {
    Id(String),
    External(String),
}

impl Key {
    pub(super) fn is_of(&self, user: &User) -> bool {
        match self {
            Self::Id(id) => user.id() == *id,
            Self::External(id) => external_id(user.number) == *id,
        }
    }

    /// The user that a path or a query names.
    fn of(paging: Paging, path: &str, query: &Pairs) -> Option<Self> {
        let parts: Vec<&str> = path
            .split('/')
            .skip(2)
            .filter(|it| !it.is_empty())
            .collect();
        let by_id = match (paging, parts.as_slice()) {
            (Paging::Keys, ["v2", "end-users", id])
            | (Paging::Offsets, ["users", id])
            | (Paging::Numbers, ["users" | "contacts", id])
            | (Paging::Tokens, ["v1", "users", id]) => Some(*id),
            (Paging::CountedTokens, ["contacts", id]) if *id != "search" => Some(*id),
            (Paging::CountedTokens, ["contacts", "find_by_external_id", id]) => {
                return Some(Self::External((*id).to_owned()));
            }
            _ => None,
        };
        let by_external_id = get(query, "external_id").or_else(|| get(query, "user_id"));
        let by_id = by_id.map(|id| Self::Id(id.to_owned()));
        by_id.or_else(|| by_external_id.map(Self::External))
    }
}

fn get(query: &Pairs, name: &str) -> Option<String> {
    let mut pairs = query.iter();
    let pair = pairs.find(|(key, _)| key == name);
    pair.map(|(_, value)| value.clone())
}

/// By what a list is narrowed.
#[derive(Clone, Debug)]
enum Narrowing {
    Everybody,
    Emails(Vec<String>),
    Part(String),
    Keys(Vec<Key>),
    /// A list at Usertour without a segment is one of whichever segment comes first.
    Segment,
}

/// How a request names a page.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) size: usize,
    pub(super) at: Option<String>,
    /// One user and no list.
    pub(super) key: Option<Key>,
    pub(super) is_descending: bool,
    narrowing: Narrowing,
}

impl Asked {
    pub(super) fn of(paging: Paging, path: &str, query: &Pairs, body: &[u8]) -> Self {
        let (at, size) = match paging {
            Paging::Keys | Paging::Tokens => ("cursor", "limit"),
            Paging::Offsets => ("offset", "limit"),
            Paging::Numbers => ("page", "per_page"),
            Paging::CountedTokens => ("starting_after", "per_page"),
        };
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let in_body = &body["pagination"];
        let size = get(query, size).and_then(|size| size.parse().ok());
        let size = size.or(in_body["per_page"].as_u64());
        Self {
            size: usize::try_from(size.unwrap_or(20)).expect("a size"),
            at: get(query, at).or_else(|| text(&in_body["starting_after"])),
            key: Key::of(paging, path, query),
            is_descending: get(query, "orderBy").is_some_and(|order| order.starts_with('-')),
            narrowing: narrowing(paging, query, &body["query"]),
        }
    }

    /// Whether a user is in the list, as the provider has it.
    pub(super) fn has(&self, list: &List, user: &User) -> bool {
        let is_it = match &self.narrowing {
            Narrowing::Everybody => return true,
            Narrowing::Segment => return user.number.is_multiple_of(3),
            Narrowing::Emails(emails) => emails.contains(&user.email),
            Narrowing::Part(part) => user.email.contains(part.as_str()),
            Narrowing::Keys(keys) => keys.iter().any(|key| key.is_of(user)),
        };
        // One of a few others, and always the same.
        is_it || (list.habits.foreign > 0 && user.number % 9 == 4)
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn narrowing(paging: Paging, query: &Pairs, search: &Value) -> Narrowing {
    let values = search["value"].as_array().into_iter().flatten();
    let values: Vec<String> = values.filter_map(text).collect();
    match (get(query, "email"), search["field"].as_str()) {
        (Some(part), _) if paging == Paging::Offsets => Narrowing::Part(part.to_lowercase()),
        (Some(email), _) => Narrowing::Emails(vec![email]),
        (None, Some("email")) => Narrowing::Emails(values),
        (None, Some("id")) => Narrowing::Keys(values.into_iter().map(Key::Id).collect()),
        (None, Some("external_id")) => {
            Narrowing::Keys(values.into_iter().map(Key::External).collect())
        }
        (None, None) if paging == Paging::Tokens && get(query, "segmentId").is_none() => {
            Narrowing::Segment
        }
        (None, _) => Narrowing::Everybody,
    }
}
