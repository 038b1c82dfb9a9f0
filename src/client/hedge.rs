//! Sends a read a second time when its response takes unusually long, and uses the response that
//! comes first ("The Tail at Scale", Dean and Barroso 2013). The other attempt is cancelled.
//!
//! It sits inside the retry and around the attempt: both attempts count as attempts, and each takes
//! budget and a permit. The second has background priority, so that it does not add to the load of
//! a provider that is slow because it is busy.

mod latency;

use std::{
    collections::HashMap,
    pin::pin,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use tokio::time::{Instant, timeout};

use super::{Layer, NextLayer, Operation, Request, Response};
use crate::{account::Account, context::Priority, error::Result, metrics};
use latency::LatencyHistory;

/// The share of an account's reads that may be sent twice.
const SHARE: f64 = 0.05;
/// The largest number of unused second attempts that are saved up.
const MAX_TOKENS: f64 = 10.0;

/// Sends slow reads of an account a second time.
pub struct HedgeLayer {
    account: Account,
    state: Mutex<HedgeState>,
}

#[derive(Default)]
struct HedgeState {
    latencies: HashMap<Operation, LatencyHistory>,
    tokens: f64,
}

impl HedgeState {
    /// Notes the start of a read and returns the time after which it counts as slow, if known.
    fn begin(&mut self, operation: Operation) -> Option<Duration> {
        self.tokens = (self.tokens + SHARE).min(MAX_TOKENS);
        self.latencies.entry(operation).or_default().p95()
    }

    /// Notes that a read took this long, or longer.
    fn end(&mut self, operation: Operation, took: Duration) {
        self.latencies.entry(operation).or_default().add(took);
    }

    /// Takes the right to a second attempt, if one is left.
    fn take_token(&mut self) -> bool {
        let may = self.tokens >= 1.0;
        if may {
            self.tokens -= 1.0;
        }
        may
    }
}

impl HedgeLayer {
    /// Hedges the reads of an account.
    #[must_use]
    pub fn new(account: Account) -> Self {
        for operation in Operation::READS {
            metrics::init_hedges(account, operation.name());
        }
        Self {
            account,
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, HedgeState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the first response of two attempts, and whether the second attempt gave it. When
    /// both fail, it returns the failure of the first.
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

/// Whether the provider responded. A refusal counts: a second attempt would be refused as well.
fn is_answer(answer: &Result<Response>) -> bool {
    match answer {
        Ok(_) => true,
        Err(error) => !error.kind().is_transient() && !error.kind().is_ours(),
    }
}

#[async_trait]
impl Layer for HedgeLayer {
    async fn call(&self, request: Request, next: NextLayer<'_>) -> Result<Response> {
        if !request.is_read || request.context.priority() == Priority::Background {
            return next.run(request).await;
        }
        let (operation, started) = (request.operation, Instant::now());
        let slow = self.state().begin(operation);
        let again = Request {
            context: request.context.with_priority(Priority::Background),
            ..request.clone()
        };
        let mut first = pin!(next.run(request));
        let in_time = match slow {
            Some(slow) => timeout(slow, &mut first).await.ok(),
            None => Some((&mut first).await),
        };
        let answer = match in_time {
            Some(answer) => answer,
            None if !self.state().take_token() => first.await,
            None => {
                let (answer, is_second) = Self::race(first, next.run(again)).await;
                metrics::hedge(self.account, operation.name(), is_second);
                answer
            }
        };
        // When the second attempt was faster, the first would have taken longer than this.
        if is_answer(&answer) {
            self.state().end(operation, started.elapsed());
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
            account: Account::default_for(Provider::Ada),
            status: StatusCode::from_u16(status).expect("a status"),
            headers: HeaderMap::new(),
            body: Vec::new().into(),
            sent: tokio::time::Instant::now(),
            cached_at: None,
            is_repeated: false,
        })
    }

    /// Returns the status or the error message, and whether it came from the second attempt.
    async fn race(first: (u64, Option<u16>), second: (u64, Option<u16>)) -> (String, bool) {
        let (answer, is_second) =
            HedgeLayer::race(after(first.0, first.1), after(second.0, second.1)).await;
        let said = match answer {
            Ok(response) => response.status.as_str().to_owned(),
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
        let mut state = HedgeState::default();

        let hedges = |state: &mut HedgeState, reads: u32| {
            let each = (0..reads).filter(|_| {
                state.begin(Operation::ById);
                state.take_token()
            });
            each.count()
        };
        assert!((49..=50).contains(&hedges(&mut state, 1_000)));
        for _ in 0..1_000 {
            state.begin(Operation::ById);
        }
        assert_eq!((0..100).filter(|_| state.take_token()).count(), 10);
    }
}
