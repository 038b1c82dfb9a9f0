//! The building of a snapshot: its reads, and its content while it grows.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};

use super::super::{CacheKey, entry};
use crate::{
    client::{Client, Decoded, DecodedBody, Request},
    context::{CallRecord, MaxAge, RequestContext, ResponseOrigin},
    error::{Error, ErrorKind, Result},
    metrics,
};

/// The content of a snapshot. It grows during the build.
pub trait SnapshotContent: Default + Send + 'static {
    /// The approximate number of bytes it takes.
    fn bytes(&self) -> usize;
}

/// How a build ended.
#[derive(Clone, Debug)]
pub enum BuildOutcome {
    /// It read everything it may read: another build would read the same.
    Complete,
    /// All waiting callers reached their deadlines: another build may read more.
    DeadlineReached,
    /// A read failed.
    Failed(Error),
}

/// A snapshot during its build.
pub struct SnapshotBuilder<T> {
    pub(super) http: Client,
    pub(super) shared: Arc<SharedSnapshot<T>>,
}

/// How long before the build's deadline its last read gives up, so that the read itself is
/// recorded.
const LAST_READ_MARGIN: Duration = Duration::from_millis(20);

/// A build with less time than this left has no time left.
pub(super) const SLACK: Duration = Duration::from_millis(50);

/// Longer than any build can take.
const NO_DEADLINE: Duration = Duration::from_secs(86_400);

impl<T: SnapshotContent> SnapshotBuilder<T> {
    /// Whether all waiting callers have reached their deadlines.
    #[must_use]
    pub fn has_passed_deadline(&self) -> bool {
        Instant::now() + SLACK >= self.shared.until()
    }

    /// Sends a read whose response goes into the snapshot.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn send<B: DecodedBody>(&self, request: Request) -> Result<Decoded<B>> {
        let cache = &self.http.cache;
        let (key, mut entry) = (cache.key(&request), entry(cache.0.account, &request));
        let answer = self.send_within_deadline(request).await;
        entry.end(answer.as_ref().map(|read| read.response.status_code()));
        lock(&self.shared.reads).push(SnapshotRead {
            entry,
            key,
            sent: answer.as_ref().ok().map(|read| read.response.sent),
            finished_at: Instant::now(),
        });
        answer
    }

    /// Sends a read within the time of all waiting callers, and once more if a caller with more
    /// time joined.
    async fn send_within_deadline<B: DecodedBody>(&self, request: Request) -> Result<Decoded<B>> {
        loop {
            let until = self.shared.until();
            let context = &self.shared.context;
            let context =
                context.with_deadline_cap(until.checked_sub(LAST_READ_MARGIN).unwrap_or(until));
            let answer = self.http.send(&context, request.clone()).await;
            let is_late = matches!(&answer, Err(error) if matches!(error.kind(), ErrorKind::DeadlineExceeded | ErrorKind::TimedOut))
                && Instant::now() + SLACK >= until;
            if !is_late || self.has_passed_deadline() {
                return answer;
            }
        }
    }

    /// The context of the build: a note in it reaches every caller that takes the snapshot.
    #[must_use]
    pub fn context(&self) -> &RequestContext {
        &self.shared.context
    }

    /// Changes the content.
    pub fn change(&self, change: impl FnOnce(&mut T)) {
        change(&mut lock(&self.shared.content));
    }
}

/// A snapshot, during its build and afterwards.
pub(super) struct SharedSnapshot<T> {
    pub(super) content: Mutex<T>,
    pub(super) reads: Mutex<Vec<SnapshotRead>>,
    /// Counts the calls and the age of the reads.
    pub(super) context: RequestContext,
    /// The latest deadline of the waiting callers.
    until: Mutex<Instant>,
    ending: watch::Receiver<Option<BuildOutcome>>,
}

/// A read that went into a snapshot.
#[derive(Clone)]
pub(super) struct SnapshotRead {
    entry: CallRecord,
    pub(super) key: CacheKey,
    /// When its request was sent; `None` when it failed.
    sent: Option<Instant>,
    finished_at: Instant,
}

impl<T> SharedSnapshot<T> {
    /// An empty snapshot with a deadline, and the sender that reports its end.
    pub(super) fn new(
        context: &RequestContext,
        until: Instant,
    ) -> (Arc<Self>, watch::Sender<Option<BuildOutcome>>)
    where
        T: Default,
    {
        let (sender, ending) = watch::channel(None);
        let shared = Self {
            content: Mutex::default(),
            reads: Mutex::default(),
            context: context.detached(Instant::now() + NO_DEADLINE),
            until: Mutex::new(until),
            ending,
        };
        (Arc::new(shared), sender)
    }

    fn until(&self) -> Instant {
        *lock(&self.until)
    }

    /// Extends the deadline for a caller that joins.
    pub(super) fn extend(&self, until: Instant) {
        let mut known = lock(&self.until);
        *known = until.max(*known);
    }

    /// When the oldest part of the content was requested.
    pub(super) fn oldest(&self) -> Option<Instant> {
        lock(&self.reads).iter().filter_map(|read| read.sent).min()
    }

    /// Whether all of it was read recently enough for a caller that came at `came`.
    pub(super) fn is_within(&self, freshness: MaxAge, came: Instant) -> bool {
        let age = self
            .oldest()
            .map(|oldest| came.saturating_duration_since(oldest));
        match (freshness, age) {
            (MaxAge::Within(most), Some(age)) => age <= most,
            (MaxAge::Within(_), None) | (MaxAge::Cached | MaxAge::Now, _) => true,
        }
    }

    /// Waits for the end of the build; `None` when `until` comes first.
    pub(super) async fn wait(&self, until: Instant) -> Option<BuildOutcome> {
        let mut ending = self.ending.clone();
        match timeout_at(until, ending.wait_for(Option::is_some)).await {
            Ok(Ok(ending)) => ending.clone(),
            Ok(Err(_)) => {
                let message = "a scan failed inside the gateway";
                Some(BuildOutcome::Failed(Error::new(
                    ErrorKind::Internal,
                    message,
                )))
            }
            Err(_) => None,
        }
    }

    /// Records these reads in the log of a caller that got them without a call since `since`.
    pub(super) fn log_reads(
        &self,
        context: &RequestContext,
        origin: ResponseOrigin,
        since: Instant,
    ) {
        let mut waited_until = since;
        for read in lock(&self.reads).iter() {
            let took = read.finished_at.saturating_duration_since(waited_until);
            waited_until = waited_until.max(read.finished_at);
            let entry = CallRecord {
                origin,
                took,
                ..read.entry.clone()
            };
            metrics::answer(entry.account, entry.operation, origin.name());
            entry.record_in(&entry.span());
            context.call_log().add(entry);
        }
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
