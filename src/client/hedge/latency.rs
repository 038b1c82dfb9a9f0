//! The usual latency of calls: a histogram that forgets, with buckets that each grow by a fifth.

use std::time::Duration;

/// The growth from one bucket to the next, and so the relative error of a reading.
const GROWTH: f64 = 1.2;
/// The buckets cover a microsecond to more than a minute.
const BUCKETS: usize = 100;
/// The number of calls before a latency counts as usual.
const ENOUGH: u32 = 50;
/// The number of calls at which old ones begin to be forgotten.
const MANY: u32 = 1_000;

/// The latencies of one kind of call.
#[derive(Debug)]
pub(super) struct LatencyHistory {
    counts: [u32; BUCKETS],
    calls: u32,
}

impl Default for LatencyHistory {
    fn default() -> Self {
        Self {
            counts: [0; BUCKETS],
            calls: 0,
        }
    }
}

impl LatencyHistory {
    /// Adds a call.
    pub(super) fn add(&mut self, took: Duration) {
        if self.calls >= MANY {
            for count in &mut self.counts {
                *count /= 2;
            }
            self.calls = self.counts.iter().sum();
        }
        let micros = (took.as_micros() as f64).max(1.0);
        let bucket = (micros.ln() / GROWTH.ln()) as usize;
        self.counts[bucket.min(BUCKETS - 1)] += 1;
        self.calls += 1;
    }

    /// The 95th percentile of the latency; `None` until enough calls are known.
    pub(super) fn p95(&self) -> Option<Duration> {
        if self.calls < ENOUGH {
            return None;
        }
        let rank = self.calls - self.calls / 20;
        let mut sum = 0;
        let bucket = self.counts.iter().position(|count| {
            sum += count;
            sum >= rank
        });
        let micros = GROWTH.powf((bucket? + 1) as f64);
        Some(Duration::from_micros(micros.ceil() as u64))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::{prop_assert, proptest};

    use super::{ENOUGH, LatencyHistory};

    #[test]
    fn no_latency_is_usual_before_enough_calls() {
        let mut usual = LatencyHistory::default();

        for _ in 1..ENOUGH {
            usual.add(Duration::from_millis(20));
        }
        assert_eq!(usual.p95(), None);
        usual.add(Duration::from_millis(20));

        assert!(usual.p95().is_some());
    }

    #[test]
    fn old_latencies_are_forgotten() {
        let mut usual = LatencyHistory::default();
        for _ in 0..5_000 {
            usual.add(Duration::from_secs(1));
        }
        for _ in 0..10_000 {
            usual.add(Duration::from_millis(10));
        }

        let most = usual.p95().expect("enough calls");

        assert!(most < Duration::from_millis(13), "{most:?}");
    }

    proptest! {
        #[test]
        fn it_is_the_95th_of_a_hundred_to_within_a_fifth(
            mut micros in proptest::collection::vec(1_u64..60_000_000, 50..900),
        ) {
            let mut usual = LatencyHistory::default();
            for micros in &micros {
                usual.add(Duration::from_micros(*micros));
            }
            micros.sort_unstable();
            let exact = micros[micros.len() - micros.len() / 20 - 1] as f64;

            let most = usual.p95().expect("enough calls").as_micros() as f64;

            prop_assert!(most >= exact && most <= exact * 1.2 + 2.0, "{most} for {exact}");
        }
    }
}
