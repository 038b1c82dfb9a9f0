//! Accounts in a configuration file.

use crate::program::{File, ran, roster, stderr, stdout};

async fn check(name: &str, text: &str) -> (Option<i32>, String) {
    let file = File::holding(name, text);
    let check = ran(roster(&["check", "--config", file.path()])).await;
    (check.status.code(), stdout(&check) + &stderr(&check))
}

#[tokio::test]
async fn mistakes_in_accounts_say_what_to_write() {
    let names = roster::account::Provider::ALL
        .map(|of| of.name())
        .join(", ");
    for (name, text, says) in [
        (
            "accounts-old-table",
            "[vendor.intercom]\nenabled = false\n",
            "[accounts.NAME]",
        ),
        (
            "accounts-case",
            "[accounts.Intercom]\nenabled = false\n",
            "lower-case letters",
        ),
        (
            "accounts-none",
            "[accounts.crm]\nenabled = false\n",
            &format!("accounts.crm.provider is missing: expected one of {names}"),
        ),
        (
            "accounts-other",
            "[accounts.ada]\nprovider = \"intercom\"\nenabled = false\n",
            "another provider's name",
        ),
        (
            "accounts-unknown",
            "[accounts.crm]\nprovider = \"intercomm\"\n",
            &format!("there is no `intercomm` here: expected one of {names}"),
        ),
        (
            "accounts-token",
            "[accounts.intercom]\n[accounts.intercom-eu]\nprovider = \"intercom\"\ntoken_env = \"ROSTER_INTERCOM_TOKEN\"\n",
            "accounts.intercom and accounts.intercom-eu read their tokens from one environment variable",
        ),
        (
            "accounts-variable",
            "[accounts.intercom-eu]\nprovider = \"intercom\"\n",
            "ROSTER_INTERCOM_EU_TOKEN",
        ),
    ] {
        let (code, told) = check(name, text).await;
        assert_eq!(code, Some(1), "{name}: {told}");
        assert!(told.contains(says), "{name}: {told}");
    }
}

#[tokio::test]
async fn several_accounts_of_one_provider_are_fine() {
    let token = File::holding("accounts-file", "secret");
    let text = format!(
        "[accounts.intercom]\ntoken_file = \"{0}\"\n[accounts.intercom-eu]\nprovider = \"intercom\"\nregion = \"eu\"\n\
         token_file = \"{0}\"\n[accounts.ada]\nenabled = false\n",
        token.path()
    );

    let (code, told) = check("accounts-fine", &text).await;

    assert_eq!(code, Some(0), "{told}");
    assert!(
        told.contains("enabled: intercom, intercom-eu; disabled: ada"),
        "{told}"
    );
}

#[tokio::test]
async fn all_mistakes_in_accounts_are_told_at_once() {
    let text = "[accounts.crm]\nenabled = false\n[accounts.Intercom]\n[accounts.intercom]\nattempts = 0\nregion = \"mars\"\n\
                [accounts.ada]\n[accounts.usertour]\noptions = { verzion = \"v1\" }\ntimeout_seconds = -1.0\n";

    let (code, told) = check("accounts-many", text).await;

    assert_eq!(code, Some(1));
    for says in [
        "accounts.crm.provider is missing",
        "accounts: an account has a name",
        "accounts.intercom.attempts is 0",
        "accounts.intercom.region",
        "accounts.intercom: no token",
        "accounts.ada.base_url is missing",
        "accounts.usertour.timeout_seconds is -1",
    ] {
        assert!(told.contains(says), "{says}: {told}");
    }
}

#[tokio::test]
async fn no_message_shows_what_may_be_a_secret() {
    let secret = "dG9rOjEyMzQ1Njc4OTAxMjM0NTY3ODkw";
    for (name, text) in [
        (
            "provider",
            format!("[accounts.crm]\nprovider = \"{secret}\"\n"),
        ),
        (
            "region",
            format!("[accounts.intercom]\nregion = \"{secret}\"\n"),
        ),
        (
            "address",
            format!("[accounts.intercom]\nbase_url = \"{secret}\"\n"),
        ),
        (
            "placeholder",
            format!("[accounts.ada]\nbase_url = \"https://HANDLE.{secret}/\"\n"),
        ),
        ("member", format!("[accounts.intercom]\n{secret} = 1\n")),
        (
            "file",
            format!("[accounts.intercom]\ntoken_file = \"{secret}\"\n"),
        ),
        (
            "variable",
            format!("[server]\nshow_calls_token_env = \"{secret}\"\n"),
        ),
        (
            "password",
            format!("[shared]\nurl = \"redis://127.0.0.1\"\npassword_env = \"{secret}\"\n"),
        ),
        (
            "prefix",
            format!("[shared]\nurl = \"redis://127.0.0.1\"\nprefix = \"a {secret}\"\n"),
        ),
    ] {
        let (code, told) = check(&format!("accounts-secret-{name}"), &text).await;
        assert_eq!(code, Some(1), "{name}: {told}");
        assert!(!told.contains(secret), "{name}: {told}");
    }
    for (provider, options) in [
        ("intercom", format!("version = \"{secret}\"")),
        ("usertour", format!("version = \"{secret}\"")),
        ("usertour", format!("{secret} = \"v1\"")),
    ] {
        let token = File::holding("accounts-secret-token", "ak_1");
        let text = format!(
            "[accounts.{provider}]\noptions = {{ {options} }}\ntoken_file = \"{}\"\n",
            token.path()
        );
        let (code, told) = check("accounts-secret-options", &text).await;
        assert_eq!(code, Some(1), "{options}: {told}");
        assert!(told.contains("options"), "{told}");
        assert!(!told.contains(secret), "{options}: {told}");
    }
}

#[tokio::test]
async fn the_secret_that_shows_calls_is_no_token_of_an_account() {
    for (name, text) in [
        (
            "accounts-shown-usual",
            "[server]\nshow_calls_token_env = \"ROSTER_INTERCOM_TOKEN\"\n[accounts.intercom]\n",
        ),
        (
            "accounts-shown-given",
            "[server]\nshow_calls_token_env = \"KEY\"\n[accounts.intercom]\ntoken_env = \"KEY\"\n",
        ),
    ] {
        let (code, told) = check(name, text).await;
        assert_eq!(code, Some(1), "{name}: {told}");
        let says = "accounts.intercom and server.show_calls_token_env read their tokens from one environment variable";
        assert!(told.contains(says), "{name}: {told}");
    }
}

#[tokio::test]
async fn a_provider_that_is_no_text_is_told_in_words() {
    let (code, told) = check("accounts-number", "[accounts.crm]\nprovider = 5\n").await;

    assert_eq!(code, Some(1));
    let says = "accounts.crm.provider: expected a text in quotes";
    assert!(told.contains(says), "{told}");
}

#[tokio::test]
async fn a_token_beyond_ascii_is_refused() {
    let token = File::holding("accounts-ascii-token", "secr\u{e9}t");
    let text = format!("[accounts.intercom]\ntoken_file = \"{}\"\n", token.path());

    let (code, told) = check("accounts-ascii", &text).await;

    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("expected ASCII, on one line"), "{told}");
    assert!(!told.contains("secr\u{e9}t"), "{told}");
}
