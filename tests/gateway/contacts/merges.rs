//! A contact that was merged is the contact that it became, on the provider's own host and within reason.

use roster::account::Provider::Intercom;
use serde_json::{Value, json};

use super::{World, at_intercom, calls, made, world};

/// Makes `many` contacts, each merged into the next.
async fn chain(world: &World, many: usize) -> Vec<String> {
    world.behave(Intercom, "merge", "any").await;
    world.behave(Intercom, "merged", "next_hop").await;
    let mut ids = Vec::new();
    for at in 0..many {
        let email = format!("chain{at}@x.test");
        ids.push(made(world, json!({ "email": email })).await);
    }
    for pair in ids.windows(2) {
        merge(world, &pair[0], &pair[1]).await;
    }
    ids
}

async fn merge(world: &World, from: &str, into: &str) {
    let body = json!({ "from": from, "into": into });
    at_intercom(world, "POST", "/contacts/merge", body).await;
}

async fn by_id(world: &World, id: &str) -> Value {
    let query = "query ($id: ID!) { user(provider: INTERCOM, by: { remoteId: $id }) { remoteId } }";
    world.answer_with(query, json!({ "id": id })).await
}

#[tokio::test]
async fn a_merged_contact_is_the_one_that_it_became_up_to_three_hops() {
    let world = world(5).await;
    let ids = chain(&world, 4).await;

    for (at, id) in ids.iter().enumerate() {
        let answer = by_id(&world, id).await;

        assert_eq!(answer["data"]["user"]["remoteId"], *ids[3], "{answer}");
        let hops = 3 - at;
        let expected = [
            vec!["GET /contacts/ID 410"; hops],
            vec!["GET /contacts/ID 200"],
        ]
        .concat();
        assert_eq!(calls(&world).await, expected);
        world.forget_calls().await;
    }
}

#[tokio::test]
async fn merged_contacts_in_one_request_are_each_the_contact_that_they_became() {
    let world = world(5).await;
    let ids = chain(&world, 3).await;
    let query = "query ($a: ID!, $b: ID!, $c: ID!) {
        a: user(provider: INTERCOM, by: { remoteId: $a }) { remoteId }
        b: user(provider: INTERCOM, by: { remoteId: $b }) { remoteId }
        c: user(provider: INTERCOM, by: { remoteId: $c }) { remoteId } }";
    let variables = json!({ "a": ids[0], "b": ids[1], "c": ids[2] });

    let data = world.data_with(query, variables).await;

    let it = json!({ "remoteId": ids[2] });
    assert_eq!(data, json!({ "a": it, "b": it, "c": it }));
}

#[tokio::test]
async fn a_longer_chain_and_a_circle_end_with_an_error() {
    let world = world(5).await;
    let ids = chain(&world, 5).await;
    let circle = chain(&world, 2).await;
    merge(&world, &circle[1], &circle[0]).await;

    for id in [&ids[0], &circle[0]] {
        let answer = by_id(&world, id).await;

        assert_eq!(answer["data"]["user"], Value::Null);
        let code = &answer["errors"][0]["extensions"]["code"];
        assert_eq!(*code, "PROVIDER_BAD_RESPONSE", "{answer}");
        assert_eq!(calls(&world).await, ["GET /contacts/ID 410"; 4]);
        world.forget_calls().await;
    }
}

#[tokio::test]
async fn a_merge_into_another_contact_is_an_error_and_one_into_none_is_null() {
    let world = world(5).await;
    for (link, is_error) in [
        (
            Some("<http://attacker.test/contacts/1>; rel=\"canonical\""),
            true,
        ),
        (Some("</admins/1>; rel=\"canonical\""), true),
        (Some("</contacts/>; rel=\"canonical\""), true),
        (Some("</contacts/1>; rel=\"next\""), false),
        (None, false),
    ] {
        let headers: Value = link.map_or(json!({}), |link| json!({ "link": link }));
        let fault = json!({ "kind": "status", "status": 410, "headers": headers, "count": 1 });
        world.fault(Intercom, fault).await;

        let answer = by_id(&world, "anybody").await;

        assert_eq!(answer["data"]["user"], Value::Null);
        let code = &answer["errors"][0]["extensions"]["code"];
        let expected = if is_error {
            json!("PROVIDER_BAD_RESPONSE")
        } else {
            Value::Null
        };
        assert_eq!(*code, expected, "{link:?}: {answer}");
        assert_eq!(calls(&world).await, ["GET /contacts/anybody 410"]);
        assert!(!answer.to_string().contains("attacker"));
        world.forget_calls().await;
    }
}
