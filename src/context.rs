//! The context of a request: its deadline, its priority, how old responses may be, what it has
//! used, and a record of each of its calls.

mod call_limit;
mod call_log;
mod meter;
mod progress;

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use tokio::time::Instant;

use crate::{account::Account, error::Error, notice::Notice};

pub use call_limit::CallLimiter;
pub(crate) use call_limit::{CallRefused, CallShare};
pub use call_log::{CallLog, CallRecord, ResponseOrigin};
pub use meter::{MemoryMeter, MemoryPool};
pub use progress::WriteProgress;

/// Whose work goes first when there is not enough for all.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Priority {
    /// Somebody waits for the response.
    #[default]
    Interactive,
    /// Nobody waits: it never takes the last slot or the last call.
    Background,
}

/// How old a response may be.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum MaxAge {
    /// As old as the cache policy allows.
    #[default]
    Cached,
    /// At most this old.
    Within(Duration),
    /// Read from the provider now.
    Now,
}

/// The limits of a request, and its usage so far.
#[derive(Clone, Debug)]
pub struct RequestContext {
    deadline: Instant,
    priority: Priority,
    max_age: MaxAge,
    usage: Arc<UsageStats>,
    call_log: Arc<CallLog>,
    meter: Arc<MemoryMeter>,
    call_limit: Arc<CallLimiter>,
    write: Option<Arc<WriteProgress>>,
}

/// The usage of a part of a request that is reported by itself.
#[derive(Debug, Default)]
struct UsageStats {
    calls: AtomicU32,
    is_stale: AtomicBool,
    as_of: Mutex<Option<Timestamp>>,
    failure: Mutex<Option<Error>>,
    unreadable: Mutex<HashSet<u64>>,
    /// For each id of an account that may be a number or a string: whether it was a string.
    kinds_of_ids: Mutex<HashMap<(Account, String), bool>>,
    incomplete_notices: Mutex<BTreeSet<Notice>>,
    caveats: Mutex<BTreeSet<Notice>>,
}

impl RequestContext {
    /// A context that ends at a deadline.
    #[must_use]
    pub fn until(deadline: Instant) -> Self {
        Self {
            deadline,
            priority: Priority::default(),
            max_age: MaxAge::default(),
            usage: Arc::default(),
            call_log: Arc::default(),
            meter: Arc::default(),
            call_limit: Arc::default(),
            write: None,
        }
    }

    /// The same request, with new usage.
    #[must_use]
    pub fn with_new_usage(&self) -> Self {
        Self {
            usage: Arc::default(),
            ..self.clone()
        }
    }

    /// The same request, with usage that continues that of an earlier part.
    #[must_use]
    pub fn with_usage_of(&self, earlier: &Self) -> Self {
        let next = self.with_calls_of(earlier);
        next.note_all_unreadable(&earlier.usage);
        next
    }

    /// The same request, for a part that replaces an earlier one: only the earlier part's calls
    /// count.
    #[must_use]
    pub fn with_calls_of(&self, earlier: &Self) -> Self {
        let next = self.with_new_usage();
        next.usage
            .calls
            .fetch_add(earlier.calls(), Ordering::Relaxed);
        next
    }

    /// The same context with a deadline no later than `instant`.
    #[must_use]
    pub fn with_deadline_cap(&self, instant: Instant) -> Self {
        Self {
            deadline: self.deadline.min(instant),
            ..self.clone()
        }
    }

    /// The same context with another priority.
    #[must_use]
    pub fn with_priority(&self, priority: Priority) -> Self {
        Self {
            priority,
            ..self.clone()
        }
    }

    /// The same context with another freshness.
    #[must_use]
    pub fn with_max_age(&self, freshness: MaxAge) -> Self {
        Self {
            max_age: freshness,
            ..self.clone()
        }
    }

    /// The same context, which accepts only responses read at `since` or later.
    #[must_use]
    pub fn no_older_than(&self, since: Instant) -> Self {
        let age = since.elapsed();
        self.with_max_age(match self.max_age {
            MaxAge::Cached => MaxAge::Within(age),
            MaxAge::Within(other) => MaxAge::Within(other.min(age)),
            MaxAge::Now => MaxAge::Now,
        })
    }

    /// The same context with a meter that counts its bytes.
    #[must_use]
    pub fn with_meter(&self, meter: Arc<MemoryMeter>) -> Self {
        Self {
            meter,
            ..self.clone()
        }
    }

    /// The same context with a limit on the calls of the whole request.
    #[must_use]
    pub fn with_call_limit(&self, calls: u32) -> Self {
        Self {
            call_limit: Arc::new(CallLimiter::with_max(calls)),
            ..self.clone()
        }
    }

    /// The limit on the calls of the whole request.
    pub(crate) fn call_limit(&self) -> &Arc<CallLimiter> {
        &self.call_limit
    }

    /// The meter of the whole request.
    #[must_use]
    pub fn meter(&self) -> &MemoryMeter {
        &self.meter
    }

    /// Whether this is a write that was sent and for whose end nobody waits any more.
    #[must_use]
    pub fn has_left_write(&self) -> bool {
        self.write.as_ref().is_some_and(|write| write.is_detached())
    }

    /// The same context for a write, which reports its progress.
    #[must_use]
    pub fn writing(&self, progress: Arc<WriteProgress>) -> Self {
        Self {
            write: Some(progress),
            ..self.clone()
        }
    }

