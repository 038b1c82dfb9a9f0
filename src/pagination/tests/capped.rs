//! Providers whose pages are shorter than requested: the reader learns their size and wastes no
//! call.

use super::{
    ids,
    provider::{EndStyle, FakePaging, FakeProvider},
    range, read, window_of,
};
use crate::pagination::{NextPage, PageAddress, PageRequest};

const OFFSETS: [(FakePaging, EndStyle); 3] = [
    (FakePaging::Offset(0), EndStyle::Total),
    (FakePaging::Offset(1), EndStyle::Total),
    (FakePaging::Offset(0), EndStyle::More),
];

fn provider_of(
    (paging, end_style): (FakePaging, EndStyle),
    rows: usize,
    (max, cap): (u32, u32),
) -> FakeProvider {
    let provider = FakeProvider::new(paging, end_style, 0, (1, max)).capped(cap);
    (0..rows).for_each(|row| provider.append(&format!("row {row}")));
    provider
}

/// The fewest pages of a size that hold some rows, where each repeats a row of the one before it.
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

/// One page that lacks rows says nothing about the pages after it.
#[test]
fn one_short_page_does_not_set_the_page_size() {
    let provider = provider_of(OFFSETS[0], 300, (50, 50));
    let answer = |request: &PageRequest| {
        let mut page = provider.answer(request)?;
        if request.address == PageAddress::Offset(0) {
            page.rows.truncate(3);
            page.row_count = 3;
        }
        Ok(page)
    };

    let window = read(&provider, &range(None, 300), None, answer).unwrap();

    assert_eq!(ids(&window), provider.ids());
    let sizes: Vec<_> = provider.calls().iter().map(|call| call.size).collect();
    assert_eq!(sizes[..sizes.len() - 1], vec![50; sizes.len() - 1]);
    assert_eq!(sizes.len(), 8);
}

/// Where the provider does not say whether there is more, a short page is the last one.
#[test]
fn a_short_page_is_the_last_where_the_provider_does_not_say_whether_there_is_more() {
    let provider = provider_of((FakePaging::Offset(0), EndStyle::Silent), 30, (10, 10));
    let answer = |request: &PageRequest| {
        let page = provider.answer(request)?;
        assert_eq!(page.next, NextPage::Silent);
        Ok(page)
    };

    let window = read(&provider, &range(None, 35), None, answer).unwrap();

    assert_eq!((ids(&window).len(), provider.calls().len()), (30, 4));
}
