//! The number of calls that a provider can handle at the same time, learned from how they end.
//! Pure: callers pass the current time.
//!
//! Additive increase, multiplicative decrease, as in TCP (Jacobson and Karels, "Congestion
//! Avoidance and Control", 1988) and in Netflix's concurrency-limits. Limits that follow latency
//! (TCP Vegas, that library's gradient) treat every slow response as a queue; here a page of a
//! hundred users and a lookup of one share a limit, and providers differ twentyfold between the
//! two. An overloaded provider says so or does not respond: this limit follows that.

use tokio::time::Instant;

use crate::{
    context::Priority,
    error::{Error, ErrorKind, FailureStage},
};

/// The provider's load, as the end of a call shows it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum LoadSignal {
    /// The provider responded.
    Answered,
    /// The provider was overloaded.
    Overloaded,
    /// The call proves nothing.
    Unknown,
}

impl LoadSignal {
    /// Reads the load from the end of a call. The provider is overloaded when it says so, when a
    /// proxy in front of it says so, or when nobody answers. "Too many requests" may mean too many
    /// at once as well as too many per interval; fewer at once is right for both.
    pub(super) fn of(error: Option<&Error>) -> Self {
        let Some(error) = error else {
            return Self::Answered;
        };
        match (error.kind(), error.failure_stage(), error.status()) {
            (_, FailureStage::NotSent | FailureStage::CancelledEarly, _)
            | (ErrorKind::TooLarge | ErrorKind::Overloaded, ..) => Self::Unknown,
            (ErrorKind::Throttled | ErrorKind::TimedOut | ErrorKind::DeadlineExceeded, ..)
            | (ErrorKind::Unavailable, _, Some(502..=504 | 529)) => Self::Overloaded,
            (_, _, Some(status)) if status < 500 => Self::Answered,
            _ => Self::Unknown,
        }
    }
}

/// The fraction of the limit that remains after an overload (as in CUBIC).
const DECREASE_FACTOR: f64 = 0.7;

/// The number of calls that may be in flight.
#[derive(Debug)]
pub(super) struct AimdLimit {
    max: f64,
    current: f64,
    shrunk: Option<Instant>,
}

impl AimdLimit {
    /// Starts at `most` calls, the configured number, and never exceeds it.
    pub(super) fn with_max(most: u32) -> Self {
        let max = f64::from(most.max(1));
        Self {
            max,
            current: max,
            shrunk: None,
        }
    }

    /// The number of calls that may be in flight, at least one.
    pub(super) fn calls(&self) -> u32 {
        self.current as u32
    }

    /// The number of calls of a class that may be in flight. Background work leaves one slot free,
    /// if there is more than one.
    pub(super) fn slots(&self, class: Priority) -> u32 {
        match class {
            Priority::Interactive => self.calls(),
            Priority::Background => (self.calls() - 1).max(1),
        }
    }

    /// Notes the end of a call that was admitted at `began`, while `in_flight` calls were in
    /// flight, itself included.
    pub(super) fn record(
        &mut self,
        signal: LoadSignal,
        in_flight: u32,
        (began, now): (Instant, Instant),
    ) {
        match signal {
            LoadSignal::Answered => self.answered(in_flight),
            LoadSignal::Overloaded => self.overloaded(began, now),
            LoadSignal::Unknown => {}
        }
    }

    /// Notes a response. A limit that was not reached was not tested. It grows by one in the time in
    /// which all calls that it allows are answered.
    fn answered(&mut self, in_flight: u32) {
        if in_flight >= self.calls() {
            self.current = (self.current + 1.0 / self.current).min(self.max);
        }
    }

    /// Notes that a call met an overload. A call that began before the last reduction adds nothing
    /// to it.
    fn overloaded(&mut self, began: Instant, now: Instant) {
        if self.shrunk.is_none_or(|shrunk| began > shrunk) {
            self.current = (self.current * DECREASE_FACTOR).max(1.0);
            self.shrunk = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::{any, prop_assert, proptest};
    use tokio::time::Instant;

    use super::{AimdLimit, LoadSignal};
    use crate::{
        context::Priority,
        error::{Error, ErrorKind, FailureStage},
    };

    const MOMENT: Duration = Duration::from_millis(1);

    #[test]
    fn a_provider_is_overloaded_when_it_says_so_or_nobody_answers() {
        let said = |kind, status| LoadSignal::of(Some(&Error::new(kind, "").with_status(status)));

        assert_eq!(said(ErrorKind::Throttled, 429), LoadSignal::Overloaded);
        assert_eq!(said(ErrorKind::Unavailable, 503), LoadSignal::Overloaded);
        assert_eq!(
            LoadSignal::of(Some(&Error::deadline_exceeded())),
            LoadSignal::Overloaded
        );
        assert_eq!(said(ErrorKind::Unavailable, 500), LoadSignal::Unknown);
        let early = Error::deadline_exceeded().at_stage(FailureStage::CancelledEarly);
        assert_eq!(LoadSignal::of(Some(&early)), LoadSignal::Unknown);
        assert_eq!(
            LoadSignal::of(Some(&Error::new(ErrorKind::Unavailable, ""))),
            LoadSignal::Unknown
        );
        assert_eq!(said(ErrorKind::Missing, 404), LoadSignal::Answered);
        assert_eq!(LoadSignal::of(None), LoadSignal::Answered);
    }

    #[test]
    fn background_work_leaves_one_slot_free_if_there_is_more_than_one() {
        let slots = |max| AimdLimit::with_max(max).slots(Priority::Background);

        assert_eq!([1, 2, 8].map(slots), [1, 1, 7]);
        assert_eq!(AimdLimit::with_max(8).slots(Priority::Interactive), 8);
    }

    #[test]
    fn a_provider_that_responds_keeps_the_configured_limit() {
        let mut limit = AimdLimit::with_max(8);

        for in_flight in (1..=8).cycle().take(10_000) {
            limit.answered(in_flight);
            assert_eq!(limit.calls(), 8);
        }
    }

    #[test]
    fn calls_that_were_in_flight_together_shrink_it_once() {
        let (mut limit, began) = (AimdLimit::with_max(8), Instant::now());

        for n in 1..=8 {
            limit.overloaded(began, began + n * MOMENT);
        }
        assert_eq!(limit.calls(), 5);
        limit.overloaded(began + 9 * MOMENT, began + 10 * MOMENT);

        assert_eq!(limit.calls(), 3);
    }

    #[test]
    fn it_grows_only_when_it_is_used_up_and_back_to_where_it_was() {
        let (mut limit, mut now) = (AimdLimit::with_max(8), Instant::now());
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

        // About one response per call, in each round from one to seven.
        assert!((28..=40).contains(&answers), "{answers}");
    }

    proptest! {
        #[test]
        fn it_stays_between_one_and_the_configured_limit(
            most in 0_u32..100,
            ends in proptest::collection::vec((any::<bool>(), 0_u32..100), 0..200),
        ) {
            let (mut limit, mut now) = (AimdLimit::with_max(most), Instant::now());
            for (is_answer, in_flight) in ends {
                now += MOMENT;
                if is_answer {
                    limit.answered(in_flight);
                } else {
                    limit.overloaded(now, now);
                }
                prop_assert!((1..=most.max(1)).contains(&limit.calls()));
            }
        }
    }
}
