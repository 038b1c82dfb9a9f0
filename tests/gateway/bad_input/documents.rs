//! Documents and variables that the engine refuses: it gives no code by itself.

use serde_json::{Value, json};

use super::{codes, refused, refused_with};
use crate::world::World;

#[tokio::test]
async fn an_unknown_field_is_refused_by_name() {
    let world = World::with(0, |_| {}).await;
    for (query, words) in [
        ("{ nobody }", "nobody"),
        ("{ accounts { provider salary } }", "salary"),
        (
            "{ users(provider: INTERCOM, page: 3) { totalCount } }",
            "page",
        ),
        (
            "{ users(provider: SALESFORCE) { totalCount } }",
            "SALESFORCE",
        ),
        (
            "{ usersByEmail(email: \"a@b.test\", providers: [ADA, SALESFORCE]) { totalCount } }",
            "",
        ),
        (
            "{ usersByEmail(email: \"a@b.test\", match: FUZZY) { totalCount } }",
            "FUZZY",
        ),
        (
            "{ users(provider: INTERCOM, first: \"1\") { totalCount } }",
            "Int",
        ),
        (
            "{ users(provider: INTERCOM, first: 1.5) { totalCount } }",
            "Int",
        ),
        (
            "{ users(provider: INTERCOM, first: 99999999999) { totalCount } }",
            "",
        ),
        (
            "{ users(provider: INTERCOM, filter: { createdSince: \"yesterday\" }) { totalCount } }",
            "",
        ),
        (
            "{ users(provider: INTERCOM, filter: { age: 3 }) { totalCount } }",
            "age",
        ),
        ("{ usersByEmail(email: 17) { totalCount } }", "String"),
        ("{ usersByEmail(email: null) { totalCount } }", "email"),
        ("{ usersByEmail { totalCount } }", "email"),
        ("{ users { totalCount } }", "provider"),
        ("{ accounts }", "subselection"),
        ("{ accounts { provider { name } } }", "subselections"),
        ("{ ...gone }", "gone"),
        ("{ accounts { ...f } } fragment f on Country { name }", ""),
        ("{ accounts { provider @upper } }", "upper"),
        ("mutation { deleteUser(id: 1) }", "deleteUser"),
        ("subscription { accounts { provider } }", ""),
    ] {
        refused(&world, query, words).await;
    }
}

#[tokio::test]
async fn a_text_that_is_no_document_is_refused() {
    let world = World::with(0, |_| {}).await;
    for query in [
        "",
        " ",
        "{",
        "}",
        "{ accounts { provider }",
        "hello",
        "{ a(b: \"c) }",
        "\u{0}",
        "query Q",
        "# nothing",
    ] {
        let answer = refused(&world, query, "").await;
        assert_eq!(answer.get("data"), None, "{query}: {answer}");
    }
}

#[tokio::test]
async fn variables_that_do_not_fit_are_refused() {
    let world = World::with(0, |_| {}).await;
    let by_email = "query($email: String!, $of: [Provider!]) { usersByEmail(email: $email, providers: $of) { totalCount } }";
    for variables in [
        json!({}),
        json!({ "email": null }),
        json!({ "email": 17 }),
        json!({ "email": ["a@b.test"] }),
        json!({ "email": { "of": "ann" } }),
        json!({ "email": "a@b.test", "of": ["SALESFORCE"] }),
        json!({ "email": "a@b.test", "of": [17] }),
        json!({ "email": "a@b.test", "of": [null] }),
    ] {
        refused_with(&world, by_email, variables, "").await;
    }
    let filtered =
        "query($filter: UserFilter) { users(provider: INTERCOM, filter: $filter) { totalCount } }";
    for filter in [
        json!(17),
        json!({ "age": 3 }),
        json!({ "sort": {} }),
        json!({ "createdSince": "soon" }),
        json!({ "tagId": {} }),
    ] {
        refused_with(&world, filtered, json!({ "filter": filter }), "").await;
    }
    let counted = "query($first: Int) { users(provider: INTERCOM, first: $first) { totalCount } }";
    for first in [
        json!("1"),
        json!(1.5),
        json!(true),
        json!([1]),
        json!(4_294_967_296_i64),
    ] {
        refused_with(&world, counted, json!({ "first": first }), "").await;
    }
    let undefined = "query { users(provider: INTERCOM, first: $first) { totalCount } }";
    refused_with(&world, undefined, json!({ "first": 1 }), "first").await;
}

