//! The accounts of a configuration: how each is reached, and within which limits it is asked.

use std::{
    fs,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use reqwest::{Url, header::HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::{
    BreakerSettings, CacheOverrides, ConfigErrors, Settings, seconds, text, variable_named,
};
use crate::{
    account::{Account, Provider},
    client::{auth::TokenSource, breaker::CircuitRules},
    connectors::{ConnectorSpec, QuotaWindow, door},
};

/// How much of an answer may be read: nothing that is less is a record, and more is read into memory.
const ANSWER_BYTES: RangeInclusive<usize> = 1024..=1024 * 1024 * 1024;

/// What stands for an account's name in the examples of addresses.
const PLACEHOLDER: &str = "HANDLE";

/// An account of a provider.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AccountSettings {
    /// The provider; unless given, the one that the account is named after.
    pub provider: Option<Provider>,
    /// Whether it is asked at all.
    pub enabled: bool,
    /// The API's address, path prefix included; each provider but Ada has a default.
    pub base_url: Option<String>,
    /// The region that the account lives in, instead of an address, for providers that have regions.
    pub region: Option<String>,
    /// Whether the address may begin with `http://` though it is another machine's: for a sandbox in
    /// another container, never for a real token.
    pub allow_http: bool,
    /// The environment variable that holds the token; unless given, `ROSTER_NAME_TOKEN`, where NAME is the
    /// account's in capitals, with `_` for each `-`.
    pub token_env: Option<String>,
    /// The file that holds the token, instead of an environment variable.
    pub token_file: Option<PathBuf>,
    /// The token itself, for programs that make their settings themselves: no file can hold it.
    #[serde(skip)]
    pub token: Option<SecretString>,
    /// How many seconds one attempt may take.
    pub timeout_seconds: Option<f64>,
    /// How many times a call that may be repeated is sent at most.
    pub attempts: u32,
    /// How many calls the provider gets at the same time.
    pub concurrency: Option<usize>,
    /// How many calls the provider may get within which spans; none when the list is empty. Unless given,
    /// what the provider documents.
    pub budget: Option<Vec<QuotaWindow>>,
    /// Whether a read that takes longer than is usual is asked a second time.
    pub hedge: bool,
    /// The largest answer that is read, in bytes.
    pub max_answer_bytes: usize,
    /// For how long the provider's answers are kept, where not as long as those of others.
    pub cache: CacheOverrides,
    /// When the provider is left alone for it keeps failing.
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
            timeout_seconds: None,
            attempts: 3,
            concurrency: None,
            budget: None,
            hedge: false,
            max_answer_bytes: 16 * 1024 * 1024,
            cache: CacheOverrides::default(),
            breaker: BreakerSettings::default(),
            options: toml::Table::new(),
        }
    }
}

/// What it takes to reach a provider.
#[derive(Debug)]
pub struct AccountSetup {
    /// The API's address.
    pub base: Url,
    /// The token.
    pub token: SecretString,
    /// Where the token comes from.
    pub token_source: TokenSource,
    /// Where that is, in words, and what to do when the token is refused.
    pub token_origin: String,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// How many calls the provider gets at the same time.
    pub concurrency: usize,
    /// When the provider is left alone; `None` when it never is.
    pub breaker: Option<CircuitRules>,
    /// How many calls it gets within which spans.
    pub budget: Vec<QuotaWindow>,
}

impl Settings {
    /// The accounts, in the order in which answers are joined.
    ///
    /// # Errors
    /// Names that cannot be, names without a provider, and two accounts that read one token.
    pub fn accounts(&self) -> Result<Vec<(Account, &AccountSettings)>, ConfigErrors> {
        let mut errors = Vec::new();
        let mut accounts = Vec::new();
        for (name, settings) in &self.accounts {
            match account(name, settings.provider) {
                Ok(account) => accounts.push((account, settings)),
                Err(error) => errors.push(error),
            }
        }
        accounts.sort_by_key(|(account, _)| *account);
        errors.extend(shared_tokens(&accounts));
        match errors.is_empty() {
            true => Ok(accounts),
            false => Err(ConfigErrors(errors)),
        }
    }
}

