//! The configuration: a TOML file, and secrets from the environment or from files.
//!
//! No other setting is read from anywhere else. Beside it the environment has a say in three things that
//! no answer depends on: `RUST_LOG` in how much is logged, `XDG_CACHE_HOME` and `HOME` in where GraphiQL
//! is cached, and the system's proxy variables in how providers are reached.

mod breaker;
mod budget;
mod cache;
mod check;
mod log;
mod server;
mod shared;
mod text;

use std::{
    collections::BTreeMap,
    env, fmt, fs,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use reqwest::{Url, header::HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

pub use breaker::BreakerSettings;
pub use cache::{CacheOverrides, CacheSettings};
pub use log::Log;
pub use server::ServerSettings;
pub use shared::SharedSettings;
pub use text::{ConfigDraft, in_words};

use crate::{
    client::{auth::TokenSource, breaker::CircuitRules},
    connectors::{ConnectorSpec, QuotaWindow, door},
    graphql::RequestLimits,
    user::Provider,
};

/// How much of an answer may be read: nothing that is less is a record, and more is read into memory.
const ANSWER_BYTES: RangeInclusive<usize> = 1024..=1024 * 1024 * 1024;

/// How many bytes requests may hold: less is not an answer, and more is not a limit.
const BYTES: RangeInclusive<u64> = 1024..=1 << 50;

/// What stands for an account's name in the examples of addresses.
const PLACEHOLDER: &str = "HANDLE";

/// Everything that can be configured.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The gateway's own door.
    pub server: ServerSettings,
    /// What one request may ask for.
    pub limits: LimitSettings,
    /// What is logged, and where.
    pub log: Log,
    /// For how long answers are kept.
    pub cache: CacheSettings,
    /// The store that the gateway's replicas share.
    pub shared: SharedSettings,
    /// The providers, by name. One that is not named is disabled.
    pub accounts: BTreeMap<Provider, AccountSettings>,
}

/// What one request may ask for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitSettings {
    /// The largest `first` and `last`.
    pub page: u32,
    /// How many seconds a request may take, all its calls to providers included.
    pub deadline_seconds: f64,
    /// How many calls a request may make at each account, retries included.
    pub calls: u32,
    /// How many bytes a request may hold: of providers' answers, and of its own.
    pub request_bytes: u64,
    /// How many bytes all requests may hold together.
    pub total_bytes: u64,
}

impl Default for LimitSettings {
    fn default() -> Self {
        let bounds = RequestLimits::default();
        Self {
            page: bounds.page,
            deadline_seconds: bounds.deadline.as_secs_f64(),
            calls: bounds.calls,
            request_bytes: bounds.request_bytes,
            total_bytes: 512 * 1024 * 1024,
        }
    }
}

impl LimitSettings {
    /// Checks the limits on memory.
    fn check_bytes(&self, mistakes: &mut Vec<String>) {
        let (least, most) = (BYTES.start(), BYTES.end());
        for (name, value) in [
            ("request_bytes", self.request_bytes),
            ("total_bytes", self.total_bytes),
        ] {
            if !BYTES.contains(&value) {
                mistakes.push(format!(
                    "limits.{name} is {value}: expected {least} to {most}"
                ));
            }
        }
        if self.total_bytes < self.request_bytes {
            mistakes.push(format!(
                "limits.total_bytes is {}: expected at least limits.request_bytes, which is {}",
                self.total_bytes, self.request_bytes
            ));
        }
    }
}

/// A provider's account.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AccountSettings {
    /// Whether the provider is asked at all.
    pub enabled: bool,
    /// The API's address, path prefix included; each provider but Ada has a default.
    pub base_url: Option<String>,
    /// The region that the account lives in, instead of an address, for providers that have regions.
    pub region: Option<String>,
    /// Whether the address may begin with `http://` though it is another machine's: for a sandbox in
    /// another container, never for a real token.
    pub allow_http: bool,
    /// The environment variable that holds the token; `ROSTER_NAME_TOKEN` unless given.
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

