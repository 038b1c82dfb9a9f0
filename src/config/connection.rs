//! How an account's provider is reached: through which proxy, and which authorities are trusted.

use std::path::Path;

use reqwest::Certificate;
use secrecy::SecretString;

use super::{AccountSettings, address::proxy_address, password::PasswordSettings, text};
use crate::client::{ConnectionOptions, EgressProxy, ProxyChoice, read_certificates};

/// The `proxy` that stands for none.
const NONE: &str = "none";

/// The most bytes of a user name and of a password that SOCKS can carry.
const LOGIN_BYTES: usize = 255;

impl AccountSettings {
    /// Checks the settings of the connection. Their errors are added to `errors`.
    pub(super) fn connection(&self, name: &str, errors: &mut Vec<String>) -> ConnectionOptions {
        let at = format!("accounts.{name}");
        let proxy = self.proxy(&at).map_err(|error| errors.push(error));
        let roots = self.ca_file.as_deref().map(|file| {
            let roots = read_roots(file);
            roots.map_err(|why| errors.push(format!("{at}.ca_file: {why}")))
        });
        ConnectionOptions {
            proxy: proxy.unwrap_or_default(),
            extra_roots: roots.and_then(Result::ok).unwrap_or_default(),
        }
    }

    fn proxy(&self, at: &str) -> Result<ProxyChoice, String> {
        let login = self.proxy_login(at)?;
        match self.proxy.as_deref() {
            None | Some(NONE) if login.is_some() => Err(format!(
                "{at}.proxy_user is for a proxy: name it in `proxy`, or drop the user"
            )),
            None => Ok(ProxyChoice::Environment),
            Some(NONE) => Ok(ProxyChoice::Direct),
            Some(address) => {
                let address = proxy_address(address, &format!("{at}.proxy"))?;
                Ok(ProxyChoice::Through(EgressProxy { address, login }))
            }
        }
    }

    fn proxy_login(&self, at: &str) -> Result<Option<(String, SecretString)>, String> {
        let password = PasswordSettings {
            at,
            prefix: "proxy_",
            variable: self.proxy_password_env.as_deref(),
            file: self.proxy_password_file.as_deref(),
            max_bytes: LOGIN_BYTES,
        };
        match (&self.proxy_user, password.read()?) {
            (None, None) => Ok(None),
            (None, Some(_)) => Err(format!(
                "{at}: the password at the proxy lacks its user: say `proxy_user`"
            )),
            (Some(user), password) if is_user(user) => {
                Ok(Some((user.clone(), password.unwrap_or_default())))
            }
            (Some(_), _) => Err(format!(
                "{at}.proxy_user: expected 1 to {LOGIN_BYTES} bytes, no colon and no control characters"
            )),
        }
    }
}

fn is_user(text: &str) -> bool {
    let is_wrong = |c: char| c == ':' || c.is_control();
    (1..=LOGIN_BYTES).contains(&text.len()) && !text.contains(is_wrong)
}

/// Reads the certificates of a PEM file.
fn read_roots(file: &Path) -> Result<Vec<Certificate>, String> {
    let shown = text::shown_path(file);
    let pem = text::read_regular_bytes(file).map_err(|why| format!("{shown}: {why}"))?;
    read_certificates(&pem).map_err(|why| format!("{shown}: {why}"))
}
