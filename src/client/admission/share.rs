//! The share of an account's budget that one request may use.

use std::time::Duration;

use tokio::time::Instant;

use super::WindowStatus;
use crate::{
    context::{CallRefused, CallShare},
    error::{Error, ErrorKind, FailureStage},
};

/// A window of at least this span does not refill during a request.
const LONG_WINDOW: Duration = Duration::from_secs(60);

/// The calls that a request may always make: a search or a write needs fewer.
const MIN_CALLS: u32 = 10;

/// Half of what is left of the smallest long window. Windows that refill during a request are no
/// reason to refuse it: their calls wait.
pub(super) fn call_share(
    windows: &[WindowStatus],
    now: Instant,
    deadline: Instant,
) -> Option<CallShare> {
    let is_long = |status: &&WindowStatus| match status.seconds {
        Some(seconds) => Duration::from_secs(u64::from(seconds)) >= LONG_WINDOW,
        None => status.resets_at.is_some_and(|moment| moment > deadline),
    };
    let smallest = windows.iter().filter(is_long).min_by_key(|s| s.remaining)?;
    let refills_in = smallest.resets_at.map_or_else(
        || smallest.seconds.map(u64::from),
        |moment| Some(whole_seconds(moment.saturating_duration_since(now))),
    );
    Some(CallShare {
        calls: smallest.remaining.div_ceil(2).max(MIN_CALLS),
        refills_in,
    })
}

fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

/// The error of a call beyond its request's limit.
pub(super) fn refusal(refused: CallRefused) -> Error {
    let (message, wait) = match refused {
        CallRefused::Limit(calls) => {
            let message = format!(
                "this request has made the {calls} calls that one request may make at this provider: a \
                 limit of the gateway (`calls` in [limits]), not of the provider; ask for fewer records \
                 in one request"
            );
            (message, None)
        }
        CallRefused::Share(share) => {
            let message = format!(
                "this request has used its share of the provider's rate limit, {} calls: the gateway \
                 leaves the rest to other requests; ask for fewer records in one request, or ask for \
                 the rest later",
                share.calls
            );
            (message, share.refills_in.map(Duration::from_secs))
        }
    };
    Error::new(ErrorKind::CallLimit, message)
        .with_retry_after(wait)
        .at_stage(FailureStage::NotSent)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{CallShare, WindowStatus, call_share};

    fn status(seconds: Option<u32>, remaining: u32, resets_at: Option<Instant>) -> WindowStatus {
        WindowStatus {
            seconds,
            limit: 100,
            remaining,
            resets_at,
        }
    }

    #[test]
    fn a_request_gets_half_of_what_is_left_of_the_smallest_long_window() {
        let now = Instant::now();
        let (deadline, later) = (
            now + Duration::from_secs(15),
            now + Duration::from_millis(30_500),
        );
        let share = |windows: &[WindowStatus]| call_share(windows, now, deadline);
        let some = |calls, refills_in| {
            Some(CallShare {
                calls,
                refills_in: Some(refills_in),
            })
        };

        let day = status(Some(86_400), 9_000, Some(later));
        assert_eq!(share(&[status(Some(1), 3, None), day]), some(4_500, 31));
        let minute = status(Some(60), 71, Some(later));
        assert_eq!(
            share(&[status(Some(1), 3, None), minute, day]),
            some(36, 31)
        );
        assert_eq!(share(&[status(Some(60), 100, None)]), some(50, 60));
        assert_eq!(share(&[status(Some(60), 4, Some(later))]), some(10, 31));
    }

    #[test]
    fn windows_that_fill_while_a_request_waits_are_no_reason_to_refuse_it() {
        let now = Instant::now();
        let deadline = now + Duration::from_secs(15);

        assert_eq!(call_share(&[], now, deadline), None);
        assert_eq!(
            call_share(&[status(Some(10), 3, None)], now, deadline),
            None
        );
        assert_eq!(
            call_share(
                &[status(None, 3, Some(now + Duration::from_secs(9)))],
                now,
                deadline
            ),
            None
        );
        let later = Some(now + Duration::from_secs(90));
        let share = call_share(&[status(None, 40, later)], now, deadline);
        assert_eq!(share.map(|share| share.calls), Some(20));
    }
}
