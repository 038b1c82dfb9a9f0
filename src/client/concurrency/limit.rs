//! How many calls a provider bears at the same time, learnt from how they end. Pure: whoever uses it says
//! what time it is.
//!
//! Additive increase, multiplicative decrease, as TCP has it (Jacobson and Karels, "Congestion Avoidance
//! and Control", 1988) and as Netflix's concurrency-limits offers it for requests. Limits that follow
//! latency (TCP Vegas, the gradient of the same library) take every slow answer for a queue; here a page
//! of a hundred users and a lookup of one share a limit, and providers differ twentyfold between the two.
//! What these providers do when it is too much is to say so, or not to answer: that is what this follows.

use tokio::time::Instant;

/// What is left of the limit when it was too much (as CUBIC has it).
const LEFT: f64 = 0.7;

/// How many calls may be under way.
#[derive(Debug)]
pub(super) struct ConcurrencyLimit {
    most: f64,
    now: f64,
    shrunk: Option<Instant>,
}

impl ConcurrencyLimit {
    /// At most so many; that many to begin with, since somebody configured it.
    pub(super) fn of(most: usize) -> Self {
        let most = most.max(1) as f64;
        Self {
            most,
            now: most,
            shrunk: None,
        }
    }

    /// How many calls may be under way, at least one.
    pub(super) fn calls(&self) -> usize {
        self.now as usize
    }

    /// A call got its answer while so many were under way, itself included. A limit that was not used
    /// up was not put to the test. It grows by one in the time in which all it allows are answered.
    pub(super) fn answered(&mut self, under_way: usize) {
        if under_way >= self.calls() {
            self.now = (self.now + 1.0 / self.now).min(self.most);
        }
    }

    /// A call that began at a moment was too much. What began before the limit shrank the last time
    /// says no more than what shrank it.
    pub(super) fn overloaded(&mut self, began: Instant, now: Instant) {
        if self.shrunk.is_none_or(|shrunk| began > shrunk) {
            self.now = (self.now * LEFT).max(1.0);
            self.shrunk = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::{any, prop_assert, proptest};
    use tokio::time::Instant;

    use super::ConcurrencyLimit;

    const MOMENT: Duration = Duration::from_millis(1);

    #[test]
    fn a_provider_that_answers_keeps_all_that_is_configured() {
        let mut limit = ConcurrencyLimit::of(8);

        for under_way in (1..=8).cycle().take(10_000) {
            limit.answered(under_way);
            assert_eq!(limit.calls(), 8);
        }
    }

    #[test]
    fn calls_that_were_under_way_together_shrink_it_once() {
        let (mut limit, began) = (ConcurrencyLimit::of(8), Instant::now());

        for n in 1..=8 {
            limit.overloaded(began, began + n * MOMENT);
        }
        assert_eq!(limit.calls(), 5);
        limit.overloaded(began + 9 * MOMENT, began + 10 * MOMENT);

        assert_eq!(limit.calls(), 3);
    }

    #[test]
    fn it_grows_only_when_it_is_used_up_and_back_to_where_it_was() {
        let (mut limit, mut now) = (ConcurrencyLimit::of(8), Instant::now());
        for _ in 0..20 {
            now += 2 * MOMENT;
            limit.overloaded(now - MOMENT, now);
        }
        assert_eq!(limit.calls(), 1);

        limit.answered(0);
        assert_eq!(limit.calls(), 1);
        let mut answers = 0;
        while limit.calls() < 8 {
            limit.answered(limit.calls());
            answers += 1;
        }

        // About one for each call in each of the rounds from one to seven.
        assert!((28..=40).contains(&answers), "{answers}");
    }

    proptest! {
        #[test]
        fn whatever_happens_it_is_between_one_and_what_is_configured(
            most in 0_usize..100,
            ends in proptest::collection::vec((any::<bool>(), 0_usize..100), 0..200),
        ) {
            let (mut limit, mut now) = (ConcurrencyLimit::of(most), Instant::now());
            for (is_answer, under_way) in ends {
                now += MOMENT;
                if is_answer {
                    limit.answered(under_way);
                } else {
                    limit.overloaded(now, now);
                }
                prop_assert!((1..=most.max(1)).contains(&limit.calls()));
            }
        }
    }
}
