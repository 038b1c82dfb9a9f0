//! Notes each attempt of a call, with what it waited for: inside the retry, outside everything that an
//! attempt may wait for.

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

use super::{
    Layer, NextLayer, Request, RequestContext, Response,
    scope::{AnswerOrigin, CallRecord},
};
use crate::{account::Account, error::Result};

/// The code of an attempt that was given up since nobody waited for it any more.
const CANCELLED: &str = "CANCELLED";

/// One entry in the journal of the request for each attempt.
pub struct AttemptLog {
    account: Account,
}

impl AttemptLog {
    /// Notes the attempts of a provider's calls.
    #[must_use]
    pub fn of(account: Account) -> Self {
        Self { account }
    }
}

/// An attempt that is under way. It is noted when this is dropped, wherever that is.
struct OngoingAttempt {
    scope: RequestContext,
    started: Instant,
    waited: Arc<AtomicU64>,
    entry: CallRecord,
    span: Span,
}

impl Drop for OngoingAttempt {
    fn drop(&mut self) {
        self.entry.took = self.started.elapsed();
        self.entry.waited = Duration::from_micros(self.waited.load(Ordering::Relaxed));
        self.entry.tell(&self.span);
        self.scope.journal().add(self.entry.clone());
    }
}

#[async_trait]
impl Layer for AttemptLog {
    async fn call(&self, mut call: Request, next: NextLayer<'_>) -> Result<Response> {
        (call.waited, call.told) = (Arc::default(), Arc::default());
        let entry = CallRecord {
            account: self.account,
            operation: call.operation.name(),
            page: call.page.clone(),
            attempt: call.attempt,
            status: None,
            code: Some(CANCELLED),
            may_be_missing: call.may_be_missing,
            took: Duration::ZERO,
            waited: Duration::ZERO,
            origin: AnswerOrigin::Provider,
        };
        let mut attempt = OngoingAttempt {
            scope: call.scope.clone(),
            started: Instant::now(),
            waited: Arc::clone(&call.waited),
            span: entry.span(),
            entry,
        };
        let answer = next.run(call).instrument(attempt.span.clone()).await;
        attempt.entry.end(answer.as_ref());
        answer
    }
}
