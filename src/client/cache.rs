//! Answers to reads: equal ones that are under way are shared, over requests, and answers are kept for a
//! short time. A write forgets all that was kept of its provider, for which lists and searches a record
//! is part of cannot be told.
//!
//! | an answer is | then |
//! |---|---|
//! | fresh | it is the answer |
//! | stale | it is the answer, and the provider is asked again behind it |
//! | old | the provider is asked, and where it fails the old answer is better than none |
//!
//! It stands before all layers: what is kept costs no call, no budget and no turn.

mod in_flight;
mod memory;
mod redis;
mod snapshot;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tokio::time::{Instant, timeout_at};

pub use memory::MemoryCache;
pub use snapshot::{BuildEnd, GrowingSnapshot, SnapshotContent, SnapshotUse, Snapshots};

use self::{
    in_flight::{InFlight, JoinPolicy, Joined},
    redis::{RedisCache, StoredResponse},
};
use super::{
    Freshness, Operation, Priority, Request, RequestContext, Response,
    scope::{AnswerOrigin, CallRecord},
    transport::ReadErrorFn,
};
use crate::{
    account::Account,
    error::{Error, ErrorKind, FailureStage, Result},
    metrics,
    shared::Store,
};

/// For how long answers are kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CachePolicy {
    /// How long an answer is fresh; nought keeps nothing.
    pub fresh: Duration,
    /// The same for single operations, by their names.
    pub operations: BTreeMap<String, Duration>,
    /// How long "there is nobody" is fresh.
    pub negative: Duration,
    /// How long after that an answer is given while the provider is asked again.
    pub stale: Duration,
    /// How long after that an answer is given when the provider fails.
    pub error: Duration,
}

impl CachePolicy {
    fn fresh(&self, operation: &str, is_negative: bool) -> Duration {
        let fresh = self.operations.get(operation).copied();
        let fresh = fresh.unwrap_or(self.fresh);
        if is_negative {
            fresh.min(self.negative)
        } else {
            fresh
        }
    }
}

/// An answer, and until when it is good for what.
#[derive(Debug)]
pub(super) struct CachedResponse<T = Result<Response>> {
    answer: T,
    at: Timestamp,
    read: Instant,
    fresh_until: Instant,
    stale_until: Instant,
    gone: Instant,
}

/// What an answer that is kept is good for.
#[derive(Debug, Eq, PartialEq)]
enum Validity {
    Fresh,
    Stale,
    Old,
}

impl<T> CachedResponse<T> {
    fn good(&self, now: Instant, freshness: Freshness) -> Validity {
        let within = match freshness {
            Freshness::Kept => self.fresh_until,
            Freshness::Within(age) => {
                let until = self.read.checked_add(age);
                until.map_or(self.fresh_until, |until| until.min(self.fresh_until))
            }
            Freshness::Now => return Validity::Old,
        };
        if now < within {
            Validity::Fresh
        } else if now < self.stale_until && freshness == Freshness::Kept {
            Validity::Stale
        } else {
            Validity::Old
        }
    }

    fn is_kept(&self) -> bool {
        self.fresh_until > self.read
    }
}

impl CachedResponse {
    /// How many bytes it holds.
    fn weight(&self) -> u32 {
        /// What an answer without a body takes, about.
        const BARE: usize = 1024;
        let body = self.answer.as_ref().map_or(0, |reply| reply.body.len());
        u32::try_from(body.saturating_add(BARE)).unwrap_or(u32::MAX)
    }
}

/// What identifies a read: a hash, so that what is asked for is not kept in the clear.
type CacheKey = [u8; 16];

/// A read among the writes: what was read before one is forgotten.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
struct WriteEpoch {
    key: CacheKey,
    /// How many writes there were here.
    here: u64,
    /// How many there were at all replicas, where a store that they share says so.
    everywhere: Option<u64>,
}

