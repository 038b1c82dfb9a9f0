//! A field of rows that fails for many of them: one error, and a source that says which rows.

use std::collections::HashSet;

use roster::account::Provider::{self, DigitalChalk, Intercom};
use serde_json::{Value, json};

use crate::world::{World, notices};

const USERS: &str = "users(provider: INTERCOM, first: 60)";
const SOURCES: &str = "sources { status notices { code message } error { code } }";

async fn world() -> World {
    World::with(100, |settings| settings.limits.calls = 1000).await
}

/// Makes the calls fail whose path starts so.
async fn break_at(world: &World, provider: Provider, path: &str) {
    let fault = json!({ "kind": "status", "status": 403, "path": path, "method": "GET" });
    world.fault(provider, fault).await;
}

fn list<'a>(value: &'a Value, pointer: &str) -> &'a Vec<Value> {
    let found = value.pointer(pointer).and_then(Value::as_array);
    found.unwrap_or_else(|| panic!("no list at {pointer}: {value}"))
}

fn texts<'a>(values: impl IntoIterator<Item = &'a Value>) -> Vec<&'a str> {
    values.into_iter().filter_map(Value::as_str).collect()
}

/// The ids of the contacts that have tags, in their order, and of all.
async fn tagged(world: &World) -> Vec<String> {
    let data = world
        .data(&format!("{{ {USERS} {{ nodes {{ remoteId tags }} }} }}"))
        .await;
    let nodes = list(&data, "/users/nodes").iter();
    let tagged = nodes.filter(|node| node["tags"].as_array().is_some_and(|tags| !tags.is_empty()));
    texts(tagged.map(|node| &node["remoteId"]))
        .into_iter()
        .map(str::to_owned)
        .collect()
}

#[tokio::test]
async fn a_field_that_fails_for_many_rows_is_one_error_with_their_number() {
    let world = world().await;
    let tagged = tagged(&world).await;
    assert!(tagged.len() > 20, "{}", tagged.len());
    break_at(&world, Intercom, "/contacts/").await;

    let answer = world
        .answer(&format!(
            "{{ {USERS} {{ {SOURCES} nodes {{ remoteId tags }} }} }}"
        ))
        .await;

    let nodes = list(&answer, "/data/users/nodes");
    let first = nodes.iter().position(|node| node["remoteId"] == tagged[0]);
    let errors = list(&answer, "/errors");
    assert_eq!(errors.len(), 1, "{answer}");
    assert_eq!(errors[0]["path"], json!(["users", "nodes", first, "tags"]));
    assert_eq!(errors[0]["extensions"]["code"], "PROVIDER_AUTH");
    assert_eq!(errors[0]["extensions"]["count"], tagged.len());
    assert_eq!(errors[0]["extensions"]["provider"], "INTERCOM");
    assert!(errors[0]["locations"][0]["line"].is_number());
    for node in nodes {
        let is_tagged = tagged.iter().any(|id| node["remoteId"] == **id);
        let expected = if is_tagged { Value::Null } else { json!([]) };
        assert_eq!(node["tags"], expected);
    }
}

#[tokio::test]
async fn the_source_is_partial_and_names_the_rows_whose_field_failed() {
    let world = world().await;
    let tagged = tagged(&world).await;
    break_at(&world, Intercom, "/contacts/").await;

    let answer = world
        .answer(&format!("{{ {USERS} {{ nodes {{ tags }} {SOURCES} }} }}"))
        .await;

    let (named, more) = tagged.split_at(20);
    let notice = format!(
        "`tags` of {} users could not be read, null there does not mean none: {} and {} more",
        tagged.len(),
        named.join(", "),
        more.len()
    );
    let notices = json!([{ "code": "SUBRESOURCE_FAILED", "message": notice }]);
    let source =
        json!({ "status": "PARTIAL", "notices": notices, "error": { "code": "PROVIDER_AUTH" } });
    assert_eq!(answer["data"]["users"]["sources"], json!([source]));
}

