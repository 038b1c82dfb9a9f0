//! Ends an attempt that takes too long, and whatever is left when the request's deadline comes.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, timeout_at};

use super::{Call, Layer, Next, Reply};
use crate::error::{Error, Result};

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
        let until = call.scope.deadline().min(Instant::now() + self.0);
        timeout_at(until, next.run(call))
            .await
            .unwrap_or_else(|_| Err(Error::late()))
    }
}