/// The way to the provider, for a call and a second one.
pub(super) type FetchFn =
    Arc<dyn Fn(Request) -> BoxFuture<'static, Result<Response>> + Send + Sync>;

/// A provider's answers.
pub struct ResponseCache(Arc<ResponseCacheInner>);

struct ResponseCacheInner {
    account: Account,
    terms: CachePolicy,
    explain: ReadErrorFn,
    shelf: MemoryCache,
    common: Option<RedisCache>,
    flights: InFlight,
    /// How many writes there were: what was read before one is forgotten.
    writes: AtomicU64,
    /// Whether the provider refused our credentials last: what is kept would hide that.
    is_denied: AtomicBool,
}

/// Forgets what was read, when a write ends, however it ends.
struct InvalidationGuard(Option<Arc<ResponseCacheInner>>);

impl InvalidationGuard {
    /// Forgets here and at the other replicas, before the write is answered.
    async fn now(mut self) {
        if let Some(inner) = self.0.take() {
            inner.forget().await;
        }
    }

    /// The provider never heard of the write.
    fn nothing(mut self) {
        self.0 = None;
    }
}

impl Drop for InvalidationGuard {
    fn drop(&mut self) {
        if let Some(inner) = self.0.take() {
            tokio::spawn(async move { inner.forget().await });
        }
    }
}

impl ResponseCacheInner {
    async fn forget(&self) {
        self.writes.fetch_add(1, Ordering::SeqCst);
        if let Some(common) = &self.common {
            common.forget().await;
        }
    }
}

/// How long before its deadline a call gives up for an old answer to be in time.
const MARGIN: Duration = Duration::from_millis(50);

/// How often who waited for another's read in vain boards again.
const REBOARD: usize = 4;

/// No longer is an answer that says that there is nothing, or an error under a good status, in bytes.
const SHORT: usize = 4096;

/// How long a read behind an answer may take.
const BEHIND: Duration = Duration::from_secs(30);

impl ResponseCache {
    /// Keeps a provider's answers on a shelf that providers may share, or with the other replicas in a store,
    /// under a name of the account, as long as that is there.
    #[must_use]
    pub fn new(
        account: Account,
        terms: CachePolicy,
        explain: ReadErrorFn,
        shelf: MemoryCache,
        shared: Option<(Store, String)>,
    ) -> Self {
        for operation in Operation::READS {
            let origins = AnswerOrigin::ALL.map(AnswerOrigin::name);
            metrics::init_answers(account, operation.name(), origins);
        }
        Self(Arc::new(ResponseCacheInner {
            account,
            terms,
            explain,
            shelf,
            common: shared.map(|(store, name)| RedisCache::new(account, store, name)),
            flights: InFlight::default(),
            writes: AtomicU64::default(),
            is_denied: AtomicBool::default(),
        }))
    }

    /// Answers a call: from what is kept, from a call under way, or by `fetch`.
    ///
    /// # Errors
    /// What the provider answers.
    pub(super) async fn serve(&self, call: Request, fetch: FetchFn) -> Result<Response> {
        if !call.is_read {
            let forget = InvalidationGuard(Some(Arc::clone(&self.0)));
            let answer = fetch(call).await;
            if answer.as_ref().is_err_and(is_unsent) {
                forget.nothing();
            } else {
                forget.now().await;
            }
            return answer;
        }
        let (started, scope) = (Instant::now(), call.scope.clone());
        let (place, kept) = self.look(self.key(&call), call.operation.name()).await;
        let kept = kept.filter(|_| !self.0.is_denied.load(Ordering::SeqCst));
        let good = kept
            .as_ref()
            .map(|kept| kept.good(started, scope.freshness()));
        let entry = entry(self.0.account, &call);
        match (kept, good) {
            (Some(kept), Some(Validity::Fresh)) => {
                self.hand(&scope, &kept, entry, AnswerOrigin::Kept)
            }
            (Some(kept), Some(Validity::Stale)) => {
                self.refresh(place, call, fetch);
                self.hand(&scope, &kept, entry, AnswerOrigin::Stale)
            }
            (Some(old), _) if scope.freshness() != Freshness::Now => {
                let sooner = scope.deadline().checked_sub(MARGIN);
                let sooner = scope.no_later_than(sooner.unwrap_or(started));
                match self.ask(place, call.within(sooner), &fetch).await {
                    Err(error) if is_worse_than_old(&error) => {
                        scope.fell_back(error);
                        self.hand(&scope, &old, entry, AnswerOrigin::Stale)
                    }
                    answer => answer,
                }
            }
            _ => self.ask(place, call, &fetch).await,
        }
    }

