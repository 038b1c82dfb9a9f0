//! Requests that cannot be meant: each is refused with a code and with words that say what to change,
//! and no provider hears of it.

mod arguments;
mod cursors;
mod documents;
mod texts;
mod transport;
mod validity;
mod variables;

use serde_json::{Value, json};

use crate::world::{FOUR, World};

/// The codes that the schema documents.
const CODES: [&str; 16] = [
    "GRAPHQL_PARSE_FAILED",
    "GRAPHQL_VALIDATION_FAILED",
    "BAD_USER_INPUT",
    "UNAUTHENTICATED",
    "FORBIDDEN",
    "ACCOUNT_DISABLED",
    "PROVIDER_AUTH",
    "PROVIDER_RATE_LIMITED",
    "PROVIDER_TIMEOUT",
    "PROVIDER_UNAVAILABLE",
    "PROVIDER_BAD_RESPONSE",
    "PROVIDER_REJECTED",
    "QUERY_TOO_COMPLEX",
    "DEADLINE_EXCEEDED",
    "OVERLOADED",
    "INTERNAL",
];

/// The codes of all errors of an answer; each must have one that is documented, and a message.
pub(crate) fn codes(answer: &Value) -> Vec<&str> {
    let errors = answer["errors"].as_array().expect("errors");
    let code = |error| {
        let error: &Value = error;
        let code = error["extensions"]["code"].as_str().unwrap_or_default();
        assert!(CODES.contains(&code), "{error}");
        let message = error["message"].as_str().unwrap_or_default();
        assert!(!message.is_empty(), "{error}");
        code
    };
    errors.iter().map(code).collect()
}

/// The codes of requests that are wrong.
const WRONG: [&str; 3] = [
    "GRAPHQL_PARSE_FAILED",
    "GRAPHQL_VALIDATION_FAILED",
    "BAD_USER_INPUT",
];

/// Checks that a query is refused as wrong, in words that hold `words`, without a provider's help.
async fn refused_with(world: &World, query: &str, variables: Value, words: &str) -> Value {
    world.forget_calls().await;
    let answer = world.answer_with(query, variables).await;
    assert!(answer["errors"].is_array(), "{query}: {answer}");
    let codes = codes(&answer);
    assert!(
        codes.iter().all(|code| WRONG.contains(code)),
        "{query}: {answer}"
    );
    let says = answer["errors"][0]["message"].as_str().unwrap_or_default();
    assert!(says.contains(words), "{query} says {says:?}, not {words:?}");
    assert_eq!(calls(world).await, 0, "{query}");
    answer
}

async fn refused(world: &World, query: &str, words: &str) -> Value {
    refused_with(world, query, json!({}), words).await
}

/// How many calls all providers got since they were last forgotten.
pub(crate) async fn calls(world: &World) -> usize {
    let mut calls = 0;
    for of in FOUR {
        calls += world.calls(of).await.len();
    }
    calls
}
