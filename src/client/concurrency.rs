//! Limits how many calls an account has in flight: at most the configured number, and fewer while
//! the provider is overloaded. A call waits for a permit until its deadline.

mod limit;
mod queue;

use std::sync::Arc;

use async_trait::async_trait;
use tokio::time::{Instant, timeout_at};

use super::{Layer, NextLayer, Request, Response};
use crate::{
    account::Account,
    error::{Error, ErrorKind, FailureStage, Result},
};
use queue::{ConcurrencyQueue, LoadSignal};

/// Issues the permits for an account's calls.
pub struct ConcurrencyLayer(Arc<ConcurrencyQueue>);

impl ConcurrencyLayer {
    /// Allows at most this many calls of an account at the same time.
    #[must_use]
    pub fn new(account: Account, calls: usize) -> Self {
        Self(ConcurrencyQueue::new(account, calls))
    }
}

#[async_trait]
impl Layer for ConcurrencyLayer {
    async fn call(&self, request: Request, next: NextLayer<'_>) -> Result<Response> {
        let asked = Instant::now();
        let permit = timeout_at(
            request.context.deadline(),
            self.0.acquire(request.context.priority()),
        );
        let permit = permit.await;
        request.add_wait(asked.elapsed());
        let mut permit =
            permit.map_err(|_| Error::deadline_exceeded().at_stage(FailureStage::NotSent))?;
        let answer = next.run(request).await;
        permit.end = end(answer.as_ref().err());
        answer
    }
}

/// Reads the provider's load from the end of a call. The provider is overloaded when it says so,
/// when a proxy in front of it says so, or when nobody answers. "Too many requests" may mean too
/// many at once as well as too many per interval; fewer at once is right for both.
fn end(error: Option<&Error>) -> LoadSignal {
    let Some(error) = error else {
        return LoadSignal::Answered;
    };
    match (error.kind(), error.failure_stage(), error.status()) {
        (_, FailureStage::NotSent | FailureStage::CancelledEarly, _)
        | (ErrorKind::TooLarge | ErrorKind::Overloaded, ..) => LoadSignal::Unknown,
        (ErrorKind::Throttled | ErrorKind::TimedOut | ErrorKind::DeadlineExceeded, ..)
        | (ErrorKind::Unavailable, _, Some(502..=504 | 529)) => LoadSignal::Overloaded,
        (_, _, Some(status)) if status < 500 => LoadSignal::Answered,
        _ => LoadSignal::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::{Error, ErrorKind, FailureStage, LoadSignal, end};

    #[test]
    fn a_provider_is_overloaded_when_it_says_so_or_nobody_answers() {
        let said = |kind, status| end(Some(&Error::new(kind, "").with_status(status)));

        assert_eq!(said(ErrorKind::Throttled, 429), LoadSignal::Overloaded);
        assert_eq!(said(ErrorKind::Unavailable, 503), LoadSignal::Overloaded);
        assert_eq!(
            end(Some(&Error::deadline_exceeded())),
            LoadSignal::Overloaded
        );
        assert_eq!(said(ErrorKind::Unavailable, 500), LoadSignal::Unknown);
        assert_eq!(
            end(Some(
                &Error::deadline_exceeded().at_stage(FailureStage::CancelledEarly)
            )),
            LoadSignal::Unknown
        );
        assert_eq!(
            end(Some(&Error::new(ErrorKind::Unavailable, ""))),
            LoadSignal::Unknown
        );
        assert_eq!(said(ErrorKind::Missing, 404), LoadSignal::Answered);
        assert_eq!(end(None), LoadSignal::Answered);
    }
}
