//! Bounds how many calls a vendor gets at the same time: as many as configured, and fewer while that is
//! more than it bears. A call waits its turn until its deadline.

mod limit;
mod queue;

use std::sync::Arc;

use async_trait::async_trait;
use tokio::time::{Instant, timeout_at};

use super::{Call, Layer, Next, Reply};
use crate::error::{Error, Kind, Reach, Result};
use queue::{End, Queue};

/// The turns that a vendor's calls take.
pub struct Concurrency(Arc<Queue>);

impl Concurrency {
    /// At most this many calls of a vendor at the same time.
    #[must_use]
    pub fn of(vendor: &'static str, calls: usize) -> Self {
        Self(Queue::new(vendor, calls))
    }
}

#[async_trait]
impl Layer for Concurrency {
    async fn call(&self, call: Call, next: Next<'_>) -> Result<Reply> {
        let asked = Instant::now();
        let turn = timeout_at(call.scope.deadline(), self.0.turn(call.scope.priority()));
        let turn = turn.await;
        call.wait(asked.elapsed());
        let mut turn = turn.map_err(|_| Error::late().reaching(Reach::Nowhere))?;
        let answer = next.run(call).await;
        turn.end = end(answer.as_ref().err());
        answer
    }
}

/// What an answer says of how much the vendor bears. It is too much when the vendor says so, or a
/// gateway before it, or nobody. "Too many requests" may mean too many at a time as well as too many in
/// a while; fewer at a time is right for both.
fn end(error: Option<&Error>) -> End {
    let Some(error) = error else {
        return End::Answered;
    };
    match (error.kind(), error.reach(), error.status()) {
        (_, Reach::Nowhere | Reach::Hurried, _) | (Kind::TooLarge | Kind::Overloaded, ..) => {
            End::Unknown
        }
        (Kind::Throttled | Kind::TimedOut | Kind::Late, ..)
        | (Kind::Unavailable, _, Some(502..=504 | 529)) => End::Overloaded,
        (_, _, Some(status)) if status < 500 => End::Answered,
        _ => End::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::{End, Error, Kind, Reach, end};

    #[test]
    fn it_is_too_much_when_the_vendor_says_so_or_nobody_answers() {
        let said = |kind, status| end(Some(&Error::new(kind, "").answered(status)));

        assert_eq!(said(Kind::Throttled, 429), End::Overloaded);
        assert_eq!(said(Kind::Unavailable, 503), End::Overloaded);
        assert_eq!(end(Some(&Error::late())), End::Overloaded);
        assert_eq!(said(Kind::Unavailable, 500), End::Unknown);
        assert_eq!(
            end(Some(&Error::late().reaching(Reach::Hurried))),
            End::Unknown
        );
        assert_eq!(end(Some(&Error::new(Kind::Unavailable, ""))), End::Unknown);
        assert_eq!(said(Kind::Missing, 404), End::Answered);
        assert_eq!(end(None), End::Answered);
    }
}
