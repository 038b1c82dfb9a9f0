//! One spelling of an address that the provider refuses: nobody can have a spelling that it calls
//! invalid, and every other refusal leaves open who has it.

use serde_json::{Value, json};

use crate::{
    stand_in::{Asked, Said, StandIn, list, row},
    world::intercom,
};

const SEARCH: &str = "query ($e: String!, $p: Provider!) {
    usersByEmail(email: $e, providers: [$p]) { nodes { remoteId }
    sources { status error { code } } } }";
const LIST: &str = "query ($e: String!, $p: Provider!) {
    users(provider: $p, first: 5, filter: { email: $e }) { nodes { remoteId }
    sources { status error { code } } } }";

const COMPOSED: &str = "zo\u{eb}@x.test";
const DECOMPOSED: &str = "zoe\u{308}@x.test";

fn param<'a>(asked: &'a Asked, name: &str) -> &'a str {
    asked
        .query
        .get(name)
        .map(String::as_str)
        .unwrap_or_default()
}

/// The result of a search or a list: how many users, the status, and the error.
fn outcome(users: &Value) -> (usize, &str, Option<&str>) {
    let source = &users["sources"][0];
    let status = source["status"].as_str().unwrap_or_default();
    let nodes = users["nodes"].as_array().map_or(0, Vec::len);
    (nodes, status, source["error"]["code"].as_str())
}

#[tokio::test]
async fn users_that_were_read_are_kept_when_a_later_page_is_refused() {
    let providers = StandIn::of(|asked: &Asked| -> Said {
        match (param(asked, "offset"), param(asked, "email")) {
            ("0" | "", COMPOSED) => {
                let rows = [row(&asked.path, "a1", COMPOSED, "")];
                list(&asked.path, &rows)
                    .replace("null}", "\"more\"}")
                    .into()
            }
            ("0" | "", _) => list(&asked.path, &[]).into(),
            _ => (400, json!({ "errors": ["email: bad offset"] })).into(),
        }
    })
    .await;
    let world = providers.world(|_| {}).await;
    let variables = json!({ "e": COMPOSED, "p": "DIGITAL_CHALK" });

    for (query, field) in [(SEARCH, "usersByEmail"), (LIST, "users")] {
        let data = world.data_with(query, variables.clone()).await;
        let expected = (1, "PARTIAL", Some("PROVIDER_REJECTED"));
        assert_eq!(outcome(&data[field]), expected, "{field}");
    }

    providers.take();
    let write = "mutation ($e: String!) { upsertUser(input: {
        provider: DIGITAL_CHALK, email: $e, firstName: \"N\" }) { outcome } }";
    let data = world.data_with(write, json!({ "e": COMPOSED })).await;
    assert_eq!(data["upsertUser"]["outcome"], "SKIPPED");
    assert!(providers.take().iter().all(|asked| asked.method != "POST"));
}

#[tokio::test]
async fn an_address_of_several_users_is_not_unknown() {
    for version in ["1.0", "1.1"] {
        for status in [400, 409, 422] {
            let providers = StandIn::of(move |asked: &Asked| -> Said {
                let error = |status: u16, code, message| -> Said {
                    let errors = json!([{ "code": code, "message": message }]);
                    (status, json!({ "type": "error.list", "errors": errors })).into()
                };
                match param(asked, "email") {
                    "Dup@x.test" => error(status, "conflict", "Multiple users have this email"),
                    _ if version == "1.0" => error(404, "not_found", "User Not Found"),
                    _ => r#"{"type":"user.list","users":[],"total_count":0}"#.into(),
                }
            })
            .await;
            let world = providers
                .world(|settings| intercom(settings, version))
                .await;

            let variables = json!({ "e": "Dup@x.test", "p": "INTERCOM" });
            let data = world.data_with(SEARCH, variables).await;
            let expected = (0, "FAILED", Some("PROVIDER_REJECTED"));
            let found = outcome(&data["usersByEmail"]);
            assert_eq!(found, expected, "{version} {status}");
        }
    }
}

#[tokio::test]
async fn only_another_form_that_is_called_invalid_is_left_out() {
    let invalid = json!({ "fieldErrors": { "email": "Invalid email address" } });
    let other = json!({ "errors": ["too many requests of this kind"] });
    let shared = json!({ "errors": ["several users have this email"] });
    let rejected = Some("PROVIDER_REJECTED");
    for (refused, body, expected) in [
        (DECOMPOSED, &invalid, (1, "COMPLETE", None)),
        (DECOMPOSED, &other, (1, "PARTIAL", rejected)),
        (DECOMPOSED, &shared, (1, "PARTIAL", rejected)),
        (COMPOSED, &invalid, (1, "PARTIAL", rejected)),
    ] {
        let answer = body.clone();
        let providers = StandIn::of(move |asked: &Asked| -> Said {
            match param(asked, "email") {
                email if email == refused => (400, answer.clone()).into(),
                email => list(&asked.path, &[row(&asked.path, "a1", email, "")]).into(),
            }
        })
        .await;
        let world = providers.world(|_| {}).await;
        for (query, field) in [(SEARCH, "usersByEmail"), (LIST, "users")] {
            let variables = json!({ "e": COMPOSED, "p": "DIGITAL_CHALK" });
            let data = world.data_with(query, variables).await;
            assert_eq!(outcome(&data[field]), expected, "{field} {refused} {body}");
        }
    }
}
