//! Snapshots: values built from several reads, such as a whole list indexed by a key of its rows.
//! Requests that need the same snapshot share it while it is built, page by page. A finished
//! snapshot is cached as long as its reads, and a write invalidates it as it does them.
//!
//! A build belongs to all callers that wait for it: each of them extends it by the time of a whole
//! build, and it ends when nobody waits. A caller that reaches its deadline takes what has been
//! read so far.

mod builder;
mod view;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::future::BoxFuture;
use sha2::{Digest, Sha256};
use tokio::{sync::watch, time::Instant};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

pub use builder::{BuildOutcome, SnapshotBuilder, SnapshotContent};
pub use view::SnapshotView;

use self::builder::{SLACK, SharedSnapshot, SnapshotRead, lock};
use super::{
    CacheKey, CachedResponse, JOIN_ATTEMPTS, Validity, WriteEpoch, in_flight::JoinPolicy,
    is_worse_than_old, refresh::REFRESH_TIMEOUT,
};
use crate::{
    client::{Client, Operation},
    context::{MaxAge, Priority, RequestContext, ResponseOrigin},
    error::ErrorKind,
};

/// Builds a snapshot.
type BuildFn<T> = Arc<dyn Fn(SnapshotBuilder<T>) -> BoxFuture<'static, BuildOutcome> + Send + Sync>;

/// The snapshots of one kind of an account.
pub struct Snapshots<T: SnapshotContent>(Arc<SnapshotsInner<T>>);

struct SnapshotsInner<T: SnapshotContent> {
    http: Client,
    key: CacheKey,
    max_wait: Duration,
    build: BuildFn<T>,
    running: Mutex<HashMap<WriteEpoch, OngoingBuild<T>>>,
    /// The epoch of the last cached snapshot.
    last: Mutex<Option<WriteEpoch>>,
    started: AtomicU64,
}

/// A build in flight, as long as somebody waits for it.
struct OngoingBuild<T> {
    number: u64,
    run: Weak<BuildHandle<T>>,
}

/// Held by every caller that waits for a build; dropping the last one ends the build.
struct BuildHandle<T> {
    shared: Arc<SharedSnapshot<T>>,
    since: Instant,
    priority: Priority,
    _task: AbortOnDropHandle<()>,
}

type CachedSnapshot<T> = Arc<CachedResponse<Arc<SharedSnapshot<T>>>>;

/// Removes a build from the list when it ends, however it ends.
struct BuildGuard<T: SnapshotContent> {
    snapshots: Arc<SnapshotsInner<T>>,
    epoch: WriteEpoch,
    number: u64,
}

impl<T: SnapshotContent> Drop for BuildGuard<T> {
    fn drop(&mut self) {
        let mut running = lock(&self.snapshots.running);
        if running
            .get(&self.epoch)
            .is_some_and(|running| running.number == self.number)
        {
            running.remove(&self.epoch);
        }
    }
}

/// How a caller got its snapshot.
enum SnapshotSource<T> {
    Cached(CachedSnapshot<T>),
    Joined(Arc<BuildHandle<T>>),
    Started(Arc<BuildHandle<T>>),
}

impl<T: SnapshotContent> Snapshots<T> {
    /// Snapshots named `name`, built from reads over `http`. No caller waits for one longer than
    /// `longest`.
    pub fn new(
        http: Client,
        name: &str,
        longest: Duration,
        build: impl Fn(SnapshotBuilder<T>) -> BoxFuture<'static, BuildOutcome> + Send + Sync + 'static,
    ) -> Self {
        let hash = Sha256::new()
            .chain_update(b"snapshot\0")
            .chain_update(http.cache.0.account.name())
            .chain_update([0])
            .chain_update(name)
            .finalize();
        let mut key = CacheKey::default();
        key.copy_from_slice(&hash[..16]);
        Self(Arc::new(SnapshotsInner {
            http,
            key,
            max_wait: longest,
            build: Arc::new(build),
            running: Mutex::default(),
            last: Mutex::default(),
            started: AtomicU64::default(),
        }))
    }

