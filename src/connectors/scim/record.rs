//! The user of SCIM's core schema and its enterprise extension (RFC 7643, 4.1 and 4.3), field by field,
//! and the [`User`](crate::user::User) that it becomes.

mod fields;
mod parts;

use async_graphql::SimpleObject;
use serde::Deserialize;

pub(super) use fields::{is_extension, user};
pub use parts::{
    ScimAddress, ScimEnterprise, ScimGroup, ScimManager, ScimMeta, ScimName, ScimValue,
};

use crate::connectors::{ProviderRecord, decode};

/// A user of a SCIM server, field by field. Fields of other extensions are in `attributes`.
#[derive(Deserialize, SimpleObject)]
#[serde(rename_all(deserialize = "camelCase"))]
pub struct ScimUser {
    /// The schemas of the record.
    #[serde(default, deserialize_with = "decode::texts")]
    schemas: Option<Vec<String>>,
    /// The server's id of the user.
    #[serde(deserialize_with = "decode::id")]
    id: String,
    /// The id that your systems gave.
    #[serde(default, deserialize_with = "decode::text")]
    external_id: Option<String>,
    /// The login name, unique at the server; at many servers an address.
    #[serde(default, deserialize_with = "decode::text")]
    user_name: Option<String>,
    /// The parts of the name.
    #[serde(default, deserialize_with = "decode::record")]
    name: Option<ScimName>,
    /// The name that is shown.
    #[serde(default, deserialize_with = "decode::text")]
    display_name: Option<String>,
    /// The casual name.
    #[serde(default, deserialize_with = "decode::text")]
    nick_name: Option<String>,
    /// The address of the person's page.
    #[serde(default, deserialize_with = "decode::text")]
    profile_url: Option<String>,
    /// The title, such as "Vice President".
    #[serde(default, deserialize_with = "decode::text")]
    title: Option<String>,
    /// How the person belongs to the organisation, such as "Contractor".
    #[serde(default, deserialize_with = "decode::text")]
    user_type: Option<String>,
    /// The languages that the person prefers, as in HTTP's `Accept-Language`.
    #[serde(default, deserialize_with = "decode::text")]
    preferred_language: Option<String>,
    /// The region, for dates and numbers.
    #[serde(default, deserialize_with = "decode::text")]
    locale: Option<String>,
    /// The time zone.
    #[serde(default, deserialize_with = "decode::text")]
    timezone: Option<String>,
    /// Whether the person may sign in.
    #[serde(default, deserialize_with = "decode::flag")]
    active: Option<bool>,
    /// The email addresses.
    #[serde(default, deserialize_with = "decode::records")]
    emails: Option<Vec<ScimValue>>,
    /// The telephone numbers.
    #[serde(default, deserialize_with = "decode::records")]
    phone_numbers: Option<Vec<ScimValue>>,
    /// The addresses at messengers.
    #[serde(default, deserialize_with = "decode::records")]
    ims: Option<Vec<ScimValue>>,
    /// The addresses of pictures.
    #[serde(default, deserialize_with = "decode::records")]
    photos: Option<Vec<ScimValue>>,
    /// The postal addresses.
    #[serde(default, deserialize_with = "decode::records")]
    addresses: Option<Vec<ScimAddress>>,
    /// The groups that the person belongs to.
    #[serde(default, deserialize_with = "decode::records")]
    groups: Option<Vec<ScimGroup>>,
    /// What the person is entitled to.
    #[serde(default, deserialize_with = "decode::records")]
    entitlements: Option<Vec<ScimValue>>,
    /// The roles.
    #[serde(default, deserialize_with = "decode::records")]
    roles: Option<Vec<ScimValue>>,
    /// The certificates, in Base64.
    #[serde(default, deserialize_with = "decode::records")]
    x509_certificates: Option<Vec<ScimValue>>,
    /// The enterprise extension: the place in the organisation.
    #[serde(
        default,
        rename = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
        deserialize_with = "decode::record"
    )]
    enterprise: Option<ScimEnterprise>,
    /// The server's own data on the record.
    #[serde(default, deserialize_with = "decode::record")]
    meta: Option<ScimMeta>,
}

impl ProviderRecord for ScimUser {}