/// Everything that is wrong with a configuration, a line each.
#[derive(Debug)]
pub struct ConfigErrors(pub Vec<String>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for ConfigErrors {}

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
    /// Reads a configuration file.
    ///
    /// # Errors
    /// The mistakes in it, with the line and what was expected.
    pub fn read(path: &Path) -> Result<Self, ConfigErrors> {
        ConfigDraft::read(path)?.finish()
    }

    /// Reads a configuration.
    ///
    /// # Errors
    /// The mistakes in it, with the line and what was expected.
    pub fn parse(text: &str) -> Result<Self, ConfigErrors> {
        ConfigDraft::parse(text).finish()
    }

    /// What one request may ask for.
    ///
    /// # Errors
    /// Numbers that cannot be meant.
    pub fn bounds(&self) -> Result<RequestLimits, ConfigErrors> {
        let mut mistakes = Vec::new();
        if !(1..=10_000).contains(&self.limits.page) {
            mistakes.push(format!(
                "limits.page is {}: expected 1 to 10000",
                self.limits.page
            ));
        }
        let deadline = seconds(
            "limits.deadline_seconds",
            self.limits.deadline_seconds,
            &mut mistakes,
        );
        if !(1..=10_000).contains(&self.limits.calls) {
            mistakes.push(format!(
                "limits.calls is {}: expected 1 to 10000",
                self.limits.calls
            ));
        }
        self.limits.check_bytes(&mut mistakes);
        if mistakes.is_empty() {
            Ok(RequestLimits {
                page: self.limits.page,
                deadline,
                request_bytes: self.limits.request_bytes,
                calls: self.limits.calls,
                ..RequestLimits::default()
            })
        } else {
            Err(ConfigErrors(mistakes))
        }
    }
}

impl AccountSettings {
    /// The account of a provider that is enabled.
    ///
    /// # Errors
    /// Everything that is missing or wrong.
    pub fn account(&self, provider: Provider) -> Result<AccountSetup, ConfigErrors> {
        let name = provider.name();
        let door = door(provider);
        let mut mistakes = Vec::new();
        let base = self
            .base(name, &door)
            .map_err(|mistake| mistakes.push(mistake));
        let base = base.ok().flatten().and_then(|base| {
            let at = format!("accounts.{name}.base_url");
            address(base, &at, self.allow_http)
                .map_err(|mistake| mistakes.push(mistake))
                .ok()
        });
        if base.is_none() && mistakes.is_empty() {
            mistakes.push(format!(
                "accounts.{name}.base_url is missing: every account has an address of its own"
            ));
        }
        let token = self
            .token(name)
            .map_err(|mistake| mistakes.push(mistake))
            .ok();
        let given = self.timeout_seconds.unwrap_or(door.timeout.as_secs_f64());
        let timeout = seconds(
            &format!("accounts.{name}.timeout_seconds"),
            given,
            &mut mistakes,
        );
        let concurrency = self.concurrency.unwrap_or(door.concurrency);
        if !(1..=1000).contains(&concurrency) {
            mistakes.push(format!(
                "accounts.{name}.concurrency is {concurrency}: expected 1 to 1000"
            ));
        }
        let budget = self.windows(name, &door, &mut mistakes);
        self.check_calls(name, &mut mistakes);
        let breaker = (self.breaker).rules(&format!("accounts.{name}.breaker"), &mut mistakes);
        match (base, token) {
            (Some(base), Some(token)) if mistakes.is_empty() => Ok(AccountSetup {
                base,
                token,
                token_source: self.token_source(name),
                token_origin: self.token_origin(name),
                timeout,
                concurrency,
                breaker,
                budget,
            }),
            _ => Err(ConfigErrors(mistakes)),
        }
    }

    /// Checks how often a call is sent, and how much of its answer is read.
    fn check_calls(&self, name: &str, mistakes: &mut Vec<String>) {
        if !(1..=10).contains(&self.attempts) {
            mistakes.push(format!(
                "accounts.{name}.attempts is {}: expected 1 to 10",
                self.attempts
            ));
        }
        if !ANSWER_BYTES.contains(&self.max_answer_bytes) {
            mistakes.push(format!(
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
    fn token_variable(&self, name: &str) -> String {
        let usual = || format!("ROSTER_{}_TOKEN", name.to_uppercase());
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

#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place where the environment is read"
)]
fn variable_named(name: &str) -> Option<String> {
    env::var(name).ok()
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
    let mistake = if !matches!(url.scheme(), "http" | "https") || url.cannot_be_a_base() {
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
    Err(format!("{at} {mistake}"))
}

fn seconds(at: &str, value: f64, mistakes: &mut Vec<String>) -> Duration {
    match Duration::try_from_secs_f64(value) {
        Ok(duration) if (0.01..=600.0).contains(&value) => duration,
        _ => {
            mistakes.push(format!("{at} is {value}: expected 0.01 to 600"));
            Duration::from_secs(1)
        }
    }
}
