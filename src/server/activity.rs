//! The activity of one connection: whether it is idle, and whether its client reads its responses.
//!
//! The gateway cannot see what a client has read, only what the socket takes. The systems of both
//! sides buffer tens to hundreds of kilobytes and take more in large steps: a client that reads
//! slowly but steadily seems to have stopped for a minute or two. So every byte that the socket
//! takes gives the client time at the lowest rate. The socket has always taken at least what the
//! client has read, so a client that keeps the rate from the start of its response is never too
//! slow.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};

use super::{
    accept::ConnectionLimits,
    connection_pool::{ConnectionPool, ConnectionState, EvictionKey},
    slow_client::SlowClientTimer,
    upgrade::{PartialLimits, PartialMessages},
};

/// The activity of one connection.
#[derive(Debug)]
pub(super) struct ConnectionActivity {
    pub(super) limits: ConnectionLimits,
    pool: Arc<ConnectionPool>,
    eviction: Arc<Notify>,
    messages: PartialMessages,
    is_forced: AtomicBool,
    record: Mutex<ActivityRecord>,
}

#[derive(Debug)]
struct ActivityRecord {
    /// True after the first request.
    was_used: bool,
    /// Requests whose responses the socket has not fully taken.
    requests: usize,
    /// Those of them whose bodies have not fully arrived.
    receiving: usize,
    /// The responses that the socket has not fully taken.
    answers: BTreeMap<u64, OutgoingResponse>,
    next_id: u64,
    /// True while the socket takes no more until the client has read some of its buffer.
    is_blocked: bool,
    timer: SlowClientTimer,
    idle_since: Instant,
    /// When the client last let a part of a response go out, or the gateway began to wait for it.
    progress_at: Instant,
    /// Its key among the connections that can be closed.
    eviction_key: Option<EvictionKey>,
    /// The time up to which waiting is counted.
    counted_until: Instant,
}

#[derive(Debug)]
struct OutgoingResponse {
    bytes: u64,
    /// True while the next part is ready and not taken.
    is_waiting: bool,
}

impl ConnectionActivity {
    /// The activity of a connection that has just been accepted.
    pub(super) fn new(limits: ConnectionLimits, pool: Arc<ConnectionPool>) -> Arc<Self> {
        let now = Instant::now();
        let partial = PartialLimits {
            total_bytes: limits.body.total_bytes as u64,
            time: limits.body.time,
        };
        let activity = Self {
            limits,
            eviction: Arc::default(),
            messages: PartialMessages::new(partial, pool.partial_bytes()),
            is_forced: AtomicBool::new(false),
            pool,
            record: Mutex::new(ActivityRecord {
                was_used: false,
                requests: 0,
                receiving: 0,
                answers: BTreeMap::new(),
                next_id: 0,
                is_blocked: false,
                timer: SlowClientTimer::new(limits.rate, limits.answer_time),
                idle_since: now,
                progress_at: now,
                eviction_key: None,
                counted_until: now,
            }),
        };
        activity.change(|_| ());
        Arc::new(activity)
    }

    /// The messages of the connection that have not arrived whole, once it speaks another protocol.
    pub(super) fn messages(&self) -> &PartialMessages {
        &self.messages
    }

    /// Notes that the gateway closes the connection for another one, or because its client reads too
    /// slowly: then nothing is read from it any more.
    pub(super) fn force_close(&self) {
        self.is_forced.store(true, Ordering::Relaxed);
    }

    /// Returns true after [`Self::force_close`].
    pub(super) fn is_forced(&self) -> bool {
        self.is_forced.load(Ordering::Relaxed)
    }

    /// Notes the start of a request.
    pub(super) fn begin_request(self: &Arc<Self>) -> InFlightRequest {
        let id = self.change(|record| {
            record.was_used = true;
            record.requests += 1;
            record.next_id += 1;
            record.next_id
        });
        InFlightRequest {
            activity: Arc::clone(self),
            id,
        }
    }

    /// Notes that the socket took bytes.
    pub(super) fn note_written(&self, bytes: usize) {
        self.change(|record| {
            // Otherwise it may be an answer to a ping.
            if record.is_blocked {
                record.progress_at = record.counted_until;
            }
            record.is_blocked = false;
            record.timer.add_bytes(bytes);
        });
    }

    /// Notes that the socket takes no more for now.
    pub(super) fn note_blocked(&self) {
        self.change(|record| record.is_blocked = true);
    }

    /// Notes that a request's body starts to arrive.
    pub(super) fn begin_body(&self) {
        self.change(|record| record.receiving += 1);
    }

    /// Notes that a request's body has arrived, or that nobody reads it.
    pub(super) fn end_body(&self) {
        self.change(|record| record.receiving = record.receiving.saturating_sub(1));
    }

    /// Notes that the connection has ended.
    pub(super) fn end(&self) {
        if let Some(key) = self.lock().eviction_key.take() {
            self.pool.remove(key);
        }
    }

    /// Returns true if no request is in flight and nothing is left to send.
    pub(super) fn is_idle(&self) -> bool {
        self.lock().is_idle()
    }

    /// Returns true if it can be closed for a new connection.
    pub(super) fn is_evictable(&self) -> bool {
        self.change(|record| record.state(&self.limits)).is_some()
    }

    /// Waits until a new connection needs this one's slot.
    pub(super) async fn wait_for_eviction(&self) {
        self.eviction.notified().await;
    }

