//! Reads that are under way, for who asks for the same meanwhile. One ends when nobody waits for it.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared, WeakShared},
};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use super::{Kept, Place};
use crate::error::{Error, Kind, Result};

type Read = BoxFuture<'static, Result<Arc<Kept>>>;

/// Reads by what they are of, each with its number, as long as somebody waits for them.
type UnderWay = HashMap<Place, (u64, WeakShared<Read>)>;

/// Waits for a read.
pub(super) type Flight = Shared<Read>;

/// The reads of a vendor that are under way.
#[derive(Clone, Default)]
pub(super) struct Flights {
    under_way: Arc<Mutex<UnderWay>>,
    started: Arc<AtomicU64>,
}

/// Takes a read out of the list when it ends, however it ends.
struct Landing {
    flights: Flights,
    place: Place,
    number: u64,
}

impl Drop for Landing {
    fn drop(&mut self) {
        let mut under_way = self.flights.lock();
        if under_way
            .get(&self.place)
            .is_some_and(|(number, _)| *number == self.number)
        {
            under_way.remove(&self.place);
        }
    }
}

impl Flights {
    fn lock(&self) -> MutexGuard<'_, UnderWay> {
        let lock = self.under_way.lock();
        lock.unwrap_or_else(PoisonError::into_inner)
    }

    /// The read of a place that is under way, if one is.
    pub(super) fn joined(&self, place: &Place) -> Option<Flight> {
        self.lock().get(place).and_then(|(_, read)| read.upgrade())
    }

    /// Starts a read that others may join from now on.
    pub(super) fn start(
        &self,
        place: Place,
        read: impl Future<Output = Arc<Kept>> + Send + 'static,
    ) -> Flight {
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let landing = Landing {
            flights: self.clone(),
            place,
            number,
        };
        let task = async move {
            let _landing = landing;
            read.await
        };
        let task = AbortOnDropHandle::new(tokio::spawn(task.in_current_span()));
        let read = task.map(|ended| {
            ended.map_err(|failure| {
                tracing::error!(%failure, "a read ended early");
                Error::new(Kind::Internal, "a read failed inside the gateway")
            })
        });
        let flight = read.boxed().shared();
        if let Some(weak) = flight.downgrade() {
            self.lock().insert(place, (number, weak));
        }
        flight
    }
}
