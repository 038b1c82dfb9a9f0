//! The accounts of a configuration: how to reach each of them, and the limits on its calls.

use std::{
    ops::RangeInclusive,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use reqwest::{Url, header::HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::{
    BreakerSettings, CacheOverrides, ConfigErrors, Settings, address::provider_address, seconds,
    text, variable_named,
};
use crate::{
    account::{Account, Provider},
    client::{ConnectionOptions, breaker::CircuitRules, transport::credentials::TokenSource},
    connectors::{ConnectorSpec, QuotaWindow, connector_spec},
    error::shown_value,
};

/// The allowed limits on the size of a response: fewer bytes hold no record, and all of them are
/// read into memory.
const ANSWER_BYTES: RangeInclusive<usize> = 1024..=1024 * 1024 * 1024;

/// An account of a provider.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AccountSettings {
    /// The provider; by default, the one whose name the account has.
    pub provider: Option<Provider>,
    /// Whether it is called at all.
    pub enabled: bool,
    /// The API's address, including a path prefix; every provider except Ada has a default.
    pub base_url: Option<String>,
    /// The region of the account, instead of an address, for providers that have regions.
    pub region: Option<String>,
    /// Allows an `http://` address of another machine: for a sandbox in another container, never
    /// for a real token.
    pub allow_http: bool,
    /// The environment variable that holds the token; by default `ROSTER_NAME_TOKEN`, where NAME is
    /// the account's name in upper case, with `_` for each `-`.
    pub token_env: Option<String>,
    /// The file that holds the token, instead of an environment variable.
    pub token_file: Option<PathBuf>,
    /// The token itself, for programs that build their settings in code: no file can contain it.
    #[serde(skip)]
    pub token: Option<SecretString>,
    /// The proxy through which the provider is called: `http://`, `https://`, `socks5://` (names are
    /// resolved here) or `socks5h://` (by the proxy); `none` for no proxy. By default, the
    /// environment's (`HTTPS_PROXY`, `NO_PROXY`), and none for a provider on this machine.
    pub proxy: Option<String>,
    /// The user name at the proxy.
    pub proxy_user: Option<String>,
    /// The environment variable that holds the password at the proxy.
    pub proxy_password_env: Option<String>,
    /// The file that holds the password at the proxy; it is read at start.
    pub proxy_password_file: Option<PathBuf>,
    /// A PEM file with certificates of authorities that are trusted in addition to the system's; it
    /// is read at start.
    pub ca_file: Option<PathBuf>,
    /// How many seconds one attempt may take.
    pub timeout_seconds: Option<f64>,
    /// The largest number of attempts of a repeatable call.
    pub attempts: u32,
    /// The largest number of calls in flight.
    pub concurrency: Option<usize>,
    /// The rate limits, as calls per span; an empty list means none. By default, those that the
    /// provider documents.
    pub budget: Option<Vec<QuotaWindow>>,
    /// The largest response that is read, in bytes.
    pub max_answer_bytes: usize,
    /// How long the account's responses are cached, where that differs from `[cache]`.
    pub cache: CacheOverrides,
    /// When the circuit breaker stops calls to a failing provider.
    pub breaker: BreakerSettings,
    /// The provider's own options.
    pub options: toml::Table,
}

impl Default for AccountSettings {
    fn default() -> Self {
        Self {
            provider: None,
            enabled: true,
            base_url: None,
            region: None,
            allow_http: false,
            token_env: None,
            token_file: None,
            token: None,
            proxy: None,
            proxy_user: None,
            proxy_password_env: None,
            proxy_password_file: None,
            ca_file: None,
            timeout_seconds: None,
            attempts: 3,
            concurrency: None,
            budget: None,
            max_answer_bytes: 16 * 1024 * 1024,
            cache: CacheOverrides::default(),
            breaker: BreakerSettings::default(),
            options: toml::Table::new(),
        }
    }
}

/// The checked settings of an account.
#[derive(Debug)]
pub struct AccountSetup {
    /// The API's address.
    pub base: Url,
    /// The token.
    pub token: SecretString,
    /// The source of the token.
    pub token_source: TokenSource,
    /// The source of the token in words, and what to do when the provider refuses it.
    pub token_origin: String,
    /// The proxy and the trusted certificates.
    pub connection: ConnectionOptions,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// The largest number of calls in flight.
    pub concurrency: usize,
    /// The rules of the circuit breaker; `None` when it is disabled.
    pub breaker: Option<CircuitRules>,
    /// The rate limits.
    pub budget: Vec<QuotaWindow>,
}

impl Settings {
    /// The accounts, in the order in which answers are joined.
    ///
    /// # Errors
    /// Invalid names, names without a provider, and two accounts that read the same token.
    pub fn accounts(&self) -> Result<Vec<(Account, &AccountSettings)>, ConfigErrors> {
        match self.accounts_and_errors() {
            (accounts, errors) if errors.is_empty() => Ok(accounts),
            (_, errors) => Err(ConfigErrors(errors)),
        }
    }

    /// The accounts whose names can be, in the order in which answers are joined, and the errors of
    /// [`Settings::accounts`].
    #[must_use]
    pub fn accounts_and_errors(&self) -> (Vec<(Account, &AccountSettings)>, Vec<String>) {
        let mut errors = Vec::new();
        let mut accounts = Vec::new();
        for (name, settings) in &self.accounts {
            match account(name, settings.provider) {
                Ok(account) => accounts.push((account, settings)),
                Err(error) => errors.push(error),
            }
        }
        accounts.sort_by_key(|(account, _)| *account);
        let secret = self.server.show_calls_token_env.as_deref();
        errors.extend(shared_tokens(&accounts, secret));
        (accounts, errors)
    }
}

/// The account of a table in the configuration.
fn account(name: &str, given: Option<Provider>) -> Result<Account, String> {
    if !Account::is_name(name) {
        // The name is not shown: it may be anything, even a misplaced secret.
        return Err(
            "accounts: an account has a name that is not allowed: expected up to 31 lower-case letters, digits and \
             hyphens, the first a letter, such as `intercom-eu`"
                .to_owned(),
        );
    }
    let names = || Provider::ALL.map(Provider::name).join(", ");
    match (Provider::named(name), given) {
        (Some(named), Some(given)) if named != given => Err(format!(
            "accounts.{name}.provider is {}, and `{name}` is another provider's name: give the account another name",
            given.name()
        )),
        (_, Some(provider)) | (Some(provider), None) => Ok(Account::new(provider, name)),
        (None, None) => Err(format!(
            "accounts.{name}.provider is missing: expected one of {}",
            names()
        )),
    }
}

/// Finds environment variables that more than one account reads, or an account and the server.
fn shared_tokens(
    accounts: &[(Account, &AccountSettings)],
    show_calls: Option<&str>,
) -> Vec<String> {
    let variables = accounts.iter().filter(|(_, settings)| {
        settings.enabled && settings.token.is_none() && settings.token_file.is_none()
    });
    let of_accounts = variables.map(|(account, settings)| {
        let name = account.name();
        (settings.token_variable(name), format!("accounts.{name}"))
    });
    let of_server = show_calls.map(|variable| {
        let place = "server.show_calls_token_env";
        (variable.to_owned(), place.to_owned())
    });
    let mut readers: Vec<(String, String)> = of_accounts.chain(of_server).collect();
    readers.sort();
    let shared = readers.chunk_by(|one, other| one.0 == other.0);
    let shared = shared.filter(|readers| readers.len() > 1).map(|readers| {
        let names: Vec<_> = readers.iter().map(|(_, place)| place.as_str()).collect();
        format!(
            "{} read their tokens from one environment variable: give each another `token_env`, or a `token_file`",
            names.join(" and ")
        )
    });
    shared.collect()
}

impl AccountSettings {
    /// Checks the settings of an enabled account.
    ///
    /// # Errors
    /// All missing or invalid settings.
    pub fn setup(&self, account: Account) -> Result<AccountSetup, ConfigErrors> {
        let name = account.name();
        let spec = connector_spec(account.provider());
        let mut errors = Vec::new();
        let base = self
            .base_url(name, &spec)
            .map_err(|error| errors.push(error));
        let base = base.ok().flatten().and_then(|base| {
            let at = format!("accounts.{name}.base_url");
            provider_address(base, &at, self.allow_http)
                .map_err(|error| errors.push(error))
                .ok()
        });
        if base.is_none() && errors.is_empty() {
            errors.push(format!(
                "accounts.{name}.base_url is missing: this provider has no default address"
            ));
        }
        let token = self.token(name).map_err(|error| errors.push(error)).ok();
        let connection = self.connection(name, &mut errors);
        let given = self.timeout_seconds.unwrap_or(spec.timeout.as_secs_f64());
        let timeout = seconds(
            &format!("accounts.{name}.timeout_seconds"),
            given,
            &mut errors,
        );
        let concurrency = self.concurrency.unwrap_or(spec.concurrency);
        if !(1..=1000).contains(&concurrency) {
            errors.push(format!(
                "accounts.{name}.concurrency is {concurrency}: expected 1 to 1000"
            ));
        }
        let budget = self.windows(name, &spec, &mut errors);
        self.check_calls(name, &mut errors);
        let breaker = (self.breaker).rules(&format!("accounts.{name}.breaker"), &mut errors);
        match (base, token) {
            (Some(base), Some(token)) if errors.is_empty() => Ok(AccountSetup {
                base,
                token,
                token_source: self.token_source(name),
                token_origin: self.token_origin(name),
                connection,
                timeout,
                concurrency,
                breaker,
                budget,
            }),
            _ => Err(ConfigErrors(errors)),
        }
    }

    /// Checks the number of attempts and the size of a response.
    fn check_calls(&self, name: &str, errors: &mut Vec<String>) {
        if !(1..=10).contains(&self.attempts) {
            errors.push(format!(
                "accounts.{name}.attempts is {}: expected 1 to 10",
                self.attempts
            ));
        }
        if !ANSWER_BYTES.contains(&self.max_answer_bytes) {
            errors.push(format!(
                "accounts.{name}.max_answer_bytes is {}: expected {} to {}",
                self.max_answer_bytes,
                ANSWER_BYTES.start(),
                ANSWER_BYTES.end()
            ));
        }
    }

    /// The address: the configured one, the region's, or the provider's default.
    fn base_url(&self, name: &str, spec: &ConnectorSpec) -> Result<Option<&str>, String> {
        let Some(region) = &self.region else {
            return Ok(self.base_url.as_deref().or(spec.base_url));
        };
        let at = format!("accounts.{name}.region");
        if self.base_url.is_some() {
            return Err(format!("{at} and `base_url` exclude each other: drop one"));
        }
        let regions = spec.regions.iter().map(|(name, _)| *name);
        match spec.regions.iter().find(|(name, _)| name == region) {
            Some((_, address)) => Ok(Some(address)),
            None if spec.regions.is_empty() => {
                Err(format!("{at}: this provider has no regions: drop it"))
            }
            None => Err(format!(
                "{at} is {}: expected one of {}",
                shown_value(region),
                regions.collect::<Vec<_>>().join(", ")
            )),
        }
    }

    fn token(&self, name: &str) -> Result<SecretString, String> {
        let at = format!("accounts.{name}");
        if let Some(token) = &self.token {
            return check_token(&at, token.expose_secret());
        }
        let token = match (&self.token_file, &self.token_env) {
            (Some(_), Some(_)) => {
                return Err(format!(
                    "{at}: `token_file` and `token_env` exclude each other: drop one"
                ));
            }
            (Some(file), None) if file.as_os_str().is_empty() => {
                return Err(format!("{at}.token_file is empty: name a file, or drop it"));
            }
            (Some(file), None) => return read_token_file(&at, file),
            (None, _) => {
                let variable = self.token_variable(name);
                variable_named(&variable).ok_or_else(|| match is_variable(&variable) {
                    true => format!("{at}: no token: set the environment variable {variable}, or `{at}.token_file`"),
                    false => format!(
                        "{at}.token_env is not the name of an environment variable that is set: \
                         expected one such as ROSTER_INTERCOM_TOKEN, with the token in it"
                    ),
                })?
            }
        };
        check_token(&at, token.trim())
    }
}

impl AccountSettings {
    /// The environment variable that holds the token.
    pub(super) fn token_variable(&self, name: &str) -> String {
        let usual = || format!("ROSTER_{}_TOKEN", name.to_uppercase().replace('-', "_"));
        self.token_env.clone().unwrap_or_else(usual)
    }

    fn token_source(&self, name: &str) -> TokenSource {
        match (&self.token, &self.token_file) {
            (Some(_), _) => TokenSource::Program,
            (None, None) => TokenSource::Environment,
            (None, Some(file)) => {
                let (at, file) = (format!("accounts.{name}"), file.clone());
                TokenSource::File(Arc::new(move || read_token_file(&at, &file)))
            }
        }
    }

    fn token_origin(&self, name: &str) -> String {
        match (&self.token, &self.token_file) {
            (Some(_), _) => "the token was given by the program".to_owned(),
            (None, Some(file)) => format!(
                "the token is that of the file {}, which is read again when a token is refused",
                file.display()
            ),
            (None, None) => format!(
                "the token is that of the environment variable {}, which is read at start only: \
                 start the gateway again with the new token, or use `token_file`",
                self.token_variable(name)
            ),
        }
    }
}

fn read_token_file(at: &str, file: &Path) -> Result<SecretString, String> {
    let shown = text::shown_path(file);
    let of_file = |why: String| format!("{at}.token_file: {shown}: {why}");
    let token = text::read_regular_file(file).map_err(of_file)?;
    check_token(at, token.trim())
}

/// Checks that a token can be sent. The error does not show the token.
fn check_token(at: &str, token: &str) -> Result<SecretString, String> {
    let (scheme, rest) = token.split_once(' ').unwrap_or_default();
    if token.is_empty() {
        Err(format!("{at}: the token is empty"))
    } else if scheme.eq_ignore_ascii_case("bearer") && !rest.is_empty() {
        Err(format!(
            "{at}: the token begins with `Bearer `: give the token alone, the word is put before it"
        ))
    } else if !token.is_ascii() || HeaderValue::from_str(token).is_err() {
        Err(format!(
            "{at}: the token holds a character that no header can carry: expected ASCII, on one line"
        ))
    } else {
        Ok(SecretString::from(token))
    }
}

/// Whether a text looks like the name of an environment variable. Otherwise it may be the token
/// itself, and is not shown.
pub(super) fn is_variable(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let starts_well = !name.starts_with(|c: char| c.is_ascii_digit());
    !name.is_empty() && name.len() <= 100 && starts_well && name.chars().all(is_plain)
}
