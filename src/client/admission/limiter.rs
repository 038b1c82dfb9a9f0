//! The queue of attempts that wait to be admitted: first come, first served within a class, and
//! interactive work before background work.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use super::{
    concurrency::LoadSignal,
    replicas,
    state::{AdmittedCall, CallEnd, LimiterState, WaitReason, WindowStatus},
};
use crate::{
    client::attempt::AttemptProgress,
    context::Priority,
    error::{Error, ErrorKind, FailureStage, Result},
    shared::budget::SharedBudget,
};

/// How long the store's answer on when there is budget again is used.
const ANSWER_LIFETIME: Duration = Duration::from_secs(5);

/// An account's budget and the calls that wait for it.
pub(super) struct RateLimiter {
    state: Mutex<Waiters>,
    /// The budget that all replicas share; `None` when this gateway runs alone.
    pub(super) shared: Option<SharedBudget>,
}

pub(super) struct Waiters {
    pub(super) budget: LimiterState,
    /// The waiting calls, by class.
    queues: [VecDeque<Waiter>; 2],
    next: u64,
    /// Whether the store is unavailable, and only a share of the budget is ours.
    pub(super) is_store_away: bool,
    /// The number of ended calls that the store does not know.
    pub(super) unreported_calls: u32,
    /// For each class, when the store has budget again, and when it said so.
    pub(super) not_before: [Option<(Instant, Instant)>; 2],
    /// The calls left of each window, as the store reported them, and when it did.
    pub(super) remaining: Option<(Instant, Vec<u32>)>,
}

struct Waiter {
    number: u64,
    wakeup: Arc<Notify>,
}

/// The next step of a waiting call.
enum AdmissionStep {
    Go(AdmittedCall),
    /// Look again at this moment at the latest.
    Wait(Instant),
    /// Waiting is pointless.
    Fail(Error),
}

impl Waiters {
    fn queue(&mut self, class: Priority) -> &mut VecDeque<Waiter> {
        &mut self.queues[class as usize]
    }

    /// The number of calls ahead of one.
    fn queue_position(&self, class: Priority, number: u64) -> u32 {
        let queue = &self.queues[class as usize];
        let place = queue.partition_point(|waiter| waiter.number < number);
        let before = match class {
            Priority::Interactive => 0,
            Priority::Background => self.queues[Priority::Interactive as usize].len(),
        };
        u32::try_from(before + place).unwrap_or(u32::MAX - 1)
    }

    /// Wakes the next call.
    fn wake_next(&self) {
        if let Some(first) = self.queues.iter().find_map(VecDeque::front) {
            first.wakeup.notify_one();
        }
    }

    pub(super) fn wake_all(&self) {
        let all = self.queues.iter().flatten();
        all.for_each(|waiter| waiter.wakeup.notify_one());
    }

    fn next_admission(&mut self, class: Priority, number: u64, deadline: Instant) -> AdmissionStep {
        let (now, ahead) = (Instant::now(), self.queue_position(class, number));
        // The store is asked again soon: replicas return leases, and stores are cleared.
        let not_before = self.not_before[class as usize]
            .filter(|(moment, said)| *moment > now && now - *said < ANSWER_LIFETIME);
        let ask_again = not_before.map(|(moment, said)| moment.min(said + ANSWER_LIFETIME));
        let moment = match ahead {
            0 if not_before.is_some() => not_before.map(|(moment, _)| moment),
            0 => match self.budget.try_acquire(now, class) {
                Ok(call) => return AdmissionStep::Go(call),
                Err(WaitReason::ConcurrencyFull) => Some(now),
                Err(WaitReason::Until(moment)) => moment,
            },
            _ => self.budget.earliest(now, ahead + 1, class),
        };
        match moment {
            Some(moment) if moment <= deadline && now < deadline => {
                let is_next = ahead == 0 && moment > now;
                let until = if is_next { moment } else { deadline };
                AdmissionStep::Wait(ask_again.map_or(until, |at| until.min(at)))
            }
            // Other calls took the time.
            Some(moment) if moment <= now => {
                AdmissionStep::Fail(Error::deadline_exceeded().at_stage(FailureStage::NotSent))
            }
            moment => AdmissionStep::Fail(used_up(moment, now)),
        }
    }
}

/// The error of a call that would have to wait for budget until `moment`.
fn used_up(moment: Option<Instant>, now: Instant) -> Error {
    let Some(moment) = moment else {
        let message =
            "the gateway's budget for this provider leaves nothing for work in the background";
        return Error::new(ErrorKind::Throttled, message).at_stage(FailureStage::NotSent);
    };
    let wait = moment.saturating_duration_since(now);
    let until = Timestamp::now().checked_add(wait).unwrap_or(Timestamp::MAX);
    let until = until.round(jiff::Unit::Second).unwrap_or(until);
    let message = format!("the gateway's budget for this provider is used up until {until}");
    Error::new(ErrorKind::Throttled, message)
        .with_retry_after(Some(wait))
        .at_stage(FailureStage::NotSent)
}

/// A place in the queue. Dropping it wakes the next call.
struct WaiterGuard<'a> {
    limiter: &'a RateLimiter,
    class: Priority,
    number: u64,
    wakeup: Arc<Notify>,
}

