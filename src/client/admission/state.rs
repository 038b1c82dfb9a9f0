//! The rate limits of an account at a moment. Pure: callers pass the current time.
//!
//! A call may reach the provider at any moment between its start and its response, and the
//! provider's windows may begin at any moment. So a call stays in a window from its start until one
//! whole span after its end: then no span contains more arrivals than the window allows.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    concurrency::{AimdLimit, LoadSignal},
    sliding_window::{QuotaWindow, SlidingWindow},
};
use crate::{client::attempt::RateLimitHeaders, context::Priority};

/// How long a cancelled call may still arrive, because some buffer may hold it.
pub(super) const LINGER: Duration = Duration::from_secs(1);

/// The first pause after a 429 without a wait; it doubles.
const BASE_BACKOFF: Duration = Duration::from_millis(250);
/// The longest such pause.
const MAX_BACKOFF: Duration = Duration::from_secs(30);
/// The longest pause that a provider can ask for: after it we call again, because the header may be
/// wrong.
pub(super) const LONGEST: Duration = Duration::from_secs(900);
/// Added to the provider's end of a window, because its clock and ours differ.
const MARGIN: Duration = Duration::from_millis(50);

/// A call that was let through.
#[derive(Clone, Copy, Debug)]
pub(super) struct AdmittedCall {
    at: Instant,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum CallEnd {
    /// It was never sent.
    Unsent,
    /// It was sent, and cancelled before a response.
    Lost,
    /// The provider responded, perhaps with its rate limit.
    Answered(Option<RateLimitHeaders>),
    /// The provider refused it for its rate limit, perhaps with its rate limit and a wait.
    Throttled(Option<RateLimitHeaders>, Option<Duration>),
}

/// Why a call has to wait.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum WaitReason {
    /// The maximum number of calls is in flight.
    ConcurrencyFull,
    /// The budget is used up until this moment; `None` means forever.
    Until(Option<Instant>),
}

/// The provider's own report of its window.
#[derive(Clone, Copy, Debug)]
struct ReportedQuota {
    quota: RateLimitHeaders,
    /// When the window ends.
    reset: Instant,
    /// Calls that ended without a report: nobody knows whether the provider counts them.
    lost: u32,
}

/// The state of an account's budget.
#[derive(Debug)]
pub(super) struct LimiterState {
    windows: Vec<SlidingWindow>,
    /// Whether an operator configured the windows: then the provider's report may only narrow them.
    is_configured: bool,
    concurrency: AimdLimit,
    in_flight: u32,
    reported: Option<ReportedQuota>,
    paused_until: Option<Instant>,
    throttles: u32,
    throttled_at: Option<Instant>,
    /// The number of replicas that share each window; 1 unless the shared store is unavailable and
    /// nobody knows what the other replicas spend.
    share: u32,
}

/// The status of a window.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct WindowStatus {
    /// The window's span in seconds; `None` when only the provider knows it.
    pub seconds: Option<u32>,
    /// The calls allowed within one span.
    pub limit: u32,
    /// The calls left now.
    pub remaining: u32,
    /// When the window is full again, if no call is made; `None` when it is full now.
    pub resets_at: Option<Instant>,
}

impl LimiterState {
    pub(super) fn new(
        windows: &[QuotaWindow],
        is_configured: bool,
        slots: u32,
        now: Instant,
    ) -> Self {
        let windows = windows
            .iter()
            .map(|window| SlidingWindow::new(*window, now));
        Self {
            windows: windows.collect(),
            is_configured,
            concurrency: AimdLimit::with_max(slots),
            in_flight: 0,
            reported: None,
            paused_until: None,
            throttles: 0,
            throttled_at: None,
            share: 1,
        }
    }

