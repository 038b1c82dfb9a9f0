//! A user as stored, and as shown.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::DigitalChalk;
use crate::emulation::Record;
use crate::people::Person;
use crate::providers::Provider;

/// A stored user.
#[derive(Clone, Default)]
pub(super) struct User {
    pub(super) id: String,
    pub(super) first_name: Option<String>,
    pub(super) last_name: Option<String>,
    pub(super) username: Option<String>,
    pub(super) email: Option<String>,
    pub(super) tags: Vec<String>,
    pub(super) locale: Option<String>,
    pub(super) created: i64,
    pub(super) last_login: Option<i64>,
    /// By the id of the user field.
    pub(super) values: Map<String, Value>,
}

/// The id of the nth user, from 1: 32 hexadecimal digits. Every 37th has 31, as in the provider's
/// own samples.
pub(super) fn id(number: usize) -> String {
    if number.is_multiple_of(37) {
        format!("ff80818190aa00010190aa0{number:08x}")
    } else {
        format!("ff80818190aa00010190aa00{number:08x}")
    }
}

impl User {
    pub(super) fn of(person: &Person) -> Self {
        // ISO 639-1: the language without the region.
        let language = |locale: &String| locale.split('-').next().map(str::to_owned);
        Self {
            id: id(person.index + 1),
            first_name: person.first_name.clone(),
            last_name: person.last_name.clone(),
            username: person.username.clone(),
            email: person.email_at(Provider::DigitalChalk).map(str::to_owned),
            tags: person.tags.clone(),
            locale: person.locale.as_ref().and_then(language),
            created: person.created_at,
            last_login: person.last_seen_at,
            values: Map::new(),
        }
    }

    pub(super) fn record(&self) -> Record {
        Record {
            id: self.id.clone(),
            external_id: None,
            email: self.email.clone(),
        }
    }

    /// The user as DigitalChalk shows it.
    pub(super) fn json(&self, chalk: &DigitalChalk) -> Value {
        let empty = chalk.behaviour.get("empty");
        let empty = |text: Value| match empty.as_deref() {
            Some("null") => Some(Value::Null),
            Some("empty_string") => Some(text),
            _ => None,
        };
        let mut shown = Map::new();
        let mut show = |name: &str, value: Option<Value>, nothing: Value| {
            if let Some(value) = value.or_else(|| empty(nothing)) {
                shown.insert(name.to_owned(), value);
            }
        };
        let text = |text: &Option<String>| text.clone().map(Value::from);
        let tags = (!self.tags.is_empty()).then(|| json!(self.tags));
        show("id", Some(json!(self.id)), json!(""));
        show("firstName", text(&self.first_name), json!(""));
        show("lastName", text(&self.last_name), json!(""));
        if chalk.has_usernames() {
            show("username", text(&self.username), json!(""));
        }
        show("email", text(&self.email), json!(""));
        show("tags", tags, json!([]));
        show("locale", text(&self.locale), json!(""));
        show("createdDate", Some(date(self.created).into()), json!(""));
        let last_login = self.last_login.map(|seconds| date(seconds).into());
        show("lastLoginDate", last_login, json!(""));
        Value::Object(shown)
    }
}

/// `2013-10-23T00:48:50Z`.
pub(super) fn date(seconds: i64) -> String {
    let moment = Timestamp::from_second(seconds).unwrap_or_default();
    moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
