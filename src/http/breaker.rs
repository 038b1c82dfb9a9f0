//! Leaves a vendor alone that keeps failing: a call is refused at once rather than sent to fail, and
//! from time to time one is let through to see whether the vendor is well again.
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

pub use circuit::{Circuit, Rules, Standing};
use circuit::{Pass, Verdict};

use inputs::{FailedInputs, Input};

use super::{Call, Layer, Next, Reply};
use crate::{
    error::{Error, Kind, Reach, Result},
    metrics,
};

/// A vendor's circuit, shared between its calls and those who ask.
#[derive(Clone)]
pub struct Switch {
    vendor: &'static str,
    circuit: Arc<Mutex<Circuit>>,
    failed: Arc<Mutex<FailedInputs>>,
}

impl Switch {
    /// A vendor's circuit, closed.
    #[must_use]
    pub fn of(vendor: &'static str, rules: Rules) -> Self {
        metrics::init_circuit(vendor, Standing::ALL.map(Standing::name));
        Self {
            vendor,
            circuit: Arc::new(Mutex::new(Circuit::new(rules))),
            failed: Arc::new(Mutex::new(FailedInputs::within(rules.window))),
        }
    }

    /// Whether the vendor is asked now.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.circuit().standing(Instant::now())
    }

    fn input(&self, call: &Call) -> Input {
        self.failed().input(call)
    }

    /// What a failure says that may come of its input: one that fails again and again may be at fault
    /// itself. While the circuit tries the provider, every call counts.
    fn judge(&self, input: Input) -> Verdict {
        let is_closed = self.circuit().phase() == Standing::Closed;
        let mut failed = self.failed();
        let is_new = failed.add(input, Instant::now());
        match failed.add_since_answer(input) {
            _ if !is_new && is_closed => Verdict::Nothing,
            true => Verdict::Fails,
            false => Verdict::FailsAgain,
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
        metrics::circuit(self.vendor, after.level());
        if before != after {
            self.tell(after);
        }
        done
    }

    fn tell(&self, phase: Standing) {
        metrics::circuit_change(self.vendor, phase.name());
        match phase {
            Standing::Open => tracing::warn!(
                provider.name = self.vendor,
                circuit = phase.name(),
                "the provider keeps failing and is left alone for a while"
            ),
            Standing::HalfOpen | Standing::Closed => tracing::info!(
                provider.name = self.vendor,
                circuit = phase.name(),
                "the provider is asked again"
            ),
        }
    }
}

impl Standing {
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

/// Lets calls through while the vendor's circuit allows, and counts what becomes of them.
pub struct Breaker(Switch);

impl Breaker {
    /// A breaker in a vendor's circuit.
    #[must_use]
    pub fn of(switch: Switch) -> Self {
        Self(switch)
    }
}

/// A call that was let through. Dropped before it is settled, it says nothing and its trial is over: a
/// caller that leaves may only have been impatient.
struct Passage<'a> {
    switch: &'a Switch,
    pass: Pass,
    verdict: Verdict,
}

impl Drop for Passage<'_> {
    fn drop(&mut self) {
        let (pass, verdict) = (&self.pass, self.verdict);
        self.switch
            .change(|circuit, now| circuit.settle(pass, verdict, now, fastrand::f64()));
    }
}

#[async_trait]
impl Layer for Breaker {
    async fn call(&self, call: Call, next: Next<'_>) -> Result<Reply> {
        let pass = self.0.change(Circuit::ask).map_err(refusal)?;
        let mut passage = Passage {
            switch: &self.0,
            pass,
            verdict: Verdict::Nothing,
        };
        let input = self.0.input(&call);
        let answer = next.run(call).await;
        let error = answer.as_ref().err();
        passage.verdict = match verdict(error) {
            Verdict::Fails if may_be_its_input(error) => self.0.judge(input),
            verdict => verdict,
        };
        if passage.verdict == Verdict::Answers {
            self.0.failed().answered();
        }
        answer
    }
}

/// Whether a failure may come of what was asked: the provider was there, and answered.
fn may_be_its_input(error: Option<&Error>) -> bool {
    error.is_some_and(|error| error.status().is_some() || error.reach() == Reach::CutShort)
}

fn refusal(wait: Duration) -> Error {
    let message = format!(
        "the provider kept failing and is not asked for now; it is tried again in {} s",
        wait.as_secs_f64().ceil()
    );
    Error::new(Kind::Unavailable, message)
        .retry_after(Some(wait))
        .reaching(Reach::Nowhere)
}

/// What a call says of its vendor. A vendor that refuses a call, or throttles it, is well; a call that
/// was not sent, or had hardly any time, says nothing.
fn verdict(error: Option<&Error>) -> Verdict {
    let Some(error) = error else {
        return Verdict::Answers;
    };
    match (error.kind(), error.reach()) {
        (_, Reach::Nowhere | Reach::Hurried)
        | (
            Kind::Invalid
            | Kind::Unsupported
            | Kind::Disabled
            | Kind::TooLarge
            | Kind::Overloaded
            | Kind::CallLimit
            | Kind::Internal,
            _,
        ) => Verdict::Nothing,
        (Kind::TimedOut | Kind::Late | Kind::Unavailable, _)
        | (Kind::Malformed, Reach::CutShort) => Verdict::Fails,
        (
            Kind::Expired
            | Kind::Missing
            | Kind::Rejected
            | Kind::Conflict
            | Kind::Moved
            | Kind::Denied
            | Kind::Throttled
            | Kind::Malformed,
            Reach::Vendor | Reach::CutShort,
        ) => Verdict::Answers,
    }
}

#[cfg(test)]
mod tests;
