//! Asks a second time when the answer to a read takes longer than is usual, and takes the answer that
//! comes first ("The Tail at Scale", Dean and Barroso 2013). The other attempt is cancelled.
//!
//! Inside the retry and around the attempt: both are attempts like any other, and spend budget and a
//! turn of their own. The second waits behind all that somebody waits for, so that a provider that is slow
//! since it is busy does not get busier.

mod latency;

use std::{
    collections::HashMap,
    pin::pin,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use tokio::time::{Instant, timeout};

use super::{Layer, NextLayer, Operation, Priority, Request, Response};
use crate::{
    account::Account,
    {error::Result, metrics},
};
use latency::LatencyHistory;

/// What share of a provider's reads may be asked twice.
const SHARE: f64 = 0.05;
/// How many such permissions are saved at most.
const SAVED: f64 = 10.0;

/// Second attempts at a provider's slow reads.
pub struct HedgeLayer {
    account: Account,
    book: Mutex<HedgeState>,
}

#[derive(Default)]
struct HedgeState {
    usual: HashMap<Operation, LatencyHistory>,
    saved: f64,
}

impl HedgeState {
    /// A read begins: after how long it is slow, where that is known.
    fn begin(&mut self, operation: Operation) -> Option<Duration> {
        self.saved = (self.saved + SHARE).min(SAVED);
        self.usual.entry(operation).or_default().most()
    }

    /// A read took so long, or longer.
    fn end(&mut self, operation: Operation, took: Duration) {
        self.usual.entry(operation).or_default().add(took);
    }

    /// Whether one more read may be asked twice.
    fn spend(&mut self) -> bool {
        let may = self.saved >= 1.0;
        if may {
            self.saved -= 1.0;
        }
        may
    }
}

impl HedgeLayer {
    /// Second attempts at the reads of a provider.
    #[must_use]
    pub fn of(account: Account) -> Self {
        for operation in Operation::READS {
            metrics::init_hedges(account, operation.name());
        }
        Self {
            account,
            book: Mutex::default(),
        }
    }

    fn book(&self) -> MutexGuard<'_, HedgeState> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first answer of two attempts, and whether the second gave it. When both fail it is the
    /// failure of the first.
    async fn race(
        first: impl Future<Output = Result<Response>>,
        second: impl Future<Output = Result<Response>>,
    ) -> (Result<Response>, bool) {
        let (mut first, mut second) = (pin!(first), pin!(second));
        tokio::select! {
            biased;
            answer = &mut first => {
                if is_answer(&answer) {
                    return (answer, false);
                }
                let other = second.await;
                if is_answer(&other) { (other, true) } else { (answer, false) }
            }
            answer = &mut second => {
                if is_answer(&answer) {
                    return (answer, true);
                }
                (first.await, false)
            }
        }
    }
}

/// Whether the provider answered, be it with a refusal: asked again it would say the same.
fn is_answer(answer: &Result<Response>) -> bool {
    match answer {
        Ok(_) => true,
        Err(error) => !error.kind().is_transient() && !error.kind().is_ours(),
    }
}

#[async_trait]
impl Layer for HedgeLayer {
    async fn call(&self, call: Request, next: NextLayer<'_>) -> Result<Response> {
        if !call.is_read || call.scope.priority() == Priority::Background {
            return next.run(call).await;
        }
        let (operation, started) = (call.operation, Instant::now());
        let slow = self.book().begin(operation);
        let again = Request {
            scope: call.scope.with_priority(Priority::Background),
            ..call.clone()
        };
        let mut first = pin!(next.run(call));
        let in_time = match slow {
            Some(slow) => timeout(slow, &mut first).await.ok(),
            None => Some((&mut first).await),
        };
        let answer = match in_time {
            Some(answer) => answer,
            None if !self.book().spend() => first.await,
            None => {
                let (answer, is_second) = Self::race(first, next.run(again)).await;
                metrics::hedge(self.account, operation.name(), is_second);
                answer
            }
        };
        // Where the second attempt was faster, the first would have taken longer than this.
        if is_answer(&answer) {
            self.book().end(operation, started.elapsed());
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use crate::account::{Account, Provider};
    use reqwest::{StatusCode, header::HeaderMap};
    use tokio::task::yield_now;

    use super::{HedgeLayer, HedgeState, Operation, Response};
    use crate::error::{Error, ErrorKind, Result};

    async fn after(turns: u64, status: Option<u16>) -> Result<Response> {
        for _ in 0..turns {
            yield_now().await;
        }
        let status = status.ok_or_else(|| Error::new(ErrorKind::Unavailable, turns.to_string()))?;
        if status == 404 {
            return Err(Error::new(ErrorKind::Missing, "404"));
        }
        Ok(Response {
            account: Account::of(Provider::Ada),
            status: StatusCode::from_u16(status).expect("a status"),
            headers: HeaderMap::new(),
            body: Vec::new().into(),
            sent: tokio::time::Instant::now(),
            kept: None,
            is_repeated: false,
        })
    }

    /// The status or the message of the answer, and whether the second attempt gave it.
    async fn race(first: (u64, Option<u16>), second: (u64, Option<u16>)) -> (String, bool) {
        let (answer, is_second) =
            HedgeLayer::race(after(first.0, first.1), after(second.0, second.1)).await;
        let said = match answer {
            Ok(reply) => reply.status.as_str().to_owned(),
            Err(error) => error.message().to_owned(),
        };
        (said, is_second)
    }

    #[tokio::test]
    async fn the_first_good_answer_wins_and_two_failures_are_the_first_ones() {
        let won = |said: &str, is_second| (said.to_owned(), is_second);

        assert_eq!(
            race((1, Some(200)), (2, Some(201))).await,
            won("200", false)
        );
        assert_eq!(race((2, Some(200)), (1, Some(201))).await, won("201", true));
        assert_eq!(race((2, Some(200)), (1, None)).await, won("200", false));
        assert_eq!(race((1, None), (2, Some(201))).await, won("201", true));
        assert_eq!(
            race((1, Some(404)), (2, Some(200))).await,
            won("404", false)
        );
        assert_eq!(race((2, Some(200)), (1, Some(404))).await, won("404", true));
        assert_eq!(race((2, None), (1, None)).await, won("2", false));
    }

    #[test]
    fn one_read_in_twenty_may_be_asked_twice_and_few_in_a_row() {
        let mut book = HedgeState::default();

        let hedges = |book: &mut HedgeState, reads: u32| {
            let each = (0..reads).filter(|_| {
                book.begin(Operation::ById);
                book.spend()
            });
            each.count()
        };
        assert!((49..=50).contains(&hedges(&mut book, 1_000)));
        for _ in 0..1_000 {
            book.begin(Operation::ById);
        }
        assert_eq!((0..100).filter(|_| book.spend()).count(), 10);
    }
}
