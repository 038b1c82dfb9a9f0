//! `sources { calls }` counts every call that an answer cost, also for the fields of its rows.

use roster::account::Provider::{DigitalChalk, Intercom};
use roster_sandbox::known::{AT_INTERCOM, EVERYWHERE};
use serde_json::{Value, json};

use crate::world::World;

/// Each takes a call for each contact that has some.
const ROWS: &str = "tags companies { name } details { ... on IntercomUser { segments { name } } }";

const USERS: &str = "users(provider: INTERCOM, first: 40)";

async fn world() -> World {
    World::with(100, |settings| settings.limits.calls = 1000).await
}

/// The answer to a query, and how many calls Intercom got for it.
async fn asked(world: &World, query: &str) -> (Value, usize) {
    world.forget_calls().await;
    let data = world.data(query).await;
    (data, world.calls(Intercom).await.len())
}

#[tokio::test]
async fn the_calls_for_the_fields_of_rows_count_wherever_sources_stands() {
    let world = world().await;
    let rows = format!("nodes {{ {ROWS} }}");
    let edges = format!("edges {{ node {{ {ROWS} }} }}");
    let (_, expected) = asked(&world, &format!("{{ {USERS} {{ {rows} }} }}")).await;
    assert!(expected > 40, "the rows cost calls: {expected}");

    for (fields, keys) in [
        (format!("{rows} sources {{ calls }}"), &["sources"][..]),
        (format!("sources {{ calls }} {rows}"), &["sources"]),
        (format!("before: sources {{ calls }} {rows}"), &["before"]),
        (
            format!("before: sources {{ calls }} {rows} sources {{ calls }}"),
            &["before", "sources"],
        ),
        (
            format!("sources {{ status }} {rows} sources {{ calls }}"),
            &["sources"],
        ),
        (
            "... on UserConnection { sources { calls } } ...Rows ...Sources".to_owned(),
            &["sources", "last"],
        ),
        (
            format!("sources {{ calls }} {edges} totalCount"),
            &["sources"],
        ),
        (
            format!("sources {{ calls }} {edges} {rows} pageInfo {{ endCursor }}"),
            &["sources"],
        ),
    ] {
        let query = format!(
            "query {{ {USERS} {{ {fields} }} }}
            fragment Rows on UserConnection {{ {rows} }}
            fragment Sources on UserConnection {{ last: sources {{ calls }} }}"
        );
        let query = if fields.contains("...Rows") {
            query
        } else {
            format!("{{ {USERS} {{ {fields} }} }}")
        };

        let (data, calls) = asked(&world, &query).await;

        assert_eq!(calls, expected, "{query}");
        for key in keys {
            assert_eq!(data["users"][key][0]["calls"], expected, "{key} of {query}");
        }
    }
}

#[tokio::test]
async fn fields_keep_the_order_of_the_document() {
    let world = world().await;
    let query = "{ users(provider: INTERCOM, first: 1) {
        last: sources { calls } totalCount __typename sources { calls status } nodes { tags } } }";

    let answer = world.answer(query).await;

    let users = answer["data"]["users"].as_object().expect("an object");
    let keys: Vec<_> = users.keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        ["last", "totalCount", "__typename", "sources", "nodes"]
    );
    assert_eq!(users["__typename"], "UserConnection");
    let source = users["sources"][0].as_object().expect("an object");
    assert_eq!(source.keys().collect::<Vec<_>>(), ["calls", "status"]);
}

#[tokio::test]
async fn rows_that_no_field_reads_cost_nothing() {
    let world = world().await;
    let skipped = format!("nodes @skip(if: true) {{ {ROWS} }}");
    for fields in [
        "sources { calls }".to_owned(),
        format!("sources {{ calls }} {skipped}"),
    ] {
        let (data, calls) = asked(&world, &format!("{{ {USERS} {{ {fields} }} }}")).await;

        assert_eq!(
            (&data["users"]["sources"], calls),
            (&json!([{ "calls": 1 }]), 1)
        );
    }
    let query =
        format!("{{ {USERS} {{ sources @include(if: false) {{ calls }} nodes {{ id }} }} }}");
    assert_eq!(asked(&world, &query).await.0["users"].get("sources"), None);
}

