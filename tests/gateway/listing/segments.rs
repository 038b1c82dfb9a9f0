//! Usertour's segments: an unknown one is no filter to the server, and none at all may be one.

use roster::account::Provider;
use roster_sandbox::known;
use serde_json::{Value, json};

use super::page::{answer, ids, page};
use crate::world::World;

const USERTOUR: Provider = Provider::Usertour;

/// The ids that the server itself lists.
async fn at_server(world: &World, query: &str) -> Vec<String> {
    let list = world
        .at_provider(USERTOUR, &format!("/v1/users?limit=100&{query}"))
        .await;
    let rows = list["results"].as_array().cloned().unwrap_or_default();
    let ids = rows.iter().filter_map(|row| row["id"].as_str());
    ids.map(str::to_owned).collect()
}

#[tokio::test]
async fn a_list_without_a_segment_is_whole_whatever_segment_the_server_has_first() {
    let world = World::with(90, |_| {}).await;
    let everybody = ids(&world, USERTOUR).await;
    for first in ["first_by_hand", "first_by_rule"] {
        world.behave(USERTOUR, "segments", first).await;
        assert_ne!(at_server(&world, "").await, everybody, "the fault is there");

        let list = page(&world, USERTOUR, json!({ "first": 100 })).await;

        list.assert_is(&everybody, 0, everybody.len());
        assert_eq!(list.source().status, "COMPLETE");
        let query =
            "{ usersByEmail(email: \"joann@x.test\", providers: [USERTOUR]) { nodes { email } } }";
        let found = world.data(query).await;
        assert_eq!(found["usersByEmail"]["nodes"][0]["email"], "joann@x.test");
    }
}

#[tokio::test]
async fn a_server_that_refuses_the_impossible_segment_gets_a_request_without() {
    let world = World::with(90, |_| {}).await;
    world.behave(USERTOUR, "segments", "strict").await;
    let everybody = ids(&world, USERTOUR).await;
    for statuses in [&[404, 200][..], &[200]] {
        world.forget_calls().await;
        let list = page(&world, USERTOUR, json!({ "first": 100 })).await;
        list.assert_is(&everybody, 0, everybody.len());
        let calls = world.calls(USERTOUR).await;
        let seen: Vec<u16> = calls.iter().filter_map(|call| call.status).collect();
        assert_eq!(seen, statuses);
    }
}

#[tokio::test]
async fn a_list_of_a_segment_is_exact_and_complete() {
    let world = World::with(90, |_| {}).await;
    for segment in [
        known::SEGMENT_BY_HAND,
        known::SEGMENT_BY_RULE,
        known::SEGMENT_OF_OTHERS,
    ] {
        let expected = at_server(&world, &format!("segmentId={segment}")).await;
        let filter = json!({ "segmentId": segment });

        let list = page(&world, USERTOUR, json!({ "first": 100, "filter": filter })).await;

        assert_eq!(list.ids(), expected, "{segment}");
        assert_eq!(list.source().status, "COMPLETE", "{segment}");
    }
}

#[tokio::test]
async fn a_segment_without_effect_is_an_error_and_never_the_whole_list() {
    let world = World::with(230, |_| {}).await;
    for filter in [
        json!({ "segmentId": "cmnobodys" }),
        json!({ "segmentId": "cmnobodys", "email": "ann@x.test" }),
        json!({ "segmentId": known::SEGMENT_OF_ALL }),
    ] {
        let answer = answer(&world, USERTOUR, json!({ "first": 5, "filter": filter })).await;

        assert_eq!(answer["data"]["users"], Value::Null, "{filter}");
        let error = &answer["errors"][0];
        assert_eq!(error["extensions"]["code"], "BAD_USER_INPUT", "{filter}");
        let message = error["message"].as_str().unwrap_or_default();
        assert!(message.contains("does not know this segment"), "{message}");
    }
}

#[tokio::test]
async fn a_segment_and_an_address_hold_both() {
    let world = World::with(90, |_| {}).await;
    let members = world
        .at_provider(
            USERTOUR,
            &format!("/v1/users?limit=100&segmentId={}", known::SEGMENT_BY_HAND),
        )
        .await;
    let member = &members["results"][1];
    for (segment, is_there) in [
        (known::SEGMENT_BY_HAND, true),
        (known::SEGMENT_OF_OTHERS, false),
    ] {
        let filter = json!({ "segmentId": segment, "email": member["attributes"]["email"] });
        let list = page(&world, USERTOUR, json!({ "first": 5, "filter": filter })).await;
        let wanted: Vec<&str> = member["id"]
            .as_str()
            .into_iter()
            .filter(|_| is_there)
            .collect();
        assert_eq!(list.ids(), wanted, "{segment}");
    }
}
