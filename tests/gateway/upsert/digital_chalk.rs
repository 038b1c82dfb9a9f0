//! DigitalChalk has no upsert: the gateway searches for the user first, and sends a create once.

use roster::account::Provider::DigitalChalk;
use roster_sandbox::known::{AT_DIGITAL_CHALK, NOBODY, POSITION_101, SHARED};
use serde_json::{Value, json};

use super::{calls, record, skipped, text, upsert, written};
use crate::world::{World, account};

const USERS: &str = "/dc/api/v5/users";

fn path(id: &Value) -> String {
    format!("{USERS}/{}", text(id))
}

#[tokio::test]
async fn an_unknown_address_is_created_and_read_back() {
    let world = World::with(3, |_| {}).await;
    for location in ["", "absolute"] {
        if !location.is_empty() {
            world.behave(DigitalChalk, "location", location).await;
        }
        let email = format!("new{location}@x.test");
        let input = json!({ "email": email, "firstName": "New", "tags": ["a", "b"] });

        let user = written(&world, DigitalChalk, input, "CREATED").await;

        assert_eq!(
            (text(&user["email"]), text(&user["firstName"])),
            (email.as_str(), "New")
        );
        assert_eq!(user["tags"], json!(["a", "b"]));
        assert_eq!(
            calls(&world, DigitalChalk).await,
            [
                format!("GET {USERS} 200"),
                format!("POST {USERS} 201"),
                format!("GET {} 200", path(&user["remoteId"]))
            ]
        );
    }
}

#[tokio::test]
async fn an_address_finds_the_user_to_update() {
    let world = World::with(200, |_| {}).await;
    let id = record(&world, DigitalChalk, AT_DIGITAL_CHALK).await["id"].take();
    let input =
        json!({ "email": AT_DIGITAL_CHALK, "firstName": "Renamed", "lastName": null, "tags": [] });

    let user = written(&world, DigitalChalk, input, "UPDATED").await;

    assert_eq!(
        (&user["remoteId"], text(&user["firstName"])),
        (&id, "Renamed")
    );
    assert_eq!(
        (text(&user["name"]), &user["tags"]),
        ("Renamed", &json!([]))
    );
    assert_eq!(
        calls(&world, DigitalChalk).await,
        [
            format!("GET {USERS} 200"),
            format!("PUT {} 204", path(&id)),
            format!("GET {} 200", path(&id))
        ]
    );
}

#[tokio::test]
async fn an_address_on_the_second_page_of_the_search_is_found() {
    let world = World::with(200, |_| {}).await;

    let user = written(
        &world,
        DigitalChalk,
        json!({ "email": POSITION_101 }),
        "MATCHED",
    )
    .await;

    assert_eq!(user["email"], POSITION_101);
    assert_eq!(
        calls(&world, DigitalChalk).await,
        vec![format!("GET {USERS} 200"); 2]
    );
}

#[tokio::test]
async fn the_providers_own_id_updates_matches_and_is_never_created() {
    let world = World::with(200, |_| {}).await;
    let id = record(&world, DigitalChalk, AT_DIGITAL_CHALK).await["id"].take();
    let path = path(&id);

    let user = written(
        &world,
        DigitalChalk,
        json!({ "remoteId": id, "firstName": "Renamed" }),
        "UPDATED",
    )
    .await;
    assert_eq!(user["firstName"], "Renamed");
    assert_eq!(
        calls(&world, DigitalChalk).await,
        [
            format!("GET {path} 200"),
            format!("PUT {path} 204"),
            format!("GET {path} 200")
        ]
    );
    written(&world, DigitalChalk, json!({ "remoteId": id }), "MATCHED").await;
    assert_eq!(
        calls(&world, DigitalChalk).await,
        [format!("GET {path} 200")]
    );
}

#[tokio::test]
async fn a_blind_create_is_never_repeated() {
    for fault in [
        json!({ "kind": "status", "status": 500 }),
        json!({ "kind": "reset" }),
        json!({ "kind": "html" }),
    ] {
        let world = World::with(3, |_| {}).await;
        let mut ill = fault.clone();
        ill["method"] = "POST".into();
        world.fault(DigitalChalk, ill).await;

        let payload = upsert(&world, DigitalChalk, json!({ "email": NOBODY })).await;

        assert_eq!(
            (&payload["outcome"], &payload["user"]),
            (&Value::Null, &Value::Null)
        );
        assert_eq!(payload["userErrors"].as_array().map(Vec::len), Some(2));
        assert_eq!(payload["userErrors"][0]["code"], "PROVIDER_UNAVAILABLE");
        assert_eq!(payload["userErrors"][1]["code"], "OUTCOME_UNKNOWN");
        let calls = world.calls(DigitalChalk).await;
        let methods: Vec<_> = calls.iter().map(|call| call.method.as_str()).collect();
        // It is looked for, but not sent again.
        assert_eq!(methods, ["GET", "POST", "GET"], "{fault}");
    }
}

