//! Rate limits in fixed windows, for vendors that count calls.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// How many calls a vendor grants within a span of seconds.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// The span; windows begin at its multiples in unix time.
    pub seconds: i64,
    /// Calls granted within one span.
    pub limit: u64,
}

/// The counted calls of one class of endpoints.
#[derive(Debug, Default)]
pub struct Rate {
    windows: Vec<Window>,
    /// By the span of the window.
    counts: Mutex<BTreeMap<i64, Count>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    start: i64,
    taken: u64,
}

/// What the tightest window says about one call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Verdict {
    /// Whether the call may be answered.
    pub granted: bool,
    /// The limit of the window.
    pub limit: u64,
    /// Calls left in the window after this one.
    pub remaining: u64,
    /// Unix seconds at which the window ends.
    pub reset: i64,
}

impl Rate {
    /// Nothing taken yet.
    pub fn new(windows: &[Window]) -> Self {
        Self {
            windows: windows.to_vec(),
            counts: Mutex::default(),
        }
    }

    /// Takes one call at `now` (unix seconds). A refused call is not counted.
    pub fn take(&self, now: i64) -> Verdict {
        self.take_within(&self.windows, now)
    }

    /// Takes one call within other windows than the rate's own.
    pub fn take_within(&self, windows: &[Window], now: i64) -> Verdict {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for window in windows {
            let start = now - now.rem_euclid(window.seconds.max(1));
            let count = counts.entry(window.seconds).or_default();
            if count.start != start {
                *count = Count { start, taken: 0 };
            }
        }
        let has_room = |window: &Window| counts[&window.seconds].taken < window.limit;
        let granted = windows.iter().all(has_room);
        let verdicts = windows.iter().map(|window| {
            let count = counts.entry(window.seconds).or_default();
            count.taken += u64::from(granted);
            Verdict {
                granted,
                limit: window.limit,
                remaining: window.limit.saturating_sub(count.taken),
                reset: count.start.saturating_add(window.seconds),
            }
        });
        let tightest = verdicts.min_by_key(|verdict| verdict.remaining);
        tightest.unwrap_or(Verdict {
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
    use super::{Rate, Window};

    #[test]
    fn a_window_grants_its_limit_and_starts_anew() {
        let rate = Rate::new(&[
            Window {
                seconds: 10,
                limit: 2,
            },
            Window {
                seconds: 60,
                limit: 3,
            },
        ]);
        let granted: Vec<bool> = [100, 101, 102, 110, 111, 120]
            .into_iter()
            .map(|now| rate.take(now).granted)
            .collect();
        assert_eq!(granted, [true, true, false, true, false, true]);

        let first = Rate::new(&[Window {
            seconds: 10,
            limit: 2,
        }])
        .take(104);
        assert_eq!((first.remaining, first.reset), (1, 110));
    }
}
