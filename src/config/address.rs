//! The addresses of a configuration: of providers and of proxies. An error shows only plain names, as
//! an address may hold a misplaced secret.

use reqwest::Url;

use crate::error::is_harmless;

/// The placeholder for an account's name in example addresses.
const PLACEHOLDER: &str = "HANDLE";

/// Parses the address of a provider's API.
pub(super) fn provider_address(text: &str, at: &str, allow_http: bool) -> Result<Url, String> {
    if let Some(scheme) = missing_scheme(text) {
        return Err(match is_harmless(text) {
            true => format!("{at} is {text:?}, which lacks its scheme: say \"{scheme}{text}\""),
            false => format!("{at} lacks its scheme: put {scheme} before it"),
        });
    }
    if text.contains(PLACEHOLDER) {
        return Err(format!(
            "{at} is an example: put the name of your account in the place of {PLACEHOLDER}"
        ));
    }
    let url = Url::parse(text).map_err(|error| format!("{at} is not an address: {error}"))?;
    let is_local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    let error = if !matches!(url.scheme(), "http" | "https") || url.cannot_be_a_base() {
        "must begin with https://"
    } else if url.scheme() == "http" && !is_local && !allow_http {
        "must begin with https://: a token would travel in the clear; for a sandbox on another host, \
         say `allow_http = true` beside it"
    } else if !url.username().is_empty() || url.password().is_some() {
        "must not hold a user name or a password: the token is configured apart"
    } else if url.query().is_some() || url.fragment().is_some() {
        "must end with its path: no query, no fragment"
    } else {
        return Ok(url);
    };
    Err(format!("{at} {error}"))
}

/// Parses the address of a proxy.
pub(super) fn proxy_address(text: &str, at: &str) -> Result<Url, String> {
    const SCHEMES: [&str; 4] = ["http", "https", "socks5", "socks5h"];
    let expected = "expected one such as http://proxy.internal:3128, or \"none\"";
    let url = Url::parse(text).map_err(|_| format!("{at} is not an address: {expected}"))?;
    let error = if !SCHEMES.contains(&url.scheme()) {
        "must begin with http://, https://, socks5:// or socks5h://"
    } else if url.host_str().is_none_or(str::is_empty) {
        "names no host"
    } else if !url.username().is_empty() || url.password().is_some() {
        "must not hold a user name or a password: say `proxy_user`, and `proxy_password_env` or \
         `proxy_password_file`, beside it"
    } else if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        "must end with its port: no path, no query, no fragment"
    } else {
        return Ok(url);
    };
    Err(format!("{at} {error}"))
}

/// The scheme that an address such as `localhost:8080` lacks.
fn missing_scheme(text: &str) -> Option<&'static str> {
    let is_host = |c: char| c.is_ascii_alphanumeric() || "-._:[]/".contains(c);
    if text.is_empty() || text.contains("://") || !text.chars().all(is_host) {
        return None;
    }
    let local = ["localhost", "127.0.0.1", "[::1]"];
    let is_local = local.iter().any(|host| text.starts_with(host));
    Some(if is_local { "http://" } else { "https://" })
}
