//! Who waits for how long, and what becomes of the rest when somebody gives up.

use std::{sync::Arc, time::Duration};

use futures_util::{FutureExt, future::join_all};
use tokio::time::{Instant, advance, sleep, timeout};

use super::super::{
    limiter::{RateLimiter, RatePermit},
    state::LimiterState,
};
use super::{ms, window};
use crate::{
    client::Priority::{Background, Interactive},
    error::{Error, ErrorKind},
};

fn desk(calls: u32, seconds: u32, slots: u32) -> Arc<RateLimiter> {
    let book = LimiterState::new(&[window(calls, seconds)], true, slots, Instant::now());
    Arc::new(RateLimiter::new(book, None))
}

/// As the wire does: the call was sent and answered.
fn answered(permit: RatePermit) {
    permit.told().send();
    permit.told().answer(None);
    permit.end(None);
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(3_600)
}

#[tokio::test(start_paused = true)]
async fn calls_are_let_through_in_the_order_in_which_they_came() {
    let (desk, started) = (desk(2, 1, 9), Instant::now());
    let calls = (0..6).map(|number| {
        let desk = Arc::clone(&desk);
        async move {
            answered(desk.admit(Interactive, soon()).await.expect("a permit"));
            (number, started.elapsed().as_secs())
        }
    });

    let order = join_all(calls).await;

    assert_eq!(order, [(0, 0), (1, 0), (2, 1), (3, 1), (4, 2), (5, 2)]);
}

#[tokio::test(start_paused = true)]
async fn who_cannot_be_let_through_in_time_is_told_at_once_when_to_come_back() {
    let (desk, started) = (desk(2, 10, 9), Instant::now());
    for _ in 0..2 {
        answered(desk.admit(Interactive, soon()).await.expect("a permit"));
    }
    let line: Vec<_> = (0..2).map(|_| desk.admit(Interactive, soon())).collect();
    let mut line = join_all(line);
    assert!((&mut line).now_or_never().is_none());

    // Two go before it: its turn is in twenty seconds.
    let refused = desk.admit(Interactive, started + ms(19_000)).await;
    let error = refused.err().expect("a refusal");

    assert_eq!(error.kind(), ErrorKind::Throttled);
    assert_eq!(error.wait(), Some(ms(20_000)));
    assert!(error.message().contains("is used up until"), "{error}");
    assert_eq!(Instant::now(), started, "nobody waited");
}

#[tokio::test(start_paused = true)]
async fn who_gives_up_takes_nothing_along() {
    let (desk, started) = (desk(1, 10, 9), Instant::now());
    answered(desk.admit(Interactive, soon()).await.expect("a permit"));
    let impatient = timeout(ms(3_000), desk.admit(Interactive, soon()));
    let patient = desk.admit(Interactive, soon());

    let (impatient, patient) = tokio::join!(impatient, patient);

    assert!(impatient.is_err());
    assert_eq!(started.elapsed(), ms(10_000));
    // Given up before it was sent: it cost nothing.
    drop(patient.expect("a permit"));
    let next = desk
        .admit(Interactive, Instant::now())
        .await
        .expect("a permit");
    // Given up while under way: it may have arrived, or be about to.
    next.told().send();
    drop(next);
    let next = desk.admit(Interactive, soon()).await.expect("a permit");
    let since = started.elapsed();
    assert!((ms(21_000)..ms(21_200)).contains(&since), "{since:?}");
    drop(next);
}

#[tokio::test(start_paused = true)]
async fn a_429_sends_away_who_cannot_wait_for_its_end_and_keeps_the_others() {
    let desk = desk(1, 10, 9);
    let flying = desk.admit(Interactive, soon()).await.expect("a permit");
    let started = Instant::now();
    let short = desk.admit(Interactive, started + ms(20_000));
    let long = desk.admit(Interactive, started + ms(40_000));
    let throttled = async {
        sleep(ms(1_000)).await;
        flying.told().send();
        flying.told().answer(None);
        flying.end(Some(Some(ms(30_000))));
        started.elapsed()
    };
    let short = async { (short.await.err(), started.elapsed()) };

    let (short, long, _) = tokio::join!(short, long, throttled);

    let (error, at) = short;
    let error: Error = error.expect("a refusal");
    assert_eq!(
        (error.kind(), error.wait()),
        (ErrorKind::Throttled, Some(ms(30_000)))
    );
    assert_eq!(at, ms(1_000));
    assert_eq!(started.elapsed(), ms(31_000));
    drop(long.expect("a permit"));
}

#[tokio::test(start_paused = true)]
async fn work_in_the_background_goes_after_everybody_who_waits() {
    let (desk, started) = (desk(2, 1, 9), Instant::now());
    for _ in 0..2 {
        answered(desk.admit(Interactive, soon()).await.expect("a permit"));
    }
    let call = |class| {
        let desk = Arc::clone(&desk);
        async move {
            answered(desk.admit(class, soon()).await.expect("a permit"));
            started.elapsed().as_secs()
        }
    };
    let mut background = Box::pin(call(Background));
    assert!((&mut background).now_or_never().is_none());

    let interactive = join_all([call(Interactive), call(Interactive), call(Interactive)]);
    let (background, interactive) = tokio::join!(background, interactive);

    assert_eq!(interactive, [1, 1, 2]);
    // The last of the window is not for it.
    assert_eq!(background, 3);
}

#[tokio::test(start_paused = true)]
async fn no_more_are_under_way_than_may_be_and_that_is_no_used_up_budget() {
    let desk = desk(100, 1, 1);
    let flying = desk.admit(Interactive, soon()).await.expect("a permit");

    let late = desk.admit(Interactive, Instant::now() + ms(500)).await;

    assert_eq!(late.err().map(|error| error.kind()), Some(ErrorKind::Late));
    let next = desk.admit(Interactive, soon());
    let (next, ()) = tokio::join!(next, async {
        advance(ms(10)).await;
        answered(flying);
    });
    assert!(next.is_ok());
}
