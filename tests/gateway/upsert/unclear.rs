//! A write that may mean several users writes nothing, and the answer says why.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use crate::{
    stand_in::{Asked, Said, StandIn, list, row},
    world::intercom,
};

fn writes(asked: &[Asked]) -> Vec<String> {
    let writes = asked.iter().filter(|asked| asked.method != "GET");
    writes
        .map(|asked| format!("{} {}", asked.method, asked.path))
        .collect()
}

#[tokio::test]
async fn intercom_1_x_creates_no_user_that_its_answer_may_hold() {
    let circle = |asked: &Asked| {
        let page = asked.query.get("page").cloned().unwrap_or_default();
        format!(
            r#"{{"type":"user.list","users":[{{"id":"n{page}","email":"b@x.test"}}],"total_count":900,"pages":{{"next":"n"}}}}"#
        )
    };
    let fixed = |text: &'static str| move |_: &Asked| text.to_owned();
    type Answer = Box<dyn Fn(&Asked) -> String + Send + Sync>;
    let answers: [Answer; 3] = [
        Box::new(fixed(
            r#"{"type":"user.list","users":[null],"total_count":1}"#,
        )),
        Box::new(fixed(
            r#"{"type":"user.list","users":[],"total_count":3,"pages":{"next":null}}"#,
        )),
        Box::new(circle),
    ];
    for (number, answer) in answers.into_iter().enumerate() {
        let providers = StandIn::of(move |asked: &Asked| match asked.method.as_str() {
            "POST" => r#"{"type":"user","id":"made","email":"a@x.test"}"#.to_owned(),
            _ => answer(asked),
        })
        .await;
        let world = providers.world(|settings| intercom(settings, "1.1")).await;
        let write = "mutation { upsertUser(input: { provider: INTERCOM, email: \"a@x.test\", name: \"N\" }) {
            outcome userErrors { field message code } } }";

        let data = world.data(write).await;

        let written = &data["upsertUser"];
        assert_eq!(written["outcome"], "SKIPPED", "{number}: {written}");
        let error = &written["userErrors"][0];
        if error["code"] != "PROVIDER_BAD_RESPONSE" {
            assert_eq!(error["field"], json!(["input", "email"]), "{number}");
            let message = error["message"].as_str().unwrap_or_default();
            assert!(message.contains("cannot be told"), "{number}: {message}");
        }
        assert_eq!(writes(&providers.take()), [""; 0], "{number}");
    }
}

#[tokio::test]
async fn no_user_is_created_where_an_exact_search_answers_users_with_another_address() {
    let providers = StandIn::of(|asked: &Asked| match asked.method.as_str() {
        "POST" => r#"{"type":"user","id":"made","email":"a@x.test"}"#,
        _ => {
            r#"{"type":"user.list","users":[{"id":"one","email":"first@x.test"}],"total_count":1}"#
        }
    })
    .await;
    let world = providers.world(|settings| intercom(settings, "1.1")).await;
    let write =
        "mutation { upsertUser(input: { provider: INTERCOM, email: \"a@x.test\", name: \"N\" }) {
        outcome userErrors { field message code } } }";

    let data = world.data(write).await;

    let written = &data["upsertUser"];
    assert_eq!(written["outcome"], "SKIPPED", "{written}");
    let error = &written["userErrors"][0];
    assert_eq!(error["field"], json!(["input", "email"]));
    let message = error["message"].as_str().unwrap_or_default();
    assert!(message.contains("cannot be told"), "{message}");
    assert!(message.contains("another address"), "{message}");
    assert_eq!(writes(&providers.take()), [""; 0]);
}

#[tokio::test]
async fn a_search_that_may_miss_users_is_not_complete() {
    let providers = StandIn::of(|asked: &Asked| list(&asked.path, &[])).await;
    let world = providers.world(|_| {}).await;
    let write =
        "mutation { upsertUser(input: { provider: USERTOUR, email: \"a@x.test\", name: \"N\" }) {
        outcome userErrors { field message code } } }";

    let data = world.data(write).await;

    let written = &data["upsertUser"];
    assert_eq!(written["outcome"], "SKIPPED", "{written}");
    let message = written["userErrors"][0]["message"]
        .as_str()
        .unwrap_or_default();
    assert!(message.contains("cannot be told"), "{message}");
    assert!(message.contains("letter case"), "{message}");
    assert_eq!(writes(&providers.take()), [""; 0]);
}

/// No provider has to be read for its words: 409 says that the record is there.
#[tokio::test]
async fn a_create_that_is_answered_409_finds_the_record_that_is_there_now() {
    let posted = AtomicBool::new(false);
    let providers = StandIn::of(move |asked: &Asked| {
        let row = row(&asked.path, "there", "a@x.test", "");
        match (asked.method.as_str(), asked.path.ends_with("/users")) {
            ("POST", _) => {
                posted.store(true, Ordering::Relaxed);
                Said::from((409, json!({})))
            }
            ("GET", true) if posted.load(Ordering::Relaxed) => list(&asked.path, &[row]).into(),
            ("GET", true) => list(&asked.path, &[]).into(),
            _ => row.into(),
        }
    })
    .await;
    let world = providers.world(|_| {}).await;
    let write = "mutation { upsertUser(input: { provider: DIGITAL_CHALK, email: \"a@x.test\" }) {
        outcome user { remoteId } userErrors { message } } }";

    let data = world.data(write).await;

    assert_eq!(
        data["upsertUser"],
        json!({ "outcome": "MATCHED", "user": { "remoteId": "there" }, "userErrors": [] })
    );
    assert_eq!(
        writes(&providers.take()),
        ["POST /digitalchalk/dc/api/v5/users"]
    );
}
