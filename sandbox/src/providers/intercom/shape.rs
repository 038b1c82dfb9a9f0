//! A user or lead as 1.x shows it, by version and switch.

use serde_json::{Map, Value, json};

use super::store::{Contact, IntercomStore, label_id};
use super::version::Version;
use crate::behaviour::Behaviour;

/// Time zone, city, region, country, its code, continent, latitude and longitude.
pub(super) type Location = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    f64,
    f64,
);

const PLACES: [(&str, Location); 7] = [
    (
        "Europe/London",
        (
            "London",
            "England",
            "United Kingdom",
            "GBR",
            "EU",
            51.5,
            -0.13,
        ),
    ),
    (
        "America/New_York",
        (
            "New York",
            "New York",
            "United States",
            "USA",
            "NA",
            40.71,
            -74.01,
        ),
    ),
    (
        "America/Sao_Paulo",
        (
            "São Paulo",
            "São Paulo",
            "Brazil",
            "BRA",
            "SA",
            -23.55,
            -46.63,
        ),
    ),
    (
        "Europe/Berlin",
        ("Berlin", "Berlin", "Germany", "DEU", "EU", 52.52, 13.4),
    ),
    (
        "Europe/Budapest",
        ("Budapest", "Budapest", "Hungary", "HUN", "EU", 47.5, 19.04),
    ),
    (
        "Asia/Tokyo",
        ("Tokyo", "Tokyo", "Japan", "JPN", "AS", 35.68, 139.69),
    ),
    (
        "Europe/Madrid",
        ("Madrid", "Madrid", "Spain", "ESP", "EU", 40.42, -3.7),
    ),
];
const CAMPAIGN: [&str; 6] = [
    "referrer",
    "utm_campaign",
    "utm_content",
    "utm_medium",
    "utm_source",
    "utm_term",
];

/// Shows contacts in one version.
pub(super) struct ClassicShape<'a> {
    /// The workspace, for the names of companies.
    pub(super) store: &'a IntercomStore,
    /// The version of the request.
    pub(super) version: Version,
    /// The switches.
    pub(super) behaviour: &'a Behaviour,
}

impl ClassicShape<'_> {
    /// The whole object.
    pub(super) fn contact(&self, contact: &Contact) -> Value {
        let mut shown = json!({
            "type": if contact.lead { "contact" } else { "user" },
            "id": contact.id,
            "user_id": contact.user_id,
            "anonymous": contact.lead,
            "email": contact.email,
            "phone": contact.phone,
            "name": contact.name,
            "pseudonym": contact.pseudonym,
            "avatar": self.avatar(contact),
            "app_id": "ws0sandbox",
            "companies": self.companies(contact),
            "location_data": self.location(contact),
            "last_request_at": contact.last_request_at,
            "created_at": contact.created_at,
            "remote_created_at": contact.signed_up_at,
            "signed_up_at": contact.signed_up_at,
            "updated_at": contact.updated_at,
            "session_count": contact.session_count,
            "owner_id": self.owner(contact),
            "social_profiles": {"type": "social_profile.list", "social_profiles": []},
            "unsubscribed_from_emails": contact.unsubscribed,
            "marked_email_as_spam": false,
            "has_hard_bounced": false,
            "do_not_track": null,
            "tags": {"type": "tag.list", "tags": labels("tag", &contact.tags)},
            "segments": {"type": "segment.list", "segments": labels("segment", &contact.segments)},
            "custom_attributes": contact.custom,
        });
        for name in CAMPAIGN {
            shown[name] = contact.campaign.get(name).cloned().unwrap_or_default();
        }
        if self.version < Version::V1_2 {
            shown["last_seen_ip"] = json!(contact.last_seen_ip);
            shown["user_agent_data"] = json!(contact.user_agent);
        }
        shown
    }

    fn avatar(&self, contact: &Contact) -> Value {
        match self.behaviour.get("avatar").as_deref() {
            Some("string") => json!(contact.avatar),
            Some("null") => Value::Null,
            _ => json!({"type": "avatar", "image_url": contact.avatar}),
        }
    }

    fn owner(&self, contact: &Contact) -> Value {
        if self.behaviour.is("owner_id", "int") {
            json!(contact.owner)
        } else {
            json!(contact.owner.map(|owner| owner.to_string()))
        }
    }

    fn companies(&self, contact: &Contact) -> Value {
        let known = contact
            .companies
            .iter()
            .filter_map(|company_id| self.store.companies.get(company_id));
        let companies: Vec<Value> = known
            .map(|company| {
                json!({
                    "type": "company",
                    "company_id": company.company_id,
                    "id": company.id,
                    "name": company.name,
                })
            })
            .collect();
        json!({"type": "company.list", "companies": companies})
    }

    fn location(&self, contact: &Contact) -> Value {
        let zone = contact.timezone.as_deref();
        let (Some(place), false) = (place(zone), self.behaviour.is("location", "empty_object"))
        else {
            return Value::Object(Map::new());
        };
        let (city, region, country, code, continent, latitude, longitude) = place;
        let mut shown = json!({
            "type": "location_data",
            "city_name": city,
            "continent_code": continent,
            "country_code": code,
            "country_name": country,
            "postal_code": null,
            "region_name": region,
            "timezone": zone,
        });
        if self.version < Version::V1_2 {
            shown["latitude"] = json!(latitude);
            shown["longitude"] = json!(longitude);
        }
        shown
    }
}

/// The location of a time zone.
pub(super) fn place(zone: Option<&str>) -> Option<&'static Location> {
    let found = PLACES.iter().find(|(known, _)| zone == Some(known));
    found.map(|(_, place)| place)
}

fn labels(kind: &str, names: &[String]) -> Vec<Value> {
    let label = |name: &String| match kind {
        "tag" => json!({"type": kind, "id": label_id(name), "name": name}),
        _ => json!({"type": kind, "id": label_id(name)}),
    };
    names.iter().map(label).collect()
}
