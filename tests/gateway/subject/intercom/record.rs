//! A complete record at Intercom, in both of its APIs: what only the other one knows is null.

use serde_json::{Value, json};

const MADE: &str = "2023-11-14T22:13:20Z";
const SEEN: &str = "2025-02-19T21:20:00Z";
const ID: &str = "6553f100910a2dec89025cc1";
const COMPANY: &str = "6553f100e220a8397b1dcdaf";
const PICTURE: &str = "https://pictures.example/ann.png";
const PHONE: &str = "+44 20 7946 0001";

/// Fields without a value.
const UNSET: [&str; 7] = [
    "doNotTrack",
    "referrer",
    "utmCampaign",
    "utmContent",
    "utmMedium",
    "utmSource",
    "utmTerm",
];

/// Fields of versions 1.x alone.
const OF_USERS: [&str; 10] = [
    "userId",
    "pseudonym",
    "anonymous",
    "appId",
    "locationData",
    "lastRequestAt",
    "lastSeenIp",
    "userAgentData",
    "remoteCreatedAt",
    "sessionCount",
];

/// Fields of versions 2.x alone.
const OF_CONTACTS: [&str; 30] = [
    "role",
    "externalId",
    "emailDomain",
    "formattedPhone",
    "workspaceId",
    "location",
    "lastSeenAt",
    "lastRepliedAt",
    "lastContactedAt",
    "lastEmailOpenedAt",
    "lastEmailClickedAt",
    "enabledPushMessaging",
    "languageOverride",
    "browser",
    "browserVersion",
    "browserLanguage",
    "os",
    "androidAppName",
    "androidAppVersion",
    "androidDevice",
    "androidOsVersion",
    "androidSdkVersion",
    "androidLastSeenAt",
    "iosAppName",
    "iosAppVersion",
    "iosDevice",
    "iosOsVersion",
    "iosSdkVersion",
    "iosLastSeenAt",
    "doNotTrack",
];

/// The person in a version 1.x.
pub(super) fn user() -> Value {
    let details = json!({
        "type": "user", "userId": "crm-ann", "pseudonym": null, "anonymous": false,
        "appId": "ws0sandbox",
        "locationData": {
            "cityName": "London", "continentCode": "EU", "countryCode": "GBR",
            "countryName": "United Kingdom", "postalCode": null, "regionName": "England",
            "timezone": "Europe/London", "latitude": 51.5, "longitude": -0.13,
        },
        "lastRequestAt": SEEN, "lastSeenIp": "192.0.2.1",
        "userAgentData": "Mozilla/5.0 (X11; Linux x86_64) Sandbox/1.0",
        "remoteCreatedAt": MADE, "sessionCount": 1,
        // The record names its segments by their ids.
        "segments": [{ "id": "1164532", "name": null }],
    });
    whole(Some("Europe/London"), &details, &OF_CONTACTS)
}

/// The person in a version 2.x.
pub(super) fn contact() -> Value {
    let details = json!({
        "type": "contact", "role": "user", "externalId": "crm-ann", "emailDomain": "x.test",
        "formattedPhone": PHONE, "workspaceId": "ws0sandbox",
        "location": {
            "city": "London", "continentCode": "EU", "country": "United Kingdom",
            "countryCode": "GBR", "region": "England",
        },
        "lastSeenAt": SEEN,
        "segments": [{ "id": "1164532", "name": "Active" }],
    });
    whole(None, &details, &[&OF_USERS[..], &OF_CONTACTS[7..]].concat())
}

/// The person, with details in which some fields are null unless they are given.
fn whole(timezone: Option<&str>, given: &Value, nulls: &[&str]) -> Value {
    let custom = json!({ "plan": "gold", "seats": 17, "beta": true, "job title": "pilot" });
    let mut details = json!({
        "__typename": "IntercomUser", "id": ID, "email": "ann@x.test", "phone": PHONE,
        "name": "Ann Archer", "avatarUrl": PICTURE, "createdAt": MADE, "updatedAt": MADE,
        "signedUpAt": MADE, "ownerId": "390000", "unsubscribedFromEmails": false,
        "markedEmailAsSpam": false, "hasHardBounced": false, "socialProfiles": [],
        "companies": [{ "id": COMPANY, "companyId": "c-1", "name": "Harbour Goods" }],
        "tags": [{ "id": "6695308", "name": "known" }, { "id": "5790589", "name": "vip" }],
        "customAttributes": custom,
    });
    for field in UNSET.iter().chain(nulls) {
        details[*field] = Value::Null;
    }
    for (field, value) in given.as_object().into_iter().flatten() {
        details[field] = value.clone();
    }
    json!({
        "email": "ann@x.test", "emails": ["ann@x.test"], "phone": PHONE, "signedUpAt": MADE,
        "profileUrl": null, "name": "Ann Archer", "firstName": null, "lastName": null,
        "username": null, "avatarUrl": PICTURE, "locale": null, "timezone": timezone, "kind": "USER",
        "tags": ["known", "vip"],
        "companies": [{ "remoteId": COMPANY, "externalId": "c-1", "name": "Harbour Goods" }],
        "createdAt": MADE, "updatedAt": MADE, "lastSeenAt": SEEN, "attributes": custom,
        "details": details,
    })
}
