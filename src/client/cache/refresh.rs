//! One reading in the background at a time for each stale response.

use std::sync::{Arc, PoisonError};

use super::{ResponseCacheInner, WriteEpoch};

/// The reading of a stale response in the background. It ends when this is dropped.
pub(super) struct RefreshGuard {
    cache: Arc<ResponseCacheInner>,
    epoch: WriteEpoch,
}

impl RefreshGuard {
    /// `None` when the response is being read already.
    pub(super) fn new(cache: &Arc<ResponseCacheInner>, epoch: WriteEpoch) -> Option<Self> {
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
