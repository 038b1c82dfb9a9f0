//! Ends an attempt that takes too long, and whatever is left when the request's deadline comes.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, timeout_at};

use super::{Layer, NextLayer, Request, Response};
use crate::error::{Error, FailureStage, Result};

/// The part of a whole attempt that a provider must have had before it counts as failing: our own
/// deadline is no fault of a provider that is slow and well.
const WHOLE: f64 = 0.9;

/// A bound on each attempt. Inside the retry, so that an attempt dies and not the loop.
pub struct TimeoutLayer {
    attempt: Duration,
    request: Duration,
}

impl TimeoutLayer {
    /// Each attempt takes at most this long; a request takes at most `request`.
    #[must_use]
    pub fn each(attempt: Duration, request: Duration) -> Self {
        Self { attempt, request }
    }

    /// The error of an attempt that got no answer until its end. A provider that had all the time of
    /// an attempt is at fault; where our deadline came first it is ours.
    fn ended(&self, had: Duration) -> Error {
        let whole = self.attempt.min(self.request).mul_f64(WHOLE);
        let reach = if had < whole {
            FailureStage::Hurried
        } else {
            FailureStage::Provider
        };
        if had < self.attempt {
            Error::late().reaching(reach)
        } else {
            Error::timed_out().reaching(reach)
        }
    }
}

#[async_trait]
impl Layer for TimeoutLayer {
    async fn call(&self, call: Request, next: NextLayer<'_>) -> Result<Response> {
        let began = Instant::now();
        if !call.is_read && !call.scope.begin_write() {
            return Err(Error::late().reaching(FailureStage::Nowhere));
        }
        let until = call.scope.deadline().min(began + self.attempt);
        if until <= began {
            return Err(Error::late().reaching(FailureStage::Nowhere));
        }
        let answer = timeout_at(until, next.run(call)).await;
        answer.unwrap_or_else(|_| Err(self.ended(until - began)))
    }
}
