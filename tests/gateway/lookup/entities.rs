//! Entities of other subgraphs: a hundred representations at once, equal ones once, bad ones alone.

use roster_sandbox::known;
use serde_json::{Value, json};

use crate::world::{FOUR, World, word};

const USERS: &str = "query ($any: [_Any!]!) {
    _entities(representations: $any) { ... on User { id provider remoteId email } } }";
const PERSONS: &str = "query ($any: [_Any!]!) {
    _entities(representations: $any) { ... on Person { email name users { provider email } } } }";

/// The first users of every provider's list.
async fn some_of_each(world: &World, first: usize) -> Vec<Value> {
    let mut all = Vec::new();
    for provider in FOUR {
        let list = "query ($of: Provider!, $first: Int) {
            users(provider: $of, first: $first) { nodes { id provider remoteId email } } }";
        let variables = json!({ "of": word(provider), "first": first });
        let mut data = world.data_with(list, variables).await;
        let users = data["users"]["nodes"].take();
        all.extend(users.as_array().expect("users").iter().cloned());
    }
    world.forget_calls().await;
    all
}

fn by_id(user: &Value) -> Value {
    json!({ "__typename": "User", "id": user["id"] })
}

/// The name of the account that holds a user: in the demo that of its provider.
fn of(user: &Value) -> String {
    let provider = user["provider"].as_str().unwrap_or_default();
    provider.to_lowercase().replace('_', "")
}

fn by_account(user: &Value) -> Value {
    json!({ "__typename": "User", "account": of(user), "remoteId": user["remoteId"] })
}

#[tokio::test]
async fn a_hundred_users_come_in_order_and_equal_keys_take_one_call() {
    let world = World::with(60, |_| {}).await;
    let users = some_of_each(&world, 20).await;
    assert_eq!(users.len(), 80);
    let again: Vec<_> = users.iter().step_by(4).collect();
    let any = users.iter().rev().map(by_id);
    let any: Vec<_> = any
        .chain(again.iter().map(|user| by_account(user)))
        .collect();
    assert_eq!(any.len(), 100);

    let data = world.data_with(USERS, json!({ "any": any })).await;

    let expected: Value = users.iter().rev().chain(again).cloned().collect();
    assert_eq!(data["_entities"], expected);
    assert_eq!(world.tally().await, [20, 20, 1, 20]);
}

#[tokio::test]
async fn a_hundred_persons_of_ten_addresses_are_as_few_calls_as_each_provider_allows() {
    let world = World::with(100, |_| {}).await;
    let emails = [
        known::EVERYWHERE,
        known::JOANN,
        known::PLUS,
        known::SHARED,
        known::UNDERSCORE,
        known::PERCENT,
        known::APOSTROPHE,
        known::PREFIX,
        known::IDN,
        known::NOBODY,
    ];
    let any = emails.iter().cycle().take(100);
    let any: Vec<_> = any
        .map(|email| json!({ "__typename": "Person", "email": email }))
        .collect();

    let data = world.data_with(PERSONS, json!({ "any": any })).await;

    let persons = data["_entities"].as_array().expect("persons");
    assert_eq!(persons.len(), 100);
    for (person, email) in persons.iter().zip(emails.iter().cycle()) {
        assert_eq!(person["email"], *email);
        let records = match *email {
            known::NOBODY => 0,
            known::SHARED => 7,
            _ => 4,
        };
        assert_eq!(
            person["users"].as_array().map(Vec::len),
            Some(records),
            "{email}"
        );
    }
    // A domain beyond ASCII is asked for in three forms where texts are compared.
    assert_eq!(world.tally().await, [1, 6, 1, 12]);
}

#[tokio::test]
async fn a_person_with_only_its_address_selected_makes_no_call() {
    let world = World::with(5, |_| {}).await;
    let read =
        "query ($any: [_Any!]!) { _entities(representations: $any) { ... on Person { email } } }";
    let any = json!([{ "__typename": "Person", "email": " Ann@X.test " }]);

    let data = world.data_with(read, json!({ "any": any })).await;

    assert_eq!(data["_entities"], json!([{ "email": "ann@x.test" }]));
    assert_eq!(world.tally().await, [0; 4]);
}

#[tokio::test]
async fn users_and_persons_may_be_mixed() {
    let world = World::with(60, |_| {}).await;
    let users = some_of_each(&world, 1).await;
    let read = "query ($any: [_Any!]!) { _entities(representations: $any) {
        __typename ... on User { remoteId } ... on Person { name } } }";
    let any = json!([
        { "__typename": "Person", "email": known::EVERYWHERE }, by_id(&users[0]), by_account(&users[3]),
    ]);

    let data = world.data_with(read, json!({ "any": any })).await;

    let expected = json!([
        { "__typename": "Person", "name": "Ann Archer" },
        { "__typename": "User", "remoteId": users[0]["remoteId"] },
        { "__typename": "User", "remoteId": users[3]["remoteId"] },
    ]);
    assert_eq!(data["_entities"], expected);
}

#[tokio::test]
async fn a_bad_representation_fails_alone_and_an_unknown_one_is_null() {
    let world = World::with(60, |_| {}).await;
    let users = some_of_each(&world, 1).await;
    let read = "query ($any: [_Any!]!) { _entities(representations: $any) {
        ... on User { remoteId } ... on Person { email } } }";
    let nobody = json!({ "__typename": "User", "account": "ada", "remoteId": "nobody" });
    let bad = [
        json!({ "__typename": "User", "id": "garbage" }),
        json!({ "__typename": "User", "account": "myspace", "remoteId": "1" }),
        json!({ "__typename": "Person", "email": "no address" }),
        json!({ "__typename": "User", "remoteId": "1" }),
        json!({ "__typename": "Ghost", "id": "1" }),
    ];
    let (first, second) = (by_id(&users[0]), by_account(&users[1]));
    let any = json!([
        first, bad[0], nobody, bad[1], second, bad[2], bad[3], bad[4]
    ]);

    let answer = world.answer_with(read, json!({ "any": any })).await;

    let known = |user: &Value| json!({ "remoteId": user["remoteId"] });
    let expected = json!([
        known(&users[0]),
        null,
        null,
        null,
        known(&users[1]),
        null,
        null,
        null
    ]);
    assert_eq!(answer["data"]["_entities"], expected);
    let errors = answer["errors"].as_array().expect("errors");
    assert_eq!(errors.len(), bad.len(), "{errors:?}");
    for error in errors {
        assert_eq!(error["extensions"]["code"], "BAD_USER_INPUT", "{error}");
        let message = error["message"].as_str().unwrap_or_default();
        assert!(message.starts_with("representation of "), "{message}");
    }
    assert_eq!(world.tally().await, [2, 1, 0, 0]);
}

#[tokio::test]
async fn more_representations_than_are_allowed_are_refused_without_a_call() {
    let world = World::with(5, |_| {}).await;
    let nobody = json!({ "__typename": "User", "account": "ada", "remoteId": "nobody" });

    let answer = world
        .answer_with(USERS, json!({ "any": vec![nobody; 501] }))
        .await;

    assert_eq!(answer.get("data"), None);
    assert_eq!(
        answer["errors"][0]["extensions"]["code"],
        "QUERY_TOO_COMPLEX"
    );
    assert_eq!(world.tally().await, [0; 4]);
}
