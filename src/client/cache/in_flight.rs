//! The reads in flight, so that equal reads are coalesced. A read is a task, which ends when nobody
//! waits for it: a request wakes up once for each of its reads, and not for each part of a
//! response.

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
    context::{MaxAge, Priority},
    error::{Error, ErrorKind, Result},
};

type ReadResult = BoxFuture<'static, Result<Arc<CachedResponse>>>;

/// The reads in flight, by what they read, while somebody waits for them.
type InFlightReads = HashMap<WriteEpoch, InFlightRead>;

/// A read in flight.
struct InFlightRead {
    number: u64,
    read: WeakShared<ReadResult>,
    since: Instant,
    until: Instant,
    priority: Priority,
}

/// Which reads a caller may join.
pub(super) struct JoinPolicy {
    /// The caller's deadline.
    pub(super) until: Instant,
    /// The caller's priority.
    pub(super) priority: Priority,
    /// The largest acceptable age of the response.
    pub(super) max_age: MaxAge,
}

impl JoinPolicy {
    /// Whether the caller may join a read: it started recently enough, and its priority is not
    /// lower.
    pub(super) fn accepts(&self, since: Instant, priority: Priority) -> bool {
        let is_late_enough = match self.max_age {
            MaxAge::Cached => true,
            MaxAge::Within(age) => since.elapsed() <= age,
            MaxAge::Now => false,
        };
        let is_in_line = priority == Priority::Interactive || self.priority == Priority::Background;
        is_late_enough && is_in_line
    }
}

/// How a caller got its read.
pub(super) enum Joined {
    /// It joined a read in flight, which has time until this moment.
    Joined(SharedRead, Instant),
    /// It started the read.
    Started(SharedRead),
}

/// A read that several callers can wait for.
pub(super) type SharedRead = Shared<ReadResult>;

/// An account's reads in flight.
#[derive(Clone, Default)]
pub(super) struct InFlight {
    reads: Arc<Mutex<InFlightReads>>,
    started: Arc<AtomicU64>,
}

/// Removes a read from the list when it ends, however it ends.
struct InFlightGuard {
    in_flight: InFlight,
    epoch: WriteEpoch,
    number: u64,
}

impl Drop for InFlightGuard {
    fn drop(&mut self) {
        let mut reads = self.in_flight.lock();
        if reads
            .get(&self.epoch)
            .is_some_and(|ongoing| ongoing.number == self.number)
        {
            reads.remove(&self.epoch);
        }
    }
}

impl InFlight {
    fn lock(&self) -> MutexGuard<'_, InFlightReads> {
        let lock = self.reads.lock();
        lock.unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a read of an epoch is in flight.
    pub(super) fn is_under_way(&self, epoch: &WriteEpoch) -> bool {
        let read = {
            let reads = self.lock();
            reads.get(epoch).and_then(|ongoing| ongoing.read.upgrade())
        };
        // Dropped here, because the end of a read takes the list's lock.
        read.is_some()
    }

    /// Joins a read of an epoch that the policy accepts, or starts one that others may join.
    pub(super) fn join_or_start<R>(
        &self,
        epoch: WriteEpoch,
        join_policy: &JoinPolicy,
        read: impl FnOnce() -> R,
    ) -> Joined
    where
        R: Future<Output = Arc<CachedResponse>> + Send + 'static,
    {
        let mut reads = self.lock();
        if let Some(ongoing) = reads.get(&epoch)
            && join_policy.accepts(ongoing.since, ongoing.priority)
            && let Some(shared_read) = ongoing.read.upgrade()
        {
            return Joined::Joined(shared_read, ongoing.until);
        }
        Joined::Started(self.start(&mut reads, epoch, join_policy, read()))
    }

    fn start(
        &self,
        reads: &mut InFlightReads,
        epoch: WriteEpoch,
        join_policy: &JoinPolicy,
        read: impl Future<Output = Arc<CachedResponse>> + Send + 'static,
    ) -> SharedRead {
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let in_flight = self.clone();
        let task = async move {
            // Created here, because the caller holds the list's lock: a runtime that shuts down
            // drops a task at once.
            let _guard = InFlightGuard {
                in_flight,
                epoch,
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
        let shared_read = read.boxed().shared();
        if let Some(read) = shared_read.downgrade() {
            let ongoing = InFlightRead {
                number,
                read,
                since: Instant::now(),
                until: join_policy.until,
                priority: join_policy.priority,
            };
            reads.insert(epoch, ongoing);
        }
        shared_read
    }
}
