//! The parts of a SCIM user that have fields of their own.

use async_graphql::SimpleObject;
use jiff::Timestamp;
use serde::Deserialize;

use crate::connectors::decode;

/// The parts of a name.
#[derive(Deserialize, SimpleObject)]
#[serde(rename_all(deserialize = "camelCase"))]
pub struct ScimName {
    /// The whole name.
    #[serde(default, deserialize_with = "decode::text")]
    pub(super) formatted: Option<String>,
    /// The family name.
    #[serde(default, deserialize_with = "decode::text")]
    pub(super) family_name: Option<String>,
    /// The given name.
    #[serde(default, deserialize_with = "decode::text")]
    pub(super) given_name: Option<String>,
    /// The middle names.
    #[serde(default, deserialize_with = "decode::text")]
    middle_name: Option<String>,
    /// What stands before the name, such as "Dr.".
    #[serde(default, deserialize_with = "decode::text")]
    honorific_prefix: Option<String>,
    /// What stands behind the name, such as "III".
    #[serde(default, deserialize_with = "decode::text")]
    honorific_suffix: Option<String>,
}

/// One of several values: an address, a number, a role.
#[derive(Deserialize, SimpleObject)]
pub struct ScimValue {
    /// The value.
    #[serde(default, deserialize_with = "decode::text")]
    pub(super) value: Option<String>,
    /// The value as it is shown.
    #[serde(default, deserialize_with = "decode::text")]
    display: Option<String>,
    /// What it is for, such as `work` or `home`.
    #[serde(default, rename = "type", deserialize_with = "decode::text")]
    #[graphql(name = "type")]
    value_type: Option<String>,
    /// Whether it is the first one of its kind.
    #[serde(default, deserialize_with = "decode::flag")]
    pub(super) primary: Option<bool>,
}

/// A postal address.
#[derive(Deserialize, SimpleObject)]
#[serde(rename_all(deserialize = "camelCase"))]
pub struct ScimAddress {
    /// The whole address.
    #[serde(default, deserialize_with = "decode::text")]
    formatted: Option<String>,
    /// Street and number.
    #[serde(default, deserialize_with = "decode::text")]
    street_address: Option<String>,
    /// The city.
    #[serde(default, deserialize_with = "decode::text")]
    locality: Option<String>,
    /// The state or region.
    #[serde(default, deserialize_with = "decode::text")]
    region: Option<String>,
    /// The postal code.
    #[serde(default, deserialize_with = "decode::text")]
    postal_code: Option<String>,
    /// The country's code, as ISO 3166-1 has it.
    #[serde(default, deserialize_with = "decode::text")]
    country: Option<String>,
    /// What it is for, such as `work` or `home`.
    #[serde(default, rename = "type", deserialize_with = "decode::text")]
    #[graphql(name = "type")]
    address_type: Option<String>,
    /// Whether it is the first one.
    #[serde(default, deserialize_with = "decode::flag")]
    primary: Option<bool>,
}

/// A group of a user.
#[derive(Deserialize, SimpleObject)]
pub struct ScimGroup {
    /// The server's id of the group.
    #[serde(default, deserialize_with = "decode::text")]
    value: Option<String>,
    /// The group's name.
    #[serde(default, deserialize_with = "decode::text")]
    pub(super) display: Option<String>,
    /// Whether the membership is `direct` or `indirect`.
    #[serde(default, rename = "type", deserialize_with = "decode::text")]
    #[graphql(name = "type")]
    membership: Option<String>,
    /// The address of the group at the server.
    #[serde(default, rename = "$ref", deserialize_with = "decode::text")]
    reference: Option<String>,
}

/// The enterprise extension.
#[derive(Deserialize, SimpleObject)]
#[serde(rename_all(deserialize = "camelCase"))]
pub struct ScimEnterprise {
    /// The number that the organisation gave the person.
    #[serde(default, deserialize_with = "decode::text")]
    employee_number: Option<String>,
    /// The cost center.
    #[serde(default, deserialize_with = "decode::text")]
    cost_center: Option<String>,
    /// The organisation.
    #[serde(default, deserialize_with = "decode::text")]
    organization: Option<String>,
    /// The division.
    #[serde(default, deserialize_with = "decode::text")]
    division: Option<String>,
    /// The department.
    #[serde(default, deserialize_with = "decode::text")]
    department: Option<String>,
    /// The manager.
    #[serde(default, deserialize_with = "decode::record")]
    manager: Option<ScimManager>,
}

/// The manager of a user.
#[derive(Deserialize, SimpleObject)]
#[serde(rename_all(deserialize = "camelCase"))]
pub struct ScimManager {
    /// The server's id of the manager.
    #[serde(default, deserialize_with = "decode::text")]
    value: Option<String>,
    /// The manager's name.
    #[serde(default, deserialize_with = "decode::text")]
    display_name: Option<String>,
    /// The address of the manager's record at the server.
    #[serde(default, rename = "$ref", deserialize_with = "decode::text")]
    reference: Option<String>,
}

/// The server's own data on a record.
#[derive(Deserialize, SimpleObject)]
#[serde(rename_all(deserialize = "camelCase"))]
pub struct ScimMeta {
    /// The type of the record: `User`.
    #[serde(default, deserialize_with = "decode::text")]
    resource_type: Option<String>,
    /// When the record was made.
    #[serde(default, deserialize_with = "decode::moment")]
    pub(super) created: Option<Timestamp>,
    /// When the record last changed.
    #[serde(default, deserialize_with = "decode::moment")]
    pub(super) last_modified: Option<Timestamp>,
    /// The address of the record at the server.
    #[serde(default, deserialize_with = "decode::text")]
    location: Option<String>,
    /// The version of the record.
    #[serde(default, deserialize_with = "decode::text")]
    version: Option<String>,
}
