//! For how long answers are kept.

use std::{collections::BTreeMap, time::Duration};

use serde::Deserialize;

use super::Mistakes;
use crate::http::{Operation, cache::Terms};

/// For how long answers are kept, of all vendors that do not say otherwise.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cache {
    /// How many bytes of answers are kept at most.
    pub max_bytes: u64,
    /// For how many seconds an answer is fresh; nought keeps nothing.
    pub seconds: f64,
    /// For how many seconds "there is nobody" is fresh.
    pub negative_seconds: f64,
    /// For how many seconds after that an answer is given while the vendor is asked again.
    pub stale_seconds: f64,
    /// For how many seconds after that an answer is given when the vendor fails.
    pub error_seconds: f64,
}

impl Default for Cache {
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

/// For how long a vendor's answers are kept, where it is not as long as those of the others.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Keep {
    /// For how many seconds an answer is fresh; nought keeps nothing.
    pub seconds: Option<f64>,
    /// The same for single operations, by the names that metrics have for them.
    pub operations: BTreeMap<String, f64>,
    /// For how many seconds "there is nobody" is fresh.
    pub negative_seconds: Option<f64>,
    /// For how many seconds after that an answer is given while the vendor is asked again.
    pub stale_seconds: Option<f64>,
    /// For how many seconds after that an answer is given when the vendor fails.
    pub error_seconds: Option<f64>,
}

/// No answer is kept longer than a day: these are people's data.
const LONGEST: f64 = 86_400.0;

impl Cache {
    /// What is wrong with the terms of all vendors.
    ///
    /// # Errors
    /// Numbers that cannot be meant.
    pub fn check(&self) -> Result<(), Mistakes> {
        self.terms("cache", &Keep::default()).map(|_| ())
    }

    /// For how long a vendor's answers are kept.
    ///
    /// # Errors
    /// Numbers that cannot be meant, and operations that there are not.
    pub fn terms(&self, at: &str, keep: &Keep) -> Result<Terms, Mistakes> {
        let mut mistakes = Vec::new();
        let mut duration = |name: &str, seconds: f64| {
            let is_meant = (0.0..=LONGEST).contains(&seconds);
            match Duration::try_from_secs_f64(seconds) {
                Ok(duration) if is_meant => duration,
                _ => {
                    mistakes.push(format!("{at}.{name} is {seconds}: expected 0 to {LONGEST}"));
                    Duration::ZERO
                }
            }
        };
        let operations = keep.operations.iter().map(|(name, seconds)| {
            let kept = duration(&format!("operations.{name}"), *seconds);
            (name.clone(), kept)
        });
        let operations: BTreeMap<_, _> = operations.collect();
        let terms = Terms {
            fresh: duration("seconds", keep.seconds.unwrap_or(self.seconds)),
            negative: duration(
                "negative_seconds",
                keep.negative_seconds.unwrap_or(self.negative_seconds),
            ),
            stale: duration(
                "stale_seconds",
                keep.stale_seconds.unwrap_or(self.stale_seconds),
            ),
            error: duration(
                "error_seconds",
                keep.error_seconds.unwrap_or(self.error_seconds),
            ),
            operations,
        };
        let known = Operation::READS.map(Operation::name);
        let unknown = keep
            .operations
            .keys()
            .filter(|name| !known.contains(&name.as_str()));
        mistakes.extend(unknown.map(|name| {
            let known = known.join(", ");
            format!("{at}.operations.{name} is no operation whose answers are kept: expected one of {known}")
        }));
        if mistakes.is_empty() {
            Ok(terms)
        } else {
            Err(Mistakes(mistakes))
        }
    }
}
