//! Cursors that are damaged, foreign, or made up.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{codes, refused_with};
use crate::world::{World, intercom};

const USERS: &str = "query($of: Provider!, $after: String, $filter: UserFilter) {
    users(provider: $of, first: 1, after: $after, filter: $filter) { edges { cursor } } }";
const BEFORE: &str = "query($before: String) {
    users(provider: INTERCOM, last: 1, before: $before) { edges { cursor } } }";
const BY_EMAIL: &str = "query($email: String!, $of: [Provider!], $after: String) {
    usersByEmail(email: $email, providers: $of, first: 1, after: $after) { edges { cursor } } }";

async fn cursor_of(world: &World, query: &str, variables: Value) -> String {
    let data = world.data_with(query, variables).await;
    let list = data.as_object().and_then(|data| data.values().next());
    let cursor = list.and_then(|list| list["edges"][0]["cursor"].as_str());
    cursor.expect("a cursor").to_owned()
}

async fn cursor_of_users(world: &World, provider: &str) -> String {
    cursor_of(world, USERS, json!({ "of": provider })).await
}

/// A cursor with one of its parts changed.
fn altered(cursor: &str, change: impl FnOnce(&mut Value)) -> String {
    let json = URL_SAFE_NO_PAD.decode(cursor).expect("base64");
    let mut parts = serde_json::from_slice(&json).expect("JSON");
    change(&mut parts);
    URL_SAFE_NO_PAD.encode(parts.to_string())
}

#[tokio::test]
async fn a_cursor_with_an_end_missing_is_refused() {
    let world = World::with(3, |_| {}).await;
    let cursor = cursor_of_users(&world, "USERTOUR").await;
    for length in (1..cursor.len()).step_by(7) {
        let after = &cursor[..length];
        let variables = json!({ "of": "USERTOUR", "after": after });
        refused_with(
            &world,
            USERS,
            variables,
            "this is not a cursor of this graph",
        )
        .await;
    }
    for text in ["nonsense", "!", "\u{0}", "eyJhIjoxfQ", &"A".repeat(10_000)] {
        let variables = json!({ "of": "USERTOUR", "after": text });
        refused_with(&world, USERS, variables, "`after`: this is not a cursor").await;
        refused_with(
            &world,
            BEFORE,
            json!({ "before": text }),
            "`before`: this is not a cursor",
        )
        .await;
        let variables = json!({ "email": "a@b.test", "after": text });
        refused_with(
            &world,
            BY_EMAIL,
            variables,
            "`after`: this is not a cursor of this graph",
        )
        .await;
    }
}

#[tokio::test]
async fn a_cursor_of_another_list_is_refused() {
    let world = World::with(200, |_| {}).await;
    let intercom = cursor_of_users(&world, "INTERCOM").await;
    let searched = cursor_of(&world, BY_EMAIL, json!({ "email": "ann@x.test" })).await;

    let of_another_provider = json!({ "of": "DIGITAL_CHALK", "after": intercom });
    refused_with(
        &world,
        USERS,
        of_another_provider,
        "of the account intercom, not of digitalchalk",
    )
    .await;
    let filter = json!({ "createdSince": "2026-01-01T00:00:00Z" });
    let of_another_filter = json!({ "of": "INTERCOM", "after": intercom, "filter": filter });
    refused_with(&world, USERS, of_another_filter, "another filter").await;
    let of_a_search = json!({ "of": "INTERCOM", "after": searched });
    refused_with(&world, USERS, of_a_search, "not a cursor of this kind").await;
    let of_a_list = json!({ "email": "ann@x.test", "after": intercom });
    refused_with(&world, BY_EMAIL, of_a_list, "not a cursor of this kind").await;
    let of_another_email = json!({ "email": "joann@x.test", "after": searched });
    refused_with(
        &world,
        BY_EMAIL,
        of_another_email,
        "cursor is of another search",
    )
    .await;
    let of_other_providers = json!({ "email": "ann@x.test", "of": ["ADA"], "after": searched });
    refused_with(
        &world,
        BY_EMAIL,
        of_other_providers,
        "cursor is of another search",
    )
    .await;
}

#[tokio::test]
async fn the_same_search_in_another_spelling_takes_its_cursor() {
    let world = World::with(200, |_| {}).await;
    let searched = cursor_of(&world, BY_EMAIL, json!({ "email": "ann@x.test" })).await;

    let variables = json!({ "email": " ANN@X.test ", "after": searched });
    let next = cursor_of(&world, BY_EMAIL, variables).await;

    assert_ne!(next, searched);
}

#[tokio::test]
async fn a_cursor_of_another_version_is_refused() {
    let world = World::with(200, |_| {}).await;
    for provider in ["ADA", "DIGITAL_CHALK", "INTERCOM", "USERTOUR"] {
        let cursor = cursor_of_users(&world, provider).await;
        for version in [1, 2, 4] {
            let other = altered(&cursor, |parts| parts[0] = version.into());
            let variables = json!({ "of": provider, "after": other });
            let message = format!("version {version}, and version 3 is understood");
            refused_with(&world, USERS, variables, &message).await;
        }
    }
    let cursor = cursor_of(&world, BY_EMAIL, json!({ "email": "ann@x.test" })).await;
    let newer = altered(&cursor, |parts| parts[0] = 1.into());
    let variables = json!({ "email": "ann@x.test", "after": newer });
    refused_with(&world, BY_EMAIL, variables, "take a cursor from the list").await;
}

#[tokio::test]
async fn a_cursor_with_a_place_of_another_paging_is_refused() {
    let world = World::with(3, |_| {}).await;
    let numbered = World::with(3, |settings| intercom(settings, "1.1")).await;
    let marks = [
        json!({ "nth": 1 }),
        json!({ "key": "1" }),
        json!({ "token": { "s": 1 } }),
    ];
    for (world, provider, own) in [
        (&world, "ADA", 1),
        (&world, "DIGITAL_CHALK", 0),
        (&numbered, "INTERCOM", 0),
        (&world, "INTERCOM", 2),
        (&world, "USERTOUR", 2),
    ] {
        let cursor = cursor_of_users(world, provider).await;
        for (_, mark) in marks.iter().enumerate().filter(|(of, _)| *of != own) {
            let foreign = altered(&cursor, |parts| parts[3] = mark.clone());
            let variables = json!({ "of": provider, "after": foreign });
            refused_with(world, USERS, variables, "does not belong to this list").await;
        }
    }
}

#[tokio::test]
async fn a_place_that_no_list_has_is_no_fault_of_the_gateways() {
    let world = World::with(3, |settings| intercom(settings, "1.1")).await;
    for provider in ["DIGITAL_CHALK", "INTERCOM"] {
        let cursor = cursor_of_users(&world, provider).await;
        for ordinal in [u64::MAX, u64::MAX - 1, u64::from(u32::MAX), 1 << 53] {
            let far = altered(&cursor, |parts| parts[3] = json!({ "nth": ordinal }));
            for arguments in [
                "first: 500, after: $far",
                "last: 500, before: $far",
                "last: 500, after: $far",
            ] {
                let query = format!(
                    "query($far: String, $of: Provider!) {{ users(provider: $of, {arguments}) {{ edges {{ cursor }} }} }}"
                );
                let answer = world
                    .answer_with(&query, json!({ "of": provider, "far": far }))
                    .await;
                if answer.get("errors").is_some() {
                    assert_ne!(
                        codes(&answer),
                        ["INTERNAL"],
                        "{provider} {ordinal} {arguments}"
                    );
                }
            }
        }
    }
}
