//! What a provider's budget allows at a moment: pure, over moments that are handed in.
//!
//! A call may reach the provider at any moment between its start and its answer, and the provider may count
//! in windows that begin whenever it likes. So a call is in a window from its start until a whole span
//! after its end: then no span whatever sees more arrivals than the window has calls.

use std::time::Duration;

use tokio::time::Instant;

use super::sliding_window::{QuotaWindow, SlidingWindow};
use crate::client::{Priority, request::Quota};

/// How long a call may still arrive after we gave it up: it may be in some buffer.
pub(super) const LINGER: Duration = Duration::from_secs(1);

/// How long a provider is left alone after a 429 that does not say for how long; it doubles.
const SILENCE: Duration = Duration::from_millis(250);
/// The longest of these.
const LONG_SILENCE: Duration = Duration::from_secs(30);
/// The longest time for which a provider is left alone: after it the provider is asked again, for what it
/// said may be nonsense.
pub(super) const LONGEST: Duration = Duration::from_secs(900);
/// Our clock and the provider's are not the same: so much later than it says a window ends.
const MARGIN: Duration = Duration::from_millis(50);

/// A call that was let through.
#[derive(Clone, Copy, Debug)]
pub(super) struct AdmittedCall {
    at: Instant,
}

/// What became of a call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum CallEnd {
    /// It was never sent.
    Unsent,
    /// It was sent, and given up before there was an answer.
    Lost,
    /// The provider answered, with its word on the budget.
    Answered(Option<Quota>),
    /// The provider refused it for its rate limit and asked us to wait so long.
    Throttled(Option<Quota>, Option<Duration>),
}

/// Why a call is not let through.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum WaitReason {
    /// As many calls are under way as there may be.
    Turn,
    /// The budget is used up; not before this moment, and never without one.
    Until(Option<Instant>),
}

/// What the provider itself said of its window.
#[derive(Clone, Copy, Debug)]
struct ReportedQuota {
    quota: Quota,
    /// When the window ends.
    reset: Instant,
    /// Calls that ended without a word, of which nobody knows whether they are counted.
    lost: u32,
}

/// A provider's budget.
#[derive(Debug)]
pub(super) struct LimiterState {
    ledgers: Vec<SlidingWindow>,
    /// Whether somebody chose the windows: what the provider says may only narrow them.
    is_chosen: bool,
    /// How many calls may be under way.
    slots: u32,
    flying: u32,
    word: Option<ReportedQuota>,
    closed: Option<Instant>,
    strikes: u32,
    struck: Option<Instant>,
    /// The part of each window that is ours: all of it, unless the budget is shared and nobody knows
    /// what the others spend.
    share: u32,
}

/// A window as it stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct WindowStatus {
    /// The window's span in seconds; `None` where only the provider knows it.
    pub seconds: Option<u32>,
    /// The calls within one span.
    pub limit: u32,
    /// How many of them are left now.
    pub remaining: u32,
    /// When all of them will be there again, if none is made; `None` when they are.
    pub resets_at: Option<Instant>,
}

impl LimiterState {
    pub(super) fn new(windows: &[QuotaWindow], is_chosen: bool, slots: u32, now: Instant) -> Self {
        let ledgers = windows
            .iter()
            .map(|window| SlidingWindow::new(*window, now));
        Self {
            ledgers: ledgers.collect(),
            is_chosen,
            slots: slots.max(1),
            flying: 0,
            word: None,
            closed: None,
            strikes: 0,
            struck: None,
            share: 1,
        }
    }

    /// Lets one call through, or says what it must wait for.
    pub(super) fn take(
        &mut self,
        now: Instant,
        class: Priority,
    ) -> Result<AdmittedCall, WaitReason> {
        match self.earliest(now, 1, class) {
            Some(moment) if moment <= now => {
                if self.flying >= kept(self.slots, class) {
                    return Err(WaitReason::Turn);
                }
                self.flying += 1;
                Ok(AdmittedCall { at: now })
            }
            moment => Err(WaitReason::Until(moment)),
        }
    }

    /// The earliest moment at which the `turn`-th of the calls that wait can be let through; `None`
    /// when it never can.
    pub(super) fn earliest(&mut self, now: Instant, turn: u32, class: Priority) -> Option<Instant> {
        self.forget(now);
        let mut earliest = self.closed.unwrap_or(now);
        for ledger in &self.ledgers {
            let limit = kept((ledger.calls / self.share).max(1), class);
            earliest = earliest.max(ledger.earliest(now, (turn, self.flying, limit))?);
        }
        if let Some(word) = self.word {
            let spare = word.quota.limit - kept(word.quota.limit, class);
            let taken = u64::from(self.flying) + u64::from(word.lost) + u64::from(turn);
            if u64::from(word.quota.remaining / self.share) < taken + u64::from(spare) {
                earliest = earliest.max(word.reset);
            }
        }
        Some(earliest)
    }

    fn forget(&mut self, now: Instant) {
        for ledger in &mut self.ledgers {
            ledger.forget(now);
        }
        self.word = self.word.filter(|word| word.reset > now);
        self.closed = self.closed.filter(|until| *until > now);
    }