#[tokio::test]
async fn several_operations_need_an_operation_name() {
    let world = World::with(0, |_| {}).await;
    let query = "query A { accounts { provider } } query B { accounts { enabled } }";
    let answer_to = async |name: Value| {
        let body = json!({ "query": query, "operationName": name });
        let request = world
            .client
            .post(format!("http://{}/graphql", world.gateway))
            .json(&body);
        let answer: Value = request
            .send()
            .await
            .expect("an answer")
            .json()
            .await
            .expect("JSON");
        answer
    };

    assert_eq!(
        answer_to(json!("A")).await["data"]["accounts"][0],
        json!({ "provider": "ADA" })
    );
    assert_eq!(
        answer_to(json!("B")).await["data"]["accounts"][0],
        json!({ "enabled": true })
    );
    for name in [json!(null), json!(""), json!("C")] {
        let answer = answer_to(name).await;
        assert_eq!(answer.get("data"), None, "{answer}");
        assert_eq!(codes(&answer), ["BAD_USER_INPUT"]);
    }
    let both = "{ accounts { provider } } query B { accounts { enabled } }";
    refused(&world, both, "").await;
}

#[tokio::test]
async fn a_wrong_field_of_an_input_is_refused_before_anything_is_written() {
    let world = World::with(0, |_| {}).await;
    for input in [
        "{ externalId: \"1\" }",
        "{ provider: USERTOUR, externalId: \"1\", salary: 3 }",
        "{ provider: USERTOUR, externalId: \"1\", name: 3 }",
        "{ provider: USERTOUR, externalId: \"1\", tags: [3] }",
        "{ provider: USERTOUR, externalId: \"1\", companies: [{ name: \"x\" }] }",
        "{ provider: USERTOUR, externalId: \"1\", signedUpAt: \"soon\" }",
        "{ provider: USERTOUR, externalId: \"1\", unsubscribedFromEmails: \"yes\" }",
    ] {
        let query = format!("mutation {{ upsertUser(input: {input}) {{ outcome }} }}");
        refused(&world, &query, "").await;
    }
}

#[tokio::test]
async fn two_fields_under_one_key_are_refused_wherever_their_sets_meet() {
    let world = World::with(3, |_| {}).await;
    let users = |fields: &str| format!("{{ users(provider: ADA, first: 1) {{ {fields} }} }}");
    for (query, words) in [
        (
            users("nodes { name: email } nodes { name }"),
            "same alias `name`",
        ),
        (
            users("nodes { id } ...f") + " fragment f on UserConnection { nodes { id: email } }",
            "same ",
        ),
        (
            users("nodes { id } ... { ... on UserConnection { nodes { id: email } } }"),
            "same ",
        ),
        (
            users("nodes { companies { x: name } } nodes { companies { x: remoteId } }"),
            "same ",
        ),
        (
            "{ x: users(provider: ADA) { totalCount } ...f } fragment f on Query { x: users(provider: INTERCOM) { totalCount } }".to_owned(),
            "conflicting field arguments",
        ),
        (
            "{ node(id: \"x\") { id ... on User { id: remoteId } } }".to_owned(),
            "same ",
        ),
    ] {
        let answer = refused(&world, &query, words).await;
        assert_eq!(answer.get("data"), None, "{answer}");
    }
}

#[tokio::test]
async fn fields_that_merge_may_be_selected_twice() {
    let world = World::with(3, |_| {}).await;

    let data = world
        .data(
            "query($id: ID! = \"x\") {
                users(first: 1, provider: ADA) { nodes { provider } nodes { provider id: remoteId } ...f ...f }
                users(provider: ADA, first: 1) { totalCount }
                user(provider: ADA, by: { remoteId: $id }) { id } user(by: { remoteId: $id }, provider: ADA) { ... on Node { id } }
                all: users(provider: ADA, first: 1) { nodes { details {
                    ... on AdaEndUser { x: createdAt } ... on UsertourUser { x: createdAt companies { id } }
                    ... on IntercomUser { companies { companyId } } } } } }
             fragment f on UserConnection { nodes { ... on User { provider } } }",
        )
        .await;

    assert_eq!(data["users"]["nodes"][0]["provider"], "ADA");
}

