//! The bodies of writes to Ada, and whether a write made its record.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::DATE;
use serde_json::{Map, Value, json};

use crate::{
    client::Response,
    user::{User, UserPatch},
};

/// How old a record is, seen from a call that was sent more than once.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum RecordAge {
    /// Made while the call was under way.
    New,
    /// Made before it.
    Old,
    /// Too close to tell, or not said.
    Unknown,
}

/// How far moments of Ada's may be off within one answer: its date has whole seconds.
const ROUNDING: Duration = Duration::from_secs(2);
/// A record that is older by so much was not made by the call.
const CERTAIN: Duration = Duration::from_secs(60);

/// How old a record is, by Ada's own clock as far as it tells it.
pub(super) fn age(user: &User, response: &Response, took: Duration) -> RecordAge {
    let date = response
        .headers
        .get(DATE)
        .and_then(|date| date.to_str().ok());
    let date = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
    let now = date.map_or_else(Timestamp::now, |date| date.timestamp());
    let Some(created) = user.created_at else {
        return RecordAge::Unknown;
    };
    let age = Duration::try_from(now.duration_since(created)).unwrap_or_default();
    if age <= took + ROUNDING {
        RecordAge::New
    } else if age > took + CERTAIN {
        RecordAge::Old
    } else {
        RecordAge::Unknown
    }
}

/// The body of a write: it names what changes.
pub(super) fn body(patch: &UserPatch) -> Value {
    let fields = [
        ("email", patch.email.json()),
        ("display_name", patch.name.json()),
        ("first_name", patch.first_name.json()),
        ("last_name", patch.last_name.json()),
        ("avatar", patch.avatar_url.json()),
        ("language", patch.locale.json()),
    ];
    let mut profile: Map<String, Value> = fields
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect();
    if !patch.attributes.is_empty() {
        profile.insert(
            "metadata".to_owned(),
            Value::Object(patch.attributes.clone()),
        );
    }
    let mut body = json!({ "profile": profile });
    if let Some(id) = patch.external_id.json() {
        body["external_id"] = id;
    }
    body
}
