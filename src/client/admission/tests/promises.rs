//! No schedule of calls makes a provider count more calls than its window allows, wherever its
//! windows begin.

use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};

use proptest::prelude::*;
use tokio::time::Instant;

use super::super::{
    sliding_window::QuotaWindow,
    state::{AdmittedCall, CallEnd, LINGER, LimiterState},
};
use super::ms;
use crate::context::Priority;

/// A planned call.
#[derive(Clone, Debug)]
struct PlannedAttempt {
    /// The time since the one before.
    gap: u64,
    latency: u64,
    /// When it reaches the provider, in hundredths of its duration.
    reaches: u64,
    call_end: AttemptEnd,
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
    let call_end = prop_oneof![
        8 => Just(AttemptEnd::Answered),
        2 => Just(AttemptEnd::Lost),
        1 => Just(AttemptEnd::Unsent),
        1 => (0_u64..3_000).prop_map(AttemptEnd::Throttled),
    ];
    let class = prop_oneof![Just(Priority::Interactive), Just(Priority::Background)];
    let attempt = (0_u64..400, 0_u64..3_000, 0_u64..=100, call_end, class).prop_map(
        |(gap, latency, reaches, call_end, class)| PlannedAttempt {
            gap,
            latency,
            reaches,
            call_end,
            class,
        },
    );
    proptest::collection::vec(attempt, 1..120)
}

fn windows() -> impl Strategy<Value = Vec<QuotaWindow>> {
    let window = (1_u32..8, 1_u32..5).prop_map(|(calls, seconds)| QuotaWindow { calls, seconds });
    proptest::collection::vec(window, 1..4)
}

/// A schedule as the provider sees it: when calls reached it, by our clock.
struct PromiseRun {
    arrivals: Vec<Duration>,
    /// The spans in which the provider had asked for a pause and no call may start.
    begun: Vec<Duration>,
    closed: Vec<(Duration, Duration)>,
    /// Whether everything is returned in the end.
    is_free: bool,
}

/// The calls in flight, by their end.
type AttemptsInFlight = BinaryHeap<Reverse<(Duration, usize)>>;

struct PromiseWorld<'a> {
    state: LimiterState,
    start: Instant,
    attempts: &'a [PlannedAttempt],
    calls_in_flight: Vec<Option<AdmittedCall>>,
    run: PromiseRun,
}

impl PromiseWorld<'_> {
    /// Ends the calls that end by a moment.
    fn land(&mut self, in_flight: &mut AttemptsInFlight, by: Duration) {
        while let Some(Reverse((end, of))) = in_flight.peek().copied()
            && end <= by
        {
            in_flight.pop();
            let call_end = match self.attempts[of].call_end {
                AttemptEnd::Answered => CallEnd::Answered(None),
                AttemptEnd::Lost => CallEnd::Lost,
                AttemptEnd::Unsent => CallEnd::Unsent,
                AttemptEnd::Throttled(wait) => {
                    self.run.closed.push((end, end + ms(wait)));
                    CallEnd::Throttled(None, Some(ms(wait)))
                }
            };
            let call = self.calls_in_flight[of].take().expect("a call in flight");
            self.state.end(call, call_end, self.start + end);
        }
    }

    fn launch(&mut self, in_flight: &mut AttemptsInFlight, of: usize, at: Duration) {
        let attempt = &self.attempts[of];
        let Ok(call) = self.state.try_acquire(self.start + at, attempt.class) else {
            return;
        };
        self.calls_in_flight[of] = Some(call);
        in_flight.push(Reverse((at + ms(attempt.latency), of)));
        self.run.begun.push(at);
        let longest = match attempt.call_end {
            AttemptEnd::Unsent => return,
            // Some buffer may still hold it.
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
        state: LimiterState::new(windows, true, 1_000, start),
        start,
        attempts,
        calls_in_flight: vec![None; attempts.len()],
        run: PromiseRun {
            arrivals: Vec::new(),
            begun: Vec::new(),
            closed: Vec::new(),
            is_free: false,
        },
    };
    let (mut in_flight, mut at) = (AttemptsInFlight::new(), Duration::ZERO);
    for (of, attempt) in attempts.iter().enumerate() {
        at += ms(attempt.gap);
        world.land(&mut in_flight, at);
        world.launch(&mut in_flight, of, at);
    }
    world.land(&mut in_flight, Duration::MAX);
    let long_after = start + at + Duration::from_secs(3_600);
    let windows = world.state.windows(long_after);
    world.run.is_free = windows
        .iter()
        .all(|status| status.remaining == status.limit);
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
            prop_assert!(!early, "a call started between {from:?} and {until:?}");
        }
    }

    #[test]
    fn calls_that_go_as_early_as_possible_stay_within_the_limit(windows in windows(), calls in proptest::collection::vec((0_u64..1_000_000, any::<bool>()), 1..60)) {
        // Calls go one after another, each at the first moment at which it may: some arrive at
        // their end, some at once.
        let start = Instant::now();
        let mut state = LimiterState::new(&windows, true, 1_000, start);
        let (mut now, mut arrivals) = (start, Vec::new());
        for (latency, is_late) in calls {
            now = now.max(state.earliest(now, 1, Priority::Interactive).expect("a moment"));
            let call = state.try_acquire(now, Priority::Interactive).expect("room");
            let end = now + Duration::from_micros(latency);
            arrivals.push(if is_late { end } else { now });
            state.end(call, CallEnd::Answered(None), end);
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
        // Calls are taken as soon as possible, one after another: the last one cannot go earlier
        // than predicted.
        let start = Instant::now();
        let mut state = LimiterState::new(&windows, true, 1_000, start);
        let mut now = start;
        for (gap, latency) in gaps {
            now += ms(gap);
            if let Ok(call) = state.try_acquire(now, Priority::Interactive) {
                now += ms(latency);
                state.end(call, CallEnd::Answered(None), now);
            }
        }
        let said = state.earliest(now, turn, Priority::Interactive).expect("a moment");
        for _ in 0..turn {
            now = now.max(state.earliest(now, 1, Priority::Interactive).expect("a moment"));
            let call = state.try_acquire(now, Priority::Interactive).expect("room");
            state.end(call, CallEnd::Answered(None), now);
        }
        prop_assert!(said <= now, "{:?} too late", said - now);
    }
}