impl Drop for WaiterGuard<'_> {
    fn drop(&mut self) {
        let mut state = self.limiter.state();
        let number = self.number;
        let queue = state.queue(self.class);
        let place = queue.partition_point(|waiter| waiter.number < number);
        queue.remove(place);
        state.wake_next();
    }
}

impl RateLimiter {
    pub(super) fn new(budget: LimiterState, shared: Option<SharedBudget>) -> Self {
        let state = Waiters {
            budget,
            queues: Default::default(),
            next: 0,
            is_store_away: false,
            unreported_calls: 0,
            not_before: [None; 2],
            remaining: None,
        };
        Self {
            state: Mutex::new(state),
            shared,
        }
    }

    /// The number of calls that may be in flight now, and of those that are.
    pub(super) fn concurrency(&self) -> (u32, u32) {
        self.state().budget.concurrency()
    }

    pub(super) fn state(&self) -> MutexGuard<'_, Waiters> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enqueue(&self, class: Priority) -> WaiterGuard<'_> {
        let wakeup = Arc::new(Notify::new());
        let mut state = self.state();
        let number = state.next;
        state.next += 1;
        let waiter = Waiter {
            number,
            wakeup: Arc::clone(&wakeup),
        };
        state.queue(class).push_back(waiter);
        drop(state);
        WaiterGuard {
            limiter: self,
            class,
            number,
            wakeup,
        }
    }

    /// Waits for a permit until the deadline; fails at once when it cannot get one by then.
    pub(super) async fn admit(
        self: &Arc<Self>,
        class: Priority,
        deadline: Instant,
        progress: Arc<AttemptProgress>,
    ) -> Result<RatePermit> {
        let place = self.enqueue(class);
        loop {
            let admission = self.state().next_admission(class, place.number, deadline);
            match admission {
                AdmissionStep::Go(call) => {
                    let mut permit = RatePermit {
                        limiter: Arc::clone(self),
                        call: Some(call),
                        progress: Arc::clone(&progress),
                        lease: None,
                    };
                    if self.reserve(&mut permit, class, deadline).await {
                        return Ok(permit);
                    }
                }
                AdmissionStep::Fail(error) => return Err(error),
                AdmissionStep::Wait(until) => tokio::select! {
                    () = sleep_until(until) => {}
                    () = place.wakeup.notified() => {}
                },
            }
        }
    }

    fn end(&self, call: AdmittedCall, (end, load): (CallEnd, LoadSignal), lease: Option<u64>) {
        let now = Instant::now();
        let mut state = self.state();
        state.budget.record_load(call, load, now);
        let is_closed = state.budget.end(call, end, now);
        if let Some(shared) = &self.shared {
            let closed = state.budget.closed(now).filter(|_| is_closed);
            let closes = closed.map_or(Duration::ZERO, |until| until.duration_since(now));
            match lease {
                Some(lease) if !state.is_store_away => {
                    shared.release(lease, replicas::lease_end(end, closes))
                }
                // The lease, if it exists, expires.
                _ if end != CallEnd::Unsent => state.unreported_calls += 1,
                _ => {}
            }
        }
        if is_closed {
            // Some waiting calls can now fail at once.
            state.wake_all();
        } else {
            state.wake_next();
        }
    }

    /// The status of every window.
    pub(super) fn windows(&self) -> Vec<WindowStatus> {
        let now = Instant::now();
        let mut state = self.state();
        let mut windows = state.budget.windows(now);
        // The other replicas spend too; an answer older than the window's span proves nothing.
        if let Some((at, left)) = &state.remaining {
            for (window, left) in windows.iter_mut().zip(left) {
                let span = Duration::from_secs(u64::from(window.seconds.unwrap_or(0)));
                if *at + span > now {
                    window.remaining = window.remaining.min(*left);
                    window.resets_at = window.resets_at.or(Some(*at + span));
                }
            }
        }
        windows
    }
}

/// The right to make one call. Returned when the call ends or is cancelled.
pub(super) struct RatePermit {
    limiter: Arc<RateLimiter>,
    call: Option<AdmittedCall>,
    progress: Arc<AttemptProgress>,
    pub(super) lease: Option<u64>,
}

impl RatePermit {
    /// The progress of the call.
    #[cfg(test)]
    pub(super) fn progress(&self) -> Arc<AttemptProgress> {
        Arc::clone(&self.progress)
    }

    /// Notes the end of the call. `throttled` holds the wait that a 429 asked for.
    pub(super) fn end(mut self, throttled: Option<Option<Duration>>, load: LoadSignal) {
        let quota = self.progress.quota();
        let end = match throttled {
            Some(wait) if self.progress.is_answered() => CallEnd::Throttled(quota, wait),
            _ => self.call_end(),
        };
        if let Some(call) = self.call.take() {
            self.limiter.end(call, (end, load), self.lease);
        }
    }

    fn call_end(&self) -> CallEnd {
        if self.progress.is_answered() {
            CallEnd::Answered(self.progress.quota())
        } else if self.progress.is_sent() {
            CallEnd::Lost
        } else {
            CallEnd::Unsent
        }
    }
}

impl Drop for RatePermit {
    fn drop(&mut self) {
        if let Some(call) = self.call.take() {
            let end = (self.call_end(), LoadSignal::Unknown);
            self.limiter.end(call, end, self.lease);
        }
    }
}
