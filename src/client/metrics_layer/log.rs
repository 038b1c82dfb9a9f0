//! Says in the log that a provider is ill, and why: at most once a minute for each kind of failure, and
//! once when it is well again.

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

/// For how long the same kind of failure is not told again.
const SILENCE: Duration = Duration::from_secs(60);

/// What the log says of one account.
#[derive(Debug)]
pub struct ProviderLog {
    account: Account,
    /// Where the token comes from and what to do when it is refused.
    token: String,
    state: Mutex<ProviderLogState>,
}

#[derive(Debug, Default)]
struct ProviderLogState {
    told: HashMap<&'static str, Instant>,
    /// The codes that were told and have not ended.
    failing: BTreeSet<&'static str>,
}

impl ProviderLog {
    /// The log of a provider whose token comes from somewhere.
    #[must_use]
    pub fn new(account: Account, token: impl Into<String>) -> Self {
        Self {
            account,
            token: token.into(),
            state: Mutex::default(),
        }
    }

    /// Tells of a failure that an operator must know of.
    pub fn failed(&self, operation: &'static str, error: &Error) {
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

    /// Notes that the provider answered.
    pub(super) fn answered(&self) {
        self.recovered(|code| code != ErrorCode::ProviderBadResponse.as_str());
    }

    /// Notes that an answer could be read.
    pub fn readable(&self) {
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
        let told = state.told.get(code);
        if told.is_some_and(|at| now.saturating_duration_since(*at) < SILENCE) {
            return false;
        }
        state.told.insert(code, now);
        state.failing.insert(code);
        true
    }

    fn state(&self) -> MutexGuard<'_, ProviderLogState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
