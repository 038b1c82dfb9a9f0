//! Small documents that are expensive to check. Each gateway runs in this process, on the stack of
//! a test's thread: an overflow would end the tests.

mod counted;

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;

use crate::{
    bad_input::{calls, codes},
    world::World,
};

/// Sends a query, and checks that the refusal is fast and that the gateway still works.
async fn refused(world: &World, query: &str, variables: Value, code: &str) -> Value {
    let what = query.get(..80).unwrap_or(query);
    let answer = timeout(Duration::from_secs(10), world.answer_with(query, variables))
        .await
        .unwrap_or_else(|_| panic!("{what} takes too long"));
    let found = codes(&answer);
    assert!(
        found.iter().all(|found| *found == code),
        "{what}: {answer:.400}"
    );
    assert!(!found.is_empty(), "{what}");
    assert_eq!(calls(world).await, 0, "{what}");
    let data = world.data("{ accounts { provider } }").await;
    assert_eq!(data["accounts"][0]["provider"], "ADA");
    answer
}

async fn too_complex(query: &str) {
    let world = World::with(0, |_| {}).await;
    refused(&world, query, json!({}), "QUERY_TOO_COMPLEX").await;
}

/// Fragments that each spread the next one ten times; the last contains `end`.
fn fragments(end: &str) -> String {
    let spread = |to: usize| format!("...f{to} ").repeat(10);
    let chain: String = (0..8)
        .map(|of| format!("fragment f{of} on Query {{ {} }} ", spread(of + 1)))
        .collect();
    format!("{chain} fragment f8 on Query {{ {end} }}")
}

#[tokio::test]
async fn fragments_that_multiply_are_refused_at_once() {
    for end in [
        "__typename",
        "accounts { provider }",
        "... on Query { __typename }",
    ] {
        too_complex(&format!("{{ ...f0 }} {}", fragments(end))).await;
    }
}

#[tokio::test]
async fn fragments_that_multiply_nothing_are_refused_at_once() {
    too_complex(&format!("{{ ...f0 }} {}", fragments("...gone"))).await;
}

#[tokio::test]
async fn fragments_that_multiply_in_an_operation_that_does_not_run_are_refused_at_once() {
    let world = World::with(0, |_| {}).await;
    let query = format!(
        "query B {{ ...f0 }} query A {{ accounts {{ provider }} }} {}",
        fragments("__typename")
    );
    let body = json!({ "query": query, "operationName": "A" });
    let asked = world
        .client
        .post(format!("http://{}/graphql", world.gateway))
        .json(&body)
        .send();

    let answer = timeout(Duration::from_secs(10), asked)
        .await
        .expect("in time");

    let answer: Value = answer.expect("an answer").json().await.expect("JSON");
    assert_eq!(codes(&answer), ["QUERY_TOO_COMPLEX"]);
}

#[tokio::test]
async fn fragments_that_lead_to_each_other_without_end_are_refused() {
    let world = World::with(0, |_| {}).await;
    let spread = "...f0 ".repeat(10);
    for query in [
        "{ ...f0 } fragment f0 on Query { ...f0 }".to_owned(),
        "{ ...f0 } fragment f0 on Query { ...f1 } fragment f1 on Query { ...f0 }".to_owned(),
        format!("{{ ...f0 }} fragment f0 on Query {{ ...f1 }} fragment f1 on Query {{ {spread} }}"),
    ] {
        let answer = world.answer(&query).await;
        let found = codes(&answer);
        assert!(!found.is_empty(), "{query}");
        assert_eq!(answer.get("data"), None);
    }
}

#[tokio::test]
async fn a_long_chain_of_fragments_is_refused_whether_it_is_used_or_not() {
    let fragment = |of| format!("fragment f{of} on Query {{ ...f{} }} ", of + 1);
    let chain: String = (0..5000).map(fragment).collect();
    let backwards: String = (0..5000).rev().map(fragment).collect();
    let end = "fragment f5000 on Query { __typename }";

    too_complex(&format!("{{ ...f0 }} {chain} {end}")).await;
    too_complex(&format!("{{ accounts {{ provider }} }} {backwards} {end}")).await;
}

#[tokio::test]
async fn deep_nesting_never_ends_the_process() {
    let world = World::with(0, |_| {}).await;
    for open in [
        "{a",
        "[[[",
        "(",
        "{a(b:[",
        "{a(b:{c:",
        "query($a:[[[",
        "{...{",
        "{a@b(c:[",
    ] {
        let query = open.repeat(100_000 / open.len());
        refused(&world, &query, json!({}), "QUERY_TOO_COMPLEX").await;
        let behind = format!("{{ accounts {{ provider }} }} {query}");
        refused(&world, &behind, json!({}), "QUERY_TOO_COMPLEX").await;
    }
}

