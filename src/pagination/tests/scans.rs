//! Scans: every page, within limits.

use std::{cell::Cell, future::ready, time::Duration};

use tokio::time::Instant;

use super::{
    forward::fewest_calls,
    provider::{EndStyle, FakePaging, FakeProvider, FakeRecord, id, record},
};
use crate::{
    error::{Error, ErrorKind, Result},
    pagination::{NextPage, Page, PageRequest, Scan, ScanLimits, Truncation, scan},
};

const PAGINGS: [(FakePaging, EndStyle); 9] = [
    (FakePaging::Page(0), EndStyle::Silent),
    (FakePaging::Page(1), EndStyle::Total),
    (FakePaging::Offset(0), EndStyle::More),
    (FakePaging::Offset(0), EndStyle::Silent),
    (FakePaging::Offset(1), EndStyle::Total),
    (FakePaging::KeyInclusive, EndStyle::More),
    (FakePaging::KeyExclusive, EndStyle::Silent),
    (FakePaging::KeyExclusive, EndStyle::Total),
    (FakePaging::Token, EndStyle::Token),
];

fn limits(pages: u32) -> ScanLimits {
    let until = Instant::now() + Duration::from_secs(60);
    ScanLimits { pages, until }
}

async fn scan_of(
    provider: &FakeProvider,
    limits: ScanLimits,
    answer: impl Fn(&PageRequest) -> Result<Page<FakeRecord>>,
) -> Scan<FakeRecord> {
    let every_row = |_: &FakeRecord| true;
    scan(&provider.listing(), limits, every_row, |request| {
        ready(answer(&request))
    })
    .await
}

fn ids(scan: &Scan<FakeRecord>) -> Vec<&str> {
    let rows = scan.rows.iter();
    rows.map(|record| record.key.as_str()).collect()
}

