//! Counts and times every call, records the account's health, and logs when it fails.

mod log;

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::time::Instant;

use super::{Layer, NextLayer, Operation, Request, Response};
use crate::{
    account::Account,
    error::{Error, ErrorCode, ErrorKind, FailureStage, Result},
    metrics,
};
pub use log::ProviderLog;

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

/// An account's health, shared between its calls and its readers.
pub type HealthRecorder = Arc<Mutex<AccountHealth>>;

/// Reads an account's health.
#[must_use]
pub fn health(health: &HealthRecorder) -> AccountHealth {
    health
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone()
}

/// Records one observation per logical call; it sits outside the retry.
pub struct MetricsLayer {
    account: Account,
    health: HealthRecorder,
    log: Arc<ProviderLog>,
}

impl MetricsLayer {
    /// Observes the calls of an account.
    #[must_use]
    pub fn new(account: Account, health: HealthRecorder, log: Arc<ProviderLog>) -> Self {
        for operation in Operation::ALL {
            let ends = ENDS.map(|kind| kind.code().as_str());
            let outcomes = [OK, NOT_FOUND].into_iter().chain(ends);
            let unsent = UNSENT.map(|kind| kind.code().as_str());
            metrics::init_calls(account, operation.name(), outcomes, unsent);
        }
        Self {
            account,
            health,
            log,
        }
    }

    /// Passes the end of a call to the log. A 404 for a record that may be missing is no failure.
    fn log_end(&self, operation: &'static str, may_be_missing: bool, error: Option<&Error>) {
        match error {
            None => self.log.answered(),
            Some(error) if error.kind() == ErrorKind::Missing && !may_be_missing => {
                self.log.failed(operation, error);
            }
            Some(error) if is_the_providers_fault(error.kind()) => {
                self.log.failed(operation, error)
            }
            Some(_) => {}
        }
    }
}

#[async_trait]
impl Layer for MetricsLayer {
    async fn call(&self, request: Request, next: NextLayer<'_>) -> Result<Response> {
        let (operation, may_be_missing) = (request.operation.name(), request.may_be_missing);
        let started = Instant::now();
        let answer = next.run(request).await;
        // A call that was never sent proves nothing about the provider.
        if let Err(error) = &answer {
            if error.kind() == ErrorKind::Invalid {
                return answer;
            }
            if error.failure_stage() == FailureStage::NotSent {
                let code = error.kind().code().as_str();
                metrics::provider_call_unsent(self.account, operation, code);
                if error.kind() == ErrorKind::Throttled {
                    self.log.failed(operation, error);
                }
                return answer;
            }
        }
        let outcome = match &answer {
            Ok(_) => OK,
            // This is often the expected answer.
            Err(error) if error.kind() == ErrorKind::Missing => NOT_FOUND,
            Err(error) => error.kind().code().as_str(),
        };
        metrics::provider_call(self.account, operation, outcome, started.elapsed());
        tracing::debug!(
            provider.name = self.account.provider().name(),
            account.name = self.account.name(),
            operation,
            outcome,
            duration_ms = started.elapsed().as_millis() as u64,
            "provider called"
        );
        if !is_about_the_provider(answer.as_ref().err()) {
            return answer;
        }
        self.log_end(operation, may_be_missing, answer.as_ref().err());
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        health.calls += 1;
        match &answer {
            Err(error) if is_the_providers_fault(error.kind()) => {
                health.last_failure = Some((Timestamp::now(), error.kind().code()));
            }
            _ => health.last_success_at = Some(Timestamp::now()),
        }
        answer
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
