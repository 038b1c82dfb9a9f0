//! Bounds how many calls a vendor gets at the same time. A call waits its turn until its deadline.

use async_trait::async_trait;
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};

use super::{Call, Layer, Next, Reply};
use crate::error::{Error, Kind, Reach, Result};

/// A number of permits that a vendor's calls share.
pub struct Concurrency(Semaphore);

impl Concurrency {
    /// At most this many calls at the same time.
    #[must_use]
    pub fn of(calls: usize) -> Self {
        Self(Semaphore::new(calls.max(1)))
    }
}

#[async_trait]
impl Layer for Concurrency {
    async fn call(&self, call: Call, next: Next<'_>) -> Result<Reply> {
        let asked = Instant::now();
        match timeout_at(call.scope.deadline(), self.0.acquire()).await {
            Ok(Ok(_permit)) => {
                call.wait(asked.elapsed());
                next.run(call).await
            }
            Ok(Err(_)) => Err(Error::new(Kind::Internal, "the vendor's permits are gone")),
            Err(_) => Err(Error::late().reaching(Reach::Nowhere)),
        }
    }
}
