//! One reading in the background at a time for each stale response.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::{Fetch, ResponseCache, ResponseCacheInner, WriteEpoch};
use crate::{
    client::Request,
    context::{Priority, RequestContext},
};

/// The longest time of a read in the background.
pub(super) const REFRESH_TIMEOUT: Duration = Duration::from_secs(30);

impl ResponseCache {
    /// Reads a stale response again, unless that is under way.
    pub(super) fn refresh(&self, epoch: WriteEpoch, request: Request, source: &impl Fetch) {
        let Some(refresh) = RefreshGuard::new(&self.0, epoch) else {
            return;
        };
        if self.0.in_flight.is_under_way(&epoch) {
            return;
        }
        let context = RequestContext::until(Instant::now() + REFRESH_TIMEOUT)
            .with_priority(Priority::Background);
        let (this, source) = (Self(Arc::clone(&self.0)), source.clone());
        tokio::spawn(async move {
            let _refresh = refresh;
            this.join_or_fetch(epoch, request.with_context(context), &source)
                .await
        });
    }
}

/// The reading of a stale response in the background. It ends when this is dropped.
struct RefreshGuard {
    cache: Arc<ResponseCacheInner>,
    epoch: WriteEpoch,
}

impl RefreshGuard {
    /// `None` when the response is being read already.
    fn new(cache: &Arc<ResponseCacheInner>, epoch: WriteEpoch) -> Option<Self> {
        let refreshing = cache.refreshing.lock();
        let mut refreshing = refreshing.unwrap_or_else(PoisonError::into_inner);
        refreshing.insert(epoch).then(|| Self {
            cache: Arc::clone(cache),
            epoch,
        })
    }
}

impl Drop for RefreshGuard {
    fn drop(&mut self) {
        let refreshing = self.cache.refreshing.lock();
        let mut refreshing = refreshing.unwrap_or_else(PoisonError::into_inner);
        refreshing.remove(&self.epoch);
    }
}
