//! Snapshots: values that are built from several reads, such as a whole list by some key of its rows.
//! Requests that want the same snapshot share it while it is built, page by page. A finished one is kept
//! for as long as the reads that it was built from, and forgotten by a write as they are.
//!
//! A build belongs to all who wait for it: each of them gives it the time of a whole build, and it ends
//! when nobody waits. A caller whose own time is over takes what has been read so far.

mod growing;

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

pub use growing::{BuildEnd, GrowingSnapshot, SnapshotContent};

use self::growing::{SLACK, SharedSnapshot, SnapshotRead, lock};
use super::{
    BEHIND, CacheKey, CachedResponse, REBOARD, Validity, WriteEpoch, in_flight::JoinPolicy,
    is_worse_than_old,
};
use crate::{
    client::{Client, Freshness, Priority, RequestContext, scope::AnswerOrigin},
    error::{Error, ErrorKind},
};

/// Builds a snapshot.
type BuildFn<T> = Arc<dyn Fn(GrowingSnapshot<T>) -> BoxFuture<'static, BuildEnd> + Send + Sync>;

/// The snapshots of one kind of a provider.
pub struct Snapshots<T: SnapshotContent>(Arc<SnapshotsInner<T>>);

struct SnapshotsInner<T: SnapshotContent> {
    http: Client,
    key: CacheKey,
    longest: Duration,
    build: BuildFn<T>,
    running: Mutex<HashMap<WriteEpoch, OngoingBuild<T>>>,
    /// Where the last one is kept.
    last: Mutex<Option<WriteEpoch>>,
    started: AtomicU64,
}

/// A build in flight, for as long as somebody waits for it.
struct OngoingBuild<T> {
    number: u64,
    run: Weak<BuildHandle<T>>,
}

/// What everybody who waits for a build holds; the last to leave ends it.
struct BuildHandle<T> {
    shared: Arc<SharedSnapshot<T>>,
    since: Instant,
    priority: Priority,
    _task: AbortOnDropHandle<()>,
}

type KeptSnapshot<T> = Arc<CachedResponse<Arc<SharedSnapshot<T>>>>;

/// A snapshot as one caller takes it.
pub struct SnapshotUse<T> {
    shared: Arc<SharedSnapshot<T>>,
    /// How its build ended; `None` when the caller's time was over before that.
    pub ending: Option<BuildEnd>,
}

impl<T> SnapshotUse<T> {
    /// Looks at what it holds.
    pub fn read<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&lock(&self.shared.content))
    }

    fn failure(&self) -> Option<Error> {
        match &self.ending {
            Some(BuildEnd::Failed(error)) => Some(error.clone()),
            Some(BuildEnd::Whole | BuildEnd::CutShort) => None,
            None => Some(Error::late()),
        }
    }
}

/// Takes a build out of the list when it ends, however it ends.
struct BuildGuard<T: SnapshotContent> {
    snapshots: Arc<SnapshotsInner<T>>,
    place: WriteEpoch,
    number: u64,
}

impl<T: SnapshotContent> Drop for BuildGuard<T> {
    fn drop(&mut self) {
        let mut running = lock(&self.snapshots.running);
        if running
            .get(&self.place)
            .is_some_and(|running| running.number == self.number)
        {
            running.remove(&self.place);
        }
    }
}

/// How a caller came to a snapshot.
enum SnapshotSource<T> {
    Kept(KeptSnapshot<T>),
    Joined(Arc<BuildHandle<T>>),
    Started(Arc<BuildHandle<T>>),
}

impl<T: SnapshotContent> Snapshots<T> {
    /// Snapshots of a name, built from reads over `http`. Nobody waits for one longer than `longest`.
    pub fn new(
        http: Client,
        name: &str,
        longest: Duration,
        build: impl Fn(GrowingSnapshot<T>) -> BoxFuture<'static, BuildEnd> + Send + Sync + 'static,
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
            longest,
            build: Arc::new(build),
            running: Mutex::default(),
            last: Mutex::default(),
            started: AtomicU64::default(),
        }))
    }

    /// A snapshot that is as fresh as the caller wishes: one that is kept, one that is being built, or
    /// a new one. The caller waits no longer than until a moment, and takes what there is then.
    pub async fn take(&self, scope: &RequestContext, until: Instant) -> SnapshotUse<T> {
        let came = Instant::now();
        let until = until.min(came + self.0.longest);
        let (place, _) = self.0.http.cache.look(self.0.key, "").await;
        // What is kept would hide that the provider refuses our credentials.
        let is_denied = self.0.http.cache.0.is_denied.load(Ordering::SeqCst);
        let kept = self.0.kept(&place).filter(|_| !is_denied);
        let good = kept.as_ref().map(|kept| kept.good(came, scope.freshness()));
        match (kept, good) {
            (Some(kept), Some(Validity::Fresh)) => hand(scope, &kept, AnswerOrigin::Kept),
            (Some(kept), Some(Validity::Stale)) => {
                self.0.refresh(place);
                hand(scope, &kept, AnswerOrigin::Stale)
            }
            (Some(old), _) if scope.freshness() != Freshness::Now => {
                let taken = self.0.ask(place, scope, came, until).await;
                match taken.failure().filter(is_worse_than_old) {
                    Some(error) => {
                        scope.fell_back(error);
                        hand(scope, &old, AnswerOrigin::Stale)
                    }
                    None => taken,
                }
            }
            _ => self.0.ask(place, scope, came, until).await,
        }
    }
}

