//! Spends no more calls at a provider than it grants. Each attempt takes a permit from all of the provider's
//! windows at once, and waits for it until its deadline; when it cannot be had by then the attempt fails
//! at once, and no call is made.

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

use super::{Layer, NextLayer, Request, Response, request::AttemptProgress, scope::CallLimit};
use crate::{
    account::Account,
    error::{ErrorKind, Result},
    metrics,
    shared::Store,
};
use limiter::RateLimiter;
use redis::RedisRateLimiter;
pub use sliding_window::QuotaWindow;
use state::LimiterState;
pub use state::WindowStatus;

/// What a provider may be asked, and how its answers change that.
#[derive(Clone, Debug)]
pub struct RateLimits {
    /// The windows; none where nothing is known.
    pub windows: Vec<QuotaWindow>,
    /// Whether somebody chose them: then the provider's headers may narrow them, but not widen them.
    pub is_chosen: bool,
    /// How many calls may be under way: a permit that cannot be used at once is not given.
    pub concurrency: usize,
    /// The store that keeps the account of all replicas, and the account's name there.
    pub shared: Option<(Store, String)>,
}

/// A provider's budget, shared between its calls and those who ask how it stands.
#[derive(Clone)]
pub struct Budget {
    account: Account,
    desk: Arc<RateLimiter>,
}

impl Budget {
    /// A budget of which nothing is spent.
    #[must_use]
    pub fn of(account: Account, terms: &RateLimits) -> Self {
        metrics::init_budget(account);
        let slots = u32::try_from(terms.concurrency).unwrap_or(u32::MAX);
        let book = LimiterState::new(&terms.windows, terms.is_chosen, slots, Instant::now());
        let common = terms.shared.clone().map(|(store, account)| {
            RedisRateLimiter::new(store, &account, &terms.windows, terms.is_chosen)
        });
        Self {
            account,
            desk: Arc::new(RateLimiter::new(book, common)),
        }
    }

    /// Every window as it stands.
    #[must_use]
    pub fn stands(&self) -> Vec<WindowStatus> {
        self.desk.stands()
    }
}

/// A call that a request has counted as one of its own. It is taken back when it was not sent.
struct CountedCall {
    account: Account,
    limit: Arc<CallLimit>,
    told: Arc<AttemptProgress>,
}

impl Drop for CountedCall {
    fn drop(&mut self) {
        if !self.told.is_sent() {
            self.limit.give_back(self.account);
        }
    }
}

impl Budget {
    /// Counts the call as one of its request's.
    fn count(&self, call: &Request) -> Result<CountedCall> {
        let share = || share::of(&self.stands(), Instant::now(), call.scope.deadline());
        let limit = call.scope.call_limit();
        limit.take(self.account, share).map_err(share::refusal)?;
        Ok(CountedCall {
            account: self.account,
            limit: Arc::clone(limit),
            told: Arc::clone(&call.told),
        })
    }
}

#[async_trait]
impl Layer for Budget {
    async fn call(&self, call: Request, next: NextLayer<'_>) -> Result<Response> {
        let _counted = self.count(&call)?;
        let asked = Instant::now();
        let permit = self
            .desk
            .admit(call.scope.priority(), call.scope.deadline())
            .await;
        call.wait(asked.elapsed());
        let mut permit = permit.inspect_err(|error| {
            if error.kind() == ErrorKind::Throttled {
                metrics::budget_refused(self.account);
            }
        })?;
        metrics::budget_waited(self.account, asked.elapsed());
        permit.follow(Arc::clone(&call.told));
        let answer = next.run(call).await;
        let throttled = answer.as_ref().err();
        let throttled = throttled.filter(|error| error.kind() == ErrorKind::Throttled);
        permit.end(throttled.map(crate::error::Error::wait));
        answer
    }
}
