//! The building of a snapshot: its reads, and what is known of it while it grows.

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
    client::{
        Client, Freshness, Request, RequestContext, Response,
        scope::{AnswerOrigin, CallRecord},
    },
    error::{Error, ErrorKind, Result},
    metrics,
};

/// What a snapshot holds. It grows while it is built.
pub trait SnapshotContent: Default + Send + 'static {
    /// How many bytes it holds, about.
    fn bytes(&self) -> usize;
}

/// How a build ended.
#[derive(Clone, Debug)]
pub enum BuildEnd {
    /// It read all that a build may read: another one would read the same.
    Whole,
    /// The time of all who waited was over: another one may read more.
    CutShort,
    /// A read failed.
    Failed(Error),
}

/// A snapshot that is being built.
pub struct GrowingSnapshot<T> {
    pub(super) http: Client,
    pub(super) shared: Arc<SharedSnapshot<T>>,
}

/// How much earlier than its build the last read gives up: it ends by itself, and so is measured.
const LAST: Duration = Duration::from_millis(20);

/// A build that has no more time than this has none.
pub(super) const SLACK: Duration = Duration::from_millis(50);

/// No build takes so long, whoever joins it.
const FOREVER: Duration = Duration::from_secs(86_400);

impl<T: SnapshotContent> GrowingSnapshot<T> {
    /// Whether the time of all who wait for it is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        Instant::now() + SLACK >= self.shared.until()
    }

    /// Sends a read whose answer goes into the snapshot.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn send(&self, call: Request) -> Result<Response> {
        let cache = &self.http.cache;
        let (key, mut entry) = (cache.key(&call), entry(cache.0.account, &call));
        let answer = self.ask(call).await;
        entry.end(answer.as_ref());
        lock(&self.shared.reads).push(SnapshotRead {
            entry,
            key,
            sent: answer.as_ref().ok().map(|reply| reply.sent),
            landed: Instant::now(),
        });
        answer
    }

    /// Asks within the time of all who wait, and once more where somebody joined who has more.
    async fn ask(&self, call: Request) -> Result<Response> {
        loop {
            let until = self.shared.until();
            let scope = &self.shared.scope;
            let scope = scope.no_later_than(until.checked_sub(LAST).unwrap_or(until));
            let answer = self.http.send(&scope, call.clone()).await;
            let is_late = matches!(&answer, Err(error) if matches!(error.kind(), ErrorKind::Late | ErrorKind::TimedOut))
                && Instant::now() + SLACK >= until;
            if !is_late || self.is_over() {
                return answer;
            }
        }
    }

    /// What is noted here is noted for everybody who takes the snapshot.
    #[must_use]
    pub fn scope(&self) -> &RequestContext {
        &self.shared.scope
    }

    /// Changes what the snapshot holds.
    pub fn change(&self, change: impl FnOnce(&mut T)) {
        change(&mut lock(&self.shared.content));
    }
}

/// A snapshot while it is built and afterwards.
pub(super) struct SharedSnapshot<T> {
    pub(super) content: Mutex<T>,
    pub(super) reads: Mutex<Vec<SnapshotRead>>,
    /// Counts what the reads cost and how old their answers are.
    pub(super) scope: RequestContext,
    /// When the time of all who wait is over.
    until: Mutex<Instant>,
    ending: watch::Receiver<Option<BuildEnd>>,
}

/// A read that went into a snapshot.
#[derive(Clone)]
pub(super) struct SnapshotRead {
    entry: CallRecord,
    pub(super) key: CacheKey,
    /// When its request was sent; `None` when it failed.
    sent: Option<Instant>,
    landed: Instant,
}

impl<T> SharedSnapshot<T> {
    /// An empty one with time until a moment, and where its end is to be told.
    pub(super) fn new(
        scope: &RequestContext,
        until: Instant,
    ) -> (Arc<Self>, watch::Sender<Option<BuildEnd>>)
    where
        T: Default,
    {
        let (sender, ending) = watch::channel(None);
        let shared = Self {
            content: Mutex::default(),
            reads: Mutex::default(),
            scope: scope.detached(Instant::now() + FOREVER),
            until: Mutex::new(until),
            ending,
        };
        (Arc::new(shared), sender)
    }

    fn until(&self) -> Instant {
        *lock(&self.until)
    }

    /// Gives it time until a moment, for somebody who joins.
    pub(super) fn extend(&self, until: Instant) {
        let mut known = lock(&self.until);
        *known = until.max(*known);
    }

    /// When the oldest of what it holds was asked for.
    pub(super) fn oldest(&self) -> Option<Instant> {
        lock(&self.reads).iter().filter_map(|read| read.sent).min()
    }

    /// Whether all of it was read late enough for a caller who came at a moment.
    pub(super) fn is_within(&self, freshness: Freshness, came: Instant) -> bool {
        let age = self
            .oldest()
            .map(|oldest| came.saturating_duration_since(oldest));
        match (freshness, age) {
            (Freshness::Within(most), Some(age)) => age <= most,
            (Freshness::Within(_), None) | (Freshness::Kept | Freshness::Now, _) => true,
        }
    }

    /// How the build ended; `None` when it did not by then.
    pub(super) async fn wait(&self, until: Instant) -> Option<BuildEnd> {
        let mut ending = self.ending.clone();
        match timeout_at(until, ending.wait_for(Option::is_some)).await {
            Ok(Ok(ending)) => ending.clone(),
            Ok(Err(_)) => {
                let message = "a scan failed inside the gateway";
                Some(BuildEnd::Failed(Error::new(ErrorKind::Internal, message)))
            }
            Err(_) => None,
        }
    }

    /// Notes in a caller's log that it got these reads without a call, since a moment.
    pub(super) fn log(&self, scope: &RequestContext, origin: AnswerOrigin, since: Instant) {
        let mut waited_until = since;
        for read in lock(&self.reads).iter() {
            let took = read.landed.saturating_duration_since(waited_until);
            waited_until = waited_until.max(read.landed);
            let entry = CallRecord {
                origin,
                took,
                ..read.entry.clone()
            };
            metrics::answer(entry.account, entry.operation, origin.name());
            entry.tell(&entry.span());
            scope.journal().add(entry);
        }
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
