//! One attempt of a call, and how far it got.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use super::Request;

/// One attempt of a call.
pub(super) struct Attempt<'a> {
    /// The request.
    pub(super) request: &'a Request,
    /// The number of the attempt, counted from one.
    pub(super) number: u32,
    /// How far it got.
    pub(super) progress: Arc<AttemptProgress>,
}

impl<'a> Attempt<'a> {
    pub(super) fn new(request: &'a Request, number: u32) -> Self {
        Self {
            request,
            number,
            progress: Arc::default(),
        }
    }
}

/// How far an attempt got. The transport reports it, and every other step can read it, even if the
/// attempt is cancelled.
#[derive(Debug, Default)]
pub(super) struct AttemptProgress {
    waited: OnceLock<Duration>,
    sent: OnceLock<Instant>,
    is_answered: AtomicBool,
    quota: OnceLock<RateLimitHeaders>,
}

impl AttemptProgress {
    /// Reports how long the attempt waited to be admitted.
    pub(super) fn mark_admitted(&self, waited: Duration) {
        // An attempt is admitted only once.
        let _ = self.waited.set(waited);
    }

    /// How long the attempt waited to be admitted.
    pub(super) fn waited(&self) -> Duration {
        self.waited.get().copied().unwrap_or_default()
    }

    /// Reports that the request is being sent.
    pub(super) fn mark_sent(&self) {
        // An attempt is sent only once.
        let _ = self.sent.set(Instant::now());
    }

    /// Reports that the response's head has arrived, with its rate limit headers.
    pub(super) fn mark_answered(&self, quota: Option<RateLimitHeaders>) {
        if let Some(quota) = quota {
            // An attempt has only one response.
            let _ = self.quota.set(quota);
        }
        self.is_answered.store(true, Ordering::Release);
    }

    /// Whether the request was sent, or may have been.
    pub(super) fn is_sent(&self) -> bool {
        self.sent.get().is_some()
    }

    /// Whether the provider responded.
    pub(super) fn is_answered(&self) -> bool {
        self.is_answered.load(Ordering::Acquire)
    }

    /// The rate limit that the provider reported.
    pub(super) fn quota(&self) -> Option<RateLimitHeaders> {
        self.quota.get().copied()
    }
}

/// A rate limit, as a response's headers report it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct RateLimitHeaders {
    /// The calls of one window.
    pub(super) limit: u32,
    /// The calls left in the window after this one.
    pub(super) remaining: u32,
    /// When the window ends, in unix seconds; this identifies the window.
    pub(super) resets_at: u64,
    /// The time from now until the window ends.
    pub(super) resets_in: Duration,
}
