//! The slots for connections. When all are taken, one connection closes for a new one.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicU64},
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout},
};

/// The interval at which a new connection without a slot looks for one that can be closed.
const RETRY_INTERVAL: Duration = Duration::from_millis(20);

/// How long a connection that sends a request, or is about to, is spared. At a usual speed the
/// request has arrived by then.
const RECEIVE_GRACE: Duration = Duration::from_secs(1);

/// Why a connection may be closed for a new one. The first kind closes first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum ConnectionState {
    /// It never sent a request.
    New,
    /// It has sent requests, and none is in flight.
    Idle,
    /// Its client has read nothing of a response for some time.
    Stalled,
    /// All its requests are still being received.
    Receiving,
}

impl ConnectionState {
    const ALL: [Self; 4] = [Self::New, Self::Idle, Self::Stalled, Self::Receiving];

    /// The time that a connection must have been in this state before it can be closed.
    fn grace(self) -> Duration {
        match self {
            Self::New | Self::Receiving => RECEIVE_GRACE,
            // A connection counts as stalled only after some time.
            Self::Idle | Self::Stalled => Duration::ZERO,
        }
    }
}

/// Orders the connections that can be closed: the lowest key closes first.
pub(super) type EvictionKey = (ConnectionState, u64);

/// The slots for connections.
#[derive(Debug)]
pub(super) struct ConnectionPool {
    slots: Arc<Semaphore>,
    /// The bytes of messages on WebSockets that have not arrived whole.
    partial_bytes: Arc<AtomicU64>,
    evictable: Mutex<Evictable>,
}

/// The connections that can be closed, by state and time, each with the signal that closes it.
#[derive(Debug, Default)]
struct Evictable {
    next: u64,
    connections: BTreeMap<EvictionKey, (Instant, Arc<Notify>)>,
}

impl ConnectionPool {
    pub(super) fn new(connections: usize) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(connections)),
            partial_bytes: Arc::default(),
            evictable: Mutex::default(),
        }
    }

    /// The counter of the bytes of messages that have not arrived whole.
    pub(super) fn partial_bytes(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.partial_bytes)
    }

    /// Accepts the next connection and takes a slot for it. If all slots are taken, one connection
    /// closes: the oldest that never sent a request, else the longest idle one, else the one whose
    /// client has not read for longest, else the one that has been sending its request for longest.
    pub(super) async fn accept(
        &self,
        listener: &TcpListener,
    ) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
        let (stream, _) = listener.accept().await?;
        loop {
            let slot = Arc::clone(&self.slots);
            if let Ok(slot) = slot.try_acquire_owned() {
                return Ok((stream, slot));
            }
            self.evict_one();
            let slot = Arc::clone(&self.slots).acquire_owned();
            if let Ok(slot) = timeout(RETRY_INTERVAL, slot).await {
                return Ok((stream, slot.map_err(io::Error::other)?));
            }
        }
    }

    /// Adds a connection that can be closed from now on.
    pub(super) fn insert(&self, state: ConnectionState, eviction: &Arc<Notify>) -> EvictionKey {
        let mut evictable = self.lock();
        let key = (state, evictable.next);
        evictable.next += 1;
        let connection = (Instant::now(), Arc::clone(eviction));
        evictable.connections.insert(key, connection);
        key
    }

    /// Removes a connection that cannot be closed any more.
    pub(super) fn remove(&self, key: EvictionKey) {
        self.lock().connections.remove(&key);
    }

    fn evict_one(&self) {
        let mut evictable = self.lock();
        let mut longest = ConnectionState::ALL.into_iter().filter_map(|state| {
            let range = (state, 0)..=(state, u64::MAX);
            evictable.connections.range(range).next()
        });
        let found = longest.find(|((state, _), (since, _))| since.elapsed() >= state.grace());
        let key = found.map(|(key, _)| *key);
        if let Some((_, eviction)) = key.and_then(|key| evictable.connections.remove(&key)) {
            eviction.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Evictable> {
        self.evictable
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
