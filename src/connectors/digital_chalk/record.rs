//! The user of DigitalChalk, field by field, and the [`User`] that it becomes.

use std::sync::Arc;

use async_graphql::SimpleObject;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    account::Account,
    client::{DecodedBody, Response},
    connectors::{ProviderRecord, decode},
    error::Result,
    user::{MaybeDeferred, User},
};

/// A user at DigitalChalk, field by field.
#[derive(Deserialize, SimpleObject)]
#[serde(rename_all(deserialize = "camelCase"))]
pub struct DigitalChalkUser {
    /// DigitalChalk's id of the user.
    #[serde(deserialize_with = "decode::id")]
    id: String,
    /// The given name.
    #[serde(default, deserialize_with = "decode::text")]
    first_name: Option<String>,
    /// The family name.
    #[serde(default, deserialize_with = "decode::text")]
    last_name: Option<String>,
    /// The login name, where the organisation uses them; then addresses need not be unique.
    #[serde(default, deserialize_with = "decode::text")]
    username: Option<String>,
    /// The email address.
    #[serde(default, deserialize_with = "decode::text")]
    email: Option<String>,
    /// The language, as ISO 639-1 has it.
    #[serde(default, deserialize_with = "decode::text")]
    locale: Option<String>,
    /// Labels; seen with an administrator's token only.
    #[serde(default, deserialize_with = "decode::texts")]
    tags: Option<Vec<String>>,
    /// When the user was made.
    #[serde(default, deserialize_with = "decode::moment")]
    created_date: Option<Timestamp>,
    /// When the user last logged in; null when never.
    #[serde(default, deserialize_with = "decode::moment")]
    last_login_date: Option<Timestamp>,
}

impl ProviderRecord for DigitalChalkUser {}

/// A user from the object that DigitalChalk sent.
pub(super) fn user(account: Account, raw: Arc<RawValue>) -> Result<User> {
    let record: DigitalChalkUser = decode::read(&raw)?;
    let name = match (&record.first_name, &record.last_name) {
        (Some(first), Some(last)) => Some(format!("{first} {last}")),
        (name, None) | (None, name) => name.clone(),
    };
    let email = decode::address(record.email, &raw, &["email"]);
    Ok(User {
        is_email_unreadable: email.is_err(),
        email: email.unwrap_or_default(),
        name,
        first_name: record.first_name,
        last_name: record.last_name,
        username: record.username,
        locale: record.locale,
        tags: MaybeDeferred::Inline(record.tags.unwrap_or_default()),
        created_at: record.created_date,
        last_seen_at: record.last_login_date,
        attributes: MaybeDeferred::Deferred,
        ..User::new(account, record.id, raw)
    })
}

/// A response with one user.
#[derive(Clone)]
pub(super) struct DigitalChalkRecord(pub(super) User);

impl DecodedBody for DigitalChalkRecord {
    fn decode(response: &Response) -> Result<Self> {
        let raw: Box<RawValue> = response.json()?;
        user(response.account, raw.into()).map(Self)
    }
}

/// A response with the values of a user's custom fields.
pub(super) struct FieldValues(pub(super) Arc<RawValue>);

impl DecodedBody for FieldValues {
    fn decode(response: &Response) -> Result<Self> {
        let raw: Box<RawValue> = response.object()?;
        Ok(Self(raw.into()))
    }
}
