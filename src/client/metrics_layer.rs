//! Counts and times every call, remembers how the provider fares, and tells when it is ill.

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

/// How a call can fail.
const ENDS: [ErrorKind; 10] = [
    ErrorKind::Rejected,
    ErrorKind::Denied,
    ErrorKind::Throttled,
    ErrorKind::TimedOut,
    ErrorKind::Unavailable,
    ErrorKind::Malformed,
    ErrorKind::Late,
    ErrorKind::TooLarge,
    ErrorKind::Overloaded,
    ErrorKind::Internal,
];

/// How a call can fail before it is sent.
const UNSENT: [ErrorKind; 4] = [
    ErrorKind::Throttled,
    ErrorKind::Unavailable,
    ErrorKind::Late,
    ErrorKind::Overloaded,
];

/// How a provider fares, by the calls made so far.
#[derive(Clone, Debug, Default)]
pub struct Health {
    /// When a call last succeeded.
    pub last_success_at: Option<Timestamp>,
    /// When a call last failed by the provider's fault, and how.
    pub last_failure: Option<(Timestamp, ErrorCode)>,
    /// How many calls were made, retries not counted.
    pub calls: u64,
}

/// A provider's health, shared between its calls and those who ask.
pub type HealthRecorder = Arc<Mutex<Health>>;

/// Reads a provider's health.
#[must_use]
pub fn health(pulse: &HealthRecorder) -> Health {
    pulse.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// One observation for each logical call; outside the retry.
pub struct MetricsLayer {
    account: Account,
    pulse: HealthRecorder,
    log: Arc<ProviderLog>,
}

impl MetricsLayer {
    /// Observes the calls of a provider.
    #[must_use]
    pub fn of(account: Account, pulse: HealthRecorder, log: Arc<ProviderLog>) -> Self {
        for operation in Operation::ALL {
            let ends = ENDS.map(|kind| kind.code().as_str());
            let outcomes = [OK, NOT_FOUND].into_iter().chain(ends);
            let unsent = UNSENT.map(|kind| kind.code().as_str());
            metrics::init_calls(account, operation.name(), outcomes, unsent);
        }
        Self {
            account,
            pulse,
            log,
        }
    }

    /// Tells the log how a call ended. A call that has nothing to find is no failure.
    fn tell(&self, operation: &'static str, may_be_missing: bool, error: Option<&Error>) {
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
    async fn call(&self, call: Request, next: NextLayer<'_>) -> Result<Response> {
        let (operation, may_be_missing) = (call.operation.name(), call.may_be_missing);
        let started = Instant::now();
        let answer = next.run(call).await;
        // What was never sent says nothing of the provider.
        if let Err(error) = &answer {
            if error.kind() == ErrorKind::Invalid {
                return answer;
            }
            if error.reach() == FailureStage::Nowhere {
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
            // Often the answer that was asked for.
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
        self.tell(operation, may_be_missing, answer.as_ref().err());
        let mut health = self.pulse.lock().unwrap_or_else(PoisonError::into_inner);
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

/// A refusal or a 404 is an answer of a provider in good health.
fn is_the_providers_fault(kind: ErrorKind) -> bool {
    kind.is_transient()
        || matches!(
            kind,
            ErrorKind::Denied | ErrorKind::Malformed | ErrorKind::Late
        )
}

/// Whether the end of a call says how the provider fares. A failure of our own does not; but our
/// deadline does where the provider had a fair time to answer.
fn is_about_the_provider(error: Option<&Error>) -> bool {
    let Some(error) = error else {
        return true;
    };
    let had_time = error.kind() == ErrorKind::Late && error.reach() == FailureStage::Provider;
    had_time || !error.kind().is_ours()
}