    /// The place of a read among the writes, and the answer that is kept for it.
    async fn look(
        &self,
        key: CacheKey,
        operation: &str,
    ) -> (WriteEpoch, Option<Arc<CachedResponse>>) {
        let mut place = WriteEpoch {
            key,
            here: self.0.writes.load(Ordering::SeqCst),
            everywhere: None,
        };
        if let Some(common) = &self.0.common
            && let Some((writes, found)) = common.look(&key).await
        {
            place.everywhere = Some(writes);
            let kept = found.and_then(|found| self.of_reader(operation, found));
            return (place, kept.map(Arc::new));
        }
        (place, self.0.shelf.get(&place))
    }

    /// An answer that a replica keeps, for as long as the settings here say and not there; `None` when
    /// it is none here.
    fn of_reader(&self, operation: &str, found: StoredResponse) -> Option<CachedResponse> {
        let terms = &self.0.terms;
        let fresh_until = found.read + terms.fresh(operation, found.is_negative);
        let stale_until = fresh_until + terms.stale;
        let kept = CachedResponse {
            answer: found.answer,
            at: found.at,
            read: found.read,
            fresh_until,
            stale_until,
            gone: stale_until + terms.error,
        };
        (kept.is_kept() && kept.gone > Instant::now()).then_some(kept)
    }

    /// Forgets the answer of a place, for there is a newer one that is not kept. Nobody waits for it.
    fn drop_older(&self, place: WriteEpoch) {
        self.0.shelf.remove(&place);
        if place.everywhere.is_none() {
            return;
        }
        let this = Arc::clone(&self.0);
        tokio::spawn(async move {
            if let Some(common) = &this.common {
                common.remove(&place.key).await;
            }
        });
    }

    /// Keeps an answer: with the other replicas, or here. Nobody waits for it.
    fn put(&self, place: WriteEpoch, kept: &Arc<CachedResponse>) {
        let Some(writes) = place.everywhere else {
            self.0.shelf.put(place, Arc::clone(kept));
            return;
        };
        let (this, kept) = (Arc::clone(&self.0), Arc::clone(kept));
        tokio::spawn(async move {
            if let Some(common) = &this.common {
                common.put(&place.key, writes, &kept).await;
            }
        });
    }

    /// Gives an answer that is there, if the request has room for it.
    fn hand(
        &self,
        scope: &RequestContext,
        kept: &CachedResponse,
        entry: CallRecord,
        origin: AnswerOrigin,
    ) -> Result<Response> {
        if let Ok(reply) = &kept.answer {
            scope.meter().charge(reply.body.len())?;
        }
        metrics::answer(self.0.account, entry.operation, origin.name());
        scope.read(kept.at, origin == AnswerOrigin::Stale);
        scope.journal().is_fresh_until(kept.fresh_until);
        let mut entry = CallRecord { origin, ..entry };
        entry.end(kept.answer.as_ref());
        entry.tell(&entry.span());
        scope.journal().add(entry);
        let since = matches!(origin, AnswerOrigin::Kept | AnswerOrigin::Stale).then_some(kept.read);
        kept.answer.clone().map(|reply| Response {
            kept: since,
            ..reply
        })
    }