#[tokio::test]
async fn a_scan_finds_every_row_in_the_fewest_pages() {
    for (paging, end_style) in PAGINGS {
        for (min, max) in [(1, 2), (1, 7), (3, 5), (6, 6)] {
            for length in 0..=24 {
                let provider = FakeProvider::new(paging, end_style, length, (min, max));

                let scan = scan_of(&provider, limits(99), |request| provider.answer(request)).await;

                assert_eq!(ids(&scan), provider.ids(), "{provider:?}");
                assert!(scan.truncation.is_none());
                let max = max as usize;
                let is_silent = end_style == EndStyle::Silent || paging == FakePaging::KeyExclusive;
                let calls = provider.calls();
                let pages = match paging {
                    FakePaging::KeyInclusive => length.saturating_sub(1).div_ceil(max - 1),
                    FakePaging::Page(_) | FakePaging::Offset(_) if max > 1 => {
                        let fewest = fewest_calls(&provider, 0, None, length);
                        let last = calls[fewest - 1];
                        let is_open = is_silent && last.rows == last.size;
                        fewest + usize::from(is_open)
                    }
                    _ if is_silent => length / max + 1,
                    _ => length.div_ceil(max),
                };
                assert_eq!(calls.len(), pages.max(1), "{calls:?} {provider:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_scan_keeps_the_wanted_rows_only() {
    for (paging, end_style) in PAGINGS {
        let provider = FakeProvider::new(paging, end_style, 20, (1, 7));
        let wanted = [id(0), id(6), id(7), id(19)];

        let listing = provider.listing();
        let is_wanted = |record: &FakeRecord| wanted.contains(&record.key);
        let scan = scan(&listing, limits(99), is_wanted, |request| {
            ready(provider.answer(&request))
        })
        .await;

        assert_eq!(ids(&scan), wanted);
    }
}

#[tokio::test]
async fn a_scan_stops_at_its_limit_of_pages_and_says_so() {
    for (paging, end_style) in PAGINGS {
        let provider = FakeProvider::new(paging, end_style, 24, (1, 4));
        for pages in 0..=3 {
            let scan = scan_of(&provider, limits(pages), |request| provider.answer(request)).await;

            assert!(
                matches!(scan.truncation, Some(Truncation::PageLimit { pages: read }) if read == pages)
            );
            assert_eq!(ids(&scan), provider.ids()[..scan.rows.len()]);
            assert_eq!(provider.calls().len(), pages as usize);
        }
    }
}

#[tokio::test]
async fn a_scan_stops_at_its_deadline() {
    let provider = FakeProvider::new(FakePaging::Offset(0), EndStyle::More, 24, (1, 4));
    let limits = ScanLimits {
        pages: 9,
        until: Instant::now(),
    };

    let late = scan_of(&provider, limits, |request| provider.answer(request)).await;

    // Nothing was read: that is no part of an answer.
    assert!(
        matches!(late.truncation, Some(Truncation::Failed(error)) if error.kind() == ErrorKind::DeadlineExceeded)
    );
    assert_eq!(provider.calls(), []);

    let until = Instant::now() + Duration::from_millis(50);
    let limits = ScanLimits { pages: 9, until };
    let listing = provider.listing();
    let calls = Cell::new(0);
    let slow = scan(
        &listing,
        limits,
        |_| true,
        async |request| {
            calls.set(calls.get() + 1);
            if calls.get() == 3 {
                std::future::pending::<()>().await;
            }
            provider.answer(&request)
        },
    );
    let slow = slow.await;

    assert!(matches!(
        slow.truncation,
        Some(Truncation::DeadlineReached { pages: 2 })
    ));
    assert_eq!(ids(&slow), provider.ids()[..7]);
}

#[tokio::test]
async fn a_scan_keeps_what_it_found_before_a_failure() {
    for (paging, end_style) in PAGINGS {
        let provider = FakeProvider::new(paging, end_style, 24, (1, 4));
        let calls = Cell::new(0);

        let scan = scan_of(&provider, limits(99), |request| {
            calls.set(calls.get() + 1);
            if calls.get() == 3 {
                return Err(Error::new(ErrorKind::Unavailable, "down"));
            }
            provider.answer(request)
        });
        let scan = scan.await;

        assert!(
            matches!(scan.truncation, Some(Truncation::Failed(error)) if error.kind() == ErrorKind::Unavailable)
        );
        assert_eq!((scan.rows.is_empty(), calls.get()), (false, 3));
    }
}

#[tokio::test]
async fn a_scan_stops_where_the_provider_refuses_to_go_on() {
    for paging in [
        FakePaging::Page(1),
        FakePaging::Offset(0),
        FakePaging::Offset(1),
    ] {
        for bounds in [(1, 7), (1, 4), (3, 4), (4, 4)] {
            for length in [4, 10, 11, 24] {
                let provider =
                    FakeProvider::new(paging, EndStyle::Total, length, bounds).with_max_rows(10);

                let scan = scan_of(&provider, limits(99), |request| provider.answer(request)).await;

                let found = scan.rows.len();
                assert!(
                    found >= length.min(10 - (bounds.0 as usize - 1)),
                    "{provider:?}"
                );
                assert_eq!(scan.truncation.is_some(), found < length, "{provider:?}");
                assert!(matches!(
                    scan.truncation,
                    None | Some(Truncation::PageLimit { .. })
                ));
            }
        }
    }
}

#[tokio::test]
async fn a_scan_ends_where_the_tail_of_the_list_vanishes() {
    for gone in 4..=12 {
        let provider = FakeProvider::new(FakePaging::Token, EndStyle::Token, 12, (1, 4));
        let left: Vec<_> = (0..gone).map(id).collect();

        let scan = scan_of(&provider, limits(99), |request| {
            let page = provider.answer(request);
            if provider.ids().len() == 12 {
                (gone..12).for_each(|row| provider.delete(&id(row)));
            }
            page
        });
        let scan = scan.await;

        assert_eq!(ids(&scan), left);
        assert!(scan.truncation.is_none());
    }
}

#[tokio::test]
async fn a_scan_misses_no_row_where_the_row_of_a_token_vanishes() {
    let provider = FakeProvider::new(FakePaging::Token, EndStyle::Token, 12, (1, 4));
    let list = provider.ids();

    let scan = scan_of(&provider, limits(99), |request| {
        let page = provider.answer(request);
        if provider.ids().len() == 12 {
            provider.delete(&id(3));
        }
        page
    });
    let scan = scan.await;

    assert_eq!(ids(&scan), list);
    assert!(scan.truncation.is_none());
    assert_eq!(provider.refusals(), 1);
}

#[tokio::test]
async fn a_scan_in_a_circle_fails() {
    for (paging, end_style) in [
        (FakePaging::Token, EndStyle::Token),
        (FakePaging::KeyExclusive, EndStyle::More),
    ] {
        let provider = FakeProvider::new(paging, end_style, 0, (1, 2));
        let calls = Cell::new(0);

        let scan = scan_of(&provider, limits(99), |_| {
            calls.set(calls.get() + 1);
            let rows = vec![record(&id(0)), record(&id(1))];
            let next = match end_style {
                EndStyle::Token => NextPage::Token {
                    next: Some(format!("t{}", calls.get() % 2)),
                    total: None,
                },
                _ => NextPage::More(true),
            };
            Ok(Page::new(rows, next))
        });
        let scan = scan.await;

        assert!(
            matches!(scan.truncation, Some(Truncation::Failed(error)) if error.kind() == ErrorKind::Malformed)
        );
        assert_eq!(scan.rows.len(), 2);
        assert!(calls.get() <= 4);
    }
}
