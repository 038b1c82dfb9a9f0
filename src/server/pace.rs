//! How slowly a client may send or read.

use std::time::Duration;

/// A least rate, and how far a client may fall behind it.
#[derive(Clone, Copy, Debug)]
pub struct LeastRate {
    /// How many bytes a client must take or give in a second.
    pub bytes_per_second: u32,
    /// For how long a client may move nothing. What it moves gives it time again, up to this much.
    pub behind: Duration,
}

impl Default for LeastRate {
    fn default() -> Self {
        Self {
            bytes_per_second: 1024,
            behind: Duration::from_secs(10),
        }
    }
}

/// How much time a client still has. Only the time counts in which the gateway waits for the client:
/// while an answer is computed, neither side sends anything.
#[derive(Debug)]
pub(super) struct Pace {
    rate: LeastRate,
    left: Duration,
}

impl Pace {
    pub(super) fn new(rate: LeastRate) -> Self {
        Self {
            rate,
            left: rate.behind,
        }
    }

    /// The gateway waited so long for the client.
    pub(super) fn waited(&mut self, time: Duration) {
        self.left = self.left.saturating_sub(time);
    }

    /// The client sent or read so many bytes.
    pub(super) fn moved(&mut self, bytes: usize) {
        let worth = bytes as f64 / f64::from(self.rate.bytes_per_second.max(1));
        let worth = Duration::try_from_secs_f64(worth).unwrap_or(self.rate.behind);
        self.left = self.left.saturating_add(worth).min(self.rate.behind);
    }

    /// For how long the client may still move nothing; nothing is left when it is too slow.
    pub(super) fn left(&self) -> Duration {
        self.left
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, sleep};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// After how long a client is too slow that moves so many bytes every so often; at most an hour.
    async fn cut(bytes: usize, every: Duration) -> Option<Duration> {
        let mut pace = Pace::new(LeastRate::default());
        let start = Instant::now();
        while start.elapsed() < 3600 * SECOND {
            let wait = every.min(pace.left());
            sleep(wait).await;
            pace.waited(wait);
            if pace.left().is_zero() {
                return Some(start.elapsed());
            }
            pace.moved(bytes);
        }
        None
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_at_the_least_rate_is_never_too_slow() {
        for (bytes, every) in [(1024, SECOND), (8192, 8 * SECOND), (1_000_000, 9 * SECOND)] {
            assert_eq!(cut(bytes, every).await, None, "{bytes} every {every:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_moves_nothing_is_too_slow_after_ten_seconds() {
        assert_eq!(cut(0, SECOND).await, Some(10 * SECOND));
        assert_eq!(cut(1_000_000, 11 * SECOND).await, Some(10 * SECOND));
    }

    #[tokio::test(start_paused = true)]
    async fn a_byte_every_eight_seconds_buys_no_more_than_a_moment() {
        let after = cut(1, 8 * SECOND).await.expect("too slow");

        assert!(after < 11 * SECOND, "{after:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_below_the_least_rate_is_too_slow_in_the_end() {
        assert!(cut(920, SECOND).await.is_some());
    }

    #[test]
    fn what_moved_at_once_is_no_credit_for_later() {
        let mut pace = Pace::new(LeastRate::default());

        pace.moved(100 * 1024 * 1024);

        assert_eq!(pace.left(), 10 * SECOND);
    }
}