    /// Asks the provider, or waits for who does. It ends when nobody waits.
    async fn ask(&self, place: WriteEpoch, call: Request, fetch: &FetchFn) -> Result<Response> {
        let (scope, started) = (call.scope.clone(), Instant::now());
        let wish = JoinPolicy {
            until: scope.deadline(),
            priority: scope.priority(),
            freshness: scope.freshness(),
        };
        for _ in 0..REBOARD {
            let read = || Self(Arc::clone(&self.0)).read(place, call.clone(), Arc::clone(fetch));
            // The layers keep the deadline themselves; a little later this does.
            let late = |_| Err(Error::late());
            match self.0.flights.join_or_start(place, &wish, read) {
                Joined::Joined(flight, until) => {
                    let shared = timeout_at(scope.deadline(), flight).await;
                    let kept = shared.unwrap_or_else(late)?;
                    // Who asked had less time than there is here, or reached a limit.
                    if is_of_its_caller(&kept, until) && until < scope.deadline()
                        || is_for_its_callers_limits(&kept)
                    {
                        continue;
                    }
                    let entry = CallRecord {
                        took: started.elapsed(),
                        ..entry(self.0.account, &call)
                    };
                    return self.hand(&scope, &kept, entry, AnswerOrigin::Shared);
                }
                Joined::Started(flight) => {
                    metrics::answer(
                        self.0.account,
                        call.operation.name(),
                        AnswerOrigin::Provider.name(),
                    );
                    let own = timeout_at(scope.deadline() + MARGIN, flight).await;
                    let kept = own.unwrap_or_else(late)?;
                    scope.journal().is_fresh_until(kept.fresh_until);
                    if !matches!(&kept.answer, Err(error) if error.kind() != ErrorKind::Missing) {
                        scope.read(kept.at, false);
                    }
                    return kept.answer.clone();
                }
            }
        }
        Err(Error::late())
    }

    async fn read(self, place: WriteEpoch, call: Request, fetch: FetchFn) -> Arc<CachedResponse> {
        let operation = call.operation.name();
        let answer = fetch(call).await;
        self.note_denial(&answer);
        let is_answer = match &answer {
            Ok(reply) => self.worth(reply).is_some(),
            Err(error) => matches!(error.kind(), ErrorKind::Missing | ErrorKind::Denied),
        };
        let kept = Arc::new(self.kept(operation, answer));
        if kept.is_kept() {
            self.put(place, &kept);
        } else if is_answer && !self.0.terms.fresh(operation, false).is_zero() {
            self.drop_older(place);
        }
        kept
    }

    /// Remembers whether the provider takes our credentials.
    fn note_denial(&self, answer: &Result<Response>) {
        let is_denied = match answer {
            Ok(_) => false,
            Err(error) if error.kind() == ErrorKind::Denied => true,
            Err(_) => return,
        };
        self.0.is_denied.store(is_denied, Ordering::SeqCst);
    }

    /// Reads again what was given though it was stale, unless somebody does.
    fn refresh(&self, place: WriteEpoch, call: Request, fetch: FetchFn) {
        if self.0.flights.is_under_way(&place) {
            return;
        }
        let scope =
            RequestContext::until(Instant::now() + BEHIND).with_priority(Priority::Background);
        let this = Self(Arc::clone(&self.0));
        tokio::spawn(async move { this.ask(place, call.within(scope), &fetch).await });
    }

    /// An answer with its terms. What is no good answer is not kept, nor one that was asked for before
    /// the last write.
    fn kept(&self, operation: &str, answer: Result<Response>) -> CachedResponse {
        // As old as what was asked for was when it was asked.
        let now = Instant::now();
        let read = answer.as_ref().map_or(now, |reply| reply.sent);
        let ago = now.saturating_duration_since(read);
        let terms = &self.0.terms;
        let fresh = match &answer {
            Ok(reply) => match self.worth(reply) {
                Some(is_negative) => terms.fresh(operation, is_negative),
                None => Duration::ZERO,
            },
            Err(error) if error.kind() == ErrorKind::Missing => terms.fresh(operation, true),
            Err(_) => Duration::ZERO,
        };
        let fresh_until = read + fresh;
        let stale_until = fresh_until + terms.stale;
        CachedResponse {
            answer,
            at: Timestamp::now()
                .checked_sub(ago)
                .unwrap_or(Timestamp::UNIX_EPOCH),
            read,
            fresh_until,
            stale_until,
            gone: stale_until + terms.error,
        }
    }

