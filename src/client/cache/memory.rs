//! The in-memory cache: bounded in bytes, with an expiry per entry.

use std::{
    any::Any,
    sync::Arc,
    time::{Duration, Instant as StdInstant},
};

use moka::{Expiry, notification::RemovalCause, sync::Cache};
use tokio::time::Instant;

use super::{CachedResponse, WriteEpoch};
use crate::metrics;

/// A bounded in-memory cache. Clones share it.
#[derive(Clone)]
pub struct MemoryCache {
    store: Cache<WriteEpoch, CacheEntry>,
    bytes: u64,
}

/// The value under a key.
#[derive(Clone)]
enum CacheEntry {
    /// A response.
    Answer(Arc<CachedResponse>),
    /// A value built from several responses.
    Snapshot {
        value: Arc<dyn Any + Send + Sync>,
        bytes: u32,
        gone: Instant,
    },
}

impl CacheEntry {
    /// The approximate number of bytes it takes.
    fn weight(&self) -> u32 {
        match self {
            Self::Answer(cached) => cached.weight(),
            Self::Snapshot { bytes, .. } => *bytes,
        }
    }

    /// When it expires.
    fn expires_at(&self) -> Instant {
        match self {
            Self::Answer(cached) => cached.expires_at,
            Self::Snapshot { gone, .. } => *gone,
        }
    }
}

/// Removes personal data when it expires.
struct EntryExpiry;

impl Expiry<WriteEpoch, CacheEntry> for EntryExpiry {
    fn expire_after_create(
        &self,
        _: &WriteEpoch,
        stored: &CacheEntry,
        _: StdInstant,
    ) -> Option<Duration> {
        Some(
            stored
                .expires_at()
                .saturating_duration_since(Instant::now()),
        )
    }

    fn expire_after_update(
        &self,
        epoch: &WriteEpoch,
        stored: &CacheEntry,
        now: StdInstant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        self.expire_after_create(epoch, stored, now)
    }
}

impl MemoryCache {
    /// A cache of at most this many bytes; the least used entries leave first.
    #[must_use]
    pub fn with_max_bytes(bytes: u64) -> Self {
        metrics::init_cache(bytes);
        let store = Cache::builder()
            .max_capacity(bytes)
            .weigher(|_, stored: &CacheEntry| stored.weight())
            .eviction_listener(|_, _, cause| match cause {
                RemovalCause::Expired => metrics::cache_eviction("expired"),
                RemovalCause::Size => metrics::cache_eviction("size"),
                RemovalCause::Explicit | RemovalCause::Replaced => {}
            })
            .expire_after(EntryExpiry);
        Self {
            store: store.build(),
            bytes,
        }
    }

    /// Reports the cache's size in the metrics.
    pub fn observe(&self) {
        self.store.run_pending_tasks();
        metrics::cache(self.store.entry_count(), self.store.weighted_size());
    }

    /// Returns a cached response.
    pub(super) fn get(&self, epoch: &WriteEpoch) -> Option<Arc<CachedResponse>> {
        match self.store.get(epoch)? {
            CacheEntry::Answer(cached) => Some(cached),
            CacheEntry::Snapshot { .. } => None,
        }
    }

    /// Caches a response, unless it alone exceeds the cache's size or a newer one is cached.
    pub(super) fn put(&self, epoch: WriteEpoch, cached: Arc<CachedResponse>) {
        let is_newer = |known: Arc<CachedResponse>| known.read > cached.read;
        if self.get(&epoch).is_some_and(is_newer) {
            return;
        }
        self.insert(epoch, CacheEntry::Answer(cached));
    }

    /// Returns a cached snapshot.
    pub(super) fn get_snapshot<T: Send + Sync + 'static>(
        &self,
        epoch: &WriteEpoch,
    ) -> Option<Arc<CachedResponse<T>>> {
        match self.store.get(epoch)? {
            CacheEntry::Snapshot { value, .. } => value.downcast().ok(),
            CacheEntry::Answer(_) => None,
        }
    }

    /// Caches a snapshot of `bytes` bytes, unless it alone exceeds the cache's size. Returns
    /// whether it did.
    pub(super) fn put_snapshot<T: Send + Sync + 'static>(
        &self,
        epoch: WriteEpoch,
        cached: Arc<CachedResponse<T>>,
        bytes: usize,
    ) -> bool {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let gone = cached.expires_at;
        let snapshot = CacheEntry::Snapshot {
            value: cached,
            bytes,
            gone,
        };
        self.insert(epoch, snapshot)
    }

    /// Removes an entry.
    pub(super) fn remove(&self, epoch: &WriteEpoch) {
        self.store.invalidate(epoch);
    }

    fn insert(&self, epoch: WriteEpoch, stored: CacheEntry) -> bool {
        let fits = u64::from(stored.weight()) <= self.bytes;
        if fits {
            self.store.insert(epoch, stored);
        }
        fits
    }
}
