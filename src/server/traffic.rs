//! What one connection is doing: whether it is idle, and whether its client reads what it is sent.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};

use super::{
    accept::Limits,
    pace::{LeastRate, Pace},
    room::{Place, Room, Standing},
};

/// What one connection is doing.
#[derive(Debug)]
pub(super) struct Traffic {
    pub(super) limits: Limits,
    room: Arc<Room>,
    leave: Arc<Notify>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Whether a request ever came.
    was_used: bool,
    /// Requests whose answers are computed or not yet handed over to the protocol.
    requests: usize,
    /// Those of them whose bodies are not here yet.
    receiving: usize,
    /// The answers that are being sent.
    answers: BTreeMap<u64, Sent>,
    next: u64,
    /// Whether the socket takes no more until the client has read some of it.
    is_blocked: bool,
    socket: Pace,
    idle_since: Instant,
    /// Its place among the connections that can be closed to make room.
    place: Option<Place>,
    /// Until when waiting is counted.
    counted: Instant,
}

/// An answer on its way.
#[derive(Debug)]
struct Sent {
    pace: Pace,
    /// Whether the next piece is there, and the client or its connection takes none.
    is_waiting: bool,
}

impl Traffic {
    /// A connection that has just been accepted.
    pub(super) fn of(limits: Limits, room: Arc<Room>) -> Arc<Self> {
        let now = Instant::now();
        let traffic = Self {
            limits,
            room,
            leave: Arc::default(),
            state: Mutex::new(State {
                was_used: false,
                requests: 0,
                receiving: 0,
                answers: BTreeMap::new(),
                next: 0,
                is_blocked: false,
                socket: Pace::new(limits.rate),
                idle_since: now,
                place: None,
                counted: now,
            }),
        };
        traffic.change(|_| ());
        Arc::new(traffic)
    }

    /// A request came.
    pub(super) fn begin(self: &Arc<Self>) -> UnderWay {
        let id = self.change(|state| {
            state.was_used = true;
            state.requests += 1;
            state.next += 1;
            state.next
        });
        UnderWay {
            traffic: Arc::clone(self),
            id,
        }
    }

    /// The socket took so many bytes of what is sent.
    pub(super) fn wrote(&self, bytes: usize) {
        self.change(|state| {
            state.is_blocked = false;
            state.socket.moved(bytes);
        });
    }

    /// The socket takes nothing more for now.
    pub(super) fn blocked(&self) {
        self.change(|state| state.is_blocked = true);
    }

    /// The connection is over.
    pub(super) fn end(&self) {
        if let Some(place) = self.lock().place.take() {
            self.room.exit(place);
        }
    }

    /// Whether no request is under way and nothing is left to be sent.
    pub(super) fn is_idle(&self) -> bool {
        self.lock().is_idle()
    }

    /// Whether it can be closed to make room.
    pub(super) fn is_spare(&self) -> bool {
        self.lock().standing().is_some()
    }

    /// A request's body begins to be received, or ends.
    pub(super) fn receives(&self, begins: bool) {
        self.change(|state| {
            state.receiving = match begins {
                true => state.receiving + 1,
                false => state.receiving.saturating_sub(1),
            };
        });
    }

    /// Ends when the slot of the connection, which can be closed, is needed for another.
    pub(super) async fn told_to_leave(&self) {
        self.leave.notified().await;
    }

    /// Ends when the connection was idle for too long, or its client reads too slowly.
    pub(super) async fn outstayed(&self) {
        let Limits {
            head, idle, rate, ..
        } = self.limits;
        // Nothing wakes this when the state changes: no limit ends sooner than the shortest of them.
        let shortest = head.min(idle).min(rate.behind);
        loop {
            let left = self.left();
            if left.is_zero() {
                return;
            }
            sleep(left.min(shortest)).await;
        }
    }

    /// For how long the connection may go on like this.
    fn left(&self) -> Duration {
        let mut state = self.lock();
        state.count();
        if state.is_idle() {
            let limit = match state.was_used {
                true => self.limits.idle,
                false => self.limits.head,
            };
            return limit.saturating_sub(state.idle_since.elapsed());
        }
        let waiting = state.answers.values().filter(|sent| sent.is_waiting);
        let answers = waiting.map(|sent| sent.pace.left());
        let socket = state.is_blocked.then(|| state.socket.left());
        answers.chain(socket).min().unwrap_or(Duration::MAX)
    }

    fn change<T>(&self, with: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        state.count();
        let result = with(&mut state);
        let standing = state.standing();
        if standing != state.place.map(|(standing, _)| standing) {
            if let Some(place) = state.place.take() {
                self.room.exit(place);
            }
            state.place = standing.map(|standing| self.room.enter(standing, &self.leave));
            state.idle_since = state.counted;
        }
        result
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_idle(&self) -> bool {
        self.requests == 0 && !self.is_blocked
    }

    fn standing(&self) -> Option<Standing> {
        if self.is_idle() {
            return Some(match self.was_used {
                true => Standing::Idle,
                false => Standing::New,
            });
        }
        let is_receiving = !self.is_blocked && self.requests == self.receiving;
        is_receiving.then_some(Standing::Receiving)
    }

    /// Counts the time until now as waited by what waits for the client.
    fn count(&mut self) {
        let now = Instant::now();
        let waited = now - self.counted;
        self.counted = now;
        if self.is_blocked {
            self.socket.waited(waited);
        }
        for sent in self.answers.values_mut().filter(|sent| sent.is_waiting) {
            sent.pace.waited(waited);
        }
    }
}

/// A request under way, until its answer is handed over or given up.
#[derive(Debug)]
pub(super) struct UnderWay {
    traffic: Arc<Traffic>,
    id: u64,
}

impl UnderWay {
    /// The answer is asked for its next piece.
    pub(super) fn asked(&self) {
        self.traffic.change(|state| {
            if let Some(sent) = state.answers.get_mut(&self.id) {
                sent.is_waiting = false;
            }
        });
    }

    /// A piece of the answer was handed over. How much of it the client has read is not known here, and
    /// a client of HTTP/2 may ask for more only when it has read half of a large window: so an answer
    /// that is not asked for more has as long as an idle connection.
    pub(super) fn gave(&self, bytes: usize) {
        let Limits { rate, idle, .. } = self.traffic.limits;
        let rate = LeastRate {
            behind: idle,
            ..rate
        };
        self.traffic.change(|state| {
            let sent = state.answers.entry(self.id).or_insert_with(|| Sent {
                pace: Pace::new(rate),
                is_waiting: true,
            });
            sent.is_waiting = true;
            sent.pace.moved(bytes);
        });
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.traffic.change(|state| {
            state.requests = state.requests.saturating_sub(1);
            state.answers.remove(&self.id);
        });
    }
}
