//! The calls of one window: how many ended when, rounded so that no call leaves the window too
//! early.

use std::{collections::VecDeque, time::Duration};

use serde::Deserialize;
use tokio::time::Instant;

/// The number of calls that a provider accepts within any span of this length.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct QuotaWindow {
    /// The calls.
    pub calls: u32,
    /// The span.
    pub seconds: u32,
}

/// The number of parts of a window's span; calls that end within one part are counted together.
pub(super) const PARTS: u64 = 64;

/// The ended calls of one window. Calls in flight count in every window and are counted once,
/// elsewhere.
#[derive(Debug)]
pub(super) struct SlidingWindow {
    /// The number of calls that the window allows now.
    pub(super) calls: u32,
    /// The window as configured.
    pub(super) window: QuotaWindow,
    origin: Instant,
    grain: u64,
    /// The ends of parts, counted from the origin, and the number of calls that ended in each; in
    /// order.
    ended: VecDeque<(u64, u32)>,
    total: u32,
}

impl SlidingWindow {
    pub(super) fn new(window: QuotaWindow, origin: Instant) -> Self {
        Self {
            calls: window.calls,
            window,
            origin,
            grain: u64::from(window.seconds.max(1)) * 1_000_000_000 / PARTS,
            ended: VecDeque::new(),
            total: 0,
        }
    }

    pub(super) fn span(&self) -> Duration {
        Duration::from_secs(u64::from(self.window.seconds))
    }

    /// The number of ended calls that are still in the window.
    pub(super) fn total(&self) -> u32 {
        self.total
    }

    fn expires_at(&self, part: u64) -> Instant {
        self.origin + Duration::from_nanos(part.saturating_mul(self.grain)) + self.span()
    }

    /// Adds calls that ended at a moment.
    pub(super) fn add(&mut self, calls: u32, at: Instant) {
        let since = at.saturating_duration_since(self.origin).as_nanos();
        let part = u64::try_from(since)
            .unwrap_or(u64::MAX)
            .div_ceil(self.grain);
        let place = self.ended.iter().rposition(|(end, _)| *end <= part);
        match place.and_then(|place| self.ended.get_mut(place)) {
            Some((end, count)) if *end == part => *count += calls,
            _ => self
                .ended
                .insert(place.map_or(0, |place| place + 1), (part, calls)),
        }
        self.total += calls;
    }

    /// Removes calls that have left the window.
    pub(super) fn expire(&mut self, now: Instant) {
        while let Some(&(part, calls)) = self.ended.front()
            && self.expires_at(part) <= now
        {
            self.ended.pop_front();
            self.total -= calls;
        }
    }

    /// Writes the window's content for the shared store: span, milliseconds left in it, calls.
    pub(super) fn serialize(&self, now: Instant, text: &mut String) {
        let span = self.span().as_millis();
        for (part, calls) in &self.ended {
            let left = self.expires_at(*part).saturating_duration_since(now);
            text.push_str(&format!("{span}:{}:{calls} ", left.as_millis() + 1));
        }
    }

    /// When the first `calls` of the ended calls have left the window; `None` when fewer are in it.
    fn left_by(&self, calls: u64) -> Option<Instant> {
        let mut left = 0;
        let mut ends = self.ended.iter();
        let enough = ends.find(|(_, count)| {
            left += u64::from(*count);
            left >= calls
        });
        enough.map(|(part, _)| self.expires_at(*part))
    }

    /// The earliest moment at which the window can have room for the `turn`-th of the waiting
    /// calls, while it allows `limit` calls and `in_flight` are in flight. `None` when it never
    /// has.
    pub(super) fn earliest(
        &self,
        now: Instant,
        (turn, in_flight, limit): (u32, u32, u32),
    ) -> Option<Instant> {
        let rounds = turn.checked_sub(1)?.checked_div(limit)?;
        let (turn, limit) = (u64::from(turn - rounds * limit), u64::from(limit));
        let used = u64::from(self.total) + u64::from(in_flight);
        let first = match (used + turn).checked_sub(limit) {
            None | Some(0) => now,
            // A call in flight stays for at least one whole span.
            Some(excess) => self.left_by(excess).unwrap_or(now + self.span()),
        };
        Some(first + self.span().saturating_mul(rounds))
    }
}