    /// Notes the end of a call. True when the provider is to be left alone from now on.
    pub(super) fn end(&mut self, pass: AdmittedCall, end: CallEnd, now: Instant) -> bool {
        self.flying = self.flying.saturating_sub(1);
        let at = match end {
            CallEnd::Unsent => return false,
            CallEnd::Lost => now + LINGER,
            CallEnd::Answered(_) | CallEnd::Throttled(..) => now,
        };
        for ledger in &mut self.ledgers {
            ledger.add(1, at);
        }
        let said = match end {
            CallEnd::Answered(said) | CallEnd::Throttled(said, _) => said,
            CallEnd::Unsent | CallEnd::Lost => None,
        };
        match said {
            Some(quota) => self.hear(quota, now),
            None => {
                if let Some(word) = &mut self.word {
                    word.lost += 1;
                }
            }
        }
        match end {
            CallEnd::Throttled(_, wait) => {
                self.strike(pass, wait, now);
                true
            }
            CallEnd::Answered(_) => {
                if self.struck.is_none_or(|struck| pass.at > struck) {
                    self.strikes = 0;
                }
                false
            }
            CallEnd::Unsent | CallEnd::Lost => false,
        }
    }

    /// Leaves the provider alone after a 429.
    fn strike(&mut self, pass: AdmittedCall, wait: Option<Duration>, now: Instant) {
        // Calls that were under way together are refused together: that is one strike.
        if self.struck.is_none_or(|struck| pass.at > struck) {
            self.strikes += 1;
            self.struck = Some(now);
        }
        let silence = SILENCE.saturating_mul(1 << self.strikes.saturating_sub(1).min(16));
        let wait = wait.unwrap_or_default().max(silence.min(LONG_SILENCE));
        self.close(now + wait.min(LONGEST));
    }

    /// Leaves the provider alone until a moment.
    pub(super) fn close(&mut self, until: Instant) {
        self.closed = Some(self.closed.map_or(until, |closed| closed.max(until)));
    }

    /// Until when the provider is left alone.
    pub(super) fn closed(&mut self, now: Instant) -> Option<Instant> {
        self.forget(now);
        self.closed
    }

    /// Believes what the provider says of its window. Answers overtake each other: of one window the
    /// least that was left counts.
    pub(super) fn hear(&mut self, quota: Quota, now: Instant) {
        self.forget(now);
        if let [ledger] = self.ledgers.as_mut_slice() {
            let chosen = self.is_chosen.then_some(ledger.window.calls);
            ledger.calls = quota.limit.min(chosen.unwrap_or(u32::MAX));
        }
        if quota.resets_in.is_zero() {
            return;
        }
        let longest = match self.ledgers.as_slice() {
            [ledger] => ledger.span(),
            _ => LONGEST,
        };
        let reset = now + quota.resets_in.min(longest) + MARGIN;
        match &mut self.word {
            Some(word) if quota.resets_at < word.quota.resets_at.saturating_sub(1) => {}
            Some(word) if quota.resets_at <= word.quota.resets_at.saturating_add(1) => {
                word.quota.remaining = word.quota.remaining.min(quota.remaining);
            }
            word => {
                *word = Some(ReportedQuota {
                    quota,
                    reset,
                    lost: 0,
                });
            }
        }
    }

    /// Takes a part of each window only: one of so many.
    pub(super) fn share(&mut self, among: u32) {
        self.share = among.max(1);
    }

    /// All calls of all windows, in words for the shared store; those under way as if they ended now.
    pub(super) fn remembered(&mut self, now: Instant) -> (String, u32) {
        self.forget(now);
        let mut text = String::new();
        for ledger in &self.ledgers {
            ledger.remembered(now, &mut text);
        }
        (text, self.flying)
    }

    /// Every window as it stands; the provider's own word where there is no window to put it to.
    pub(super) fn stands(&mut self, now: Instant) -> Vec<WindowStatus> {
        self.forget(now);
        let (flying, closed) = (self.flying, self.closed);
        let word = self.word.map(|word| {
            let left = word.quota.remaining.saturating_sub(flying + word.lost);
            (word, left)
        });
        let alone = self.ledgers.len() == 1;
        let mut stands: Vec<_> = (self.ledgers.iter())
            .map(|ledger| {
                let limit = (ledger.calls / self.share).max(1);
                let used = ledger.total() + flying;
                let left = limit.saturating_sub(used);
                let said = word.filter(|_| alone).map_or(u32::MAX, |(_, left)| left);
                let full = ledger.earliest(now, (limit, flying, limit));
                let said_full = word.filter(|_| alone).map(|(word, _)| word.reset);
                let full = full.filter(|full| *full > now).max(said_full).max(closed);
                WindowStatus {
                    seconds: Some(ledger.window.seconds),
                    limit,
                    remaining: if closed.is_some() { 0 } else { left.min(said) },
                    resets_at: full,
                }
            })
            .collect();
        if let Some((word, left)) = word.filter(|_| self.ledgers.is_empty()) {
            stands.push(WindowStatus {
                seconds: None,
                limit: word.quota.limit,
                remaining: if closed.is_some() { 0 } else { left },
                resets_at: Some(word.reset).max(closed),
            });
        }
        stands
    }
}

/// How much of a number a class of work may use: work for which nobody waits leaves a tenth of it, one
/// at least, unless there is but one.
pub(super) fn kept(all: u32, class: Priority) -> u32 {
    match class {
        Priority::Background if all > 1 => all - all.div_ceil(10),
        Priority::Background | Priority::Interactive => all,
    }
}
