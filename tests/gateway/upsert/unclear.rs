//! Whom a write means cannot always be told: then nothing is written, and the answer says why.

use serde_json::json;

use crate::{
    stand_in::{Asked, StandIn},
    world::intercom,
};

fn writes(asked: &[Asked]) -> Vec<String> {
    let writes = asked.iter().filter(|asked| asked.method != "GET");
    writes
        .map(|asked| format!("{} {}", asked.method, asked.path))
        .collect()
}

#[tokio::test]
async fn intercom_1_x_makes_nobody_whom_its_answer_may_hold() {
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
