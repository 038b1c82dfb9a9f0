//! `check` on the settings of an account's connection.

use super::{File, GOOD, check};

/// An account's lines of its connection, and what `check` says of them.
const CONNECTIONS: &[(&str, &str)] = &[
    (
        "proxy = \"proxy.internal\"",
        "accounts.intercom.proxy is not an address: expected one such as http://proxy.internal:3128, or \"none\"",
    ),
    (
        "proxy = \"ftp://proxy.internal\"",
        "accounts.intercom.proxy must begin with http://, https://, socks5:// or socks5h://",
    ),
    (
        "proxy = \"http://me:s3cr3t-marker@proxy.internal:3128\"",
        "accounts.intercom.proxy must not hold a user name or a password: say `proxy_user`",
    ),
    (
        "proxy = \"http://proxy.internal:3128/path\"",
        "accounts.intercom.proxy must end with its port",
    ),
    ("proxy = \"\"", "accounts.intercom.proxy is not an address"),
    ("proxy = false", "line 2: accounts.intercom.proxy"),
    (
        "proxy_user = \"me\"",
        "accounts.intercom.proxy_user is for a proxy: name it in `proxy`",
    ),
    (
        "proxy = \"none\"\nproxy_user = \"me\"",
        "accounts.intercom.proxy_user is for a proxy: name it in `proxy`",
    ),
    (
        "proxy = \"http://p:1\"\nproxy_user = \"a:b\"",
        "accounts.intercom.proxy_user: expected 1 to 255 bytes, no colon",
    ),
    (
        "proxy = \"http://p:1\"\nproxy_password_env = \"ANOTHER_VARIABLE\"",
        "accounts.intercom: the password at the proxy lacks its user: say `proxy_user`",
    ),
    (
        "proxy = \"http://p:1\"\nproxy_user = \"a\"\nproxy_password_env = \"NOT_SET\"",
        "accounts.intercom: no password: set the environment variable NOT_SET",
    ),
    (
        "proxy = \"http://p:1\"\nproxy_user = \"a\"\nproxy_password_env = \"s3cr3t-marker\"",
        "accounts.intercom.proxy_password_env is not the name of an environment variable",
    ),
    (
        "proxy = \"http://p:1\"\nproxy_user = \"a\"\nproxy_password_file = \"/dev/null\"",
        "accounts.intercom.proxy_password_file: /dev/null: this is no regular file",
    ),
    (
        "proxy_password_env = \"A\"\nproxy_password_file = \"/b\"",
        "accounts.intercom: `proxy_password_file` and `proxy_password_env` exclude each other: drop one",
    ),
    (
        "ca_file = \"/nowhere/ca.pem\"",
        "accounts.intercom.ca_file: /nowhere/ca.pem: No such file",
    ),
    (
        "ca_file = \"Cargo.toml\"",
        "accounts.intercom.ca_file: Cargo.toml: it holds no certificate",
    ),
];

#[tokio::test]
async fn a_wrong_proxy_or_authority_is_named_by_its_setting() {
    for (number, (lines, words)) in CONNECTIONS.iter().enumerate() {
        // A second mistake is named, too.
        let text = format!("[accounts.intercom]\n{lines}\nattempts = 0\n");

        let (code, says) = check(&format!("connection-{number}"), &text).await;

        assert_eq!(code, Some(1), "{lines}: {says}");
        assert!(says.contains(words), "{lines}: {says}");
        assert!(
            says.contains("accounts.intercom.attempts"),
            "{lines}: {says}"
        );
    }
}

#[tokio::test]
async fn a_file_with_a_broken_certificate_is_named() {
    let block = |inner: &str| {
        let (begin, end) = ("-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----");
        format!("{begin}\n{inner}\n{end}\n")
    };
    for (inner, words) in [
        ("no base64!", "its PEM cannot be read"),
        (
            "bm8gY2VydGlmaWNhdGU=",
            "it holds a certificate that cannot be read",
        ),
    ] {
        let file = File::holding("broken-ca", &block(inner));
        let text = format!("[accounts.intercom]\nca_file = \"{}\"\n", file.path());

        let (code, says) = check("broken-ca-of", &text).await;

        assert_eq!(code, Some(1), "{says}");
        let expected = format!("accounts.intercom.ca_file: {}: {words}", file.path());
        assert!(says.contains(&expected), "{says}");
    }
}

#[tokio::test]
async fn a_proxy_and_its_password_are_accepted() {
    let lines = "proxy = \"https://proxy.internal\"\nproxy_user = \"roster\"\nproxy_password_env = \"ANOTHER_VARIABLE\"\n";
    let text = GOOD.replace(
        "[accounts.intercom]\n",
        &format!("[accounts.intercom]\n{lines}"),
    );

    let (code, says) = check("good-proxy", &text).await;

    assert_eq!(code, Some(0), "{says}");
}
