//! The language of filters.

use roster_sandbox::known;
use serde_json::json;

use super::{ENTERPRISE, USERS, created, refusal, sandbox};
use crate::in_process::{Sandbox, column};

/// Filters, and the user names that they select among [`four`].
const SELECTIONS: &[(&str, &str)] = &[
    (r#"userName eq "bea""#, "Bea"),
    (r#"USERNAME EQ "BEA""#, "Bea"),
    (r#"userName ne "bea""#, "carl dora emil"),
    (r#"userName co "A""#, "Bea carl dora"),
    (r#"userName sw "d""#, "dora"),
    (r#"userName ew "L""#, "carl emil"),
    (r#"externalId eq "e-1""#, "carl"),
    (r#"externalId eq "E-1""#, "Bea"),
    (r#"title eq "Say \"hi\"""#, "Bea"),
    ("title pr", "Bea"),
    ("title eq null", "carl dora emil"),
    ("emails pr", "Bea carl"),
    ("not (emails pr)", "dora emil"),
    ("active eq true", "Bea"),
    ("active eq false", "carl"),
    (r#"emails.value eq "carl@work.test""#, "carl"),
    (r#"emails eq "carl@work.test""#, "carl"),
    (r#"emails.value ne "bea@work.test""#, "carl dora emil"),
    (r#"emails[type eq "work"]"#, "Bea"),
    (
        r#"emails[type eq "home" and value co "@work.test"]"#,
        "carl",
    ),
    (
        r#"emails.type eq "home" and emails.value co "@work.test""#,
        "Bea carl",
    ),
    (r#"name.familyName eq "DEE""#, "dora"),
    (
        r#"urn:ietf:params:scim:schemas:core:2.0:User:userName eq "dora""#,
        "dora",
    ),
    (
        r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "sales""#,
        "dora",
    ),
    (
        r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value eq "m-1""#,
        "dora",
    ),
    ("urn:example:sandbox:2.0:User:seats gt 16", "emil"),
    ("urn:example:sandbox:2.0:User:seats gt 17", ""),
    ("urn:example:sandbox:2.0:User:seats le 17", "emil"),
    (
        r#"meta.created gt "2020-01-01T00:00:00Z""#,
        "Bea carl dora emil",
    ),
    (r#"meta.created lt "2020-01-01T02:00:00+02:00""#, ""),
    (
        r#"meta.lastModified ge "2020-01-01T00:00:00.000Z""#,
        "Bea carl dora emil",
    ),
    (r#"userName ge "carl" and userName lt "emil""#, "carl dora"),
    (
        r#"userName eq "emil" or userName eq "bea" and active eq false"#,
        "emil",
    ),
    (
        r#"(userName eq "emil" or userName eq "bea") and active eq true"#,
        "Bea",
    ),
    (r#"not (userName eq "emil") and not (active pr)"#, "dora"),
    (r#"unheard pr"#, ""),
];

/// The encoded query of a filter.
pub(super) fn query(filter: &str) -> String {
    let escaped = filter.bytes().map(|byte| format!("%{byte:02x}"));
    format!("{USERS}?filter={}", escaped.collect::<String>())
}

/// The user names that a filter selects.
async fn names(sandbox: &Sandbox, filter: &str) -> Vec<String> {
    let reply = sandbox.get(&query(filter)).await;
    assert_eq!(reply.status.as_u16(), 200, "{filter}: {}", reply.text);
    column(&reply.json()["Resources"], "userName")
}

/// Four users who were not there before.
async fn four() -> Sandbox {
    let sandbox = sandbox(0);
    let users = [
        (
            "Bea",
            json!({"externalId": "E-1", "title": "Say \"hi\"", "active": true,
            "emails": [{"value": "bea@work.test", "type": "work"}, {"value": "bea@home.test", "type": "home"}]}),
        ),
        (
            "carl",
            json!({"externalId": "e-1", "active": false,
            "emails": [{"value": "Carl@Work.test", "type": "home"}]}),
        ),
        (
            "dora",
            json!({"name": {"givenName": "Dora", "familyName": "Dee"},
            ENTERPRISE: {"department": "Sales", "manager": {"value": "m-1"}}}),
        ),
        (
            "emil",
            json!({"userType": "Employee", "urn:example:sandbox:2.0:User": {"seats": 17}}),
        ),
    ];
    for (name, fields) in users {
        created(&sandbox, name, fields).await;
    }
    sandbox
}

#[tokio::test]
async fn filters_select_as_the_standard_says() {
    let sandbox = four().await;
    for (filter, expected) in SELECTIONS {
        let expected: Vec<&str> = expected.split_whitespace().collect();
        assert_eq!(names(&sandbox, filter).await, expected, "{filter}");
    }
}

#[tokio::test]
async fn what_is_no_filter_is_refused() {
    let sandbox = four().await;
    let deep = format!("{}title pr{}", "(".repeat(99), ")".repeat(99));
    for filter in [
        "",
        "userName",
        "userName eq",
        "userName eq bea",
        r#"userName eq "bea"#,
        r#"userName is "bea""#,
        r#"userName eq "bea" and"#,
        r#"userName eq "bea" title pr"#,
        r#"(userName eq "bea""#,
        r#"userName eq "bea")"#,
        r#"emails[type eq "work""#,
        r#"emails[emails[type pr]]"#,
        r#"urn:unheard:of:name eq "x""#,
        "active gt true",
        r#"meta.created gt "yesterday""#,
        "9a pr",
        &deep,
    ] {
        let reply = sandbox.get(&query(filter)).await;
        assert_eq!(refusal(&reply), (400, json!("invalidFilter")), "{filter}");
    }
}

#[tokio::test]
async fn known_people_are_found_by_any_of_their_addresses() {
    let sandbox = sandbox(200);
    let found = async |address: &str| {
        let filter = format!(r#"emails.value eq "{address}""#);
        let page = sandbox.get(&query(&filter)).await.json();
        column(&page["Resources"], "externalId")
    };
    assert_eq!(
        found(known::EVERYWHERE).await,
        [known::EVERYWHERE_EXTERNAL_ID]
    );
    assert_eq!(
        found("ANN@HOME.TEST").await,
        [known::EVERYWHERE_EXTERNAL_ID]
    );
    assert_eq!(found(known::SHARED).await.len(), 2);
    assert_eq!(found(known::UNICODE_LOCAL).await.len(), 1);
    assert_eq!(found(known::APOSTROPHE).await.len(), 1);
    assert_eq!(found(known::NOBODY).await.len(), 0);
}
