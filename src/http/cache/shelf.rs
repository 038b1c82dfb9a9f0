//! Where answers are kept: in the process, bounded in bytes, each for its own time.

use std::{
    sync::Arc,
    time::{Duration, Instant as StdInstant},
};

use moka::{Expiry, sync::Cache};
use tokio::time::Instant;

use super::{Kept, Place};

/// A bounded store of answers. Cheap to clone; clones are the same store.
#[derive(Clone)]
pub struct Shelf {
    store: Cache<Place, Arc<Kept>>,
    bytes: u64,
}

/// Personal data leaves when its time is over.
struct UntilGone;

impl Expiry<Place, Arc<Kept>> for UntilGone {
    fn expire_after_create(&self, _: &Place, kept: &Arc<Kept>, _: StdInstant) -> Option<Duration> {
        Some(kept.gone.saturating_duration_since(Instant::now()))
    }

    fn expire_after_update(
        &self,
        place: &Place,
        kept: &Arc<Kept>,
        now: StdInstant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        self.expire_after_create(place, kept, now)
    }
}

impl Shelf {
    /// A store of at most so many bytes; those least asked for leave first.
    #[must_use]
    pub fn of(bytes: u64) -> Self {
        let store = Cache::builder()
            .max_capacity(bytes)
            .weigher(|_, kept: &Arc<Kept>| kept.weight())
            .expire_after(UntilGone);
        Self {
            store: store.build(),
            bytes,
        }
    }

    /// An answer that is kept.
    pub(super) fn get(&self, place: &Place) -> Option<Arc<Kept>> {
        self.store.get(place)
    }

    /// Keeps an answer, unless it alone is more than there may be.
    pub(super) fn put(&self, place: Place, kept: Arc<Kept>) {
        if u64::from(kept.weight()) <= self.bytes {
            self.store.insert(place, kept);
        }
    }
}
