//! The end user of Ada, field by field, and the [`User`] that it becomes.

use std::sync::Arc;

use async_graphql::SimpleObject;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    account::Account,
    client::{DecodedBody, Response},
    connectors::{ProviderRecord, decode, json::RawJson},
    error::Result,
    user::User,
};

/// An end user at Ada, field by field.
#[derive(Deserialize, SimpleObject)]
#[serde(rename_all(deserialize = "snake_case"))]
pub struct AdaEndUser {
    /// Ada's id of the end user.
    #[serde(deserialize_with = "decode::id")]
    end_user_id: String,
    /// The id that your systems gave, trimmed and lower-cased by Ada; at most 36 characters.
    #[serde(default, deserialize_with = "decode::text")]
    external_id: Option<String>,
    /// The profile of the person.
    #[serde(default, deserialize_with = "decode::record")]
    profile: Option<AdaProfile>,
    /// When the end user was made.
    #[serde(default, deserialize_with = "decode::moment")]
    created_at: Option<Timestamp>,
    /// When the end user last changed.
    #[serde(default, deserialize_with = "decode::moment")]
    updated_at: Option<Timestamp>,
}

/// The profile of an end user at Ada.
#[derive(Default, Deserialize, SimpleObject)]
pub struct AdaProfile {
    /// The given name.
    #[serde(default, deserialize_with = "decode::text")]
    first_name: Option<String>,
    /// The family name.
    #[serde(default, deserialize_with = "decode::text")]
    last_name: Option<String>,
    /// The name that is shown.
    #[serde(default, deserialize_with = "decode::text")]
    display_name: Option<String>,
    /// The address of a picture.
    #[serde(default, deserialize_with = "decode::text")]
    avatar: Option<String>,
    /// The email address.
    #[serde(default, deserialize_with = "decode::text")]
    email: Option<String>,
    /// The language with its region, as BCP 47 has it.
    #[serde(default, deserialize_with = "decode::text")]
    language: Option<String>,
    /// Custom fields: texts, whole numbers and truth values.
    metadata: Option<RawJson>,
    /// The values that Ada itself keeps of the end user; their keys depend on the configuration there.
    system_properties: Option<RawJson>,
}

/// The fields of an end user that every provider has.
#[derive(Deserialize)]
struct AdaFields {
    #[serde(deserialize_with = "decode::id")]
    end_user_id: String,
    #[serde(default, deserialize_with = "decode::text")]
    external_id: Option<String>,
    #[serde(default, deserialize_with = "decode::record")]
    profile: Option<AdaProfileFields>,
    #[serde(default, deserialize_with = "decode::moment")]
    created_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "decode::moment")]
    updated_at: Option<Timestamp>,
}

#[derive(Default, Deserialize)]
struct AdaProfileFields {
    #[serde(default, deserialize_with = "decode::text")]
    first_name: Option<String>,
    #[serde(default, deserialize_with = "decode::text")]
    last_name: Option<String>,
    #[serde(default, deserialize_with = "decode::text")]
    display_name: Option<String>,
    #[serde(default, deserialize_with = "decode::text")]
    avatar: Option<String>,
    #[serde(default, deserialize_with = "decode::text")]
    email: Option<String>,
    #[serde(default, deserialize_with = "decode::text")]
    language: Option<String>,
    #[serde(default, deserialize_with = "decode::object")]
    metadata: Option<Arc<RawValue>>,
}

impl ProviderRecord for AdaEndUser {}

/// A user from the object that Ada sent.
pub(super) fn user(account: Account, raw: Arc<RawValue>) -> Result<User> {
    let record: AdaFields = decode::read(&raw)?;
    let profile = record.profile.unwrap_or_default();
    let whole = || match (&profile.first_name, &profile.last_name) {
        (Some(first), Some(last)) => Some(format!("{first} {last}")),
        (name, None) | (None, name) => name.clone(),
    };
    let email = decode::address(profile.email, &raw, &["profile", "email"]);
    Ok(User {
        external_id: decode::valid_id(record.external_id),
        name: profile.display_name.clone().or_else(whole),
        is_email_unreadable: email.is_err(),
        email: email.unwrap_or_default(),
        first_name: profile.first_name,
        last_name: profile.last_name,
        avatar_url: profile.avatar,
        locale: profile.language,
        created_at: record.created_at,
        updated_at: record.updated_at,
        attributes: profile.metadata.into(),
        ..User::new(account, record.end_user_id, raw)
    })
}

/// A response with one user.
#[derive(Clone)]
pub(super) struct AdaRecord(pub(super) User);

impl DecodedBody for AdaRecord {
    fn decode(response: &Response) -> Result<Self> {
        user_in(response).map(Self)
    }
}

pub(super) fn user_in(response: &Response) -> Result<User> {
    user(response.account, response.json::<Box<RawValue>>()?.into())
}

/// Whether a user has an external id, as Ada compares them: it trims them and drops letter case.
pub(super) fn has_external_id(user: &User, id: &str) -> bool {
    let form = |id: &str| id.trim().to_lowercase();
    user.external_id.as_deref().map(form) == Some(form(id))
}
