//! A page that is not all there: rows that are null, and answers that hold a part only.

use serde_json::{Value, json};

use crate::{
    stand_in::{Asked, Said, StandIn, list, row},
    world::{FOUR, word},
};

const LIST: &str = "query ($p: Provider!) { users(provider: $p, first: 5) { nodes { remoteId } } }";
const SEARCH: &str = "query ($p: Provider!) { usersByEmail(email: \"a@x.test\", providers: [$p]) {
    nodes { remoteId } sources { status error { code } } } }";

fn code(answer: &Value) -> &Value {
    &answer["errors"][0]["extensions"]["code"]
}

#[tokio::test]
async fn rows_that_are_null_are_no_empty_list() {
    let providers = StandIn::of(|_: &Asked| {
        r#"{"results":null,"next":null,"users":null,"data":null,"pages":{"next":null}}"#
    })
    .await;
    let world = providers.world(|_| {}).await;
    for p in ["DIGITAL_CHALK", "INTERCOM", "USERTOUR"] {
        let answer = world.answer_with(LIST, json!({ "p": p })).await;
        assert_eq!(code(&answer), "PROVIDER_BAD_RESPONSE", "{p}");
        let data = world.data_with(SEARCH, json!({ "p": p })).await;
        let source = &data["usersByEmail"]["sources"][0];
        assert_eq!(source["error"]["code"], "PROVIDER_BAD_RESPONSE", "{p}");
    }
    // Ada's older documents say that its list may be null.
    let data = world.data_with(LIST, json!({ "p": "ADA" })).await;
    assert_eq!(data["users"]["nodes"], json!([]));

    let write = "mutation { upsertUser(input: {
        provider: DIGITAL_CHALK, email: \"a@x.test\", firstName: \"N\" }) { outcome } }";
    providers.take();
    let data = world.data(write).await;
    assert_eq!(data["upsertUser"]["outcome"], "SKIPPED");
    assert!(providers.take().iter().all(|asked| asked.method == "GET"));
}

#[tokio::test]
async fn a_part_of_an_answer_is_not_the_answer() {
    let providers = StandIn::of(|asked: &Asked| {
        let path = asked.path.as_str();
        Said {
            status: 206,
            headers: vec![("content-range", "items 0-0/9".to_owned())],
            ..list(path, &[row(path, "a1", "a@x.test", "")]).into()
        }
    })
    .await;
    let world = providers.world(|_| {}).await;
    for provider in FOUR {
        let variables = json!({ "p": word(provider) });
        let answer = world.answer_with(LIST, variables.clone()).await;
        assert_eq!(code(&answer), "PROVIDER_BAD_RESPONSE", "{provider:?}");
        let data = world.data_with(SEARCH, variables).await;
        let source = &data["usersByEmail"]["sources"][0];
        assert_eq!(
            source["error"]["code"], "PROVIDER_BAD_RESPONSE",
            "{provider:?}"
        );
    }
}
