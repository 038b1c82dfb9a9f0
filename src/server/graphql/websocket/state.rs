//! The state that the reader, the library and the writer of one socket share.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_graphql::{Request, ServerError};
use serde_json::json;
use tokio::sync::watch;

use crate::graphql::{
    executor::{Execution, RequestOptions},
    trace::RequestTrace,
};

/// The start of an operation.
pub(super) enum OperationStart {
    /// A request for the executor.
    Run(Box<Request>, RequestOptions),
    /// A request that the reader has refused.
    Refused(Box<Execution>),
}

/// The operations of one socket.
pub(super) struct SocketState {
    is_legacy: bool,
    operations: Mutex<Operations>,
    /// How many operations run.
    active: watch::Sender<usize>,
}

#[derive(Default)]
struct Operations {
    /// The operations that run, by their ids.
    active: HashSet<String>,
    /// The operations that the library has not started yet. The reader hands one message at a time to the library, so
    /// there is at most one for an id.
    starts: HashMap<String, OperationStart>,
    /// How many ends of operations that the client has ended the library still reports.
    stopped: HashMap<String, usize>,
    /// The errors of requests that were refused.
    refused: HashMap<String, Vec<ServerError>>,
    /// The memory of the responses that the socket has not taken, the oldest first.
    unsent: VecDeque<RequestTrace>,
}

/// How the writer treats the library's message that an operation is complete.
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
            active: watch::Sender::new(0),
        }
    }

    fn operations(&self) -> MutexGuard<'_, Operations> {
        self.operations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// How many operations run.
    pub(super) fn active(&self) -> usize {
        *self.active.borrow()
    }

    /// Waits until operations run, or until none does.
    pub(super) async fn until_active(&self, is_active: bool) {
        let mut active = self.active.subscribe();
        // It fails only when the sender is gone, which is this state.
        let _ = active.wait_for(|active| (*active > 0) == is_active).await;
    }

    /// Adds an operation. False when one of its id runs.
    pub(super) fn start(&self, id: &str, start: OperationStart) -> bool {
        let mut operations = self.operations();
        if !operations.active.insert(id.to_owned()) {
            return false;
        }
        operations.starts.insert(id.to_owned(), start);
        self.note_active(&operations);
        true
    }

    /// Notes that the client ends an operation. False when none of its id runs.
    pub(super) fn stop(&self, id: &str) -> bool {
        let mut operations = self.operations();
        let was_active = operations.active.remove(id);
        if was_active {
            *operations.stopped.entry(id.to_owned()).or_default() += 1;
            operations.starts.remove(id);
            operations.refused.remove(id);
        }
        self.note_active(&operations);
        was_active
    }

    /// Returns the start of an operation to the library, once.
    pub(super) fn take_start(&self, id: &str) -> Option<OperationStart> {
        self.operations().starts.remove(id)
    }

    /// Notes that a request was refused: its operation completes without a response.
    pub(super) fn refuse(&self, id: &str, errors: Vec<ServerError>) {
        self.operations().refused.insert(id.to_owned(), errors);
    }

    /// Holds the memory of a response until the socket has taken it.
    pub(super) fn hold(&self, trace: RequestTrace) {
        self.operations().unsent.push_back(trace);
    }

    /// Releases the memory of the oldest response, which the socket has taken.
    pub(super) fn release(&self) {
        self.operations().unsent.pop_front();
    }

    /// Notes that the library reports the end of an operation.
    pub(super) fn complete(&self, id: &str) -> Completion {
        let mut operations = self.operations();
        if let Some(stopped) = operations.stopped.get_mut(id) {
            *stopped -= 1;
            if *stopped == 0 {
                operations.stopped.remove(id);
            }
            return Completion::Known;
        }
        operations.active.remove(id);
        self.note_active(&operations);
        match operations.refused.remove(id) {
            None => Completion::Complete,
            Some(errors) => Completion::Refused(self.error_message(id, &errors)),
        }
    }

    /// The message that a request was refused. The older protocol has room for one error.
    fn error_message(&self, id: &str, errors: &[ServerError]) -> String {
        let payload = match (self.is_legacy, errors.first()) {
            (true, Some(first)) => json!(first),
            _ => json!(errors),
        };
        json!({ "type": "error", "id": id, "payload": payload }).to_string()
    }

    fn note_active(&self, operations: &Operations) {
        self.active.send_replace(operations.active.len());
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::Request;

    use super::{Completion, OperationStart, SocketState};
    use crate::graphql::executor::RequestOptions;

    fn start(state: &SocketState, id: &str) -> bool {
        let request = Request::new("{ __typename }");
        state.start(
            id,
            OperationStart::Run(Box::new(request), RequestOptions::default()),
        )
    }

    #[test]
    fn an_id_is_free_again_when_its_operation_has_ended() {
        let state = SocketState::new(false);
        assert!(start(&state, "1"));
        assert!(!start(&state, "1"));

        assert!(matches!(state.complete("1"), Completion::Complete));

        assert!(start(&state, "1"));
    }

    #[test]
    fn the_ends_of_operations_that_the_client_ended_do_not_end_the_next_of_their_id() {
        let state = SocketState::new(false);
        for _ in 0..3 {
            assert!(start(&state, "1") && state.stop("1"));
        }
        assert!(start(&state, "1"));

        for _ in 0..3 {
            assert!(matches!(state.complete("1"), Completion::Known));
        }

        assert_eq!(state.active(), 1);
        assert!(matches!(state.complete("1"), Completion::Complete));
        assert_eq!(state.active(), 0);
    }

    #[test]
    fn an_operation_that_does_not_run_cannot_be_ended() {
        let state = SocketState::new(false);

        assert!(!state.stop("1"));

        assert!(start(&state, "1"));
        assert!(matches!(state.complete("1"), Completion::Complete));
    }
}
