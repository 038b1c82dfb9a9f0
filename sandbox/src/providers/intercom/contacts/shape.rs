//! A contact as 2.x shows it.

use serde_json::{Map, Value, json};

use crate::behaviour::Behaviour;
use crate::providers::intercom::shape::place;
use crate::providers::intercom::store::{Contact, IntercomStore, label_id};
use crate::providers::intercom::version::Version;

/// The entries that a list within a contact has at most.
const WITHIN: usize = 10;
/// Fields that are null for every contact of the sandbox.
pub(super) const NEVER_KNOWN: [&str; 23] = [
    "last_replied_at",
    "last_contacted_at",
    "last_email_opened_at",
    "last_email_clicked_at",
    "browser",
    "browser_version",
    "browser_language",
    "os",
    "android_app_name",
    "android_app_version",
    "android_device",
    "android_os_version",
    "android_sdk_version",
    "android_last_seen_at",
    "ios_app_name",
    "ios_app_version",
    "ios_device",
    "ios_os_version",
    "ios_sdk_version",
    "ios_last_seen_at",
    "sms_consent",
    "unsubscribed_from_sms",
    "enabled_push_messaging",
];
const CAMPAIGN: [&str; 6] = [
    "utm_campaign",
    "utm_content",
    "utm_medium",
    "utm_source",
    "utm_term",
    "referrer",
];

/// Shows contacts in one version.
pub(super) struct ContactShape<'a> {
    /// The workspace, for the identifiers of companies.
    pub(super) store: &'a IntercomStore,
    /// The version of the request.
    pub(super) version: Version,
    /// The switches.
    pub(super) behaviour: &'a Behaviour,
}

impl ContactShape<'_> {
    /// The whole object.
    pub(super) fn contact(&self, contact: &Contact) -> Value {
        let tags: Vec<String> = contact.tags.iter().map(|name| label_id(name)).collect();
        let mut shown = json!({
            "type": "contact",
            "id": contact.id,
            "workspace_id": "ws0sandbox",
            "external_id": contact.user_id,
            "role": role(contact),
            "email": contact.email,
            "email_domain": domain(contact),
            "phone": contact.phone,
            "name": contact.name,
            "avatar": self.avatar(contact),
            "owner_id": self.owner(contact),
            "social_profiles": {"type": "list", "data": []},
            "has_hard_bounced": false,
            "marked_email_as_spam": false,
            "unsubscribed_from_emails": contact.unsubscribed,
            "created_at": contact.created_at,
            "updated_at": contact.updated_at,
            "signed_up_at": contact.signed_up_at,
            "last_seen_at": contact.last_request_at,
            "language_override": contact.language,
            "location": self.location(contact),
            "custom_attributes": contact.custom,
            "tags": sublist(contact, "tag", &tags),
            "notes": sublist(contact, "note", &[]),
            "companies": sublist(contact, "company", &self.companies(contact)),
            "opted_out_subscription_types": sublist(contact, "subscription", &[]),
            "opted_in_subscription_types": sublist(contact, "subscription", &[]),
        });
        if self.version >= Version::V2_11 {
            shown["formatted_phone"] = json!(contact.phone);
        }
        for name in NEVER_KNOWN {
            shown[name] = Value::Null;
        }
        for name in CAMPAIGN {
            shown[name] = contact.campaign.get(name).cloned().unwrap_or_default();
        }
        shown
    }

    /// An address; the schema promises an object.
    fn avatar(&self, contact: &Contact) -> Value {
        match self.behaviour.get("avatar").as_deref() {
            Some("object") => json!({"type": "avatar", "image_url": contact.avatar}),
            Some("null") => Value::Null,
            _ => json!(contact.avatar),
        }
    }

    fn owner(&self, contact: &Contact) -> Value {
        if self.version < Version::V2_16 || self.behaviour.is("owner_id", "int") {
            json!(contact.owner)
        } else {
            json!(contact.owner.map(|owner| owner.to_string()))
        }
    }

    fn location(&self, contact: &Contact) -> Value {
        if self.behaviour.is("location", "empty_object") {
            return Value::Object(Map::new());
        }
        let known = place(contact.timezone.as_deref());
        json!({
            "type": "location",
            "country": known.map(|place| place.2),
            "region": known.map(|place| place.1),
            "city": known.map(|place| place.0),
            "country_code": known.map(|place| place.3),
            "continent_code": known.map(|place| place.4),
        })
    }

    fn companies(&self, contact: &Contact) -> Vec<String> {
        let keys = contact.companies.iter();
        let known = keys.filter_map(|company_id| self.store.companies.get(company_id));
        known.map(|company| company.id.clone()).collect()
    }
}

/// `user` or `lead`.
pub(super) fn role(contact: &Contact) -> &'static str {
    if contact.lead { "lead" } else { "user" }
}

/// The part after the last at sign of the address.
pub(super) fn domain(contact: &Contact) -> Option<&str> {
    let (_, domain) = contact.email.as_deref()?.rsplit_once('@')?;
    Some(domain)
}

/// The start of a list within a contact, with the path of the whole list.
fn sublist(contact: &Contact, kind: &str, ids: &[String]) -> Value {
    let plural = match kind {
        "company" => "companies".to_owned(),
        other => format!("{other}s"),
    };
    let first = ids.iter().take(WITHIN);
    let data: Vec<Value> = first
        .map(|id| json!({"type": kind, "id": id, "url": format!("/{plural}/{id}")}))
        .collect();
    json!({
        "type": "list",
        "data": data,
        "url": format!("/contacts/{}/{plural}", contact.id),
        "total_count": ids.len(),
        "has_more": ids.len() > WITHIN,
    })
}
