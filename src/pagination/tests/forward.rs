//! `first` and `after`: every row once, in order, in the fewest calls.

use std::{cell::Cell, collections::HashMap};

use proptest::prelude::*;

use super::{
    bounds, ids,
    provider::{EndStyle, FakeCall, FakePaging, FakeProvider, id},
    range, read, window_of,
};
use crate::pagination::{PageAddress, PageRequest, Position, read_window};

/// Every window that a client can come to: from the start and from every edge of every window so
/// found, with every `first` from 1 to 9.
fn check_every_window(provider: &FakeProvider) {
    let list = provider.ids();
    let mut places: HashMap<Option<Position>, usize> = HashMap::from([(None, 0)]);
    let mut open: Vec<Option<Position>> = vec![None];
    while let Some(after) = open.pop() {
        let from = places[&after];
        for first in 1..=9 {
            let window = window_of(provider, &range(after.as_ref(), first));

            let end = list.len().min(from + first as usize);
            let context = || format!("{provider:?} after {after:?} first {first}");
            assert_eq!(ids(&window), list[from..end], "{}", context());
            assert_eq!(window.has_next, end < list.len(), "{}", context());
            assert_eq!(window.has_previous, from > 0, "{}", context());
            let total = (provider.end_style == EndStyle::Total).then_some(list.len() as u64);
            assert_eq!((window.total, window.is_truncated), (total, false));
            check_calls(provider, from, after.as_ref(), first as usize);

            for (row, place) in window.rows.into_iter().zip(from + 1..) {
                let position = Some(row.position);
                if let Some(&known) = places.get(&position) {
                    assert_eq!(known, place, "{position:?} means two places: {}", context());
                } else {
                    places.insert(position.clone(), place);
                    open.push(position);
                }
            }
        }
    }
    if provider.paging != FakePaging::Token {
        let edges = list.len() + 1;
        assert_eq!(places.len(), edges, "an edge has two cursors: {provider:?}");
    }
}

/// The window took the fewest calls that its position allows; a provider that does not say whether
/// there is more is asked once again where its pages came back full and hold not one row more than
/// wanted.
fn check_calls(provider: &FakeProvider, from: usize, after: Option<&Position>, first: usize) {
    let calls = provider.calls();
    let rows = first.min(provider.ids().len() - from);
    let fewest = fewest_calls(provider, from, after, rows);
    let is_silent = match provider.paging {
        // Where nobody knows how many rows are behind a key, a total is no answer.
        FakePaging::KeyInclusive | FakePaging::KeyExclusive => {
            matches!(provider.end_style, EndStyle::Silent | EndStyle::Total)
        }
        FakePaging::Page(_) | FakePaging::Offset(_) | FakePaging::Token => {
            provider.end_style == EndStyle::Silent
        }
    };
    let last = calls[fewest - 1];
    let is_open = is_silent && last.rows == last.size && last.start + last.rows <= from + first;
    let context = || format!("{calls:?} for {first} after {after:?} of {provider:?}");
    assert_eq!(calls.len(), fewest + usize::from(is_open), "{}", context());
    if provider.end_style == EndStyle::Total && provider.listing().has_row_numbers() {
        let is_inside = |call: &FakeCall| call.start < provider.ids().len();
        assert!(calls[1..].iter().all(is_inside), "{}", context());
    }
}

/// How few pages can hold the rows after a position. It is one
/// - of the start, or a fresh token, when `rows <= max`;
/// - of an offset when `rows < max`: pages overlap by one row, where a page can hold two;
/// - of an exclusive key likewise, of an inclusive one when `rows + 1 <= max`;
/// - of a token with rows to skip, when `skip + rows <= max`;
/// - of page numbers, when some page of an allowed size holds both the row before the first, where it
///   is known, and the last.
pub(super) fn fewest_calls(
    provider: &FakeProvider,
    from: usize,
    after: Option<&Position>,
    rows: usize,
) -> usize {
    let max = provider.max as usize;
    let calls = match (provider.paging, after) {
        (FakePaging::Page(_), _) => fewest_pages(provider, from, from + rows, after.is_some()),
        (FakePaging::Offset(_), _) if max > 1 => {
            let first = max - usize::from(after.is_some());
            usize::from(rows > 0) + rows.saturating_sub(first).div_ceil(max - 1)
        }
        (FakePaging::KeyInclusive, Some(_)) => rows.div_ceil(max - 1),
        (FakePaging::KeyInclusive, None) => {
            usize::from(rows > 0) + rows.saturating_sub(max).div_ceil(max.max(2) - 1)
        }
        (FakePaging::Token, Some(Position::Token { skip, next, .. })) if next.is_none() => {
            let first_page = max - usize::from(*skip);
            1 + rows.saturating_sub(first_page).div_ceil(max)
        }
        (FakePaging::Offset(_) | FakePaging::KeyExclusive | FakePaging::Token, _) => {
            rows.div_ceil(max)
        }
    };
    calls.max(1)
}

