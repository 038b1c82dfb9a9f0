//! How long responses are cached.

use std::{collections::BTreeMap, time::Duration};

use serde::Deserialize;

use super::ConfigErrors;
use crate::client::{Operation, cache::CachePolicy};

/// How long responses are cached, for accounts without settings of their own.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CacheSettings {
    /// The largest size of the cache in bytes.
    pub max_bytes: u64,
    /// How many seconds a response is fresh; zero disables the cache.
    pub seconds: f64,
    /// How many seconds an empty result is fresh.
    pub negative_seconds: f64,
    /// How many seconds after that a response is returned while it is read again.
    pub stale_seconds: f64,
    /// How many seconds after that a response is returned if the provider fails.
    pub error_seconds: f64,
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self {
            max_bytes: 64 * 1024 * 1024,
            seconds: 5.0,
            negative_seconds: 2.0,
            stale_seconds: 10.0,
            error_seconds: 300.0,
        }
    }
}

/// How long an account's responses are cached, where that differs from `[cache]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CacheOverrides {
    /// How many seconds a response is fresh; zero disables the cache.
    pub seconds: Option<f64>,
    /// The same for single operations, by their names in metrics.
    pub operations: BTreeMap<String, f64>,
    /// How many seconds an empty result is fresh.
    pub negative_seconds: Option<f64>,
    /// How many seconds after that a response is returned while it is read again.
    pub stale_seconds: Option<f64>,
    /// How many seconds after that a response is returned if the provider fails.
    pub error_seconds: Option<f64>,
}

/// The table with the settings for all accounts.
const DEFAULTS: &str = "cache";

/// No response is cached for longer than a day, because it is personal data.
const LONGEST: f64 = 86_400.0;

impl CacheSettings {
    /// Checks the settings for all accounts.
    ///
    /// # Errors
    /// Numbers out of range.
    pub fn check(&self) -> Result<(), ConfigErrors> {
        self.policy(DEFAULTS, &CacheOverrides::default())
            .map(|_| ())
    }

    /// The cache policy of an account.
    ///
    /// # Errors
    /// Numbers out of range, and unknown operations.
    pub fn policy(
        &self,
        at: &str,
        overrides: &CacheOverrides,
    ) -> Result<CachePolicy, ConfigErrors> {
        let mut errors = Vec::new();
        let mut duration = |name: &str, seconds: f64| {
            let is_meant = (0.0..=LONGEST).contains(&seconds);
            match Duration::try_from_secs_f64(seconds) {
                Ok(duration) if is_meant => duration,
                _ => {
                    errors.push(format!("{at}.{name} is {seconds}: expected 0 to {LONGEST}"));
                    Duration::ZERO
                }
            }
        };
        // An error in the settings for all accounts is not repeated for each account.
        let usual = |seconds: f64| Duration::try_from_secs_f64(seconds).unwrap_or_default();
        let mut either = |name: &str, own: Option<f64>, common: f64| match own {
            None if at != DEFAULTS => usual(common),
            own => duration(name, own.unwrap_or(common)),
        };
        let (fresh, negative, stale, error) = (
            either("seconds", overrides.seconds, self.seconds),
            either(
                "negative_seconds",
                overrides.negative_seconds,
                self.negative_seconds,
            ),
            either("stale_seconds", overrides.stale_seconds, self.stale_seconds),
            either("error_seconds", overrides.error_seconds, self.error_seconds),
        );
        let operations = overrides.operations.iter().map(|(name, seconds)| {
            let cached = duration(&format!("operations.{name}"), *seconds);
            (name.clone(), cached)
        });
        let policy = CachePolicy {
            fresh,
            negative,
            stale,
            error,
            operations: operations.collect(),
        };
        let known = Operation::READS.map(Operation::name);
        let unknown = overrides
            .operations
            .keys()
            .filter(|name| !known.contains(&name.as_str()));
        errors.extend(unknown.map(|name| {
            let known = known.join(", ");
            format!("{at}.operations.{name} is no operation with cached responses: expected one of {known}")
        }));
        if errors.is_empty() {
            Ok(policy)
        } else {
            Err(ConfigErrors(errors))
        }
    }
}