#[tokio::test]
async fn nesting_just_below_the_bound_is_answered_with_a_code() {
    let world = World::with(0, |_| {}).await;
    let nested = |open: &str, inner: &str, close: &str, times: usize| {
        format!("{}{inner}{}", open.repeat(times), close.repeat(times))
    };
    for times in [20, 63, 100, 126] {
        for query in [
            nested("{ a ", "{ a }", "}", times),
            nested("{ ... on Query ", "{ __typename }", "}", times),
            format!("{{ node(id: {}) {{ id }} }}", nested("[", "1", "]", times)),
            format!(
                "{{ node(id: {}) {{ id }} }}",
                nested("{a:", "1", "}", times)
            ),
            format!(
                "query($a: {}) {{ accounts {{ provider }} }}",
                nested("[", "Int", "]", times)
            ),
        ] {
            let answer = world.answer(&query).await;
            if answer.get("errors").is_some() {
                assert!(!codes(&answer).is_empty(), "{query}");
            }
        }
    }
}

#[tokio::test]
async fn ten_thousand_directives_are_refused() {
    let world = World::with(0, |_| {}).await;
    let many = "@include(if: true) ".repeat(10_000);
    too_complex(&format!("{{ accounts {many} {{ provider }} }}")).await;
    let query = format!("query {many} {{ accounts {{ provider }} }}");
    let answer = timeout(Duration::from_secs(10), world.answer(&query)).await;
    assert!(!codes(&answer.expect("in time")).is_empty());
}

#[tokio::test]
async fn a_document_with_an_error_in_every_word_is_answered_briefly() {
    let world = World::with(0, |_| {}).await;
    for query in [
        format!("{{ users({}) {{ totalCount }} }}", "a:1 ".repeat(3_500)),
        format!("{{ accounts {{ {} }} }}", "salary ".repeat(7_000)),
        format!(
            "query({}) {{ accounts {{ provider }} }}",
            "$a:Int ".repeat(2_500)
        ),
    ] {
        let answer = refused(&world, &query, json!({}), "GRAPHQL_VALIDATION_FAILED").await;
        assert_eq!(answer["errors"].as_array().map(Vec::len), Some(50));
    }
}

#[tokio::test]
async fn ten_thousand_aliases_are_refused() {
    let aliases =
        |field: &str| -> String { (0..10_000).map(|n| format!("a{n}:{field} ")).collect() };
    too_complex(&format!("{{ {} }}", aliases("__typename"))).await;
    too_complex(&format!("{{ {} }}", aliases("providers{health}"))).await;
    too_complex(&format!(
        "{{ accounts {{ {} provider }} }}",
        aliases("health")
    ))
    .await;
}

#[tokio::test]
async fn more_values_than_an_answer_may_hold_are_refused() {
    let aliases: String = (0..3_000).map(|n| format!("a{n}:name ")).collect();

    too_complex(&format!(
        "{{ users(provider: INTERCOM, first: 500) {{ nodes {{ {aliases} }} }} }}"
    ))
    .await;
}

#[tokio::test]
async fn trees_of_json_under_many_aliases_are_refused() {
    let users =
        |fields: &str| format!("{{ users(provider: ADA, first: 500) {{ nodes {{ {fields} }} }} }}");
    for times in [400, 1_500] {
        for tree in ["raw", "attributes"] {
            let aliases: String = (0..times).map(|n| format!("r{n}: {tree} ")).collect();
            too_complex(&users(&aliases)).await;
        }
    }
    let details: String = (0..400)
        .map(|n| format!("d{n}: details {{ ... on AdaEndUser {{ profile {{ metadata }} }} }} "))
        .collect();
    too_complex(&users(&details)).await;
}

#[tokio::test]
async fn one_tree_of_json_of_every_user_is_no_bomb() {
    let world = World::with(3, |_| {}).await;
    let lists: String = ["ADA", "DIGITAL_CHALK", "INTERCOM", "USERTOUR"]
        .iter()
        .map(|of| {
            format!("{of}: users(provider: {of}, first: 500) {{ nodes {{ id email name raw }} }} ")
        })
        .collect();

    let data = world.data(&format!("{{ {lists} }}")).await;

    assert!(data["ADA"]["nodes"][0]["raw"].is_object());
}

#[tokio::test]
async fn fragments_that_multiply_behind_one_that_spreads_itself_are_refused_at_once() {
    let world = World::with(0, |_| {}).await;
    let query = format!(
        "{{ ...a }} fragment a on Query {{ ...b }} fragment b on Query {{ ...f0 ...a }} {}",
        fragments("__typename")
    );
    // No valid document has such a fragment, however complex it is.
    refused(&world, &query, json!({}), "GRAPHQL_VALIDATION_FAILED").await;
}

