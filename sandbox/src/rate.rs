//! Rate limits in fixed windows, for providers that count calls.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// The number of calls that a provider grants within a number of seconds.
#[derive(Clone, Copy, Debug)]
pub struct RateWindow {
    /// The length; windows begin at its multiples in unix time.
    pub seconds: i64,
    /// Calls granted within one window.
    pub limit: u64,
}

/// The counted calls of one class of endpoints.
#[derive(Debug, Default)]
pub struct RateLimiter {
    windows: Vec<RateWindow>,
    /// By the length of the window.
    counts: Mutex<BTreeMap<i64, WindowCount>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct WindowCount {
    start: i64,
    taken: u64,
}

/// The state of the tightest window after one call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RateStatus {
    /// Whether the call may be answered.
    pub granted: bool,
    /// The limit of the window.
    pub limit: u64,
    /// Calls left in the window after this one.
    pub remaining: u64,
    /// Unix seconds at which the window ends.
    pub reset: i64,
}

impl RateLimiter {
    /// Nothing taken yet.
    pub fn new(windows: &[RateWindow]) -> Self {
        Self {
            windows: windows.to_vec(),
            counts: Mutex::default(),
        }
    }

    /// Counts a call at `now` (unix seconds). A refused call is not counted.
    pub fn take(&self, now: i64) -> RateStatus {
        self.take_within(&self.windows, now)
    }

    /// Counts a call within other windows than the limiter's own.
    pub fn take_within(&self, windows: &[RateWindow], now: i64) -> RateStatus {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for window in windows {
            let start = now - now.rem_euclid(window.seconds.max(1));
            let count = counts.entry(window.seconds).or_default();
            if count.start != start {
                *count = WindowCount { start, taken: 0 };
            }
        }
        let has_room = |window: &RateWindow| counts[&window.seconds].taken < window.limit;
        let granted = windows.iter().all(has_room);
        let verdicts = windows.iter().map(|window| {
            let count = counts.entry(window.seconds).or_default();
            count.taken += u64::from(granted);
            RateStatus {
                granted,
                limit: window.limit,
                remaining: window.limit.saturating_sub(count.taken),
                reset: count.start.saturating_add(window.seconds),
            }
        });
        let tightest = verdicts.min_by_key(|verdict| verdict.remaining);
        tightest.unwrap_or(RateStatus {
            granted: true,
            limit: u64::MAX,
            remaining: u64::MAX,
            reset: now,
        })
    }
}

/// The present, in unix seconds.
pub fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

#[cfg(test)]
mod tests {
    use super::{RateLimiter, RateWindow};

    #[test]
    fn a_window_grants_its_limit_and_starts_anew() {
        let rate = RateLimiter::new(&[
            RateWindow {
                seconds: 10,
                limit: 2,
            },
            RateWindow {
                seconds: 60,
                limit: 3,
            },
        ]);
        let granted: Vec<bool> = [100, 101, 102, 110, 111, 120]
            .into_iter()
            .map(|now| rate.take(now).granted)
            .collect();
        assert_eq!(granted, [true, true, false, true, false, true]);

        let first = RateLimiter::new(&[RateWindow {
            seconds: 10,
            limit: 2,
        }])
        .take(104);
        assert_eq!((first.remaining, first.reset), (1, 110));
    }
}
