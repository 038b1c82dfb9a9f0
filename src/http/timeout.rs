//! Ends an attempt that takes too long, and whatever is left when the request's deadline comes.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, timeout_at};

use super::{Call, Layer, Next, Reply};
use crate::error::{Error, Reach, Result};

/// The part of a whole attempt that a provider must have had before it counts as failing: our own
/// deadline is no fault of a provider that is slow and well.
const WHOLE: f64 = 0.9;

/// A bound on each attempt. Inside the retry, so that an attempt dies and not the loop.
pub struct Timeout {
    attempt: Duration,
    request: Duration,
}

impl Timeout {
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
            Reach::Hurried
        } else {
            Reach::Vendor
        };
        if had < self.attempt {
            Error::late().reaching(reach)
        } else {
            Error::timed_out().reaching(reach)
        }
    }
}

#[async_trait]
impl Layer for Timeout {
    async fn call(&self, call: Call, next: Next<'_>) -> Result<Reply> {
        let began = Instant::now();
        if !call.is_read && !call.scope.begin_write() {
            return Err(Error::late().reaching(Reach::Nowhere));
        }
        let until = call.scope.deadline().min(began + self.attempt);
        if until <= began {
            return Err(Error::late().reaching(Reach::Nowhere));
        }
        let answer = timeout_at(until, next.run(call)).await;
        answer.unwrap_or_else(|_| Err(self.ended(until - began)))
    }
}
