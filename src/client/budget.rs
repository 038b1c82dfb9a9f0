//! Keeps the calls to a provider within its rate limits. Each attempt takes a permit from all
//! windows at once, and waits for it until its deadline. If it cannot get one by then, it fails at
//! once and no call is made.

mod limiter;
mod redis;
mod share;
mod sliding_window;
mod state;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use tokio::time::Instant;

use super::{Layer, NextLayer, Request, Response, request::AttemptProgress};
use crate::{
    account::Account,
    context::CallLimiter,
    error::{ErrorKind, Result},
    metrics,
    shared::Store,
};
use limiter::RateLimiter;
use redis::RedisRateLimiter;
pub use sliding_window::QuotaWindow;
use state::LimiterState;
pub use state::WindowStatus;

/// The rate limits of an account, and how responses change them.
#[derive(Clone, Debug)]
pub struct RateLimits {
    /// The windows; empty when none are known.
    pub windows: Vec<QuotaWindow>,
    /// Whether an operator configured them: then the provider's headers may narrow them but not
    /// widen them.
    pub is_configured: bool,
    /// The number of calls that may be in flight: a permit that cannot be used at once is not
    /// issued.
    pub concurrency: usize,
    /// The store that holds the account's budget for all replicas, and the account's name there.
    pub shared: Option<(Store, String)>,
}

/// An account's budget, shared between its calls and its readers.
#[derive(Clone)]
pub struct RateLimitLayer {
    account: Account,
    limiter: Arc<RateLimiter>,
}

impl RateLimitLayer {
    /// A budget with nothing spent.
    #[must_use]
    pub fn new(account: Account, limits: &RateLimits) -> Self {
        metrics::init_budget(account);
        let slots = u32::try_from(limits.concurrency).unwrap_or(u32::MAX);
        let state = LimiterState::new(&limits.windows, limits.is_configured, slots, Instant::now());
        let redis = limits.shared.clone().map(|(store, account)| {
            RedisRateLimiter::new(store, &account, &limits.windows, limits.is_configured)
        });
        Self {
            account,
            limiter: Arc::new(RateLimiter::new(state, redis)),
        }
    }

    /// The status of every window.
    #[must_use]
    pub fn windows(&self) -> Vec<WindowStatus> {
        self.limiter.windows()
    }
}

/// A call counted against its request's limit. Dropping it takes the count back if the call was not
/// sent.
struct CountedCall {
    account: Account,
    limit: Arc<CallLimiter>,
    progress: Arc<AttemptProgress>,
}

impl Drop for CountedCall {
    fn drop(&mut self) {
        if !self.progress.is_sent() {
            self.limit.give_back(self.account);
        }
    }
}

impl RateLimitLayer {
    /// Counts the call against its request's limit.
    fn count(&self, request: &Request) -> Result<CountedCall> {
        let share =
            || share::call_share(&self.windows(), Instant::now(), request.context.deadline());
        let limit = request.context.call_limit();
        limit.take(self.account, share).map_err(share::refusal)?;
        Ok(CountedCall {
            account: self.account,
            limit: Arc::clone(limit),
            progress: Arc::clone(&request.progress),
        })
    }
}

#[async_trait]
impl Layer for RateLimitLayer {
    async fn call(&self, request: Request, next: NextLayer<'_>) -> Result<Response> {
        let _counted = self.count(&request)?;
        let asked = Instant::now();
        let permit = self
            .limiter
            .admit(request.context.priority(), request.context.deadline())
            .await;
        request.add_wait(asked.elapsed());
        let mut permit = permit.inspect_err(|error| {
            if error.kind() == ErrorKind::Throttled {
                metrics::budget_refused(self.account);
            }
        })?;
        metrics::budget_waited(self.account, asked.elapsed());
        permit.follow(Arc::clone(&request.progress));
        let answer = next.run(request).await;
        let throttled = answer.as_ref().err();
        let throttled = throttled.filter(|error| error.kind() == ErrorKind::Throttled);
        permit.end(throttled.map(crate::error::Error::retry_after));
        answer
    }
}
