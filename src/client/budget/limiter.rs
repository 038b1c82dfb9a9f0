//! Where calls wait for a provider's budget: in the order in which they came, work for which somebody
//! waits before work for which nobody does.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use tokio::{
    sync::Notify,
    time::{Instant, sleep, sleep_until},
};

use super::{
    redis::{RedisRateLimiter, StoreAnswer},
    state::{AdmittedCall, CallEnd, LimiterState, WaitReason, WindowStatus},
};
use crate::{
    client::{Priority, request::AttemptProgress},
    error::{Error, ErrorKind, FailureStage, Result},
};

/// For how long the store's word on when there is budget again is believed.
const BELIEVED: Duration = Duration::from_secs(5);

/// A provider's budget and those who wait for it.
pub(super) struct RateLimiter {
    state: Mutex<Waiters>,
    /// The account that all replicas spend from; `None` where this gateway is alone.
    common: Option<RedisRateLimiter>,
}

/// How long all replicas have to tell a store that is back what they spent without it.
const SETTLE: Duration = Duration::from_secs(1);

struct Waiters {
    book: LimiterState,
    /// Who waits, by class.
    lines: [VecDeque<Waiter>; 2],
    next: u64,
    /// Whether the store is away, and only a share of the budget is ours.
    is_alone: bool,
    /// The calls that ended, and the store does not know of.
    owed: u32,
    /// Before which moment the store has nothing left, by class.
    /// The store's word on when there is budget again, and when it was given.
    not_before: [Option<(Instant, Instant)>; 2],
    /// What the store said was left of each window, and when.
    left: Option<(Instant, Vec<u32>)>,
}

struct Waiter {
    number: u64,
    bell: Arc<Notify>,
}

/// What a call that waits does next.
enum Admission {
    Go(AdmittedCall),
    /// Look again at this moment at the latest.
    Wait(Instant),
    /// There is no use in waiting.
    Fail(Error),
}

impl Waiters {
    fn line(&mut self, class: Priority) -> &mut VecDeque<Waiter> {
        &mut self.lines[class as usize]
    }

    /// How many calls go before one.
    fn ahead(&self, class: Priority, number: u64) -> u32 {
        let line = &self.lines[class as usize];
        let place = line.partition_point(|waiter| waiter.number < number);
        let before = match class {
            Priority::Interactive => 0,
            Priority::Background => self.lines[Priority::Interactive as usize].len(),
        };
        u32::try_from(before + place).unwrap_or(u32::MAX - 1)
    }

    /// Wakes who is next.
    fn ring(&self) {
        if let Some(first) = self.lines.iter().find_map(VecDeque::front) {
            first.bell.notify_one();
        }
    }

    fn ring_all(&self) {
        let all = self.lines.iter().flatten();
        all.for_each(|waiter| waiter.bell.notify_one());
    }

    fn step(&mut self, class: Priority, number: u64, deadline: Instant) -> Admission {
        let (now, ahead) = (Instant::now(), self.ahead(class, number));
        // It is asked again before long: leases are given back, and stores are emptied.
        let not_before = self.not_before[class as usize]
            .filter(|(moment, said)| *moment > now && now - *said < BELIEVED)
            .map(|(moment, _)| moment);
        let moment = match ahead {
            0 if not_before.is_some() => not_before,
            0 => match self.book.take(now, class) {
                Ok(pass) => return Admission::Go(pass),
                Err(WaitReason::Turn) => Some(now),
                Err(WaitReason::Until(moment)) => moment,
            },
            _ => self.book.earliest(now, ahead + 1, class),
        };
        match moment {
            Some(moment) if moment <= deadline && now < deadline => {
                let is_next = ahead == 0 && moment > now;
                Admission::Wait(if is_next { moment } else { deadline })
            }
            // It was others' calls that took the time.
            Some(moment) if moment <= now => {
                Admission::Fail(Error::late().reaching(FailureStage::Nowhere))
            }
            moment => Admission::Fail(used_up(moment, now)),
        }
    }
}

