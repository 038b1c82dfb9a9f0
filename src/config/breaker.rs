//! When a provider that keeps failing is left alone, and for how long.

use serde::Deserialize;

use super::seconds;
use crate::client::breaker::CircuitRules;

/// When a provider that keeps failing is left alone, and for how long.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BreakerSettings {
    /// Whether it ever is.
    pub enabled: bool,
    /// How many attempts must have failed within the window, or one after another over any time.
    pub failures: u32,
    /// What share of the window's attempts must have failed.
    pub failure_rate: f64,
    /// How many seconds back attempts are counted.
    pub window_seconds: f64,
    /// For how many seconds the provider is left alone at first; they double with each trial that fails.
    pub cooldown_seconds: f64,
    /// For how many seconds the provider is left alone at most.
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
    /// The rules of the circuit; `None` when there is none.
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
