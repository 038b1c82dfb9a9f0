//! The inputs whose calls failed recently, and the requests that sent them. A provider that fails
//! for one input may be healthy, and one request can send many bad inputs: the circuit counts each
//! input and each request once within its window, and once between two responses.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher, Hash, Hasher, RandomState},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

use crate::client::Request;

/// The largest number of inputs that are remembered. One more counts as new.
const MAX_INPUTS: usize = 1024;

/// Identifies a call by its method, path, query and body, without credentials, and its request.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct CallFingerprint {
    call: u64,
    request: u64,
}

/// The inputs whose calls failed within a window.
#[derive(Debug)]
pub(super) struct FailedInputs {
    window: Duration,
    failed: HashMap<u64, Instant>,
    since_answer: HashSet<u64>,
    /// Seeded at random, so that nobody can craft two inputs with the same hash.
    hasher: RandomState,
}

impl FailedInputs {
    /// No failed inputs yet.
    pub(super) fn new(window: Duration) -> Self {
        Self {
            window,
            failed: HashMap::new(),
            since_answer: HashSet::new(),
            hasher: RandomState::new(),
        }
    }

    /// Identifies a call.
    pub(super) fn fingerprint(&self, call: &Request) -> CallFingerprint {
        let mut hash = self.hasher.build_hasher();
        call.method.hash(&mut hash);
        call.path.hash(&mut hash);
        call.query.hash(&mut hash);
        call.body.hash(&mut hash);
        let request = (
            Arc::as_ptr(call.context.call_log()).addr(),
            call.context.deadline(),
        );
        CallFingerprint {
            call: hash.finish(),
            request: self.hasher.hash_one(request),
        }
    }

    /// Notes that an input failed. False if it, or another input of its request, already failed
    /// within the window.
    pub(super) fn add(&mut self, input: CallFingerprint, now: Instant) -> bool {
        let is_new_call = self.remember(input.call, now);
        self.remember(input.request, now) && is_new_call
    }

    /// Notes that an input failed. False if it, or another input of its request, already failed
    /// since the provider last responded.
    pub(super) fn add_since_answer(&mut self, input: CallFingerprint) -> bool {
        if self.since_answer.len() >= MAX_INPUTS {
            return true;
        }
        let is_new_call = self.since_answer.insert(input.call);
        self.since_answer.insert(input.request) && is_new_call
    }

    /// Notes that the provider responded.
    pub(super) fn answered(&mut self) {
        self.since_answer.clear();
    }

    fn remember(&mut self, key: u64, now: Instant) -> bool {
        let window = self.window;
        let is_recent = |at: &Instant| now.saturating_duration_since(*at) < window;
        if self.failed.get(&key).is_some_and(is_recent) {
            return false;
        }
        if self.failed.len() >= MAX_INPUTS {
            self.failed.retain(|_, at| is_recent(at));
        }
        if self.failed.len() < MAX_INPUTS {
            self.failed.insert(key, now);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;
    use tokio::time::Instant;

    use super::{CallFingerprint, FailedInputs, MAX_INPUTS};
    use crate::client::{Operation, Request};

    const WINDOW: Duration = Duration::from_secs(10);

    /// An input of a request that sends nothing else.
    fn alone(number: u64) -> CallFingerprint {
        CallFingerprint {
            call: number,
            request: !number,
        }
    }

    #[test]
    fn a_request_is_news_once_however_many_inputs_fail() {
        let (mut failed, now) = (FailedInputs::new(WINDOW), Instant::now());
        let of_one = |call| CallFingerprint { call, request: 7 };

        assert!(failed.add(of_one(1), now));
        assert!(!failed.add(of_one(2), now));
        assert!(!failed.add(alone(2), now), "the input is known by now");
        assert!(failed.add(alone(3), now));
    }

    #[test]
    fn an_input_that_fails_again_is_news_after_a_window_only() {
        let (mut failed, now) = (FailedInputs::new(WINDOW), Instant::now());

        assert!(failed.add(alone(1), now));
        assert!(!failed.add(alone(1), now + WINDOW / 2));
        assert!(failed.add(alone(2), now));
        assert!(failed.add(alone(1), now + WINDOW));
    }

    #[test]
    fn an_input_counts_once_between_two_answers() {
        let mut failed = FailedInputs::new(WINDOW);
        let of_one = |call| CallFingerprint { call, request: 7 };

        assert!(failed.add_since_answer(of_one(1)));
        assert!(!failed.add_since_answer(of_one(2)), "the same request");
        assert!(!failed.add_since_answer(alone(1)), "the same input");
        assert!(failed.add_since_answer(alone(3)));

        failed.answered();
        assert!(failed.add_since_answer(alone(1)));
    }

    #[test]
    fn inputs_differ_by_method_path_query_and_body() {
        let failed = FailedInputs::new(WINDOW);
        let get = |path| Request::get(Operation::ById, &[path]);
        let post = |body| Request::post(Operation::Create, &["a"], body);
        let calls = [
            get("a"),
            get("b"),
            get("a").query([("page", "1".to_owned())]),
            get("a").query([("page", "2".to_owned())]),
            post(json!({ "a": 1 })),
            post(json!({ "a": 2 })),
            Request::put(Operation::Update, &["a"], json!({ "a": 1 })),
        ];

        let inputs: Vec<_> = calls.iter().map(|call| failed.fingerprint(call)).collect();

        for (at, input) in inputs.iter().enumerate() {
            assert!(!inputs[at + 1..].contains(input), "{at}");
            assert_eq!(*input, failed.fingerprint(&calls[at]));
        }
    }

    #[test]
    fn no_more_inputs_are_remembered_than_fit() {
        let (mut failed, now) = (FailedInputs::new(WINDOW), Instant::now());

        for number in 0..2 * MAX_INPUTS as u64 {
            assert!(failed.add(alone(number), now));
        }
        assert_eq!(failed.failed.len(), MAX_INPUTS);
        assert!(failed.add(alone(u64::MAX), now + WINDOW));
        assert_eq!(failed.failed.len(), 2);
    }
}
