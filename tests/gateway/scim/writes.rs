//! Writes: by PATCH or PUT, and never over what somebody else wrote.

use roster::account::Provider::Scim;
use roster_sandbox::known;
use serde_json::{Value, json};

use super::{calls, world};
use crate::world::World;

const UPSERT: &str = "mutation ($input: UpsertUserInput!) { upsertUser(input: $input) { outcome
    user { remoteId externalId email emails name firstName username phone locale attributes raw }
    userErrors { field message code } } }";

async fn upsert(world: &World, mut input: Value) -> Value {
    input["provider"] = "SCIM".into();
    world.forget_calls().await;
    let mut data = world.data_with(UPSERT, json!({ "input": input })).await;
    data["upsertUser"].take()
}

async fn written(world: &World, input: Value, outcome: &str) -> Value {
    let mut payload = upsert(world, input).await;
    assert_eq!(payload["userErrors"], json!([]), "{payload}");
    assert_eq!(payload["outcome"], outcome, "{payload}");
    payload["user"].take()
}

#[tokio::test]
async fn an_unknown_address_is_created_with_the_address_as_its_user_name() {
    let world = world(5).await;
    let input = json!({
        "email": "New@x.test", "externalId": "e-new", "firstName": "New", "phone": "+1 2",
        "attributes": { "urn:example:sandbox:2.0:User": { "plan": "gold" } },
    });

    let user = written(&world, input, "CREATED").await;

    assert_eq!(user["email"], "New@x.test");
    assert_eq!(user["emails"], json!(["New@x.test"]));
    assert_eq!(user["username"], "New@x.test");
    assert_eq!(user["externalId"], "e-new");
    assert_eq!(user["firstName"], "New");
    assert_eq!(user["phone"], "+1 2");
    let custom = &user["attributes"]["urn:example:sandbox:2.0:User"];
    assert_eq!(*custom, json!({ "plan": "gold" }));
    assert_eq!(user["raw"]["emails"][0]["primary"], true);
    let calls = calls(&world).await;
    assert_eq!(calls.last().map(String::as_str), Some("POST /Users 201"));
}

#[tokio::test]
async fn a_change_is_the_same_by_patch_and_by_put_and_leaves_the_rest() {
    for (switch, verb) in [("", "PATCH"), ("no_content", "PATCH"), ("off", "PUT")] {
        let world = world(known::ENOUGH).await;
        if !switch.is_empty() {
            world.behave(Scim, "patch", switch).await;
        }
        let find = "{ usersByEmail(email: \"ann@x.test\") { nodes { raw } } }";
        let before = world.data(find).await["usersByEmail"]["nodes"][0]["raw"].take();
        let input = json!({
            "email": "ann@x.test", "name": "Ann A.", "phone": "+1 2", "locale": "de-AT",
            "attributes": { "urn:example:sandbox:2.0:User": { "plan": "silver", "seats": null } },
        });

        let user = written(&world, input, "UPDATED").await;

        assert_eq!(user["name"], "Ann A.", "{switch}");
        assert_eq!(user["firstName"], "Ann");
        assert_eq!(user["phone"], "+1 2");
        assert_eq!(user["locale"], "de-AT");
        let custom = &user["attributes"]["urn:example:sandbox:2.0:User"];
        let expected = json!({ "plan": "silver", "beta": true, "job title": "pilot" });
        assert_eq!(*custom, expected);
        for same in [
            "emails",
            "addresses",
            "groups",
            "userName",
            "active",
            "photos",
        ] {
            assert_eq!(user["raw"][same], before[same], "{switch} {same}");
        }
        let calls = calls(&world).await;
        let id = user["remoteId"].as_str().expect("an id");
        let status = if switch == "no_content" { 204 } else { 200 };
        let mut expected = vec![
            "GET /Users 200".to_owned(),
            "GET /ServiceProviderConfig 200".to_owned(),
            format!("{verb} /Users/{id} {status}"),
        ];
        if switch == "no_content" {
            expected.push(format!("GET /Users/{id} 200"));
        }
        assert_eq!(calls, expected);
    }
}

