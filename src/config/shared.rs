//! The settings of the store that replicas share.

use std::{path::PathBuf, sync::OnceLock, time::Duration};

use reqwest::Url;
use secrecy::SecretString;
use serde::Deserialize;

use super::{ConfigErrors, password::PasswordSettings};
use crate::error::shown_value;
use crate::shared::{Store, StoreOptions};

/// The store that replicas share; without an address each replica works alone.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SharedSettings {
    /// The address of a Redis: `redis://host:6379/0`, without a password.
    pub url: Option<String>,
    /// The environment variable that holds its password.
    pub password_env: Option<String>,
    /// The file that holds its password.
    pub password_file: Option<PathBuf>,
    /// The prefix of every key.
    pub prefix: String,
    /// The number of replicas: while the store is unavailable, each spends that share of every
    /// budget.
    pub replicas: u32,
    /// How many seconds one operation may take before the store counts as unavailable.
    pub timeout_seconds: f64,
    #[serde(skip)]
    store: OnceLock<Store>,
}

impl Default for SharedSettings {
    fn default() -> Self {
        Self {
            url: None,
            password_env: None,
            password_file: None,
            prefix: "roster".to_owned(),
            replicas: 2,
            timeout_seconds: 0.05,
            store: OnceLock::new(),
        }
    }
}

impl SharedSettings {
    /// The store; every call returns the same one. `None` when none is configured.
    ///
    /// # Errors
    /// All errors of its settings. The store itself is not called.
    pub fn store(&self) -> Result<Option<Store>, ConfigErrors> {
        if let Some(store) = self.store.get() {
            return Ok(Some(store.clone()));
        }
        let Some(url) = &self.url else {
            return Ok(None);
        };
        let mut errors = Vec::new();
        errors.extend(address_error(url));
        if !(1..=1000).contains(&self.replicas) {
            let replicas = self.replicas;
            errors.push(format!("shared.replicas is {replicas}: expected 1 to 1000"));
        }
        let is_plain = |c: char| c.is_ascii_graphic() && !matches!(c, '{' | '}');
        if !(1..=64).contains(&self.prefix.len()) || !self.prefix.chars().all(is_plain) {
            errors.push(format!(
                "shared.prefix is {}: expected 1 to 64 ASCII characters, no spaces and no braces",
                shown_value(&self.prefix)
            ));
        }
        if !(0.001..=5.0).contains(&self.timeout_seconds) {
            let seconds = self.timeout_seconds;
            errors.push(format!(
                "shared.timeout_seconds is {seconds}: expected 0.001 to 5"
            ));
        }
        let password = self.password().map_err(|wrong| errors.push(wrong));
        if !errors.is_empty() {
            return Err(ConfigErrors(errors));
        }
        let password = password.ok().flatten();
        let terms = StoreOptions {
            prefix: self.prefix.clone(),
            replicas: self.replicas,
            timeout: Duration::from_secs_f64(self.timeout_seconds),
        };
        let store = Store::new(url, password.as_ref(), terms);
        let store = store.map_err(|wrong| ConfigErrors(vec![format!("shared.url: {wrong}")]))?;
        Ok(Some(self.store.get_or_init(|| store).clone()))
    }

    fn password(&self) -> Result<Option<SecretString>, String> {
        let password = PasswordSettings {
            at: "shared",
            prefix: "",
            variable: self.password_env.as_deref(),
            file: self.password_file.as_deref(),
            max_bytes: 4096,
        };
        password.read()
    }
}

fn address_error(url: &str) -> Option<String> {
    let url = match Url::parse(url) {
        Ok(url) => url,
        Err(error) => return Some(format!("shared.url is not an address: {error}")),
    };
    let error = if url.scheme() == "rediss" {
        "must begin with redis://: TLS is not supported yet; put a tunnel before the store"
    } else if url.scheme() != "redis" || url.host_str().is_none_or(str::is_empty) {
        "must be of the form redis://host:6379"
    } else if url.password().is_some() || !url.username().is_empty() {
        "must not hold a user name or a password: say `password_env` or `password_file` beside it"
    } else {
        return None;
    };
    Some(format!("shared.url {error}"))
}
