//! A token of a page that Intercom no longer takes.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::world;

#[tokio::test]
async fn a_cursor_whose_token_is_refused_is_read_from_the_page_before_or_said_to_be_over() {
    let world = world(30).await;
    let page = "query ($after: String) { users(provider: INTERCOM, first: 10, after: $after) {
        nodes { remoteId } pageInfo { endCursor } } }";
    let first = world.data(page).await["users"].take();
    let cursor = first["pageInfo"]["endCursor"].as_str().expect("a cursor");
    let second = world.data_with(page, json!({ "after": cursor })).await;
    let spoiled = |places: &[&str]| {
        let text = URL_SAFE_NO_PAD.decode(cursor).expect("a cursor");
        let mut cursor: Value = serde_json::from_slice(&text).expect("a cursor");
        for place in places {
            cursor[3]["token"][*place] = "bm8=".into();
        }
        URL_SAFE_NO_PAD.encode(cursor.to_string())
    };

    let answer = world
        .answer_with(page, json!({ "after": spoiled(&["n"]) }))
        .await;
    let rows = |data: &Value| data["users"]["nodes"].clone();
    assert_eq!(rows(&answer["data"]), rows(&second), "{answer}");

    let answer = world
        .answer_with(page, json!({ "after": spoiled(&["n", "t"]) }))
        .await;
    assert_eq!(answer["data"]["users"], Value::Null);
    let error = &answer["errors"][0];
    assert_eq!(error["extensions"]["code"], "BAD_USER_INPUT", "{error}");
    let message = error["message"].as_str().unwrap_or_default();
    assert!(message.contains("from its start"), "{message}");
}
