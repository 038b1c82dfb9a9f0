//! An address that is there and cannot be read may be the one that is searched for: such a record is
//! reported by searches, and nobody is made in its place. Lists show the record without an address.

use serde_json::{Value, json};

use crate::{
    stand_in::{Asked, Said, StandIn, list, row},
    world::{intercom, notices},
};

const SEARCH: &str = "query ($p: Provider!) { usersByEmail(email: \"a@x.test\", providers: [$p]) {
    totalCount nodes { remoteId } sources { status notices { code message } error { code } } } }";
const LIST: &str = "query ($p: Provider!) { users(provider: $p, first: 5) {
    nodes { remoteId email } sources { status notices { code message } error { code } } } }";
const PERSON: &str = "{ person(email: \"a@x.test\") { email } }";

/// Values that are no text which could be an address.
const ODD: [&str; 9] = [
    r#"["a@x.test"]"#,
    r#"{"value":"a@x.test"}"#,
    "7",
    "true",
    "[]",
    r#""a@x.test","email":"b@x.test""#,
    r#""b@x.test","em\u0061il":"a@x.test""#,
    r#""a\ud83d@x.test""#,
    "\"a\u{1}~@x.test\"",
];

/// A provider whose only record has an address that cannot be read; `~` is a byte of Latin-1.
fn holding(email: &'static str) -> impl Fn(&Asked) -> Said {
    move |asked: &Asked| {
        let path = asked.path.as_str();
        let record = row(path, "a1", "EMAIL", "").replace("\"EMAIL\"", email);
        answer_with(asked, record)
    }
}

fn answer_with(asked: &Asked, record: String) -> Said {
    let path = asked.path.as_str();
    if asked.method == "POST" && !path.ends_with("/search") {
        return row(path, "made", "a@x.test", "").into();
    }
    let is_users = path.starts_with("/intercom") && path.ends_with("/users");
    let text = match is_users {
        true => format!(r#"{{"type":"user.list","users":[{record}],"total_count":1}}"#),
        false => list(path, &[record]),
    };
    let latin = text
        .bytes()
        .map(|byte| if byte == b'~' { 0xeb } else { byte });
    let latin: Vec<u8> = latin.collect();
    latin.into()
}

/// Each provider, Intercom at two versions.
const PROVIDERS: [(&str, &str); 5] = [
    ("ADA", "2.17"),
    ("DIGITAL_CHALK", "2.17"),
    ("INTERCOM", "2.17"),
    ("INTERCOM", "1.1"),
    ("USERTOUR", "2.17"),
];

fn is_told(users: &Value) -> bool {
    let source = &users["sources"][0];
    source["status"] == "PARTIAL" && notices(source).contains("cannot be read")
}

#[tokio::test]
async fn a_record_whose_address_cannot_be_read_is_reported_by_searches() {
    for odd in ODD {
        let providers = StandIn::of(holding(odd)).await;
        for (p, version) in PROVIDERS {
            let world = providers
                .world(|settings| intercom(settings, version))
                .await;
            let data = world.data_with(SEARCH, json!({ "p": p })).await;
            let users = &data["usersByEmail"];
            assert_eq!(users["nodes"], json!([]), "{odd} {p} {version}");
            assert!(is_told(users), "{odd} {p} {version}: {users}");
            assert_eq!(users["totalCount"], Value::Null, "{odd} {p} {version}");
        }
        let world = providers.world(|_| {}).await;
        let data = world.data(PERSON).await;
        assert_eq!(data["person"]["email"], "a@x.test", "{odd}");
    }
}

#[tokio::test]
async fn a_list_shows_a_record_whose_address_cannot_be_read_without_one() {
    for odd in ODD {
        let providers = StandIn::of(holding(odd)).await;
        for (p, version) in PROVIDERS {
            let world = providers
                .world(|settings| intercom(settings, version))
                .await;
            let data = world.data_with(LIST, json!({ "p": p })).await;
            let shown = json!([{ "remoteId": "a1", "email": null }]);
            assert_eq!(data["users"]["nodes"], shown, "{odd} {p} {version}");
            let status = &data["users"]["sources"][0]["status"];
            assert_eq!(status, "COMPLETE", "{odd} {p} {version} {data}");
        }
    }
}

#[tokio::test]
async fn no_user_is_created_while_a_record_has_an_unreadable_address() {
    for odd in ODD {
        let providers = StandIn::of(holding(odd)).await;
        for (p, version) in PROVIDERS {
            let world = providers
                .world(|settings| intercom(settings, version))
                .await;
            let field = match p {
                "DIGITAL_CHALK" => "firstName",
                _ => "name",
            };
            let write = format!(
                "mutation {{ upsertUser(input: {{ provider: {p}, email: \"a@x.test\", {field}: \"N\" }}) {{
                    outcome userErrors {{ field message code }} }} }}"
            );
            providers.take();
            let data = world.data(&write).await;
            let written = &data["upsertUser"];
            assert_eq!(written["outcome"], "SKIPPED", "{odd} {p} {version}");
            let asked = providers.take();
            let is_write =
                |asked: &Asked| asked.method != "GET" && !asked.path.ends_with("/search");
            assert!(
                !asked.iter().any(is_write),
                "{odd} {p} {version}: {asked:?}"
            );
            if p != "USERTOUR" {
                let error = &written["userErrors"][0];
                let field = json!(["input", "email"]);
                assert_eq!(error["field"], field, "{odd} {p} {version}");
                let message = error["message"].as_str().unwrap_or_default();
                assert!(message.contains("cannot be read"), "{message}");
            }
        }
    }
}