/// Gives a snapshot that is kept.
fn hand<T>(
    scope: &RequestContext,
    kept: &CachedResponse<Arc<SharedSnapshot<T>>>,
    origin: AnswerOrigin,
) -> SnapshotUse<T> {
    let shared = Arc::clone(&kept.answer);
    scope.add_reads(&shared.scope);
    scope.read(kept.at, origin == AnswerOrigin::Stale);
    shared.log(scope, origin, Instant::now());
    SnapshotUse {
        shared,
        ending: Some(BuildEnd::Whole),
    }
}

/// Takes what a build has read. Nobody may keep what is not whole.
fn take_from<T>(
    run: &BuildHandle<T>,
    scope: &RequestContext,
    ending: Option<BuildEnd>,
) -> SnapshotUse<T> {
    scope.add_reads(&run.shared.scope);
    if !matches!(ending, Some(BuildEnd::Whole)) {
        scope.journal().is_fresh_until(Instant::now());
    }
    SnapshotUse {
        shared: Arc::clone(&run.shared),
        ending,
    }
}

/// What a caller takes whose time is over and for whom nothing has been read.
fn nothing<T: SnapshotContent>(scope: &RequestContext, until: Instant) -> SnapshotUse<T> {
    scope.journal().is_fresh_until(Instant::now());
    let (shared, _) = SharedSnapshot::new(scope, until);
    SnapshotUse {
        shared,
        ending: None,
    }
}

impl<T: SnapshotContent> SnapshotsInner<T> {
    fn kept(&self, place: &WriteEpoch) -> Option<KeptSnapshot<T>> {
        self.http.cache.0.shelf.get_snapshot(place)
    }

    /// Joins the build in flight, or starts one.
    async fn ask(
        self: &Arc<Self>,
        place: WriteEpoch,
        scope: &RequestContext,
        came: Instant,
        until: Instant,
    ) -> SnapshotUse<T> {
        for _ in 0..REBOARD {
            if let Some(taken) = self.share(place, scope, came, until).await {
                return taken;
            }
            if Instant::now() >= until {
                return nothing(scope, until);
            }
        }
        let run = self.start(&mut lock(&self.running), place, scope);
        self.own(&run, scope, until).await
    }

    /// A snapshot by way of one that is there or in flight, or of a new build; `None` when it was older
    /// than the caller takes, or ended too early for one who has time.
    async fn share(
        self: &Arc<Self>,
        place: WriteEpoch,
        scope: &RequestContext,
        came: Instant,
        until: Instant,
    ) -> Option<SnapshotUse<T>> {
        match self.join_or_start(place, scope) {
            SnapshotSource::Kept(kept) => Some(hand(scope, &kept, AnswerOrigin::Kept)),
            SnapshotSource::Started(run) => Some(self.own(&run, scope, until).await),
            SnapshotSource::Joined(run) => {
                let ending = run.shared.wait(until).await;
                // Others ran out of time, or of the calls that their request may make.
                let is_of_others = match &ending {
                    Some(BuildEnd::CutShort) => Instant::now() + SLACK < until,
                    Some(BuildEnd::Failed(error)) => error.kind() == ErrorKind::CallLimit,
                    Some(BuildEnd::Whole) | None => false,
                };
                if is_of_others || !run.shared.is_within(scope.freshness(), came) {
                    return None;
                }
                run.shared.log(scope, AnswerOrigin::Shared, came);
                Some(take_from(&run, scope, ending))
            }
        }
    }

    /// Waits for a build that was started for this caller, whose calls are the caller's.
    async fn own(
        &self,
        run: &BuildHandle<T>,
        scope: &RequestContext,
        until: Instant,
    ) -> SnapshotUse<T> {
        let ending = run.shared.wait(until).await;
        scope.add_calls(&run.shared.scope);
        take_from(run, scope, ending)
    }

