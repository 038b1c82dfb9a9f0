//! How a request ended, for its log line and its metrics.

use async_graphql::{Response as Answer, ServerError, Value};

use crate::{error::ErrorCode, graphql::outcomes::RequestOutcomes};

/// How a request ended.
pub(super) struct Ending {
    pub(super) outcome: &'static str,
    /// The codes of the response's errors, and then of the failed sources and writes.
    pub(super) codes: Vec<ErrorCode>,
    pub(super) errors: usize,
    pub(super) failed_sources: usize,
    pub(super) failed_writes: usize,
}

impl Ending {
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
    let code = |error: &ServerError| match error.extensions.as_ref()?.get("code")? {
        Value::String(code) => ErrorCode::named(code),
        _ => None,
    };
    let codes = errors.iter().map(code);
    codes
        .map(|code| code.unwrap_or(ErrorCode::Internal))
        .collect()
}
