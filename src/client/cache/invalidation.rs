//! The invalidation of an account's cache by writes.

use std::sync::{Arc, atomic::Ordering};

use super::ResponseCacheInner;

/// Invalidates the account's cache when a write ends, however it ends.
pub(super) struct InvalidationGuard(pub(super) Option<Arc<ResponseCacheInner>>);

impl InvalidationGuard {
    /// Invalidates here and at the other replicas, before the write's caller gets a response.
    pub(super) async fn invalidate(mut self) {
        if let Some(inner) = &self.0 {
            inner.invalidate_account().await;
        }
        self.0 = None;
    }

    /// The write was never sent.
    pub(super) fn cancel(mut self) {
        self.0 = None;
    }
}

impl Drop for InvalidationGuard {
    fn drop(&mut self) {
        if let Some(inner) = self.0.take() {
            tokio::spawn(async move { inner.invalidate_account().await });
        }
    }
}

impl ResponseCacheInner {
    async fn invalidate_account(&self) {
        self.writes.fetch_add(1, Ordering::SeqCst);
        if let Some(shared) = &self.shared {
            shared.invalidate().await;
        }
    }
}