#[tokio::test]
async fn a_put_keeps_the_digits_of_numbers_beyond_doubles() {
    let world = world(known::ENOUGH).await;
    world.behave(Scim, "patch", "off").await;
    let input = json!({ "email": known::BIG_NUMBER, "name": "Big" });

    let user = written(&world, input, "UPDATED").await;

    let custom = &user["attributes"]["urn:example:sandbox:2.0:User"];
    assert_eq!(custom["largest"], json!(i64::MAX));
    assert_eq!(custom["account"], json!(9_007_199_254_740_993_i64));
}

#[tokio::test]
async fn a_field_is_cleared_and_what_is_not_there_is_no_change() {
    for switch in ["", "off"] {
        let world = world(20).await;
        if !switch.is_empty() {
            world.behave(Scim, "patch", switch).await;
        }
        let input = json!({ "email": "ann@x.test", "phone": null, "firstName": null });

        let user = written(&world, input.clone(), "UPDATED").await;
        let again = written(&world, input, "MATCHED").await;

        assert_eq!(user["phone"], Value::Null);
        assert_eq!(user["firstName"], Value::Null);
        assert_eq!(again["remoteId"], user["remoteId"]);
        assert_eq!(user["raw"].get("phoneNumbers"), None);
    }
}

#[tokio::test]
async fn another_address_takes_the_place_of_the_primary_one() {
    let world = world(20).await;
    let found = world
        .data("{ usersByEmail(email: \"ann@x.test\") { nodes { remoteId } } }")
        .await;
    let id = &found["usersByEmail"]["nodes"][0]["remoteId"];

    let user = written(
        &world,
        json!({ "remoteId": id, "email": "anna@x.test" }),
        "UPDATED",
    )
    .await;

    // The user name stays, and is an address.
    assert_eq!(
        user["emails"],
        json!(["anna@x.test", "ann@home.test", "ann@x.test"])
    );
    assert_eq!(user["username"], "ann@x.test");

    let input = json!({ "remoteId": id, "email": "ann@home.test" });
    let user = written(&world, input, "UPDATED").await;
    assert_eq!(user["email"], "ann@home.test");
    let primary = user["raw"]["emails"].as_array().expect("a list").iter();
    let primary = primary.filter(|email| email["primary"] == true);
    assert_eq!(primary.count(), 1);
}

#[tokio::test]
async fn nothing_is_written_over_what_somebody_else_wrote_meanwhile() {
    for (switch, verb) in [("", "PATCH"), ("off", "PUT")] {
        let world = world(20).await;
        if !switch.is_empty() {
            world.behave(Scim, "patch", switch).await;
        }
        let refusal = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": "412",
        });
        let fault = json!({ "kind": "status", "status": 412, "body": refusal, "method": verb });
        world.fault(Scim, fault).await;

        let payload = upsert(&world, json!({ "email": "ann@x.test", "name": "Other" })).await;

        assert_eq!(payload["outcome"], "SKIPPED", "{payload}");
        let problem = &payload["userErrors"][0];
        assert_eq!(problem["code"], "PROVIDER_REJECTED");
        let message = problem["message"].as_str().expect("a text");
        assert!(message.contains("try again"), "{message}");
    }
}

#[tokio::test]
async fn a_user_name_that_is_taken_is_refused_with_the_servers_reason() {
    let world = world(20).await;
    let input = json!({ "externalId": "e-other", "username": "ann@x.test", "email": "o@x.test" });

    let payload = upsert(&world, input).await;

    assert_eq!(payload["outcome"], "SKIPPED", "{payload}");
    assert_eq!(payload["userErrors"][0]["code"], "PROVIDER_REJECTED");
}

#[tokio::test]
async fn what_a_server_never_takes_is_refused_without_a_call() {
    let world = world(20).await;
    for (input, field) in [
        (
            json!({ "email": "ann@x.test", "username": null }),
            "username",
        ),
        (
            json!({ "email": "ann@x.test", "attributes": { "plan": 1 } }),
            "attributes",
        ),
        (json!({ "email": "ann@x.test", "tags": ["vip"] }), "tags"),
    ] {
        let payload = upsert(&world, input).await;

        assert_eq!(payload["outcome"], "SKIPPED", "{payload}");
        assert_eq!(payload["userErrors"][0]["field"][1], field);
        assert_eq!(calls(&world).await, Vec::<String>::new());
    }
}
