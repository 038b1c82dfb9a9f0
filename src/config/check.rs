//! Settings that are valid and can be started, and still cannot work.

use super::Settings;

impl Settings {
    /// Settings that cannot work though the gateway starts: `check` refuses them, and `serve` warns
    /// about them.
    #[must_use]
    pub fn startup_warnings(&self) -> Vec<String> {
        let mut errors = Vec::new();
        if !self.accounts.values().any(|account| account.enabled) {
            errors.push(
                "no account is enabled: add a table such as [accounts.intercom], or drop its `enabled = false`"
                    .to_owned(),
            );
        }
        let deadline = self.limits.deadline_seconds;
        for (name, account) in self.accounts.iter().filter(|(_, account)| account.enabled) {
            if let Some(timeout) = account
                .timeout_seconds
                .filter(|timeout| *timeout > deadline)
            {
                errors.push(format!(
                    "accounts.{name}.timeout_seconds is {timeout}, and no request takes longer than \
                     limits.deadline_seconds, {deadline}: lower the timeout, or raise the deadline"
                ));
            }
        }
        errors
    }
}
