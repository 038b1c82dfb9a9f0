//! One record, field by field: what the provider holds is what the graph shows, and what it has no value
//! for is null.

mod intercom;

use roster::config::Settings;
use roster_sandbox::known;
use serde_json::{Value, json};

use super::people_held::USERS;
use crate::{subject::Subject, world::World};

/// Everything of a user but `raw` and what names it.
pub(super) const FIELDS: &str = "
    email emails phone name firstName lastName username avatarUrl locale timezone kind tags
    companies { remoteId externalId name } createdAt updatedAt signedUpAt lastSeenAt profileUrl attributes
    details { __typename
        ... on AdaEndUser { endUserId externalId createdAt updatedAt profile {
            firstName lastName displayName avatar email language metadata systemProperties } }
        ... on DigitalChalkUser { id firstName lastName username email locale labels: tags createdDate lastLoginDate }
        ... on IntercomUser { id type role externalId userId email emailDomain phone formattedPhone name
            pseudonym anonymous avatarUrl workspaceId appId
            companies { id companyId name }
            location { city continentCode country countryCode region }
            locationData { cityName continentCode countryCode countryName postalCode regionName timezone
                latitude longitude }
            lastSeenAt lastRepliedAt lastContactedAt lastEmailOpenedAt lastEmailClickedAt
            lastRequestAt lastSeenIp userAgentData createdAt updatedAt remoteCreatedAt signedUpAt
            sessionCount ownerId unsubscribedFromEmails markedEmailAsSpam hasHardBounced
            enabledPushMessaging languageOverride browser browserVersion browserLanguage os
            androidAppName androidAppVersion androidDevice androidOsVersion androidSdkVersion
            androidLastSeenAt iosAppName iosAppVersion iosDevice iosOsVersion iosSdkVersion iosLastSeenAt
            doNotTrack referrer utmCampaign utmContent utmMedium utmSource utmTerm
            socialProfiles { name id username url } tags { id name } segments { id name } customAttributes }
        ... on UsertourUser { id attributes createdAt
            groups: companies { id attributes createdAt }
            memberships { id attributes createdAt companyId userId company { id attributes createdAt } } } }";

/// The one user of an address, whose other fields are asked for by name.
async fn user(world: &World, subject: Subject, email: &str, fields: &str) -> Value {
    let find = format!(
        "query ($of: Provider!, $email: String!) {{
            usersByEmail(email: $email, providers: [$of]) {{ nodes {{ {fields} }} }} }}"
    );
    let variables = json!({ "of": subject.word(), "email": email });
    let mut data = world.data_with(&find, variables).await;
    let nodes = data["usersByEmail"]["nodes"].take();
    assert_eq!(nodes.as_array().map(Vec::len), Some(1), "{email}");
    nodes[0].clone()
}