#[tokio::test]
async fn only_the_rows_that_failed_are_null_and_named() {
    let world = world().await;
    let tagged = tagged(&world).await;
    let failing = [&tagged[7], &tagged[3]];
    for id in failing {
        break_at(&world, Intercom, &format!("/contacts/{id}/tags")).await;
    }
    let query = format!(
        "{{ {USERS} {{ edges {{ node {{ remoteId tags }} }} again: edges {{ node {{ more: tags companies {{ name }} }} }} {SOURCES} }} }}"
    );

    let answer = world.answer(&query).await;

    let nulls = list(&answer, "/data/users/edges").iter();
    let nulls = nulls.filter(|edge| edge["node"]["tags"] == Value::Null);
    let nulls: Vec<_> = texts(nulls.map(|edge| &edge["node"]["remoteId"]));
    assert_eq!(nulls, [&tagged[3], &tagged[7]]);
    let errors = list(&answer, "/errors");
    let told = errors.iter().map(|error| {
        (
            &error["path"][1],
            &error["path"][4],
            &error["extensions"]["count"],
        )
    });
    let told: HashSet<_> = told.map(|told| format!("{told:?}")).collect();
    assert_eq!((errors.len(), told.len()), (2, 2), "{answer}");
    assert!(errors.iter().all(|error| error["extensions"]["count"] == 2));
    let notice = format!(
        "`tags` of 2 users could not be read, null there does not mean none: {}, {}",
        tagged[3], tagged[7]
    );
    assert_eq!(
        answer["data"]["users"]["sources"][0]["notices"],
        json!([{ "code": "SUBRESOURCE_FAILED", "message": notice }])
    );
}

#[tokio::test]
async fn every_failed_field_is_reported_and_a_list_without_failures_is_complete() {
    let world = world().await;
    break_at(&world, Intercom, "/contacts/").await;
    let query = format!(
        "{{ bad: {USERS} {{ nodes {{ tags companies {{ name }} details {{ ... on IntercomUser {{ segments {{ name }} }} }} }} {SOURCES} }}
            good: {USERS} {{ nodes {{ name }} {SOURCES} }} }}"
    );

    let answer = world.answer(&query).await;

    let errors = list(&answer, "/errors").iter();
    let mut fields: Vec<_> = errors
        .map(|error| list(error, "/path").last().cloned().unwrap_or_default())
        .collect();
    fields.sort_by_key(ToString::to_string);
    assert_eq!(fields, ["companies", "segments", "tags"]);
    let notices = list(&answer, "/data/bad/sources/0/notices");
    assert!(
        notices
            .iter()
            .all(|notice| notice["code"] == "SUBRESOURCE_FAILED")
    );
    let words = notices
        .iter()
        .map(|notice| notice["message"].as_str()?.split(' ').next());
    assert_eq!(
        words.collect::<Vec<_>>(),
        [Some("`companies`"), Some("`segments`"), Some("`tags`")]
    );
    let good = json!([{ "status": "COMPLETE", "notices": [], "error": null }]);
    assert_eq!(answer["data"]["good"]["sources"], good);
}

#[tokio::test]
async fn a_search_and_a_person_tell_of_the_provider_that_failed() {
    let world = world().await;
    break_at(&world, DigitalChalk, "/dc/api/v5/users/").await;
    let email = roster_sandbox::known::EVERYWHERE;
    for (field, rows) in [("usersByEmail", "nodes"), ("person", "users")] {
        let query = format!(
            "{{ {field}(email: \"{email}\") {{ {rows} {{ provider attributes }} sources {{ provider status notices {{ code message }} }} }} }}"
        );

        let answer = world.answer(&query).await;

        assert_eq!(list(&answer, "/errors").len(), 1, "{answer}");
        let sources = list(&answer, &format!("/data/{field}/sources"));
        for source in sources {
            let is_told = notices(source).contains("`attributes` of 1 user could not be read");
            assert_eq!(is_told, source["provider"] == "DIGITAL_CHALK", "{source}");
            if is_told {
                assert_eq!(source["status"], "PARTIAL");
            }
        }
    }
}

#[tokio::test]
async fn rows_that_no_source_tells_of_have_an_error_each() {
    let world = world().await;
    let tagged = tagged(&world).await;
    let data = world
        .data(&format!("{{ {USERS} {{ nodes {{ id remoteId }} }} }}"))
        .await;
    let nodes = list(&data, "/users/nodes").iter();
    let ids: Vec<_> = nodes
        .filter(|node| tagged[..3].iter().any(|id| node["remoteId"] == **id))
        .map(|node| &node["id"])
        .collect();
    for id in &tagged {
        break_at(&world, Intercom, &format!("/contacts/{id}/tags")).await;
    }

    let answer = world
        .answer_with(
            "query ($ids: [ID!]!) { nodes(ids: $ids) { ... on User { tags } } }",
            json!({ "ids": ids }),
        )
        .await;

    let errors = list(&answer, "/errors").iter();
    let mut places: Vec<_> = errors.map(|error| error["path"][1].as_u64()).collect();
    places.sort_unstable();
    assert_eq!(places, [Some(0), Some(1), Some(2)], "{answer}");
}