    /// Returns a snapshot as fresh as the caller wants: a cached one, one in flight, or a new one.
    /// The caller waits until `until` at most, and takes what has been read by then.
    pub async fn take(&self, context: &RequestContext, until: Instant) -> SnapshotView<T> {
        let came = Instant::now();
        let until = until.min(came + self.0.max_wait);
        let (epoch, _) = self.0.http.cache.look_up(self.0.key, |_| None).await;
        // Cached data would hide that the provider refuses our credentials.
        let denied = &self.0.http.cache.0.denied;
        let is_denied = denied.contains(Operation::ByEmail);
        let cached = self.0.cached(&epoch).filter(|_| !is_denied);
        let validity = cached
            .as_ref()
            .map(|cached| cached.validity(came, context.max_age()));
        match (cached, validity) {
            (Some(cached), Some(Validity::Fresh)) => {
                SnapshotView::of_cached(context, &cached, ResponseOrigin::CacheHit)
            }
            (Some(cached), Some(Validity::Stale)) => {
                self.0.refresh(epoch);
                SnapshotView::of_cached(context, &cached, ResponseOrigin::Stale)
            }
            (Some(old), _) if context.max_age() != MaxAge::Now => {
                let taken = self.0.join_or_build(epoch, context, came, until).await;
                match taken.failure().filter(is_worse_than_old) {
                    Some(error) => {
                        context.note_stale_fallback(error);
                        SnapshotView::of_cached(context, &old, ResponseOrigin::Stale)
                    }
                    None => taken,
                }
            }
            _ => self.0.join_or_build(epoch, context, came, until).await,
        }
    }
}

impl<T: SnapshotContent> SnapshotsInner<T> {
    fn cached(&self, epoch: &WriteEpoch) -> Option<CachedSnapshot<T>> {
        self.http.cache.0.memory.get_snapshot(epoch)
    }

    /// Joins the build in flight, or starts one.
    async fn join_or_build(
        self: &Arc<Self>,
        epoch: WriteEpoch,
        context: &RequestContext,
        came: Instant,
        until: Instant,
    ) -> SnapshotView<T> {
        for _ in 0..JOIN_ATTEMPTS {
            if let Some(taken) = self.take_shared(epoch, context, came, until).await {
                return taken;
            }
            if Instant::now() >= until {
                return SnapshotView::empty(context, until);
            }
        }
        let run = self.start(&mut lock(&self.running), epoch, context);
        self.wait_for_own_build(&run, context, until).await
    }

    /// Takes a cached snapshot, joins a build or starts one. `None` when the snapshot was older
    /// than the caller accepts, or ended too early for a caller with time left.
    async fn take_shared(
        self: &Arc<Self>,
        epoch: WriteEpoch,
        context: &RequestContext,
        came: Instant,
        until: Instant,
    ) -> Option<SnapshotView<T>> {
        match self.join_or_start(epoch, context) {
            SnapshotSource::Cached(cached) => Some(SnapshotView::of_cached(
                context,
                &cached,
                ResponseOrigin::CacheHit,
            )),
            SnapshotSource::Started(run) => {
                Some(self.wait_for_own_build(&run, context, until).await)
            }
            SnapshotSource::Joined(run) => {
                let ending = run.shared.wait(until).await;
                // Other callers reached their deadlines, or their limits on calls.
                let is_of_others = match &ending {
                    Some(BuildOutcome::DeadlineReached) => Instant::now() + SLACK < until,
                    Some(BuildOutcome::Failed(error)) => error.kind() == ErrorKind::CallLimit,
                    Some(BuildOutcome::Complete) | None => false,
                };
                if is_of_others || !run.shared.is_within(context.max_age(), came) {
                    return None;
                }
                run.shared
                    .log_reads(context, ResponseOrigin::Coalesced, came);
                Some(SnapshotView::of_build(&run.shared, context, ending))
            }
        }
    }

    /// Waits for a build that this caller started; its calls count for this caller.
    async fn wait_for_own_build(
        &self,
        run: &BuildHandle<T>,
        context: &RequestContext,
        until: Instant,
    ) -> SnapshotView<T> {
        let ending = run.shared.wait(until).await;
        context.add_calls(&run.shared.context);
        SnapshotView::of_build(&run.shared, context, ending)
    }

    fn join_or_start(
        self: &Arc<Self>,
        epoch: WriteEpoch,
        context: &RequestContext,
    ) -> SnapshotSource<T> {
        let join_policy = JoinPolicy {
            until: context.deadline(),
            priority: context.priority(),
            max_age: context.max_age(),
        };
        // Dropped after the list's lock, which the end of a build takes.
        let run;
        let mut running = lock(&self.running);
        run = running.get(&epoch).and_then(|known| known.run.upgrade());
        // A build ends however often it is joined, and is not much older than what one caller could
        // read.
        let may_join = |run: &&Arc<BuildHandle<T>>| {
            let is_open = run.since.elapsed() <= self.max_wait;
            is_open && join_policy.accepts(run.since, run.priority)
        };
        if let Some(run) = run.as_ref().filter(may_join) {
            run.shared.extend(Instant::now() + self.max_wait);
            return SnapshotSource::Joined(Arc::clone(run));
        }
        // A build that ended since the caller looked is cached before it leaves the list.
        let fresh = |cached: &CachedSnapshot<T>| {
            cached.validity(Instant::now(), context.max_age()) == Validity::Fresh
        };
        match self.cached(&epoch).filter(fresh) {
            Some(cached) => SnapshotSource::Cached(cached),
            None => SnapshotSource::Started(self.start(&mut running, epoch, context)),
        }
    }

