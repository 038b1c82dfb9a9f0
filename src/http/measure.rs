//! Counts and times every call, remembers how the vendor fares, and tells when it is ill.

mod log;

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::time::Instant;

use super::{Call, Layer, Next, Operation, Reply};
use crate::{
    error::{Error, ErrorCode, Kind, Reach, Result},
    metrics,
};
pub use log::ProviderLog;

const OK: &str = "ok";
const NOT_FOUND: &str = "not_found";

/// How a call can fail.
const ENDS: [Kind; 10] = [
    Kind::Rejected,
    Kind::Denied,
    Kind::Throttled,
    Kind::TimedOut,
    Kind::Unavailable,
    Kind::Malformed,
    Kind::Late,
    Kind::TooLarge,
    Kind::Overloaded,
    Kind::Internal,
];

/// How a call can fail before it is sent.
const UNSENT: [Kind; 4] = [
    Kind::Throttled,
    Kind::Unavailable,
    Kind::Late,
    Kind::Overloaded,
];

/// How a vendor fares, by the calls made so far.
#[derive(Clone, Debug, Default)]
pub struct Health {
    /// When a call last succeeded.
    pub last_success_at: Option<Timestamp>,
    /// When a call last failed by the vendor's fault, and how.
    pub last_failure: Option<(Timestamp, ErrorCode)>,
    /// How many calls were made, retries not counted.
    pub calls: u64,
}

/// A vendor's health, shared between its calls and those who ask.
pub type Pulse = Arc<Mutex<Health>>;

/// Reads a vendor's health.
#[must_use]
pub fn health(pulse: &Pulse) -> Health {
    pulse.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// One observation for each logical call; outside the retry.
pub struct Measure {
    vendor: &'static str,
    pulse: Pulse,
    log: Arc<ProviderLog>,
}

impl Measure {
    /// Observes the calls of a vendor.
    #[must_use]
    pub fn of(vendor: &'static str, pulse: Pulse, log: Arc<ProviderLog>) -> Self {
        for operation in Operation::ALL {
            let ends = ENDS.map(|kind| kind.code().as_str());
            let outcomes = [OK, NOT_FOUND].into_iter().chain(ends);
            let unsent = UNSENT.map(|kind| kind.code().as_str());
            metrics::init_calls(vendor, operation.name(), outcomes, unsent);
        }
        Self { vendor, pulse, log }
    }

    /// Tells the log how a call ended. A call that has nothing to find is no failure.
    fn tell(&self, operation: &'static str, may_be_missing: bool, error: Option<&Error>) {
        match error {
            None => self.log.answered(),
            Some(error) if error.kind() == Kind::Missing && !may_be_missing => {
                self.log.failed(operation, error);
            }
            Some(error) if is_the_vendors_fault(error.kind()) => self.log.failed(operation, error),
            Some(_) => {}
        }
    }
}

#[async_trait]
impl Layer for Measure {
    async fn call(&self, call: Call, next: Next<'_>) -> Result<Reply> {
        let (operation, may_be_missing) = (call.operation.name(), call.may_be_missing);
        let started = Instant::now();
        let answer = next.run(call).await;
        // What was never sent says nothing of the vendor.
        if let Err(error) = &answer {
            if error.kind() == Kind::Invalid {
                return answer;
            }
            if error.reach() == Reach::Nowhere {
                let code = error.kind().code().as_str();
                metrics::vendor_call_unsent(self.vendor, operation, code);
                if error.kind() == Kind::Throttled {
                    self.log.failed(operation, error);
                }
                return answer;
            }
        }
        let outcome = match &answer {
            Ok(_) => OK,
            // Often the answer that was asked for.
            Err(error) if error.kind() == Kind::Missing => NOT_FOUND,
            Err(error) => error.kind().code().as_str(),
        };
        metrics::vendor_call(self.vendor, operation, outcome, started.elapsed());
        tracing::debug!(
            vendor.name = self.vendor,
            operation,
            outcome,
            duration_ms = started.elapsed().as_millis() as u64,
            "vendor called"
        );
        if !is_about_the_provider(answer.as_ref().err()) {
            return answer;
        }
        self.tell(operation, may_be_missing, answer.as_ref().err());
        let mut health = self.pulse.lock().unwrap_or_else(PoisonError::into_inner);
        health.calls += 1;
        match &answer {
            Err(error) if is_the_vendors_fault(error.kind()) => {
                health.last_failure = Some((Timestamp::now(), error.kind().code()));
            }
            _ => health.last_success_at = Some(Timestamp::now()),
        }
        answer
    }
}

/// A refusal or a 404 is an answer of a vendor in good health.
fn is_the_vendors_fault(kind: Kind) -> bool {
    kind.is_transient() || matches!(kind, Kind::Denied | Kind::Malformed | Kind::Late)
}

/// Whether the end of a call says how the provider fares. A failure of our own does not; but our
/// deadline does where the provider had a fair time to answer.
fn is_about_the_provider(error: Option<&Error>) -> bool {
    let Some(error) = error else {
        return true;
    };
    let had_time = error.kind() == Kind::Late && error.reach() == Reach::Vendor;
    had_time || !error.kind().is_ours()
}
