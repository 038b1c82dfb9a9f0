//! No schedule of calls makes the provider count more than its window holds, wherever its windows begin.

use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};

use proptest::prelude::*;
use tokio::time::Instant;

use super::super::{
    sliding_window::QuotaWindow,
    state::{AdmittedCall, CallEnd, LINGER, LimiterState},
};
use super::ms;
use crate::client::Priority;

/// A call as it will go, if it is let through.
#[derive(Clone, Debug)]
struct PlannedAttempt {
    /// After the one before.
    gap: u64,
    latency: u64,
    /// Where between start and end it reaches the provider, in hundredths.
    reaches: u64,
    fate: AttemptEnd,
    class: Priority,
}

#[derive(Clone, Copy, Debug)]
enum AttemptEnd {
    Answered,
    Lost,
    Unsent,
    Throttled(u64),
}

fn attempts() -> impl Strategy<Value = Vec<PlannedAttempt>> {
    let fate = prop_oneof![
        8 => Just(AttemptEnd::Answered),
        2 => Just(AttemptEnd::Lost),
        1 => Just(AttemptEnd::Unsent),
        1 => (0_u64..3_000).prop_map(AttemptEnd::Throttled),
    ];
    let class = prop_oneof![Just(Priority::Interactive), Just(Priority::Background)];
    let attempt = (0_u64..400, 0_u64..3_000, 0_u64..=100, fate, class).prop_map(
        |(gap, latency, reaches, fate, class)| PlannedAttempt {
            gap,
            latency,
            reaches,
            fate,
            class,
        },
    );
    proptest::collection::vec(attempt, 1..120)
}

fn windows() -> impl Strategy<Value = Vec<QuotaWindow>> {
    let window = (1_u32..8, 1_u32..5).prop_map(|(calls, seconds)| QuotaWindow { calls, seconds });
    proptest::collection::vec(window, 1..4)
}

/// A provider's view of a schedule: when calls reached it, by our clock.
struct PromiseRun {
    arrivals: Vec<Duration>,
    /// The spans in which the provider had asked to be left alone, and no call was begun.
    begun: Vec<Duration>,
    closed: Vec<(Duration, Duration)>,
    /// Whether everything is given back in the end.
    is_free: bool,
}

/// The calls under way, by when they end.
type AttemptsInFlight = BinaryHeap<Reverse<(Duration, usize)>>;

struct PromiseWorld<'a> {
    book: LimiterState,
    start: Instant,
    attempts: &'a [PlannedAttempt],
    passes: Vec<Option<AdmittedCall>>,
    run: PromiseRun,
}

impl PromiseWorld<'_> {
    /// Ends what ends by a moment.
    fn land(&mut self, flying: &mut AttemptsInFlight, by: Duration) {
        while let Some(Reverse((end, of))) = flying.peek().copied()
            && end <= by
        {
            flying.pop();
            let fate = match self.attempts[of].fate {
                AttemptEnd::Answered => CallEnd::Answered(None),
                AttemptEnd::Lost => CallEnd::Lost,
                AttemptEnd::Unsent => CallEnd::Unsent,
                AttemptEnd::Throttled(wait) => {
                    self.run.closed.push((end, end + ms(wait)));
                    CallEnd::Throttled(None, Some(ms(wait)))
                }
            };
            let pass = self.passes[of].take().expect("a pass");
            self.book.end(pass, fate, self.start + end);
        }
    }

    fn launch(&mut self, flying: &mut AttemptsInFlight, of: usize, at: Duration) {
        let attempt = &self.attempts[of];
        let Ok(pass) = self.book.take(self.start + at, attempt.class) else {
            return;
        };
        self.passes[of] = Some(pass);
        flying.push(Reverse((at + ms(attempt.latency), of)));
        self.run.begun.push(at);
        let longest = match attempt.fate {
            AttemptEnd::Unsent => return,
            // It may still be in some buffer.
            AttemptEnd::Lost => ms(attempt.latency) + LINGER,
            AttemptEnd::Answered | AttemptEnd::Throttled(_) => ms(attempt.latency),
        };
        self.run
            .arrivals
            .push(at + longest.mul_f64(attempt.reaches as f64 / 100.0));
    }
}

