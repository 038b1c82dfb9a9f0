//! When a provider is asked and when it is left alone. Pure: whoever uses it says what time it is.

use std::time::Duration;

use tokio::time::Instant;

/// In how many parts the window is counted: what leaves it leaves it a part at a time.
const PARTS: u64 = 10;

/// How soon to ask again while the provider is tried: nobody knows when the trial ends.
const SOON: Duration = Duration::from_secs(1);

/// The least part of a cool-down that chance leaves of it, so that replicas do not try in step.
const LEAST: f64 = 0.75;

/// When a circuit opens, and for how long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CircuitRules {
    /// How many calls must have failed within the window, or one after another over any time.
    pub failures: u32,
    /// What share of the window's calls must have failed.
    pub share: f64,
    /// How far back calls are counted.
    pub window: Duration,
    /// How long the provider is left alone at first; it doubles with each trial that fails.
    pub cooldown: Duration,
    /// How long the provider is left alone at most.
    pub longest: Duration,
}

/// Whether a provider is asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CircuitState {
    /// It is.
    Closed,
    /// It is not.
    Open,
    /// One call at a time tries whether it is well again.
    HalfOpen,
}

/// What a call says of its provider.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CallOutcome {
    /// It answers, whatever it answers.
    Answers,
    /// It fails.
    Fails,
    /// It fails for an input that has failed before, and has answered nobody since.
    FailsAgain,
    /// Nothing.
    Nothing,
}

/// The permission to ask, to be given back with what came of it.
#[derive(Debug)]
pub struct CircuitPermit(u64);

/// Whether one provider is asked, by how its calls went.
#[derive(Debug)]
pub struct Circuit {
    rules: CircuitRules,
    state: Phase,
    /// Changes with every change of state and every trial: a pass of another turn says nothing.
    turn: u64,
    /// How many cool-downs went before, without a while of health between them.
    streak: u32,
    closed: Option<Instant>,
}

#[derive(Debug)]
enum Phase {
    Closed(FailureWindow),
    Open { until: Instant },
    Trying { is_under_way: bool },
}

impl Circuit {
    /// A circuit that is closed.
    #[must_use]
    pub fn new(rules: CircuitRules) -> Self {
        Self {
            rules,
            state: Phase::Closed(FailureWindow::default()),
            turn: 0,
            streak: 0,
            closed: None,
        }
    }

    /// Whether the provider is asked at a moment.
    #[must_use]
    pub fn standing(&self, now: Instant) -> CircuitState {
        match self.state {
            Phase::Closed(_) => CircuitState::Closed,
            Phase::Open { until } if now < until => CircuitState::Open,
            Phase::Open { .. } | Phase::Trying { .. } => CircuitState::HalfOpen,
        }
    }

    /// The last change that was made: unlike [`Circuit::standing`] it does not move with the clock.
    #[must_use]
    pub fn phase(&self) -> CircuitState {
        match self.state {
            Phase::Closed(_) => CircuitState::Closed,
            Phase::Open { .. } => CircuitState::Open,
            Phase::Trying { .. } => CircuitState::HalfOpen,
        }
    }

    /// Permission to ask the provider now.
    ///
    /// # Errors
    /// How long to leave it alone.
    pub fn ask(&mut self, now: Instant) -> Result<CircuitPermit, Duration> {
        match &mut self.state {
            Phase::Closed(_) => return Ok(CircuitPermit(self.turn)),
            Phase::Open { until } if now < *until => return Err(*until - now),
            Phase::Trying { is_under_way: true } => return Err(SOON),
            Phase::Open { .. } | Phase::Trying { .. } => {}
        }
        self.enter(Phase::Trying { is_under_way: true });
        Ok(CircuitPermit(self.turn))
    }

    /// Takes back a pass with what the call says. `chance`, from 0 to 1, spreads cool-downs.
    pub fn settle(
        &mut self,
        pass: &CircuitPermit,
        verdict: CallOutcome,
        now: Instant,
        chance: f64,
    ) {
        if pass.0 != self.turn {
            return;
        }
        match (&mut self.state, verdict) {
            // No pass is of the turn of an open circuit.
            (Phase::Closed(_), CallOutcome::Nothing) | (Phase::Open { .. }, _) => {}
            (
                Phase::Closed(window),
                CallOutcome::Answers | CallOutcome::Fails | CallOutcome::FailsAgain,
            ) => {
                window.add(verdict, now, self.rules.window);
                if verdict != CallOutcome::Answers && window.is_ill(&self.rules) {
                    // A provider that fails again so soon was not well.
                    let is_soon = self.closed.is_some_and(|closed| {
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
            (Phase::Trying { .. }, CallOutcome::Answers) => {
                self.closed = Some(now);
                self.enter(Phase::Closed(FailureWindow::default()));
            }
            (Phase::Trying { .. }, CallOutcome::Fails | CallOutcome::FailsAgain) => {
                self.streak = self.streak.saturating_add(1);
                self.open(now, chance);
            }
            (Phase::Trying { is_under_way }, CallOutcome::Nothing) => *is_under_way = false,
        }
    }

    fn open(&mut self, now: Instant, chance: f64) {
        let doubled = self
            .rules
            .cooldown
            .saturating_mul(1 << self.streak.min(16))
            .min(self.rules.longest);
        let spread = LEAST + (1.0 - LEAST) * chance.clamp(0.0, 1.0);
        self.enter(Phase::Open {
            until: now + doubled.mul_f64(spread),
        });
    }

    fn enter(&mut self, state: Phase) {
        self.state = state;
        self.turn += 1;
    }
}

/// The calls of the last while, counted by parts of it, and the failures since the last answer: where
/// only one client asks now and then, no two of its calls are within the window.
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
    fn add(&mut self, verdict: CallOutcome, now: Instant, window: Duration) {
        self.consecutive_failures = match verdict {
            CallOutcome::Answers => 0,
            CallOutcome::Fails => self.consecutive_failures.saturating_add(1),
            CallOutcome::FailsAgain | CallOutcome::Nothing => self.consecutive_failures,
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
        part.failures += u32::from(verdict != CallOutcome::Answers);
    }

    fn is_ill(&self, rules: &CircuitRules) -> bool {
        let sum = |of: fn(&WindowSlice) -> u32| self.parts.iter().map(of).sum::<u32>();
        let (calls, failures) = (sum(|part| part.calls), sum(|part| part.failures));
        let most = failures.max(self.consecutive_failures);
        most >= rules.failures.max(1) && f64::from(failures) >= rules.share * f64::from(calls)
    }
}

#[cfg(test)]
mod tests;
