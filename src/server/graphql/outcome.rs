//! How a request ended, for its log line and its metrics.

use async_graphql::{Response as Answer, ServerError, Value};

use crate::{
    error::ErrorCode,
    graphql::{executor::code_of, outcomes::RequestOutcomes},
};

/// How a request ended.
pub(super) struct OperationOutcome {
    pub(super) outcome: &'static str,
    /// The codes of the response's errors, and then of the failed sources and writes.
    pub(super) codes: Vec<ErrorCode>,
    pub(super) errors: usize,
    pub(super) failed_sources: usize,
    pub(super) failed_writes: usize,
}

impl OperationOutcome {
    /// The end of a request that ran, or that could not run at all.
    pub(super) fn of(answer: &Answer, is_request_error: bool, fates: &RequestOutcomes) -> Self {
        let outcome = match answer.errors.as_slice() {
            [] => fates.outcome(),
            _ if is_request_error => "refused",
            _ if answer.data == Value::Null => "failed",
            _ => "partial",
        };
        let mut codes = codes(&answer.errors);
        codes.extend(fates.codes());
        Self {
            outcome,
            codes,
            errors: answer.errors.len(),
            failed_sources: fates.failed_sources(),
            failed_writes: fates.failed_writes(),
        }
    }

    /// The end of an operation without a response: a subscription without an event.
    pub(super) fn empty() -> Self {
        Self {
            outcome: "ok",
            codes: Vec::new(),
            errors: 0,
            failed_sources: 0,
            failed_writes: 0,
        }
    }

    /// Adds the end of a later response of the same operation. Sources and writes are those of the whole
    /// operation so far.
    pub(super) fn add(&mut self, later: Self) {
        if later.outcome != "ok" {
            self.outcome = later.outcome;
        }
        self.codes.extend(later.codes);
        self.errors += later.errors;
        self.failed_sources = later.failed_sources;
        self.failed_writes = later.failed_writes;
    }

    /// The end of a request that never reached the engine.
    pub(super) fn refused(code: ErrorCode) -> Self {
        Self {
            outcome: "refused",
            codes: vec![code],
            errors: 1,
            failed_sources: 0,
            failed_writes: 0,
        }
    }
}

/// The codes of errors.
fn codes(errors: &[ServerError]) -> Vec<ErrorCode> {
    let codes = errors.iter().map(code_of);
    codes
        .map(|code| code.unwrap_or(ErrorCode::Internal))
        .collect()
}
