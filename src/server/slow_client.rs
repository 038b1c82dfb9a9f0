//! The lowest rate at which a client must send or read.

use std::time::Duration;

/// A lowest rate, and how far a client may fall behind it.
#[derive(Clone, Copy, Debug)]
pub struct MinTransferRate {
    /// The bytes that a client must send or read per second.
    pub bytes_per_second: u32,
    /// The time that a client may fall behind this rate.
    pub max_lag: Duration,
}

impl Default for MinTransferRate {
    fn default() -> Self {
        Self {
            bytes_per_second: 1024,
            max_lag: Duration::from_secs(10),
        }
    }
}

/// Counts down the time that a client has left. Every byte that it moves adds time: first what it
/// is behind, then credit for later, up to a maximum.
///
/// Only the time in which the gateway waits for the client counts: while a response is computed,
/// neither side sends anything.
#[derive(Debug)]
pub(super) struct SlowClientTimer {
    bytes_per_second: f64,
    behind: Duration,
    /// The rest of `behind`.
    grace: Duration,
    /// The bytes moved ahead of the lowest rate.
    credit: f64,
    max_credit: Duration,
}

impl SlowClientTimer {
    /// A timer with credit for at most `max_credit` at the lowest rate.
    pub(super) fn new(rate: MinTransferRate, max_credit: Duration) -> Self {
        Self {
            bytes_per_second: f64::from(rate.bytes_per_second.max(1)),
            behind: rate.max_lag,
            grace: rate.max_lag,
            credit: 0.0,
            max_credit,
        }
    }

    /// Changes the lowest rate. The client keeps its credit in bytes, so a higher rate uses it up
    /// sooner.
    pub(super) fn set_min_rate(&mut self, bytes_per_second: f64) {
        self.bytes_per_second = bytes_per_second.max(1.0);
        self.cap_credit();
    }

    /// Notes that the gateway waited for the client.
    pub(super) fn add_wait(&mut self, time: Duration) {
        let credit = self.credit_time();
        if time <= credit {
            self.credit -= time.as_secs_f64() * self.bytes_per_second;
        } else {
            self.credit = 0.0;
            self.grace = self.grace.saturating_sub(time - credit);
        }
    }

    /// Notes that the client sent or read bytes.
    pub(super) fn add_bytes(&mut self, bytes: usize) {
        let bytes = bytes as f64;
        let behind = self.behind.saturating_sub(self.grace);
        let needed = behind.as_secs_f64() * self.bytes_per_second;
        if bytes < needed {
            self.grace += self.time_for(bytes);
        } else {
            self.grace = self.behind;
            self.credit += bytes - needed;
            self.cap_credit();
        }
    }

    /// The time for which the client may move nothing. At zero it is too slow.
    pub(super) fn remaining(&self) -> Duration {
        self.grace + self.credit_time()
    }

    fn credit_time(&self) -> Duration {
        self.time_for(self.credit)
    }

    fn time_for(&self, bytes: f64) -> Duration {
        Duration::try_from_secs_f64(bytes.max(0.0) / self.bytes_per_second)
            .unwrap_or(self.max_credit)
    }

    fn cap_credit(&mut self) {
        let most = self.max_credit.as_secs_f64() * self.bytes_per_second;
        self.credit = self.credit.clamp(0.0, most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A timer as request bodies use it.
    fn strict() -> SlowClientTimer {
        SlowClientTimer::new(MinTransferRate::default(), Duration::ZERO)
    }

    /// A timer as responses use it.
    fn with_credit() -> SlowClientTimer {
        SlowClientTimer::new(MinTransferRate::default(), 300 * SECOND)
    }

    /// The time after which a client that moves `bytes` bytes per interval is too slow; an hour at
    /// most.
    fn cut(mut timer: SlowClientTimer, bytes: usize, every: Duration) -> Option<Duration> {
        let mut passed = Duration::ZERO;
        while passed < 3600 * SECOND {
            if timer.remaining() <= every {
                return Some(passed + timer.remaining());
            }
            timer.add_wait(every);
            passed += every;
            timer.add_bytes(bytes);
        }
        None
    }

    #[test]
    fn a_client_at_the_least_rate_is_never_too_slow() {
        for (bytes, every) in [(1024, SECOND), (8192, 8 * SECOND), (1_000_000, 9 * SECOND)] {
            assert_eq!(cut(strict(), bytes, every), None, "{bytes} {every:?}");
            assert_eq!(cut(with_credit(), bytes, every), None, "{bytes} {every:?}");
        }
    }

    #[test]
    fn a_client_that_moves_nothing_is_too_slow_after_ten_seconds() {
        assert_eq!(cut(strict(), 0, SECOND), Some(10 * SECOND));
        assert_eq!(cut(with_credit(), 0, SECOND), Some(10 * SECOND));
        assert_eq!(cut(strict(), 1_000_000, 11 * SECOND), Some(10 * SECOND));
    }

    #[test]
    fn a_byte_every_eight_seconds_buys_no_more_than_a_moment() {
        let after = cut(with_credit(), 1, 8 * SECOND).expect("too slow");

        assert!(after < 11 * SECOND, "{after:?}");
    }

    #[test]
    fn a_client_below_the_least_rate_is_too_slow_in_the_end() {
        assert!(cut(strict(), 920, SECOND).is_some());
        assert!(cut(with_credit(), 920, SECOND).is_some());
    }

    #[test]
    fn bytes_that_move_at_once_are_no_credit_without_a_maximum_for_it() {
        let mut timer = strict();

        timer.add_bytes(100 * 1024 * 1024);

        assert_eq!(timer.remaining(), 10 * SECOND);
    }

    #[test]
    fn a_client_that_moves_at_the_least_rate_but_in_large_steps_is_never_too_slow() {
        for step in [64, 128, 256] {
            let mut timer = with_credit();
            timer.add_bytes(step * 1024);
            let every = u32::try_from(step).expect("a small number") * SECOND;

            assert_eq!(cut(timer, step * 1024, every), None, "{step} KiB");
        }
    }

    #[test]
    fn credit_is_for_five_minutes_at_most() {
        let mut timer = with_credit();

        timer.add_bytes(100 * 1024 * 1024);

        assert_eq!(timer.remaining(), 310 * SECOND);
    }

    #[test]
    fn a_higher_rate_uses_up_the_same_credit_sooner() {
        let mut timer = with_credit();
        timer.add_bytes(200 * 1024);

        timer.set_min_rate(100.0 * 1024.0);

        assert_eq!(timer.remaining(), 12 * SECOND);
    }
}
