//! Valid documents run, and invalid ones are refused before anything executes.

use serde_json::json;

use super::{calls, codes};
use crate::world::World;

#[tokio::test]
async fn documents_that_the_specification_takes_run() {
    let world = World::with(3, |_| {}).await;
    for query in [
        "{ usersByEmail(email: \"\\u{1F4A9}@example.com\") { totalCount } }",
        "{ usersByEmail(email: \"\\uD83D\\uDCA9@example.com\") { totalCount } }",
        "\"What it is for.\" query Q(\"An address.\" $email: String = \"a@b.test\") { usersByEmail(email: $email) { totalCount ...f } } \"\"\"Some.\"\"\" fragment f on UserConnection { totalCount }",
        "query($is: Boolean!) { accounts { __typename @include(if: $is) provider } }",
        "query($is: Boolean!) { ...f @skip(if: $is) accounts { provider } } fragment f on Query { __typename }",
        "{ users(provider: ADA, first: 1, filter: {}) { totalCount } }",
        "{ user(provider: ADA, by: { remoteId: 12345678901234567890123 }) { id } }",
        "{ users(provider: ADA, first: -0) { pageInfo { hasNextPage } } }",
        "{ accounts { } }",
        "\u{feff}{ accounts { provider } }",
        "{ a: accounts { provider } b: accounts { provider } }",
        "{ usersByEmail(email: \"a@b.test\", providers: [ADA]) { totalCount } ...f } fragment f on Query { usersByEmail(providers: [ADA], email: \"a@b.test\") { sources { status } } }",
        "query Q($a: [Provider!] = [ADA], $b: Boolean = true) { usersByEmail(email: \"a@b.test\", providers: $a, match: EXACT, first: null) @include(if: $b) { nodes { ... on User @skip(if: false) { id } ...f @skip(if: true) } } } fragment f on User { name: email }",
    ] {
        let answer = world.answer_with(query, json!({ "is": true })).await;
        assert_eq!(answer.get("errors"), None, "{query}");
    }
}

#[tokio::test]
async fn documents_that_the_specification_refuses_are_refused_before_anything_executes() {
    let world = World::with(3, |_| {}).await;
    let user = "{ user(provider: ADA, by: BY) { id } }";
    for query in [
        "{ accounts { __typename @nope } }".to_owned(),
        "{ accounts { __typename { x } } }".to_owned(),
        "{ accounts { __typename(x: 1) } }".to_owned(),
        "{ __typename @nope }".to_owned(),
        "{ __typename { x } }".to_owned(),
        "{ __typename(x: 1) }".to_owned(),
        "{ users(provider: ADA, filter: []) { totalCount } }".to_owned(),
        user.replace("BY", "1.5"),
        user.replace("BY", "ENUM"),
        user.replace("BY", "{}"),
        user.replace("BY", "{ remoteId: \"1\", externalId: \"1\" }"),
        user.replace("BY", "{ remoteId: null }"),
        user.replace("BY", "{ remoteId: \"1\", remoteId: \"2\" }"),
        "{ providers @skip(if: null) { provider } }".to_owned(),
        "{ providers @skip { provider } }".to_owned(),
        "query() { accounts { provider } }".to_owned(),
        "query($a: Int) { accounts { provider } }".to_owned(),
        "query($a: Int, $a: Int) { users(provider: ADA, first: $a) { totalCount } }".to_owned(),
        "query($a: Int @nope) { users(provider: ADA, first: $a) { totalCount } }".to_owned(),
        "query($a: Boolean) { providers @include(if: $a) { provider } }".to_owned(),
        "{ accounts { provider } } fragment f on ProviderAccount { provider }".to_owned(),
        "{ accounts { provider } } type T { a: Int }".to_owned(),
        "{ users(provider: ADA) { nodes { ... on ProviderAccount { provider } } } }".to_owned(),
        "query A { accounts { provider } } query A { accounts { provider } }".to_owned(),
        "{ usersByEmail(email: \"\\uD83D\") { totalCount } }".to_owned(),
        "{ users(provider: ADA, first) { totalCount } }".to_owned(),
        "query { users(provider: ADA first) { totalCount } }".to_owned(),
        "{ users(provider: USERTOUR, filter: { email }) { totalCount } }".to_owned(),
        "{ providers @skip(if: true if) { provider } }".to_owned(),
        "mutation { upsertUser(input: { provider: USERTOUR email externalId: \"a\" }) { outcome } }".to_owned(),
        "{ usersByEmail(email: \"a@b.test\", providers: [ADA]) { totalCount } usersByEmail(email: \"a@b.test\", providers: [ADA, INTERCOM]) { sources { status } } }".to_owned(),
        "{ nodes(ids: []) { id } ...f } fragment f on Query { nodes(ids: [\"x\"]) { id } }".to_owned(),
    ] {
        world.forget_calls().await;
        let answer = world.answer(&query).await;
        let found = codes(&answer);
        let is_refused = |code: &&str| code.starts_with("GRAPHQL_");
        assert!(found.iter().all(is_refused), "{query}: {answer}");
        assert_eq!(answer.get("data"), None, "{query}: {answer}");
        assert_eq!(calls(&world).await, 0, "{query}");
    }
}

