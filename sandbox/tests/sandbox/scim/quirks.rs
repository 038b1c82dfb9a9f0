//! What the switches of the behaviour change.

use serde_json::{Value, json};

use super::filters::query;
use super::{USERS, all_ids, created, draft, ids, refusal, sandbox};

#[tokio::test]
async fn a_cap_bounds_a_page() {
    let sandbox = sandbox(30);
    sandbox.set_switch("scim", "cap", "5").await;
    let page = sandbox.get(&format!("{USERS}?count=20&startIndex=4")).await;
    assert_eq!(ids(&page.json()), all_ids(&sandbox).await[3..8]);
}

#[tokio::test]
async fn a_filter_is_ignored_or_refused() {
    let sandbox = sandbox(30);
    sandbox.set_switch("scim", "filter", "ignored").await;
    for filter in [r#"userName eq "nobody""#, "no filter"] {
        let page = sandbox.get(&query(filter)).await;
        assert_eq!(ids(&page.json()), all_ids(&sandbox).await, "{filter}");
    }
    sandbox.set_switch("scim", "filter", "unsupported").await;
    let reply = sandbox.get(&query("title pr")).await;
    assert_eq!(refusal(&reply), (501, Value::Null));
}

#[tokio::test]
async fn a_list_may_lack_its_numbers_or_have_wrong_ones() {
    let sandbox = sandbox(30);
    let numbers = async || {
        let page = sandbox
            .get(&format!("{USERS}?startIndex=11&count=5"))
            .await
            .json();
        let number = |name: &str| page[name].clone();
        let first = all_ids(&sandbox)
            .await
            .iter()
            .position(|id| *id == ids(&page)[0]);
        (
            ["totalResults", "startIndex", "itemsPerPage"].map(number),
            first,
        )
    };
    let (total, start, size) = (json!(30), json!(11), json!(5));
    for (switch, value, expected, first) in [
        ("media", "json", [&total, &start, &size], 10),
        ("total_results", "absent", [&Value::Null, &start, &size], 10),
        ("total_results", "string", [&json!("30"), &start, &size], 10),
        (
            "items_per_page",
            "absent",
            [&json!("30"), &start, &Value::Null],
            10,
        ),
        (
            "start_index",
            "absent",
            [&json!("30"), &Value::Null, &Value::Null],
            10,
        ),
        (
            "start_index",
            "one",
            [&json!("30"), &json!(1), &Value::Null],
            10,
        ),
        (
            "start_index",
            "ignored",
            [&json!("30"), &json!(1), &Value::Null],
            0,
        ),
    ] {
        sandbox.set_switch("scim", switch, value).await;
        let expected = expected.map(Value::clone);
        assert_eq!(numbers().await, (expected, Some(first)), "{switch}={value}");
    }
}

#[tokio::test]
async fn every_page_or_the_list_is_one_short() {
    let sandbox = sandbox(30);
    let page = async |query: &str| ids(&sandbox.get(&format!("{USERS}?{query}")).await.json());
    let all = all_ids(&sandbox).await;

    sandbox.set_switch("scim", "short", "pages").await;
    assert_eq!(page("count=10").await, all[..9]);
    assert_eq!(page("count=10&startIndex=10").await, all[9..18]);
    assert_eq!(page("count=1&startIndex=10").await, all[9..10]);

    sandbox.set_switch("scim", "short", "last").await;
    assert_eq!(page("count=10").await, all[..10]);
    assert_eq!(page("count=10&startIndex=21").await, all[20..29]);
}

#[tokio::test]
async fn a_long_chain_is_refused() {
    let sandbox = sandbox(10);
    sandbox.set_switch("scim", "or_limit", "3").await;
    let part = r#"userName eq "a""#;
    let get = async |parts: usize| {
        sandbox
            .get(&query(&[part].repeat(parts).join(" or ")))
            .await
    };
    assert_eq!(get(3).await.status.as_u16(), 200);
    assert_eq!(refusal(&get(4).await), (400, json!("tooMany")));
    sandbox.set_switch("scim", "or_refusal", "413").await;
    assert_eq!(refusal(&get(4).await), (413, json!("tooMany")));
}

#[tokio::test]
async fn addresses_are_compared_with_their_letter_case() {
    let sandbox = sandbox(0);
    created(&sandbox, "Al", json!({"emails": [{"value": "Al@x.test"}]})).await;
    sandbox.set_switch("scim", "emails", "case_exact").await;
    for (filter, number) in [
        (r#"emails.value eq "al@x.test""#, 0),
        (r#"emails[value eq "al@x.test"]"#, 0),
        (r#"emails eq "al@x.test""#, 0),
        (r#"emails.value eq "Al@x.test""#, 1),
        (r#"userName eq "al""#, 1),
    ] {
        let page = sandbox.get(&query(filter)).await.json();
        assert_eq!(ids(&page).len(), number, "{filter}");
    }
}

#[tokio::test]
async fn there_may_be_no_versions() {
    let sandbox = sandbox(1);
    let user = created(&sandbox, "a", json!({})).await;
    sandbox.set_switch("scim", "etag", "off").await;
    let stale = sandbox.header("if-match", "W/\"9\"");
    let reply = stale.put(&user, draft("a", json!({"title": "T"}))).await;
    assert_eq!(reply.at("/meta/version"), (200, Value::Null));
    assert_eq!(reply.header("etag"), None);
}

#[tokio::test]
async fn a_patch_is_not_there_or_answers_nothing() {
    let sandbox = sandbox(1);
    let user = created(&sandbox, "a", json!({})).await;
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": "add", "path": "title", "value": "T"}],
    });
    let json = sandbox.header("content-type", "application/scim+json");
    let patch = async || json.send("PATCH", &user, body.to_string()).await;

    sandbox.set_switch("scim", "patch", "off").await;
    assert_eq!(refusal(&patch().await), (501, Value::Null));
    sandbox.set_switch("scim", "patch", "no_content").await;
    let reply = patch().await;
    assert_eq!((reply.status.as_u16(), reply.text.as_str()), (204, ""));
    assert_eq!(reply.header("etag"), Some("W/\"2\""));
}

#[tokio::test]
async fn user_names_may_be_words() {
    let sandbox = sandbox(1);
    sandbox.set_switch("scim", "user_name", "handle").await;
    let page = sandbox.get(&query(r#"userName eq "ann""#)).await;
    assert_eq!(page.at("/Resources/0/userName"), (200, json!("ann")));
    let taken = sandbox.post(USERS, draft("ANN", json!({}))).await;
    assert_eq!(refusal(&taken), (409, json!("uniqueness")));
}

#[tokio::test]
async fn the_media_type_may_be_the_general_one() {
    let sandbox = sandbox(1);
    sandbox.set_switch("scim", "media", "json").await;
    let page = sandbox.get(USERS).await;
    assert_eq!(page.header("content-type"), Some("application/json"));
}
