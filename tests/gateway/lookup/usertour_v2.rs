//! Addresses at Usertour's version 2, which does not search for every address that its users have.

use roster::account::Provider::Usertour;
use roster_sandbox::known;
use serde_json::{Value, json};

use crate::world::{World, notices, usertour_v2};

const REFUSED: &str = "Usertour does not search for every address, and refuses one spelling of this one: users with that \
     spelling may be missing";

const FIND: &str = "query ($email: String!) { usersByEmail(email: $email, providers: [USERTOUR]) {
    nodes { email } sources { status notices { code message } error { code } } } }";

const LIST: &str =
    "query ($email: String!) { users(provider: USERTOUR, filter: { email: $email }) {
    nodes { email } sources { status notices { code message } error { code } } } }";

async fn world() -> World {
    World::with(known::ENOUGH, usertour_v2).await
}

#[tokio::test]
async fn an_address_that_the_provider_does_not_search_for_is_partial_and_no_error() {
    let world = world().await;
    let held = world.records(Usertour).await;
    for email in [known::UNICODE_LOCAL, known::PERCENT] {
        let is_held = held.iter().any(|record| record["email"] == email);
        assert!(is_held, "a user has {email}");
        for (query, field) in [(FIND, "usersByEmail"), (LIST, "users")] {
            let data = world.data_with(query, json!({ "email": email })).await;

            assert_eq!(data[field]["nodes"], json!([]), "{email}");
            let source = &data[field]["sources"][0];
            assert_eq!(source["status"], "PARTIAL", "{email}");
            assert_eq!(source["error"], Value::Null, "{email}");
            let notice = notices(source);
            assert!(notice.contains(REFUSED), "{email}: {notice}");
        }
    }
}

#[tokio::test]
async fn a_spelling_that_can_be_searched_for_finds_its_user_beside_one_that_cannot() {
    let world = world().await;
    let email = "info@b\u{fc}cher.test";
    let url = format!("http://{}/usertour/v1/users", world.sandbox);
    let user = json!({ "id": "puny", "attributes": { "email": "info@xn--bcher-kva.test" } });
    let made = world.client.post(url).json(&user);
    let made = made.bearer_auth(format!("ak_{}", roster_sandbox::TOKEN));
    assert_eq!(made.send().await.expect("an answer").status(), 201);

    for (query, field) in [(FIND, "usersByEmail"), (LIST, "users")] {
        let data = world.data_with(query, json!({ "email": email })).await;

        let found = json!([{ "email": "info@xn--bcher-kva.test" }]);
        assert_eq!(data[field]["nodes"], found);
        let source = &data[field]["sources"][0];
        assert_eq!(source["status"], "PARTIAL");
        let notice = notices(source);
        assert!(notice.contains(REFUSED), "{notice}");
    }
}

#[tokio::test]
async fn a_write_by_an_address_that_is_not_searched_for_is_not_carried_out() {
    let world = world().await;
    let write = "mutation ($email: String!) { upsertUser(input: { provider: USERTOUR, email: $email, name: \"New\" }) {
        outcome userErrors { message } } }";

    let data = world
        .data_with(write, json!({ "email": known::UNICODE_LOCAL }))
        .await;

    assert_eq!(data["upsertUser"]["outcome"], "SKIPPED");
    let message = data["upsertUser"]["userErrors"][0]["message"].as_str();
    let message = message.unwrap_or_default();
    assert!(message.contains("cannot be told"), "{message}");
}

#[tokio::test]
async fn a_user_is_found_by_both_cases_of_an_address() {
    let world = world().await;

    let data = world
        .data_with(FIND, json!({ "email": "ANN@x.test" }))
        .await;

    let found = json!([{ "email": known::EVERYWHERE }]);
    assert_eq!(data["usersByEmail"]["nodes"], found);
}
