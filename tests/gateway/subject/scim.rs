//! SCIM 2.0.

use roster::account::Provider;
use serde_json::{Value, json};

use super::{Expected, ExpectedCalls, Paging, assert_exact_numbers};

/// The schema under which the sandbox keeps custom fields.
const CUSTOM: &str = "urn:example:sandbox:2.0:User";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

pub(super) const EXPECTED: Expected = Expected {
    provider: Provider::Scim,
    graph_name: "SCIM",
    title: "SCIM",
    users_path: || "/Users".to_owned(),
    page: 100,
    is_counted: true,
    leads: 0,
    has_tags: true,
    has_companies: false,
    has_external_ids: true,
    compares_case: false,
    finds_position_101: false,
    compares_days: false,
    sort: |_| {},
    name_field: "name",
    attributes_cost_a_call: false,
    paging: Paging::Row,
    calls: ExpectedCalls {
        email_among_200: 1,
        email: 1,
        // Both spellings are asked for in one call.
        other_case: 1,
        position_101: 1,
        three_emails: 1,
        two_unknown_ids: 2,
        three_ids: 3,
        company_lookup: 0,
        segment_lookup: 0,
    },
    list_calls,
    capabilities,
    shapes: &[
        ("items_per_page", "absent"),
        ("media", "json"),
        ("start_index", "absent"),
        ("start_index", "one"),
        ("total_results", "string"),
    ],
    details: DETAILS,
    record,
    assert_big_numbers: |user| {
        assert_exact_numbers(&json!({ "attributes": user["attributes"][CUSTOM] }));
    },
};

/// How many calls return `rows` rows behind the first `from`: every page but the list's first starts with the
/// last user of the page before.
fn list_calls(from: usize, rows: usize) -> usize {
    let first = 100 - usize::from(from > 0);
    usize::from(rows > 0) + rows.saturating_sub(first).div_ceil(99)
}

fn capabilities() -> Value {
    json!({
        "filters": ["EMAIL", "CREATED_SINCE", "CREATED_BEFORE", "UPDATED_SINCE", "UPDATED_BEFORE"],
        "sorts": ["CREATED_AT", "UPDATED_AT"], "pageSize": 100, "pagesBackwards": true, "reach": null,
        "externalId": true, "emailSearch": "EXACT", "emailMatches": ["EXACT"], "emailCaveat": null,
        "nativeUpsert": false,
        "writes": [
            "externalId", "email", "name", "firstName", "lastName", "username", "phone", "avatarUrl",
            "locale", "attributes",
        ],
    })
}

const DETAILS: &str = "... on ScimUser { schemas id externalId userName
        nameParts: name { formatted familyName givenName middleName honorificPrefix honorificSuffix }
        displayName nickName profileUrl title userType preferredLanguage locale timezone active
        mail: emails { value display type primary } phones: phoneNumbers { value display type primary }
        ims { value display type primary } photos { value display type primary }
        postal: addresses { formatted streetAddress locality region postalCode country type primary }
        memberOf: groups { value display type }
        entitlements { value display type primary } roles { value display type primary }
        x509Certificates { value display type primary }
        enterprise { employeeNumber costCenter organization division department
            manager { value displayName reference } }
        meta { resourceType created lastModified } }";

/// One of several values, with what it is for.
fn value(value: &str, kind: &str) -> Value {
    json!({ "value": value, "display": null, "type": kind, "primary": null })
}

fn details() -> Value {
    let made = "2023-11-14T22:13:20Z";
    let group = |id: &str, name: &str| json!({ "value": id, "display": name, "type": "direct" });
    let groups = [
        group("e9e30dba-f08f-4109-8486-000000000001", "known"),
        group("e9e30dba-f08f-4109-8486-000000000002", "vip"),
    ];
    let mail = json!([
        { "value": "ann@x.test", "display": null, "type": "work", "primary": true },
        value("ann@home.test", "home"),
    ]);
    json!({
        "__typename": "ScimUser",
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE, CUSTOM],
        "id": "2819c223-7f76-453a-919d-000000000001", "externalId": "crm-ann", "userName": "ann@x.test",
        "nameParts": {
            "formatted": "Ann Archer", "familyName": "Archer", "givenName": "Ann",
            "middleName": null, "honorificPrefix": null, "honorificSuffix": null,
        },
        "displayName": "Ann Archer", "nickName": "Annie", "profileUrl": "https://people.example/ann",
        "title": "Pilot", "userType": "Employee", "preferredLanguage": "en", "locale": "en-GB",
        "timezone": "Europe/London", "active": true,
        "mail": mail,
        "phones": [value("+44 20 7946 0001", "work")],
        "ims": [value("ann.archer", "xmpp")],
        "photos": [value("https://pictures.example/ann.png", "photo")],
        "postal": [{
            "formatted": "1 Quay Street\nLondon E1 6AN\nUK", "streetAddress": "1 Quay Street",
            "locality": "London", "region": "London", "postalCode": "E1 6AN", "country": "GB",
            "type": "work", "primary": true,
        }],
        "memberOf": groups,
        "entitlements": [{ "value": "parking", "display": "Parking", "type": null, "primary": null }],
        "roles": [{ "value": "Active", "display": null, "type": null, "primary": null }],
        "x509Certificates": [{
            "value": "MIIDQzCCAqygAwIBAgICEAAwDQYJKoZIhvcNAQEFBQAw", "display": null, "type": null,
            "primary": null,
        }],
        "enterprise": {
            "employeeNumber": "701984", "costCenter": "4130", "organization": "Harbour Goods",
            "division": "Ferries", "department": "Sales",
            "manager": {
                "value": "2819c223-7f76-453a-919d-000000000002", "displayName": "Joann Known",
                "reference": null,
            },
        },
        "meta": { "resourceType": "User", "created": made, "lastModified": made },
    })
}

fn record() -> Value {
    let made = "2023-11-14T22:13:20Z";
    let attributes = json!({
        ENTERPRISE: {
            "employeeNumber": "701984", "costCenter": "4130", "organization": "Harbour Goods",
            "division": "Ferries", "department": "Sales",
            "manager": {
                "value": "2819c223-7f76-453a-919d-000000000002", "displayName": "Joann Known",
            },
        },
        CUSTOM: { "plan": "gold", "seats": 17, "beta": true, "job title": "pilot" },
    });
    json!({
        "email": "ann@x.test", "emails": ["ann@x.test", "ann@home.test"], "phone": "+44 20 7946 0001",
        "name": "Ann Archer", "firstName": "Ann", "lastName": "Archer", "username": "ann@x.test",
        "avatarUrl": "https://pictures.example/ann.png", "locale": "en-GB",
        "timezone": "Europe/London", "kind": "USER", "tags": ["known", "vip"], "companies": null,
        "createdAt": made, "updatedAt": made, "signedUpAt": null, "lastSeenAt": null,
        "profileUrl": "https://people.example/ann",
        "attributes": attributes,
        "details": details(),
    })
}
