//! The rate limits of an account.

use super::AccountSettings;
use crate::connectors::{ConnectorSpec, QuotaWindow};

impl AccountSettings {
    /// The configured windows, or those that the provider documents.
    pub(super) fn windows(
        &self,
        name: &str,
        spec: &ConnectorSpec,
        errors: &mut Vec<String>,
    ) -> Vec<QuotaWindow> {
        let windows = self.budget.as_deref().unwrap_or(spec.budget);
        errors.extend(window_errors(&format!("accounts.{name}.budget"), windows));
        windows.to_vec()
    }
}

/// The errors of a list of windows.
fn window_errors(at: &str, windows: &[QuotaWindow]) -> Vec<String> {
    let mut errors = Vec::new();
    if windows.len() > 8 {
        let count = windows.len();
        errors.push(format!("{at} has {count} windows: expected 8 at most"));
    }
    for (place, QuotaWindow { calls, seconds }) in windows.iter().enumerate() {
        if !(1..=1_000_000).contains(calls) {
            errors.push(format!(
                "{at}[{place}].calls is {calls}: expected 1 to 1000000; for no calls at all, say `enabled = false`"
            ));
        }
        if !(1..=2_678_400).contains(seconds) {
            errors.push(format!(
                "{at}[{place}].seconds is {seconds}: expected 1 to 2678400 (31 days)"
            ));
        }
        let earlier = &windows[..place];
        if earlier.iter().any(|window| window.seconds == *seconds) {
            errors.push(format!(
                "{at}[{place}] is a second window of {seconds} seconds: keep the one with fewer calls"
            ));
        }
    }
    errors
}
