//! Providers whose pages are shorter than they are asked for: the size is learned, and no call wasted.

use super::{
    ids,
    provider::{FakeEnd, FakeProvider, MoreFlag},
    range, read, window_of,
};
use crate::pagination::{NextPage, PageAddress, PageRequest};

const OFFSETS: [(MoreFlag, FakeEnd); 3] = [
    (MoreFlag::Offset(0), FakeEnd::Total),
    (MoreFlag::Offset(1), FakeEnd::Total),
    (MoreFlag::Offset(0), FakeEnd::More),
];

fn provider_of(
    (word, says): (MoreFlag, FakeEnd),
    rows: usize,
    (max, cap): (u32, u32),
) -> FakeProvider {
    let provider = FakeProvider::new(word, says, 0, (1, max)).capped(cap);
    (0..rows).for_each(|row| provider.append(&format!("row {row}")));
    provider
}

/// How few pages of a size hold some rows, each but the first with a row of the one before it.
fn fewest_calls(rows: usize, size: usize) -> usize {
    1 + rows.saturating_sub(size).div_ceil(size - 1)
}

#[test]
fn a_window_learns_the_size_of_the_providers_pages_from_short_ones() {
    for dialect in OFFSETS {
        let provider = provider_of(dialect, 450, (100, 20));

        let window = window_of(&provider, &range(None, 450));

        assert_eq!(ids(&window), provider.ids());
        assert_eq!(provider.calls().len(), 24, "{dialect:?}");
    }
}

#[test]
fn a_window_of_capped_pages_holds_every_row_in_the_fewest_calls() {
    for dialect in OFFSETS {
        for cap in 2..=6 {
            for rows in 0..=24_usize {
                for first in 1..=25_u32 {
                    let provider = provider_of(dialect, rows, (7, cap));

                    let window = window_of(&provider, &range(None, first));

                    let end = rows.min(first as usize);
                    let context = format!("{dialect:?}, cap {cap}, {first} of {rows}");
                    assert_eq!(ids(&window), provider.ids()[..end], "{context}");
                    assert_eq!(window.has_next, end < rows, "{context}");
                    assert_eq!(window.incomplete, None, "{context}");
                    let calls = fewest_calls(end, cap as usize);
                    assert_eq!(provider.calls().len(), calls, "{context}");
                }
            }
        }
    }
}

/// One page that lacks rows in its midst tells nothing of the pages behind it.
#[test]
fn one_short_page_is_no_size() {
    let provider = provider_of(OFFSETS[0], 300, (50, 50));
    let answer = |request: &PageRequest| {
        let mut page = provider.answer(request)?;
        if request.place == PageAddress::Offset(0) {
            page.rows.truncate(3);
            page.sent = 3;
        }
        Ok(page)
    };

    let window = read(&provider, &range(None, 300), None, answer).unwrap();

    assert_eq!(ids(&window), provider.ids());
    let sizes: Vec<_> = provider.calls().iter().map(|call| call.size).collect();
    assert_eq!(sizes[..sizes.len() - 1], vec![50; sizes.len() - 1]);
    assert_eq!(sizes.len(), 8);
}

/// Where nobody says that there is more, a short page is the last one.
#[test]
fn a_short_page_of_a_silent_provider_is_the_last() {
    let provider = provider_of((MoreFlag::Offset(0), FakeEnd::Silent), 30, (10, 10));
    let answer = |request: &PageRequest| {
        let page = provider.answer(request)?;
        assert_eq!(page.next, NextPage::Silent);
        Ok(page)
    };

    let window = read(&provider, &range(None, 35), None, answer).unwrap();

    assert_eq!((ids(&window).len(), provider.calls().len()), (30, 4));
}
