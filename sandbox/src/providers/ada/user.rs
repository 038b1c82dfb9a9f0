//! An end user as stored, and as shown.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::behaviour::Behaviour;
use crate::emulation::Record;
use crate::people::Person;
use crate::providers::Provider;

/// The writable text fields of a profile, in the order in which they are shown.
pub(super) const FIELDS: [&str; 6] = [
    "first_name",
    "last_name",
    "display_name",
    "avatar",
    "email",
    "language",
];

/// A stored end user.
#[derive(Clone)]
pub(super) struct EndUser {
    pub(super) id: String,
    /// Trimmed and in lower case, as Ada stores it.
    pub(super) external_id: Option<String>,
    pub(super) profile: Profile,
    pub(super) created_at: i64,
    pub(super) updated_at: i64,
}

/// The writable part of a user: texts by field, and metadata.
#[derive(Clone, Default)]
pub(super) struct Profile {
    pub(super) texts: Map<String, Value>,
    pub(super) metadata: Map<String, Value>,
}

/// The id of the nth user, from 1: 24 hexadecimal digits, ascending.
pub(super) fn id(number: usize) -> String {
    format!("6a10c0ffee{number:014x}")
}

impl EndUser {
    pub(super) fn of(person: &Person) -> Self {
        let texts = [
            person.first_name.clone(),
            person.last_name.clone(),
            None,
            person.avatar.clone(),
            person.email_at(Provider::Ada).map(str::to_owned),
            person.locale.clone(),
        ];
        let texts = FIELDS.into_iter().zip(texts);
        let metadata = person
            .attributes
            .iter()
            .filter(|(_, value)| is_plain(value));
        Self {
            id: id(person.index + 1),
            external_id: person.external_id.as_deref().map(str::to_lowercase),
            profile: Profile {
                texts: texts
                    .filter_map(|(field, text)| Some((field.to_owned(), Value::String(text?))))
                    .collect(),
                metadata: metadata.map(|(k, v)| (k.clone(), v.clone())).collect(),
            },
            created_at: person.created_at,
            updated_at: person.updated_at,
        }
    }

    pub(super) fn email(&self) -> Option<&str> {
        self.profile.texts.get("email")?.as_str()
    }

    pub(super) fn record(&self) -> Record {
        Record {
            id: self.id.clone(),
            external_id: self.external_id.clone(),
            email: self.email().map(str::to_owned),
        }
    }

    /// The user as Ada shows it.
    pub(super) fn json(&self, behaviour: &Behaviour) -> Value {
        json!({
            "end_user_id": self.id,
            "external_id": self.external_id,
            "profile": self.profile.json(behaviour),
            "created_at": date(self.created_at, behaviour),
            "updated_at": date(self.updated_at, behaviour),
        })
    }
}

impl Profile {
    fn json(&self, behaviour: &Behaviour) -> Value {
        let unset = behaviour.get("unset");
        let unset = match unset.as_deref() {
            Some("omit") => None,
            Some("empty_object") => Some(json!({})),
            _ => Some(Value::Null),
        };
        let mut shown = Map::new();
        for field in FIELDS {
            if let Some(value) = self.texts.get(field).or(unset.as_ref()) {
                shown.insert(field.to_owned(), value.clone());
            }
        }
        shown.insert("metadata".to_owned(), self.metadata.clone().into());
        let system = json!({"sunshine_user_id": null});
        shown.insert("system_properties".to_owned(), system);
        shown.into()
    }
}

/// Whether metadata takes the value: text, boolean, or whole number.
pub(super) fn is_plain(value: &Value) -> bool {
    value.is_string() || value.is_boolean() || value.is_i64() || value.is_u64()
}

fn date(seconds: i64, behaviour: &Behaviour) -> String {
    let format = behaviour.get("dates");
    let format = match format.as_deref() {
        Some("naive_micro") => "%Y-%m-%dT%H:%M:%S.000000",
        Some("z") => "%Y-%m-%dT%H:%M:%SZ",
        _ => "%Y-%m-%dT%H:%M:%S+00:00",
    };
    let moment = Timestamp::from_second(seconds).unwrap_or_default();
    moment.strftime(format).to_string()
}
