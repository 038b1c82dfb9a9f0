//! Records each attempt of a call and how long it waited. It sits inside the retry, and outside
//! everything that an attempt may wait for.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use tokio::time::Instant;
use tracing::{Instrument, Span};

use super::{Layer, NextLayer, Request, Response};
use crate::{
    account::Account,
    context::{CallRecord, RequestContext, ResponseOrigin},
    error::Result,
};

/// The code of an attempt that was cancelled because nobody waits for it any more.
const CANCELLED: &str = "CANCELLED";

/// Writes one record per attempt to the request's call log.
pub struct AttemptLog {
    account: Account,
}

impl AttemptLog {
    /// Records the attempts of an account's calls.
    #[must_use]
    pub fn new(account: Account) -> Self {
        Self { account }
    }
}

/// An attempt in flight. Dropping it writes the record, so that a cancelled attempt is recorded
/// too.
struct OngoingAttempt {
    context: RequestContext,
    started: Instant,
    waited: Arc<AtomicU64>,
    entry: CallRecord,
    span: Span,
}

impl Drop for OngoingAttempt {
    fn drop(&mut self) {
        self.entry.took = self.started.elapsed();
        self.entry.waited = Duration::from_micros(self.waited.load(Ordering::Relaxed));
        self.entry.record_in(&self.span);
        self.context.call_log().add(self.entry.clone());
    }
}

#[async_trait]
impl Layer for AttemptLog {
    async fn call(&self, mut request: Request, next: NextLayer<'_>) -> Result<Response> {
        (request.waited, request.progress) = (Arc::default(), Arc::default());
        let entry = CallRecord {
            account: self.account,
            operation: request.operation.name(),
            page: request.page.clone(),
            attempt: request.attempt,
            status: None,
            code: Some(CANCELLED),
            may_be_missing: request.may_be_missing,
            took: Duration::ZERO,
            waited: Duration::ZERO,
            origin: ResponseOrigin::Provider,
        };
        let mut attempt = OngoingAttempt {
            context: request.context.clone(),
            started: Instant::now(),
            waited: Arc::clone(&request.waited),
            span: entry.span(),
            entry,
        };
        let answer = next.run(request).instrument(attempt.span.clone()).await;
        attempt
            .entry
            .end(answer.as_ref().map(Response::status_code));
        answer
    }
}
