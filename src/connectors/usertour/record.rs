//! The user object of both versions, field by field, and the [`User`] that it becomes.

use std::sync::Arc;

use async_graphql::SimpleObject;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    account::Account,
    connectors::{ProviderRecord, decode, json::RawJson},
    error::Result,
    user::{Company, User},
};

/// A user at Usertour, field by field.
#[derive(Deserialize, SimpleObject)]
#[serde(rename_all(deserialize = "camelCase"))]
pub struct UsertourUser {
    /// The id that your systems gave.
    #[serde(deserialize_with = "decode::id")]
    id: String,
    /// Everything that is known of the person; `name` and `email` are conventions.
    attributes: Option<RawJson>,
    /// When the user was made.
    #[serde(default, deserialize_with = "decode::moment")]
    created_at: Option<Timestamp>,
    /// The user's companies; null unless the query asks for them.
    #[serde(default, deserialize_with = "decode::records")]
    companies: Option<Vec<UsertourCompany>>,
    /// The user's places in those companies; null unless the query asks for them.
    #[serde(default, deserialize_with = "decode::records")]
    memberships: Option<Vec<UsertourMembership>>,
}

/// A company at Usertour.
#[derive(Deserialize, SimpleObject)]
#[serde(rename_all(deserialize = "camelCase"))]
pub struct UsertourCompany {
    /// The id that your systems gave.
    #[serde(deserialize_with = "decode::id")]
    id: String,
    /// Everything that is known of the company; `name` is a convention.
    attributes: Option<RawJson>,
    /// When the company was made.
    #[serde(default, deserialize_with = "decode::moment")]
    created_at: Option<Timestamp>,
}

/// A user's place in a company at Usertour.
#[derive(Deserialize, SimpleObject)]
#[serde(rename_all(deserialize = "camelCase"))]
pub struct UsertourMembership {
    /// Usertour's internal id of the membership.
    #[serde(deserialize_with = "decode::id")]
    id: String,
    /// The attributes of the membership, a role for example.
    attributes: Option<RawJson>,
    /// When the membership was made.
    #[serde(default, deserialize_with = "decode::moment")]
    created_at: Option<Timestamp>,
    /// The company's id: on version 2 that of your systems, on version 1 an internal one of no use elsewhere.
    #[serde(default, deserialize_with = "decode::text")]
    company_id: Option<String>,
    /// The user's id: on version 2 that of your systems, on version 1 an internal one of no use elsewhere.
    #[serde(default, deserialize_with = "decode::text")]
    user_id: Option<String>,
    /// The company.
    #[serde(default, deserialize_with = "decode::record")]
    company: Option<UsertourCompany>,
}

/// The fields of a user that every provider has.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UsertourFields {
    #[serde(deserialize_with = "decode::id")]
    id: String,
    #[serde(default, deserialize_with = "decode::object")]
    attributes: Option<Arc<RawValue>>,
    #[serde(default, deserialize_with = "decode::moment")]
    created_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "decode::records")]
    companies: Option<Vec<UsertourCompany>>,
}

/// The attributes whose names are conventions.
#[derive(Default, Deserialize)]
struct AttributeNames {
    #[serde(default, deserialize_with = "decode::text")]
    name: Option<String>,
    #[serde(default, deserialize_with = "decode::text")]
    email: Option<String>,
    #[serde(default, deserialize_with = "decode::moment")]
    last_seen_at: Option<Timestamp>,
}

impl ProviderRecord for UsertourUser {}

fn conventions(attributes: Option<&RawValue>) -> AttributeNames {
    attributes.and_then(decode::record_of).unwrap_or_default()
}

/// A user from the object that Usertour sent.
pub(super) fn user(account: Account, raw: Arc<RawValue>) -> Result<User> {
    let record: UsertourFields = decode::read(&raw)?;
    let known = conventions(record.attributes.as_deref());
    let companies = record
        .companies
        .map(|companies| companies.into_iter().map(company).collect());
    let email = decode::address(known.email, &raw, &["attributes", "email"]);
    Ok(User {
        external_id: Some(record.id.clone()),
        is_email_unreadable: email.is_err(),
        email: email.unwrap_or_default(),
        name: known.name,
        companies: companies.into(),
        created_at: record.created_at,
        last_seen_at: known.last_seen_at,
        attributes: record.attributes.into(),
        ..User::new(account, record.id, raw)
    })
}

fn company(company: UsertourCompany) -> Company {
    let name = company.attributes.and_then(|bag| bag.text_of("name"));
    Company {
        remote_id: None,
        external_id: Some(company.id),
        name,
    }
}
