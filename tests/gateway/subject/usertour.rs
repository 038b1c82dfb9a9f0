//! Usertour, in both versions.

use roster::account::Provider;
use roster_sandbox::known;
use serde_json::{Value, json};

use super::{Expected, ExpectedCalls, Paging};

pub(super) const V1: Expected = Expected {
    provider: Provider::Usertour,
    graph_name: "USERTOUR",
    title: "Usertour",
    users_path: || "/v1/users".to_owned(),
    page: 100,
    is_counted: false,
    leads: 0,
    has_tags: false,
    has_companies: true,
    has_external_ids: true,
    compares_case: true,
    finds_position_101: false,
    compares_days: false,
    sort: |_| {},
    name_field: "name",
    attributes_cost_a_call: false,
    paging: Paging::Token,
    calls: ExpectedCalls {
        email_among_200: 1,
        email: 1,
        // Each spelling takes a call.
        other_case: 2,
        position_101: 1,
        three_emails: 3,
        two_unknown_ids: 2,
        three_ids: 3,
        company_lookup: 0,
        // Whether a segment leaves anybody out takes two.
        segment_lookup: 2,
    },
    list_calls: |_, rows| rows.div_ceil(100),
    capabilities: v1_capabilities,
    shapes: &[("cursor", "slow")],
    details: DETAILS,
    record: v1_record,
    assert_big_numbers: assert_rounded_numbers,
};

pub(super) const V2: Expected = Expected {
    users_path: || {
        let (project, environment) = (known::USERTOUR_PROJECT, known::USERTOUR_ENVIRONMENT);
        format!("/v2/projects/{project}/environments/{environment}/users")
    },
    calls: ExpectedCalls {
        // The provider itself says that there is no such segment.
        segment_lookup: 0,
        ..V1.calls
    },
    capabilities: v2_capabilities,
    record: v2_record,
    ..V1
};

const CAVEAT: &str = "Usertour compares letter case: records that spell the address in other letter case may be missing";

fn v1_capabilities() -> Value {
    json!({
        "filters": ["EMAIL", "SEGMENT_ID", "COMPANY_ID"], "sorts": ["CREATED_AT"], "pageSize": 100,
        "pagesBackwards": false, "reach": null,
        "externalId": true, "emailSearch": "BY_CASE", "emailMatches": ["EXACT"],
        "emailCaveat": CAVEAT, "nativeUpsert": true,
        "writes": ["externalId", "email", "name", "companies", "attributes"],
    })
}

fn v2_capabilities() -> Value {
    json!({
        "filters": ["EMAIL", "SEGMENT_ID", "COMPANY_ID", "CREATED_SINCE", "CREATED_BEFORE"],
        "sorts": ["CREATED_AT"], "pageSize": 100, "pagesBackwards": false, "reach": null,
        "externalId": true, "emailSearch": "BY_CASE", "emailMatches": ["EXACT"],
        "emailCaveat": CAVEAT, "nativeUpsert": true,
        "writes": ["externalId", "email", "name", "attributes"],
    })
}

const DETAILS: &str = "... on UsertourUser { id attributes createdAt
        groups: companies { id attributes createdAt }
        memberships { id attributes createdAt companyId userId company { id attributes createdAt } } }";

/// Usertour itself rounds to a double.
fn assert_rounded_numbers(user: &Value) {
    let attributes = &user["attributes"];
    assert_eq!(attributes["account"], json!(9_007_199_254_740_992_i64));
    assert_eq!(*attributes, user["raw"]["attributes"]);
}

fn v1_record() -> Value {
    let ids = json!({
        "companyId": "cm00000148mmkv4fkhbb6s0ls", "userId": "cm0000013wncjikqnc1i70exv",
    });
    record(&ids)
}

fn v2_record() -> Value {
    record(&json!({ "companyId": "c-1", "userId": "crm-ann" }))
}

/// The record, with the ids that a membership shows.
fn record(ids: &Value) -> Value {
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
