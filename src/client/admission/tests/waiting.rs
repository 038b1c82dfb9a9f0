//! How long calls wait, and what happens to the others when one gives up.

use std::{sync::Arc, time::Duration};

use futures_util::{FutureExt, future::join_all};
use tokio::time::{Instant, advance, sleep, timeout};

use super::super::{
    concurrency::LoadSignal,
    limiter::{RateLimiter, RatePermit},
    state::LimiterState,
};
use super::{ms, window};
use crate::{
    context::Priority::{self, Background, Interactive},
    error::{Error, ErrorKind, Result},
};

fn limiter(calls: u32, seconds: u32, slots: u32) -> Arc<RateLimiter> {
    let state = LimiterState::new(&[window(calls, seconds)], true, slots, Instant::now());
    Arc::new(RateLimiter::new(state, None))
}

/// Asks for a permit for a call.
async fn admit(
    limiter: &Arc<RateLimiter>,
    class: Priority,
    deadline: Instant,
) -> Result<RatePermit> {
    limiter.admit(class, deadline, Arc::default()).await
}

/// Sends the call and answers it, as the transport does.
fn answered(permit: RatePermit) {
    permit.progress().mark_sent();
    permit.progress().mark_answered(None);
    permit.end(None, LoadSignal::Answered);
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(3_600)
}

#[tokio::test(start_paused = true)]
async fn calls_go_through_in_the_order_in_which_they_came() {
    let (limiter, started) = (limiter(2, 1, 9), Instant::now());
    let calls = (0..6).map(|number| {
        let limiter = Arc::clone(&limiter);
        async move {
            answered(
                admit(&limiter, Interactive, soon())
                    .await
                    .expect("a permit"),
            );
            (number, started.elapsed().as_secs())
        }
    });

    let order = join_all(calls).await;

    assert_eq!(order, [(0, 0), (1, 0), (2, 1), (3, 1), (4, 2), (5, 2)]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_would_miss_its_deadline_fails_at_once_with_a_wait() {
    let (limiter, started) = (limiter(2, 10, 9), Instant::now());
    for _ in 0..2 {
        answered(
            admit(&limiter, Interactive, soon())
                .await
                .expect("a permit"),
        );
    }
    let queue: Vec<_> = (0..2)
        .map(|_| admit(&limiter, Interactive, soon()))
        .collect();
    let mut line = join_all(queue);
    assert!((&mut line).now_or_never().is_none());

    // Two are ahead of it: its moment is in twenty seconds.
    let refused = admit(&limiter, Interactive, started + ms(19_000)).await;
    let error = refused.err().expect("a refusal");

    assert_eq!(error.kind(), ErrorKind::Throttled);
    assert_eq!(error.retry_after(), Some(ms(20_000)));
    assert!(error.message().contains("is used up until"), "{error}");
    assert_eq!(Instant::now(), started, "nobody waited");
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_call_takes_no_budget() {
    let (limiter, started) = (limiter(1, 10, 9), Instant::now());
    answered(
        admit(&limiter, Interactive, soon())
            .await
            .expect("a permit"),
    );
    let impatient = timeout(ms(3_000), admit(&limiter, Interactive, soon()));
    let patient = admit(&limiter, Interactive, soon());

    let (impatient, patient) = tokio::join!(impatient, patient);

    assert!(impatient.is_err());
    assert_eq!(started.elapsed(), ms(10_000));
    // Cancelled before it was sent, it cost nothing.
    drop(patient.expect("a permit"));
    let next = admit(&limiter, Interactive, Instant::now())
        .await
        .expect("a permit");
    // Cancelled in flight, it may have arrived, or may still arrive.
    next.progress().mark_sent();
    drop(next);
    let next = admit(&limiter, Interactive, soon())
        .await
        .expect("a permit");
    let since = started.elapsed();
    assert!((ms(21_000)..ms(21_200)).contains(&since), "{since:?}");
    drop(next);
}

#[tokio::test(start_paused = true)]
async fn a_429_fails_the_calls_that_cannot_wait_for_its_end_and_only_those() {
    let limiter = limiter(1, 10, 9);
    let in_flight = admit(&limiter, Interactive, soon())
        .await
        .expect("a permit");
    let started = Instant::now();
    let short = admit(&limiter, Interactive, started + ms(20_000));
    let long = admit(&limiter, Interactive, started + ms(40_000));
    let throttled = async {
        sleep(ms(1_000)).await;
        in_flight.progress().mark_sent();
        in_flight.progress().mark_answered(None);
        in_flight.end(Some(Some(ms(30_000))), LoadSignal::Overloaded);
        started.elapsed()
    };
    let short = async { (short.await.err(), started.elapsed()) };

    let (short, long, _) = tokio::join!(short, long, throttled);

    let (error, at) = short;
    let error: Error = error.expect("a refusal");
    assert_eq!(
        (error.kind(), error.retry_after()),
        (ErrorKind::Throttled, Some(ms(30_000)))
    );
    assert_eq!(at, ms(1_000));
    assert_eq!(started.elapsed(), ms(31_000));
    drop(long.expect("a permit"));
}

#[tokio::test(start_paused = true)]
async fn background_work_goes_after_all_interactive_calls() {
    let (limiter, started) = (limiter(2, 1, 9), Instant::now());
    for _ in 0..2 {
        answered(
            admit(&limiter, Interactive, soon())
                .await
                .expect("a permit"),
        );
    }
    let call = |class| {
        let limiter = Arc::clone(&limiter);
        async move {
            answered(admit(&limiter, class, soon()).await.expect("a permit"));
            started.elapsed().as_secs()
        }
    };
    let mut background = Box::pin(call(Background));
    assert!((&mut background).now_or_never().is_none());

    let interactive = join_all([call(Interactive), call(Interactive), call(Interactive)]);
    let (background, interactive) = tokio::join!(background, interactive);

    assert_eq!(interactive, [1, 1, 2]);
    // The last call of the window is not for background work.
    assert_eq!(background, 3);
}

#[tokio::test(start_paused = true)]
async fn a_full_set_of_calls_in_flight_is_no_used_up_budget() {
    let limiter = limiter(100, 1, 1);
    let in_flight = admit(&limiter, Interactive, soon())
        .await
        .expect("a permit");

    let late = admit(&limiter, Interactive, Instant::now() + ms(500)).await;

    assert_eq!(
        late.err().map(|error| error.kind()),
        Some(ErrorKind::DeadlineExceeded)
    );
    let next = admit(&limiter, Interactive, soon());
    let (next, ()) = tokio::join!(next, async {
        advance(ms(10)).await;
        answered(in_flight);
    });
    assert!(next.is_ok());
}
