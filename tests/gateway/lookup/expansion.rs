//! Usertour shows companies and memberships when they are asked for, and the gateway asks for them when
//! the query does, however it is written.

use roster::account::Provider;
use roster_sandbox::known;
use serde_json::{Value, json};

use crate::world::World;

const COMPANIES: &str = "expand%5B%5D=companies";
const MEMBERSHIPS: &str = "expand%5B%5D=memberships.company";

/// Asserts what each of the calls for a query asks to be expanded.
async fn assert_expands(world: &World, query: &str, variables: Value, expected: &[&str]) -> Value {
    world.forget_calls().await;
    let data = world.data_with(query, variables).await;
    let calls = world.calls(Provider::Usertour).await;
    assert!(!calls.is_empty(), "{query}");
    for call in calls {
        let expand: Vec<_> = call
            .query
            .split('&')
            .filter(|pair| pair.starts_with("expand"))
            .collect();
        assert_eq!(expand, expected, "{query}");
    }
    data
}

#[tokio::test]
async fn unselected_fields_make_no_call() {
    let world = World::with(60, |_| {}).await;
    for query in [
        "{ users(provider: USERTOUR, first: 3) { nodes { id name attributes raw } totalCount } }",
        "{ users(provider: USERTOUR, first: 3) { edges { node { details { ... on UsertourUser { id } } } } } }",
        "{ usersByEmail(email: \"ann@x.test\") { nodes { email tags } } }",
        "{ user(provider: USERTOUR, by: { remoteId: \"crm-ann\" }) { email details { __typename } } }",
        "{ person(email: \"ann@x.test\") { name users { email } } }",
    ] {
        assert_expands(&world, query, json!({}), &[]).await;
    }
}

#[tokio::test]
async fn companies_are_requested_whatever_alias_the_query_gives_them() {
    let world = World::with(60, |_| {}).await;
    for query in [
        "{ users(provider: USERTOUR, first: 3) { nodes { companies { name } } } }",
        "{ users(provider: USERTOUR, first: 3) { edges { node { companies { name } } } } }",
        "{ u: users(provider: USERTOUR, first: 3) { n: nodes { c: companies { name } } } }",
        "{ users(provider: USERTOUR, first: 3) { ...page } }
            fragment page on UserConnection { nodes { ...user } }
            fragment user on User { ... { companies { externalId } } }",
        "{ users(provider: USERTOUR, first: 3) { nodes { details { ... on UsertourUser { companies { id } } } } } }",
        "{ usersByEmail(email: \"ann@x.test\") { nodes { companies { name } } } }",
        "{ usersByEmail(email: \"ann@x.test\") { e: edges { n: node { ... on Node { ... on User { companies { name } } } } } } }",
        "{ user(provider: USERTOUR, by: { externalId: \"crm-ann\" }) { companies { name } } }",
        "{ person(email: \"ann@x.test\") { name users { companies { name } } } }",
    ] {
        assert_expands(&world, query, json!({}), &[COMPANIES]).await;
    }
}

#[tokio::test]
async fn memberships_are_requested_with_their_companies() {
    let world = World::with(60, |_| {}).await;
    let query =
        "{ user(provider: USERTOUR, by: { remoteId: \"crm-ann\" }) { companies { externalId name }
        details { ... on UsertourUser { memberships { attributes company { id } } } } } }";

    let data = assert_expands(&world, query, json!({}), &[COMPANIES, MEMBERSHIPS]).await;

    let expected = json!({
        "companies": [{ "externalId": "c-1", "name": "Harbour Goods" }],
        "details": { "memberships": [{ "attributes": { "role": "owner" }, "company": { "id": "c-1" } }] },
    });
    assert_eq!(data["user"], expected);
    let query = "{ users(provider: USERTOUR, first: 2) {
        nodes { details { ... on UsertourUser { memberships { id } } } } } }";
    assert_expands(&world, query, json!({}), &[MEMBERSHIPS]).await;
}

#[tokio::test]
async fn nodes_and_entities_are_expanded_like_users() {
    let world = World::with(60, |_| {}).await;
    let find = "{ user(provider: USERTOUR, by: { remoteId: \"crm-ann\" }) { id } }";
    let id = world.data(find).await["user"]["id"].take();
    let any = json!([{ "__typename": "User", "id": id }]);
    let person = json!([{ "__typename": "Person", "email": known::EVERYWHERE }]);
    for (query, variables) in [
        (
            "query ($id: ID!) { node(id: $id) { ... on User { companies { name } } } }",
            json!({ "id": id }),
        ),
        (
            "query ($id: ID!) { nodes(ids: [$id]) { ...f } } fragment f on User { companies { name } }",
            json!({ "id": id }),
        ),
        (
            "query ($any: [_Any!]!) { _entities(representations: $any) { ... on User { companies { name } } } }",
            json!({ "any": any }),
        ),
        (
            "query ($any: [_Any!]!) { _entities(representations: $any) { ... on Person { users { companies { name } } } } }",
            json!({ "any": person }),
        ),
    ] {
        assert_expands(&world, query, variables, &[COMPANIES]).await;
    }
}

#[tokio::test]
async fn a_user_read_twice_is_one_call_with_what_either_reads() {
    let world = World::with(60, |_| {}).await;
    let query = "{ a: user(provider: USERTOUR, by: { remoteId: \"crm-ann\" }) { name }
        b: user(provider: USERTOUR, by: { remoteId: \"crm-ann\" }) { companies { name } } }";

    let data = assert_expands(&world, query, json!({}), &[COMPANIES]).await;

    assert_eq!(data["b"]["companies"], json!([{ "name": "Harbour Goods" }]));
    assert_eq!(world.tally().await, [0, 0, 0, 1]);
}
