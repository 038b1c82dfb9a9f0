//! The record of a request's calls.

use std::{sync::Mutex, time::Duration};

use tokio::time::Instant;
use tracing::{Span, field::Empty};

use super::lock;
use crate::{
    account::Account,
    error::{Error, ErrorKind},
};

/// The record of one request's calls.
#[derive(Debug, Default)]
pub struct CallLog {
    entries: Mutex<Vec<CallRecord>>,
    fresh_until: Mutex<Option<Instant>>,
}

/// The origin of a response.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ResponseOrigin {
    /// The provider.
    Provider,
    /// The cache.
    CacheHit,
    /// The cache, with a response that is older than it should be.
    Stale,
    /// Another request's call, which was in flight.
    Coalesced,
}

impl ResponseOrigin {
    /// All origins.
    pub(crate) const ALL: [Self; 4] =
        [Self::Provider, Self::CacheHit, Self::Stale, Self::Coalesced];

    /// Its name in metrics and for clients.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Provider => "PROVIDER",
            Self::CacheHit => "CACHE_HIT",
            Self::Stale => "STALE",
            Self::Coalesced => "COALESCED",
        }
    }
}

/// One attempt of a call, or the cached response that made it unnecessary.
#[derive(Clone, Debug)]
pub struct CallRecord {
    /// The account.
    pub account: Account,
    /// The operation.
    pub operation: &'static str,
    /// The page of the list that it read.
    pub page: Option<String>,
    /// The number of the attempt, counted from one; zero when the provider was not called.
    pub attempt: u32,
    /// The HTTP status, if there was one.
    pub status: Option<u16>,
    /// The error's code, if it failed; `CANCELLED` when nobody waited for it any more.
    pub code: Option<&'static str>,
    /// Whether a 404 is a valid response: the record does not exist.
    pub may_be_missing: bool,
    /// Its duration, waits included.
    pub took: Duration,
    /// How long it waited for a permit and for budget.
    pub waited: Duration,
    /// The origin of the response.
    pub origin: ResponseOrigin,
}

impl CallRecord {
    /// The tracing span of this record.
    pub(crate) fn span(&self) -> Span {
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

    /// Records the end: the status of a response, or the error. A missing record is no failure.
    pub(crate) fn end(&mut self, answer: Result<u16, &Error>) {
        (self.status, self.code) = match answer {
            Ok(status) => (Some(status), None),
            Err(error) if self.may_be_missing && error.kind() == ErrorKind::Missing => {
                (error.status(), None)
            }
            Err(error) => (error.status(), Some(error.kind().code().as_str())),
        };
    }

    /// Records the end in the span.
    pub(crate) fn record_in(&self, span: &Span) {
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
    /// The calls so far, in the order in which they ended.
    #[must_use]
    pub fn entries(&self) -> Vec<CallRecord> {
        lock(&self.entries).clone()
    }

    /// When the first of the responses stops being fresh; `None` when there was none.
    #[must_use]
    pub fn fresh_until(&self) -> Option<Instant> {
        *lock(&self.fresh_until)
    }

    /// Notes when a response stops being fresh.
    pub(crate) fn note_fresh_until(&self, instant: Instant) {
        let mut first = lock(&self.fresh_until);
        *first = Some(first.map_or(instant, |first| first.min(instant)));
    }

    /// Adds records.
    pub(crate) fn extend(&self, entries: Vec<CallRecord>) {
        lock(&self.entries).extend(entries);
    }

    /// Adds a record.
    pub(crate) fn add(&self, entry: CallRecord) {
        lock(&self.entries).push(entry);
    }
}
