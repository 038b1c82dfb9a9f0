//! Rate limits in fixed windows, for vendors that count calls.

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
#[derive(Debug)]
pub struct Rate {
    counts: Mutex<Vec<Count>>,
}

#[derive(Clone, Copy, Debug)]
struct Count {
    window: Window,
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
        let count = |window: &Window| Count {
            window: *window,
            start: i64::MIN,
            taken: 0,
        };
        Self {
            counts: Mutex::new(windows.iter().map(count).collect()),
        }
    }

    /// Takes one call at `now` (unix seconds). A refused call is not counted.
    pub fn take(&self, now: i64) -> Verdict {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for count in counts.iter_mut() {
            count.roll(now);
        }
        let granted = counts.iter().all(|count| count.taken < count.window.limit);
        if granted {
            for count in counts.iter_mut() {
                count.taken += 1;
            }
        }
        counts
            .iter()
            .map(|count| count.verdict(granted))
            .min_by_key(|verdict| verdict.remaining)
            .unwrap_or(Verdict {
                granted: true,
                limit: u64::MAX,
                remaining: u64::MAX,
                reset: now,
            })
    }
}

impl Count {
    fn roll(&mut self, now: i64) {
        let start = now - now.rem_euclid(self.window.seconds.max(1));
        if self.start != start {
            self.start = start;
            self.taken = 0;
        }
    }

    fn verdict(&self, granted: bool) -> Verdict {
        Verdict {
            granted,
            limit: self.window.limit,
            remaining: self.window.limit.saturating_sub(self.taken),
            reset: self.start.saturating_add(self.window.seconds),
        }
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