pub(super) async fn raw_is_the_record_as_the_provider_holds_it(subject: Subject) {
    let world = subject.world(60).await;
    let list =
        "query ($of: Provider!) { users(provider: $of, first: 60) { nodes { remoteId raw } } }";

    let data = world.data_with(list, json!({ "of": subject.word() })).await;

    let users = data["users"]["nodes"].as_array().expect("users");
    assert_eq!(users.len(), world.listed(subject.provider()).await.len());
    let plain = |user: &&Value| {
        let id = user["remoteId"].as_str().unwrap_or_default();
        id.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    for user in users.iter().filter(plain) {
        let id = user["remoteId"].as_str().expect("an id");
        let path = match subject {
            Subject::IntercomUsers { .. } => format!("/users/{id}"),
            Subject::IntercomContacts { .. } => format!("/contacts/{id}"),
            Subject::Ada | Subject::DigitalChalk | Subject::Usertour | Subject::UsertourV2 => {
                format!("/{id}")
            }
        };
        assert_eq!(
            user["raw"],
            world.at_provider(subject.provider(), &path).await,
            "{id}"
        );
    }
}

pub(super) async fn attributes_keep_numbers_beyond_doubles(subject: Subject) {
    let world = subject.world(USERS).await;

    let user = user(&world, subject, known::BIG_NUMBER, "attributes raw").await;

    let attributes = &user["attributes"];
    match subject {
        Subject::Ada | Subject::IntercomUsers { .. } | Subject::IntercomContacts { .. } => {
            let expected = json!({
                "account": 9_007_199_254_740_993_i64,
                "largest": 9_223_372_036_854_775_807_i64,
                "visits": 4_294_967_296_i64,
            });
            assert_eq!(*attributes, expected);
        }
        // It names them by the ids of its fields.
        Subject::DigitalChalk => {
            let values = attributes.as_object().expect("values");
            let values: Vec<_> = values.values().filter_map(Value::as_i64).collect();
            let expected = [9_007_199_254_740_993, i64::MAX, 4_294_967_296];
            assert_eq!(values, expected);
        }
        // The provider itself rounds to a double.
        Subject::Usertour | Subject::UsertourV2 => {
            assert_eq!(attributes["account"], json!(9_007_199_254_740_992_i64));
            assert_eq!(*attributes, user["raw"]["attributes"]);
        }
    }
}

pub(super) async fn a_record_of_nobody_in_particular_has_nulls_and_no_empty_texts(
    subject: Subject,
) {
    // Intercom's tags are a call for each contact.
    let every_call = |settings: &mut Settings| settings.limits.calls = 1_000;
    let world = subject.world_with(USERS, every_call).await;
    let list = format!(
        "query ($of: Provider!) {{ users(provider: $of, first: 300) {{ nodes {{ remoteId externalId {FIELDS} }} }} }}"
    );
    let data = world
        .data_with(&list, json!({ "of": subject.word() }))
        .await;
    let users = data["users"]["nodes"].as_array().expect("users");
    for user in users {
        assert_eq!(empty_texts("user", user), Vec::<String>::new());
    }

    let is_empty = |user: &&Value| match subject {
        // It keeps no external ids: there is one record with neither address nor name.
        Subject::DigitalChalk => user["email"].is_null() && user["name"].is_null(),
        _ => user["externalId"] == known::EMPTY_EXTERNAL_ID,
    };
    let empty: Vec<_> = users.iter().filter(is_empty).collect();
    assert_eq!(empty.len(), 1);
    assert_eq!(empty[0]["emails"], json!([]));
    for field in [
        "email",
        "phone",
        "profileUrl",
        "name",
        "firstName",
        "lastName",
        "username",
        "avatarUrl",
        "locale",
        "timezone",
    ] {
        assert_eq!(empty[0][field], Value::Null, "{field}");
    }
    assert_eq!(empty[0]["kind"], "USER");
    let none_or_no_such_thing = |can: bool| if can { json!([]) } else { Value::Null };
    let has_tags = subject.expected().has_tags;
    let has_companies = subject.expected().has_companies;
    assert_eq!(empty[0]["tags"], none_or_no_such_thing(has_tags));
    assert_eq!(empty[0]["companies"], none_or_no_such_thing(has_companies));
}

fn empty_texts(path: &str, value: &Value) -> Vec<String> {
    let below = |at: &str, value: &Value| empty_texts(&format!("{path}.{at}"), value);
    match value {
        Value::String(text) if text.is_empty() => vec![path.to_owned()],
        Value::Array(items) => items.iter().flat_map(|item| below("[]", item)).collect(),
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, value)| below(name, value))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

pub(super) async fn a_known_record_is_complete_in_every_field(subject: Subject) {
    let world = subject.world(USERS).await;

    let user = user(&world, subject, known::EVERYWHERE, FIELDS).await;

    let expected = match subject {
        Subject::Ada => ada(),
        Subject::DigitalChalk => digital_chalk(),
        Subject::IntercomUsers { .. } => intercom::user(),
        Subject::IntercomContacts { .. } => intercom::contact(),
        Subject::Usertour => usertour(&json!({
            "companyId": "cm00000148mmkv4fkhbb6s0ls", "userId": "cm0000013wncjikqnc1i70exv",
        })),
        Subject::UsertourV2 => usertour(&json!({ "companyId": "c-1", "userId": "crm-ann" })),
    };
    assert_eq!(user, expected);
}

fn ada() -> Value {
    let metadata = json!({ "plan": "gold", "seats": 17, "beta": true, "job title": "pilot" });
    json!({
        "email": "ann@x.test", "emails": ["ann@x.test"], "phone": null, "signedUpAt": null,
        "profileUrl": null, "name": "Ann Archer", "firstName": "Ann", "lastName": "Archer",
        "username": null, "avatarUrl": "https://pictures.example/ann.png", "locale": "en-GB",
        "timezone": null, "kind": "USER", "tags": null, "companies": null,
        "createdAt": "2023-11-14T22:13:20Z", "updatedAt": "2023-11-14T22:13:20Z", "lastSeenAt": null,
        "attributes": metadata,
        "details": {
            "__typename": "AdaEndUser", "endUserId": "6a10c0ffee00000000000001", "externalId": "crm-ann",
            "createdAt": "2023-11-14T22:13:20Z", "updatedAt": "2023-11-14T22:13:20Z",
            "profile": {
                "firstName": "Ann", "lastName": "Archer", "displayName": null,
                "avatar": "https://pictures.example/ann.png", "email": "ann@x.test", "language": "en-GB",
                "metadata": metadata, "systemProperties": { "sunshine_user_id": null },
            },
        },
    })
}

fn digital_chalk() -> Value {
    json!({
        "email": "ann@x.test", "emails": ["ann@x.test"], "phone": null, "signedUpAt": null,
        "profileUrl": null, "name": "Ann Archer", "firstName": "Ann", "lastName": "Archer",
        "username": "ann", "avatarUrl": null, "locale": "en", "timezone": null, "kind": "USER",
        "tags": ["known", "vip"], "companies": null,
        "createdAt": "2023-11-14T22:13:20Z", "updatedAt": null, "lastSeenAt": "2025-02-19T21:20:00Z",
        "attributes": {
            "ff80818190bb00010190bb0000000000": "+44 20 7946 0001",
            "ff80818190bb00010190bb0000000005": "gold", "ff80818190bb00010190bb0000000006": 17,
            "ff80818190bb00010190bb0000000007": true, "ff80818190bb00010190bb0000000008": "pilot",
        },
        "details": {
            "__typename": "DigitalChalkUser", "id": "ff80818190aa00010190aa0000000001",
            "firstName": "Ann", "lastName": "Archer", "username": "ann", "email": "ann@x.test",
            "locale": "en", "labels": ["known", "vip"],
            "createdDate": "2023-11-14T22:13:20Z", "lastLoginDate": "2025-02-19T21:20:00Z",
        },
    })
}

/// The record at Usertour, with the ids that a membership shows.
fn usertour(ids: &Value) -> Value {
    let attributes = json!({
        "name": "Ann Archer", "email": "ann@x.test", "locale": "en-GB", "plan": "gold", "seats": 17,
        "beta": true, "job title": "pilot", "first_seen_at": "2023-11-14T22:13:20.006Z",
        "last_seen_at": "2025-02-19T21:20:00.006Z",
    });
    let made = "2023-11-14T22:13:20Z";
    let company =
        json!({ "id": "c-1", "attributes": { "name": "Harbour Goods" }, "createdAt": made });
    json!({
        "email": "ann@x.test", "emails": ["ann@x.test"], "phone": null, "signedUpAt": null,
        "profileUrl": null, "name": "Ann Archer", "firstName": null, "lastName": null,
        "username": null, "avatarUrl": null, "locale": null, "timezone": null, "kind": "USER",
        "tags": null, "companies": [{ "remoteId": null, "externalId": "c-1", "name": "Harbour Goods" }],
        "createdAt": made, "updatedAt": null, "lastSeenAt": "2025-02-19T21:20:00.006Z",
        "attributes": attributes,
        "details": {
            "__typename": "UsertourUser", "id": "crm-ann", "attributes": attributes, "createdAt": made,
            "groups": [company],
            "memberships": [{
                "id": "cm0000015r9ivp661b1c2mf5u", "attributes": { "role": "owner" }, "createdAt": made,
                "companyId": ids["companyId"], "userId": ids["userId"], "company": company,
            }],
        },
    })
}
