//! Where answers are kept: in the process, bounded in bytes, each for its own time.

use std::{
    any::Any,
    sync::Arc,
    time::{Duration, Instant as StdInstant},
};

use moka::{Expiry, notification::RemovalCause, sync::Cache};
use tokio::time::Instant;

use super::{Kept, Place};
use crate::metrics;

/// A bounded store of answers. Cheap to clone; clones are the same store.
#[derive(Clone)]
pub struct Shelf {
    store: Cache<Place, Stored>,
    bytes: u64,
}

/// What is kept under a key.
#[derive(Clone)]
enum Stored {
    /// An answer.
    Answer(Arc<Kept>),
    /// What was built from several answers.
    Snapshot {
        value: Arc<dyn Any + Send + Sync>,
        bytes: u32,
        gone: Instant,
    },
}

impl Stored {
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
struct UntilGone;

impl Expiry<Place, Stored> for UntilGone {
    fn expire_after_create(&self, _: &Place, stored: &Stored, _: StdInstant) -> Option<Duration> {
        Some(stored.gone().saturating_duration_since(Instant::now()))
    }

    fn expire_after_update(
        &self,
        place: &Place,
        stored: &Stored,
        now: StdInstant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        self.expire_after_create(place, stored, now)
    }
}

impl Shelf {
    /// A store of at most so many bytes; those least asked for leave first.
    #[must_use]
    pub fn of(bytes: u64) -> Self {
        metrics::init_cache(bytes);
        let store = Cache::builder()
            .max_capacity(bytes)
            .weigher(|_, stored: &Stored| stored.weight())
            .eviction_listener(|_, _, cause| match cause {
                RemovalCause::Expired => metrics::cache_eviction("expired"),
                RemovalCause::Size => metrics::cache_eviction("size"),
                RemovalCause::Explicit | RemovalCause::Replaced => {}
            })
            .expire_after(UntilGone);
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
    pub(super) fn get(&self, place: &Place) -> Option<Arc<Kept>> {
        match self.store.get(place)? {
            Stored::Answer(kept) => Some(kept),
            Stored::Snapshot { .. } => None,
        }
    }

    /// Keeps an answer, unless it alone is more than there may be.
    pub(super) fn put(&self, place: Place, kept: Arc<Kept>) {
        self.insert(place, Stored::Answer(kept));
    }

    /// A snapshot that is kept.
    pub(super) fn get_snapshot<T: Send + Sync + 'static>(
        &self,
        place: &Place,
    ) -> Option<Arc<Kept<T>>> {
        match self.store.get(place)? {
            Stored::Snapshot { value, .. } => value.downcast().ok(),
            Stored::Answer(_) => None,
        }
    }

    /// Keeps a snapshot of so many bytes, unless it alone is more than there may be; whether it did.
    pub(super) fn put_snapshot<T: Send + Sync + 'static>(
        &self,
        place: Place,
        kept: Arc<Kept<T>>,
        bytes: usize,
    ) -> bool {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let gone = kept.gone;
        let snapshot = Stored::Snapshot {
            value: kept,
            bytes,
            gone,
        };
        self.insert(place, snapshot)
    }

    /// Forgets what is kept under a key.
    pub(super) fn remove(&self, place: &Place) {
        self.store.invalidate(place);
    }

    fn insert(&self, place: Place, stored: Stored) -> bool {
        let fits = u64::from(stored.weight()) <= self.bytes;
        if fits {
            self.store.insert(place, stored);
        }
        fits
    }
}