/// Of all ways to cover some rows with numbered pages, whatever their sizes, the shortest. Each
/// page holds a row of the one before it, where one of an allowed size can.
pub(super) fn fewest_pages(
    provider: &FakeProvider,
    from: usize,
    end: usize,
    is_anchored: bool,
) -> usize {
    let mut fewest = vec![0; end + 1];
    let sizes = || provider.min as usize..=provider.max as usize;
    for at in (from..end).rev() {
        let is_overlapping = at > from || is_anchored;
        let holding = |row: usize| {
            let ends = sizes().map(move |size| (row / size + 1) * size);
            ends.filter(|end| *end > at)
        };
        let overlapping: Vec<_> = if is_overlapping && at > 0 {
            holding(at - 1).collect()
        } else {
            Vec::new()
        };
        let ends = if overlapping.is_empty() {
            holding(at).collect()
        } else {
            overlapping
        };
        let rest = ends.into_iter().map(|behind| fewest[end.min(behind)]);
        fewest[at] = 1 + rest.min().unwrap();
    }
    fewest[from]
}

const LENGTHS: [usize; 8] = [0, 1, 2, 6, 7, 8, 14, 24];

fn check_lists(paging: FakePaging, end_style: &[EndStyle]) {
    for length in LENGTHS {
        for bounds in bounds() {
            for &end_style in end_style {
                check_list(paging, end_style, length, bounds);
            }
        }
    }
}

fn check_list(paging: FakePaging, end_style: EndStyle, length: usize, (min, max): (u32, u32)) {
    // An inclusive page of one row is the named row, over and over.
    let max = if paging == FakePaging::KeyInclusive {
        max.max(2)
    } else {
        max
    };
    check_every_window(&FakeProvider::new(paging, end_style, length, (min, max)));
}

#[test]
fn a_window_can_start_at_any_edge_of_a_list_of_numbered_pages() {
    check_lists(
        FakePaging::Page(1),
        &[EndStyle::More, EndStyle::Total, EndStyle::Silent],
    );
}

#[test]
fn a_window_can_start_at_any_edge_of_a_list_of_offsets() {
    for first in 0..=1 {
        check_lists(
            FakePaging::Offset(first),
            &[EndStyle::More, EndStyle::Total, EndStyle::Silent],
        );
    }
}

#[test]
fn a_window_can_start_at_any_edge_of_a_list_of_inclusive_keys() {
    check_lists(
        FakePaging::KeyInclusive,
        &[EndStyle::More, EndStyle::Total, EndStyle::Silent],
    );
}

#[test]
fn a_window_can_start_at_any_edge_of_a_list_of_exclusive_keys() {
    check_lists(
        FakePaging::KeyExclusive,
        &[EndStyle::More, EndStyle::Total, EndStyle::Silent],
    );
}

#[test]
fn a_window_can_start_at_any_edge_of_a_list_of_tokens() {
    check_lists(FakePaging::Token, &[EndStyle::Token]);
}

/// The ends with which each strategy can be combined.
fn dialects() -> impl Strategy<Value = (FakePaging, EndStyle)> {
    let pagings = [
        FakePaging::Page(0),
        FakePaging::Page(1),
        FakePaging::Offset(0),
        FakePaging::Offset(1),
        FakePaging::KeyInclusive,
        FakePaging::KeyExclusive,
    ];
    let end_style = [
        EndStyle::More,
        EndStyle::Token,
        EndStyle::Total,
        EndStyle::Silent,
    ];
    prop_oneof![
        5 => (select(&pagings), select(&end_style)),
        1 => Just((FakePaging::Token, EndStyle::Token)),
    ]
}

fn select<T: Clone + std::fmt::Debug + 'static>(values: &[T]) -> impl Strategy<Value = T> + use<T> {
    proptest::sample::select(values.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(150) })]

    #[test]
    fn a_window_can_start_at_any_edge_of_any_list(
        (paging, end_style) in dialects(),
        length in 0..=24_usize,
        min in 1..=7_u32,
        more in 0..=6_u32,
    ) {
        check_list(paging, end_style, length, (min, min.max(more + 1)));
    }
}

