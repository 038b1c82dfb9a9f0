//! The user object of versions 1.x, field by field, and the [`User`] that it becomes.

use std::sync::Arc;

use async_graphql::{Json, SimpleObject};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, value::RawValue};

use crate::{
    error::Result,
    user::{Company, Provider, User, UserKind},
    vendor::wire,
};

/// A user or lead at Intercom, field by field.
#[derive(Deserialize, SimpleObject)]
pub struct IntercomUser {
    /// Intercom's id.
    #[serde(deserialize_with = "wire::id")]
    id: String,
    /// `user` or `contact`, which is a lead.
    #[serde(default, rename = "type", deserialize_with = "wire::text")]
    #[graphql(name = "type")]
    record_type: Option<String>,
    /// The id that your systems gave; for leads one that Intercom made up.
    #[serde(default, deserialize_with = "wire::text")]
    user_id: Option<String>,
    /// The email address; not unique.
    #[serde(default, deserialize_with = "wire::text")]
    email: Option<String>,
    /// The telephone number.
    #[serde(default, deserialize_with = "wire::text")]
    phone: Option<String>,
    /// The whole name.
    #[serde(default, deserialize_with = "wire::text")]
    name: Option<String>,
    /// The nickname that Intercom gives to leads and visitors.
    #[serde(default, deserialize_with = "wire::text")]
    pseudonym: Option<String>,
    /// True for leads.
    #[serde(default, deserialize_with = "wire::flag")]
    anonymous: Option<bool>,
    /// The address of a picture.
    #[serde(default, rename = "avatar", deserialize_with = "avatar")]
    avatar_url: Option<String>,
    /// The workspace.
    #[serde(default, deserialize_with = "wire::text")]
    app_id: Option<String>,
    /// The companies that the user belongs to.
    #[serde(default, deserialize_with = "listed")]
    companies: Option<Vec<IntercomCompany>>,
    /// Where the person was last seen.
    #[serde(default, deserialize_with = "wire::record")]
    location_data: Option<IntercomLocation>,
    /// When the person last made a request.
    #[serde(default, deserialize_with = "wire::moment")]
    last_request_at: Option<Timestamp>,
    /// The last IP address; not answered since version 1.2.
    #[serde(default, deserialize_with = "wire::text")]
    last_seen_ip: Option<String>,
    /// The last browser; not answered since version 1.2.
    #[serde(default, deserialize_with = "wire::text")]
    user_agent_data: Option<String>,
    /// When the record was made.
    #[serde(default, deserialize_with = "wire::moment")]
    created_at: Option<Timestamp>,
    /// When the record last changed.
    #[serde(default, deserialize_with = "wire::moment")]
    updated_at: Option<Timestamp>,
    /// When the person signed up with you; another name of `signedUpAt`.
    #[serde(default, deserialize_with = "wire::moment")]
    remote_created_at: Option<Timestamp>,
    /// When the person signed up with you.
    #[serde(default, deserialize_with = "wire::moment")]
    signed_up_at: Option<Timestamp>,
    /// How many sessions were counted.
    #[serde(default, deserialize_with = "wire::integer")]
    session_count: Option<i64>,
    /// The teammate who owns the record.
    #[serde(default, deserialize_with = "wire::text")]
    owner_id: Option<String>,
    /// Whether the person takes no more email.
    #[serde(default, deserialize_with = "wire::flag")]
    unsubscribed_from_emails: Option<bool>,
    /// Whether the person called an email spam.
    #[serde(default, deserialize_with = "wire::flag")]
    marked_email_as_spam: Option<bool>,
    /// Whether the address refused an email for good.
    #[serde(default, deserialize_with = "wire::flag")]
    has_hard_bounced: Option<bool>,
    /// Whether the browser asked not to be tracked.
    #[serde(default, deserialize_with = "wire::flag")]
    do_not_track: Option<bool>,
    /// The page that the person came from.
    #[serde(default, deserialize_with = "wire::text")]
    referrer: Option<String>,
    /// The campaign that the person came by.
    #[serde(default, deserialize_with = "wire::text")]
    utm_campaign: Option<String>,
    /// The campaign's content.
    #[serde(default, deserialize_with = "wire::text")]
    utm_content: Option<String>,
    /// The campaign's medium.
    #[serde(default, deserialize_with = "wire::text")]
    utm_medium: Option<String>,
    /// The campaign's source.
    #[serde(default, deserialize_with = "wire::text")]
    utm_source: Option<String>,
    /// The campaign's search term.
    #[serde(default, deserialize_with = "wire::text")]
    utm_term: Option<String>,
    /// Profiles in social networks; several may have one name.
    #[serde(default, deserialize_with = "listed")]
    social_profiles: Option<Vec<IntercomSocialProfile>>,
    /// Labels.
    #[serde(default, deserialize_with = "listed")]
    tags: Option<Vec<IntercomTag>>,
    /// Segments that the user is in.
    #[serde(default, deserialize_with = "listed")]
    segments: Option<Vec<IntercomSegment>>,
    /// Custom fields: flat.
    custom_attributes: Option<Json<Value>>,
}

