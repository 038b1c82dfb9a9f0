//! The response cache: equal reads in flight are coalesced across requests, and responses are
//! cached for a short time. A write clears the whole account: we cannot tell which lists and
//! searches contain the record.
//!
//! | a cached response is | then |
//! |---|---|
//! | fresh | it is returned |
//! | stale | it is returned, and read again in the background |
//! | old | the provider is called; if that fails, the old response is returned |
//!
//! A cache hit takes no call and no budget, and waits for nothing.

mod denied;
mod entry;
mod in_flight;
mod invalidation;
mod memory;
mod outcome;
mod refresh;
mod snapshot;
mod stored;

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use sha2::{Digest, Sha256};
use tokio::time::{Instant, timeout_at};

pub use entry::CachePolicy;
pub use memory::MemoryCache;
pub use snapshot::{BuildOutcome, SnapshotBuilder, SnapshotContent, SnapshotView, Snapshots};

use self::{
    denied::DeniedOperations,
    entry::{CachedResponse, Validity},
    in_flight::{InFlight, JoinPolicy, Joined, SharedRead},
    invalidation::InvalidationGuard,
    outcome::{is_from_callers_deadline, is_from_callers_limit, is_unsent, is_worse_than_old},
};
use super::{Operation, Request, Response};
use crate::{
    account::Account,
    context::{CallRecord, MaxAge, RequestContext, ResponseOrigin},
    error::{Error, ErrorKind, Result},
    metrics,
    shared::{
        Store,
        responses::{ResponseKey, SharedResponses, StoredResponse},
    },
};

/// Identifies a read.
type CacheKey = ResponseKey;

/// A read and the number of writes before it: a write invalidates earlier reads.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
struct WriteEpoch {
    key: CacheKey,
    /// The number of writes through this process.
    local_writes: u64,
    /// The number of writes through all replicas, if a shared store counts them.
    shared_writes: Option<u64>,
}

/// The source of responses that are not cached.
pub(super) trait Fetch: Clone + Send + Sync + 'static {
    /// Sends a request to the provider.
    fn fetch(&self, request: Request) -> impl Future<Output = Result<Response>> + Send + 'static;
}

/// An account's response cache.
pub struct ResponseCache(Arc<ResponseCacheInner>);

struct ResponseCacheInner {
    account: Account,
    policy: CachePolicy,
    memory: MemoryCache,
    shared: Option<SharedResponses>,
    in_flight: InFlight,
    /// The number of writes: a write invalidates earlier reads.
    writes: AtomicU64,
    /// The operations for which the provider last refused our credentials: cached responses would
    /// hide that.
    denied: DeniedOperations,
    /// The stale responses that are being read again.
    refreshing: Mutex<HashSet<WriteEpoch>>,
}

/// How long before its deadline a call gives up, so that an old response can still be returned.
const MARGIN: Duration = Duration::from_millis(50);

/// How many reads of others a caller joins in vain before it starts its own.
const JOIN_ATTEMPTS: usize = 4;

impl ResponseCache {
    /// Caches an account's responses in memory that accounts may share, or in a store that replicas
    /// share, under a name of the account, while that store is available.
    #[must_use]
    pub fn new(
        account: Account,
        policy: CachePolicy,
        memory: MemoryCache,
        shared: Option<(Store, String)>,
    ) -> Self {
        for operation in Operation::READS {
            let origins = ResponseOrigin::ALL.map(ResponseOrigin::name);
            metrics::init_answers(account, operation.name(), origins);
        }
        Self(Arc::new(ResponseCacheInner {
            account,
            policy,
            memory,
            shared: shared.map(|(store, name)| SharedResponses::new(store, name)),
            in_flight: InFlight::default(),
            writes: AtomicU64::default(),
            denied: DeniedOperations::default(),
            refreshing: Mutex::default(),
        }))
    }

    /// Answers a request: from the cache, from a read in flight, or from the source.
    ///
    /// # Errors
    /// The provider's error.
    pub(super) async fn serve(&self, request: Request, source: &impl Fetch) -> Result<Response> {
        if !request.is_read {
            return self.write(request, source).await;
        }
        let (started, context) = (Instant::now(), request.context.clone());
        let (epoch, cached) = self
            .look_up(self.key(&request), |found| {
                self.under_own_policy(&request, &found)
            })
            .await;
        let cached = cached.filter(|_| !self.0.denied.contains(request.operation));
        let validity = cached
            .as_ref()
            .map(|cached| cached.validity(started, context.max_age()));
        let entry = entry(self.0.account, &request);
        match (cached, validity) {
            (Some(cached), Some(Validity::Fresh)) => {
                self.respond_from_cache(&context, &cached, entry, ResponseOrigin::CacheHit)
            }
            (Some(cached), Some(Validity::Stale)) => {
                self.refresh(epoch, request, source);
                self.respond_from_cache(&context, &cached, entry, ResponseOrigin::Stale)
            }
            (Some(old), _) if context.max_age() != MaxAge::Now => {
                let sooner = context.deadline().checked_sub(MARGIN);
                let sooner = context.with_deadline_cap(sooner.unwrap_or(started));
                match self
                    .join_or_fetch(epoch, request.with_context(sooner), source)
                    .await
                {
                    Err(error) if is_worse_than_old(&error) => {
                        context.note_stale_fallback(error);
                        self.respond_from_cache(&context, &old, entry, ResponseOrigin::Stale)
                    }
                    answer => answer,
                }
            }
            _ => self.join_or_fetch(epoch, request, source).await,
        }
    }