#[tokio::test]
async fn a_value_that_is_spelt_as_another_type_is_refused() {
    let world = World::with(0, |_| {}).await;
    for (query, words) in [
        ("{ users(provider: \"ADA\") { totalCount } }", "Provider"),
        (
            "{ usersByEmail(email: \"a@b.test\", providers: [\"ADA\"]) { totalCount } }",
            "Provider",
        ),
        (
            "{ users(provider: INTERCOM, filter: { sort: { field: \"CREATED_AT\" } }) { totalCount } }",
            "UserSortField",
        ),
        (
            "{ ...f } fragment f on Query { users(provider: \"ADA\") { totalCount } }",
            "Provider",
        ),
        (
            "query($of: Provider! = \"ADA\") { users(provider: $of) { totalCount } }",
            "Provider",
        ),
        (
            "{ users(provider: ADA, first: 2147483648) { totalCount } }",
            "32-bit",
        ),
    ] {
        let answer = refused(&world, query, words).await;
        assert_eq!(answer.get("data"), None, "{answer}");
    }
}

#[tokio::test]
async fn a_message_does_not_repeat_a_long_document() {
    let world = World::with(0, |_| {}).await;
    let long = "é".repeat(5_000);
    for query in [
        format!("{{ users(after: \"{long}\" }}"),
        format!("{{ a{} }}", "b".repeat(5_000)),
        format!(
            "query($a{}: Int!) {{ accounts {{ provider }} }}",
            "b".repeat(5_000)
        ),
    ] {
        let answer = refused(&world, &query, "").await;
        for error in answer["errors"].as_array().into_iter().flatten() {
            let message = error["message"].as_str().unwrap_or_default();
            assert!(message.chars().count() <= 301, "{message}");
        }
    }
}

#[tokio::test]
async fn a_variable_of_another_type_than_its_place_is_refused() {
    let world = World::with(0, |_| {}).await;
    let of = |ty: &str| format!("query($v: {ty}) {{ users(provider: $v) {{ totalCount }} }}");
    let inside = |ty: &str| {
        format!(
            "query($v: {ty}) {{ usersByEmail(email: \"a@b.test\", providers: [$v]) {{ totalCount }} }}"
        )
    };
    let below = "query($v: String!) { ...f } fragment f on Query { users(provider: INTERCOM, filter: { sort: { field: $v } }) { totalCount } }";
    for query in [
        of("String!"),
        of("String"),
        of("ID!"),
        of("Provider"),
        inside("String!"),
        inside("Provider"),
        below.to_owned(),
    ] {
        for value in ["ADA", "CREATED_AT"] {
            let answer = refused_with(&world, &query, json!({ "v": value }), "").await;
            assert_eq!(answer.get("data"), None, "{query}: {answer}");
        }
    }
}

#[tokio::test]
async fn a_variable_may_stand_wherever_its_type_allows() {
    let world = World::with(3, |_| {}).await;
    for (query, value) in [
        (
            "query($v: Provider!) { users(provider: $v) { totalCount } }",
            json!("ADA"),
        ),
        (
            "query($v: Provider = ADA) { users(provider: $v) { totalCount } }",
            json!("ADA"),
        ),
        (
            "query($v: EmailMatch) { usersByEmail(email: \"a@b.test\", match: $v) { totalCount } }",
            json!("EXACT"),
        ),
        (
            "query($v: Provider!) { usersByEmail(email: \"a@b.test\", providers: [$v]) { totalCount } }",
            json!("ADA"),
        ),
        (
            "query($v: ID!) { user(provider: ADA, by: { remoteId: $v }) { id } }",
            json!("x"),
        ),
        (
            "query($v: UserSortField!) { users(provider: INTERCOM, filter: { sort: { field: $v } }) { totalCount } }",
            json!("CREATED_AT"),
        ),
        (
            "query($v: [Provider!]) { usersByEmail(email: \"a@b.test\", providers: $v) { totalCount } }",
            json!(["ADA"]),
        ),
        (
            "query($v: [Provider!]!) { usersByEmail(email: \"a@b.test\", providers: $v) { totalCount } }",
            json!(["ADA"]),
        ),
    ] {
        world.data_with(query, json!({ "v": value })).await;
    }
}
