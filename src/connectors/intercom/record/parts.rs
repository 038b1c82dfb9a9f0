//! The parts of Intercom's records that have fields of their own.

use async_graphql::SimpleObject;
use serde::Deserialize;

use crate::connectors::decode;

/// A company as a user's record names it.
#[derive(Clone, Deserialize, SimpleObject)]
pub struct IntercomCompany {
    /// Intercom's id.
    #[serde(default, deserialize_with = "decode::text")]
    pub(super) id: Option<String>,
    /// The id that your systems gave.
    #[serde(default, deserialize_with = "decode::text")]
    pub(super) company_id: Option<String>,
    /// The name.
    #[serde(default, deserialize_with = "decode::text")]
    pub(super) name: Option<String>,
}

/// A place, as Intercom tells it from the IP address: of a contact (2.x).
#[derive(Deserialize, SimpleObject)]
pub struct IntercomContactLocation {
    /// The city.
    #[serde(default, deserialize_with = "decode::text")]
    pub(super) city: Option<String>,
    /// The continent's code.
    #[serde(default, deserialize_with = "decode::text")]
    pub(super) continent_code: Option<String>,
    /// The country.
    #[serde(default, deserialize_with = "decode::text")]
    pub(super) country: Option<String>,
    /// The country's code.
    #[serde(default, deserialize_with = "decode::text")]
    pub(super) country_code: Option<String>,
    /// The region.
    #[serde(default, deserialize_with = "decode::text")]
    pub(super) region: Option<String>,
}

/// A place, as Intercom tells it from the IP address: of a user (1.x).
#[derive(Deserialize, SimpleObject)]
pub struct IntercomLocation {
    /// The city.
    #[serde(default, deserialize_with = "decode::text")]
    pub(super) city_name: Option<String>,
    /// The continent's code.
    #[serde(default, deserialize_with = "decode::text")]
    pub(super) continent_code: Option<String>,
    /// The country's code, of three letters.
    #[serde(default, deserialize_with = "decode::text")]
    pub(super) country_code: Option<String>,
    /// The country.
    #[serde(default, deserialize_with = "decode::text")]
    pub(super) country_name: Option<String>,
    /// The postal code.
    #[serde(default, deserialize_with = "decode::text")]
    pub(super) postal_code: Option<String>,
    /// The region.
    #[serde(default, deserialize_with = "decode::text")]
    pub(super) region_name: Option<String>,
    /// The time zone.
    #[serde(default, deserialize_with = "decode::text")]
    pub(super) timezone: Option<String>,
    /// Degrees north; not answered since version 1.2.
    #[serde(default, deserialize_with = "decode::number")]
    pub(super) latitude: Option<f64>,
    /// Degrees east; not answered since version 1.2.
    #[serde(default, deserialize_with = "decode::number")]
    pub(super) longitude: Option<f64>,
}

/// A profile in a social network.
#[derive(Deserialize, SimpleObject)]
pub struct IntercomSocialProfile {
    /// The network.
    #[serde(default, deserialize_with = "decode::text")]
    pub(super) name: Option<String>,
    /// 1.x: the person's id there.
    #[serde(default, deserialize_with = "decode::text")]
    pub(super) id: Option<String>,
    /// 1.x: the person's name there.
    #[serde(default, deserialize_with = "decode::text")]
    pub(super) username: Option<String>,
    /// The profile's address.
    #[serde(default, deserialize_with = "decode::text")]
    pub(super) url: Option<String>,
}

/// A label on a user.
#[derive(Clone, Deserialize, SimpleObject)]
pub struct IntercomTag {
    /// Intercom's id.
    #[serde(default, deserialize_with = "decode::text")]
    pub(super) id: Option<String>,
    /// The label, where the answer tells it.
    #[serde(default, deserialize_with = "decode::text")]
    pub(super) name: Option<String>,
}

/// A segment that a user is in.
#[derive(Clone, Deserialize, SimpleObject)]
pub struct IntercomSegment {
    /// Intercom's id.
    #[serde(default, deserialize_with = "decode::text")]
    pub(super) id: Option<String>,
    /// The segment's name, where the answer tells it.
    #[serde(default, deserialize_with = "decode::text")]
    pub(super) name: Option<String>,
}