    /// Lets one call through, or returns why it has to wait.
    pub(super) fn try_acquire(
        &mut self,
        now: Instant,
        class: Priority,
    ) -> Result<AdmittedCall, WaitReason> {
        match self.earliest(now, 1, class) {
            Some(moment) if moment <= now => {
                if self.in_flight >= self.concurrency.slots(class) {
                    return Err(WaitReason::ConcurrencyFull);
                }
                self.in_flight += 1;
                Ok(AdmittedCall { at: now })
            }
            moment => Err(WaitReason::Until(moment)),
        }
    }

    /// The earliest moment at which the `turn`-th of the waiting calls can go through; `None` when
    /// it never can.
    pub(super) fn earliest(&mut self, now: Instant, turn: u32, class: Priority) -> Option<Instant> {
        self.expire(now);
        let mut earliest = self.paused_until.unwrap_or(now);
        for window in &self.windows {
            let limit = usable((window.calls / self.share).max(1), class);
            earliest = earliest.max(window.earliest(now, (turn, self.in_flight, limit))?);
        }
        if let Some(reported) = self.reported {
            let spare = reported.quota.limit - usable(reported.quota.limit, class);
            let taken = u64::from(self.in_flight) + u64::from(reported.lost) + u64::from(turn);
            if u64::from(reported.quota.remaining / self.share) < taken + u64::from(spare) {
                earliest = earliest.max(reported.reset);
            }
        }
        Some(earliest)
    }

    fn expire(&mut self, now: Instant) {
        for window in &mut self.windows {
            window.expire(now);
        }
        self.reported = self.reported.filter(|reported| reported.reset > now);
        self.paused_until = self.paused_until.filter(|until| *until > now);
    }

    /// The number of calls that may be in flight now, and of those that are.
    pub(super) fn concurrency(&self) -> (u32, u32) {
        (self.concurrency.calls(), self.in_flight)
    }

    /// Notes what the end of a call that is still in flight shows of the provider's load.
    pub(super) fn record_load(&mut self, call: AdmittedCall, signal: LoadSignal, now: Instant) {
        self.concurrency
            .record(signal, self.in_flight, (call.at, now));
    }

    /// Notes the end of a call. True when calls must pause from now on.
    pub(super) fn end(&mut self, call: AdmittedCall, end: CallEnd, now: Instant) -> bool {
        self.in_flight = self.in_flight.saturating_sub(1);
        let at = match end {
            CallEnd::Unsent => return false,
            CallEnd::Lost => now + LINGER,
            CallEnd::Answered(_) | CallEnd::Throttled(..) => now,
        };
        for window in &mut self.windows {
            window.add(1, at);
        }
        let said = match end {
            CallEnd::Answered(said) | CallEnd::Throttled(said, _) => said,
            CallEnd::Unsent | CallEnd::Lost => None,
        };
        match said {
            Some(quota) => self.note_reported(quota, now),
            None => {
                if let Some(reported) = &mut self.reported {
                    reported.lost += 1;
                }
            }
        }
        match end {
            CallEnd::Throttled(_, wait) => {
                self.note_throttled(call, wait, now);
                true
            }
            CallEnd::Answered(_) => {
                if self
                    .throttled_at
                    .is_none_or(|throttled_at| call.at > throttled_at)
                {
                    self.throttles = 0;
                }
                false
            }
            CallEnd::Unsent | CallEnd::Lost => false,
        }
    }

    /// Pauses all calls after a 429.
    fn note_throttled(&mut self, call: AdmittedCall, wait: Option<Duration>, now: Instant) {
        // Calls that were in flight together are refused together: that counts as one 429.
        if self
            .throttled_at
            .is_none_or(|throttled_at| call.at > throttled_at)
        {
            self.throttles += 1;
            self.throttled_at = Some(now);
        }
        let backoff = BASE_BACKOFF.saturating_mul(1 << self.throttles.saturating_sub(1).min(16));
        let wait = wait.unwrap_or_default().max(backoff.min(MAX_BACKOFF));
        self.close(now + wait.min(LONGEST));
    }

