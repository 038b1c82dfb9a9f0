//! Ada.

use roster::account::Provider;
use serde_json::{Value, json};

use super::{Expected, ExpectedCalls, Paging, assert_exact_numbers};
use crate::conformance::USERS;

/// A scan of Ada's list of the conformance suite, a hundred at a time.
const SCAN: usize = USERS.div_ceil(100);

pub(super) const EXPECTED: Expected = Expected {
    provider: Provider::Ada,
    graph_name: "ADA",
    title: "Ada",
    users_path: || "/v2/end-users".to_owned(),
    page: 100,
    is_counted: false,
    leads: 0,
    has_tags: false,
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
        email_among_200: 2,
        email: SCAN,
        other_case: SCAN,
        position_101: SCAN,
        three_emails: SCAN,
        two_unknown_ids: 2,
        three_ids: 3,
        company_lookup: 0,
        segment_lookup: 0,
    },
    list_calls,
    capabilities,
    shapes: &[
        ("unset", "omit"),
        ("unset", "empty_object"),
        ("dates", "naive_micro"),
        ("dates", "z"),
        ("cursor", "exclusive"),
        ("end", "absent"),
        ("next", "foreign_host"),
    ],
    details: DETAILS,
    record,
    assert_big_numbers: assert_exact_numbers,
};

/// How many calls return `rows` rows behind the first `from`: the first page starts with the user that its
/// cursor names.
fn list_calls(from: usize, rows: usize) -> usize {
    let first = 100 - usize::from(from > 0);
    usize::from(rows > 0) + rows.saturating_sub(first).div_ceil(100)
}

fn capabilities() -> Value {
    json!({
        "filters": [], "sorts": [], "pageSize": 100, "pagesBackwards": false, "reach": null,
        "externalId": true, "emailSearch": "SCAN", "emailMatches": ["EXACT"], "emailCaveat": null, "nativeUpsert": true,
        "writes": ["externalId", "email", "name", "firstName", "lastName", "avatarUrl", "locale", "attributes"],
    })
}

const DETAILS: &str = "... on AdaEndUser { endUserId externalId createdAt updatedAt profile {
        firstName lastName displayName avatar email language metadata systemProperties } }";

fn record() -> Value {
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
