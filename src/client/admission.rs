//! Admits the attempts to a provider, in one queue: as many at the same time as the provider can
//! handle, and no more in any window than its rate limits allow. Interactive calls go before
//! background calls. An attempt that cannot be admitted by its deadline fails at once and is not
//! sent.

mod concurrency;
mod limiter;
mod replicas;
mod share;
mod sliding_window;
mod state;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use tokio::time::Instant;

use super::{
    Response,
    attempt::{Attempt, AttemptProgress},
};
use crate::{
    account::Account,
    context::CallLimiter,
    error::{ErrorKind, Result},
    metrics,
    shared::{Store, budget::SharedBudget},
};
use concurrency::LoadSignal;
use limiter::{RateLimiter, RatePermit};
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
    /// The number of calls that may be in flight.
    pub concurrency: usize,
    /// The store that holds the account's budget for all replicas, and the account's name there.
    pub shared: Option<(Store, String)>,
}

/// The admission of an account's calls.
pub struct Admission {
    account: Account,
    limiter: Arc<RateLimiter>,
}

impl Admission {
    /// Limits of which nothing is used.
    #[must_use]
    pub fn new(account: Account, limits: &RateLimits) -> Self {
        metrics::init_budget(account);
        let slots = u32::try_from(limits.concurrency).unwrap_or(u32::MAX);
        let state = LimiterState::new(&limits.windows, limits.is_configured, slots, Instant::now());
        let windows = limits
            .windows
            .iter()
            .map(|window| (window.calls, window.seconds));
        let windows: Vec<_> = windows.collect();
        let shared = limits.shared.clone().map(|(store, account)| {
            SharedBudget::new(store, &account, &windows, limits.is_configured)
        });
        Self {
            account,
            limiter: Arc::new(RateLimiter::new(state, shared)),
        }
    }

    /// The status of every window.
    #[must_use]
    pub fn windows(&self) -> Vec<WindowStatus> {
        self.limiter.windows()
    }

    /// The number of calls that may be in flight now, and of those that are.
    #[must_use]
    pub fn concurrency(&self) -> (u32, u32) {
        self.limiter.concurrency()
    }

    /// Waits until an attempt may be sent.
    ///
    /// # Errors
    /// `CallLimit` beyond the limit of the attempt's request, `Throttled` when the budget is used
    /// up until after the deadline, `DeadlineExceeded`.
    pub(super) async fn admit(&self, attempt: &Attempt<'_>) -> Result<AdmissionPermit> {
        let counted = self.count(attempt)?;
        let (context, asked) = (&attempt.request.context, Instant::now());
        let admitted = self
            .limiter
            .admit(
                context.priority(),
                context.deadline(),
                Arc::clone(&attempt.progress),
            )
            .await;
        let waited = asked.elapsed();
        attempt.progress.mark_admitted(waited);
        let permit = admitted.inspect_err(|error| {
            if error.kind() == ErrorKind::Throttled {
                metrics::budget_refused(self.account);
            }
        })?;
        metrics::budget_waited(self.account, waited);
        Ok(AdmissionPermit {
            permit,
            _counted: counted,
        })
    }

    /// Counts the attempt against its request's limit.
    fn count(&self, attempt: &Attempt<'_>) -> Result<CountedCall> {
        let context = &attempt.request.context;
        let share = || share::call_share(&self.windows(), Instant::now(), context.deadline());
        let limit = context.call_limit();
        limit.take(self.account, share).map_err(share::refusal)?;
        Ok(CountedCall {
            account: self.account,
            limit: Arc::clone(limit),
            progress: Arc::clone(&attempt.progress),
        })
    }
}

/// The right to send one attempt. Dropped without an end, the attempt was cancelled.
pub(super) struct AdmissionPermit {
    permit: RatePermit,
    _counted: CountedCall,
}

impl AdmissionPermit {
    /// Notes how the attempt ended.
    pub(super) fn end(self, answer: &Result<Response>) {
        let error = answer.as_ref().err();
        let throttled = error.filter(|error| error.kind() == ErrorKind::Throttled);
        let throttled = throttled.map(crate::error::Error::retry_after);
        self.permit.end(throttled, LoadSignal::of(error));
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
