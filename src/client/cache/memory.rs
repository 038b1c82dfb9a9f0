//! Where answers are kept: in the process, bounded in bytes, each for its own time.

use std::{
    any::Any,
    sync::Arc,
    time::{Duration, Instant as StdInstant},
};

use moka::{Expiry, notification::RemovalCause, sync::Cache};
use tokio::time::Instant;

use super::{CachedResponse, WriteEpoch};
use crate::metrics;

/// A bounded store of answers. Cheap to clone; clones are the same store.
#[derive(Clone)]
pub struct MemoryCache {
    store: Cache<WriteEpoch, CacheEntry>,
    bytes: u64,
}

/// What is kept under a key.
#[derive(Clone)]
enum CacheEntry {
    /// An answer.
    Answer(Arc<CachedResponse>),
    /// What was built from several answers.
    Snapshot {
        value: Arc<dyn Any + Send + Sync>,
        bytes: u32,
        gone: Instant,
    },
}

impl CacheEntry {
    /// How many bytes it holds.
    fn weight(&self) -> u32 {
        match self {
            Self::Answer(kept) => kept.weight(),
            Self::Snapshot { bytes, .. } => *bytes,
        }
    }

    /// Until when it may be kept.
    fn gone(&self) -> Instant {
        match self {
            Self::Answer(kept) => kept.gone,
            Self::Snapshot { gone, .. } => *gone,
        }
    }
}

/// Personal data leaves when its time is over.
struct EntryExpiry;

impl Expiry<WriteEpoch, CacheEntry> for EntryExpiry {
    fn expire_after_create(
        &self,
        _: &WriteEpoch,
        stored: &CacheEntry,
        _: StdInstant,
    ) -> Option<Duration> {
        Some(stored.gone().saturating_duration_since(Instant::now()))
    }

    fn expire_after_update(
        &self,
        place: &WriteEpoch,
        stored: &CacheEntry,
        now: StdInstant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        self.expire_after_create(place, stored, now)
    }
}

impl MemoryCache {
    /// A store of at most so many bytes; those least asked for leave first.
    #[must_use]
    pub fn of(bytes: u64) -> Self {
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

    /// Shows in the metrics how much is kept.
    pub fn observe(&self) {
        self.store.run_pending_tasks();
        metrics::cache(self.store.entry_count(), self.store.weighted_size());
    }

    /// An answer that is kept.
    pub(super) fn get(&self, place: &WriteEpoch) -> Option<Arc<CachedResponse>> {
        match self.store.get(place)? {
            CacheEntry::Answer(kept) => Some(kept),
            CacheEntry::Snapshot { .. } => None,
        }
    }

    /// Keeps an answer, unless it alone is more than there may be.
    pub(super) fn put(&self, place: WriteEpoch, kept: Arc<CachedResponse>) {
        self.insert(place, CacheEntry::Answer(kept));
    }

    /// A snapshot that is kept.
    pub(super) fn get_snapshot<T: Send + Sync + 'static>(
        &self,
        place: &WriteEpoch,
    ) -> Option<Arc<CachedResponse<T>>> {
        match self.store.get(place)? {
            CacheEntry::Snapshot { value, .. } => value.downcast().ok(),
            CacheEntry::Answer(_) => None,
        }
    }

    /// Keeps a snapshot of so many bytes, unless it alone is more than there may be; whether it did.
    pub(super) fn put_snapshot<T: Send + Sync + 'static>(
        &self,
        place: WriteEpoch,
        kept: Arc<CachedResponse<T>>,
        bytes: usize,
    ) -> bool {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let gone = kept.gone;
        let snapshot = CacheEntry::Snapshot {
            value: kept,
            bytes,
            gone,
        };
        self.insert(place, snapshot)
    }

    /// Forgets what is kept under a key.
    pub(super) fn remove(&self, place: &WriteEpoch) {
        self.store.invalidate(place);
    }

    fn insert(&self, place: WriteEpoch, stored: CacheEntry) -> bool {
        let fits = u64::from(stored.weight()) <= self.bytes;
        if fits {
            self.store.insert(place, stored);
        }
        fits
    }
}
