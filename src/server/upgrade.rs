//! Connections that speak another protocol after their request: WebSockets. They keep their place among
//! all connections, and the rules for clients that send or read slowly.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;
use tokio_util::{
    sync::CancellationToken,
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};

use super::activity::{ConnectionActivity, InFlightRequest};

/// Lets a request keep its connection for another protocol.
#[derive(Clone, Debug)]
pub(super) struct UpgradeHandle {
    activity: Arc<ConnectionActivity>,
    upgraded: TaskTracker,
    stopping: CancellationToken,
}

impl UpgradeHandle {
    pub(super) fn new(activity: Arc<ConnectionActivity>, stopping: CancellationToken) -> Self {
        Self {
            activity,
            upgraded: TaskTracker::new(),
            stopping,
        }
    }

    /// Keeps the connection from now on.
    pub(super) fn hold(&self) -> HeldConnection {
        self.activity.messages().begin();
        HeldConnection {
            busy: Some(self.activity.begin_request()),
            activity: Arc::clone(&self.activity),
            stopping: self.stopping.clone(),
            _token: self.upgraded.token(),
        }
    }

    /// Waits until nobody holds the connection.
    pub(super) async fn wait(&self) {
        self.upgraded.close();
        self.upgraded.wait().await;
    }
}

/// Keeps a connection, and its place among all connections, while it exists.
pub(super) struct HeldConnection {
    activity: Arc<ConnectionActivity>,
    /// While it is there, the connection is not closed for another one.
    busy: Option<InFlightRequest>,
    stopping: CancellationToken,
    _token: TaskTrackerToken,
}

impl HeldConnection {
    /// Waits until the gateway stops.
    pub(super) fn stopping(&self) -> CancellationToken {
        self.stopping.clone()
    }

    /// The activity of the connection, for the writer of messages.
    pub(super) fn activity(&self) -> Arc<ConnectionActivity> {
        Arc::clone(&self.activity)
    }

    /// Notes whether operations run. Without one the connection may be closed for a new one.
    pub(super) fn set_busy(&mut self, is_busy: bool) {
        if !is_busy {
            self.busy = None;
        } else if self.busy.is_none() {
            self.busy = Some(self.activity.begin_request());
        }
    }

    /// Waits until a new connection needs the place of this one.
    pub(super) async fn wait_for_eviction(&self) {
        self.activity.wait_for_eviction().await;
        self.activity.force_close();
    }
}

/// The bytes of messages that have not arrived whole, of one connection and of all together.
#[derive(Debug)]
pub(super) struct PartialMessages {
    is_upgraded: AtomicBool,
    pending: AtomicU64,
    /// When the pending message began, in milliseconds after `created`.
    since: AtomicU64,
    created: Instant,
    limits: PartialLimits,
    all: Arc<AtomicU64>,
}

/// Limits on messages that have not arrived whole: those of the bodies of requests.
#[derive(Clone, Copy, Debug)]
pub(super) struct PartialLimits {
    /// The bytes of all connections together.
    pub(super) total_bytes: u64,
    /// The longest time for one message.
    pub(super) time: Duration,
}

impl PartialMessages {
    pub(super) fn new(limits: PartialLimits, all: Arc<AtomicU64>) -> Self {
        Self {
            is_upgraded: AtomicBool::new(false),
            pending: AtomicU64::new(0),
            since: AtomicU64::new(0),
            created: Instant::now(),
            limits,
            all,
        }
    }

    /// Counts from now on.
    fn begin(&self) {
        self.is_upgraded.store(true, Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        u64::try_from(self.created.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Notes bytes that the socket has received.
    ///
    /// # Errors
    /// All connections wait for too much, or this one for too long: it is to be closed.
    pub(super) fn received(&self, bytes: usize) -> io::Result<()> {
        if bytes == 0 || !self.is_upgraded.load(Ordering::Relaxed) {
            return Ok(());
        }
        let bytes = bytes as u64;
        let now = self.now();
        if self.pending.fetch_add(bytes, Ordering::Relaxed) == 0 {
            self.since.store(now, Ordering::Relaxed);
        }
        let all = self.all.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let since = self.since.load(Ordering::Relaxed);
        let is_late = u128::from(now.saturating_sub(since)) > self.limits.time.as_millis();
        if all > self.limits.total_bytes || is_late {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }

    /// Notes a message that arrived whole, or a frame between its parts of this many bytes.
    pub(super) fn complete(&self, control_bytes: Option<usize>) {
        let pending = self.pending.load(Ordering::Relaxed);
        // A control frame has a head of six bytes.
        let done = control_bytes.map_or(pending, |bytes| pending.min(bytes as u64 + 6));
        self.pending.fetch_sub(done, Ordering::Relaxed);
        self.all.fetch_sub(done, Ordering::Relaxed);
    }
}

impl Drop for PartialMessages {
    fn drop(&mut self) {
        self.complete(None);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicU64, Ordering},
        },
        time::Duration,
    };

    use super::{PartialLimits, PartialMessages};

    const LIMITS: PartialLimits = PartialLimits {
        total_bytes: 1_000,
        time: Duration::from_secs(60),
    };

    fn upgraded(all: &Arc<AtomicU64>) -> PartialMessages {
        let messages = PartialMessages::new(LIMITS, Arc::clone(all));
        messages.begin();
        messages
    }

    #[test]
    fn parts_of_messages_of_all_connections_are_limited_together() {
        let all = Arc::default();
        let (one, other) = (upgraded(&all), upgraded(&all));
        assert!(one.received(600).is_ok());
        assert!(other.received(600).is_err());

        one.complete(None);
        drop(other);

        assert_eq!(all.load(Ordering::Relaxed), 0);
        assert!(upgraded(&all).received(1_000).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn control_frames_do_not_extend_the_time_of_a_message() {
        let all = Arc::default();
        let one = upgraded(&all);
        assert!(one.received(500).is_ok());
        for _ in 0..2 {
            tokio::time::advance(Duration::from_secs(29)).await;
            assert!(one.received(8).is_ok());
            one.complete(Some(2));
        }
        tokio::time::advance(Duration::from_secs(29)).await;
        assert!(one.received(8).is_err());
        assert_eq!(all.load(Ordering::Relaxed), 508);
    }

    #[test]
    fn a_connection_that_speaks_http_is_not_counted() {
        let all = Arc::default();
        let one = PartialMessages::new(LIMITS, Arc::clone(&all));
        assert!(one.received(5_000).is_ok());
        assert_eq!(all.load(Ordering::Relaxed), 0);
    }
}
