//! The limits over made-up moments.

mod permits;
mod promises;
mod waiting;

use std::time::Duration;

use super::{
    sliding_window::QuotaWindow,
    state::{CallEnd, LimiterState, WaitReason},
};
use crate::{client::attempt::RateLimitHeaders, context::Priority};
use tokio::time::Instant;

const NOW: Priority = Priority::Interactive;

fn window(calls: u32, seconds: u32) -> QuotaWindow {
    QuotaWindow { calls, seconds }
}

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn quota(limit: u32, remaining: u32, resets_at: u64, resets_in: Duration) -> RateLimitHeaders {
    RateLimitHeaders {
        limit,
        remaining,
        resets_at,
        resets_in,
    }
}

/// Takes a call that is answered at once.
fn spend(state: &mut LimiterState, at: Instant, said: Option<RateLimitHeaders>) {
    let call = state.try_acquire(at, NOW).expect("room");
    state.end(call, CallEnd::Answered(said), at);
}

#[test]
fn a_permit_counts_in_all_windows_or_in_none() {
    let start = Instant::now();
    let mut state = LimiterState::new(&[window(2, 1), window(3, 60)], true, 9, start);
    for _ in 0..2 {
        spend(&mut state, start, None);
    }
    assert_eq!(
        state.try_acquire(start, NOW).expect_err("no room"),
        WaitReason::Until(Some(start + ms(1_000)))
    );

    spend(&mut state, start + ms(1_000), None);
    let refused = state
        .try_acquire(start + ms(1_001), NOW)
        .expect_err("no room");

    assert_eq!(refused, WaitReason::Until(Some(start + ms(60_000))));
    let left: Vec<_> = state
        .windows(start + ms(1_001))
        .iter()
        .map(|status| status.remaining)
        .collect();
    assert_eq!(left, [1, 0], "the short window lost nothing by it");
}

#[test]
fn a_call_that_was_never_sent_costs_nothing() {
    let start = Instant::now();
    let mut state = LimiterState::new(&[window(1, 60)], true, 9, start);
    let call = state.try_acquire(start, NOW).expect("room");
    assert!(state.try_acquire(start, NOW).is_err());

    state.end(call, CallEnd::Unsent, start);

    assert!(state.try_acquire(start, NOW).is_ok());
}

#[test]
fn a_429_pauses_everybody_and_repeated_ones_pause_longer() {
    let start = Instant::now();
    let mut state = LimiterState::new(&[], false, 9, start);
    let calls: Vec<_> = (0..3)
        .map(|_| state.try_acquire(start, NOW).expect("room"))
        .collect();
    // Three calls in flight together count as one 429, with or without a moment in the past.
    for call in calls {
        state.end(call, CallEnd::Throttled(None, Some(Duration::ZERO)), start);
    }
    assert_eq!(state.closed(start), Some(start + ms(250)));

    let (mut at, mut waits) = (start + ms(250), Vec::new());
    for _ in 0..9 {
        let call = state.try_acquire(at, NOW).expect("open again");
        state.end(call, CallEnd::Throttled(None, None), at);
        let until = state.closed(at).expect("closed");
        waits.push((until - at).as_millis());
        at = until;
    }
    assert_eq!(
        waits,
        [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]
    );

    spend(&mut state, at, None);
    let call = state.try_acquire(at + ms(1), NOW).expect("open");
    state.end(call, CallEnd::Throttled(None, Some(ms(7_000))), at + ms(1));
    assert_eq!(state.closed(at + ms(1)), Some(at + ms(7_001)));
    let pass_in_a_thousand_years = Some(Duration::from_secs(1 << 34));
    let call = state.try_acquire(at + ms(8_000), NOW).expect("open");
    state.end(
        call,
        CallEnd::Throttled(None, pass_in_a_thousand_years),
        at + ms(8_000),
    );
    assert_eq!(state.closed(at + ms(8_000)), Some(at + ms(908_000)));
}

#[test]
fn the_providers_report_applies_until_its_window_ends() {
    let start = Instant::now();
    let mut state = LimiterState::new(&[window(100, 10)], false, 9, start);

    // Another client has spent most of it.
    spend(&mut state, start, Some(quota(50, 2, 1_000, ms(6_000))));
    let status = state.windows(start)[0];
    assert_eq!((status.limit, status.remaining), (50, 2));
    // A response that was overtaken.
    spend(&mut state, start, Some(quota(50, 30, 1_000, ms(6_000))));
    // A response about the window before.
    spend(&mut state, start, Some(quota(50, 50, 990, ms(0))));

    assert_eq!(state.windows(start)[0].remaining, 2);
    let first = state.try_acquire(start, NOW).expect("one");
    let _second = state.try_acquire(start, NOW).expect("two");
    assert_eq!(
        state.try_acquire(start, NOW).expect_err("used up"),
        WaitReason::Until(Some(start + ms(6_050)))
    );
    // Nobody knows whether the provider counts a lost call.
    state.end(first, CallEnd::Lost, start);
    assert!(state.try_acquire(start + ms(1), NOW).is_err());
    assert!(state.try_acquire(start + ms(6_050), NOW).is_ok());
}

#[test]
fn configured_windows_are_narrowed_but_not_widened() {
    let start = Instant::now();
    let mut state = LimiterState::new(&[window(100, 10)], true, 9, start);
    spend(
        &mut state,
        start,
        Some(quota(5_000, 4_000, 1_000, ms(6_000))),
    );
    assert_eq!(state.windows(start)[0].limit, 100);
    spend(&mut state, start, Some(quota(50, 40, 1_010, ms(9_000))));
    assert_eq!(state.windows(start)[0].limit, 50);

    let mut state = LimiterState::new(&[window(100, 10)], false, 9, start);
    spend(
        &mut state,
        start,
        Some(quota(5_000, 4_000, 1_000, ms(6_000))),
    );
    assert_eq!(state.windows(start)[0].limit, 5_000);
}

#[test]
fn headers_define_the_limit_of_a_provider_without_windows() {
    let start = Instant::now();
    let mut state = LimiterState::new(&[], false, 9, start);
    assert_eq!(state.windows(start), []);

    spend(&mut state, start, Some(quota(30, 12, 1_000, ms(20_000))));

    let status = state.windows(start)[0];
    assert_eq!(
        (status.seconds, status.limit, status.remaining),
        (None, 30, 12)
    );
    assert_eq!(state.windows(start + ms(20_050)), []);
}

#[test]
fn background_work_leaves_the_last_tenth() {
    let start = Instant::now();
    for (calls, taken) in [(1, 1), (2, 1), (10, 9), (11, 9), (100, 90)] {
        let mut state = LimiterState::new(&[window(calls, 10)], true, 1_000, start);
        let mut got = 0;
        while state.try_acquire(start, Priority::Background).is_ok() {
            got += 1;
        }
        assert_eq!(got, taken, "of {calls}");
        assert_eq!(state.try_acquire(start, NOW).is_ok(), calls > taken);
    }
}

#[test]
fn a_share_divides_every_window() {
    let start = Instant::now();
    let mut state = LimiterState::new(&[window(10, 10), window(2, 1)], true, 9, start);
    state.divide_by(4);
    assert_eq!(
        state
            .windows(start)
            .iter()
            .map(|status| status.limit)
            .collect::<Vec<_>>(),
        [2, 1]
    );
    assert!(state.try_acquire(start, NOW).is_ok());
    assert!(state.try_acquire(start, NOW).is_err());
    state.divide_by(1);
    assert!(state.try_acquire(start, NOW).is_ok());
}
