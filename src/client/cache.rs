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
//! It comes before all layers: a cache hit takes no call, no budget and no permit.

mod entry;
mod in_flight;
mod invalidation;
mod memory;
mod outcome;
mod redis;
mod snapshot;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::future::BoxFuture;
use sha2::{Digest, Sha256};
use tokio::time::{Instant, timeout_at};

pub use entry::CachePolicy;
pub use memory::MemoryCache;
pub use snapshot::{BuildOutcome, SnapshotBuilder, SnapshotContent, SnapshotView, Snapshots};

use self::{
    entry::{CachedResponse, Validity},
    in_flight::{InFlight, JoinPolicy, Joined},
    invalidation::InvalidationGuard,
    outcome::{is_from_callers_deadline, is_from_callers_limit, is_unsent, is_worse_than_old},
    redis::{RedisCache, StoredResponse},
};
use super::{Operation, Request, Response, http_spec::ClassifyBodyFn};
use crate::{
    account::Account,
    context::{CallRecord, MaxAge, Priority, RequestContext, ResponseOrigin},
    error::{Error, ErrorKind, Result},
    metrics,
    shared::Store,
};

/// Identifies a read by a hash, so that search terms are not stored in the clear.
type CacheKey = [u8; 16];

/// A read and the number of writes before it: a write invalidates earlier reads.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
struct WriteEpoch {
    key: CacheKey,
    /// The number of writes through this process.
    local_writes: u64,
    /// The number of writes through all replicas, if a shared store counts them.
    shared_writes: Option<u64>,
}

/// Sends a request through the layers to the provider. It can be called several times.
pub(super) type FetchFn =
    Arc<dyn Fn(Request) -> BoxFuture<'static, Result<Response>> + Send + Sync>;

/// An account's response cache.
pub struct ResponseCache(Arc<ResponseCacheInner>);

struct ResponseCacheInner {
    account: Account,
    policy: CachePolicy,
    classify_body: ClassifyBodyFn,
    memory: MemoryCache,
    redis: Option<RedisCache>,
    in_flight: InFlight,
    /// The number of writes: a write invalidates earlier reads.
    writes: AtomicU64,
    /// Whether the provider last refused our credentials: cached responses would hide that.
    is_denied: AtomicBool,
}

/// How long before its deadline a call gives up, so that an old response can still be returned.
const MARGIN: Duration = Duration::from_millis(50);

/// How many reads of others a caller joins in vain before it gives up.
const JOIN_ATTEMPTS: usize = 4;

/// The largest body, in bytes, of an empty result or of an error under a success status.
const MAX_NEGATIVE_BODY: usize = 4096;

/// The longest time of a read in the background.
const REFRESH_TIMEOUT: Duration = Duration::from_secs(30);