    /// Notes that a request that changes something is about to be sent. False when its write was
    /// cancelled before.
    pub(crate) fn begin_write(&self) -> bool {
        self.write.as_ref().is_none_or(|write| write.begin())
    }

    /// The deadline. A write that was sent has a grace period after it.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        let extra = self.write.as_ref().map(|write| write.grace_period());
        self.deadline + extra.unwrap_or_default()
    }

    /// The time until the deadline.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.deadline().saturating_duration_since(Instant::now())
    }

    /// The priority.
    #[must_use]
    pub fn priority(&self) -> Priority {
        self.priority
    }

    /// How old responses may be.
    #[must_use]
    pub fn max_age(&self) -> MaxAge {
        self.max_age
    }

    /// The number of requests sent to providers.
    #[must_use]
    pub fn calls(&self) -> u32 {
        self.usage.calls.load(Ordering::Relaxed)
    }

    /// When the oldest of the data was read from its provider; `None` when nothing was read.
    #[must_use]
    pub fn as_of(&self) -> Option<Timestamp> {
        *lock(&self.usage.as_of)
    }

    /// Whether a response was older than it should be, because the provider gave no newer one.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.usage.is_stale.load(Ordering::Relaxed)
    }

    /// The failure because of which an old response was used.
    #[must_use]
    pub fn failure(&self) -> Option<Error> {
        lock(&self.usage.failure).clone()
    }

    /// Notes a row that cannot be read. `row` identifies the row, because a page may be read
    /// twice.
    pub fn note_unreadable(&self, row: u64) {
        lock(&self.usage.unreadable).insert(row);
    }

    fn note_all_unreadable(&self, usage: &UsageStats) {
        let rows = lock(&usage.unreadable).clone();
        lock(&self.usage.unreadable).extend(rows);
    }

    /// The number of rows that could not be read.
    #[must_use]
    pub fn unreadable(&self) -> usize {
        lock(&self.usage.unreadable).len()
    }

    /// Whether an id was always a string, or always a number, in the account's data so far.
    #[must_use]
    pub fn is_same_kind(&self, account: Account, id: &str, is_text: bool) -> bool {
        let mut kinds = lock(&self.usage.kinds_of_ids);
        *kinds.entry((account, id.to_owned())).or_insert(is_text) == is_text
    }

    /// Notes why a result may be incomplete.
    pub fn add_incomplete_notice(&self, why: Notice) {
        lock(&self.usage.incomplete_notices).insert(why);
    }

    /// Notes which users a search may miss even though it was read to its end.
    pub fn add_caveat(&self, users: Notice) {
        lock(&self.usage.caveats).insert(users);
    }

    /// Why the result may be incomplete; empty when there is no known reason.
    #[must_use]
    pub fn incomplete_notices(&self) -> Vec<Notice> {
        lock(&self.usage.incomplete_notices)
            .iter()
            .cloned()
            .collect()
    }

    /// Which users a search may miss even though it was read to its end; empty when there is no
    /// known reason.
    #[must_use]
    pub fn caveats(&self) -> Vec<Notice> {
        lock(&self.usage.caveats).iter().cloned().collect()
    }

    /// The record of the whole request's calls.
    #[must_use]
    pub fn call_log(&self) -> &Arc<CallLog> {
        &self.call_log
    }

    /// A context for work that several callers share: it starts with this freshness and priority,
    /// ends at its own deadline, and has its own usage. Its calls count for the request that
    /// started it. Its bytes count for nobody, because they belong to all callers.
    pub(crate) fn detached(&self, deadline: Instant) -> Self {
        Self {
            deadline,
            usage: Arc::default(),
            call_log: Arc::default(),
            meter: Arc::default(),
            ..self.clone()
        }
    }

    /// Adds the calls of detached work, and their records, to the caller that started it.
    pub(crate) fn add_calls(&self, detached: &Self) {
        self.usage
            .calls
            .fetch_add(detached.calls(), Ordering::Relaxed);
        self.call_log.extend(detached.call_log.entries());
    }

    /// Adds what detached work has read: its age, and whether old responses were used.
    pub(crate) fn add_reads(&self, detached: &Self) {
        if let Some(at) = detached.as_of() {
            self.note_read(at, detached.is_stale());
        }
        if let Some(failure) = detached.failure() {
            self.note_stale_fallback(failure);
        }
        self.note_all_unreadable(&detached.usage);
        lock(&self.usage.incomplete_notices)
            .extend(lock(&detached.usage.incomplete_notices).iter().cloned());
        lock(&self.usage.caveats).extend(lock(&detached.usage.caveats).iter().cloned());
        if let Some(fresh_until) = detached.call_log.fresh_until() {
            self.call_log.note_fresh_until(fresh_until);
        }
    }

    /// Adds the calls of another part of the same request, and what it has read.
    pub fn add_work(&self, part: &Self) {
        self.usage.calls.fetch_add(part.calls(), Ordering::Relaxed);
        self.add_reads(part);
    }

    /// Counts a request to a provider.
    pub(crate) fn count_call(&self) {
        self.usage.calls.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that the provider failed and a cached response was used.
    pub(crate) fn note_stale_fallback(&self, error: Error) {
        *lock(&self.usage.failure) = Some(error);
    }

    /// Notes a response that was read from its provider at a moment.
    pub(crate) fn note_read(&self, at: Timestamp, is_stale: bool) {
        let mut as_of = lock(&self.usage.as_of);
        *as_of = Some(as_of.map_or(at, |oldest| oldest.min(at)));
        if is_stale {
            self.usage.is_stale.store(true, Ordering::Relaxed);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