#[tokio::test]
async fn a_part_that_holds_the_address_and_cannot_be_read_is_reported_too() {
    for (p, record) in [
        ("ADA", r#"{"end_user_id":"a1","profile":"a@x.test"}"#),
        (
            "ADA",
            r#"{"end_user_id":"a1","profile":[{"email":"a@x.test"}]}"#,
        ),
        (
            "ADA",
            r#"{"end_user_id":"a1","profile":{"email":"a@x.test"},"profile":{}}"#,
        ),
        ("USERTOUR", r#"{"id":"a1","attributes":"a@x.test"}"#),
        (
            "USERTOUR",
            r#"{"id":"a1","attributes":{},"attributes":{"email":"a@x.test"}}"#,
        ),
    ] {
        let providers = StandIn::of(|asked: &Asked| answer_with(asked, record.to_owned())).await;
        let world = providers.world(|_| {}).await;
        let data = world.data_with(SEARCH, json!({ "p": p })).await;
        assert!(is_told(&data["usersByEmail"]), "{record}: {data}");
        let data = world.data_with(LIST, json!({ "p": p })).await;
        let shown = json!([{ "remoteId": "a1", "email": null }]);
        assert_eq!(data["users"]["nodes"], shown, "{record}");
    }
}

#[tokio::test]
async fn a_record_without_an_address_matches_no_search() {
    for email in [
        "null",
        "\"\"",
        "\" \"",
        "{}",
        "\"b\"",
        "null,\"email\":null",
    ] {
        let providers = StandIn::of(holding(email)).await;
        for (p, version) in PROVIDERS {
            let world = providers
                .world(|settings| intercom(settings, version))
                .await;
            let data = world.data_with(SEARCH, json!({ "p": p })).await;
            let users = &data["usersByEmail"];
            assert!(!is_told(users), "{email} {p} {version}: {users}");
            assert_eq!(users["nodes"], json!([]), "{email} {p} {version}");
        }
    }
}

#[tokio::test]
async fn a_user_with_an_external_id_that_cannot_be_read_may_be_the_one_that_is_meant() {
    for id in [
        r#"["mine"]"#,
        r#""mine","external_id":"other""#,
        r#""mi\ud83dne""#,
    ] {
        let providers = StandIn::of(move |asked: &Asked| {
            let more = format!(r#","external_id":{id}"#);
            answer_with(asked, row(&asked.path, "a1", "b@x.test", &more))
        })
        .await;
        // Before 2.13 users are found by external id through a search.
        let world = providers.world(|settings| intercom(settings, "2.7")).await;
        let find = "{ user(provider: INTERCOM, by: { externalId: \"mine\" }) { remoteId } }";
        let answer = world.answer(find).await;
        let code = &answer["errors"][0]["extensions"]["code"];
        assert_eq!(code, "PROVIDER_BAD_RESPONSE", "{id}");

        let write = "mutation { upsertUser(input: {
            provider: INTERCOM, externalId: \"mine\", name: \"N\" }) { outcome } }";
        providers.take();
        let data = world.data(write).await;
        assert_eq!(data["upsertUser"]["outcome"], "SKIPPED", "{id}");
        let asked = providers.take();
        assert!(
            asked.iter().all(|asked| asked.path.ends_with("/search")),
            "{asked:?}"
        );
    }
}

#[tokio::test]
async fn a_record_that_may_have_the_requested_domain_is_reported() {
    let query = "{ users(provider: INTERCOM, first: 5, filter: { emailDomain: \"x.test\" }) {
        totalCount nodes { remoteId } sources { status notices { code message } } } }";
    for odd in ODD {
        let providers = StandIn::of(holding(odd)).await;
        let world = providers.world(|_| {}).await;

        let data = world.data(query).await;

        let users = &data["users"];
        assert_eq!(users["nodes"], json!([]), "{odd}");
        assert!(is_told(users), "{odd}: {users}");
        assert_eq!(users["totalCount"], Value::Null, "{odd}");
    }
}