    /// Sends a write, which invalidates the account's responses unless it was never sent.
    async fn write(&self, request: Request, source: &impl Fetch) -> Result<Response> {
        let guard = InvalidationGuard(Some(Arc::clone(&self.0)));
        let answer = source.fetch(request).await;
        if answer.as_ref().is_err_and(is_unsent) {
            guard.cancel();
        } else {
            guard.invalidate().await;
        }
        answer
    }

    /// Returns a read's epoch and its cached response. `read` reads one that another replica
    /// stored.
    async fn look_up(
        &self,
        key: CacheKey,
        read: impl FnOnce(StoredResponse) -> Option<CachedResponse>,
    ) -> (WriteEpoch, Option<Arc<CachedResponse>>) {
        let mut epoch = WriteEpoch {
            key,
            local_writes: self.0.writes.load(Ordering::SeqCst),
            shared_writes: None,
        };
        if let Some(shared) = &self.0.shared
            && let Some((writes, found)) = shared.look_up(&key).await
        {
            epoch.shared_writes = Some(writes);
            return (epoch, found.and_then(read).map(Arc::new));
        }
        (epoch, self.0.memory.get(&epoch))
    }

    /// Removes the response of an epoch because a newer one exists that is not cached. Nobody waits
    /// for this.
    fn remove_older(&self, epoch: WriteEpoch) {
        self.0.memory.remove(&epoch);
        if epoch.shared_writes.is_none() {
            return;
        }
        let this = Arc::clone(&self.0);
        tokio::spawn(async move {
            if let Some(shared) = &this.shared {
                shared.remove(&epoch.key).await;
            }
        });
    }

    /// Caches a response in the shared store or here. Nobody waits for this.
    fn put(&self, epoch: WriteEpoch, cached: &Arc<CachedResponse>) {
        let Some(writes) = epoch.shared_writes else {
            self.0.memory.put(epoch, Arc::clone(cached));
            return;
        };
        let (this, cached) = (Arc::clone(&self.0), Arc::clone(cached));
        tokio::spawn(async move {
            if let Some(shared) = &this.shared {
                match stored::to_store(&cached) {
                    Some(stored) => {
                        let until = cached.expires_at;
                        shared.put(&epoch.key, writes, (&stored, until)).await;
                    }
                    None => shared.remove(&epoch.key).await,
                }
            }
        });
    }

    /// Returns a cached response if the request's meter has room for it.
    fn respond_from_cache(
        &self,
        context: &RequestContext,
        cached: &CachedResponse,
        entry: CallRecord,
        origin: ResponseOrigin,
    ) -> Result<Response> {
        if let Ok(response) = &cached.answer {
            context.meter().charge(response.body.len())?;
        }
        metrics::answer(self.0.account, entry.operation, origin.name());
        if is_reading(&cached.answer) {
            context.note_read(cached.read_at, origin == ResponseOrigin::Stale);
        }
        context.call_log().note_fresh_until(cached.fresh_until);
        let mut entry = CallRecord { origin, ..entry };
        entry.end(cached.answer.as_ref().map(Response::status_code));
        entry.record_in(&entry.span());
        context.call_log().add(entry);
        let since = matches!(origin, ResponseOrigin::CacheHit | ResponseOrigin::Stale)
            .then_some(cached.read);
        cached.answer.clone().map(|response| Response {
            cached_at: since,
            ..response
        })
    }

    /// Joins an equal read in flight, or starts one. The read ends when nobody waits for it.
    async fn join_or_fetch(
        &self,
        epoch: WriteEpoch,
        request: Request,
        source: &impl Fetch,
    ) -> Result<Response> {
        let context = request.context.clone();
        let mut max_age = context.max_age();
        let mut joined = 0;
        loop {
            let join_policy = JoinPolicy {
                until: context.deadline(),
                priority: context.priority(),
                max_age,
            };
            let read = || {
                Self(Arc::clone(&self.0)).fetch_and_store(epoch, request.clone(), source.clone())
            };
            match self.0.in_flight.join_or_start(epoch, &join_policy, read) {
                Joined::Joined(shared_read, until) => {
                    if let Some(answer) = self.wait_for_other(&request, shared_read, until).await {
                        return answer;
                    }
                    joined += 1;
                    if joined == JOIN_ATTEMPTS {
                        // Joins no read any more.
                        max_age = MaxAge::Now;
                    }
                }
                Joined::Started(shared_read) => {
                    return self.wait_for_own(&request, shared_read).await;
                }
            }
        }
    }

