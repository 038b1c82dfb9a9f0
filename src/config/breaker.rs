//! The settings of an account's circuit breaker.

use serde::Deserialize;

use super::seconds;
use crate::client::breaker::CircuitRules;

/// When calls to a failing provider stop, and for how long.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BreakerSettings {
    /// Whether the breaker is used.
    pub enabled: bool,
    /// How many attempts must have failed within the window, or in a row over any time.
    pub failures: u32,
    /// The share of the window's attempts that must have failed.
    pub failure_rate: f64,
    /// The length of the window in seconds.
    pub window_seconds: f64,
    /// The first cool-down in seconds; it doubles with each trial that fails.
    pub cooldown_seconds: f64,
    /// The longest cool-down in seconds.
    pub max_cooldown_seconds: f64,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            failures: 5,
            failure_rate: 0.5,
            window_seconds: 10.0,
            cooldown_seconds: 5.0,
            max_cooldown_seconds: 60.0,
        }
    }
}

impl BreakerSettings {
    /// The rules of the circuit; `None` when the breaker is disabled.
    pub(super) fn rules(&self, at: &str, errors: &mut Vec<String>) -> Option<CircuitRules> {
        if !(1..=10_000).contains(&self.failures) {
            errors.push(format!(
                "{at}.failures is {}: expected 1 to 10000",
                self.failures
            ));
        }
        if !(0.01..=1.0).contains(&self.failure_rate) {
            errors.push(format!(
                "{at}.failure_rate is {}: expected 0.01 to 1",
                self.failure_rate
            ));
        }
        if self.max_cooldown_seconds < self.cooldown_seconds {
            errors.push(format!(
                "{at}.max_cooldown_seconds is {}: expected no less than `cooldown_seconds`, {}",
                self.max_cooldown_seconds, self.cooldown_seconds
            ));
        }
        let mut duration = |name: &str, value| seconds(&format!("{at}.{name}"), value, errors);
        let rules = CircuitRules {
            failures: self.failures,
            failure_rate: self.failure_rate,
            window: duration("window_seconds", self.window_seconds),
            cooldown: duration("cooldown_seconds", self.cooldown_seconds),
            max_cooldown: duration("max_cooldown_seconds", self.max_cooldown_seconds),
        };
        self.enabled.then_some(rules)
    }
}
