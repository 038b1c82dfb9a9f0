use std::time::Duration;

use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use tokio::time::Instant;

use super::{CallOutcome, Circuit, CircuitPermit, CircuitRules, CircuitState, LEAST};

const RULES: CircuitRules = CircuitRules {
    failures: 5,
    share: 0.5,
    window: Duration::from_secs(10),
    cooldown: Duration::from_secs(5),
    longest: Duration::from_secs(60),
};

const SECOND: Duration = Duration::from_secs(1);

/// One call, asked and answered at the same moment.
fn call(circuit: &mut Circuit, verdict: CallOutcome, now: Instant) {
    let pass = circuit.ask(now).expect("a pass");
    circuit.settle(&pass, verdict, now, 1.0);
}

fn calls(circuit: &mut Circuit, verdict: CallOutcome, number: u32, now: Instant) {
    for _ in 0..number {
        call(circuit, verdict, now);
    }
}

/// A circuit that has just opened, for the longest that chance leaves.
fn opened(now: Instant) -> Circuit {
    let mut circuit = Circuit::new(RULES);
    calls(&mut circuit, CallOutcome::Fails, 5, now);
    assert_eq!(circuit.standing(now), CircuitState::Open);
    circuit
}

#[test]
fn it_opens_at_the_fifth_failure_and_not_before() {
    let now = Instant::now();
    let mut circuit = Circuit::new(RULES);

    calls(&mut circuit, CallOutcome::Fails, 4, now);
    assert_eq!(circuit.standing(now), CircuitState::Closed);
    call(&mut circuit, CallOutcome::Fails, now);

    assert_eq!(circuit.standing(now), CircuitState::Open);
    assert_eq!(circuit.ask(now + SECOND).err(), Some(4 * SECOND));
}

#[test]
fn failures_that_are_less_than_the_share_or_older_than_the_window_do_not_open_it() {
    let now = Instant::now();
    let mut circuit = Circuit::new(RULES);
    calls(&mut circuit, CallOutcome::Answers, 20, now);
    calls(&mut circuit, CallOutcome::Fails, 19, now);
    assert_eq!(circuit.standing(now), CircuitState::Closed);

    let later = now + RULES.window + SECOND;
    call(&mut circuit, CallOutcome::Answers, later);
    calls(&mut circuit, CallOutcome::Fails, 4, later);

    assert_eq!(circuit.standing(later), CircuitState::Closed);
    call(&mut circuit, CallOutcome::Fails, later);
    assert_eq!(circuit.standing(later), CircuitState::Open);
}

#[test]
fn failures_one_after_another_open_it_over_any_time() {
    let now = Instant::now();
    let mut circuit = Circuit::new(RULES);
    let at = |number: u32| now + (RULES.window + SECOND) * number;

    for number in 1..=4 {
        call(&mut circuit, CallOutcome::Fails, at(number));
        call(&mut circuit, CallOutcome::FailsAgain, at(number));
    }
    assert_eq!(circuit.standing(at(4)), CircuitState::Closed);
    call(&mut circuit, CallOutcome::Fails, at(5));
    assert_eq!(circuit.standing(at(5)), CircuitState::Open);
}

#[test]
fn an_answer_begins_the_count_anew_and_the_share_still_holds() {
    let now = Instant::now();
    let mut circuit = Circuit::new(RULES);
    let later = now + RULES.window * 2;
    calls(&mut circuit, CallOutcome::Fails, 4, now);
    calls(&mut circuit, CallOutcome::Answers, 20, later);
    calls(&mut circuit, CallOutcome::Fails, 8, later + SECOND);

    // So many were answered a moment ago.
    assert_eq!(circuit.standing(later + SECOND), CircuitState::Closed);
    call(&mut circuit, CallOutcome::Fails, later + RULES.window * 2);
    assert_eq!(
        circuit.standing(later + RULES.window * 2),
        CircuitState::Open
    );
}

#[test]
fn one_call_at_a_time_tries_and_its_answer_closes_the_circuit() {
    let now = Instant::now();
    let mut circuit = opened(now);

    let then = now + RULES.cooldown;
    assert_eq!(circuit.standing(then), CircuitState::HalfOpen);
    let pass = circuit.ask(then).expect("the trial");
    assert_eq!(circuit.ask(then).err(), Some(SECOND));
    circuit.settle(&pass, CallOutcome::Answers, then, 1.0);

    assert_eq!(circuit.standing(then), CircuitState::Closed);
    assert!(circuit.ask(then).is_ok());
}

#[test]
fn cool_downs_double_up_to_the_longest_and_begin_anew_after_health() {
    let mut now = Instant::now();
    let mut circuit = opened(now);

    for seconds in [10, 20, 40, 60, 60] {
        now += RULES.longest;
        call(&mut circuit, CallOutcome::Fails, now);
        assert_eq!(circuit.ask(now).err(), Some(seconds * SECOND));
    }
    now += RULES.longest;
    call(&mut circuit, CallOutcome::Answers, now);
    calls(&mut circuit, CallOutcome::Fails, 5, now);
    assert_eq!(circuit.ask(now).err(), Some(60 * SECOND), "it was not well");
    now += RULES.longest;
    call(&mut circuit, CallOutcome::Answers, now);
    now += RULES.window + SECOND;
    calls(&mut circuit, CallOutcome::Fails, 5, now);
    assert_eq!(circuit.ask(now).err(), Some(5 * SECOND));
}