    fn start(
        self: &Arc<Self>,
        running: &mut HashMap<WriteEpoch, OngoingBuild<T>>,
        epoch: WriteEpoch,
        context: &RequestContext,
    ) -> Arc<BuildHandle<T>> {
        let since = Instant::now();
        let (shared, sender) = SharedSnapshot::new(context, since + self.max_wait);
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let building = SnapshotBuilder {
            http: self.http.clone(),
            shared: Arc::clone(&shared),
        };
        let task = Arc::clone(self).run(building, (epoch, number), sender);
        let task = AbortOnDropHandle::new(tokio::spawn(task.in_current_span()));
        let run = Arc::new(BuildHandle {
            shared,
            since,
            priority: context.priority(),
            _task: task,
        });
        let known = OngoingBuild {
            number,
            run: Arc::downgrade(&run),
        };
        running.insert(epoch, known);
        run
    }

    /// Builds a snapshot. It is cached before it leaves the list, and leaves the list before
    /// anybody is notified: the next caller finds it in the cache or starts again.
    async fn run(
        self: Arc<Self>,
        building: SnapshotBuilder<T>,
        (epoch, number): (WriteEpoch, u64),
        sender: watch::Sender<Option<BuildOutcome>>,
    ) {
        // Created here, because the caller holds the list's lock: a runtime that shuts down drops a
        // task at once.
        let registered = BuildGuard {
            snapshots: Arc::clone(&self),
            epoch,
            number,
        };
        let shared = Arc::clone(&building.shared);
        let ending = (self.build)(building).await;
        if matches!(ending, BuildOutcome::Complete) {
            self.store(epoch, &shared);
        }
        drop(registered);
        sender.send_replace(Some(ending));
    }

    /// Caches a snapshot as long as its reads and in their place, unless a write came in between.
    fn store(&self, epoch: WriteEpoch, shared: &Arc<SharedSnapshot<T>>) {
        let cache = &self.http.cache.0;
        let is_forgotten = cache.writes.load(Ordering::SeqCst) != epoch.local_writes;
        let Some(cached) = self.with_policy(shared).filter(|_| !is_forgotten) else {
            return;
        };
        let is_newer = |known: CachedSnapshot<T>| known.read >= cached.read;
        if self.cached(&epoch).is_some_and(is_newer) {
            return;
        }
        let reads = lock(&shared.reads).clone();
        let bytes = lock(&shared.content).bytes() + reads.len() * size_of::<SnapshotRead>();
        if cache.memory.put_snapshot(epoch, cached, bytes) {
            // A snapshot from before a write can never be used again.
            let last = lock(&self.last).replace(epoch);
            if let Some(last) = last.filter(|last| *last != epoch) {
                cache.memory.remove(&last);
            }
            for read in reads {
                cache.memory.remove(&WriteEpoch {
                    key: read.key,
                    ..epoch
                });
            }
        }
    }

    /// Adds the expiry times of the reads to a snapshot. `None` when one of its reads may not be
    /// cached.
    fn with_policy(&self, shared: &Arc<SharedSnapshot<T>>) -> Option<CachedSnapshot<T>> {
        let (read, at) = (shared.oldest()?, shared.context.as_of()?);
        let fresh_until = shared.context.call_log().fresh_until()?;
        if shared.context.failure().is_some() || fresh_until <= Instant::now() {
            return None;
        }
        let policy = &self.http.cache.0.policy;
        let stale_until = fresh_until + policy.stale;
        Some(Arc::new(CachedResponse {
            answer: Arc::clone(shared),
            read_at: at,
            read,
            fresh_until,
            stale_until,
            expires_at: stale_until + policy.error,
        }))
    }

    /// Builds a stale snapshot again, unless such a build is in flight.
    fn refresh(self: &Arc<Self>, epoch: WriteEpoch) {
        let running = lock(&self.running)
            .get(&epoch)
            .map(|known| known.run.clone());
        if running.is_some_and(|run| run.strong_count() > 0) {
            return;
        }
        let until = Instant::now() + REFRESH_TIMEOUT;
        // A stale response is not good enough here.
        let context = RequestContext::until(until)
            .with_priority(Priority::Background)
            .with_max_age(MaxAge::Within(Duration::MAX));
        let this = Arc::clone(self);
        tokio::spawn(async move {
            this.join_or_build(epoch, &context, Instant::now(), until)
                .await
        });
    }
}
