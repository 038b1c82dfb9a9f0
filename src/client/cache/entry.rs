//! A cached response, and the policy that gives it its expiry times.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use tokio::time::Instant;

use crate::{client::Response, context::MaxAge, error::Result};

/// How long responses are cached.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CachePolicy {
    /// How long a response is fresh; zero disables the cache.
    pub fresh: Duration,
    /// The same for single operations, by name.
    pub operations: BTreeMap<String, Duration>,
    /// How long an empty result is fresh.
    pub negative: Duration,
    /// How long after that a response is returned while it is read again.
    pub stale: Duration,
    /// How long after that a response is returned if the provider fails.
    pub error: Duration,
}

impl CachePolicy {
    pub(super) fn fresh(&self, operation: &str, is_negative: bool) -> Duration {
        let fresh = self.operations.get(operation).copied();
        let fresh = fresh.unwrap_or(self.fresh);
        if is_negative {
            fresh.min(self.negative)
        } else {
            fresh
        }
    }
}

/// A response with its expiry times.
#[derive(Debug)]
pub(in crate::client) struct CachedResponse<T = Result<Response>> {
    pub(super) answer: T,
    pub(super) read_at: Timestamp,
    pub(super) read: Instant,
    pub(super) fresh_until: Instant,
    pub(super) stale_until: Instant,
    pub(super) expires_at: Instant,
}

/// Whether a cached response may be used.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Validity {
    Fresh,
    Stale,
    Old,
}

impl<T> CachedResponse<T> {
    pub(super) fn validity(&self, now: Instant, freshness: MaxAge) -> Validity {
        let within = match freshness {
            MaxAge::Cached => self.fresh_until,
            MaxAge::Within(age) => {
                let until = self.read.checked_add(age);
                until.map_or(self.fresh_until, |until| until.min(self.fresh_until))
            }
            MaxAge::Now => return Validity::Old,
        };
        if now < within {
            Validity::Fresh
        } else if now < self.stale_until && freshness == MaxAge::Cached {
            Validity::Stale
        } else {
            Validity::Old
        }
    }

    pub(super) fn is_cacheable(&self) -> bool {
        self.fresh_until > self.read
    }
}

impl CachedResponse {
    /// The approximate number of bytes it takes: its body, what was decoded from it, and its
    /// headers.
    pub(super) fn weight(&self) -> u32 {
        /// The approximate size of a response without a body.
        const EMPTY: usize = 2048;
        /// How many times the bytes of a body are held: as they came, as the text of each record,
        /// and as the record's fields.
        const COPIES: usize = 3;
        /// The approximate size of a row without its text.
        const ROW: usize = 96;
        let bytes = self.answer.as_ref().map_or(0, |response| {
            let rows = response.decoded.as_ref().map_or(0, |body| body.row_count);
            let body = response.body.len().saturating_mul(COPIES);
            body.saturating_add(rows.saturating_mul(ROW))
        });
        let bytes = bytes.saturating_add(EMPTY);
        u32::try_from(bytes).unwrap_or(u32::MAX)
    }
}