#[test]
fn a_trial_that_says_nothing_leaves_its_place_to_the_next() {
    let now = Instant::now();
    let mut circuit = opened(now);
    let then = now + RULES.cooldown;

    for _ in 0..3 {
        call(&mut circuit, CallOutcome::Nothing, then);
    }

    assert_eq!(circuit.standing(then), CircuitState::HalfOpen);
    call(&mut circuit, CallOutcome::Answers, then);
    assert_eq!(circuit.standing(then), CircuitState::Closed);
}

#[test]
fn what_was_asked_before_the_circuit_opened_neither_closes_nor_prolongs_it() {
    let now = Instant::now();
    let mut circuit = Circuit::new(RULES);
    let late: Vec<CircuitPermit> = (0..2).map(|_| circuit.ask(now).expect("a pass")).collect();
    calls(&mut circuit, CallOutcome::Fails, 5, now);
    let then = now + RULES.cooldown;
    let trial = circuit.ask(then).expect("the trial");

    circuit.settle(&late[0], CallOutcome::Answers, then, 1.0);
    circuit.settle(&late[1], CallOutcome::Fails, then, 1.0);

    assert_eq!(circuit.standing(then), CircuitState::HalfOpen);
    assert!(circuit.ask(then).is_err(), "the trial is under way");
    circuit.settle(&trial, CallOutcome::Answers, then, 1.0);
    assert_eq!(circuit.standing(then), CircuitState::Closed);
}

/// What befalls a circuit.
#[derive(Clone, Copy, Debug)]
enum Event {
    Passes(u64),
    Asks,
    Ends(usize, CallOutcome, f64),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let verdict = prop_oneof![
        Just(CallOutcome::Answers),
        Just(CallOutcome::Fails),
        Just(CallOutcome::FailsAgain),
        Just(CallOutcome::Nothing),
    ];
    let event = prop_oneof![
        (0_u64..8_000).prop_map(Event::Passes),
        Just(Event::Asks),
        Just(Event::Asks),
        (any::<usize>(), verdict, 0.0..=1.0)
            .prop_map(|(which, verdict, chance)| Event::Ends(which, verdict, chance)),
    ];
    proptest::collection::vec(event, 0..300)
}

proptest! {
    #[test]
    fn whatever_befalls_it_there_is_one_trial_at_a_time_and_a_way_back(events in events()) {
        let mut now = Instant::now();
        let mut circuit = Circuit::new(RULES);
        let mut under_way: Vec<(CircuitPermit, bool)> = Vec::new();
        let mut failures = 0;
        for event in events {
            let before = circuit.phase();
            match event {
                Event::Passes(millis) => now += Duration::from_millis(millis),
                Event::Asks => match circuit.ask(now) {
                    Ok(pass) => under_way.push((pass, before != CircuitState::Closed)),
                    Err(wait) => prop_assert!(wait > Duration::ZERO && wait <= RULES.longest),
                },
                Event::Ends(which, verdict, chance) if !under_way.is_empty() => {
                    let (pass, is_trial) = under_way.swap_remove(which % under_way.len());
                    circuit.settle(&pass, verdict, now, chance);
                    if matches!(verdict, CallOutcome::Fails | CallOutcome::FailsAgain) && !is_trial {
                        failures += 1;
                    }
                    let opened = before == CircuitState::Closed && circuit.phase() == CircuitState::Open;
                    if opened {
                        prop_assert!(failures >= RULES.failures);
                        failures = 0;
                    }
                    if is_trial {
                        let left = circuit.ask(now + LEAST_OF_ALL);
                        match verdict {
                            CallOutcome::Answers => prop_assert_eq!(circuit.phase(), CircuitState::Closed),
                            CallOutcome::Fails | CallOutcome::FailsAgain => prop_assert_eq!(circuit.phase(), CircuitState::Open),
                            CallOutcome::Nothing => prop_assert!(left.is_ok(), "a trial was lost"),
                        }
                        if let Ok(pass) = left {
                            let is_trial = circuit.phase() != CircuitState::Closed;
                            under_way.push((pass, is_trial));
                        }
                    }
                }
                Event::Ends(..) => {}
            }
            let trials = under_way.iter().filter(|(_, is_trial)| *is_trial).count();
            prop_assert!(trials <= 1, "{trials} trials at a time");
        }
        // Whoever asked goes away; after the longest cool-down one answer is enough.
        for (pass, _) in under_way {
            circuit.settle(&pass, CallOutcome::Nothing, now, 0.0);
        }
        now += RULES.longest;
        call(&mut circuit, CallOutcome::Answers, now);
        prop_assert_eq!(circuit.standing(now), CircuitState::Closed);
    }

    #[test]
    fn chance_only_shortens_a_cool_down_and_not_by_much(chance in 0.0..=1.0_f64) {
        let now = Instant::now();
        let mut circuit = Circuit::new(RULES);
        calls(&mut circuit, CallOutcome::Fails, 4, now);
        let pass = circuit.ask(now).expect("a pass");
        circuit.settle(&pass, CallOutcome::Fails, now, chance);

        let wait = circuit.ask(now).expect_err("it is open");

        prop_assert!(wait <= RULES.cooldown && wait >= RULES.cooldown.mul_f64(LEAST));
    }
}

/// Less than any cool-down.
const LEAST_OF_ALL: Duration = Duration::from_millis(1);
