//! The fields that can be searched, their kinds, and what a contact has in them.

use serde_json::{Value, json};

use super::Rules;
use crate::providers::intercom::contacts::shape::{NEVER_KNOWN, domain, role};
use crate::providers::intercom::refusal::Refusal;
use crate::providers::intercom::shape::place;
use crate::providers::intercom::store::{Contact, label_id};

/// What a field holds, and so which operators it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A string.
    Text,
    /// A string whose letter case may not matter.
    Address,
    /// A boolean.
    Flag,
    /// An integer.
    Number,
    /// An integer that may be told by its digits.
    Owner,
    /// Seconds since the epoch.
    Date,
    /// The same, searched by days in UTC however new the version is.
    CustomDate,
    /// The identifiers of tags.
    Tag,
    /// The identifiers of segments.
    Segment,
}

type Get = fn(&Contact) -> Value;

/// A field that can be searched.
#[derive(Debug, Clone)]
pub(super) struct Field {
    /// What it holds.
    pub(super) kind: Kind,
    source: Source,
}

#[derive(Debug, Clone)]
enum Source {
    Standard(Get),
    Custom(String),
}

const FIELDS: [(&str, Kind, Get); 24] = [
    ("id", Kind::Text, |contact| json!(contact.id)),
    ("role", Kind::Text, |contact| json!(role(contact))),
    ("name", Kind::Text, |contact| json!(contact.name)),
    ("avatar", Kind::Text, |contact| json!(contact.avatar)),
    ("owner_id", Kind::Owner, |contact| json!(contact.owner)),
    ("email", Kind::Address, |contact| json!(contact.email)),
    ("email_domain", Kind::Address, |contact| {
        json!(domain(contact))
    }),
    ("phone", Kind::Text, |contact| json!(contact.phone)),
    ("formatted_phone", Kind::Text, |contact| {
        json!(contact.phone)
    }),
    ("external_id", Kind::Text, |contact| json!(contact.user_id)),
    ("created_at", Kind::Date, |contact| {
        json!(contact.created_at)
    }),
    ("signed_up_at", Kind::Date, |contact| {
        json!(contact.signed_up_at)
    }),
    ("updated_at", Kind::Date, |contact| {
        json!(contact.updated_at)
    }),
    ("last_seen_at", Kind::Date, |contact| {
        json!(contact.last_request_at)
    }),
    ("language_override", Kind::Text, |contact| {
        json!(contact.language)
    }),
    ("location.country", Kind::Text, |contact| {
        json!(place(contact.timezone.as_deref()).map(|place| place.2))
    }),
    ("location.region", Kind::Text, |contact| {
        json!(place(contact.timezone.as_deref()).map(|place| place.1))
    }),
    ("location.city", Kind::Text, |contact| {
        json!(place(contact.timezone.as_deref()).map(|place| place.0))
    }),
    ("unsubscribed_from_emails", Kind::Flag, |contact| {
        json!(contact.unsubscribed)
    }),
    ("marked_email_as_spam", Kind::Flag, |_| json!(false)),
    ("has_hard_bounced", Kind::Flag, |_| json!(false)),
    ("segment_id", Kind::Segment, |contact| {
        labels(&contact.segments)
    }),
    ("tag_id", Kind::Tag, |contact| labels(&contact.tags)),
    // The vendor's own table has this spelling.
    ("andoid_sdk_version", Kind::Text, |_| Value::Null),
];

fn labels(names: &[String]) -> Value {
    names.iter().map(|name| label_id(name)).collect()
}

/// What contacts have, but no search knows.
const NOT_SEARCHED: [&str; 4] = [
    "browser_version",
    "sms_consent",
    "unsubscribed_from_sms",
    "enabled_push_messaging",
];

impl Field {
    /// The field of this name; 400 where there is none.
    pub(super) fn named(rules: &Rules<'_>, name: &str) -> Result<Self, Refusal> {
        let unknown = || Refusal::invalid(format!("field '{name}' is invalid"));
        if let Some(custom) = name.strip_prefix("custom_attributes.") {
            let known = rules.store.attributes.get(custom).ok_or_else(unknown)?;
            return Ok(Self {
                kind: custom_kind(custom, known),
                source: Source::Custom(custom.to_owned()),
            });
        }
        if let Some((_, kind, get)) = FIELDS.iter().find(|(known, ..)| *known == name) {
            return Ok(Self {
                kind: *kind,
                source: Source::Standard(*get),
            });
        }
        if !NEVER_KNOWN.contains(&name) || NOT_SEARCHED.contains(&name) {
            return Err(unknown());
        }
        let kind = if name.ends_with("_at") {
            Kind::Date
        } else {
            Kind::Text
        };
        Ok(Self {
            kind,
            source: Source::Standard(|_| Value::Null),
        })
    }

    /// What the contact has there.
    pub(super) fn of(&self, contact: &Contact) -> Value {
        match &self.source {
            Source::Standard(get) => get(contact),
            Source::Custom(name) => contact.custom.get(name).cloned().unwrap_or_default(),
        }
    }
}

/// An attribute has the kind of the first value that it had.
fn custom_kind(name: &str, known: &Value) -> Kind {
    match known {
        Value::Number(_) if name.ends_with("_at") => Kind::CustomDate,
        Value::Number(_) => Kind::Number,
        Value::Bool(_) => Kind::Flag,
        _ => Kind::Text,
    }
}