impl ResponseCache {
    /// Caches an account's responses in memory that accounts may share, or in a store that replicas
    /// share, under a name of the account, while that store is available.
    #[must_use]
    pub fn new(
        account: Account,
        policy: CachePolicy,
        classify_body: ClassifyBodyFn,
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
            classify_body,
            memory,
            redis: shared.map(|(store, name)| RedisCache::new(account, store, name)),
            in_flight: InFlight::default(),
            writes: AtomicU64::default(),
            is_denied: AtomicBool::default(),
        }))
    }

    /// Answers a request: from the cache, from a read in flight, or by `fetch`.
    ///
    /// # Errors
    /// The provider's error.
    pub(super) async fn serve(&self, request: Request, fetch: FetchFn) -> Result<Response> {
        if !request.is_read {
            let forget = InvalidationGuard(Some(Arc::clone(&self.0)));
            let answer = fetch(request).await;
            if answer.as_ref().is_err_and(is_unsent) {
                forget.cancel();
            } else {
                forget.invalidate().await;
            }
            return answer;
        }
        let (started, context) = (Instant::now(), request.context.clone());
        let (epoch, cached) = self
            .look_up(self.key(&request), request.operation.name())
            .await;
        let cached = cached.filter(|_| !self.0.is_denied.load(Ordering::SeqCst));
        let validity = cached
            .as_ref()
            .map(|cached| cached.validity(started, context.max_age()));
        let entry = entry(self.0.account, &request);
        match (cached, validity) {
            (Some(cached), Some(Validity::Fresh)) => {
                self.respond_from_cache(&context, &cached, entry, ResponseOrigin::CacheHit)
            }
            (Some(cached), Some(Validity::Stale)) => {
                self.refresh(epoch, request, fetch);
                self.respond_from_cache(&context, &cached, entry, ResponseOrigin::Stale)
            }
            (Some(old), _) if context.max_age() != MaxAge::Now => {
                let sooner = context.deadline().checked_sub(MARGIN);
                let sooner = context.with_deadline_cap(sooner.unwrap_or(started));
                match self
                    .join_or_fetch(epoch, request.with_context(sooner), &fetch)
                    .await
                {
                    Err(error) if is_worse_than_old(&error) => {
                        context.note_stale_fallback(error);
                        self.respond_from_cache(&context, &old, entry, ResponseOrigin::Stale)
                    }
                    answer => answer,
                }
            }
            _ => self.join_or_fetch(epoch, request, &fetch).await,
        }
    }

    /// Returns a read's epoch and its cached response.
    async fn look_up(
        &self,
        key: CacheKey,
        operation: &str,
    ) -> (WriteEpoch, Option<Arc<CachedResponse>>) {
        let mut epoch = WriteEpoch {
            key,
            local_writes: self.0.writes.load(Ordering::SeqCst),
            shared_writes: None,
        };
        if let Some(redis) = &self.0.redis
            && let Some((writes, found)) = redis.look_up(&key).await
        {
            epoch.shared_writes = Some(writes);
            let cached = found.and_then(|found| self.under_own_policy(operation, found));
            return (epoch, cached.map(Arc::new));
        }
        (epoch, self.0.memory.get(&epoch))
    }

    /// Applies this replica's policy to a response that another replica stored. `None` when the
    /// policy does not cache it.
    fn under_own_policy(&self, operation: &str, found: StoredResponse) -> Option<CachedResponse> {
        let policy = &self.0.policy;
        let is_negative = self.cacheability(&found.answer) == Some(true);
        let fresh_until = found.read + policy.fresh(operation, is_negative);
        let stale_until = fresh_until + policy.stale;
        let cached = CachedResponse {
            answer: found.answer,
            read_at: found.at,
            read: found.read,
            fresh_until,
            stale_until,
            expires_at: stale_until + policy.error,
        };
        (cached.is_cacheable() && cached.expires_at > Instant::now()).then_some(cached)
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
            if let Some(redis) = &this.redis {
                redis.remove(&epoch.key).await;
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
            if let Some(redis) = &this.redis {
                redis.put(&epoch.key, writes, &cached).await;
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
        context.note_read(cached.read_at, origin == ResponseOrigin::Stale);
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
        fetch: &FetchFn,
    ) -> Result<Response> {
        let (context, started) = (request.context.clone(), Instant::now());
        let join_policy = JoinPolicy {
            until: context.deadline(),
            priority: context.priority(),
            max_age: context.max_age(),
        };
        for _ in 0..JOIN_ATTEMPTS {
            let read = || {
                Self(Arc::clone(&self.0)).fetch_and_store(epoch, request.clone(), Arc::clone(fetch))
            };
            // The layers enforce the deadline; this is a backstop a little later.
            let late = |_| Err(Error::deadline_exceeded());
            match self.0.in_flight.join_or_start(epoch, &join_policy, read) {
                Joined::Joined(shared_read, until) => {
                    let shared = timeout_at(context.deadline(), shared_read).await;
                    let cached = shared.unwrap_or_else(late)?;
                    // The read's starter had less time than this caller, or reached one of its
                    // limits.
                    if is_from_callers_deadline(&cached, until) && until < context.deadline()
                        || is_from_callers_limit(&cached)
                    {
                        continue;
                    }
                    let entry = CallRecord {
                        took: started.elapsed(),
                        ..entry(self.0.account, &request)
                    };
                    return self.respond_from_cache(
                        &context,
                        &cached,
                        entry,
                        ResponseOrigin::Coalesced,
                    );
                }
                Joined::Started(shared_read) => {
                    metrics::answer(
                        self.0.account,
                        request.operation.name(),
                        ResponseOrigin::Provider.name(),
                    );
                    let own = timeout_at(context.deadline() + MARGIN, shared_read).await;
                    let cached = own.unwrap_or_else(late)?;
                    context.call_log().note_fresh_until(cached.fresh_until);
                    if !matches!(&cached.answer, Err(error) if error.kind() != ErrorKind::Missing) {
                        context.note_read(cached.read_at, false);
                    }
                    return cached.answer.clone();
                }
            }
        }
        Err(Error::deadline_exceeded())
    }

    async fn fetch_and_store(
        self,
        epoch: WriteEpoch,
        request: Request,
        fetch: FetchFn,
    ) -> Arc<CachedResponse> {
        let operation = request.operation.name();
        let answer = fetch(request).await;
        self.note_denial(&answer);
        let negativity = self.cacheability(&answer);
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
    fn note_denial(&self, answer: &Result<Response>) {
        let is_denied = match answer {
            Ok(_) => false,
            Err(error) if error.kind() == ErrorKind::Denied => true,
            Err(_) => return,
        };
        self.0.is_denied.store(is_denied, Ordering::SeqCst);
    }

    /// Reads a stale response again, unless such a read is in flight.
    fn refresh(&self, epoch: WriteEpoch, request: Request, fetch: FetchFn) {
        if self.0.in_flight.is_under_way(&epoch) {
            return;
        }
        let context = RequestContext::until(Instant::now() + REFRESH_TIMEOUT)
            .with_priority(Priority::Background);
        let this = Self(Arc::clone(&self.0));
        tokio::spawn(async move {
            this.join_or_fetch(epoch, request.with_context(context), &fetch)
                .await
        });
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
            add(body.to_string().as_bytes());
        }
        let hash = hash.finalize();
        let mut key = CacheKey::default();
        key.copy_from_slice(&hash[..16]);
        key
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
