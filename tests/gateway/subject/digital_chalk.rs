//! DigitalChalk.

use roster::account::Provider;
use serde_json::{Value, json};

use super::{Expected, ExpectedCalls, Paging};

pub(super) const EXPECTED: Expected = Expected {
    provider: Provider::DigitalChalk,
    graph_name: "DIGITAL_CHALK",
    title: "DigitalChalk",
    users_path: || "/users".to_owned(),
    page: 100,
    is_counted: false,
    leads: 0,
    has_tags: true,
    has_companies: false,
    has_external_ids: false,
    compares_case: false,
    finds_position_101: true,
    compares_days: false,
    sort: |_| {},
    name_field: "firstName",
    attributes_cost_a_call: true,
    paging: Paging::Row,
    calls: ExpectedCalls {
        email_among_200: 1,
        email: 1,
        other_case: 1,
        // The search finds parts of addresses: the second page has it.
        position_101: 2,
        three_emails: 3,
        two_unknown_ids: 2,
        three_ids: 3,
        company_lookup: 0,
        segment_lookup: 0,
    },
    list_calls,
    capabilities,
    shapes: &[
        ("empty", "null"),
        ("end", "null"),
        ("back", "previous"),
        ("links", "other_prefix"),
        ("empty", "empty_string"),
    ],
    details: DETAILS,
    record,
    assert_big_numbers,
};

/// How many calls return `rows` rows behind the first `from`: every page but the list's first starts with the
/// last user of the page before.
fn list_calls(from: usize, rows: usize) -> usize {
    let first = 100 - usize::from(from > 0);
    usize::from(rows > 0) + rows.saturating_sub(first).div_ceil(99)
}

fn capabilities() -> Value {
    json!({
        "filters": ["EMAIL"], "sorts": [], "pageSize": 100, "pagesBackwards": true, "reach": null,
        "externalId": false, "emailSearch": "EXACT", "emailMatches": ["EXACT", "PREFIX", "SUBSTRING"], "emailCaveat": null, "nativeUpsert": false,
        "writes": ["email", "firstName", "lastName", "username", "locale", "tags", "attributes"],
    })
}

const DETAILS: &str = "... on DigitalChalkUser { id firstName lastName username email locale labels: tags createdDate lastLoginDate }";

/// DigitalChalk names attributes by the ids of its fields.
fn assert_big_numbers(user: &Value) {
    let values = user["attributes"].as_object().expect("values");
    let values: Vec<_> = values.values().filter_map(Value::as_i64).collect();
    assert_eq!(values, [9_007_199_254_740_993, i64::MAX, 4_294_967_296]);
}

fn record() -> Value {
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
