//! The states of a circuit. Pure: callers pass the current time.

use std::time::Duration;

use tokio::time::Instant;

/// The number of parts of the window; calls leave it one part at a time.
const PARTS: u64 = 10;

/// The wait that is suggested during a trial, because nobody knows when it ends.
const TRIAL_RETRY: Duration = Duration::from_secs(1);

/// The smallest random fraction of a cool-down, which keeps replicas from trying at the same
/// moment.
const MIN_COOLDOWN_FRACTION: f64 = 0.75;

/// When a circuit opens, and for how long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CircuitRules {
    /// How many calls must have failed within the window, or in a row over any time.
    pub failures: u32,
    /// The share of the window's calls that must have failed.
    pub failure_rate: f64,
    /// The length of the window.
    pub window: Duration,
    /// The first cool-down; it doubles with each trial that fails.
    pub cooldown: Duration,
    /// The longest cool-down.
    pub max_cooldown: Duration,
}

/// Whether a circuit lets calls through.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CircuitState {
    /// It does.
    Closed,
    /// It does not.
    Open,
    /// It lets one call at a time through as a trial.
    HalfOpen,
}

/// The outcome of a call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CallOutcome {
    /// The provider responded, even if with a refusal.
    Success,
    /// The provider failed.
    Failure,
    /// The provider failed for an input that failed before, and has answered nothing since.
    RepeatedFailure,
    /// The call proves nothing.
    Inconclusive,
}

/// The permit for one call, to be returned with the call's outcome.
#[derive(Debug)]
pub struct CircuitPermit(u64);

/// The circuit of one account.
#[derive(Debug)]
pub struct Circuit {
    rules: CircuitRules,
    state: Phase,
    /// Grows with every change of state and every trial: a permit of an older generation is
    /// ignored.
    generation: u64,
    /// The number of cool-downs in a row without a healthy period between them.
    streak: u32,
    closed_at: Option<Instant>,
}

#[derive(Debug)]
enum Phase {
    Closed(FailureWindow),
    Open { until: Instant },
    HalfOpen { is_under_way: bool },
}

impl Circuit {
    /// A closed circuit.
    #[must_use]
    pub fn new(rules: CircuitRules) -> Self {
        Self {
            rules,
            state: Phase::Closed(FailureWindow::default()),
            generation: 0,
            streak: 0,
            closed_at: None,
        }
    }

    /// The state of the circuit at a moment.
    #[must_use]
    pub fn state(&self, now: Instant) -> CircuitState {
        match self.state {
            Phase::Closed(_) => CircuitState::Closed,
            Phase::Open { until } if now < until => CircuitState::Open,
            Phase::Open { .. } | Phase::HalfOpen { .. } => CircuitState::HalfOpen,
        }
    }

    /// The phase after the last change: unlike [`Circuit::state`] it does not change with the
    /// clock.
    #[must_use]
    pub fn phase(&self) -> CircuitState {
        match self.state {
            Phase::Closed(_) => CircuitState::Closed,
            Phase::Open { .. } => CircuitState::Open,
            Phase::HalfOpen { .. } => CircuitState::HalfOpen,
        }
    }

    /// How long the next call must wait; `None` when it may go through now. Unlike
    /// [`Circuit::try_acquire`] this starts no trial.
    #[must_use]
    pub fn wait(&self, now: Instant) -> Option<Duration> {
        match self.state {
            Phase::Open { until } if now < until => Some(until - now),
            Phase::HalfOpen { is_under_way: true } => Some(TRIAL_RETRY),
            Phase::Closed(_) | Phase::Open { .. } | Phase::HalfOpen { .. } => None,
        }
    }

    /// Asks for a permit to call the provider now.
    ///
    /// # Errors
    /// The time until the next call may go through.
    pub fn try_acquire(&mut self, now: Instant) -> Result<CircuitPermit, Duration> {
        if let Some(wait) = self.wait(now) {
            return Err(wait);
        }
        if !matches!(self.state, Phase::Closed(_)) {
            self.transition(Phase::HalfOpen { is_under_way: true });
        }
        Ok(CircuitPermit(self.generation))
    }

