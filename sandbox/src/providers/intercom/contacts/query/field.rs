//! The fields that can be searched, their kinds, and their values in a contact.

use serde_json::{Value, json};

use super::SearchRules;
use crate::providers::intercom::contacts::shape::{NEVER_KNOWN, domain, role};
use crate::providers::intercom::error::IntercomError;
use crate::providers::intercom::shape::place;
use crate::providers::intercom::store::{Contact, label_id};

/// The kind of a field, which decides the operators that it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FieldKind {
    /// A string.
    Text,
    /// A string whose letter case is ignored by default.
    Address,
    /// A boolean.
    Flag,
    /// An integer.
    Number,
    /// An integer, also accepted as a string of digits.
    Owner,
    /// Seconds since the epoch.
    Date,
    /// The same, searched by days in UTC in every version.
    CustomDate,
    /// The identifiers of tags.
    Tag,
    /// The identifiers of segments.
    Segment,
}

type ReadField = fn(&Contact) -> Value;

/// A field that can be searched.
#[derive(Debug, Clone)]
pub(super) struct SearchField {
    /// Its kind.
    pub(super) kind: FieldKind,
    source: FieldSource,
}

#[derive(Debug, Clone)]
enum FieldSource {
    Standard(ReadField),
    Custom(String),
}

const FIELDS: [(&str, FieldKind, ReadField); 24] = [
    ("id", FieldKind::Text, |contact| json!(contact.id)),
    ("role", FieldKind::Text, |contact| json!(role(contact))),
    ("name", FieldKind::Text, |contact| json!(contact.name)),
    ("avatar", FieldKind::Text, |contact| json!(contact.avatar)),
    ("owner_id", FieldKind::Owner, |contact| json!(contact.owner)),
    ("email", FieldKind::Address, |contact| json!(contact.email)),
    ("email_domain", FieldKind::Address, |contact| {
        json!(domain(contact))
    }),
    ("phone", FieldKind::Text, |contact| json!(contact.phone)),
    ("formatted_phone", FieldKind::Text, |contact| {
        json!(contact.phone)
    }),
    ("external_id", FieldKind::Text, |contact| {
        json!(contact.user_id)
    }),
    ("created_at", FieldKind::Date, |contact| {
        json!(contact.created_at)
    }),
    ("signed_up_at", FieldKind::Date, |contact| {
        json!(contact.signed_up_at)
    }),
    ("updated_at", FieldKind::Date, |contact| {
        json!(contact.updated_at)
    }),
    ("last_seen_at", FieldKind::Date, |contact| {
        json!(contact.last_request_at)
    }),
    ("language_override", FieldKind::Text, |contact| {
        json!(contact.language)
    }),
    ("location.country", FieldKind::Text, |contact| {
        json!(place(contact.timezone.as_deref()).map(|place| place.2))
    }),
    ("location.region", FieldKind::Text, |contact| {
        json!(place(contact.timezone.as_deref()).map(|place| place.1))
    }),
    ("location.city", FieldKind::Text, |contact| {
        json!(place(contact.timezone.as_deref()).map(|place| place.0))
    }),
    ("unsubscribed_from_emails", FieldKind::Flag, |contact| {
        json!(contact.unsubscribed)
    }),
    ("marked_email_as_spam", FieldKind::Flag, |_| json!(false)),
    ("has_hard_bounced", FieldKind::Flag, |_| json!(false)),
    ("segment_id", FieldKind::Segment, |contact| {
        labels(&contact.segments)
    }),
    ("tag_id", FieldKind::Tag, |contact| labels(&contact.tags)),
    // The provider's own table has this spelling.
    ("andoid_sdk_version", FieldKind::Text, |_| Value::Null),
];

fn labels(names: &[String]) -> Value {
    names.iter().map(|name| label_id(name)).collect()
}

/// Fields of contacts that cannot be searched.
const NOT_SEARCHED: [&str; 4] = [
    "browser_version",
    "sms_consent",
    "unsubscribed_from_sms",
    "enabled_push_messaging",
];

impl SearchField {
    /// The field of this name; 400 where there is none.
    pub(super) fn named(rules: &SearchRules<'_>, name: &str) -> Result<Self, IntercomError> {
        let unknown = || IntercomError::invalid(format!("field '{name}' is invalid"));
        if let Some(custom) = name.strip_prefix("custom_attributes.") {
            let known = rules.store.attributes.get(custom).ok_or_else(unknown)?;
            return Ok(Self {
                kind: custom_kind(custom, known),
                source: FieldSource::Custom(custom.to_owned()),
            });
        }
        if let Some((_, kind, get)) = FIELDS.iter().find(|(known, ..)| *known == name) {
            return Ok(Self {
                kind: *kind,
                source: FieldSource::Standard(*get),
            });
        }
        if !NEVER_KNOWN.contains(&name) || NOT_SEARCHED.contains(&name) {
            return Err(unknown());
        }
        let kind = if name.ends_with("_at") {
            FieldKind::Date
        } else {
            FieldKind::Text
        };
        Ok(Self {
            kind,
            source: FieldSource::Standard(|_| Value::Null),
        })
    }

    /// The contact's value of the field.
    pub(super) fn of(&self, contact: &Contact) -> Value {
        match &self.source {
            FieldSource::Standard(get) => get(contact),
            FieldSource::Custom(name) => contact.custom.get(name).cloned().unwrap_or_default(),
        }
    }
}

/// An attribute has the kind of the first value that it had.
fn custom_kind(name: &str, known: &Value) -> FieldKind {
    match known {
        Value::Number(_) if name.ends_with("_at") => FieldKind::CustomDate,
        Value::Number(_) => FieldKind::Number,
        Value::Bool(_) => FieldKind::Flag,
        _ => FieldKind::Text,
    }
}
