//! What one piece of work may spend and has spent: its deadline, how it stands against other work, how
//! old an answer will do, and what became of each of its calls.

mod call_limit;
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
use tracing::{Span, field::Empty};

use super::{Meter, Response};
use crate::{
    account::Account,
    error::{Error, ErrorKind},
};

pub use call_limit::CallLimit;
pub(super) use call_limit::{CallRefused, CallShare};
pub use progress::WriteProgress;

/// Whose work goes first where there is not enough for all.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Priority {
    /// Somebody waits for the answer.
    #[default]
    Interactive,
    /// Nobody waits: it never takes the last of anything.
    Background,
}

/// How old an answer may be.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Freshness {
    /// As old as answers are kept.
    #[default]
    Kept,
    /// At most so old.
    Within(Duration),
    /// Read from the provider now.
    Now,
}

/// What one piece of work may spend, and what it has spent.
#[derive(Clone, Debug)]
pub struct RequestContext {
    deadline: Instant,
    priority: Priority,
    freshness: Freshness,
    tally: Arc<UsageStats>,
    journal: Arc<CallLog>,
    meter: Arc<Meter>,
    call_limit: Arc<CallLimit>,
    write: Option<Arc<WriteProgress>>,
}

/// What a part of the work that is reported by itself has spent.
#[derive(Debug, Default)]
struct UsageStats {
    calls: AtomicU32,
    is_stale: AtomicBool,
    as_of: Mutex<Option<Timestamp>>,
    failure: Mutex<Option<Error>>,
    unreadable: Mutex<HashSet<u64>>,
    /// For each id that could be a number or a text: whether it was a text.
    kinds_of_ids: Mutex<HashMap<String, bool>>,
    shortfalls: Mutex<BTreeSet<String>>,
    caveats: Mutex<BTreeSet<String>>,
}

impl RequestContext {
    /// A scope that ends at a deadline.
    #[must_use]
    pub fn until(deadline: Instant) -> Self {
        Self {
            deadline,
            priority: Priority::default(),
            freshness: Freshness::default(),
            tally: Arc::default(),
            journal: Arc::default(),
            meter: Arc::default(),
            call_limit: Arc::default(),
            write: None,
        }
    }

    /// The same work, with a tally of its own.
    #[must_use]
    pub fn fresh(&self) -> Self {
        Self {
            tally: Arc::default(),
            ..self.clone()
        }
    }

    /// The same work, with a tally that goes on from that of an earlier part of it.
    #[must_use]
    pub fn following(&self, earlier: &Self) -> Self {
        let next = self.instead_of(earlier);
        next.note_all_unreadable(&earlier.tally);
        next
    }

    /// The same work, in the place of an earlier part of it, of which nothing is used but that it cost
    /// calls.
    #[must_use]
    pub fn instead_of(&self, earlier: &Self) -> Self {
        let next = self.fresh();
        next.tally
            .calls
            .fetch_add(earlier.calls(), Ordering::Relaxed);
        next
    }

    /// The same scope with a deadline that is no later than `instant`.
    #[must_use]
    pub fn no_later_than(&self, instant: Instant) -> Self {
        Self {
            deadline: self.deadline.min(instant),
            ..self.clone()
        }
    }

    /// The same scope with another priority.
    #[must_use]
    pub fn with_priority(&self, priority: Priority) -> Self {
        Self {
            priority,
            ..self.clone()
        }
    }

    /// The same scope with another wish for how old answers may be.
    #[must_use]
    pub fn with_freshness(&self, freshness: Freshness) -> Self {
        Self {
            freshness,
            ..self.clone()
        }
    }

    /// The same scope, for which an answer that was read before a moment will not do.
    #[must_use]
    pub fn no_older_than(&self, since: Instant) -> Self {
        let age = since.elapsed();
        self.with_freshness(match self.freshness {
            Freshness::Kept => Freshness::Within(age),
            Freshness::Within(other) => Freshness::Within(other.min(age)),
            Freshness::Now => Freshness::Now,
        })
    }

    /// The same scope with a meter that counts its bytes.
    #[must_use]
    pub fn with_meter(&self, meter: Arc<Meter>) -> Self {
        Self {
            meter,
            ..self.clone()
        }
    }

    /// The same scope with a limit on the calls of the whole request.
    #[must_use]
    pub fn with_call_limit(&self, calls: u32) -> Self {
        Self {
            call_limit: Arc::new(CallLimit::of(calls)),
            ..self.clone()
        }
    }

    /// Limits the calls of the whole request.
    pub(super) fn call_limit(&self) -> &Arc<CallLimit> {
        &self.call_limit
    }

    /// Counts the bytes of the whole request.
    #[must_use]
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Whether it is a write of which something was sent, and for whose end nobody waits any more.
    #[must_use]
    pub fn has_left_write(&self) -> bool {
        self.write.as_ref().is_some_and(|write| write.is_left())
    }