    /// Waits for a read of another caller. `None` when it failed for a reason that is not this
    /// caller's: its starter had less time, or reached one of its limits.
    async fn wait_for_other(
        &self,
        request: &Request,
        shared_read: SharedRead,
        until: Instant,
    ) -> Option<Result<Response>> {
        let (context, started) = (&request.context, Instant::now());
        let shared = timeout_at(context.deadline(), shared_read).await;
        let cached = match shared {
            Ok(Ok(cached)) => cached,
            Ok(Err(error)) => return Some(Err(error)),
            Err(_) => return Some(Err(Error::deadline_exceeded())),
        };
        let is_of_other = is_from_callers_deadline(&cached, until) && until < context.deadline();
        if is_of_other || is_from_callers_limit(&cached) {
            return None;
        }
        let entry = CallRecord {
            took: started.elapsed(),
            ..entry(self.0.account, request)
        };
        Some(self.respond_from_cache(context, &cached, entry, ResponseOrigin::Coalesced))
    }

    /// Waits for the read that this caller started.
    async fn wait_for_own(&self, request: &Request, shared_read: SharedRead) -> Result<Response> {
        let context = &request.context;
        let origin = ResponseOrigin::Provider.name();
        metrics::answer(self.0.account, request.operation.name(), origin);
        // Each attempt ends at the deadline; this is a backstop a little later.
        let own = timeout_at(context.deadline() + MARGIN, shared_read).await;
        let cached = own.unwrap_or_else(|_| Err(Error::deadline_exceeded()))?;
        context.call_log().note_fresh_until(cached.fresh_until);
        if is_reading(&cached.answer) {
            context.note_read(cached.read_at, false);
        }
        cached.answer.clone()
    }

    async fn fetch_and_store(
        self,
        epoch: WriteEpoch,
        request: Request,
        source: impl Fetch,
    ) -> Arc<CachedResponse> {
        let operation = request.operation.name();
        let answer = source.fetch(request.clone()).await;
        self.note_denial(request.operation, &answer);
        let negativity = Self::cacheability(&request, &answer);
        let is_denial = matches!(&answer, Err(error) if error.kind() == ErrorKind::Denied);
        let is_answer = negativity.is_some() || is_denial;
        let cached = Arc::new(self.with_expiry(operation, answer, negativity));
        if cached.is_cacheable() {
            self.put(epoch, &cached);
        } else if is_answer && !self.0.policy.fresh(operation, false).is_zero() {
            self.remove_older(epoch);
        }
        cached
    }

    /// Notes whether the provider accepts our credentials.
    fn note_denial(&self, operation: Operation, answer: &Result<Response>) {
        let denied = &self.0.denied;
        match answer {
            Ok(_) => denied.accepted(operation),
            // A token without the right to one thing may have the right to another.
            Err(error) if error.kind() == ErrorKind::Denied && error.status() == Some(403) => {
                denied.refused(operation);
            }
            Err(error) if error.kind() == ErrorKind::Denied => denied.refused_all(),
            Err(_) => {}
        }
    }

    fn key(&self, request: &Request) -> CacheKey {
        let mut hash = Sha256::new();
        let mut add = |part: &[u8]| {
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        };
        add(self.0.account.name().as_bytes());
        add(request.method.as_str().as_bytes());
        request.path.iter().for_each(|part| add(part.as_bytes()));
        add(b"?");
        for (name, value) in &request.query {
            add(name.as_bytes());
            add(value.as_bytes());
        }
        add(b"#");
        for (name, value) in &request.headers {
            add(name.as_str().as_bytes());
            add(value.as_bytes());
        }
        if let Some(body) = &request.body {
            add(body);
        }
        let hash = hash.finalize();
        let mut key = CacheKey::default();
        key.copy_from_slice(&hash[..16]);
        key
    }
}

/// Whether an answer tells what the provider has: a record, a list, or that a record is missing.
fn is_reading(answer: &Result<Response>) -> bool {
    match answer {
        Ok(_) => true,
        Err(error) => error.kind() == ErrorKind::Missing,
    }
}

fn entry(account: Account, request: &Request) -> CallRecord {
    CallRecord {
        account,
        operation: request.operation.name(),
        page: request.page.clone(),
        attempt: 0,
        status: None,
        code: None,
        may_be_missing: request.may_be_missing,
        took: Duration::ZERO,
        waited: Duration::ZERO,
        origin: ResponseOrigin::CacheHit,
    }
}
