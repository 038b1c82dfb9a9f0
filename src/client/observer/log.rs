//! Logs that a provider fails, and why: at most once a minute for each kind of failure, and once
//! when it recovers.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    account::Account,
    error::{Error, ErrorCode, ErrorKind},
};

/// The shortest time between two log lines about the same kind of failure.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// Logs one account's failures and recoveries.
#[derive(Debug)]
pub(in crate::client) struct ProviderLog {
    account: Account,
    /// The source of the token, and what to do when the provider refuses it.
    token: String,
    state: Mutex<ProviderLogState>,
}

#[derive(Debug, Default)]
struct ProviderLogState {
    logged_at: HashMap<&'static str, Instant>,
    /// The codes that were logged and have not recovered.
    failing: BTreeSet<&'static str>,
}

impl ProviderLog {
    /// A log for an account whose token comes from `token`.
    pub(super) fn new(account: Account, token: impl Into<String>) -> Self {
        Self {
            account,
            token: token.into(),
            state: Mutex::default(),
        }
    }

    /// Logs a failure that an operator must know.
    pub(in crate::client) fn failed(&self, operation: &'static str, error: &Error) {
        let code = error.kind().code().as_str();
        if !self.is_news(code) {
            return;
        }
        let mut why = error.message().to_owned();
        if error.kind() == ErrorKind::Denied {
            why = format!("{why}; {}", self.token);
        }
        tracing::warn!(
            provider.name = self.account.provider().name(),
            account.name = self.account.name(),
            operation,
            code,
            status = error.status(),
            provider.request_id = error.provider_request_id(),
            why,
            "the provider fails"
        );
    }

    /// Notes that the provider responded.
    pub(super) fn answered(&self) {
        self.recovered(|code| code != ErrorCode::ProviderBadResponse.as_str());
    }

    /// Notes that a response was readable.
    pub(in crate::client) fn readable(&self) {
        self.recovered(|code| code == ErrorCode::ProviderBadResponse.as_str());
    }

    fn recovered(&self, from: impl Fn(&str) -> bool) {
        let mut state = self.state();
        let was_failing = !state.failing.is_empty();
        state.failing.retain(|code| !from(code));
        if was_failing && state.failing.is_empty() {
            drop(state);
            tracing::info!(
                provider.name = self.account.provider().name(),
                account.name = self.account.name(),
                "the provider answers again"
            );
        }
    }

    fn is_news(&self, code: &'static str) -> bool {
        let now = Instant::now();
        let mut state = self.state();
        let told = state.logged_at.get(code);
        if told.is_some_and(|at| now.saturating_duration_since(*at) < LOG_INTERVAL) {
            return false;
        }
        state.logged_at.insert(code, now);
        state.failing.insert(code);
        true
    }

    fn state(&self) -> MutexGuard<'_, ProviderLogState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
