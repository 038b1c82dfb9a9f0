//! The inputs whose calls failed lately. A provider that fails for one input may be well: the circuit
//! counts each input once within its window.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash, Hasher, RandomState},
    time::Duration,
};

use tokio::time::Instant;

use crate::http::Call;

/// How many inputs are remembered at most. One that does not fit counts as new.
const MOST: usize = 1024;

/// What identifies a call's method, path, query and body. Credentials are not part of it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct Input(u64);

/// The inputs whose calls failed within a window.
#[derive(Debug)]
pub(super) struct FailedInputs {
    window: Duration,
    failed: HashMap<Input, Instant>,
    /// Keyed by chance, so that nobody can make two inputs look like one.
    hasher: RandomState,
}

impl FailedInputs {
    /// None yet.
    pub(super) fn within(window: Duration) -> Self {
        Self {
            window,
            failed: HashMap::new(),
            hasher: RandomState::new(),
        }
    }

    /// What a call asks.
    pub(super) fn input(&self, call: &Call) -> Input {
        let mut hash = self.hasher.build_hasher();
        call.method.hash(&mut hash);
        call.path.hash(&mut hash);
        call.query.hash(&mut hash);
        call.body.hash(&mut hash);
        Input(hash.finish())
    }

    /// Notes that an input failed. True unless it did so before within the window.
    pub(super) fn add(&mut self, input: Input, now: Instant) -> bool {
        let window = self.window;
        let is_recent = |at: &Instant| now.saturating_duration_since(*at) < window;
        if self.failed.get(&input).is_some_and(is_recent) {
            return false;
        }
        if self.failed.len() >= MOST {
            self.failed.retain(|_, at| is_recent(at));
        }
        if self.failed.len() < MOST {
            self.failed.insert(input, now);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;
    use tokio::time::Instant;

    use super::{FailedInputs, Input, MOST};
    use crate::http::{Call, Operation};

    const WINDOW: Duration = Duration::from_secs(10);

    #[test]
    fn an_input_that_fails_again_is_news_after_a_window_only() {
        let (mut failed, now) = (FailedInputs::within(WINDOW), Instant::now());

        assert!(failed.add(Input(1), now));
        assert!(!failed.add(Input(1), now + WINDOW / 2));
        assert!(failed.add(Input(2), now));
        assert!(failed.add(Input(1), now + WINDOW));
    }

    #[test]
    fn inputs_differ_by_method_path_query_and_body() {
        let failed = FailedInputs::within(WINDOW);
        let get = |path| Call::get(Operation::ById, &[path]);
        let post = |body| Call::post(Operation::Create, &["a"], body);
        let calls = [
            get("a"),
            get("b"),
            get("a").query([("page", "1".to_owned())]),
            get("a").query([("page", "2".to_owned())]),
            post(json!({ "a": 1 })),
            post(json!({ "a": 2 })),
            Call::put(Operation::Update, &["a"], json!({ "a": 1 })),
        ];

        let inputs: Vec<_> = calls.iter().map(|call| failed.input(call)).collect();

        for (at, input) in inputs.iter().enumerate() {
            assert!(!inputs[at + 1..].contains(input), "{at}");
            assert_eq!(*input, failed.input(&calls[at]));
        }
    }

    #[test]
    fn no_more_inputs_are_remembered_than_fit() {
        let (mut failed, now) = (FailedInputs::within(WINDOW), Instant::now());

        for number in 0..3 * MOST as u64 {
            assert!(failed.add(Input(number), now));
        }
        assert_eq!(failed.failed.len(), MOST);
        assert!(failed.add(Input(u64::MAX), now + WINDOW));
        assert_eq!(failed.failed.len(), 1);
    }
}
