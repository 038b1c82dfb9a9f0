//! A document that was checked before is run with what each request says: it is kept without variables.

use roster::account::Provider;
use serde_json::{Value, json};

use crate::world::World;

async fn sent(world: &World, body: Value) -> Value {
    let url = format!("http://{}/graphql", world.gateway);
    let answer = world.client.post(url).json(&body).send().await;
    answer.expect("an answer").json().await.expect("JSON")
}

#[tokio::test]
async fn an_equal_document_runs_with_the_variables_of_each_request() {
    let world = World::with(5, |_| {}).await;
    let query = "query($n: Int = 2, $long: Boolean!, $by: UserKey!) {
        users(provider: ADA, first: $n) { nodes { id name @include(if: $long) } }
        user(provider: INTERCOM, by: $by) @skip(if: $long) { id }
    }";
    let ask = |variables: Value| sent(&world, json!({ "query": query, "variables": variables }));
    let key = json!({ "externalId": "nobody" });

    for _ in 0..2 {
        let two = ask(json!({ "long": false, "by": key })).await;
        let nodes = two["data"]["users"]["nodes"].as_array().expect("nodes");
        assert_eq!(nodes.len(), 2, "{two}");
        assert!(nodes[0].get("name").is_none());
        assert_eq!(two["data"].get("user"), Some(&Value::Null));

        let three = ask(json!({ "n": 3, "long": true, "by": key })).await;
        let nodes = three["data"]["users"]["nodes"].as_array().expect("nodes");
        assert_eq!(nodes.len(), 3, "{three}");
        assert!(nodes[0].get("name").is_some());
        assert_eq!(three["data"].get("user"), None);

        for (variables, code) in [
            (json!({ "by": key }), "BAD_USER_INPUT"),
            (json!({ "long": null, "by": key }), "BAD_USER_INPUT"),
            (json!({ "long": true, "by": {} }), "BAD_USER_INPUT"),
            (
                json!({ "n": "3", "long": true, "by": key }),
                "BAD_USER_INPUT",
            ),
        ] {
            let refused = ask(variables.clone()).await;
            let found = &refused["errors"][0]["extensions"]["code"];
            assert_eq!(found, code, "{variables}: {refused}");
            assert_eq!(refused.get("data"), None);
        }
    }
}

#[tokio::test]
async fn an_equal_document_is_as_costly_as_its_variables_make_it() {
    let world = World::with(5, |_| {}).await;
    let lists: String = (0..21)
        .map(|n| format!("a{n}: users(provider: ADA, first: $n) {{ nodes {{ id }} }} "))
        .collect();
    let query = format!("query($n: Int!) {{ {lists} }}");
    for (first, is_refused) in [(1, false), (500, true), (1, false), (500, true)] {
        world.forget_calls().await;

        let body = json!({ "query": query, "variables": { "n": first } });
        let answer = sent(&world, body).await;

        let code = &answer["errors"][0]["extensions"]["code"];
        let expected = if is_refused {
            json!("QUERY_TOO_COMPLEX")
        } else {
            Value::Null
        };
        assert_eq!(*code, expected, "{first}: {answer}");
        let calls = world.calls(Provider::Ada).await.len();
        assert_eq!(calls > 0, !is_refused, "{first}");
    }
}

#[tokio::test]
async fn each_operation_of_an_equal_document_runs_when_it_is_named() {
    let world = World::with(5, |_| {}).await;
    let query = "query A { accounts { name } } query B { users(provider: ADA, first: 1) { nodes { ...f } } } fragment f on User { id }";
    for _ in 0..2 {
        for (name, field) in [("A", "accounts"), ("B", "users")] {
            let body = json!({ "query": query, "operationName": name });
            let answer = sent(&world, body).await;
            let fields: Vec<_> = answer["data"].as_object().expect("data").keys().collect();
            assert_eq!(fields, [field]);
        }
        let unnamed = sent(&world, json!({ "query": query })).await;
        let code = &unnamed["errors"][0]["extensions"]["code"];
        assert_eq!(code, "BAD_USER_INPUT");
    }
}

#[tokio::test]
async fn a_variable_that_the_operation_does_not_declare_changes_nothing() {
    let world = World::with(0, |_| {}).await;
    let query = "query A { accounts { name } } query B($x: Boolean!) { ...f } fragment f on Query { a: __typename @skip(if: $x) b: __typename }";

    let body = json!({ "query": query, "operationName": "A", "variables": { "x": null } });
    let answer = sent(&world, body).await;

    assert_eq!(answer.get("errors"), None, "{answer}");
    assert_eq!(answer["data"]["accounts"][0]["name"], "ada");
}
