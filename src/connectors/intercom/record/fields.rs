//! The fields that every provider has, from Intercom's record, and the [`User`] that they become.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeOwned},
};
use serde_json::value::RawValue;

use super::{IntercomCompany, IntercomLocation, IntercomTag};
use crate::{
    account::Account,
    connectors::decode,
    error::Result,
    user::{Company, MaybeDeferred, User, UserKind},
};

/// The fields of a user that every provider has, in versions 1.x and 2.x.
#[derive(Deserialize)]
struct IntercomFields {
    #[serde(deserialize_with = "decode::id")]
    id: String,
    #[serde(default, rename = "type", deserialize_with = "decode::text")]
    record_type: Option<String>,
    #[serde(default, deserialize_with = "role")]
    role: Option<String>,
    #[serde(default, deserialize_with = "decode::text")]
    external_id: Option<String>,
    #[serde(default, deserialize_with = "decode::text")]
    user_id: Option<String>,
    #[serde(default, deserialize_with = "decode::text")]
    email: Option<String>,
    #[serde(default, deserialize_with = "decode::text")]
    phone: Option<String>,
    #[serde(default, deserialize_with = "decode::text")]
    name: Option<String>,
    #[serde(default, deserialize_with = "decode::flag")]
    anonymous: Option<bool>,
    #[serde(default, deserialize_with = "avatar")]
    avatar: Option<String>,
    #[serde(default, deserialize_with = "listed")]
    companies: MaybeDeferred<Vec<IntercomCompany>>,
    #[serde(default, deserialize_with = "decode::record")]
    location_data: Option<IntercomLocation>,
    #[serde(default, deserialize_with = "decode::moment")]
    last_seen_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "decode::moment")]
    last_request_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "decode::moment")]
    created_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "decode::moment")]
    updated_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "decode::moment")]
    remote_created_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "decode::moment")]
    signed_up_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "decode::text")]
    language_override: Option<String>,
    #[serde(default, deserialize_with = "decode::text")]
    browser_language: Option<String>,
    #[serde(default, deserialize_with = "listed")]
    tags: MaybeDeferred<Vec<IntercomTag>>,
    #[serde(default, deserialize_with = "decode::object")]
    custom_attributes: Option<Arc<RawValue>>,
}

impl IntercomFields {
    fn is_lead(&self) -> bool {
        match self.role.as_deref() {
            Some(role) => role == "lead",
            None => self.anonymous == Some(true) || self.record_type.as_deref() == Some("contact"),
        }
    }
}

/// A user from the object that Intercom sent.
pub(in crate::connectors::intercom) fn user(account: Account, raw: Arc<RawValue>) -> Result<User> {
    let record: IntercomFields = decode::read(&raw)?;
    // Of 2.x, whose lists are kept apart.
    let (is_lead, is_contact) = (record.is_lead(), record.role.is_some());
    let company = |company: IntercomCompany| {
        Some(Company {
            remote_id: company.id,
            external_id: company.company_id,
            name: company.name,
        })
    };
    let external_id = decode::valid_id(record.external_id.or(record.user_id));
    let email = decode::address(record.email, &raw, &["email"]);
    Ok(User {
        // A lead's is made up by Intercom, and finds nobody.
        external_id: external_id.filter(|_| !is_lead),
        is_email_unreadable: email.is_err(),
        email: email.unwrap_or_default(),
        phone: record.phone,
        name: record.name,
        avatar_url: record.avatar,
        locale: record.language_override.or(record.browser_language),
        timezone: record.location_data.and_then(|location| location.timezone),
        kind: if is_lead {
            UserKind::Lead
        } else {
            UserKind::User
        },
        tags: known(record.tags.map_items(|tag| tag.name.or(tag.id)), is_contact),
        companies: known(record.companies.map_items(company), is_contact),
        created_at: record.created_at,
        updated_at: record.updated_at,
        signed_up_at: record.signed_up_at.or(record.remote_created_at),
        last_seen_at: record.last_seen_at.or(record.last_request_at),
        attributes: record.custom_attributes.into(),
        ..User::new(account, record.id, raw)
    })
}

/// A list that the record does not mention: none at a user of 1.x, kept apart at a contact.
fn known<T>(list: MaybeDeferred<Vec<T>>, is_contact: bool) -> MaybeDeferred<Vec<T>> {
    match list {
        MaybeDeferred::None if is_contact => MaybeDeferred::Deferred,
        MaybeDeferred::None => MaybeDeferred::Inline(Vec::new()),
        list => list,
    }
}

/// A picture: an object with its address, or the address alone.
pub(super) fn avatar<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    let avatar: &RawValue = Deserialize::deserialize(deserializer)?;
    let url = decode::string(avatar)
        .or_else(|| decode::member(avatar, "image_url").and_then(decode::string));
    Ok(url.filter(|url| !url.trim().is_empty()))
}

/// The role, which decides whether a contact is a user or a lead. A role that is present and not a text
/// is an error.
pub(super) fn role<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let role: &RawValue = Deserialize::deserialize(deserializer)?;
    if decode::is_null(role) {
        return Ok(None);
    }
    let no_text = || de::Error::custom("the role is no text");
    let role = decode::string(role).ok_or_else(no_text)?;
    Ok(Some(role).filter(|role| !role.trim().is_empty()))
}

/// A list in a record. 1.x sends the whole list under its own name: `{"type":"tag.list",
/// "tags":[…]}`. 2.x sends the first ten ids in `data`, which only say that there are some.
pub(super) fn listed<'de, D, T>(deserializer: D) -> Result<MaybeDeferred<Vec<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    let list: &RawValue = Deserialize::deserialize(deserializer)?;
    if let Some(has_items) = has_items_apart(list) {
        return Ok(match has_items {
            true => MaybeDeferred::Deferred,
            false => MaybeDeferred::Inline(Vec::new()),
        });
    }
    let items = decode::items_within(list);
    let items = items.map(|items| items.into_iter().filter_map(decode::record_of).collect());
    Ok(items.into())
}

/// Whether a list of a contact (2.x) has items, which take a call of their own; `None` when it is
/// not such a list.
fn has_items_apart(list: &RawValue) -> Option<bool> {
    #[derive(Deserialize)]
    struct ContactPart<'a> {
        #[serde(borrow)]
        data: Option<&'a RawValue>,
        #[serde(borrow)]
        total_count: Option<&'a RawValue>,
        #[serde(borrow)]
        has_more: Option<&'a RawValue>,
    }
    let part: ContactPart<'_> = serde_json::from_str(list.get()).ok()?;
    let items = decode::items(part.data?)?;
    let count = part.total_count.map(|count| count.get().parse::<u64>());
    let has_more = part
        .has_more
        .is_some_and(|has_more| has_more.get() == "true");
    Some(!items.is_empty() || has_more || matches!(count, Some(Ok(1..))))
}
