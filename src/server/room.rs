//! How many connections there may be, and which one goes when there are too many.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// How often a new connection that found no place looks for one that is idle.
const LOOK: Duration = Duration::from_millis(20);

/// The places for connections.
#[derive(Debug)]
pub(super) struct Room {
    slots: Arc<Semaphore>,
    idle: Mutex<Idle>,
}

/// The idle connections, the longest idle first: each is told to leave by its `Notify`.
#[derive(Debug, Default)]
struct Idle {
    next: u64,
    leave: BTreeMap<u64, Arc<Notify>>,
}

impl Room {
    pub(super) fn of(connections: usize) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(connections)),
            idle: Mutex::default(),
        }
    }

    /// The next connection and its place. Where all are taken, the longest idle connection is closed.
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
            self.close_longest_idle();
            let slot = Arc::clone(&self.slots).acquire_owned();
            if let Ok(slot) = timeout(LOOK, slot).await {
                return Ok((stream, slot.map_err(io::Error::other)?));
            }
        }
    }

    /// Notes that a connection is idle from now on.
    pub(super) fn enter(&self, leave: &Arc<Notify>) -> u64 {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let place = idle.next;
        idle.next += 1;
        idle.leave.insert(place, Arc::clone(leave));
        place
    }

    /// Notes that a connection is idle no longer.
    pub(super) fn exit(&self, place: u64) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.leave.remove(&place);
    }

    fn close_longest_idle(&self) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, leave)) = idle.leave.pop_first() {
            leave.notify_one();
        }
    }
}
