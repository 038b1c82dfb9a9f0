//! Variables that do not fit their types. The engine drops those that are missing, and a write without
//! the id that it was meant for goes to another record.

use serde_json::{Value, json};

use super::{calls, refused_with};
use crate::world::World;

/// Checks that the request is refused as a whole, by the variable's name, and that nobody was called.
async fn unfit(world: &World, query: &str, variables: Value, words: &str) {
    let shown = variables.to_string();
    let answer = refused_with(world, query, variables, words).await;
    assert_eq!(answer.get("data"), None, "{query} {shown}: {answer}");
    let message = answer["errors"][0]["message"].as_str().unwrap_or_default();
    assert!(message.contains("variable `$"), "{shown}: {message}");
}

#[tokio::test]
async fn a_write_without_its_id_writes_to_no_other_user() {
    let world = World::with(200, |_| {}).await;
    let query = "mutation($id: ID!) { upsertUser(input: {
        provider: INTERCOM, remoteId: $id, email: \"ann@x.test\", name: \"X\"
    }) { outcome } }";
    for variables in [json!({}), json!({ "id": null }), json!({ "ID": "1" })] {
        unfit(&world, query, variables, "`$id`").await;
    }
    let default = query.replace("ID!", "ID! = \"1\"");
    unfit(&world, &default, json!({ "id": null }), "`$id`").await;
    let keyed = "query($id: ID!) { user(provider: INTERCOM, by: { remoteId: $id }) { id } }";
    unfit(&world, keyed, json!({}), "`$id`").await;
    let named = format!("{query} query Other {{ accounts {{ provider }} }}").replacen(
        "mutation",
        "mutation Write",
        1,
    );
    let body = json!({ "query": named, "operationName": "Write" });
    let url = format!("http://{}/graphql", world.gateway);
    let answer = world.client.post(url).json(&body).send().await;
    let answer: Value = answer.expect("an answer").json().await.expect("JSON");
    assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
    assert_eq!(calls(&world).await, 0);
}

#[tokio::test]
async fn a_variable_that_may_be_left_out_may_be_left_out() {
    let world = World::with(3, |_| {}).await;
    for (query, variables) in [
        (
            "query($first: Int, $of: Provider! = ADA) { users(provider: $of, first: $first) { totalCount } }",
            json!({}),
        ),
        (
            "query($first: Int, $of: Provider!) { users(provider: $of, first: $first) { totalCount } }",
            json!({ "first": null, "of": "ADA", "unused": [1] }),
        ),
        (
            "query($of: [Provider!]) { usersByEmail(email: \"a@b.test\", providers: $of) { totalCount } }",
            json!({ "of": "ADA" }),
        ),
        (
            "query($ids: [ID!]!) { nodes(ids: $ids) { id } }",
            json!({ "ids": [] }),
        ),
        (
            "query($with: Boolean!) { accounts { provider enabled @include(if: $with) } }",
            json!({ "with": false }),
        ),
        (
            "query($filter: UserFilter) { users(provider: INTERCOM, filter: $filter) { totalCount } }",
            json!({ "filter": { "createdSince": "2020-01-01T00:00:00Z", "sort": { "field": "CREATED_AT" } } }),
        ),
    ] {
        world.data_with(query, variables).await;
    }
}

#[tokio::test]
async fn a_variable_of_another_type_is_refused_by_its_name() {
    let world = World::with(0, |_| {}).await;
    let users = "query($v: Int!) { users(provider: ADA, first: $v) { totalCount } }";
    let of = "query($v: Provider!) { users(provider: $v) { totalCount } }";
    let nodes = "query($v: [ID!]!) { nodes(ids: $v) { id } }";
    let by = "query($v: UserKey!) { user(provider: ADA, by: $v) { id } }";
    let skip = "query($v: Boolean!) { accounts { provider @skip(if: $v) enabled } }";
    let email = "query($v: String!) { usersByEmail(email: $v) { totalCount } }";
    let filter = "query($v: UserFilter) { users(provider: INTERCOM, filter: $v) { totalCount } }";
    let entities = "query($v: [_Any!]!) { _entities(representations: $v) { __typename } }";
    for (query, value, words) in [
        (users, json!(2_147_483_648_i64), "`Int`"),
        (users, json!(-2_147_483_649_i64), "`Int`"),
        (users, json!("1"), "`Int`"),
        (users, json!(1.5), "`Int`"),
        (users, json!(true), "`Int`"),
        (of, json!("SALESFORCE"), "`SALESFORCE` is no `Provider`"),
        (of, json!("ada"), "`ada` is no `Provider`"),
        (of, json!(1), "`Provider`"),
        (nodes, json!(["1", null]), "`$v[1]`: null"),
        (nodes, json!([["1"]]), "`$v[0]`"),
        (nodes, json!([1.5]), "`$v[0]`"),
        (by, json!({}), "exactly one"),
        (
            by,
            json!({ "remoteId": "1", "externalId": "1" }),
            "exactly one",
        ),
        (by, json!({ "remoteId": null }), "exactly one"),
        (by, json!("1"), "`UserKey`"),
        (skip, json!("true"), "`Boolean`"),
        (email, json!(17), "`String`"),
        (filter, json!({ "age": 3 }), "no field `age`"),
        (
            filter,
            json!({ "sort": {} }),
            "`$v.sort.field`: `UserSortField!` is missing",
        ),
        (
            filter,
            json!({ "sort": { "field": "NAME" } }),
            "`$v.sort.field`",
        ),
        (filter, json!([]), "`UserFilter`"),
        (entities, json!([null]), "`$v[0]`: null"),
    ] {
        unfit(&world, query, json!({ "v": value }), words).await;
    }
}

#[tokio::test]
async fn a_wrong_field_of_an_input_in_variables_writes_nothing() {
    let world = World::with(3, |_| {}).await;
    let query = "mutation($input: UpsertUserInput!) { upsertUser(input: $input) { outcome } }";
    for (rest, words) in [
        (json!({ "companies": [{ "name": "x" }] }), ".externalId`"),
        (
            json!({ "companies": [{ "externalId": "x", "leave": null }] }),
            ".leave`",
        ),
        (json!({ "tags": ["a", null] }), ".tags[1]`"),
        (json!({ "unsubscribedFromEmails": "no" }), "`Boolean`"),
        (json!({ "provider": null }), "`$input.provider`"),
    ] {
        let mut input = json!({ "provider": "INTERCOM", "email": "ann@x.test" });
        for (key, value) in rest.as_object().into_iter().flatten() {
            input[key] = value.clone();
        }
        unfit(&world, query, json!({ "input": input }), words).await;
    }
}
