//! Ends an attempt that takes too long, and any attempt at the request's deadline.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::client::{Request, Response};
use crate::error::{Error, FailureStage, Result};

/// The fraction of an attempt's time that a provider must have had before a late answer counts as
/// its failure: our own deadline is no fault of a provider that is slow and healthy.
const FAIR_FRACTION: f64 = 0.9;

/// Limits the duration of each attempt.
#[derive(Clone, Copy, Debug)]
pub struct AttemptTimeout {
    attempt: Duration,
    request: Duration,
}

impl AttemptTimeout {
    /// Limits each attempt to `attempt`; a whole request takes at most `request`.
    #[must_use]
    pub fn new(attempt: Duration, request: Duration) -> Self {
        Self { attempt, request }
    }

    /// Ends an exchange at the end of the attempt's time or at the request's deadline.
    ///
    /// # Errors
    /// `TimedOut` or `DeadlineExceeded`, and the exchange's own error.
    pub(super) async fn limit(
        &self,
        request: &Request,
        exchange: impl Future<Output = Result<Response>>,
    ) -> Result<Response> {
        let began = Instant::now();
        let is_late = request.context.deadline() <= began;
        if is_late || !(request.is_read || request.context.begin_write()) {
            return Err(Error::deadline_exceeded().at_stage(FailureStage::NotSent));
        }
        let until = request.context.deadline().min(began + self.attempt);
        let answer = timeout_at(until, exchange).await;
        answer.unwrap_or_else(|_| Err(self.ended(until - began)))
    }

    /// The error of an attempt without a response. A provider that had the full time of an attempt
    /// is at fault; if our deadline came first, it is not.
    fn ended(&self, had: Duration) -> Error {
        let whole = self.attempt.min(self.request).mul_f64(FAIR_FRACTION);
        let failure_stage = if had < whole {
            FailureStage::CancelledEarly
        } else {
            FailureStage::Provider
        };
        if had < self.attempt {
            Error::deadline_exceeded().at_stage(failure_stage)
        } else {
            Error::timed_out().at_stage(failure_stage)
        }
    }
}
