//! `last` and `before`, where rows are counted.

use super::{
    forward::fewest_calls,
    ids,
    provider::{EndStyle, FakePaging, FakeProvider, FakeRecord},
    range, read, window_of,
};
use crate::{
    error::ErrorKind,
    pagination::{ListRange, Position},
};

/// The position after the row of an index.
fn position(edge: Option<usize>) -> Option<Position> {
    edge.map(|place| Position::Nth(place as u64 + 1))
}

fn check(
    provider: &FakeProvider,
    after: Option<usize>,
    before: Option<usize>,
    count: u32,
    from_end: bool,
) {
    let range = ListRange {
        after: position(after),
        before: position(before),
        count,
        from_end,
    };
    let window = window_of(provider, &range);

    // As the Relay specification puts it: cut the list at the cursors, then take from one end.
    let list = provider.ids();
    let start = after.map_or(0, |place| place + 1);
    let end = before.unwrap_or(list.len()).max(start);
    let count = (count as usize).min(end - start);
    let (from, to) = if from_end {
        (end - count, end)
    } else {
        (start, start + count)
    };
    let context = || format!("{range:?} of {provider:?}");
    assert_eq!(ids(&window), list[from..to], "{}", context());
    if count > 0 {
        assert_eq!(window.has_previous, from > 0, "{}", context());
        assert_eq!(window.has_next, to < list.len(), "{}", context());
    }

    let calls = provider.calls();
    // Without `before` the provider is asked how many rows there are, on its smallest page.
    let counting = usize::from(before.is_none());
    let reading = match to - from {
        0 => 0,
        rows => fewest_calls(provider, from, None, rows),
    };
    let fewest = counting + reading;
    let is_open = provider.end_style == EndStyle::Silent
        && calls
            .get(fewest.wrapping_sub(1))
            .is_some_and(|last| last.rows == last.size && last.start + last.rows <= to);
    assert_eq!(
        calls.len(),
        fewest + usize::from(is_open),
        "{calls:?}: {}",
        context()
    );
    if counting == 1 {
        assert_eq!(calls[0].size, provider.min as usize);
        assert!(
            calls[1..].iter().all(|call| call.start < list.len()),
            "{}",
            context()
        );
    }
}

#[test]
fn a_counted_list_can_be_read_from_both_ends() {
    for paging in [
        FakePaging::Page(0),
        FakePaging::Page(1),
        FakePaging::Offset(0),
        FakePaging::Offset(1),
    ] {
        for end_style in [EndStyle::More, EndStyle::Total, EndStyle::Silent] {
            for (min, max) in [(1, 1), (1, 3), (1, 7), (2, 5), (4, 4)] {
                for length in [0, 1, 2, 5, 8, 13] {
                    let provider = FakeProvider::new(paging, end_style, length, (min, max));
                    check_every_range(&provider, length);
                }
            }
        }
    }
}

fn check_every_range(provider: &FakeProvider, length: usize) {
    let edges = || std::iter::once(None).chain((0..length).map(Some));
    for after in edges() {
        for before in
            edges().filter(|before| before.is_some() || provider.end_style == EndStyle::Total)
        {
            for count in [1, 2, 3, 5, 9] {
                check(provider, after, before, count, true);
                if before.is_some() {
                    check(provider, after, before, count, false);
                }
            }
        }
    }
}

#[test]
fn a_list_without_a_total_cannot_be_read_from_its_end() {
    let provider = FakeProvider::new(FakePaging::Offset(0), EndStyle::More, 9, (1, 7));
    let last = ListRange {
        from_end: true,
        ..range(None, 2)
    };

    let error = read(&provider, &last, None, |request| provider.answer(request)).unwrap_err();

    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(provider.calls().len(), 0);
}

#[test]
fn keys_tokens_and_filtered_lists_can_only_be_read_forward() {
    let every_row = |_: &FakeRecord| true;
    let last = ListRange {
        from_end: true,
        ..range(None, 2)
    };
    let before = ListRange {
        before: Some(Position::Nth(3)),
        ..range(None, 2)
    };
    for range in [last, before] {
        for (paging, end_style) in [
            (FakePaging::KeyInclusive, EndStyle::More),
            (FakePaging::Token, EndStyle::Token),
            (FakePaging::Offset(0), EndStyle::Total),
        ] {
            let provider = FakeProvider::new(paging, end_style, 9, (1, 7));
            let accept: Option<&(dyn Fn(&FakeRecord) -> bool + Sync)> = match paging {
                FakePaging::Offset(_) => Some(&every_row),
                _ => None,
            };

            let error = read(&provider, &range, accept, |request| {
                provider.answer(request)
            })
            .unwrap_err();

            assert_eq!(error.kind(), ErrorKind::Unsupported);
            assert_eq!(provider.calls(), []);
        }
    }
}