#[tokio::test]
async fn the_default_of_a_variable_decides_whether_a_field_is_there() {
    let world = World::with(3, |_| {}).await;
    let users = "users(provider: ADA, first: 1)";
    for (query, variables, is_there) in [
        (
            format!("query($x: Boolean = true) {{ {users} @include(if: $x) {{ totalCount }} }}"),
            json!({}),
            true,
        ),
        (
            format!("query($x: Boolean = true) {{ {users} @skip(if: $x) {{ totalCount }} }}"),
            json!({}),
            false,
        ),
        (
            format!("query($x: Boolean! = false) {{ {users} @skip(if: $x) {{ totalCount }} }}"),
            json!({}),
            true,
        ),
        (
            format!("query($x: Boolean = true) {{ {users} @include(if: $x) {{ totalCount }} }}"),
            json!({ "x": false }),
            false,
        ),
        (
            format!(
                "query($x: Boolean = true) {{ ...f @include(if: $x) }} fragment f on Query {{ {users} {{ totalCount }} }}"
            ),
            json!({}),
            true,
        ),
        (
            format!(
                "query($x: Boolean = false) {{ ... @include(if: $x) {{ {users} {{ totalCount }} }} }}"
            ),
            json!({}),
            false,
        ),
        (
            format!(
                "query($x: Boolean = true) {{ {users} {{ nodes {{ id @include(if: $x) provider }} }} }}"
            ),
            json!({}),
            true,
        ),
    ] {
        let answer = world.answer_with(&query, variables).await;
        assert_eq!(answer.get("errors"), None, "{query}");
        assert_eq!(
            answer["data"].get("users").is_some(),
            is_there,
            "{query}: {answer}"
        );
    }
}

#[tokio::test]
async fn a_condition_that_is_given_as_null_is_refused() {
    let world = World::with(3, |_| {}).await;
    let query = "query($x: Boolean = true) { providers @include(if: $x) { provider } }";

    let answer = world.answer_with(query, json!({ "x": null })).await;

    assert!(!codes(&answer).is_empty(), "{answer}");
}

#[tokio::test]
async fn positions_are_those_of_the_text_that_was_sent() {
    let world = World::with(0, |_| {}).await;
    for (query, line, column) in [
        ("{ nobody }", 1, 3),
        ("# é💩\r\n# b\r{\n  nobody }", 4, 3),
        ("\"Why.\"\nquery Q { accounts { provider(a: 1) } }", 2, 31),
        ("{ é }", 1, 3),
    ] {
        let answer = world.answer(query).await;
        let at = &answer["errors"][0]["locations"][0];
        assert_eq!(
            *at,
            json!({ "line": line, "column": column }),
            "{query:?}: {answer}"
        );
    }
    let failing = "{\n  node(id: \"nonsense\") { id } }";
    let answer = world.answer(failing).await;
    assert_eq!(
        answer["errors"][0]["locations"][0],
        json!({ "line": 2, "column": 3 })
    );
}