#[tokio::test]
async fn a_create_that_is_throttled_is_not_done_and_not_repeated() {
    let world = World::with(3, |_| {}).await;
    world
        .fault(
            DigitalChalk,
            json!({ "kind": "rate_limit", "retry_after": 1, "method": "POST" }),
        )
        .await;

    let payload = upsert(&world, DigitalChalk, json!({ "email": NOBODY })).await;

    assert_eq!(payload["outcome"], "SKIPPED");
    let error = &payload["userErrors"][0];
    assert_eq!(
        (text(&error["code"]), &error["retryAfter"]),
        ("PROVIDER_RATE_LIMITED", &json!(1))
    );
    assert_eq!(world.calls(DigitalChalk).await.len(), 2);
}

#[tokio::test]
async fn an_update_may_be_repeated() {
    let world = World::with(200, |_| {}).await;
    world
        .fault(
            DigitalChalk,
            json!({ "kind": "status", "status": 500, "count": 1, "method": "PUT" }),
        )
        .await;

    written(
        &world,
        DigitalChalk,
        json!({ "email": AT_DIGITAL_CHALK, "firstName": "Renamed" }),
        "UPDATED",
    )
    .await;

    let calls = world.calls(DigitalChalk).await;
    let methods: Vec<_> = calls.iter().map(|call| call.method.as_str()).collect();
    assert_eq!(methods, ["GET", "PUT", "PUT", "GET"]);
}

#[tokio::test]
async fn two_records_with_an_address_are_ambiguous() {
    let world = World::with(200, |_| {}).await;
    let before = world.records(DigitalChalk).await;

    let errors = skipped(
        &world,
        DigitalChalk,
        json!({ "email": SHARED, "firstName": "Who" }),
    )
    .await;

    assert_eq!(errors[0]["field"], json!(["input", "email"]));
    assert_eq!(
        errors[0]["message"],
        "2 users have this email: say with `remoteId` which one is meant"
    );
    assert_eq!(
        calls(&world, DigitalChalk).await,
        [format!("GET {USERS} 200")]
    );
    assert_eq!(world.records(DigitalChalk).await, before);
}

#[tokio::test]
async fn a_search_that_was_not_read_to_its_end_creates_no_user() {
    let world = World::with(200, |settings| {
        let options = &mut account(settings, DigitalChalk).options;
        options.insert("search_pages".to_owned(), 1.into());
    })
    .await;

    let errors = skipped(
        &world,
        DigitalChalk,
        json!({ "email": POSITION_101, "firstName": "New" }),
    )
    .await;

    assert_eq!(errors[0]["code"], "BAD_USER_INPUT");
    assert_eq!(
        calls(&world, DigitalChalk).await,
        [format!("GET {USERS} 200")]
    );
}

#[tokio::test]
async fn a_search_that_fails_writes_nothing_and_says_so() {
    let world = World::with(3, |settings| account(settings, DigitalChalk).attempts = 2).await;
    world
        .fault(
            DigitalChalk,
            json!({ "kind": "status", "status": 500, "method": "GET" }),
        )
        .await;

    let errors = skipped(&world, DigitalChalk, json!({ "email": NOBODY })).await;

    assert_eq!(errors[0]["code"], "PROVIDER_UNAVAILABLE");
    assert_eq!(
        calls(&world, DigitalChalk).await,
        vec![format!("GET {USERS} 500"); 2]
    );
}

#[tokio::test]
async fn a_providers_refusal_is_reported_by_field() {
    let world = World::with(200, |_| {}).await;
    let input = json!({ "email": NOBODY, "username": "ann" });

    let payload = upsert(&world, DigitalChalk, input).await;

    assert_eq!(
        payload,
        json!({ "outcome": "SKIPPED", "user": null, "userErrors": [{
            "field": ["input", "username"], "message": "already in use", "code": "PROVIDER_REJECTED", "retryAfter": null,
        }] })
    );
    let calls = calls(&world, DigitalChalk).await;
    assert_eq!(
        calls,
        [format!("GET {USERS} 200"), format!("POST {USERS} 400")]
    );
}
