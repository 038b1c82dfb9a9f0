//! What a budget promises, over made-up moments.

mod promises;
mod store;
mod waiting;

use std::time::Duration;

use super::{
    sliding_window::QuotaWindow,
    state::{CallEnd, LimiterState, WaitReason},
};
use crate::client::{Priority, request::Quota};
use tokio::time::Instant;

const NOW: Priority = Priority::Interactive;

fn window(calls: u32, seconds: u32) -> QuotaWindow {
    QuotaWindow { calls, seconds }
}

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn quota(limit: u32, remaining: u32, resets_at: u64, resets_in: Duration) -> Quota {
    Quota {
        limit,
        remaining,
        resets_at,
        resets_in,
    }
}

/// Takes a call that is answered at once.
fn spend(book: &mut LimiterState, at: Instant, said: Option<Quota>) {
    let pass = book.take(at, NOW).expect("room");
    book.end(pass, CallEnd::Answered(said), at);
}

#[test]
fn a_permit_is_of_all_windows_or_of_none() {
    let start = Instant::now();
    let mut book = LimiterState::new(&[window(2, 1), window(3, 60)], true, 9, start);
    for _ in 0..2 {
        spend(&mut book, start, None);
    }
    assert_eq!(
        book.take(start, NOW).expect_err("no room"),
        WaitReason::Until(Some(start + ms(1_000)))
    );

    spend(&mut book, start + ms(1_000), None);
    let refused = book.take(start + ms(1_001), NOW).expect_err("no room");

    assert_eq!(refused, WaitReason::Until(Some(start + ms(60_000))));
    let left: Vec<_> = book
        .stands(start + ms(1_001))
        .iter()
        .map(|stand| stand.remaining)
        .collect();
    assert_eq!(left, [1, 0], "the short window lost nothing by it");
}

#[test]
fn what_was_never_sent_costs_nothing() {
    let start = Instant::now();
    let mut book = LimiterState::new(&[window(1, 60)], true, 9, start);
    let pass = book.take(start, NOW).expect("room");
    assert!(book.take(start, NOW).is_err());

    book.end(pass, CallEnd::Unsent, start);

    assert!(book.take(start, NOW).is_ok());
}

#[test]
fn a_429_closes_for_everybody_and_repeated_ones_for_longer() {
    let start = Instant::now();
    let mut book = LimiterState::new(&[], false, 9, start);
    let passes: Vec<_> = (0..3)
        .map(|_| book.take(start, NOW).expect("room"))
        .collect();
    // Three that were under way together are one strike, with or without a moment in the past.
    for pass in passes {
        book.end(pass, CallEnd::Throttled(None, Some(Duration::ZERO)), start);
    }
    assert_eq!(book.closed(start), Some(start + ms(250)));

    let (mut at, mut waits) = (start + ms(250), Vec::new());
    for _ in 0..9 {
        let pass = book.take(at, NOW).expect("open again");
        book.end(pass, CallEnd::Throttled(None, None), at);
        let until = book.closed(at).expect("closed");
        waits.push((until - at).as_millis());
        at = until;
    }
    assert_eq!(
        waits,
        [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]
    );

    spend(&mut book, at, None);
    let pass = book.take(at + ms(1), NOW).expect("open");
    book.end(pass, CallEnd::Throttled(None, Some(ms(7_000))), at + ms(1));
    assert_eq!(book.closed(at + ms(1)), Some(at + ms(7_001)));
    let pass_in_a_thousand_years = Some(Duration::from_secs(1 << 34));
    let pass = book.take(at + ms(8_000), NOW).expect("open");
    book.end(
        pass,
        CallEnd::Throttled(None, pass_in_a_thousand_years),
        at + ms(8_000),
    );
    assert_eq!(book.closed(at + ms(8_000)), Some(at + ms(908_000)));
}

#[test]
fn the_providers_word_is_believed_until_its_window_ends() {
    let start = Instant::now();
    let mut book = LimiterState::new(&[window(100, 10)], false, 9, start);

    // Somebody else has spent most of it.
    spend(&mut book, start, Some(quota(50, 2, 1_000, ms(6_000))));
    let stand = book.stands(start)[0];
    assert_eq!((stand.limit, stand.remaining), (50, 2));
    // An answer that was overtaken.
    spend(&mut book, start, Some(quota(50, 30, 1_000, ms(6_000))));
    // One of the window before.
    spend(&mut book, start, Some(quota(50, 50, 990, ms(0))));

    assert_eq!(book.stands(start)[0].remaining, 2);
    let first = book.take(start, NOW).expect("one");
    let _second = book.take(start, NOW).expect("two");
    assert_eq!(
        book.take(start, NOW).expect_err("used up"),
        WaitReason::Until(Some(start + ms(6_050)))
    );
    // Nobody knows whether a lost call is counted.
    book.end(first, CallEnd::Lost, start);
    assert!(book.take(start + ms(1), NOW).is_err());
    assert!(book.take(start + ms(6_050), NOW).is_ok());
}

#[test]
fn what_somebody_chose_is_narrowed_but_not_widened() {
    let start = Instant::now();
    let mut book = LimiterState::new(&[window(100, 10)], true, 9, start);
    spend(
        &mut book,
        start,
        Some(quota(5_000, 4_000, 1_000, ms(6_000))),
    );
    assert_eq!(book.stands(start)[0].limit, 100);
    spend(&mut book, start, Some(quota(50, 40, 1_010, ms(9_000))));
    assert_eq!(book.stands(start)[0].limit, 50);

    let mut book = LimiterState::new(&[window(100, 10)], false, 9, start);
    spend(
        &mut book,
        start,
        Some(quota(5_000, 4_000, 1_000, ms(6_000))),
    );
    assert_eq!(book.stands(start)[0].limit, 5_000);
}

#[test]
fn a_provider_without_windows_is_known_by_its_headers() {
    let start = Instant::now();
    let mut book = LimiterState::new(&[], false, 9, start);
    assert_eq!(book.stands(start), []);

    spend(&mut book, start, Some(quota(30, 12, 1_000, ms(20_000))));

    let stand = book.stands(start)[0];
    assert_eq!(
        (stand.seconds, stand.limit, stand.remaining),
        (None, 30, 12)
    );
    assert_eq!(book.stands(start + ms(20_050)), []);
}

#[test]
fn work_in_the_background_leaves_the_last_share() {
    let start = Instant::now();
    for (calls, taken) in [(1, 1), (2, 1), (10, 9), (11, 9), (100, 90)] {
        let mut book = LimiterState::new(&[window(calls, 10)], true, 1_000, start);
        let mut got = 0;
        while book.take(start, Priority::Background).is_ok() {
            got += 1;
        }
        assert_eq!(got, taken, "of {calls}");
        assert_eq!(book.take(start, NOW).is_ok(), calls > taken);
    }
}

#[test]
fn a_share_is_a_part_of_every_window() {
    let start = Instant::now();
    let mut book = LimiterState::new(&[window(10, 10), window(2, 1)], true, 9, start);
    book.share(4);
    assert_eq!(
        book.stands(start)
            .iter()
            .map(|stand| stand.limit)
            .collect::<Vec<_>>(),
        [2, 1]
    );
    assert!(book.take(start, NOW).is_ok());
    assert!(book.take(start, NOW).is_err());
    book.share(1);
    assert!(book.take(start, NOW).is_ok());
}
