//! Reads that are under way, for who asks for the same meanwhile. One ends when nobody waits for it.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared, WeakShared},
};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use super::{CachedResponse, WriteEpoch};
use crate::{
    client::{Freshness, Priority},
    error::{Error, ErrorKind, Result},
};

type ReadResult = BoxFuture<'static, Result<Arc<CachedResponse>>>;

/// Reads by what they are of, as long as somebody waits for them.
type InFlightReads = HashMap<WriteEpoch, InFlightRead>;

/// A read that is under way.
struct InFlightRead {
    number: u64,
    read: WeakShared<ReadResult>,
    since: Instant,
    until: Instant,
    priority: Priority,
}

/// What a caller wants of a read.
pub(super) struct JoinPolicy {
    /// Until when there is time for it.
    pub(super) until: Instant,
    /// Whose work goes first.
    pub(super) priority: Priority,
    /// How old its answer may be.
    pub(super) freshness: Freshness,
}

impl JoinPolicy {
    /// Whether a read under way will do: one that was begun late enough, and stands in no longer line.
    pub(super) fn is_met_by(&self, since: Instant, priority: Priority) -> bool {
        let is_late_enough = match self.freshness {
            Freshness::Kept => true,
            Freshness::Within(age) => since.elapsed() <= age,
            Freshness::Now => false,
        };
        let is_in_line = priority == Priority::Interactive || self.priority == Priority::Background;
        is_late_enough && is_in_line
    }
}

/// How a caller came to a read.
pub(super) enum Joined {
    /// It was under way, with time until then.
    Joined(SharedRead, Instant),
    /// It is the caller's own.
    Started(SharedRead),
}

/// Waits for a read.
pub(super) type SharedRead = Shared<ReadResult>;

/// The reads of a provider that are under way.
#[derive(Clone, Default)]
pub(super) struct InFlight {
    under_way: Arc<Mutex<InFlightReads>>,
    started: Arc<AtomicU64>,
}

/// Takes a read out of the list when it ends, however it ends.
struct InFlightGuard {
    flights: InFlight,
    place: WriteEpoch,
    number: u64,
}

impl Drop for InFlightGuard {
    fn drop(&mut self) {
        let mut under_way = self.flights.lock();
        if under_way
            .get(&self.place)
            .is_some_and(|flown| flown.number == self.number)
        {
            under_way.remove(&self.place);
        }
    }
}

impl InFlight {
    fn lock(&self) -> MutexGuard<'_, InFlightReads> {
        let lock = self.under_way.lock();
        lock.unwrap_or_else(PoisonError::into_inner)
    }

    /// The read of a place that is under way, if one is.
    pub(super) fn is_under_way(&self, place: &WriteEpoch) -> bool {
        let under_way = self.lock();
        let read = under_way.get(place).and_then(|flown| flown.read.upgrade());
        read.is_some()
    }

    /// Waits for the read of a place that is under way and fits the wish, or starts one that others may
    /// join from now on.
    pub(super) fn join_or_start<R>(
        &self,
        place: WriteEpoch,
        wish: &JoinPolicy,
        read: impl FnOnce() -> R,
    ) -> Joined
    where
        R: Future<Output = Arc<CachedResponse>> + Send + 'static,
    {
        let mut under_way = self.lock();
        if let Some(flown) = under_way.get(&place)
            && wish.is_met_by(flown.since, flown.priority)
            && let Some(flight) = flown.read.upgrade()
        {
            return Joined::Joined(flight, flown.until);
        }
        Joined::Started(self.start(&mut under_way, place, wish, read()))
    }

    fn start(
        &self,
        under_way: &mut InFlightReads,
        place: WriteEpoch,
        wish: &JoinPolicy,
        read: impl Future<Output = Arc<CachedResponse>> + Send + 'static,
    ) -> SharedRead {
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let flights = self.clone();
        let task = async move {
            // Made here and not by the caller, who holds the list: a runtime that shuts down drops a
            // task at once.
            let _landing = InFlightGuard {
                flights,
                place,
                number,
            };
            read.await
        };
        let task = AbortOnDropHandle::new(tokio::spawn(task.in_current_span()));
        let read = task.map(|ended| {
            ended.map_err(|failure| {
                tracing::error!(%failure, "a read ended early");
                Error::new(ErrorKind::Internal, "a read failed inside the gateway")
            })
        });
        let flight = read.boxed().shared();
        if let Some(read) = flight.downgrade() {
            let flown = InFlightRead {
                number,
                read,
                since: Instant::now(),
                until: wish.until,
                priority: wish.priority,
            };
            under_way.insert(place, flown);
        }
        flight
    }
}
