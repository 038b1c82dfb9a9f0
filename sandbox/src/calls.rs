//! The call log: every call that a provider received, in the order of arrival.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::StatusCode;
use serde::Serialize;

use crate::providers::Provider;

/// The log keeps this many calls and drops older ones.
const CAPACITY: usize = 100_000;

/// One call that a provider received.
#[derive(Clone, Debug, Serialize)]
pub struct CallRecord {
    /// The provider that was called.
    pub provider: Provider,
    /// When it arrived, in unix milliseconds.
    pub at: i64,
    /// The HTTP method.
    pub method: String,
    /// The path as sent, below the provider's base path.
    pub path: String,
    /// The query as sent, without the question mark.
    pub query: String,
    /// The status of the answer; none while there is no answer, or where there never was one.
    pub status: Option<u16>,
    /// The `Intercom-Version` header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// The calls of all providers.
#[derive(Default)]
pub(crate) struct CallLog {
    log: Mutex<LoggedCalls>,
}

#[derive(Default)]
struct LoggedCalls {
    /// The number of the oldest call kept.
    first: usize,
    calls: VecDeque<CallRecord>,
}

/// Identifies a call, so that its answer can be added.
#[derive(Clone, Copy)]
pub(crate) struct CallId(usize);

impl CallLog {
    /// Adds a call that has arrived.
    pub(crate) fn arrived(&self, call: CallRecord) -> CallId {
        let mut log = self.log();
        if log.calls.len() == CAPACITY {
            log.calls.pop_front();
            log.first += 1;
        }
        log.calls.push_back(call);
        CallId(log.first + log.calls.len() - 1)
    }

    /// Adds the status of the answer, unless the log was cleared meanwhile.
    pub(crate) fn answered(&self, CallId(number): CallId, status: StatusCode) {
        let mut log = self.log();
        let index = number.checked_sub(log.first);
        if let Some(call) = index.and_then(|index| log.calls.get_mut(index)) {
            call.status = Some(status.as_u16());
        }
    }

    /// The calls of one provider, or of all.
    pub(crate) fn list(&self, provider: Option<Provider>) -> Vec<CallRecord> {
        self.log()
            .calls
            .iter()
            .filter(|call| provider.is_none_or(|provider| provider == call.provider))
            .cloned()
            .collect()
    }

    /// Forgets all calls.
    pub(crate) fn clear(&self) {
        let mut log = self.log();
        log.first += log.calls.len();
        log.calls.clear();
    }

    fn log(&self) -> MutexGuard<'_, LoggedCalls> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
