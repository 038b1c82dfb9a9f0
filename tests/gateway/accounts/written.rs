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