#[tokio::test]
async fn a_root_field_twice_under_one_key_runs_once() {
    let world = world().await;
    let rows = format!("nodes {{ {ROWS} }}");
    let (_, expected) = asked(&world, &format!("{{ {USERS} {{ {rows} }} }}")).await;
    for query in [
        format!("{{ {USERS} {{ sources {{ calls }} }} {USERS} {{ {rows} }} }}"),
        format!(
            "query ($no: Boolean = false) {{ ...Sources ...Rows ...Rows ... @include(if: $no) {{ {USERS} {{ totalCount }} }} }}
            fragment Rows on Query {{ {USERS} {{ {rows} }} }}
            fragment Sources on Query {{ {USERS} {{ sources {{ calls }} }} }}"
        ),
    ] {
        let (data, calls) = asked(&world, &query).await;

        assert_eq!(calls, expected, "{query}");
        let users = &data["users"];
        assert_eq!(users["sources"], json!([{ "calls": expected }]), "{query}");
        assert_eq!(users["nodes"].as_array().map(Vec::len), Some(40));
        assert_eq!(users.get("totalCount"), None);
    }
}

#[tokio::test]
async fn a_write_that_stands_twice_under_one_key_is_done_once() {
    let world = world().await;
    let write = |email| {
        format!(
            "upsertUser(input: {{ provider: DIGITAL_CHALK, email: \"{email}\", firstName: \"N\", lastName: \"W\" }})"
        )
    };
    let once = format!("mutation {{ {} {{ outcome }} }}", write("once@x.test"));
    world.data(&once).await;
    let expected = world.calls(DigitalChalk).await.len();
    world.forget_calls().await;
    let write = write("twice@x.test");

    let data = world
        .data(&format!(
            "mutation {{ {write} {{ outcome }} {write} {{ user {{ email }} }} }}"
        ))
        .await;

    let written = json!({ "outcome": "CREATED", "user": { "email": "twice@x.test" } });
    assert_eq!(data["upsertUser"], written);
    assert_eq!(world.calls(DigitalChalk).await.len(), expected);
}

#[tokio::test]
async fn each_source_of_a_search_counts_the_calls_for_its_own_rows() {
    let world = world().await;
    let fields = "nodes { attributes tags companies { name } } sources { provider calls }";
    for (query, field) in [
        (format!("{{ usersByEmail(email: \"{EVERYWHERE}\") {{ {fields} }} }}"), "usersByEmail"),
        (format!("{{ person(email: \"{EVERYWHERE}\") {{ {} }} }}", fields.replace("nodes", "users")), "person"),
        (
            format!(
                "{{ _entities(representations: [{{ __typename: \"Person\", email: \"{EVERYWHERE}\" }}]) {{
                ... on Person {{ sources {{ provider calls }} users {{ attributes tags companies {{ name }} }} }} }} }}"
            ),
            "_entities",
        ),
    ] {
        world.forget_calls().await;
        let data = world.data(&query).await;

        let answer = if field == "_entities" { &data[field][0] } else { &data[field] };
        let sources = answer["sources"].as_array().expect("sources");
        let told: Vec<_> = sources.iter().map(|source| source["calls"].as_u64()).collect();
        let got = world.tally().await.map(|calls| Some(calls as u64));
        assert_eq!(told, got, "{query}");
        assert!(got[1] > Some(1), "DigitalChalk's attributes take further calls");
    }
}

#[tokio::test]
async fn two_lists_that_share_calls_both_count_them_and_others_do_not() {
    let world = world().await;
    let search = format!("usersByEmail(email: \"{AT_INTERCOM}\", providers: [INTERCOM])");
    let query = format!(
        "{{ one: {search} {{ sources {{ calls }} nodes {{ tags }} }}
            same: {search} {{ sources {{ calls }} nodes {{ tags }} }}
            other: {search} {{ sources {{ calls }} nodes {{ name }} }} }}"
    );

    let (data, calls) = asked(&world, &query).await;

    assert_eq!(calls, 2);
    for (key, calls) in [("one", 2), ("same", 2), ("other", 1)] {
        assert_eq!(data[key]["sources"], json!([{ "calls": calls }]), "{key}");
    }
}

#[tokio::test]
async fn sources_come_by_the_deadline_when_the_fields_of_rows_do_not() {
    let world = World::with(100, |settings| settings.limits.deadline_seconds = 1.0).await;
    world
        .fault(
            Intercom,
            json!({ "kind": "hang", "path": "/contacts/", "method": "GET" }),
        )
        .await;

    let answer = world
        .answer(&format!(
            "{{ {USERS} {{ sources {{ status calls }} nodes {{ id tags }} }} }}"
        ))
        .await;

    let source = &answer["data"]["users"]["sources"][0];
    assert_eq!(source["status"], "PARTIAL", "{answer}");
    assert!(source["calls"].as_u64() > Some(1), "{source}");
    assert_eq!(
        answer["errors"].as_array().map(Vec::len),
        Some(1),
        "{answer}"
    );
    assert_eq!(
        answer["errors"][0]["extensions"]["code"],
        "DEADLINE_EXCEEDED"
    );
}
