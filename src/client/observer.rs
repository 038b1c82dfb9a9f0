//! Records the calls to an account: counts and times them, keeps the account's health, logs its
//! failures, and adds each attempt to the log of its request's calls.

mod attempt_record;
mod log;

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;

use super::{Operation, Request, Response, attempt::Attempt};
use crate::{
    account::Account,
    error::{Error, ErrorCode, ErrorKind, FailureStage, Result},
    metrics,
};
use attempt_record::OngoingAttempt;
use log::ProviderLog;

const OK: &str = "ok";
const NOT_FOUND: &str = "not_found";

/// The codes with which a call can fail.
const ENDS: [ErrorKind; 10] = [
    ErrorKind::Rejected,
    ErrorKind::Denied,
    ErrorKind::Throttled,
    ErrorKind::TimedOut,
    ErrorKind::Unavailable,
    ErrorKind::Malformed,
    ErrorKind::DeadlineExceeded,
    ErrorKind::TooLarge,
    ErrorKind::Overloaded,
    ErrorKind::Internal,
];

/// The codes of calls that were never sent.
const UNSENT: [ErrorKind; 4] = [
    ErrorKind::Throttled,
    ErrorKind::Unavailable,
    ErrorKind::DeadlineExceeded,
    ErrorKind::Overloaded,
];

/// The health of an account, from its calls so far.
#[derive(Clone, Debug, Default)]
pub struct AccountHealth {
    /// When a call last succeeded.
    pub last_success_at: Option<Timestamp>,
    /// When a call last failed because of the provider, and with which code.
    pub last_failure: Option<(Timestamp, ErrorCode)>,
    /// The number of calls, without retries.
    pub calls: u64,
}

/// Records the calls of an account.
pub struct CallObserver {
    account: Account,
    health: Mutex<AccountHealth>,
    log: ProviderLog,
}

impl CallObserver {
    /// Observes the calls of an account whose token comes from `token_origin`.
    #[must_use]
    pub fn new(account: Account, token_origin: &str) -> Self {
        for operation in Operation::ALL {
            let ends = ENDS.map(|kind| kind.code().as_str());
            let outcomes = [OK, NOT_FOUND].into_iter().chain(ends);
            let unsent = UNSENT.map(|kind| kind.code().as_str());
            metrics::init_calls(account, operation.name(), outcomes, unsent);
        }
        Self {
            account,
            health: Mutex::default(),
            log: ProviderLog::new(account, token_origin),
        }
    }

    /// The log of the account's failures.
    pub(super) fn log(&self) -> &ProviderLog {
        &self.log
    }

    /// The health of the account.
    pub(super) fn health(&self) -> AccountHealth {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, AccountHealth> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the record of an attempt, which is part of the log of its request's calls.
    pub(super) fn begin_attempt(&self, attempt: &Attempt<'_>) -> OngoingAttempt {
        OngoingAttempt::start(self.account, attempt)
    }

    /// Records the end of a call, however many attempts it took.
    pub(super) fn record(&self, request: &Request, answer: &Result<Response>, took: Duration) {
        let (operation, error) = (request.operation.name(), answer.as_ref().err());
        match error {
            Some(error) if error.kind() == ErrorKind::Invalid => return,
            // A call that was never sent proves nothing about the provider.
            Some(error) if error.failure_stage() == FailureStage::NotSent => {
                let code = error.kind().code().as_str();
                metrics::provider_call_unsent(self.account, operation, code);
                if error.kind() == ErrorKind::Throttled {
                    self.log.failed(operation, error);
                }
                return;
            }
            _ => {}
        }
        self.record_outcome(operation, error, took);
        if is_about_the_provider(error) {
            self.log_end(request, error);
            self.record_health(error);
        }
    }

    fn record_outcome(&self, operation: &'static str, error: Option<&Error>, took: Duration) {
        let outcome = match error {
            None => OK,
            // This is often the expected answer.
            Some(error) if error.kind() == ErrorKind::Missing => NOT_FOUND,
            Some(error) => error.kind().code().as_str(),
        };
        metrics::provider_call(self.account, operation, outcome, took);
        tracing::debug!(
            provider.name = self.account.provider().name(),
            account.name = self.account.name(),
            operation,
            outcome,
            duration_ms = took.as_millis() as u64,
            "provider called"
        );
    }

    /// Passes the end of a call to the log. A 404 for a record that may be missing is no failure.
    fn log_end(&self, request: &Request, error: Option<&Error>) {
        let Some(error) = error else {
            return self.log.answered();
        };
        let is_unexpected = error.kind() == ErrorKind::Missing && !request.may_be_missing;
        if is_unexpected || is_the_providers_fault(error.kind()) {
            self.log.failed(request.operation.name(), error);
        }
    }

    fn record_health(&self, error: Option<&Error>) {
        let mut health = self.lock();
        health.calls += 1;
        match error {
            Some(error) if is_the_providers_fault(error.kind()) => {
                health.last_failure = Some((Timestamp::now(), error.kind().code()));
            }
            _ => health.last_success_at = Some(Timestamp::now()),
        }
    }
}

/// A healthy provider may refuse a call or respond 404.
fn is_the_providers_fault(kind: ErrorKind) -> bool {
    kind.is_transient()
        || matches!(
            kind,
            ErrorKind::Denied | ErrorKind::Malformed | ErrorKind::DeadlineExceeded
        )
}

/// Whether the end of a call shows the provider's health. A failure of our own does not; but our
/// deadline does when the provider had a fair amount of time to respond.
fn is_about_the_provider(error: Option<&Error>) -> bool {
    let Some(error) = error else {
        return true;
    };
    let had_time = error.kind() == ErrorKind::DeadlineExceeded
        && error.failure_stage() == FailureStage::Provider;
    had_time || !error.kind().is_ours()
}