    /// Waits until the connection was idle for too long, or its client reads too slowly.
    pub(super) async fn wait_for_timeout(&self) {
        let ConnectionLimits {
            head, idle, rate, ..
        } = self.limits;
        // Nothing wakes this task when the activity changes, so it looks often enough to be at most
        // half of the shortest limit late.
        let interval = head.min(idle).min(rate.max_lag) / 2;
        loop {
            let left = self.change(|record| record.time_left(&self.limits));
            if left.is_zero() {
                return;
            }
            sleep(left.min(interval.max(Duration::from_millis(1)))).await;
        }
    }

    fn change<T>(&self, with: impl FnOnce(&mut ActivityRecord) -> T) -> T {
        let mut record = self.lock();
        record.count_waiting();
        let was_waiting = record.is_waiting();
        let result = with(&mut record);
        record.update(was_waiting, &self.limits);
        self.update_eviction(&mut record);
        result
    }

    /// Adds the connection to those that can be closed, or removes it.
    fn update_eviction(&self, record: &mut ActivityRecord) {
        let state = record.state(&self.limits);
        if state == record.eviction_key.map(|(state, _)| state) {
            return;
        }
        if let Some(key) = record.eviction_key.take() {
            self.pool.remove(key);
        }
        record.eviction_key = state.map(|state| self.pool.insert(state, &self.eviction));
        record.idle_since = record.counted_until;
    }

    fn lock(&self) -> MutexGuard<'_, ActivityRecord> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ActivityRecord {
    fn is_idle(&self) -> bool {
        self.requests == 0 && !self.is_blocked
    }

    /// Returns true while the client keeps the gateway from sending.
    fn is_waiting(&self) -> bool {
        self.is_blocked || self.answers.values().any(|answer| answer.is_waiting)
    }

    fn state(&self, limits: &ConnectionLimits) -> Option<ConnectionState> {
        let without_progress = self.counted_until.duration_since(self.progress_at);
        if self.is_idle() {
            Some(match self.was_used {
                true => ConnectionState::Idle,
                false => ConnectionState::New,
            })
        } else if self.is_waiting() {
            let is_stalled = without_progress >= limits.rate.max_lag;
            is_stalled.then_some(ConnectionState::Stalled)
        } else {
            (self.requests == self.receiving).then_some(ConnectionState::Receiving)
        }
    }

    /// How long the connection may continue like this.
    fn time_left(&self, limits: &ConnectionLimits) -> Duration {
        if self.is_idle() {
            let limit = match self.was_used {
                true => limits.idle,
                false => limits.head,
            };
            limit.saturating_sub(self.idle_since.elapsed())
        } else if self.is_waiting() {
            self.timer.remaining()
        } else {
            Duration::MAX
        }
    }

    /// Counts the time until now, if the gateway waited for the client.
    fn count_waiting(&mut self) {
        let now = Instant::now();
        if self.is_waiting() {
            self.timer.add_wait(now - self.counted_until);
        }
        self.counted_until = now;
    }

    /// Adapts the timer to the responses in flight: those that hold much memory must be read
    /// faster.
    fn update(&mut self, was_waiting: bool, limits: &ConnectionLimits) {
        if self.is_waiting() && !was_waiting {
            self.progress_at = self.counted_until;
        }
        if self.is_idle() {
            self.timer = SlowClientTimer::new(limits.rate, limits.answer_time);
        } else {
            let bytes: u64 = self.answers.values().map(|answer| answer.bytes).sum();
            let in_time = bytes as f64 / limits.answer_time.as_secs_f64().max(0.001);
            let least = f64::from(limits.rate.bytes_per_second);
            self.timer.set_min_rate(least.max(in_time));
        }
    }
}

/// A request in flight, until the socket has taken its response or it is cancelled.
#[derive(Debug)]
pub(super) struct InFlightRequest {
    activity: Arc<ConnectionActivity>,
    id: u64,
}

impl InFlightRequest {
    /// Notes that a response of this many bytes is ready. The client may take none of it at first:
    /// an HTTP/2 client decides how much may be sent.
    pub(super) fn begin_answer(&self, bytes: u64) {
        let answer = OutgoingResponse {
            bytes,
            is_waiting: true,
        };
        self.activity
            .change(|record| record.answers.insert(self.id, answer));
    }

    /// Notes that the client must take this many bytes at once, which nobody knew before.
    pub(super) fn expect_bytes(&self, bytes: u64) {
        self.activity.change(|record| {
            if let Some(answer) = record.answers.get_mut(&self.id) {
                answer.bytes = answer.bytes.max(bytes);
            }
        });
    }

    /// Notes whether the next part of the response is ready: only then does the gateway wait for
    /// the client, and not the client for the gateway.
    pub(super) fn waits_for_client(&self, is_ready: bool) {
        self.activity.change(|record| {
            if let Some(answer) = record.answers.get_mut(&self.id) {
                answer.is_waiting = is_ready;
            }
        });
    }

    /// Notes that the socket took a piece of the response.
    pub(super) fn piece_taken(&self) {
        self.activity
            .change(|record| record.progress_at = record.counted_until);
    }
}

impl Drop for InFlightRequest {
    fn drop(&mut self) {
        self.activity.change(|record| {
            record.requests = record.requests.saturating_sub(1);
            record.answers.remove(&self.id);
        });
    }
}
