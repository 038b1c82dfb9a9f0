//! The record of an attempt in the log of its request's calls.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use tracing::Span;

use crate::{
    account::Account,
    client::{
        Response,
        attempt::{Attempt, AttemptProgress},
    },
    context::{CallRecord, RequestContext, ResponseOrigin},
    error::Result,
};

/// The code of an attempt that was cancelled because nobody waits for it any more.
const CANCELLED: &str = "CANCELLED";

/// An attempt in flight. Dropping it writes the record, so that a cancelled attempt is recorded
/// too.
pub(in crate::client) struct OngoingAttempt {
    context: RequestContext,
    started: Instant,
    progress: Arc<AttemptProgress>,
    record: CallRecord,
    span: Span,
}

impl OngoingAttempt {
    pub(super) fn start(account: Account, attempt: &Attempt<'_>) -> Self {
        let request = attempt.request;
        let record = CallRecord {
            account,
            operation: request.operation.name(),
            page: request.page.clone(),
            attempt: attempt.number,
            status: None,
            code: Some(CANCELLED),
            may_be_missing: request.may_be_missing,
            took: Duration::ZERO,
            waited: Duration::ZERO,
            origin: ResponseOrigin::Provider,
        };
        Self {
            context: request.context.clone(),
            started: Instant::now(),
            progress: Arc::clone(&attempt.progress),
            span: record.span(),
            record,
        }
    }

    /// The span of the attempt.
    pub(in crate::client) fn span(&self) -> Span {
        self.span.clone()
    }

    /// Notes how the attempt ended.
    pub(in crate::client) fn end(mut self, answer: &Result<Response>) {
        self.record.end(answer.as_ref().map(Response::status_code));
    }
}

impl Drop for OngoingAttempt {
    fn drop(&mut self) {
        self.record.took = self.started.elapsed();
        self.record.waited = self.progress.waited();
        self.record.record_in(&self.span);
        self.context.call_log().add(self.record.clone());
    }
}
