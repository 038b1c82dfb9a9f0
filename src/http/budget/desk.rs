//! Where calls wait for a vendor's budget: in the order in which they came, work for which somebody
//! waits before work for which nobody does.

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

use super::book::{Book, End, Pass, Stand, Wait};
use crate::{
    error::{Error, Kind, Reach, Result},
    http::{Priority, call::Told},
};

/// A vendor's budget and those who wait for it.
pub(super) struct Desk {
    state: Mutex<State>,
}

struct State {
    book: Book,
    /// Who waits, by class.
    lines: [VecDeque<Waiter>; 2],
    next: u64,
}

struct Waiter {
    number: u64,
    bell: Arc<Notify>,
}

/// What a call that waits does next.
enum Step {
    Go(Pass),
    /// Look again at this moment at the latest.
    Wait(Instant),
    /// There is no use in waiting.
    Fail(Error),
}

impl State {
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

    fn step(&mut self, class: Priority, number: u64, deadline: Instant) -> Step {
        let (now, ahead) = (Instant::now(), self.ahead(class, number));
        let moment = match ahead {
            0 => match self.book.take(now, class) {
                Ok(pass) => return Step::Go(pass),
                Err(Wait::Turn) => Some(now),
                Err(Wait::Until(moment)) => moment,
            },
            _ => self.book.earliest(now, ahead + 1, class),
        };
        match moment {
            Some(moment) if moment <= deadline && now < deadline => {
                let is_next = ahead == 0 && moment > now;
                Step::Wait(if is_next { moment } else { deadline })
            }
            // It was others' calls that took the time.
            Some(moment) if moment <= now => Step::Fail(Error::late().reaching(Reach::Nowhere)),
            moment => Step::Fail(used_up(moment, now)),
        }
    }
}

/// The gateway spends no more of a vendor's budget before a moment.
fn used_up(moment: Option<Instant>, now: Instant) -> Error {
    let Some(moment) = moment else {
        let message =
            "the gateway's budget for this vendor leaves nothing for work in the background";
        return Error::new(Kind::Throttled, message).reaching(Reach::Nowhere);
    };
    let wait = moment.saturating_duration_since(now);
    let until = Timestamp::now().checked_add(wait).unwrap_or(Timestamp::MAX);
    let until = until.round(jiff::Unit::Second).unwrap_or(until);
    let message = format!("the gateway's budget for this vendor is used up until {until}");
    Error::new(Kind::Throttled, message)
        .retry_after(Some(wait))
        .reaching(Reach::Nowhere)
}

/// A place in the line. Who leaves it, however, wakes who is next.
struct Place<'a> {
    desk: &'a Desk,
    class: Priority,
    number: u64,
    bell: Arc<Notify>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.desk.state();
        let number = self.number;
        let line = state.line(self.class);
        let place = line.partition_point(|waiter| waiter.number < number);
        line.remove(place);
        state.ring();
    }
}

impl Desk {
    pub(super) fn new(book: Book) -> Self {
        let state = State {
            book,
            lines: Default::default(),
            next: 0,
        };
        Self {
            state: Mutex::new(state),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn join(&self, class: Priority) -> Place<'_> {
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
        Place {
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
    ) -> Result<Permit> {
        let place = self.join(class);
        loop {
            let step = self.state().step(class, place.number, deadline);
            match step {
                Step::Go(pass) => {
                    return Ok(Permit {
                        desk: Arc::clone(self),
                        pass: Some(pass),
                        told: Arc::default(),
                    });
                }
                Step::Fail(error) => return Err(error),
                Step::Wait(until) => tokio::select! {
                    () = sleep_until(until) => {}
                    () = place.bell.notified() => {}
                },
            }
        }
    }

    fn end(&self, pass: Pass, end: End) {
        let mut state = self.state();
        if state.book.end(pass, end, Instant::now()) {
            // Some of them need not wait any longer: it would be in vain.
            state.ring_all();
        } else {
            state.ring();
        }
    }

    /// Every window as it stands.
    pub(super) fn stands(&self) -> Vec<Stand> {
        self.state().book.stands(Instant::now())
    }
}

/// The right to make one call. Given back when the call has ended, or is given up.
pub(super) struct Permit {
    desk: Arc<Desk>,
    pass: Option<Pass>,
    told: Arc<Told>,
}

impl Permit {
    /// What the wire will tell of the call.
    pub(super) fn told(&self) -> Arc<Told> {
        Arc::clone(&self.told)
    }

    /// The call ended. A vendor that refused it for its rate limit says for how long.
    pub(super) fn end(mut self, throttled: Option<Option<Duration>>) {
        let quota = self.told.quota();
        let end = match throttled {
            Some(wait) if self.told.is_answered() => End::Throttled(quota, wait),
            _ => self.fate(),
        };
        if let Some(pass) = self.pass.take() {
            self.desk.end(pass, end);
        }
    }

    fn fate(&self) -> End {
        if self.told.is_answered() {
            End::Answered(self.told.quota())
        } else if self.told.is_sent() {
            End::Lost
        } else {
            End::Unsent
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(pass) = self.pass.take() {
            self.desk.end(pass, self.fate());
        }
    }
}