/// The gateway spends no more of a provider's budget before a moment.
fn used_up(moment: Option<Instant>, now: Instant) -> Error {
    let Some(moment) = moment else {
        let message =
            "the gateway's budget for this provider leaves nothing for work in the background";
        return Error::new(ErrorKind::Throttled, message).reaching(FailureStage::Nowhere);
    };
    let wait = moment.saturating_duration_since(now);
    let until = Timestamp::now().checked_add(wait).unwrap_or(Timestamp::MAX);
    let until = until.round(jiff::Unit::Second).unwrap_or(until);
    let message = format!("the gateway's budget for this provider is used up until {until}");
    Error::new(ErrorKind::Throttled, message)
        .retry_after(Some(wait))
        .reaching(FailureStage::Nowhere)
}

/// A place in the line. Who leaves it, however, wakes who is next.
struct WaiterGuard<'a> {
    desk: &'a RateLimiter,
    class: Priority,
    number: u64,
    bell: Arc<Notify>,
}

impl Drop for WaiterGuard<'_> {
    fn drop(&mut self) {
        let mut state = self.desk.state();
        let number = self.number;
        let line = state.line(self.class);
        let place = line.partition_point(|waiter| waiter.number < number);
        line.remove(place);
        state.ring();
    }
}

impl RateLimiter {
    pub(super) fn new(book: LimiterState, common: Option<RedisRateLimiter>) -> Self {
        let state = Waiters {
            book,
            lines: Default::default(),
            next: 0,
            is_alone: false,
            owed: 0,
            not_before: [None; 2],
            left: None,
        };
        Self {
            state: Mutex::new(state),
            common,
        }
    }

    fn state(&self) -> MutexGuard<'_, Waiters> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn join(&self, class: Priority) -> WaiterGuard<'_> {
        let bell = Arc::new(Notify::new());
        let mut state = self.state();
        let number = state.next;
        state.next += 1;
        let waiter = Waiter {
            number,
            bell: Arc::clone(&bell),
        };
        state.line(class).push_back(waiter);
        drop(state);
        WaiterGuard {
            desk: self,
            class,
            number,
            bell,
        }
    }

    /// Waits for a permit, until the deadline at most; not at all when it cannot be had by then.
    pub(super) async fn admit(
        self: &Arc<Self>,
        class: Priority,
        deadline: Instant,
    ) -> Result<RatePermit> {
        let place = self.join(class);
        loop {
            let step = self.state().step(class, place.number, deadline);
            match step {
                Admission::Go(pass) => {
                    let mut permit = RatePermit {
                        desk: Arc::clone(self),
                        pass: Some(pass),
                        told: Arc::default(),
                        lease: None,
                    };
                    if self.afford(&mut permit, class, deadline).await {
                        return Ok(permit);
                    }
                }
                Admission::Fail(error) => return Err(error),
                Admission::Wait(until) => tokio::select! {
                    () = sleep_until(until) => {}
                    () = place.bell.notified() => {}
                },
            }
        }
    }

    /// Asks the store, where there is one, whether the replicas together may make the call.
    async fn afford(
        self: &Arc<Self>,
        permit: &mut RatePermit,
        class: Priority,
        deadline: Instant,
    ) -> bool {
        let Some(common) = &self.common else {
            return true;
        };
        if self.state().is_alone {
            return true;
        }
        let lease = fastrand::u64(..);
        // From now on the lease may exist: whoever drops the permit gives it back.
        permit.lease = Some(lease);
        let lives = deadline.saturating_duration_since(Instant::now());
        match common.take(lease, class, lives).await {
            StoreAnswer::Granted(left) => {
                self.state().left = Some((Instant::now(), left));
                true
            }
            StoreAnswer::Refused(wait) => {
                permit.lease = None;
                let now = Instant::now();
                self.state().not_before[class as usize] = Some((now + wait, now));
                false
            }
            StoreAnswer::Away => {
                // It may have been granted all the same: then it ends by itself.
                permit.lease = None;
                self.go_alone(common);
                false
            }
        }
    }

    /// The store is away: a share of the budget is ours, until the store is back and knows what was
    /// spent without it.
    fn go_alone(self: &Arc<Self>, common: &RedisRateLimiter) {
        let mut state = self.state();
        if std::mem::replace(&mut state.is_alone, true) {
            return;
        }
        state.book.share(common.store().replicas());
        state.not_before = [None; 2];
        state.left = None;
        drop(state);
        let (desk, common) = (Arc::clone(self), common.clone());
        tokio::spawn(async move {
            while !desk.come_back(&common).await {
                sleep(SETTLE / 4).await;
            }
        });
    }

