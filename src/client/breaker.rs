//! Leaves a provider alone that keeps failing: a call is refused at once rather than sent to fail, and
//! from time to time one is let through to see whether the provider is well again.
//!
//! Inside the retry, so that each attempt counts; outside everything that an attempt may wait for, so
//! that what is refused spends neither budget nor a turn.

pub mod circuit;
mod inputs;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use tokio::time::Instant;

use circuit::{CallOutcome, CircuitPermit};
pub use circuit::{Circuit, CircuitRules, CircuitState};

use inputs::{CallInput, FailedInputs};

use super::{Layer, NextLayer, Request, Response};
use crate::{
    account::Account,
    error::{Error, ErrorKind, FailureStage, Result},
    metrics,
};

/// A provider's circuit, shared between its calls and those who ask.
#[derive(Clone)]
pub struct CircuitBreaker {
    account: Account,
    circuit: Arc<Mutex<Circuit>>,
    failed: Arc<Mutex<FailedInputs>>,
}

impl CircuitBreaker {
    /// A provider's circuit, closed.
    #[must_use]
    pub fn of(account: Account, rules: CircuitRules) -> Self {
        metrics::init_circuit(account, CircuitState::ALL.map(CircuitState::name));
        Self {
            account,
            circuit: Arc::new(Mutex::new(Circuit::new(rules))),
            failed: Arc::new(Mutex::new(FailedInputs::within(rules.window))),
        }
    }

    /// Whether the provider is asked now.
    #[must_use]
    pub fn standing(&self) -> CircuitState {
        self.circuit().standing(Instant::now())
    }

    fn input(&self, call: &Request) -> CallInput {
        self.failed().input(call)
    }

    /// What a failure says that may come of its input: one that fails again and again may be at fault
    /// itself. While the circuit tries the provider, every call counts.
    fn judge(&self, input: CallInput) -> CallOutcome {
        let is_closed = self.circuit().phase() == CircuitState::Closed;
        let mut failed = self.failed();
        let is_new = failed.add(input, Instant::now());
        match failed.add_since_answer(input) {
            _ if !is_new && is_closed => CallOutcome::Nothing,
            true => CallOutcome::Fails,
            false => CallOutcome::FailsAgain,
        }
    }

    fn failed(&self) -> MutexGuard<'_, FailedInputs> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn circuit(&self) -> MutexGuard<'_, Circuit> {
        self.circuit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something to the circuit, and tells when that changed its phase.
    fn change<T>(&self, change: impl FnOnce(&mut Circuit, Instant) -> T) -> T {
        let mut circuit = self.circuit();
        let before = circuit.phase();
        let done = change(&mut circuit, Instant::now());
        let after = circuit.phase();
        drop(circuit);
        metrics::circuit(self.account, after.level());
        if before != after {
            self.tell(after);
        }
        done
    }

    fn tell(&self, phase: CircuitState) {
        metrics::circuit_change(self.account, phase.name());
        match phase {
            CircuitState::Open => tracing::warn!(
                provider.name = self.account.provider().name(),
                account.name = self.account.name(),
                circuit = phase.name(),
                "the provider keeps failing and is left alone for a while"
            ),
            CircuitState::HalfOpen | CircuitState::Closed => tracing::info!(
                provider.name = self.account.provider().name(),
                account.name = self.account.name(),
                circuit = phase.name(),
                "the provider is asked again"
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

    /// How a gauge shows it.
    #[must_use]
    pub fn level(self) -> u8 {
        match self {
            Self::Closed => 0,
            Self::HalfOpen => 1,
            Self::Open => 2,
        }
    }
}

/// Lets calls through while the provider's circuit allows, and counts what becomes of them.
pub struct BreakerLayer(CircuitBreaker);

impl BreakerLayer {
    /// A breaker in a provider's circuit.
    #[must_use]
    pub fn of(switch: CircuitBreaker) -> Self {
        Self(switch)
    }
}

/// A call that was let through. Dropped before it is settled, it says nothing and its trial is over: a
/// caller that leaves may only have been impatient.
struct GuardedCall<'a> {
    switch: &'a CircuitBreaker,
    pass: CircuitPermit,
    verdict: CallOutcome,
}

impl Drop for GuardedCall<'_> {
    fn drop(&mut self) {
        let (pass, verdict) = (&self.pass, self.verdict);
        self.switch
            .change(|circuit, now| circuit.settle(pass, verdict, now, fastrand::f64()));
    }
}

#[async_trait]
impl Layer for BreakerLayer {
    async fn call(&self, call: Request, next: NextLayer<'_>) -> Result<Response> {
        let pass = self.0.change(Circuit::ask).map_err(refusal)?;
        let mut passage = GuardedCall {
            switch: &self.0,
            pass,
            verdict: CallOutcome::Nothing,
        };
        let input = self.0.input(&call);
        let answer = next.run(call).await;
        let error = answer.as_ref().err();
        passage.verdict = match verdict(error) {
            CallOutcome::Fails if may_be_its_input(error) => self.0.judge(input),
            verdict => verdict,
        };
        if passage.verdict == CallOutcome::Answers {
            self.0.failed().answered();
        }
        answer
    }
}

/// Whether a failure may come of what was asked: the provider was there, and answered.
fn may_be_its_input(error: Option<&Error>) -> bool {
    error.is_some_and(|error| error.status().is_some() || error.reach() == FailureStage::CutShort)
}

fn refusal(wait: Duration) -> Error {
    let message = format!(
        "the provider kept failing and is not asked for now; it is tried again in {} s",
        wait.as_secs_f64().ceil()
    );
    Error::new(ErrorKind::Unavailable, message)
        .retry_after(Some(wait))
        .reaching(FailureStage::Nowhere)
}

/// What a call says of its provider. A provider that refuses a call, or throttles it, is well; a call that
/// was not sent, or had hardly any time, says nothing.
fn verdict(error: Option<&Error>) -> CallOutcome {
    let Some(error) = error else {
        return CallOutcome::Answers;
    };
    match (error.kind(), error.reach()) {
        (_, FailureStage::Nowhere | FailureStage::Hurried)
        | (
            ErrorKind::Invalid
            | ErrorKind::Unsupported
            | ErrorKind::Disabled
            | ErrorKind::TooLarge
            | ErrorKind::Overloaded
            | ErrorKind::CallLimit
            | ErrorKind::Internal,
            _,
        ) => CallOutcome::Nothing,
        (ErrorKind::TimedOut | ErrorKind::Late | ErrorKind::Unavailable, _)
        | (ErrorKind::Malformed, FailureStage::CutShort) => CallOutcome::Fails,
        (
            ErrorKind::Expired
            | ErrorKind::Missing
            | ErrorKind::Rejected
            | ErrorKind::Conflict
            | ErrorKind::Moved
            | ErrorKind::Denied
            | ErrorKind::Throttled
            | ErrorKind::Malformed,
            FailureStage::Provider | FailureStage::CutShort,
        ) => CallOutcome::Answers,
    }
}

#[cfg(test)]
mod tests;
