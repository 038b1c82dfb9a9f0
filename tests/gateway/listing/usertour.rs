//! Usertour's tokens: a token becomes invalid when its user is deleted, and an exhausted
//! token is an error.

use roster::account::Provider;
use serde_json::json;

use super::page::{answer, ids, page};
use crate::world::World;

const USERTOUR: Provider = Provider::Usertour;

async fn delete(world: &World, id: &str) {
    let url = format!("http://{}/usertour/v1/users/{id}", world.sandbox);
    let key = format!("ak_{}", roster_sandbox::TOKEN);
    let answer = world.client.delete(url).bearer_auth(key).send().await;
    assert!(answer.expect("an answer").status().is_success(), "{id}");
}

#[tokio::test]
async fn a_tail_that_vanished_behind_a_token_is_the_end() {
    let world = World::with(110, |_| {}).await;
    let records = ids(&world, USERTOUR).await;
    let first = page(&world, USERTOUR, json!({ "first": 100 })).await;
    assert!(first.page_info.has_next_page);
    for id in &records[100..] {
        delete(&world, id).await;
    }
    world.forget_calls().await;

    let slice = json!({ "first": 20, "after": first.page_info.end_cursor });
    let rest = page(&world, USERTOUR, slice).await;

    assert_eq!(rest.ids(), Vec::<String>::new());
    let info = &rest.page_info;
    assert_eq!((info.has_previous_page, info.has_next_page), (true, false));
    assert_eq!(rest.source().status, "COMPLETE");
    let statuses: Vec<_> = world
        .calls(USERTOUR)
        .await
        .iter()
        .map(|call| call.status)
        .collect();
    assert_eq!(statuses, [Some(400), Some(200)]);
}

#[tokio::test]
async fn a_scan_whose_tokens_all_become_invalid_ends_in_an_error_that_says_what_to_do() {
    let world = World::with(120, |_| {}).await;
    let first = page(&world, USERTOUR, json!({ "first": 30 })).await;
    let second = json!({ "first": 30, "after": first.page_info.end_cursor });
    let second = page(&world, USERTOUR, second).await;
    world.behave(USERTOUR, "delete_cursor", "always").await;
    world.forget_calls().await;

    let slice = json!({ "first": 30, "after": second.page_info.end_cursor });
    let answer = answer(&world, USERTOUR, slice).await;

    assert_eq!(answer["data"], json!({ "users": null }));
    assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
    let message = "the provider no longer knows the place that this cursor names: read the list from its start";
    assert_eq!(answer["errors"][0]["message"], message);
    assert_eq!(world.calls(USERTOUR).await.len(), 2);
}

#[tokio::test]
async fn ids_that_a_path_cannot_hold_as_they_are_find_their_users() {
    let world = World::with(200, |_| {}).await;
    for provider in [Provider::Intercom, USERTOUR] {
        let known = roster_sandbox::known::ODD_EXTERNAL_IDS;
        for (id, email) in known
            .iter()
            .zip(roster_sandbox::known::ODD_EXTERNAL_ID_EMAILS)
        {
            let find = "query ($of: Provider!, $id: ID!) {
                user(provider: $of, by: { externalId: $id }) { email externalId } }";
            let of = crate::world::word(provider);
            let data = world.data_with(find, json!({ "of": of, "id": id })).await;
            assert_eq!(data["user"], json!({ "email": email, "externalId": id }));
        }
    }
}
#[tokio::test]
async fn a_deleted_user_in_a_token_loses_and_repeats_no_other_user() {
    let world = World::with(120, |_| {}).await;
    let records = ids(&world, USERTOUR).await;
    let mut scanned = Vec::new();
    let mut after = None;
    for (window, first) in [30, 30, 30, 30].into_iter().enumerate() {
        if window == 1 {
            world.behave(USERTOUR, "delete_cursor", "once").await;
        }
        let page = page(&world, USERTOUR, json!({ "first": first, "after": after })).await;
        scanned.extend(page.ids());
        after = page.page_info.end_cursor;
    }

    assert_eq!(scanned, records);
    assert_eq!(
        ids(&world, USERTOUR).await.len(),
        119,
        "one was deleted on the way"
    );
}

#[tokio::test]
async fn a_list_of_an_address_searches_it_as_given_and_in_lower_case() {
    let world = World::with(200, |_| {}).await;
    for (email, calls) in [("ANN@x.test", 2), ("ann@x.test", 1)] {
        world.forget_calls().await;
        let filter = json!({ "email": email });

        let page = page(&world, USERTOUR, json!({ "first": 5, "filter": filter })).await;

        assert_eq!(page.ids(), ["crm-ann"], "{email}");
        assert_eq!(world.calls(USERTOUR).await.len(), calls, "{email}");
    }
}