    /// The same scope for a write, which tells how far it has come.
    #[must_use]
    pub fn writing(&self, progress: Arc<WriteProgress>) -> Self {
        Self {
            write: Some(progress),
            ..self.clone()
        }
    }

    /// Notes that a request that changes something is about to be sent. False when the write that it is
    /// part of was given up before.
    pub(super) fn begin_write(&self) -> bool {
        self.write.as_ref().is_none_or(|write| write.begin())
    }

    /// When the work must be done: a write of which something was sent has a little longer.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        let extra = self.write.as_ref().map(|write| write.extra());
        self.deadline + extra.unwrap_or_default()
    }

    /// How long that is.
    #[must_use]
    pub fn left(&self) -> Duration {
        self.deadline().saturating_duration_since(Instant::now())
    }

    /// Whose work goes first.
    #[must_use]
    pub fn priority(&self) -> Priority {
        self.priority
    }

    /// How old answers may be.
    #[must_use]
    pub fn freshness(&self) -> Freshness {
        self.freshness
    }

    /// How many requests were sent to providers.
    #[must_use]
    pub fn calls(&self) -> u32 {
        self.tally.calls.load(Ordering::Relaxed)
    }

    /// When the oldest of what was read came from its provider; `None` when nothing was.
    #[must_use]
    pub fn as_of(&self) -> Option<Timestamp> {
        *lock(&self.tally.as_of)
    }

    /// Whether an answer was older than it should be, for the provider did not give a newer one.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.tally.is_stale.load(Ordering::Relaxed)
    }

    /// Why an answer that was kept had to do.
    #[must_use]
    pub fn failure(&self) -> Option<Error> {
        lock(&self.tally.failure).clone()
    }

    /// Notes a row of a provider's that cannot be read, by what tells it from others: a page may be read
    /// twice.
    pub fn note_unreadable(&self, mark: u64) {
        lock(&self.tally.unreadable).insert(mark);
    }

    fn note_all_unreadable(&self, tally: &UsageStats) {
        let marks = lock(&tally.unreadable).clone();
        lock(&self.tally.unreadable).extend(marks);
    }

    /// How many rows could not be read.
    #[must_use]
    pub fn unreadable(&self) -> usize {
        lock(&self.tally.unreadable).len()
    }

    /// Whether an id has always been a text, or always a number, in what was read.
    #[must_use]
    pub fn is_same_kind(&self, id: &str, is_text: bool) -> bool {
        let mut kinds = lock(&self.tally.kinds_of_ids);
        *kinds.entry(id.to_owned()).or_insert(is_text) == is_text
    }

    /// Notes that what was read may lack somebody, and why, in words for the client.
    pub fn add_shortfall(&self, why: impl Into<String>) {
        lock(&self.tally.shortfalls).insert(why.into());
    }

    /// Notes whom a search may pass over though it was read to its end.
    pub fn add_caveat(&self, whom: impl Into<String>) {
        lock(&self.tally.caveats).insert(whom.into());
    }

    /// Why what was read may lack somebody; `None` when nothing says so.
    #[must_use]
    pub fn shortfall(&self) -> Option<String> {
        joined(&self.tally.shortfalls)
    }

    /// Whom a search may pass over though it was read to its end; `None` when nothing says so.
    #[must_use]
    pub fn caveat(&self) -> Option<String> {
        joined(&self.tally.caveats)
    }

    /// What became of the calls of the whole request.
    #[must_use]
    pub fn journal(&self) -> &Arc<CallLog> {
        &self.journal
    }

    /// Work for several callers: it begins with this wish for freshness and priority, ends at a deadline
    /// of its own, and counts what it spends by itself. Its calls count for the request that began it; its
    /// bytes for none, since nobody can say whose they are.
    pub(super) fn detached(&self, deadline: Instant) -> Self {
        Self {
            deadline,
            tally: Arc::default(),
            journal: Arc::default(),
            meter: Arc::default(),
            ..self.clone()
        }
    }

    /// Adds the calls of detached work, and the log of them, to the caller that it was started for.
    pub(super) fn add_calls(&self, detached: &Self) {
        self.tally
            .calls
            .fetch_add(detached.calls(), Ordering::Relaxed);
        lock(&self.journal.entries).extend(detached.journal.entries());
    }

    /// Notes what detached work has read: how old it is, and whether old answers had to do.
    pub(super) fn add_reads(&self, detached: &Self) {
        if let Some(at) = detached.as_of() {
            self.read(at, detached.is_stale());
        }
        if let Some(failure) = detached.failure() {
            self.fell_back(failure);
        }
        self.note_all_unreadable(&detached.tally);
        lock(&self.tally.shortfalls).extend(lock(&detached.tally.shortfalls).iter().cloned());
        lock(&self.tally.caveats).extend(lock(&detached.tally.caveats).iter().cloned());
        if let Some(fresh_until) = detached.journal.fresh_until() {
            self.journal.is_fresh_until(fresh_until);
        }
    }

    /// Adds the calls of another part of the same work, and what it has read.
    pub fn add_work(&self, part: &Self) {
        self.tally.calls.fetch_add(part.calls(), Ordering::Relaxed);
        self.add_reads(part);
    }

    /// Counts a request to a provider.
    pub(super) fn count(&self) {
        self.tally.calls.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that the provider failed and an answer that was kept had to do.
    pub(super) fn fell_back(&self, error: Error) {
        *lock(&self.tally.failure) = Some(error);
    }

    /// Notes an answer that came from its provider at a moment.
    pub(super) fn read(&self, at: Timestamp, is_stale: bool) {
        let mut as_of = lock(&self.tally.as_of);
        *as_of = Some(as_of.map_or(at, |oldest| oldest.min(at)));
        if is_stale {
            self.tally.is_stale.store(true, Ordering::Relaxed);
        }
    }
}

