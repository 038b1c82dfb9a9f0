//! Bounds how many calls a provider gets at the same time: as many as configured, and fewer while that is
//! more than it bears. A call waits its turn until its deadline.

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

/// The turns that a provider's calls take.
pub struct ConcurrencyLayer(Arc<ConcurrencyQueue>);

impl ConcurrencyLayer {
    /// At most this many calls of a provider at the same time.
    #[must_use]
    pub fn of(account: Account, calls: usize) -> Self {
        Self(ConcurrencyQueue::new(account, calls))
    }
}

#[async_trait]
impl Layer for ConcurrencyLayer {
    async fn call(&self, call: Request, next: NextLayer<'_>) -> Result<Response> {
        let asked = Instant::now();
        let turn = timeout_at(call.scope.deadline(), self.0.turn(call.scope.priority()));
        let turn = turn.await;
        call.wait(asked.elapsed());
        let mut turn = turn.map_err(|_| Error::late().reaching(FailureStage::Nowhere))?;
        let answer = next.run(call).await;
        turn.end = end(answer.as_ref().err());
        answer
    }
}

/// What an answer says of how much the provider bears. It is too much when the provider says so, or a
/// gateway before it, or nobody. "Too many requests" may mean too many at a time as well as too many in
/// a while; fewer at a time is right for both.
fn end(error: Option<&Error>) -> LoadSignal {
    let Some(error) = error else {
        return LoadSignal::Answered;
    };
    match (error.kind(), error.reach(), error.status()) {
        (_, FailureStage::Nowhere | FailureStage::Hurried, _)
        | (ErrorKind::TooLarge | ErrorKind::Overloaded, ..) => LoadSignal::Unknown,
        (ErrorKind::Throttled | ErrorKind::TimedOut | ErrorKind::Late, ..)
        | (ErrorKind::Unavailable, _, Some(502..=504 | 529)) => LoadSignal::Overloaded,
        (_, _, Some(status)) if status < 500 => LoadSignal::Answered,
        _ => LoadSignal::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::{Error, ErrorKind, FailureStage, LoadSignal, end};

    #[test]
    fn it_is_too_much_when_the_provider_says_so_or_nobody_answers() {
        let said = |kind, status| end(Some(&Error::new(kind, "").answered(status)));

        assert_eq!(said(ErrorKind::Throttled, 429), LoadSignal::Overloaded);
        assert_eq!(said(ErrorKind::Unavailable, 503), LoadSignal::Overloaded);
        assert_eq!(end(Some(&Error::late())), LoadSignal::Overloaded);
        assert_eq!(said(ErrorKind::Unavailable, 500), LoadSignal::Unknown);
        assert_eq!(
            end(Some(&Error::late().reaching(FailureStage::Hurried))),
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
