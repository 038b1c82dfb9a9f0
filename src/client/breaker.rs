//! Stops calling a provider that keeps failing: a call is refused at once instead of being sent to
//! fail, and from time to time one call goes through as a trial.
//!
//! Every attempt counts. A refused attempt waits for nothing and takes nothing.

pub mod circuit;
mod inputs;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use circuit::{CallOutcome, CircuitPermit};
pub use circuit::{Circuit, CircuitRules, CircuitState};

use inputs::FailedInputs;

use super::{Request, Response};
use crate::{
    account::Account,
    error::{Error, ErrorKind, FailureStage, Result},
    metrics,
};

/// An account's circuit, shared between its calls and its readers.
#[derive(Clone)]
pub struct CircuitBreaker {
    account: Account,
    circuit: Arc<Mutex<Circuit>>,
    failed: Arc<Mutex<FailedInputs>>,
}

impl CircuitBreaker {
    /// A closed circuit.
    #[must_use]
    pub fn new(account: Account, rules: CircuitRules) -> Self {
        metrics::init_circuit(account, CircuitState::ALL.map(CircuitState::name));
        Self {
            account,
            circuit: Arc::new(Mutex::new(Circuit::new(rules))),
            failed: Arc::new(Mutex::new(FailedInputs::new(rules.window))),
        }
    }

    /// The state of the circuit now.
    #[must_use]
    pub fn state(&self) -> CircuitState {
        self.circuit().state(Instant::now())
    }

    /// Refuses an attempt that would not get a permit now, before it waits for anything.
    ///
    /// # Errors
    /// `Unavailable` while the circuit is open.
    pub(super) fn check(&self) -> Result<()> {
        match self.circuit().wait(Instant::now()) {
            Some(wait) => Err(refusal(wait)),
            None => Ok(()),
        }
    }

    /// Asks for a permit for an attempt.
    ///
    /// # Errors
    /// `Unavailable` while the circuit is open.
    pub(super) fn try_acquire(&self) -> Result<BreakerPermit<'_>> {
        let permit = self.change(Circuit::try_acquire).map_err(refusal)?;
        Ok(BreakerPermit {
            circuit_breaker: self,
            permit,
            outcome: CallOutcome::Inconclusive,
        })
    }

    /// Rates a failure that its input may have caused: an input that fails repeatedly may itself be
    /// at fault. During a trial every call counts.
    fn judge_input(&self, request: &Request) -> CallOutcome {
        let is_closed = self.circuit().phase() == CircuitState::Closed;
        let mut failed = self.failed();
        let input = failed.fingerprint(request);
        let is_new = failed.add(input, Instant::now());
        match failed.add_since_answer(input) {
            _ if !is_new && is_closed => CallOutcome::Inconclusive,
            true => CallOutcome::Failure,
            false => CallOutcome::RepeatedFailure,
        }
    }

    fn failed(&self) -> MutexGuard<'_, FailedInputs> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn circuit(&self) -> MutexGuard<'_, Circuit> {
        self.circuit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the circuit, and logs a change of its phase.
    fn change<T>(&self, change: impl FnOnce(&mut Circuit, Instant) -> T) -> T {
        let mut circuit = self.circuit();
        let before = circuit.phase();
        let done = change(&mut circuit, Instant::now());
        let after = circuit.phase();
        drop(circuit);
        if before != after {
            metrics::circuit(self.account, after.level());
            self.log_change(after);
        }
        done
    }

    fn log_change(&self, phase: CircuitState) {
        metrics::circuit_change(self.account, phase.name());
        match phase {
            CircuitState::Open => tracing::warn!(
                provider.name = self.account.provider().name(),
                account.name = self.account.name(),
                circuit = phase.name(),
                "the provider keeps failing: its circuit is open"
            ),
            CircuitState::HalfOpen | CircuitState::Closed => tracing::info!(
                provider.name = self.account.provider().name(),
                account.name = self.account.name(),
                circuit = phase.name(),
                "the provider is called again"
            ),
        }
    }
}

impl CircuitState {
    const ALL: [Self; 3] = [Self::Closed, Self::HalfOpen, Self::Open];

    fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half_open",
            Self::Open => "open",
        }
    }

    /// The value that a gauge shows.
    #[must_use]
    pub fn level(self) -> u8 {
        match self {
            Self::Closed => 0,
            Self::HalfOpen => 1,
            Self::Open => 2,
        }
    }
}

/// The permit for one attempt. Dropped without an end, it counts as nothing and its trial ends: a
/// caller that leaves may only have been impatient.
pub(super) struct BreakerPermit<'a> {
    circuit_breaker: &'a CircuitBreaker,
    permit: CircuitPermit,
    outcome: CallOutcome,
}

impl BreakerPermit<'_> {
    /// Records how the attempt ended.
    pub(super) fn end(mut self, request: &Request, answer: &Result<Response>) {
        let error = answer.as_ref().err();
        self.outcome = match outcome(error) {
            CallOutcome::Failure if may_be_caused_by_input(error) => {
                self.circuit_breaker.judge_input(request)
            }
            outcome => outcome,
        };
        if self.outcome == CallOutcome::Success {
            self.circuit_breaker.failed().answered();
        }
    }
}

impl Drop for BreakerPermit<'_> {
    fn drop(&mut self) {
        let (permit, outcome) = (&self.permit, self.outcome);
        self.circuit_breaker
            .change(|circuit, now| circuit.record(permit, outcome, now, fastrand::f64()));
    }
}

/// Whether the input may have caused the failure: the provider was reachable and responded.
fn may_be_caused_by_input(error: Option<&Error>) -> bool {
    error.is_some_and(|error| {
        error.status().is_some() || error.failure_stage() == FailureStage::ResponseInterrupted
    })
}

fn refusal(wait: Duration) -> Error {
    let message = format!(
        "the provider kept failing and is not called now; the next attempt is in {} s",
        wait.as_secs_f64().ceil()
    );
    Error::new(ErrorKind::Unavailable, message)
        .with_retry_after(Some(wait))
        .at_stage(FailureStage::NotSent)
}

/// The outcome of a call. A provider that refuses or throttles a call is healthy; a call that was
/// not sent, or had hardly any time, proves nothing.
fn outcome(error: Option<&Error>) -> CallOutcome {
    let Some(error) = error else {
        return CallOutcome::Success;
    };
    match (error.kind(), error.failure_stage()) {
        (_, FailureStage::NotSent | FailureStage::CancelledEarly)
        | (
            ErrorKind::Invalid
            | ErrorKind::Unsupported
            | ErrorKind::Disabled
            | ErrorKind::TooLarge
            | ErrorKind::Overloaded
            | ErrorKind::CallLimit
            | ErrorKind::Internal,
            _,
        ) => CallOutcome::Inconclusive,
        (ErrorKind::TimedOut | ErrorKind::DeadlineExceeded | ErrorKind::Unavailable, _)
        | (ErrorKind::Malformed, FailureStage::ResponseInterrupted) => CallOutcome::Failure,
        (
            ErrorKind::Expired
            | ErrorKind::Missing
            | ErrorKind::Rejected
            | ErrorKind::Conflict
            | ErrorKind::Moved
            | ErrorKind::Denied
            | ErrorKind::Throttled
            | ErrorKind::Malformed,
            FailureStage::Provider | FailureStage::ResponseInterrupted,
        ) => CallOutcome::Success,
    }
}

#[cfg(test)]
mod tests;
