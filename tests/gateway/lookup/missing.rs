//! A 404 says that there is nobody in the provider's own words only; a proxy's page says nothing.

use roster::account::Provider;
use serde_json::{Value, json};

use crate::{
    stand_in::{Asked, Said, StandIn, list, row},
    world::{FOUR, intercom, word},
};

const BY_ID: &str =
    "query ($p: Provider!) { user(provider: $p, by: { remoteId: \"a1\" }) { remoteId } }";
const OF_COMPANY: &str = "{ users(provider: INTERCOM, first: 5, filter: { companyId: \"c1\" }) {
    nodes { remoteId } } }";
const BY_EMAIL: &str = "{ usersByEmail(email: \"a@x.test\", providers: [INTERCOM]) {
    nodes { remoteId } sources { status error { code } } } }";

fn code(answer: &Value) -> &Value {
    &answer["errors"][0]["extensions"]["code"]
}

fn missing(body: &str) -> Said {
    Said {
        status: 404,
        ..body.into()
    }
}

#[tokio::test]
async fn a_404_of_another_server_is_a_bad_response() {
    for body in [
        "<html><h1>404 Not Found</h1>nginx</html>",
        r#"{"detail":"no Route matched"}"#,
    ] {
        let providers = StandIn::of(move |_: &Asked| missing(body)).await;
        for version in ["1.0", "1.1", "2.17"] {
            let world = providers
                .world(|settings| intercom(settings, version))
                .await;
            for provider in FOUR {
                let variables = json!({ "p": word(provider) });
                let answer = world.answer_with(BY_ID, variables).await;
                assert_eq!(
                    code(&answer),
                    "PROVIDER_BAD_RESPONSE",
                    "{provider:?} {version}"
                );
            }
            let answer = world.answer(OF_COMPANY).await;
            assert_eq!(code(&answer), "PROVIDER_BAD_RESPONSE", "{version}");
            let data = world.data(BY_EMAIL).await;
            let source = &data["usersByEmail"]["sources"][0];
            assert_eq!(source["status"], "FAILED", "{version}");
            assert_eq!(
                source["error"]["code"], "PROVIDER_BAD_RESPONSE",
                "{version}"
            );
        }
    }
}

#[tokio::test]
async fn a_404_in_the_providers_own_form_is_null() {
    for (provider, body) in [
        (
            Provider::Ada,
            r#"{"errors":[{"type":"not_found","message":"no","details":null}]}"#,
        ),
        (Provider::DigitalChalk, ""),
        (Provider::DigitalChalk, r#"{"errors":["Not found"]}"#),
        (
            Provider::Intercom,
            r#"{"type":"error.list","errors":[{"code":"not_found","message":"User Not Found"}]}"#,
        ),
        (
            Provider::Intercom,
            r#"{"type":"error.list","errors":[{"type":"not_found","message":"No such user"}]}"#,
        ),
        (
            Provider::Usertour,
            r#"{"error":{"code":"E1001","message":"User not found"}}"#,
        ),
    ] {
        let providers = StandIn::of(move |_: &Asked| missing(body)).await;
        let world = providers.world(|_| {}).await;
        let variables = json!({ "p": word(provider) });
        let data = world.data_with(BY_ID, variables).await;
        assert_eq!(data["user"], Value::Null, "{body}");
    }
}

#[tokio::test]
async fn a_company_counts_only_with_the_requested_id() {
    for (companies, expected) in [
        ("[null]", None),
        (r#"[{"id":"i1"}]"#, None),
        (r#"[{"id":"i1","company_id":["c1"]}]"#, None),
        (r#"[{"id":"i9","company_id":"other"}]"#, None),
        (r#"[null,{"id":"i1","company_id":"c1"}]"#, Some(1)),
        (r#"[{"id":"i9"},{"id":"i1","company_id":"c1"}]"#, Some(1)),
        ("[]", Some(0)),
    ] {
        let providers = StandIn::of(move |asked: &Asked| {
            let path = asked.path.as_str();
            match path.ends_with("/companies") {
                true => format!(r#"{{"type":"list","data":{companies}}}"#),
                false if path.contains("/i1/") => list(path, &[row(path, "a1", "a@x.test", "")]),
                false => list(path, &[]),
            }
        })
        .await;
        let world = providers.world(|_| {}).await;
        let answer = world.answer(OF_COMPANY).await;
        match expected {
            None => assert_eq!(code(&answer), "PROVIDER_BAD_RESPONSE", "{companies}"),
            Some(users) => {
                let nodes = answer["data"]["users"]["nodes"].as_array().map(Vec::len);
                assert_eq!(nodes, Some(users), "{companies} {answer}");
            }
        }
    }
}
