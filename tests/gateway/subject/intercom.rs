//! Intercom, in both of its APIs.

mod record;

use std::cmp::Reverse;

use roster::account::Provider;
use roster_sandbox::Person;
use serde_json::{Value, json};

use super::{Expected, ExpectedCalls, Paging, assert_exact_numbers};

/// Version 1.x.
pub(super) const USERS: Expected = Expected {
    provider: Provider::Intercom,
    graph_name: "INTERCOM",
    title: "Intercom",
    users_path: || "/users".to_owned(),
    page: 60,
    is_counted: true,
    leads: 0,
    has_tags: true,
    has_companies: true,
    has_external_ids: true,
    compares_case: false,
    finds_position_101: false,
    compares_days: true,
    sort: |people| people.reverse(),
    name_field: "name",
    attributes_cost_a_call: false,
    paging: Paging::Number,
    calls: ExpectedCalls {
        email_among_200: 1,
        email: 1,
        // Each spelling takes a call.
        other_case: 2,
        position_101: 1,
        three_emails: 3,
        // An id that is no user's may be a lead's, which takes another call.
        two_unknown_ids: 4,
        three_ids: 3,
        company_lookup: 0,
        segment_lookup: 0,
    },
    list_calls: numbered_pages,
    capabilities: user_capabilities,
    shapes: &[
        ("owner_id", "int"),
        ("avatar", "string"),
        ("next", "absent"),
        ("next", "same_host"),
        ("per_page", "reject"),
    ],
    details: DETAILS,
    record: record::user,
    assert_big_numbers: assert_exact_numbers,
};

/// Version 2.17.
pub(super) const CONTACTS: Expected = Expected {
    provider: Provider::Intercom,
    graph_name: "INTERCOM",
    title: "Intercom",
    users_path: || "/contacts".to_owned(),
    page: 150,
    is_counted: true,
    leads: 2,
    has_tags: true,
    has_companies: true,
    has_external_ids: true,
    compares_case: false,
    finds_position_101: false,
    compares_days: false,
    sort: sort_contacts,
    name_field: "name",
    attributes_cost_a_call: false,
    paging: Paging::Token,
    calls: ExpectedCalls {
        email_among_200: 1,
        email: 1,
        other_case: 1,
        position_101: 1,
        three_emails: 1,
        // One search for both, then a call for each id that it does not find.
        two_unknown_ids: 3,
        three_ids: 1,
        company_lookup: 1,
        segment_lookup: 0,
    },
    list_calls: |_, rows| rows.div_ceil(150),
    capabilities: contact_capabilities,
    shapes: &[
        ("owner_id", "int"),
        ("avatar", "object"),
        ("next", "null"),
        ("per_page", "reject"),
    ],
    details: DETAILS,
    record: record::contact,
    assert_big_numbers: assert_exact_numbers,
};

/// Version 2.x before 2.17.
pub(super) const CONTACTS_BY_DAYS: Expected = Expected {
    compares_days: true,
    ..CONTACTS
};

/// The latest comes first. Contacts of one second come in the order of their ids.
fn sort_contacts(people: &mut [Person]) {
    people.sort_by_key(|person| Reverse(person.created_at));
}

/// How many numbered pages of up to 60 users hold some rows, each of them the last user before as well.
fn numbered_pages(from: usize, rows: usize) -> usize {
    let (mut at, mut pages) = (from, 0);
    while at < from + rows {
        let before = at.saturating_sub(1);
        let ends = (1..=60).map(|size| (before / size + 1) * size);
        at = ends.max().expect("sizes");
        pages += 1;
    }
    pages
}

fn user_capabilities() -> Value {
    json!({
        "filters": ["EMAIL", "SEGMENT_ID", "COMPANY_ID", "TAG_ID", "CREATED_SINCE"],
        "sorts": ["CREATED_AT", "UPDATED_AT", "LAST_SEEN_AT", "SIGNED_UP_AT"],
        "pageSize": 60, "pagesBackwards": true, "reach": 10_000,
        "externalId": true, "emailSearch": "EXACT", "emailMatches": ["EXACT"], "emailCaveat": null, "nativeUpsert": true,
        "writes": ["externalId", "email", "name", "phone", "avatarUrl", "companies", "signedUpAt",
            "unsubscribedFromEmails", "attributes"],
    })
}

fn contact_capabilities() -> Value {
    json!({
        "filters": ["EMAIL", "SEGMENT_ID", "COMPANY_ID", "TAG_ID", "EMAIL_DOMAIN", "KIND",
            "CREATED_SINCE", "CREATED_BEFORE", "UPDATED_SINCE", "UPDATED_BEFORE",
            "LAST_SEEN_SINCE", "LAST_SEEN_BEFORE"],
        "sorts": ["CREATED_AT", "UPDATED_AT", "LAST_SEEN_AT", "SIGNED_UP_AT"],
        "pageSize": 150, "pagesBackwards": false, "reach": null,
        "externalId": true, "emailSearch": "EXACT", "emailMatches": ["EXACT"], "emailCaveat": null, "nativeUpsert": false,
        "writes": ["externalId", "email", "name", "phone", "avatarUrl", "companies", "signedUpAt",
            "unsubscribedFromEmails", "attributes"],
    })
}

const DETAILS: &str = "... on IntercomUser { id type role externalId userId email emailDomain phone formattedPhone name
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
        socialProfiles { name id username url } tags { id name } segments { id name } customAttributes }";