#[test]
fn a_window_of_no_rows_reads_one_row_to_learn_whether_there_is_any() {
    let provider = FakeProvider::new(FakePaging::Offset(0), EndStyle::More, 3, (1, 7));

    for (place, has_next) in [(1, true), (3, false)] {
        let window = window_of(&provider, &range(Some(&Position::Nth(place)), 0));

        assert_eq!((ids(&window), window.has_previous), (vec![], true));
        assert_eq!(window.has_next, has_next);
        let calls = provider.calls();
        assert_eq!((calls.len(), calls[0].size), (1, 1));
    }
}

/// With the bounds of the four providers and as many users as a page of `first` suggests. Of
/// numbered pages, which overlap, a window may take two.
#[test]
fn windows_of_common_sizes_take_one_call_each() {
    for (paging, end_style, max) in [
        (FakePaging::Page(1), EndStyle::Total, 60),
        (FakePaging::Offset(0), EndStyle::More, 100),
        (FakePaging::KeyInclusive, EndStyle::More, 100),
        (FakePaging::KeyExclusive, EndStyle::More, 100),
        (FakePaging::Token, EndStyle::Token, 100),
    ] {
        for first in [20, 50] {
            let provider = FakeProvider::new(paging, end_style, 100, (1, max));
            let mut after = None;
            for _ in 0..100 / first {
                let window = window_of(&provider, &range(after.as_ref(), first));

                assert_eq!(window.rows.len(), first as usize);
                let calls = match (paging, first) {
                    (FakePaging::Page(_), 50) if after.is_some() => 2,
                    _ => 1,
                };
                assert_eq!(provider.calls().len(), calls, "{paging:?} after {after:?}");
                after = window.rows.last().map(|row| row.position.clone());
            }
        }
    }
}

/// Calls that are under way, each for some turns.
#[derive(Default)]
struct Traffic {
    now: Cell<usize>,
    most: Cell<usize>,
}

impl Traffic {
    async fn pass(&self) {
        self.now.set(self.now.get() + 1);
        self.most.set(self.most.get().max(self.now.get()));
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        self.now.set(self.now.get() - 1);
    }
}

#[tokio::test]
async fn pages_are_read_in_parallel_once_the_total_is_known() {
    for (end_style, most, calls) in [(EndStyle::Total, 4, 9), (EndStyle::More, 1, 9)] {
        let provider = FakeProvider::new(FakePaging::Page(1), end_style, 40, (1, 7));
        let traffic = Traffic::default();

        let (listing, everything) = (provider.listing(), range(None, 50));
        let window = read_window(&listing, &everything, None, async |request| {
            traffic.pass().await;
            provider.answer(&request)
        });
        let window = window.await.unwrap();

        assert_eq!(ids(&window), provider.ids());
        assert_eq!((traffic.most.get(), provider.calls().len()), (most, calls));
    }
}

#[test]
fn no_row_is_missed_after_a_short_prefetched_page() {
    let provider = FakeProvider::new(FakePaging::Offset(0), EndStyle::Total, 20, (1, 4));
    let answer = |request: &PageRequest| {
        let mut page = provider.answer(request)?;
        if request.address == PageAddress::Offset(8) {
            page.rows.truncate(3);
        }
        Ok(page)
    };

    let window = read(&provider, &range(None, 20), None, answer).unwrap();

    assert_eq!(ids(&window), provider.ids());
}

#[test]
fn numbered_pages_of_a_fixed_size_may_lack_rows() {
    let provider = FakeProvider::new(FakePaging::Page(1), EndStyle::More, 24, (4, 4));
    let hidden = [id(1), id(7), id(8), id(23)];
    let shown: Vec<_> = provider
        .ids()
        .into_iter()
        .filter(|id| !hidden.contains(id))
        .collect();
    for first in 1..=9 {
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let window = read(&provider, &range(after.as_ref(), first), None, |request| {
                let mut page = provider.answer(request)?;
                page.rows.retain(|record| !hidden.contains(&record.key));
                Ok(page)
            });
            let window = window.unwrap();
            // At the end of a page the next one follows, however many rows the page lacked.
            let calls = provider.calls().len();
            assert!(first != 3 || found.len() >= 6 || calls == 1, "{calls}");
            found.extend(ids(&window).into_iter().map(str::to_owned));
            after = window.rows.last().map(|row| row.position.clone());
            if !window.has_next {
                break;
            }
        }
        assert_eq!(found, shown, "first {first}");
    }
}