    /// Pauses all calls until a moment.
    pub(super) fn close(&mut self, until: Instant) {
        self.paused_until = Some(self.paused_until.map_or(until, |closed| closed.max(until)));
    }

    /// When the current pause ends.
    pub(super) fn closed(&mut self, now: Instant) -> Option<Instant> {
        self.expire(now);
        self.paused_until
    }

    /// Notes the provider's report of its window. Responses overtake each other: within one window
    /// the smallest remaining count is used.
    pub(super) fn note_reported(&mut self, quota: RateLimitHeaders, now: Instant) {
        self.expire(now);
        if let [window] = self.windows.as_mut_slice() {
            let chosen = self.is_configured.then_some(window.window.calls);
            window.calls = quota.limit.min(chosen.unwrap_or(u32::MAX));
        }
        if quota.resets_in.is_zero() {
            return;
        }
        let longest = match self.windows.as_slice() {
            [window] => window.span(),
            _ => LONGEST,
        };
        let reset = now + quota.resets_in.min(longest) + MARGIN;
        match &mut self.reported {
            Some(reported) if quota.resets_at < reported.quota.resets_at.saturating_sub(1) => {}
            Some(reported) if quota.resets_at <= reported.quota.resets_at.saturating_add(1) => {
                reported.quota.remaining = reported.quota.remaining.min(quota.remaining);
            }
            reported => {
                *reported = Some(ReportedQuota {
                    quota,
                    reset,
                    lost: 0,
                });
            }
        }
    }

    /// Uses only one of `among` parts of each window.
    pub(super) fn divide_by(&mut self, among: u32) {
        self.share = among.max(1);
    }

    /// Writes all calls of all windows for the shared store; calls in flight as if they ended now.
    pub(super) fn serialize(&mut self, now: Instant) -> (String, u32) {
        self.expire(now);
        let mut text = String::new();
        for window in &self.windows {
            window.serialize(now, &mut text);
        }
        (text, self.in_flight)
    }

    /// The status of every window, or the provider's own report when no window is configured.
    pub(super) fn windows(&mut self, now: Instant) -> Vec<WindowStatus> {
        self.expire(now);
        let (in_flight, closed) = (self.in_flight, self.paused_until);
        let reported = self.reported.map(|reported| {
            let left = reported
                .quota
                .remaining
                .saturating_sub(in_flight + reported.lost);
            (reported, left)
        });
        let alone = self.windows.len() == 1;
        let mut windows: Vec<_> = (self.windows.iter())
            .map(|window| {
                let limit = (window.calls / self.share).max(1);
                let used = window.total() + in_flight;
                let left = limit.saturating_sub(used);
                let said = reported
                    .filter(|_| alone)
                    .map_or(u32::MAX, |(_, left)| left);
                let full = window.earliest(now, (limit, in_flight, limit));
                let said_full = reported
                    .filter(|_| alone)
                    .map(|(reported, _)| reported.reset);
                let full = full.filter(|full| *full > now).max(said_full).max(closed);
                WindowStatus {
                    seconds: Some(window.window.seconds),
                    limit,
                    remaining: if closed.is_some() { 0 } else { left.min(said) },
                    resets_at: full,
                }
            })
            .collect();
        if let Some((reported, left)) = reported.filter(|_| self.windows.is_empty()) {
            windows.push(WindowStatus {
                seconds: None,
                limit: reported.quota.limit,
                remaining: if closed.is_some() { 0 } else { left },
                resets_at: Some(reported.reset).max(closed),
            });
        }
        windows
    }
}

/// How much of a limit a class may use: background work leaves a tenth free, at least one, unless
/// the limit is one.
pub(super) fn usable(all: u32, class: Priority) -> u32 {
    match class {
        Priority::Background if all > 1 => all - all.div_ceil(10),
        Priority::Background | Priority::Interactive => all,
    }
}
