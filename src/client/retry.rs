//! Repeats a repeatable call while its deadline allows.

use std::time::Duration;

use tokio::time::sleep;

use super::{Request, Response};
use crate::error::{Error, ErrorKind, FailureStage, Result};

/// Full jitter over a doubling backoff. A wait that the provider asks for replaces it.
#[derive(Clone, Copy, Debug)]
pub struct RetryPolicy {
    /// The largest number of attempts.
    pub attempts: u32,
    /// The longest wait before the second attempt; it doubles.
    pub base: Duration,
    /// The longest wait that we choose ourselves.
    pub cap: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 3,
            base: Duration::from_millis(200),
            cap: Duration::from_secs(2),
        }
    }
}

impl RetryPolicy {
    /// Makes attempts until one succeeds or another is pointless. `attempt` gets the number of the
    /// attempt, counted from one.
    ///
    /// # Errors
    /// The error of the last attempt.
    pub(super) async fn run<F>(
        &self,
        request: &Request,
        attempt: impl Fn(u32) -> F,
    ) -> Result<Response>
    where
        F: Future<Output = Result<Response>>,
    {
        let (mut is_unsettled, mut was_renewed) = (false, false);
        let mut number = 1;
        loop {
            let error = match attempt(number).await {
                Ok(response) => {
                    return Ok(Response {
                        is_repeated: is_unsettled,
                        ..response
                    });
                }
                Err(error) => error.with_unsettled(is_unsettled),
            };
            is_unsettled = error.is_unsettled();
            // A call with a refused token had no effect, so it is sent once more with the new
            // token.
            if error.has_renewed_credentials() && !was_renewed {
                was_renewed = true;
            } else {
                match self.wait(&error, number, request.context.remaining()) {
                    Some(wait) if request.is_repeatable => sleep(wait).await,
                    _ => return Err(error),
                }
            }
            number += 1;
        }
    }

    /// The wait after a failed attempt (counted from one); `None` when another attempt is
    /// pointless.
    fn wait(&self, error: &Error, attempt: u32, left: Duration) -> Option<Duration> {
        // A circuit that is open now will still be open a moment later.
        let is_left_alone = error.kind() == ErrorKind::Unavailable
            && error.failure_stage() == FailureStage::NotSent;
        if attempt >= self.attempts || !error.kind().is_transient() || is_left_alone {
            return None;
        }
        let backoff = self
            .base
            .saturating_mul(1 << (attempt - 1).min(16))
            .min(self.cap);
        let jitter = backoff.mul_f64(fastrand::f64());
        let wait = error
            .retry_after()
            .map_or(jitter, |asked| asked + jitter.min(self.base));
        (wait < left).then_some(wait)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Error, ErrorKind, FailureStage, RetryPolicy};

    const LEFT: Duration = Duration::from_secs(10);

    #[test]
    fn the_providers_wait_is_respected_but_never_past_the_deadline() {
        let throttled = |seconds| {
            Error::new(ErrorKind::Throttled, "")
                .with_retry_after(Some(Duration::from_secs(seconds)))
        };

        let wait = RetryPolicy::default()
            .wait(&throttled(3), 1, LEFT)
            .expect("a wait");
        assert!(
            (Duration::from_secs(3)..Duration::from_millis(3_201)).contains(&wait),
            "{wait:?}"
        );
        assert_eq!(RetryPolicy::default().wait(&throttled(60), 1, LEFT), None);
    }

    #[test]
    fn permanent_failures_are_not_repeated() {
        for kind in [
            ErrorKind::Denied,
            ErrorKind::Rejected,
            ErrorKind::Malformed,
            ErrorKind::Missing,
            ErrorKind::Expired,
        ] {
            assert_eq!(
                RetryPolicy::default().wait(&Error::new(kind, ""), 1, LEFT),
                None,
                "{kind:?}"
            );
        }
    }

    #[test]
    fn an_open_circuit_is_not_waited_for() {
        let refusal = Error::new(ErrorKind::Unavailable, "")
            .with_retry_after(Some(Duration::from_millis(1)))
            .at_stage(FailureStage::NotSent);

        assert_eq!(RetryPolicy::default().wait(&refusal, 1, LEFT), None);
    }

    #[test]
    fn the_last_attempt_is_the_last() {
        let error = Error::new(ErrorKind::Unavailable, "");

        assert!(RetryPolicy::default().wait(&error, 2, LEFT).is_some());
        assert_eq!(RetryPolicy::default().wait(&error, 3, LEFT), None);
    }
}
