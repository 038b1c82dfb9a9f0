//! Which account a field means.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
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
        "accounts: [\"digitalchalk\"]",
        "accounts: [\"ada\", \"usertour\"]",
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

#[tokio::test]
async fn a_name_that_no_account_can_have_is_not_repeated() {
    let (world, stand_in) = world(|_| {}).await;
    let long = "x".repeat(240_000);
    let ask = |name: &str| {
        let fields = (0..20).map(|index| {
            format!(
                "a{index}: users(provider: ADA, account: $name) {{ totalCount }}
                 b{index}: usersByEmail(email: \"a@b.test\", accounts: [$name]) {{ totalCount }}"
            )
        });
        let fields: Vec<_> = fields.collect();
        let query = format!("query($name: String!) {{ {} }}", fields.join(" "));
        (query, json!({ "name": name }))
    };
    for (name, shown) in [
        (long.as_str(), false),
        ("two\nlines", false),
        ("ada-us", true),
    ] {
        let (query, variables) = ask(name);
        let answer = world.answer_with(&query, variables).await;

        let (code, message) = refusal(&answer);
        assert_eq!(code, "BAD_USER_INPUT");
        assert_eq!(message.contains("ada-us"), shown, "{message:.200}");
        assert!(message.contains("ada-eu"), "it says which there are");
        assert!(answer.to_string().len() < 20_000);
    }
    assert!(stand_in.take().is_empty());
}

#[tokio::test]
async fn a_long_name_in_an_id_is_not_repeated() {
    let (world, _stand_in) = world(|_| {}).await;
    let id = URL_SAFE_NO_PAD.encode(json!([3, "user", "x".repeat(20_000), "1"]).to_string());
    let answer = world
        .answer(&format!("{{ node(id: \"{id}\") {{ id }} }}"))
        .await;

    let (code, message) = refusal(&answer);
    assert_eq!(code, "BAD_USER_INPUT");
    assert!(message.len() < 200, "{message}");
}

#[tokio::test]
async fn a_name_at_a_provider_without_accounts_says_that_there_is_none() {
    let (world, _stand_in) = world(|_| {}).await;
    for name in ["crm", "usertour"] {
        let query =
            format!("{{ users(provider: USERTOUR, account: \"{name}\") {{ nodes {{ id }} }} }}");
        let answer = world.answer(&query).await;

        let (code, message) = refusal(&answer);
        assert_eq!(code, "BAD_USER_INPUT");
        assert!(
            message.contains("this gateway has no account of Usertour"),
            "{message}"
        );
        assert!(!message.contains("there is:"), "{message}");
    }
}

#[tokio::test]
async fn a_mistake_in_the_account_of_a_write_names_its_field() {
    let (world, stand_in) = world(|_| {}).await;
    for account in ["", "account: \"nobody\","] {
        let write = format!(
            "mutation {{ upsertUser(input: {{ provider: ADA, {account} email: \"a@b.test\" }}) {{ userErrors {{ code field }} }} }}"
        );
        let written = world.data(&write).await;

        let error = json!([{ "code": "BAD_USER_INPUT", "field": ["input", "account"] }]);
        assert_eq!(written["upsertUser"]["userErrors"], error, "{account}");
    }
    assert!(stand_in.take().is_empty());
}

#[tokio::test]
async fn a_search_for_no_users_says_of_each_account_that_it_was_not_asked() {
    let (world, stand_in) = world(|all| {
        if let Some(account) = all.accounts.get_mut("ada-eu") {
            account.enabled = false;
        }
    })
    .await;
    for matching in ["EXACT", "PREFIX"] {
        let query = format!(
            "{{ usersByEmail(email: \"ann@people.test\", match: {matching}, first: 0) {{ totalCount nodes {{ id }}
                sources {{ account status notices {{ code message }} }} }} }}"
        );
        let data = world.data(&query).await;

        let search = &data["usersByEmail"];
        assert_eq!(search["totalCount"], Value::Null, "{search}");
        for (source, (name, _, _)) in search["sources"]
            .as_array()
            .expect("sources")
            .iter()
            .zip(ACCOUNTS)
        {
            assert_eq!(source["account"], name);
            let notice = &source["notices"][0];
            match name {
                "ada-eu" => assert_eq!(source["status"], "DISABLED"),
                _ => {
                    assert_eq!(source["status"], "SKIPPED");
                    assert_eq!(notice["code"], "NO_ROWS_ASKED");
                    let message = notice["message"].as_str().unwrap_or_default();
                    assert!(message.contains("`first` is 0"), "{message}");
                }
            }
        }
        assert_eq!(search["sources"].as_array().map(Vec::len), Some(4));
    }
    assert!(stand_in.take().is_empty());
}
