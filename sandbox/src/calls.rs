//! The call log: what each vendor was asked, in the order of arrival.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::StatusCode;
use serde::Serialize;

use crate::providers::Provider;

/// The log keeps this many calls; older ones make room.
const KEPT: usize = 100_000;

/// One call that a vendor received.
#[derive(Clone, Debug, Serialize)]
pub struct Call {
    /// Who was asked.
    pub vendor: Provider,
    /// When it arrived, in unix milliseconds.
    pub at: i64,
    /// The HTTP method.
    pub method: String,
    /// The path as sent, below the vendor's base path.
    pub path: String,
    /// The query as sent, without the question mark.
    pub query: String,
    /// The status answered; none while, or because, there was no answer.
    pub status: Option<u16>,
    /// The `Intercom-Version` header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// The calls of all vendors.
#[derive(Default)]
pub(crate) struct Calls {
    log: Mutex<Log>,
}

#[derive(Default)]
struct Log {
    /// The number of the oldest call kept.
    first: usize,
    calls: VecDeque<Call>,
}

/// The number of a call, by which its answer is noted.
#[derive(Clone, Copy)]
pub(crate) struct Ticket(usize);

impl Calls {
    /// Notes that a call has arrived.
    pub(crate) fn arrived(&self, call: Call) -> Ticket {
        let mut log = self.log();
        if log.calls.len() == KEPT {
            log.calls.pop_front();
            log.first += 1;
        }
        log.calls.push_back(call);
        Ticket(log.first + log.calls.len() - 1)
    }

    /// Notes what a call was answered, unless the log was cleared meanwhile.
    pub(crate) fn answered(&self, Ticket(number): Ticket, status: StatusCode) {
        let mut log = self.log();
        let place = number.checked_sub(log.first);
        if let Some(call) = place.and_then(|place| log.calls.get_mut(place)) {
            call.status = Some(status.as_u16());
        }
    }

    /// The calls of one vendor, or of all.
    pub(crate) fn list(&self, vendor: Option<Provider>) -> Vec<Call> {
        self.log()
            .calls
            .iter()
            .filter(|call| vendor.is_none_or(|vendor| vendor == call.vendor))
            .cloned()
            .collect()
    }

    /// Forgets all calls.
    pub(crate) fn clear(&self) {
        let mut log = self.log();
        log.first += log.calls.len();
        log.calls.clear();
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
