//! For how long answers are kept.

use std::{collections::BTreeMap, time::Duration};

use serde::Deserialize;

use super::ConfigErrors;
use crate::client::{Operation, cache::CachePolicy};

/// For how long answers are kept, of all providers that do not say otherwise.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CacheSettings {
    /// How many bytes of answers are kept at most.
    pub max_bytes: u64,
    /// For how many seconds an answer is fresh; nought keeps nothing.
    pub seconds: f64,
    /// For how many seconds "there is nobody" is fresh.
    pub negative_seconds: f64,
    /// For how many seconds after that an answer is given while the provider is asked again.
    pub stale_seconds: f64,
    /// For how many seconds after that an answer is given when the provider fails.
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

/// For how long a provider's answers are kept, where it is not as long as those of the others.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CacheOverrides {
    /// For how many seconds an answer is fresh; nought keeps nothing.
    pub seconds: Option<f64>,
    /// The same for single operations, by the names that metrics have for them.
    pub operations: BTreeMap<String, f64>,
    /// For how many seconds "there is nobody" is fresh.
    pub negative_seconds: Option<f64>,
    /// For how many seconds after that an answer is given while the provider is asked again.
    pub stale_seconds: Option<f64>,
    /// For how many seconds after that an answer is given when the provider fails.
    pub error_seconds: Option<f64>,
}

/// The table of the terms of all providers.
const COMMON: &str = "cache";

/// No answer is kept longer than a day: these are people's data.
const LONGEST: f64 = 86_400.0;

impl CacheSettings {
    /// What is wrong with the terms of all providers.
    ///
    /// # Errors
    /// Numbers that cannot be meant.
    pub fn check(&self) -> Result<(), ConfigErrors> {
        self.terms(COMMON, &CacheOverrides::default()).map(|_| ())
    }

    /// For how long a provider's answers are kept.
    ///
    /// # Errors
    /// Numbers that cannot be meant, and operations that there are not.
    pub fn terms(&self, at: &str, keep: &CacheOverrides) -> Result<CachePolicy, ConfigErrors> {
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
        // What is wrong with the terms of all is not said again of each.
        let usual = |seconds: f64| Duration::try_from_secs_f64(seconds).unwrap_or_default();
        let mut either = |name: &str, own: Option<f64>, common: f64| match own {
            None if at != COMMON => usual(common),
            own => duration(name, own.unwrap_or(common)),
        };
        let (fresh, negative, stale, error) = (
            either("seconds", keep.seconds, self.seconds),
            either(
                "negative_seconds",
                keep.negative_seconds,
                self.negative_seconds,
            ),
            either("stale_seconds", keep.stale_seconds, self.stale_seconds),
            either("error_seconds", keep.error_seconds, self.error_seconds),
        );
        let operations = keep.operations.iter().map(|(name, seconds)| {
            let cached = duration(&format!("operations.{name}"), *seconds);
            (name.clone(), cached)
        });
        let terms = CachePolicy {
            fresh,
            negative,
            stale,
            error,
            operations: operations.collect(),
        };
        let known = Operation::READS.map(Operation::name);
        let unknown = keep
            .operations
            .keys()
            .filter(|name| !known.contains(&name.as_str()));
        errors.extend(unknown.map(|name| {
            let known = known.join(", ");
            format!("{at}.operations.{name} is no operation whose answers are kept: expected one of {known}")
        }));
        if errors.is_empty() {
            Ok(terms)
        } else {
            Err(ConfigErrors(errors))
        }
    }
}
