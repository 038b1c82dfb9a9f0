//! Which account a field means.

use serde_json::{Value, json};

use super::{ACCOUNTS, world};

/// The code and the message of the only error of an answer.
fn refusal(answer: &Value) -> (&str, &str) {
    let error = &answer["errors"][0];
    let code = error["extensions"]["code"].as_str().unwrap_or_default();
    (code, error["message"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn one_of_several_accounts_must_be_named() {
    let (world, stand_in) = world(|_| {}).await;
    for query in [
        "{ users(provider: INTERCOM) { nodes { id } } }",
        "{ user(provider: INTERCOM, by: { remoteId: \"1\" }) { id } }",
    ] {
        let answer = world.answer(query).await;

        let (code, message) = refusal(&answer);
        assert_eq!(code, "BAD_USER_INPUT");
        assert!(message.contains("intercom-new, intercom-old"), "{message}");
    }
    let write = "mutation { upsertUser(input: { provider: ADA, email: \"a@b.test\" }) { outcome userErrors { code message } } }";
    let written = world.data(write).await;
    let error = &written["upsertUser"]["userErrors"][0];
    assert_eq!(error["code"], "BAD_USER_INPUT", "{written}");
    assert!(stand_in.take().is_empty());
}

#[tokio::test]
async fn an_account_of_another_provider_is_no_account_of_this_one() {
    let (world, _stand_in) = world(|_| {}).await;
    for (account, says) in [
        ("ada", "no account of Intercom"),
        ("nobody", "no account of Intercom"),
    ] {
        let query =
            format!("{{ users(provider: INTERCOM, account: \"{account}\") {{ nodes {{ id }} }} }}");
        let answer = world.answer(&query).await;

        let (code, message) = refusal(&answer);
        assert_eq!(code, "BAD_USER_INPUT");
        assert!(message.contains(says), "{message}");
    }
}

#[tokio::test]
async fn providers_and_accounts_must_both_hold() {
    let (world, _stand_in) = world(|_| {}).await;
    let query = |arguments: &str| {
        format!(
            "{{ usersByEmail(email: \"ann@people.test\", {arguments}) {{ sources {{ account }} }} }}"
        )
    };
    for (arguments, asked) in [
        ("providers: [ADA]", &["ada", "ada-eu"][..]),
        (
            "accounts: [\"intercom-old\", \"ada\"]",
            &["ada", "intercom-old"],
        ),
        (
            "providers: [INTERCOM], accounts: [\"ada\", \"intercom-old\"]",
            &["intercom-old"],
        ),
        ("providers: [USERTOUR]", &["usertour"]),
    ] {
        let data = world.data(&query(arguments)).await;
        let expected: Vec<_> = asked
            .iter()
            .map(|name| json!({ "account": name }))
            .collect();
        assert_eq!(
            data["usersByEmail"]["sources"],
            json!(expected),
            "{arguments}"
        );
    }
    for arguments in [
        "accounts: []",
        "accounts: [\"nobody\"]",
        "providers: [INTERCOM], accounts: [\"ada\"]",
    ] {
        let answer = world.answer(&query(arguments)).await;
        assert_eq!(refusal(&answer).0, "BAD_USER_INPUT", "{arguments}");
    }
}

#[tokio::test]
async fn a_provider_without_an_account_is_disabled_and_no_source_of_a_search_of_all() {
    let (world, stand_in) = world(|_| {}).await;

    let all = world
        .data("{ usersByEmail(email: \"nobody@people.test\") { sources { account } } }")
        .await;
    let one = "{ usersByEmail(email: \"a@b.test\", providers: [USERTOUR]) { totalCount sources { provider status } } }";
    let one = world.data(one).await;
    stand_in.take();
    let user = world
        .answer("{ user(provider: USERTOUR, by: { remoteId: \"1\" }) { id } }")
        .await;

    let names = ACCOUNTS.map(|(name, _, _)| json!({ "account": name }));
    assert_eq!(all["usersByEmail"]["sources"], json!(names));
    let source = json!([{ "provider": "USERTOUR", "status": "DISABLED" }]);
    assert_eq!(one["usersByEmail"]["sources"], source);
    let (code, message) = refusal(&user);
    assert_eq!(code, "ACCOUNT_DISABLED");
    assert!(message.contains("no account of Usertour"), "{message}");
    assert!(stand_in.take().is_empty());
}

#[tokio::test]
async fn an_id_of_an_account_that_is_gone_says_so() {
    let (world, _stand_in) = world(|_| {}).await;
    let id = "{ user(provider: ADA, account: \"ada-eu\", by: { remoteId: \"1\" }) { id } }";
    let data = world.data(id).await;
    let (other, _stand_in) = super::world(|all| {
        all.accounts.remove("ada-eu");
    })
    .await;

    let id = data["user"]["id"].as_str().expect("an id");
    let answer = other
        .answer(&format!("{{ node(id: \"{id}\") {{ id }} }}"))
        .await;

    let (code, message) = refusal(&answer);
    assert_eq!(code, "BAD_USER_INPUT");
    assert!(message.contains("ada-eu"), "{message}");
}
