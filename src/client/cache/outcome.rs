//! The meaning of a response or an error for the cache.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::{CachedResponse, MARGIN, ResponseCache};
use crate::{
    client::{Request, Response},
    error::{Error, ErrorKind, FailureStage, Result},
};

impl ResponseCache {
    /// Adds the expiry times to a response. Only a successful response or a missing record is
    /// cached, and only if its request was sent after the last write.
    pub(super) fn with_expiry(
        &self,
        operation: &str,
        answer: Result<Response>,
        negativity: Option<bool>,
    ) -> CachedResponse {
        // The data may be as old as the request for it.
        let now = Instant::now();
        let read = answer.as_ref().map_or(now, |response| response.sent);
        let ago = now.saturating_duration_since(read);
        let policy = &self.0.policy;
        let fresh = negativity.map_or(Duration::ZERO, |is_negative| {
            policy.fresh(operation, is_negative)
        });
        let fresh_until = read + fresh;
        let stale_until = fresh_until + policy.stale;
        CachedResponse {
            answer,
            read_at: Timestamp::now()
                .checked_sub(ago)
                .unwrap_or(Timestamp::UNIX_EPOCH),
            read,
            fresh_until,
            stale_until,
            expires_at: stale_until + policy.error,
        }
    }

    /// Whether an answer may be cached, and if so whether its result is empty.
    pub(super) fn cacheability(request: &Request, answer: &Result<Response>) -> Option<bool> {
        match answer {
            Ok(response) => response.decoded.as_ref().map(|body| body.row_count == 0),
            // A list that is missing is a failure.
            Err(error) => {
                let is_missing = error.kind() == ErrorKind::Missing;
                (is_missing && request.may_be_missing).then_some(true)
            }
        }
    }
}

/// Whether an error came from the caller's lack of time rather than from the provider: the caller's
/// deadline ended the call, or the call would have had to wait longer.
pub(super) fn is_from_callers_deadline(cached: &CachedResponse, until: Instant) -> bool {
    match cached.answer.as_ref().err().map(Error::kind) {
        Some(ErrorKind::TimedOut) => cached.read + MARGIN >= until,
        Some(ErrorKind::Throttled | ErrorKind::DeadlineExceeded) => true,
        _ => false,
    }
}

/// Whether an error came from a limit on its caller: another caller may succeed.
pub(super) fn is_from_callers_limit(cached: &CachedResponse) -> bool {
    let kind = cached.answer.as_ref().err().map(Error::kind);
    matches!(
        kind,
        Some(ErrorKind::TooLarge | ErrorKind::Overloaded | ErrorKind::CallLimit)
    )
}

/// Whether a failed write was never sent, in any of its attempts.
pub(super) fn is_unsent(error: &Error) -> bool {
    error.failure_stage() == FailureStage::NotSent && !error.is_unsettled()
}

/// Whether an old response is better than this error.
pub(super) fn is_worse_than_old(error: &Error) -> bool {
    error.kind().is_transient()
        || matches!(
            error.kind(),
            ErrorKind::Malformed
                | ErrorKind::DeadlineExceeded
                | ErrorKind::Overloaded
                | ErrorKind::CallLimit
        )
}
