//! The fields that every provider has, from a SCIM user, and the [`User`] that they become.

use std::sync::Arc;

use async_graphql::indexmap::IndexMap;
use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};

use super::{ScimGroup, ScimMeta, ScimName, ScimValue};
use crate::{
    account::Account,
    connectors::decode,
    error::Result,
    user::{Email, MaybeDeferred, User},
};

/// The fields of a user that every provider has.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ScimFields {
    #[serde(deserialize_with = "decode::id")]
    id: String,
    #[serde(default, deserialize_with = "decode::text")]
    external_id: Option<String>,
    #[serde(default, deserialize_with = "decode::text")]
    user_name: Option<String>,
    #[serde(default, deserialize_with = "decode::record")]
    name: Option<ScimName>,
    #[serde(default, deserialize_with = "decode::text")]
    display_name: Option<String>,
    #[serde(default, deserialize_with = "decode::records")]
    phone_numbers: Option<Vec<ScimValue>>,
    #[serde(default, deserialize_with = "decode::records")]
    photos: Option<Vec<ScimValue>>,
    #[serde(default, deserialize_with = "decode::text")]
    preferred_language: Option<String>,
    #[serde(default, deserialize_with = "decode::text")]
    locale: Option<String>,
    #[serde(default, deserialize_with = "decode::text")]
    timezone: Option<String>,
    #[serde(default, deserialize_with = "decode::text")]
    profile_url: Option<String>,
    #[serde(default, deserialize_with = "decode::records")]
    groups: Option<Vec<ScimGroup>>,
    #[serde(default, deserialize_with = "decode::record")]
    meta: Option<ScimMeta>,
}

/// A user from the object that a server sent.
pub(in crate::connectors::scim) fn user(account: Account, raw: Arc<RawValue>) -> Result<User> {
    let record: ScimFields = decode::read(&raw)?;
    let (addresses, attributes) = {
        let members = decode::members(&raw).unwrap_or_default();
        let emails = members.get("emails").copied();
        let addresses = Addresses::of(emails, record.user_name.as_deref());
        (addresses, extensions(&members))
    };
    let is_name_unreadable = decode::external_id(&raw, "userName").is_err();
    let mut emails = addresses.emails.into_iter();
    let (created_at, updated_at) = match &record.meta {
        Some(meta) => (meta.created, meta.last_modified),
        None => (None, None),
    };
    let name = whole_name(record.name.as_ref(), record.display_name);
    let (first_name, last_name) = match record.name {
        Some(name) => (name.given_name, name.family_name),
        None => (None, None),
    };
    let groups = record.groups.map(|groups| {
        let names = groups.into_iter().filter_map(|group| group.display);
        names.collect()
    });
    Ok(User {
        external_id: record.external_id,
        email: emails.next(),
        other_emails: emails.collect(),
        is_email_unreadable: addresses.is_unreadable || is_name_unreadable,
        phone: first(record.phone_numbers),
        name,
        first_name,
        last_name,
        username: record.user_name,
        avatar_url: first(record.photos),
        locale: record.locale.or(record.preferred_language),
        timezone: record.timezone,
        tags: MaybeDeferred::from(groups),
        created_at,
        updated_at,
        profile_url: record.profile_url,
        attributes: attributes.into(),
        ..User::new(account, record.id, raw)
    })
}

/// The whole name: as the server writes it, as it is shown, or joined.
fn whole_name(name: Option<&ScimName>, shown: Option<String>) -> Option<String> {
    let formatted = name.and_then(|name| name.formatted.clone());
    formatted.or(shown).or_else(|| {
        let name = name?;
        match (&name.given_name, &name.family_name) {
            (Some(given), Some(family)) => Some(format!("{given} {family}")),
            (name, None) | (None, name) => name.clone(),
        }
    })
}

/// The primary value, or else the first one.
fn first(values: Option<Vec<ScimValue>>) -> Option<String> {
    let values: Vec<_> = values?
        .into_iter()
        .filter_map(|item| Some((item.primary == Some(true), item.value?)))
        .collect();
    let primary = values.iter().position(|(is_primary, _)| *is_primary);
    let mut values = values.into_iter();
    values
        .nth(primary.unwrap_or_default())
        .map(|(_, value)| value)
}

