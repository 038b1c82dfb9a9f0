use std::time::Duration;

use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use tokio::time::Instant;

use super::{
    CallOutcome, Circuit, CircuitPermit, CircuitRules, CircuitState, MIN_COOLDOWN_FRACTION,
};

const RULES: CircuitRules = CircuitRules {
    failures: 5,
    failure_rate: 0.5,
    window: Duration::from_secs(10),
    cooldown: Duration::from_secs(5),
    max_cooldown: Duration::from_secs(60),
};

const SECOND: Duration = Duration::from_secs(1);

/// Makes one call that ends at the moment it starts.
fn call(circuit: &mut Circuit, outcome: CallOutcome, now: Instant) {
    let permit = circuit.try_acquire(now).expect("a permit");
    circuit.record(&permit, outcome, now, 1.0);
}

fn calls(circuit: &mut Circuit, outcome: CallOutcome, number: u32, now: Instant) {
    for _ in 0..number {
        call(circuit, outcome, now);
    }
}

/// A circuit that has just opened, with the longest cool-down that chance allows.
fn opened(now: Instant) -> Circuit {
    let mut circuit = Circuit::new(RULES);
    calls(&mut circuit, CallOutcome::Failure, 5, now);
    assert_eq!(circuit.state(now), CircuitState::Open);
    circuit
}

#[test]
fn it_opens_at_the_fifth_failure_and_not_before() {
    let now = Instant::now();
    let mut circuit = Circuit::new(RULES);

    calls(&mut circuit, CallOutcome::Failure, 4, now);
    assert_eq!(circuit.state(now), CircuitState::Closed);
    call(&mut circuit, CallOutcome::Failure, now);

    assert_eq!(circuit.state(now), CircuitState::Open);
    assert_eq!(circuit.try_acquire(now + SECOND).err(), Some(4 * SECOND));
}

#[test]
fn failures_below_the_rate_or_older_than_the_window_do_not_open_it() {
    let now = Instant::now();
    let mut circuit = Circuit::new(RULES);
    calls(&mut circuit, CallOutcome::Success, 20, now);
    calls(&mut circuit, CallOutcome::Failure, 19, now);
    assert_eq!(circuit.state(now), CircuitState::Closed);

    let later = now + RULES.window + SECOND;
    call(&mut circuit, CallOutcome::Success, later);
    calls(&mut circuit, CallOutcome::Failure, 4, later);

    assert_eq!(circuit.state(later), CircuitState::Closed);
    call(&mut circuit, CallOutcome::Failure, later);
    assert_eq!(circuit.state(later), CircuitState::Open);
}

#[test]
fn failures_one_after_another_open_it_over_any_time() {
    let now = Instant::now();
    let mut circuit = Circuit::new(RULES);
    let at = |number: u32| now + (RULES.window + SECOND) * number;

    for number in 1..=4 {
        call(&mut circuit, CallOutcome::Failure, at(number));
        call(&mut circuit, CallOutcome::RepeatedFailure, at(number));
    }
    assert_eq!(circuit.state(at(4)), CircuitState::Closed);
    call(&mut circuit, CallOutcome::Failure, at(5));
    assert_eq!(circuit.state(at(5)), CircuitState::Open);
}

#[test]
fn a_response_restarts_the_count_and_the_failure_rate_still_applies() {
    let now = Instant::now();
    let mut circuit = Circuit::new(RULES);
    let later = now + RULES.window * 2;
    calls(&mut circuit, CallOutcome::Failure, 4, now);
    calls(&mut circuit, CallOutcome::Success, 20, later);
    calls(&mut circuit, CallOutcome::Failure, 8, later + SECOND);

    // Enough calls were answered a moment ago.
    assert_eq!(circuit.state(later + SECOND), CircuitState::Closed);
    call(&mut circuit, CallOutcome::Failure, later + RULES.window * 2);
    assert_eq!(circuit.state(later + RULES.window * 2), CircuitState::Open);
}

#[test]
fn one_call_at_a_time_tries_and_its_answer_closes_the_circuit() {
    let now = Instant::now();
    let mut circuit = opened(now);

    let then = now + RULES.cooldown;
    assert_eq!(circuit.state(then), CircuitState::HalfOpen);
    let permit = circuit.try_acquire(then).expect("the trial");
    assert_eq!(circuit.try_acquire(then).err(), Some(SECOND));
    circuit.record(&permit, CallOutcome::Success, then, 1.0);

    assert_eq!(circuit.state(then), CircuitState::Closed);
    assert!(circuit.try_acquire(then).is_ok());
}

#[test]
fn cool_downs_double_up_to_the_longest_and_restart_after_health() {
    let mut now = Instant::now();
    let mut circuit = opened(now);

    for seconds in [10, 20, 40, 60, 60] {
        now += RULES.max_cooldown;
        call(&mut circuit, CallOutcome::Failure, now);
        assert_eq!(circuit.try_acquire(now).err(), Some(seconds * SECOND));
    }
    now += RULES.max_cooldown;
    call(&mut circuit, CallOutcome::Success, now);
    calls(&mut circuit, CallOutcome::Failure, 5, now);
    assert_eq!(
        circuit.try_acquire(now).err(),
        Some(60 * SECOND),
        "it had not recovered"
    );
    now += RULES.max_cooldown;
    call(&mut circuit, CallOutcome::Success, now);
    now += RULES.window + SECOND;
    calls(&mut circuit, CallOutcome::Failure, 5, now);
    assert_eq!(circuit.try_acquire(now).err(), Some(5 * SECOND));
}