/// The account of a table in the configuration.
fn account(name: &str, given: Option<Provider>) -> Result<Account, String> {
    if !Account::is_name(name) {
        // It may be anything, a secret in the wrong place too.
        return Err(
            "accounts: an account has a name that cannot be: expected up to 31 lower-case letters, digits and \
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

/// The environment variables that more than one account reads.
fn shared_tokens(accounts: &[(Account, &AccountSettings)]) -> Vec<String> {
    let variables = accounts.iter().filter(|(_, settings)| {
        settings.enabled && settings.token.is_none() && settings.token_file.is_none()
    });
    let mut readers: Vec<(String, &str)> = variables
        .map(|(account, settings)| (settings.token_variable(account.name()), account.name()))
        .collect();
    readers.sort();
    let shared = readers.chunk_by(|one, other| one.0 == other.0);
    let shared = shared.filter(|readers| readers.len() > 1).map(|readers| {
        let names: Vec<_> = readers.iter().map(|(_, name)| format!("accounts.{name}")).collect();
        format!(
            "{} read their tokens from one environment variable: give each another `token_env`, or a `token_file`",
            names.join(" and ")
        )
    });
    shared.collect()
}

impl AccountSettings {
    /// What it takes to reach an account that is enabled.
    ///
    /// # Errors
    /// Everything that is missing or wrong.
    pub fn setup(&self, account: Account) -> Result<AccountSetup, ConfigErrors> {
        let name = account.name();
        let door = door(account.provider());
        let mut errors = Vec::new();
        let base = self.base(name, &door).map_err(|error| errors.push(error));
        let base = base.ok().flatten().and_then(|base| {
            let at = format!("accounts.{name}.base_url");
            address(base, &at, self.allow_http)
                .map_err(|error| errors.push(error))
                .ok()
        });
        if base.is_none() && errors.is_empty() {
            errors.push(format!(
                "accounts.{name}.base_url is missing: every account has an address of its own"
            ));
        }
        let token = self.token(name).map_err(|error| errors.push(error)).ok();
        let given = self.timeout_seconds.unwrap_or(door.timeout.as_secs_f64());
        let timeout = seconds(
            &format!("accounts.{name}.timeout_seconds"),
            given,
            &mut errors,
        );
        let concurrency = self.concurrency.unwrap_or(door.concurrency);
        if !(1..=1000).contains(&concurrency) {
            errors.push(format!(
                "accounts.{name}.concurrency is {concurrency}: expected 1 to 1000"
            ));
        }
        let budget = self.windows(name, &door, &mut errors);
        self.check_calls(name, &mut errors);
        let breaker = (self.breaker).rules(&format!("accounts.{name}.breaker"), &mut errors);
        match (base, token) {
            (Some(base), Some(token)) if errors.is_empty() => Ok(AccountSetup {
                base,
                token,
                token_source: self.token_source(name),
                token_origin: self.token_origin(name),
                timeout,
                concurrency,
                breaker,
                budget,
            }),
            _ => Err(ConfigErrors(errors)),
        }
    }

    /// Checks how often a call is sent, and how much of its answer is read.
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

    /// The address: as it is configured, or of the region that is, or the provider's usual one.
    fn base(&self, name: &str, door: &ConnectorSpec) -> Result<Option<&str>, String> {
        let Some(region) = &self.region else {
            return Ok(self.base_url.as_deref().or(door.base_url));
        };
        let at = format!("accounts.{name}.region");
        if self.base_url.is_some() {
            return Err(format!("{at} and `base_url` exclude each other: drop one"));
        }
        let known = door.regions.iter().map(|(name, _)| *name);
        match door.regions.iter().find(|(name, _)| name == region) {
            Some((_, address)) => Ok(Some(address)),
            None if door.regions.is_empty() => {
                Err(format!("{at}: this provider has no regions: drop it"))
            }
            None => Err(format!(
                "{at} is {region:?}: expected one of {}",
                known.collect::<Vec<_>>().join(", ")
            )),
        }
    }

    fn token(&self, name: &str) -> Result<SecretString, String> {
        let at = format!("accounts.{name}");
        if let Some(token) = &self.token {
            return sendable(&at, token.expose_secret());
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
            (Some(file), None) => return token_of_file(&at, file),
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
        sendable(&at, token.trim())
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
                TokenSource::File(Arc::new(move || token_of_file(&at, &file)))
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

fn token_of_file(at: &str, file: &Path) -> Result<SecretString, String> {
    let of_file = |why: String| format!("{at}.token_file: {}: {why}", file.display());
    // A pipe would be waited at, and could not be read again.
    if fs::metadata(file).is_ok_and(|metadata| !metadata.is_file()) {
        return Err(of_file("this is no regular file".to_owned()));
    }
    let token = fs::read_to_string(file);
    let token = token.map_err(|error| of_file(text::unread(&error)))?;
    sendable(at, token.trim())
}

/// A token that can be sent as one. What is wrong with another is said without showing it.
fn sendable(at: &str, token: &str) -> Result<SecretString, String> {
    let (scheme, rest) = token.split_once(' ').unwrap_or_default();
    if token.is_empty() {
        Err(format!("{at}: the token is empty"))
    } else if scheme.eq_ignore_ascii_case("bearer") && !rest.is_empty() {
        Err(format!(
            "{at}: the token begins with `Bearer `: give the token alone, the word is put before it"
        ))
    } else if HeaderValue::from_str(token).is_err() {
        Err(format!(
            "{at}: the token holds a character that no header can carry: expected ASCII, on one line"
        ))
    } else {
        Ok(SecretString::from(token))
    }
}

/// Whether a text is a name of an environment variable as they usually are: what is none may be the token
/// itself, and is not shown.
fn is_variable(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let starts_well = !name.starts_with(|c: char| c.is_ascii_digit());
    !name.is_empty() && name.len() <= 100 && starts_well && name.chars().all(is_plain)
}

/// An address that lacks its scheme, such as `localhost:8080`, with the scheme that is meant.
fn with_scheme(text: &str) -> Option<String> {
    let is_host = |c: char| c.is_ascii_alphanumeric() || "-._:[]/".contains(c);
    if text.is_empty() || text.contains("://") || !text.chars().all(is_host) {
        return None;
    }
    let local = ["localhost", "127.0.0.1", "[::1]"];
    let is_local = local.iter().any(|host| text.starts_with(host));
    Some(format!(
        "{}://{text}",
        if is_local { "http" } else { "https" }
    ))
}

fn address(text: &str, at: &str, allow_http: bool) -> Result<Url, String> {
    if let Some(meant) = with_scheme(text) {
        return Err(format!(
            "{at} is {text:?}, which lacks its scheme: say {meant:?}"
        ));
    }
    if text.contains(PLACEHOLDER) {
        return Err(format!(
            "{at} is {text:?}: put the name of your account in the place of {PLACEHOLDER}"
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