#[tokio::test]
async fn brackets_behind_a_comment_are_counted_whatever_ends_it() {
    for end in ["\n", "\r", "\r\n"] {
        too_complex(&format!("#{end}{}", "{a".repeat(50_000))).await;
    }
}

#[tokio::test]
async fn a_hundred_thousand_tokens_are_answered_with_a_code() {
    let world = World::with(0, |_| {}).await;
    for query in [
        format!("{{ {} }}", "a ".repeat(100_000)),
        "! ".repeat(100_000),
    ] {
        let answer = timeout(Duration::from_secs(10), world.answer(&query)).await;
        assert!(!codes(&answer.expect("in time")).is_empty());
    }
}

#[tokio::test]
async fn more_keys_than_allowed_are_refused_however_they_are_given() {
    let world = World::with(0, |_| {}).await;
    let ids: Vec<String> = (0..501).map(|n| format!("id{n}")).collect();
    let nodes = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }";
    refused(&world, nodes, json!({ "ids": ids }), "QUERY_TOO_COMPLEX").await;
    let quoted = serde_json::to_string(&ids).expect("JSON");
    let in_line = format!("{{ nodes(ids: {quoted}) {{ id }} }}");
    refused(&world, &in_line, json!({}), "QUERY_TOO_COMPLEX").await;
    let default = format!("query($ids: [ID!]! = {quoted}) {{ nodes(ids: $ids) {{ id }} }}");
    refused(&world, &default, json!({}), "QUERY_TOO_COMPLEX").await;
    let people: Vec<_> = (0..501)
        .map(|n| json!({ "__typename": "Person", "email": format!("a{n}@b.test") }))
        .collect();
    let entities = "query($of: [_Any!]!) { _entities(representations: $of) { __typename } }";
    refused(
        &world,
        entities,
        json!({ "of": people }),
        "QUERY_TOO_COMPLEX",
    )
    .await;
}

#[tokio::test]
async fn rows_are_counted_through_variables_with_defaults() {
    let lists: String = (0..21)
        .map(|n| format!("a{n}: users(provider: ADA, first: $first) {{ totalCount }} "))
        .collect();

    too_complex(&format!("query($first: Int = 500) {{ {lists} }}")).await;
}

#[tokio::test]
async fn rows_are_counted_by_what_a_field_can_return_and_not_by_its_name() {
    let search = "usersByEmail(email: \"example\", match: SUBSTRING, first: 500) { totalCount } ";
    let searches =
        |times: usize| -> String { (0..times).map(|n| format!("a{n}: {search}")).collect() };

    too_complex(&format!("{{ {} }}", searches(300))).await;
    too_complex(&format!("{{ {} }}", searches(21))).await;

    let world = World::with(3, |_| {}).await;
    world.data(&format!("{{ {} }}", searches(20))).await;
}

#[tokio::test]
async fn more_fields_at_the_root_than_allowed_are_refused() {
    let roots =
        |times: usize| -> String { (0..times).map(|n| format!("a{n}: __typename ")).collect() };
    too_complex(&format!("{{ {} }}", roots(301))).await;

    let world = World::with(0, |_| {}).await;
    world.data(&format!("{{ {} }}", roots(300))).await;
}

#[tokio::test]
async fn fields_that_are_nested_too_deep_are_refused() {
    let of_type = |times: usize| {
        format!(
            "{}{{ name }}{}",
            "{ ofType ".repeat(times),
            " }".repeat(times)
        )
    };
    let deep = |times: usize| format!("{{ __schema {{ queryType {} }} }}", of_type(times));
    too_complex(&deep(18)).await;
    let sets = |times: usize| {
        format!(
            "{}{{ __typename }}{}",
            "{ ... ".repeat(times),
            " }".repeat(times)
        )
    };
    too_complex(&sets(64)).await;

    let world = World::with(0, |_| {}).await;
    world.data(&deep(17)).await;
    world.data(&sets(63)).await;
}

#[tokio::test]
async fn more_lists_of_a_provider_than_a_request_has_calls_are_refused() {
    let lists = |of: &str, times: usize| -> String {
        (0..times)
            .map(|n| format!("{of}{n}: users(provider: {of}, first: 1) {{ totalCount }} "))
            .collect()
    };
    too_complex(&format!("{{ {} }}", lists("ADA", 101))).await;
    let page = "users(provider: DIGITAL_CHALK, first: 500) { totalCount }";
    let pages: String = (0..15).map(|n| format!("b{n}: {page} ")).collect();
    too_complex(&format!("{{ {pages} {} }}", lists("DIGITAL_CHALK", 26))).await;

    let world = World::with(3, |_| {}).await;
    let both = format!("{{ {} {} }}", lists("ADA", 100), lists("USERTOUR", 100));
    world.data(&both).await;
}
