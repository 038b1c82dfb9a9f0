//! Users by id, by external id and by address, each in one call.

use serde_json::{Value, json};

use super::{ScimServer, external_id, home, user_name, work, world};
use crate::world::World;

/// The users of the query's `found`, by their user names.
async fn found(
    (world, server): &(World, ScimServer),
    query: &str,
    variables: Value,
) -> Vec<String> {
    server.take_calls();
    let data = world.data_with(query, variables).await;
    let calls = server.take_calls();
    assert_eq!(calls.len(), 1, "{calls:?}");
    let users = match &data["found"] {
        Value::Null => Vec::new(),
        one if one.get("nodes").is_none() => vec![one.clone()],
        many => many["nodes"].as_array().expect("nodes").clone(),
    };
    let name = |user: &Value| user["username"].as_str().map(str::to_owned);
    let mut names: Vec<_> = users
        .iter()
        .map(|user| name(user).expect("a name"))
        .collect();
    names.sort();
    names
}

async fn by(world: &(World, ScimServer), key: Value) -> Vec<String> {
    let query = "query ($by: UserKey!) { found: user(provider: SCIM, by: $by) { username } }";
    found(world, query, json!({ "by": key })).await
}

async fn by_email(world: &(World, ScimServer), email: &str) -> Vec<String> {
    let query = "query ($email: String!) {
        found: usersByEmail(email: $email) { nodes { username } sources { status } } }";
    found(world, query, json!({ "email": email })).await
}

#[tokio::test]
async fn a_user_is_found_by_id() {
    let Some(world) = world(20, 100).await else {
        return;
    };
    for user in world.1.users().await.iter().step_by(3) {
        let names = by(&world, json!({ "remoteId": user["id"] })).await;
        assert_eq!(names, [user["userName"].as_str().expect("a name")]);
    }
    let nobody = by(&world, json!({ "remoteId": "nobody" })).await;
    assert_eq!(nobody, [""; 0]);
}

#[tokio::test]
async fn a_user_is_found_by_external_id_in_its_letter_case() {
    let Some(world) = world(20, 100).await else {
        return;
    };
    for number in [1, 2, 9, 19] {
        let key = json!({ "externalId": external_id(number) });
        assert_eq!(by(&world, key).await, [user_name(number)]);
    }
    for absent in ["ext-0", "EXT-1", "nobody", "a\"b\\c"] {
        let names = by(&world, json!({ "externalId": absent })).await;
        assert_eq!(names, [""; 0], "{absent}");
    }
}

#[tokio::test]
async fn a_user_is_found_by_each_address_in_any_letter_case() {
    let Some(world) = world(20, 100).await else {
        return;
    };
    let both = [work(9), home(9)];
    let upper = work(9).to_uppercase();
    for email in both.iter().chain([&upper]) {
        assert_eq!(by_email(&world, email).await, [user_name(9)], "{email}");
    }
    // This user has no addresses but a user name that is one.
    assert_eq!(by_email(&world, &work(5)).await, [user_name(5)]);
    for absent in [home(1), "nobody@x.test".to_owned()] {
        assert_eq!(by_email(&world, &absent).await, [""; 0], "{absent}");
    }
}

#[tokio::test]
async fn several_addresses_are_one_call() {
    let Some(world) = world(20, 100).await else {
        return;
    };
    let searches: String = (1..15)
        .map(|number| {
            let email = work(number);
            format!("s{number}: usersByEmail(email: \"{email}\") {{ nodes {{ username }} }} ")
        })
        .collect();
    world.1.take_calls();
    let data = world.0.data(&format!("{{ {searches} }}")).await;
    let calls = world.1.take_calls();
    assert_eq!(calls.len(), 1, "{calls:?}");
    for number in (1..15).filter(|number| number % 10 != 5 || number % 4 != 0) {
        let names = data[format!("s{number}")]["nodes"].clone();
        assert_eq!(
            names,
            json!([{ "username": user_name(number) }]),
            "{number}"
        );
    }
}