    /// Takes back a permit with the outcome of its call. `chance`, from 0 to 1, spreads cool-downs.
    pub fn record(
        &mut self,
        permit: &CircuitPermit,
        outcome: CallOutcome,
        now: Instant,
        chance: f64,
    ) {
        if permit.0 != self.generation {
            return;
        }
        match (&mut self.state, outcome) {
            // No permit has the generation of an open circuit.
            (Phase::Closed(_), CallOutcome::Inconclusive) | (Phase::Open { .. }, _) => {}
            (
                Phase::Closed(window),
                CallOutcome::Success | CallOutcome::Failure | CallOutcome::RepeatedFailure,
            ) => {
                window.add(outcome, now, self.rules.window);
                if outcome != CallOutcome::Success && window.should_open(&self.rules) {
                    // A provider that fails again so soon had not recovered.
                    let is_soon = self.closed_at.is_some_and(|closed| {
                        now.saturating_duration_since(closed) <= self.rules.window
                    });
                    self.streak = if is_soon {
                        self.streak.saturating_add(1)
                    } else {
                        0
                    };
                    self.open(now, chance);
                }
            }
            (Phase::HalfOpen { .. }, CallOutcome::Success) => {
                self.closed_at = Some(now);
                self.transition(Phase::Closed(FailureWindow::default()));
            }
            (Phase::HalfOpen { .. }, CallOutcome::Failure | CallOutcome::RepeatedFailure) => {
                self.streak = self.streak.saturating_add(1);
                self.open(now, chance);
            }
            (Phase::HalfOpen { is_under_way }, CallOutcome::Inconclusive) => *is_under_way = false,
        }
    }

    fn open(&mut self, now: Instant, chance: f64) {
        let doubled = self
            .rules
            .cooldown
            .saturating_mul(1 << self.streak.min(16))
            .min(self.rules.max_cooldown);
        let spread = MIN_COOLDOWN_FRACTION + (1.0 - MIN_COOLDOWN_FRACTION) * chance.clamp(0.0, 1.0);
        self.transition(Phase::Open {
            until: now + doubled.mul_f64(spread),
        });
    }

    fn transition(&mut self, state: Phase) {
        self.state = state;
        self.generation += 1;
    }
}

/// The calls of the window, counted by its parts, and the failures since the last response: when a
/// single client calls rarely, no two of its calls are within the window.
#[derive(Debug, Default)]
struct FailureWindow {
    began: Option<Instant>,
    consecutive_failures: u32,
    parts: [WindowSlice; PARTS as usize],
}

#[derive(Clone, Copy, Debug, Default)]
struct WindowSlice {
    number: u64,
    calls: u32,
    failures: u32,
}

impl FailureWindow {
    fn add(&mut self, outcome: CallOutcome, now: Instant, window: Duration) {
        self.consecutive_failures = match outcome {
            CallOutcome::Success => 0,
            CallOutcome::Failure => self.consecutive_failures.saturating_add(1),
            CallOutcome::RepeatedFailure | CallOutcome::Inconclusive => self.consecutive_failures,
        };
        let began = *self.began.get_or_insert(now);
        let length = (window.as_micros() / u128::from(PARTS)).max(1);
        let since = now.saturating_duration_since(began).as_micros();
        let number = u64::try_from(since / length).unwrap_or(u64::MAX);
        for part in &mut self.parts {
            if part.number.saturating_add(PARTS) <= number {
                *part = WindowSlice::default();
            }
        }
        let part = &mut self.parts[(number % PARTS) as usize];
        part.number = number;
        part.calls += 1;
        part.failures += u32::from(outcome != CallOutcome::Success);
    }

    fn should_open(&self, rules: &CircuitRules) -> bool {
        let sum = |of: fn(&WindowSlice) -> u32| self.parts.iter().map(of).sum::<u32>();
        let (calls, failures) = (sum(|part| part.calls), sum(|part| part.failures));
        let most = failures.max(self.consecutive_failures);
        most >= rules.failures.max(1)
            && f64::from(failures) >= rules.failure_rate * f64::from(calls)
    }
}

#[cfg(test)]
mod tests;
