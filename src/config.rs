//! The configuration: a TOML file, and secrets from the environment or from files.
//!
//! All settings come from there. The environment affects two more things, neither of which changes an
//! answer: `RUST_LOG` sets how much is logged, and the system's proxy variables how providers are
//! reached by accounts without a `proxy`.

mod accounts;
mod address;
mod breaker;
mod budget;
mod cache;
mod check;
mod connection;
mod log;
mod password;
mod server;
mod shared;
mod text;

use std::{collections::BTreeMap, env, fmt, ops::RangeInclusive, path::Path, time::Duration};

use serde::Deserialize;

pub use accounts::{AccountSettings, AccountSetup};
pub use breaker::BreakerSettings;
pub use cache::{CacheOverrides, CacheSettings};
pub use log::LogSettings;
pub use server::ServerSettings;
pub use shared::SharedSettings;
pub use text::{ConfigDraft, explain_toml_error};

use crate::graphql::RequestLimits;

/// The allowed limits on the bytes of requests: fewer are too few for a response, and more are no
/// limit.
const BYTES: RangeInclusive<u64> = 1024..=1 << 50;

/// All settings.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The HTTP server.
    pub server: ServerSettings,
    /// The limits on one request.
    pub limits: LimitSettings,
    /// Logging.
    pub log: LogSettings,
    /// How long responses are cached.
    pub cache: CacheSettings,
    /// The store that replicas share.
    pub shared: SharedSettings,
    /// The accounts, by name.
    pub accounts: BTreeMap<String, AccountSettings>,
}

/// The limits on one request.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitSettings {
    /// The largest `first` and `last`.
    pub page: u32,
    /// How many seconds a request may take, including all its calls to providers.
    pub deadline_seconds: f64,
    /// How many calls a request may make to each account, including retries.
    pub calls: u32,
    /// How many bytes a request may hold: of providers' responses and of its own.
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
    fn check_bytes(&self, errors: &mut Vec<String>) {
        let (least, most) = (BYTES.start(), BYTES.end());
        for (name, value) in [
            ("request_bytes", self.request_bytes),
            ("total_bytes", self.total_bytes),
        ] {
            if !BYTES.contains(&value) {
                errors.push(format!(
                    "limits.{name} is {value}: expected {least} to {most}"
                ));
            }
        }
        if self.total_bytes < self.request_bytes {
            errors.push(format!(
                "limits.total_bytes is {}: expected at least limits.request_bytes, which is {}",
                self.total_bytes, self.request_bytes
            ));
        }
    }
}

/// All errors of a configuration, one per line.
#[derive(Debug)]
pub struct ConfigErrors(pub Vec<String>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for ConfigErrors {}

impl Settings {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// The errors in it, each with its line and what was expected.
    pub fn read(path: &Path) -> Result<Self, ConfigErrors> {
        ConfigDraft::read(path)?.finish()
    }

    /// Reads a configuration.
    ///
    /// # Errors
    /// The errors in it, each with its line and what was expected.
    pub fn parse(text: &str) -> Result<Self, ConfigErrors> {
        ConfigDraft::parse(text).finish()
    }

    /// Checks the limits on one request.
    ///
    /// # Errors
    /// Numbers out of range.
    pub fn bounds(&self) -> Result<RequestLimits, ConfigErrors> {
        let mut errors = Vec::new();
        if !(1..=10_000).contains(&self.limits.page) {
            errors.push(format!(
                "limits.page is {}: expected 1 to 10000",
                self.limits.page
            ));
        }
        let deadline = seconds(
            "limits.deadline_seconds",
            self.limits.deadline_seconds,
            &mut errors,
        );
        if !(1..=10_000).contains(&self.limits.calls) {
            errors.push(format!(
                "limits.calls is {}: expected 1 to 10000",
                self.limits.calls
            ));
        }
        self.limits.check_bytes(&mut errors);
        if errors.is_empty() {
            Ok(RequestLimits {
                page: self.limits.page,
                deadline,
                request_bytes: self.limits.request_bytes,
                calls: self.limits.calls,
                ..RequestLimits::default()
            })
        } else {
            Err(ConfigErrors(errors))
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place where the environment is read"
)]
fn variable_named(name: &str) -> Option<String> {
    env::var(name).ok()
}

fn seconds(at: &str, value: f64, errors: &mut Vec<String>) -> Duration {
    match Duration::try_from_secs_f64(value) {
        Ok(duration) if (0.01..=600.0).contains(&value) => duration,
        _ => {
            errors.push(format!("{at} is {value}: expected 0.01 to 600"));
            Duration::from_secs(1)
        }
    }
}
