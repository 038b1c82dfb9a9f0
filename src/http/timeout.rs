//! Ends an attempt that takes too long, and whatever is left when the request's deadline comes.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, timeout_at};

use super::{Call, Layer, Next, Reply};
use crate::error::{Error, Reach, Result};

/// In which time a vendor in good health answers, whatever it is asked: who gives up sooner has not
/// learnt that the vendor is ill.
pub(super) const FAIR: Duration = Duration::from_secs(2);

/// A bound on each attempt. Inside the retry, so that an attempt dies and not the loop.
pub struct Timeout(Duration);

impl Timeout {
    /// Each attempt takes at most this long.
    #[must_use]
    pub fn each(attempt: Duration) -> Self {
        Self(attempt)
    }
}

#[async_trait]
impl Layer for Timeout {
    async fn call(&self, call: Call, next: Next<'_>) -> Result<Reply> {
        let began = Instant::now();
        let until = call.scope.deadline().min(began + self.0);
        if until <= began {
            return Err(Error::late().reaching(Reach::Nowhere));
        }
        let Ok(answer) = timeout_at(until, next.run(call)).await else {
            let reach = if until - began < FAIR.min(self.0 / 2) {
                Reach::Hurried
            } else {
                Reach::Vendor
            };
            return Err(Error::late().reaching(reach));
        };
        answer
    }
}
