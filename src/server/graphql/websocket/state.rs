//! What the reader, the library and the writer of one socket share.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_graphql::{Request, ServerError};
use serde_json::json;
use tokio::sync::Notify;

/// The operations of one socket.
pub(super) struct SocketState {
    is_legacy: bool,
    operations: Mutex<Operations>,
    /// Is notified when the last operation has ended.
    idle: Notify,
}

#[derive(Default)]
struct Operations {
    /// The operations that run, by their ids.
    active: HashSet<String>,
    /// The requests of operations that the library has not started yet.
    requests: HashMap<String, Request>,
    /// The operations that the client has ended and whose end the library reports.
    stopped: HashSet<String>,
    /// The errors of requests that were refused.
    refused: HashMap<String, Vec<ServerError>>,
}

/// What becomes of the message by which the library says that an operation is complete.
pub(super) enum Completion {
    /// It is sent.
    Complete,
    /// This is sent in its place.
    Refused(String),
    /// The client knows already.
    Known,
}

impl SocketState {
    pub(super) fn new(is_legacy: bool) -> Self {
        Self {
            is_legacy,
            operations: Mutex::default(),
            idle: Notify::new(),
        }
    }

    fn operations(&self) -> MutexGuard<'_, Operations> {
        self.operations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// How many operations run.
    pub(super) fn active(&self) -> usize {
        self.operations().active.len()
    }

    /// Waits until no operation runs.
    pub(super) async fn until_idle(&self) {
        loop {
            let idle = self.idle.notified();
            if self.active() == 0 {
                return;
            }
            idle.await;
        }
    }

    /// Adds an operation. False when one of its id runs.
    pub(super) fn start(&self, id: &str, request: Request) -> bool {
        let mut operations = self.operations();
        if !operations.active.insert(id.to_owned()) {
            return false;
        }
        operations.requests.insert(id.to_owned(), request);
        true
    }

    /// Whether an operation of an id runs.
    pub(super) fn is_active(&self, id: &str) -> bool {
        self.operations().active.contains(id)
    }

    /// Notes that the client ends an operation. False when none of its id runs.
    pub(super) fn stop(&self, id: &str) -> bool {
        let mut operations = self.operations();
        let was_active = operations.active.remove(id);
        if was_active {
            operations.stopped.insert(id.to_owned());
            operations.requests.remove(id);
            operations.refused.remove(id);
        }
        self.note_idle(&operations);
        was_active
    }

    /// The request of an operation that the library starts.
    pub(super) fn take_request(&self, id: &str) -> Option<Request> {
        self.operations().requests.remove(id)
    }

    /// Notes that a request was refused: its operation completes without a response.
    pub(super) fn refuse(&self, id: &str, errors: Vec<ServerError>) {
        self.operations().refused.insert(id.to_owned(), errors);
    }

    /// Notes that the library reports the end of an operation.
    pub(super) fn complete(&self, id: &str) -> Completion {
        let mut operations = self.operations();
        if operations.stopped.remove(id) {
            return Completion::Known;
        }
        operations.active.remove(id);
        self.note_idle(&operations);
        match operations.refused.remove(id) {
            None => Completion::Complete,
            Some(errors) => Completion::Refused(self.error_message(id, &errors)),
        }
    }

    /// The message that a request was refused. The older protocol has room for one error.
    pub(super) fn error_message(&self, id: &str, errors: &[ServerError]) -> String {
        let payload = match (self.is_legacy, errors.first()) {
            (true, Some(first)) => json!(first),
            _ => json!(errors),
        };
        json!({ "type": "error", "id": id, "payload": payload }).to_string()
    }

    fn note_idle(&self, operations: &Operations) {
        if operations.active.is_empty() {
            self.idle.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::Request;

    use super::{Completion, SocketState};

    fn request() -> Request {
        Request::new("{ __typename }")
    }

    #[test]
    fn an_id_is_free_again_when_its_operation_has_ended() {
        let state = SocketState::new(false);
        assert!(state.start("1", request()));
        assert!(!state.start("1", request()));

        assert!(matches!(state.complete("1"), Completion::Complete));

        assert!(state.start("1", request()));
    }

    #[test]
    fn the_end_of_an_operation_that_the_client_ended_does_not_end_the_next_of_its_id() {
        let state = SocketState::new(false);
        assert!(state.start("1", request()) && state.stop("1"));
        assert!(state.start("1", request()));

        assert!(matches!(state.complete("1"), Completion::Known));

        assert!(state.is_active("1"));
    }

    #[test]
    fn an_operation_that_does_not_run_cannot_be_ended() {
        let state = SocketState::new(false);

        assert!(!state.stop("1"));

        assert!(state.start("1", request()));
        assert!(matches!(state.complete("1"), Completion::Complete));
    }
}