/// A company as a user's record names it.
#[derive(Deserialize, SimpleObject)]
pub struct IntercomCompany {
    /// Intercom's id.
    #[serde(default, deserialize_with = "wire::text")]
    id: Option<String>,
    /// The id that your systems gave.
    #[serde(default, deserialize_with = "wire::text")]
    company_id: Option<String>,
    /// The name.
    #[serde(default, deserialize_with = "wire::text")]
    name: Option<String>,
}

/// A place, as Intercom tells it from the IP address.
#[derive(Deserialize, SimpleObject)]
pub struct IntercomLocation {
    /// The city.
    #[serde(default, deserialize_with = "wire::text")]
    city_name: Option<String>,
    /// The continent's code.
    #[serde(default, deserialize_with = "wire::text")]
    continent_code: Option<String>,
    /// The country's code, of three letters.
    #[serde(default, deserialize_with = "wire::text")]
    country_code: Option<String>,
    /// The country.
    #[serde(default, deserialize_with = "wire::text")]
    country_name: Option<String>,
    /// The postal code.
    #[serde(default, deserialize_with = "wire::text")]
    postal_code: Option<String>,
    /// The region.
    #[serde(default, deserialize_with = "wire::text")]
    region_name: Option<String>,
    /// The time zone.
    #[serde(default, deserialize_with = "wire::text")]
    timezone: Option<String>,
    /// Degrees north; not answered since version 1.2.
    #[serde(default, deserialize_with = "wire::number")]
    latitude: Option<f64>,
    /// Degrees east; not answered since version 1.2.
    #[serde(default, deserialize_with = "wire::number")]
    longitude: Option<f64>,
}

/// A profile in a social network.
#[derive(Deserialize, SimpleObject)]
pub struct IntercomSocialProfile {
    /// The network.
    #[serde(default, deserialize_with = "wire::text")]
    name: Option<String>,
    /// The person's id there.
    #[serde(default, deserialize_with = "wire::text")]
    id: Option<String>,
    /// The person's name there.
    #[serde(default, deserialize_with = "wire::text")]
    username: Option<String>,
    /// The profile's address.
    #[serde(default, deserialize_with = "wire::text")]
    url: Option<String>,
}

/// A label on a user.
#[derive(Deserialize, SimpleObject)]
pub struct IntercomTag {
    /// Intercom's id.
    #[serde(default, deserialize_with = "wire::text")]
    id: Option<String>,
    /// The label, where the answer names it.
    #[serde(default, deserialize_with = "wire::text")]
    name: Option<String>,
}

/// A segment that a user is in.
#[derive(Deserialize, SimpleObject)]
pub struct IntercomSegment {
    /// Intercom's id.
    #[serde(default, deserialize_with = "wire::text")]
    id: Option<String>,
}

#[derive(Deserialize)]
struct Attributes {
    #[serde(default, deserialize_with = "wire::object")]
    custom_attributes: Option<Arc<RawValue>>,
}

/// A picture: an object with its address, or the address alone.
fn avatar<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let url = match Value::deserialize(deserializer)? {
        Value::String(url) => Some(url),
        Value::Object(avatar) => avatar
            .get("image_url")
            .and_then(Value::as_str)
            .map(str::to_owned),
        _ => None,
    };
    Ok(url.filter(|url| !url.trim().is_empty()))
}

/// A typed list such as `{"type":"tag.list","tags":[…]}`: its one array, whatever its name.
fn listed<'de, D, T>(deserializer: D) -> Result<Option<Vec<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: serde::de::DeserializeOwned,
{
    let items = match Value::deserialize(deserializer)? {
        Value::Object(list) => list.into_iter().find_map(|(_, items)| match items {
            Value::Array(items) => Some(items),
            _ => None,
        }),
        Value::Array(items) => Some(items),
        _ => None,
    };
    let read = |items: Vec<Value>| {
        items
            .into_iter()
            .filter_map(|item| serde_json::from_value(item).ok())
            .collect()
    };
    Ok(items.map(read))
}

/// A user from the object that Intercom sent.
pub(super) fn user(raw: Arc<RawValue>) -> Result<User> {
    let record: IntercomUser = wire::read(&raw)?;
    let attributes: Attributes = wire::read(&raw)?;
    let is_lead =
        record.anonymous == Some(true) || record.record_type.as_deref() == Some("contact");
    let companies = record.companies.unwrap_or_default().into_iter();
    let companies = companies.map(|company| Company {
        vendor_id: company.id,
        external_id: company.company_id,
        name: company.name,
    });
    let tags = record.tags.unwrap_or_default().into_iter();
    Ok(User {
        // A lead's is made up by Intercom, and finds nobody.
        external_id: record.user_id.filter(|_| !is_lead),
        email: record.email,
        name: record.name,
        avatar_url: record.avatar_url,
        timezone: record.location_data.and_then(|location| location.timezone),
        kind: if is_lead {
            UserKind::Lead
        } else {
            UserKind::User
        },
        tags: Some(tags.filter_map(|tag| tag.name.or(tag.id)).collect()),
        companies: Some(companies.collect()),
        created_at: record.created_at,
        updated_at: record.updated_at,
        last_seen_at: record.last_request_at,
        attributes: attributes.custom_attributes.into(),
        ..User::new(Provider::Intercom, record.id, raw)
    })
}