/// What became of the calls of one request, for who wants to know.
#[derive(Debug, Default)]
pub struct CallLog {
    entries: Mutex<Vec<CallRecord>>,
    fresh_until: Mutex<Option<Instant>>,
}

/// Where an answer came from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AnswerOrigin {
    /// The provider.
    Provider,
    /// The answers that are kept.
    Kept,
    /// The answers that are kept, older than they should be.
    Stale,
    /// Another request's call, which was under way.
    Shared,
}

impl AnswerOrigin {
    /// All origins.
    pub(super) const ALL: [Self; 4] = [Self::Provider, Self::Kept, Self::Stale, Self::Shared];

    /// Its name in metrics and in what clients are shown.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Provider => "PROVIDER",
            Self::Kept => "KEPT",
            Self::Stale => "STALE",
            Self::Shared => "SHARED",
        }
    }
}

/// One attempt of a call, or the answer that made one needless.
#[derive(Clone, Debug)]
pub struct CallRecord {
    /// The provider.
    pub account: Account,
    /// What the call was for.
    pub operation: &'static str,
    /// Which page of a list it was for.
    pub page: Option<String>,
    /// The number of the attempt, counted from one; nought where the provider was not asked.
    pub attempt: u32,
    /// The HTTP status, where there was one.
    pub status: Option<u16>,
    /// The error's code, where it failed; `CANCELLED` where nobody waited for it any more.
    pub code: Option<&'static str>,
    /// Whether 404 is an answer: there is no such thing.
    pub may_be_missing: bool,
    /// How long it took, its waits included.
    pub took: Duration,
    /// How long it waited for its turn and for budget.
    pub waited: Duration,
    /// Where the answer came from.
    pub origin: AnswerOrigin,
}

impl CallRecord {
    /// The span of an attempt, or of the answer that made one needless.
    pub(super) fn span(&self) -> Span {
        tracing::debug_span!(
            "provider_call",
            provider.name = self.account.provider().name(),
            account.name = self.account.name(),
            operation = self.operation,
            page = self.page,
            attempt = self.attempt,
            origin = self.origin.name(),
            status = Empty,
            code = Empty,
            duration_ms = Empty,
            waited_ms = Empty,
        )
    }

    /// Notes how it ended. That there is no such thing is no failure.
    pub(super) fn end(&mut self, answer: Result<&Response, &Error>) {
        (self.status, self.code) = match answer {
            Ok(reply) => (Some(reply.status.as_u16()), None),
            Err(error) if self.may_be_missing && error.kind() == ErrorKind::Missing => {
                (error.status(), None)
            }
            Err(error) => (error.status(), Some(error.kind().code().as_str())),
        };
    }

    /// Says in its span what became of it.
    pub(super) fn tell(&self, span: &Span) {
        let milliseconds = |duration: Duration| duration.as_secs_f64() * 1000.0;
        if let Some(status) = self.status {
            span.record("status", status);
        }
        if let Some(code) = self.code {
            span.record("code", code);
        }
        span.record("duration_ms", milliseconds(self.took));
        span.record("waited_ms", milliseconds(self.waited));
    }
}

impl CallLog {
    /// What became of the calls so far, in the order in which they ended.
    #[must_use]
    pub fn entries(&self) -> Vec<CallRecord> {
        lock(&self.entries).clone()
    }

    /// Until when the first of the answers is as fresh as it should be; `None` when there was none.
    #[must_use]
    pub fn fresh_until(&self) -> Option<Instant> {
        *lock(&self.fresh_until)
    }

    /// Notes until when an answer is as fresh as it should be.
    pub(super) fn is_fresh_until(&self, instant: Instant) {
        let mut first = lock(&self.fresh_until);
        *first = Some(first.map_or(instant, |first| first.min(instant)));
    }

    /// Adds an entry.
    pub(super) fn add(&self, entry: CallRecord) {
        lock(&self.entries).push(entry);
    }
}

fn joined(notices: &Mutex<BTreeSet<String>>) -> Option<String> {
    let notices = lock(notices);
    let all: Vec<&str> = notices.iter().map(String::as_str).collect();
    (!all.is_empty()).then(|| all.join("; "))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
