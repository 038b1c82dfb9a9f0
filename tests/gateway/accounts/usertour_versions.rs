//! Which version of Usertour's API an account speaks: its token and its options tell, and must agree.

use roster::{account::Provider, app, config::Settings};
use serde_json::json;

use crate::world::{World, account, usertour_v2};

/// The error of an account at Usertour.
fn said(token: &str, options: &str) -> Result<(), String> {
    let text = format!("[accounts.usertour]\noptions = {{ {options} }}\n");
    let mut settings = Settings::parse(&text).expect("a configuration");
    account(&mut settings, Provider::Usertour).token = Some(token.to_owned().into());
    app::open(&settings)
        .map(drop)
        .map_err(|wrong| wrong.to_string())
}

const IDS: &str = "project = \"p\", environment = \"e\"";

#[tokio::test]
async fn a_token_and_options_that_agree_are_taken() {
    for (token, options) in [
        ("ak_t", ""),
        ("t", ""),
        ("ak_t", "version = \"v1\""),
        ("t", "version = \"v1\""),
        ("utp_t", IDS),
        (
            "utp_t",
            "version = \"v2\", project = \"p\", environment = \"e\"",
        ),
    ] {
        assert_eq!(said(token, options), Ok(()), "{token} {options}");
    }
}

#[tokio::test]
async fn a_token_and_options_that_contradict_each_other_are_refused_in_words_that_help() {
    let missing = "accounts.usertour.options: version 2 of Usertour's API needs the ids of a project and an \
         environment: write `options = { project = \"...\", environment = \"...\" }`";
    for (token, options, says) in [
        ("utp_secret", "", missing),
        ("utp_secret", "project = \"p\"", missing),
        (
            "utp_secret",
            "environment = \"e\", project = \" \"",
            missing,
        ),
        (
            "ak_secret",
            "version = \"v2\", project = \"p\", environment = \"e\"",
            "`version` is \"v2\", and the token does not begin with `utp_`",
        ),
        (
            "utp_secret",
            "version = \"v1\"",
            "`version` is \"v1\", and the token begins with `utp_`",
        ),
        (
            "ak_secret",
            "version = \"v3\"",
            "`version` is \"v3\": expected \"v1\" or \"v2\"",
        ),
        (
            "ak_secret",
            IDS,
            "`project` and `environment` are for version 2",
        ),
        ("ak_secret", "verzion = \"v1\"", "verzion"),
    ] {
        let wrong = said(token, options).expect_err("a mistake");
        assert!(wrong.starts_with("accounts.usertour.options: "), "{wrong}");
        assert!(wrong.contains(says), "{token} {options}: {wrong}");
        assert!(!wrong.contains("secret"), "{wrong}");
    }
}

#[tokio::test]
async fn two_accounts_may_speak_different_versions() {
    let world = World::with(90, |settings| {
        let sandbox = account(settings, Provider::Usertour).base_url.clone();
        let mut other = crate::world::settings("127.0.0.1:1".parse().expect("an address"));
        usertour_v2(&mut other);
        let mut newer = other.accounts.remove("usertour").expect("an account");
        newer.provider = Some(Provider::Usertour);
        newer.base_url = sandbox;
        settings.accounts.insert("usertour-new".to_owned(), newer);
    })
    .await;
    let read = |account: &str| {
        format!(
            "{account}: user(provider: USERTOUR, account: \"{}\", by: {{ remoteId: \"crm-ann\" }}) {{
                details {{ ... on UsertourUser {{ memberships {{ companyId }} }} }} }}",
            if account == "old" { "usertour" } else { "usertour-new" }
        )
    };

    let data = world
        .data(&format!("{{ {} {} }}", read("old"), read("new")))
        .await;

    let company = |name: &str| data[name]["details"]["memberships"][0]["companyId"].clone();
    assert_eq!(company("new"), json!("c-1"));
    assert_ne!(company("old"), json!("c-1"));
}