#[test]
fn a_trial_without_an_outcome_makes_room_for_the_next() {
    let now = Instant::now();
    let mut circuit = opened(now);
    let then = now + RULES.cooldown;

    for _ in 0..3 {
        call(&mut circuit, CallOutcome::Inconclusive, then);
    }

    assert_eq!(circuit.state(then), CircuitState::HalfOpen);
    call(&mut circuit, CallOutcome::Success, then);
    assert_eq!(circuit.state(then), CircuitState::Closed);
}

#[test]
fn a_call_from_before_the_circuit_opened_neither_closes_nor_prolongs_it() {
    let now = Instant::now();
    let mut circuit = Circuit::new(RULES);
    let late: Vec<CircuitPermit> = (0..2)
        .map(|_| circuit.try_acquire(now).expect("a permit"))
        .collect();
    calls(&mut circuit, CallOutcome::Failure, 5, now);
    let then = now + RULES.cooldown;
    let trial = circuit.try_acquire(then).expect("the trial");

    circuit.record(&late[0], CallOutcome::Success, then, 1.0);
    circuit.record(&late[1], CallOutcome::Failure, then, 1.0);

    assert_eq!(circuit.state(then), CircuitState::HalfOpen);
    assert!(circuit.try_acquire(then).is_err(), "the trial is in flight");
    circuit.record(&trial, CallOutcome::Success, then, 1.0);
    assert_eq!(circuit.state(then), CircuitState::Closed);
}

/// An event in the life of a circuit.
#[derive(Clone, Copy, Debug)]
enum Event {
    Passes(u64),
    Asks,
    Ends(usize, CallOutcome, f64),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let outcome = prop_oneof![
        Just(CallOutcome::Success),
        Just(CallOutcome::Failure),
        Just(CallOutcome::RepeatedFailure),
        Just(CallOutcome::Inconclusive),
    ];
    let event = prop_oneof![
        (0_u64..8_000).prop_map(Event::Passes),
        Just(Event::Asks),
        Just(Event::Asks),
        (any::<usize>(), outcome, 0.0..=1.0)
            .prop_map(|(which, outcome, chance)| Event::Ends(which, outcome, chance)),
    ];
    proptest::collection::vec(event, 0..300)
}

proptest! {
    #[test]
    fn any_events_lead_to_one_trial_at_a_time_and_a_way_back(events in events()) {
        let mut now = Instant::now();
        let mut circuit = Circuit::new(RULES);
        let mut in_flight: Vec<(CircuitPermit, bool)> = Vec::new();
        let mut failures = 0;
        for event in events {
            let before = circuit.phase();
            match event {
                Event::Passes(millis) => now += Duration::from_millis(millis),
                Event::Asks => match circuit.try_acquire(now) {
                    Ok(permit) => in_flight.push((permit, before != CircuitState::Closed)),
                    Err(wait) => prop_assert!(wait > Duration::ZERO && wait <= RULES.max_cooldown),
                },
                Event::Ends(which, outcome, chance) if !in_flight.is_empty() => {
                    let (permit, is_trial) = in_flight.swap_remove(which % in_flight.len());
                    circuit.record(&permit, outcome, now, chance);
                    if matches!(outcome, CallOutcome::Failure | CallOutcome::RepeatedFailure) && !is_trial {
                        failures += 1;
                    }
                    let opened = before == CircuitState::Closed && circuit.phase() == CircuitState::Open;
                    if opened {
                        prop_assert!(failures >= RULES.failures);
                        failures = 0;
                    }
                    if is_trial {
                        let left = circuit.try_acquire(now + LEAST_OF_ALL);
                        match outcome {
                            CallOutcome::Success => prop_assert_eq!(circuit.phase(), CircuitState::Closed),
                            CallOutcome::Failure | CallOutcome::RepeatedFailure => prop_assert_eq!(circuit.phase(), CircuitState::Open),
                            CallOutcome::Inconclusive => prop_assert!(left.is_ok(), "a trial was lost"),
                        }
                        if let Ok(permit) = left {
                            let is_trial = circuit.phase() != CircuitState::Closed;
                            in_flight.push((permit, is_trial));
                        }
                    }
                }
                Event::Ends(..) => {}
            }
            let trials = in_flight.iter().filter(|(_, is_trial)| *is_trial).count();
            prop_assert!(trials <= 1, "{trials} trials at a time");
        }
        // Every caller leaves; after the longest cool-down one response is enough.
        for (permit, _) in in_flight {
            circuit.record(&permit, CallOutcome::Inconclusive, now, 0.0);
        }
        now += RULES.max_cooldown;
        call(&mut circuit, CallOutcome::Success, now);
        prop_assert_eq!(circuit.state(now), CircuitState::Closed);
    }

    #[test]
    fn chance_only_shortens_a_cool_down_and_not_by_much(chance in 0.0..=1.0_f64) {
        let now = Instant::now();
        let mut circuit = Circuit::new(RULES);
        calls(&mut circuit, CallOutcome::Failure, 4, now);
        let permit = circuit.try_acquire(now).expect("a permit");
        circuit.record(&permit, CallOutcome::Failure, now, chance);

        let wait = circuit.try_acquire(now).expect_err("it is open");

        prop_assert!(wait <= RULES.cooldown && wait >= RULES.cooldown.mul_f64(MIN_COOLDOWN_FRACTION));
    }
}

/// Shorter than any cool-down.
const LEAST_OF_ALL: Duration = Duration::from_millis(1);