/// The addresses of a user.
#[derive(Default)]
struct Addresses {
    /// The primary one first.
    emails: Vec<String>,
    /// Whether there is one that cannot be read.
    is_unreadable: bool,
}

impl Addresses {
    /// Those in `emails`, and the login name where it is an address: many servers know no other.
    fn of(emails: Option<&RawValue>, user_name: Option<&str>) -> Self {
        let mut found = Self::default();
        match emails.map(|emails| (emails, decode::items(emails))) {
            Some((_, Some(items))) => items.into_iter().for_each(|item| found.read(item)),
            Some((emails, None)) => found.is_unreadable = !is_empty(emails),
            None => {}
        }
        let name = user_name.and_then(|name| Some((name, Email::parse(name).ok()?)));
        if let Some((name, email)) = name
            && !found.emails.iter().any(|known| email.matches(known))
        {
            found.emails.push(name.to_owned());
        }
        found
    }

    /// Reads an item of `emails`: an object with a `value`, or at some servers the text alone.
    fn read(&mut self, item: &RawValue) {
        let is_object = item.get().starts_with('{');
        let value = match is_object {
            true => decode::member(item, "value"),
            false => Some(item),
        };
        let Some(value) = value.filter(|value| !is_empty(value)) else {
            return;
        };
        let text = decode::string(value);
        let Some(text) = text.filter(|text| !text.contains(char::REPLACEMENT_CHARACTER)) else {
            self.is_unreadable = true;
            return;
        };
        let is_primary = is_object
            && decode::member(item, "primary").is_some_and(|primary| primary.get() == "true");
        if self.emails.contains(&text) {
            return;
        }
        match is_primary {
            true => self.emails.insert(0, text),
            false => self.emails.push(text),
        }
    }
}

/// Whether a value is none: absent, empty or blank.
fn is_empty(value: &RawValue) -> bool {
    let is_blank = || decode::string(value).is_some_and(|text| text.trim().is_empty());
    matches!(value.get(), "null" | "{}" | "[]") || is_blank()
}

/// The extensions of a record, under the names of their schemas; `None` when it has none.
fn extensions(members: &IndexMap<String, &RawValue>) -> Option<Arc<RawValue>> {
    let extensions: IndexMap<_, _> = members
        .iter()
        .filter(|(name, _)| is_extension(name))
        .collect();
    let text = (!extensions.is_empty()).then(|| to_raw_value(&extensions).ok());
    text.flatten().map(Arc::from)
}

/// Whether a member of a record is an extension: it is named by a schema.
pub(in crate::connectors::scim) fn is_extension(name: &str) -> bool {
    let scheme = name.get(..4);
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("urn:"))
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::user;
    use crate::account::{Account, Provider};

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).expect("JSON")
    }

    #[test]
    fn every_address_counts_and_the_primary_one_is_first() {
        for (record, emails, is_unreadable) in [
            (r#""userName":"bob""#, vec![], false),
            (r#""userName":"Bob@x.test""#, vec!["Bob@x.test"], false),
            (
                r#""userName":"a@x.test","emails":[{"value":"A@x.test"},{"value":"b@x.test","primary":true}]"#,
                vec!["b@x.test", "A@x.test"],
                false,
            ),
            (
                r#""emails":["a@x.test",{"value":"b@x.test"},{"value":""},{"type":"work"},null]"#,
                vec!["a@x.test", "b@x.test"],
                false,
            ),
            (
                r#""emails":[{"value":7},{"value":"b@x.test"}]"#,
                vec!["b@x.test"],
                true,
            ),
            (r#""emails":"a@x.test""#, vec![], true),
            (r#""emails":null"#, vec![], false),
            (r#""emails":[]"#, vec![], false),
            (r#""userName":{"a":1}"#, vec![], true),
            (
                r#""emails":[{"value":"a@x.test","value":"b@x.test"}]"#,
                vec![],
                true,
            ),
        ] {
            let text = format!("{{\"id\":\"1\",{record}}}");
            let account = Account::default_for(Provider::Scim);
            let user = user(account, raw(&text).into()).expect("a user");
            assert_eq!(user.all_emails().collect::<Vec<_>>(), emails, "{record}");
            assert_eq!(user.is_email_unreadable, is_unreadable, "{record}");
        }
    }
}