    async fn come_back(&self, common: &RedisRateLimiter) -> bool {
        if !self.settle(common).await {
            return false;
        }
        // The others tell it too, before anybody relies on it.
        sleep(SETTLE).await;
        if !self.settle(common).await {
            return false;
        }
        let mut state = self.state();
        state.is_alone = false;
        state.book.share(1);
        state.ring_all();
        true
    }

    /// Tells the store what was spent without it.
    async fn settle(&self, common: &RedisRateLimiter) -> bool {
        if !common.store().is_up() {
            return false;
        }
        let now = Instant::now();
        let (owed, (remembered, flying), closed) = {
            let mut state = self.state();
            let owed = std::mem::take(&mut state.owed);
            let closed = state.book.closed(now);
            (owed, state.book.remembered(now), closed)
        };
        let closes = closed.map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
        let is_told = common.merge(owed + flying, &remembered, closes).await;
        if !is_told {
            self.state().owed += owed;
        }
        is_told
    }

    fn end(&self, pass: AdmittedCall, end: CallEnd, lease: Option<u64>) {
        let now = Instant::now();
        let mut state = self.state();
        let is_closed = state.book.end(pass, end, now);
        if let Some(common) = &self.common {
            let closed = state.book.closed(now).filter(|_| is_closed);
            let closes = closed.map_or(Duration::ZERO, |until| until.duration_since(now));
            match lease {
                Some(lease) if !state.is_alone => common.give(lease, end, closes),
                // The lease, if there is one, ends by itself.
                _ if end != CallEnd::Unsent => state.owed += 1,
                _ => {}
            }
        }
        if is_closed {
            // Some of them need not wait any longer: it would be in vain.
            state.ring_all();
        } else {
            state.ring();
        }
    }

    /// Every window as it stands.
    pub(super) fn stands(&self) -> Vec<WindowStatus> {
        let now = Instant::now();
        let mut state = self.state();
        let mut stands = state.book.stands(now);
        // The others spend as well; what was left a span ago tells nothing any more.
        if let Some((at, left)) = &state.left {
            for (stand, left) in stands.iter_mut().zip(left) {
                let span = Duration::from_secs(u64::from(stand.seconds.unwrap_or(0)));
                if *at + span > now {
                    stand.remaining = stand.remaining.min(*left);
                    stand.resets_at = stand.resets_at.or(Some(*at + span));
                }
            }
        }
        stands
    }
}

/// The right to make one call. Given back when the call has ended, or is given up.
pub(super) struct RatePermit {
    desk: Arc<RateLimiter>,
    pass: Option<AdmittedCall>,
    told: Arc<AttemptProgress>,
    lease: Option<u64>,
}

impl RatePermit {
    /// What becomes of the call.
    #[cfg(test)]
    pub(super) fn told(&self) -> Arc<AttemptProgress> {
        Arc::clone(&self.told)
    }

    /// Follows what becomes of a call.
    pub(super) fn follow(&mut self, told: Arc<AttemptProgress>) {
        self.told = told;
    }

    /// The call ended. A provider that refused it for its rate limit says for how long.
    pub(super) fn end(mut self, throttled: Option<Option<Duration>>) {
        let quota = self.told.quota();
        let end = match throttled {
            Some(wait) if self.told.is_answered() => CallEnd::Throttled(quota, wait),
            _ => self.fate(),
        };
        if let Some(pass) = self.pass.take() {
            self.desk.end(pass, end, self.lease);
        }
    }

    fn fate(&self) -> CallEnd {
        if self.told.is_answered() {
            CallEnd::Answered(self.told.quota())
        } else if self.told.is_sent() {
            CallEnd::Lost
        } else {
            CallEnd::Unsent
        }
    }
}

impl Drop for RatePermit {
    fn drop(&mut self) {
        if let Some(pass) = self.pass.take() {
            self.desk.end(pass, self.fate(), self.lease);
        }
    }
}
