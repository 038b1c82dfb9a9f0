//! The budget that all replicas share, in the shared store. While the store is away each replica
//! uses its share of every window.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use super::{
    limiter::{RateLimiter, RatePermit},
    state::{CallEnd, LINGER},
};
use crate::{
    context::Priority,
    shared::budget::{LeaseEnd, ReportedLimit, SharedBudget, StoreAnswer},
};

/// How long all replicas have to report their calls to a store that is available again.
const SETTLE_TIME: Duration = Duration::from_secs(1);

impl RateLimiter {
    /// Asks the shared store, if there is one, whether the replicas together may make the call.
    pub(super) async fn reserve(
        self: &Arc<Self>,
        permit: &mut RatePermit,
        class: Priority,
        deadline: Instant,
    ) -> bool {
        let Some(shared) = &self.shared else {
            return true;
        };
        if self.state().is_store_away {
            return true;
        }
        let lease = fastrand::u64(..);
        // From now on the lease may exist: dropping the permit returns it.
        permit.lease = Some(lease);
        let lives = deadline.saturating_duration_since(Instant::now());
        match shared.take(lease, class, lives).await {
            StoreAnswer::Granted(left) => {
                self.state().remaining = Some((Instant::now(), left));
                true
            }
            StoreAnswer::Refused(wait) => {
                permit.lease = None;
                let now = Instant::now();
                self.state().not_before[class as usize] = Some((now + wait, now));
                false
            }
            StoreAnswer::Unavailable => {
                // The lease may exist nevertheless; then it expires.
                permit.lease = None;
                self.use_own_share(shared);
                false
            }
        }
    }

    /// Uses only this replica's share while the store is unavailable, until it is back and knows
    /// what was spent without it.
    fn use_own_share(self: &Arc<Self>, shared: &SharedBudget) {
        let mut state = self.state();
        if std::mem::replace(&mut state.is_store_away, true) {
            return;
        }
        state.budget.divide_by(shared.store().replicas());
        state.not_before = [None; 2];
        state.remaining = None;
        drop(state);
        let (limiter, shared) = (Arc::clone(self), shared.clone());
        tokio::spawn(async move {
            while !limiter.try_rejoin(&shared).await {
                sleep(SETTLE_TIME / 4).await;
            }
        });
    }

    async fn try_rejoin(&self, shared: &SharedBudget) -> bool {
        if !self.settle(shared).await {
            return false;
        }
        // The other replicas report too, before anybody relies on the count.
        sleep(SETTLE_TIME).await;
        if !self.settle(shared).await {
            return false;
        }
        let mut state = self.state();
        state.is_store_away = false;
        state.budget.divide_by(1);
        state.wake_all();
        true
    }

    /// Reports to the store what was spent without it.
    async fn settle(&self, shared: &SharedBudget) -> bool {
        if !shared.store().is_up() {
            return false;
        }
        let now = Instant::now();
        let (owed, (remembered, in_flight), closed) = {
            let mut state = self.state();
            let owed = std::mem::take(&mut state.unreported_calls);
            let closed = state.budget.closed(now);
            (owed, state.budget.serialize(now), closed)
        };
        let closes = closed.map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
        let is_told = shared.merge(owed + in_flight, &remembered, closes).await;
        if !is_told {
            self.state().unreported_calls += owed;
        }
        is_told
    }
}

/// The end of a call for the store.
pub(super) fn lease_end(end: CallEnd, closes: Duration) -> LeaseEnd {
    let (lingers, quota) = match end {
        CallEnd::Unsent => (None, None),
        CallEnd::Lost => (Some(LINGER), None),
        CallEnd::Answered(quota) | CallEnd::Throttled(quota, _) => (Some(Duration::ZERO), quota),
    };
    let quota = quota.map(|quota| ReportedLimit {
        resets_at: quota.resets_at,
        resets_in: quota.resets_in,
        limit: quota.limit,
        remaining: quota.remaining,
    });
    LeaseEnd {
        lingers,
        closes,
        quota,
    }
}
