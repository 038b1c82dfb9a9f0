//! Ends an attempt that takes too long, and whatever is left when the request's deadline comes.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, timeout_at};

use super::{Call, Layer, Next, Reply};
use crate::error::{Error, Reach, Result};

/// In which time a vendor in good health answers, whatever it is asked: who gives up sooner has not
/// learnt that the vendor is ill.
const FAIR: Duration = Duration::from_secs(2);

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
    /// an attempt is at fault; where our deadline came first it is ours, and counts against the
    /// provider only if that had a fair time: all of it, where the client waits less long than the
    /// gateway would.
    fn ended(&self, had: Duration, is_hurried: bool) -> Error {
        let full = self.attempt.min(self.request);
        let fair = if is_hurried { full } else { FAIR.min(full / 2) };
        let reach = if had < fair {
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
        let until = call.scope.deadline().min(began + self.attempt);
        if until <= began {
            return Err(Error::late().reaching(Reach::Nowhere));
        }
        let is_hurried = call.scope.is_hurried();
        let answer = timeout_at(until, next.run(call)).await;
        answer.unwrap_or_else(|_| Err(self.ended(until - began, is_hurried)))
    }
}