fn run(windows: &[QuotaWindow], attempts: &[PlannedAttempt]) -> PromiseRun {
    let start = Instant::now();
    let mut world = PromiseWorld {
        book: LimiterState::new(windows, true, 1_000, start),
        start,
        attempts,
        passes: vec![None; attempts.len()],
        run: PromiseRun {
            arrivals: Vec::new(),
            begun: Vec::new(),
            closed: Vec::new(),
            is_free: false,
        },
    };
    let (mut flying, mut at) = (AttemptsInFlight::new(), Duration::ZERO);
    for (of, attempt) in attempts.iter().enumerate() {
        at += ms(attempt.gap);
        world.land(&mut flying, at);
        world.launch(&mut flying, of, at);
    }
    world.land(&mut flying, Duration::MAX);
    let long_after = start + at + Duration::from_secs(3_600);
    let stands = world.book.stands(long_after);
    world.run.is_free = stands.iter().all(|stand| stand.remaining == stand.limit);
    world.run.arrivals.sort_unstable();
    world.run
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn no_span_sees_more_arrivals_than_its_window_has_calls(windows in windows(), attempts in attempts()) {
        let run = run(&windows, &attempts);

        for QuotaWindow { calls, seconds } in windows {
            let span = Duration::from_secs(u64::from(seconds));
            for (place, first) in run.arrivals.iter().enumerate() {
                let within = run.arrivals[place..].iter().take_while(|at| **at < *first + span);
                prop_assert!(within.count() <= calls as usize, "{calls} in {seconds} s from {first:?}");
            }
        }
        prop_assert!(run.is_free);
        for (from, until) in run.closed {
            let early = run.begun.iter().any(|at| (from..until).contains(at) && *at > from);
            prop_assert!(!early, "a call was begun between {from:?} and {until:?}");
        }
    }

    #[test]
    fn calls_that_go_at_the_first_moment_they_may_are_not_too_many(windows in windows(), calls in proptest::collection::vec((0_u64..1_000_000, any::<bool>()), 1..60)) {
        // One after another, each at the very moment at which it may: some arrive at their end, some at once.
        let start = Instant::now();
        let mut book = LimiterState::new(&windows, true, 1_000, start);
        let (mut now, mut arrivals) = (start, Vec::new());
        for (latency, is_late) in calls {
            now = now.max(book.earliest(now, 1, Priority::Interactive).expect("a moment"));
            let pass = book.take(now, Priority::Interactive).expect("room");
            let end = now + Duration::from_micros(latency);
            arrivals.push(if is_late { end } else { now });
            book.end(pass, CallEnd::Answered(None), end);
            now = end;
        }
        for QuotaWindow { calls, seconds } in windows {
            let span = Duration::from_secs(u64::from(seconds));
            for (place, first) in arrivals.iter().enumerate() {
                let within = arrivals[place..].iter().take_while(|at| **at < *first + span);
                prop_assert!(within.count() <= calls as usize);
            }
        }
    }

    #[test]
    fn the_earliest_moment_is_never_too_late(windows in windows(), gaps in proptest::collection::vec((0_u64..1_500, 0_u64..800), 1..30), turn in 1_u32..20) {
        // Calls are taken as soon as they can be, one after another: the last cannot be earlier than it was said to be.
        let start = Instant::now();
        let mut book = LimiterState::new(&windows, true, 1_000, start);
        let mut now = start;
        for (gap, latency) in gaps {
            now += ms(gap);
            if let Ok(pass) = book.take(now, Priority::Interactive) {
                now += ms(latency);
                book.end(pass, CallEnd::Answered(None), now);
            }
        }
        let said = book.earliest(now, turn, Priority::Interactive).expect("a moment");
        for _ in 0..turn {
            now = now.max(book.earliest(now, 1, Priority::Interactive).expect("a moment"));
            let pass = book.take(now, Priority::Interactive).expect("room");
            book.end(pass, CallEnd::Answered(None), now);
        }
        prop_assert!(said <= now, "{:?} too late", said - now);
    }
}