    /// Whether an answer is worth keeping, and if so whether it says that there is nothing.
    fn worth(&self, reply: &Response) -> Option<bool> {
        let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(&reply.body).is_ok();
        if !is_json || !reply.body.starts_with(b"{") {
            return None;
        }
        if reply.body.len() > SHORT {
            return Some(false);
        }
        let refusal = (self.0.explain)(reply.status, &reply.headers, &reply.body);
        refusal.reasons.is_empty().then(|| is_empty(&reply.body))
    }

    fn key(&self, call: &Request) -> CacheKey {
        let mut hash = Sha256::new();
        let mut add = |part: &[u8]| {
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        };
        add(self.0.account.name().as_bytes());
        add(call.method.as_str().as_bytes());
        call.path.iter().for_each(|part| add(part.as_bytes()));
        add(b"?");
        for (name, value) in &call.query {
            add(name.as_bytes());
            add(value.as_bytes());
        }
        add(b"#");
        for (name, value) in &call.headers {
            add(name.as_str().as_bytes());
            add(value.as_bytes());
        }
        if let Some(body) = &call.body {
            add(body.to_string().as_bytes());
        }
        let hash = hash.finalize();
        let mut key = CacheKey::default();
        key.copy_from_slice(&hash[..16]);
        key
    }
}

/// Whether a short answer is a list, and one of nobody.
fn is_empty(body: &[u8]) -> bool {
    let members: BTreeMap<String, serde_json::Value> =
        serde_json::from_slice(body).unwrap_or_default();
    let mut lists = members.values().filter_map(serde_json::Value::as_array);
    let is_record = members.contains_key("id") || members.contains_key("end_user_id");
    !is_record && lists.next().is_some_and(Vec::is_empty) && lists.all(Vec::is_empty)
}

/// Whether an answer came of how little time its caller had rather than of the provider: what was given up
/// when that was over, and what would have waited longer.
fn is_of_its_caller(kept: &CachedResponse, until: Instant) -> bool {
    match kept.answer.as_ref().err().map(Error::kind) {
        Some(ErrorKind::TimedOut) => kept.read + MARGIN >= until,
        Some(ErrorKind::Throttled | ErrorKind::Late) => true,
        _ => false,
    }
}

/// Whether an answer was refused for a limit on its caller: another may have it.
fn is_for_its_callers_limits(kept: &CachedResponse) -> bool {
    let kind = kept.answer.as_ref().err().map(Error::kind);
    matches!(
        kind,
        Some(ErrorKind::TooLarge | ErrorKind::Overloaded | ErrorKind::CallLimit)
    )
}

/// Whether a write that failed was never sent, in any of its attempts.
fn is_unsent(error: &Error) -> bool {
    error.reach() == FailureStage::Nowhere && !error.is_unsettled()
}

/// Whether an old answer is better than this error.
fn is_worse_than_old(error: &Error) -> bool {
    error.kind().is_transient()
        || matches!(
            error.kind(),
            ErrorKind::Malformed | ErrorKind::Late | ErrorKind::Overloaded | ErrorKind::CallLimit
        )
}

fn entry(account: Account, call: &Request) -> CallRecord {
    CallRecord {
        account,
        operation: call.operation.name(),
        page: call.page.clone(),
        attempt: 0,
        status: None,
        code: None,
        may_be_missing: call.may_be_missing,
        took: Duration::ZERO,
        waited: Duration::ZERO,
        origin: AnswerOrigin::Kept,
    }
}
