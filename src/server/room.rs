//! How many connections there may be, and which one goes when there are too many.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout},
};

/// How often a new connection that found no slot looks for one that can be closed.
const LOOK: Duration = Duration::from_millis(20);

/// How long a connection that sends a request, or is about to, is left alone. A request that is sent as
/// fast as usual is here by then.
const SPARED: Duration = Duration::from_secs(1);

/// Why a connection can be closed to make room; those of the first kind go first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Standing {
    /// It never sent a request.
    New,
    /// It did, and none is under way.
    Idle,
    /// All its requests are still being received.
    Receiving,
}

/// A connection's place among those that can be closed, the first to go first.
pub(super) type Place = (Standing, u64);

/// The places for connections.
#[derive(Debug)]
pub(super) struct Room {
    slots: Arc<Semaphore>,
    spare: Mutex<Spare>,
}

/// The connections that can be closed, since when, and what tells them to leave.
#[derive(Debug, Default)]
struct Spare {
    next: u64,
    connections: BTreeMap<Place, (Instant, Arc<Notify>)>,
}

impl Room {
    pub(super) fn of(connections: usize) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(connections)),
            spare: Mutex::default(),
        }
    }

    /// The next connection and its slot. Where all are taken a connection is closed: the longest one
    /// that never sent a request, or else the longest idle one, or else the one whose request has been
    /// received for longest.
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
            self.make();
            let slot = Arc::clone(&self.slots).acquire_owned();
            if let Ok(slot) = timeout(LOOK, slot).await {
                return Ok((stream, slot.map_err(io::Error::other)?));
            }
        }
    }

    /// Notes that a connection can be closed from now on.
    pub(super) fn enter(&self, standing: Standing, leave: &Arc<Notify>) -> Place {
        let mut spare = self.lock();
        let place = (standing, spare.next);
        spare.next += 1;
        let connection = (Instant::now(), Arc::clone(leave));
        spare.connections.insert(place, connection);
        place
    }

    /// Notes that a connection has left its place.
    pub(super) fn exit(&self, place: Place) {
        self.lock().connections.remove(&place);
    }

    fn make(&self) {
        let mut spare = self.lock();
        let kinds = [Standing::New, Standing::Idle, Standing::Receiving];
        let mut longest = kinds.into_iter().filter_map(|kind| {
            let mut of_kind = spare.connections.range((kind, 0)..=(kind, u64::MAX));
            of_kind.next()
        });
        let found = longest
            .find(|((kind, _), (since, _))| *kind == Standing::Idle || since.elapsed() >= SPARED);
        let place = found.map(|(place, _)| *place);
        if let Some((_, leave)) = place.and_then(|place| spare.connections.remove(&place)) {
            leave.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Spare> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