    fn join_or_start(
        self: &Arc<Self>,
        place: WriteEpoch,
        scope: &RequestContext,
    ) -> SnapshotSource<T> {
        let wish = JoinPolicy {
            until: scope.deadline(),
            priority: scope.priority(),
            freshness: scope.freshness(),
        };
        let mut running = lock(&self.running);
        let run = running.get(&place).and_then(|known| known.run.upgrade());
        // However often it is joined, it ends, and is not much older than what one caller may read.
        let is_open = |run: &Arc<BuildHandle<T>>| run.since.elapsed() <= self.longest;
        let run = run.filter(is_open);
        if let Some(run) = run.filter(|run| wish.is_met_by(run.since, run.priority)) {
            run.shared.extend(Instant::now() + self.longest);
            return SnapshotSource::Joined(run);
        }
        // One that ended since the caller looked is kept before it leaves the list.
        let fresh = |kept: &KeptSnapshot<T>| {
            kept.good(Instant::now(), scope.freshness()) == Validity::Fresh
        };
        match self.kept(&place).filter(fresh) {
            Some(kept) => SnapshotSource::Kept(kept),
            None => SnapshotSource::Started(self.start(&mut running, place, scope)),
        }
    }

    fn start(
        self: &Arc<Self>,
        running: &mut HashMap<WriteEpoch, OngoingBuild<T>>,
        place: WriteEpoch,
        scope: &RequestContext,
    ) -> Arc<BuildHandle<T>> {
        let since = Instant::now();
        let (shared, sender) = SharedSnapshot::new(scope, since + self.longest);
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let building = GrowingSnapshot {
            http: self.http.clone(),
            shared: Arc::clone(&shared),
        };
        let task = Arc::clone(self).run(building, (place, number), sender);
        let task = AbortOnDropHandle::new(tokio::spawn(task.in_current_span()));
        let run = Arc::new(BuildHandle {
            shared,
            since,
            priority: scope.priority(),
            _task: task,
        });
        let known = OngoingBuild {
            number,
            run: Arc::downgrade(&run),
        };
        running.insert(place, known);
        run
    }

    /// Builds a snapshot. It is kept before it leaves the list, and leaves before anybody hears of its
    /// end: who comes next finds it kept, or asks again.
    async fn run(
        self: Arc<Self>,
        building: GrowingSnapshot<T>,
        (place, number): (WriteEpoch, u64),
        sender: watch::Sender<Option<BuildEnd>>,
    ) {
        // Made here and not by the caller, who holds the list: a runtime that shuts down drops a task
        // at once.
        let registered = BuildGuard {
            snapshots: Arc::clone(&self),
            place,
            number,
        };
        let shared = Arc::clone(&building.shared);
        let ending = (self.build)(building).await;
        if matches!(ending, BuildEnd::Whole) {
            self.keep(place, &shared);
        }
        drop(registered);
        sender.send_replace(Some(ending));
    }

    /// Keeps a snapshot as long as its reads, in their stead, unless there was a write meanwhile.
    fn keep(&self, place: WriteEpoch, shared: &Arc<SharedSnapshot<T>>) {
        let cache = &self.http.cache.0;
        let is_forgotten = cache.writes.load(Ordering::SeqCst) != place.here;
        let Some(kept) = self.with_terms(shared).filter(|_| !is_forgotten) else {
            return;
        };
        let is_newer = |known: KeptSnapshot<T>| known.read >= kept.read;
        if self.kept(&place).is_some_and(is_newer) {
            return;
        }
        let reads = lock(&shared.reads).clone();
        let bytes = lock(&shared.content).bytes() + reads.len() * size_of::<SnapshotRead>();
        if cache.shelf.put_snapshot(place, kept, bytes) {
            // One from before a write is of no use to anybody.
            let last = lock(&self.last).replace(place);
            if let Some(last) = last.filter(|last| *last != place) {
                cache.shelf.remove(&last);
            }
            for read in reads {
                cache.shelf.remove(&WriteEpoch {
                    key: read.key,
                    ..place
                });
            }
        }
    }

    /// A snapshot with the terms of its reads; `None` when it is not to be kept, for one of them is not
    /// either.
    fn with_terms(&self, shared: &Arc<SharedSnapshot<T>>) -> Option<KeptSnapshot<T>> {
        let (read, at) = (shared.oldest()?, shared.scope.as_of()?);
        let fresh_until = shared.scope.journal().fresh_until()?;
        if shared.scope.failure().is_some() || fresh_until <= Instant::now() {
            return None;
        }
        let terms = &self.http.cache.0.terms;
        let stale_until = fresh_until + terms.stale;
        Some(Arc::new(CachedResponse {
            answer: Arc::clone(shared),
            at,
            read,
            fresh_until,
            stale_until,
            gone: stale_until + terms.error,
        }))
    }

    /// Builds anew what was given though it was stale, unless somebody does.
    fn refresh(self: &Arc<Self>, place: WriteEpoch) {
        let running = lock(&self.running)
            .get(&place)
            .map(|known| known.run.clone());
        if running.is_some_and(|run| run.strong_count() > 0) {
            return;
        }
        let until = Instant::now() + BEHIND;
        // What is stale itself does not do.
        let scope = RequestContext::until(until)
            .with_priority(Priority::Background)
            .with_freshness(Freshness::Within(Duration::MAX));
        let this = Arc::clone(self);
        tokio::spawn(async move { this.ask(place, &scope, Instant::now(), until).await });
    }
}
