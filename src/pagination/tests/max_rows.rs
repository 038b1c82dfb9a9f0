//! A provider that refuses to page past some row. It panics if a request does.

use super::{
    bounds, ids,
    provider::{EndStyle, FakePaging, FakeProvider},
    range, window_of,
};
use crate::pagination::Position;

const MAX_ROWS: usize = 10;

/// The first row from an index on that no page of an allowed size can hold within the bound.
fn end_within_max_rows(provider: &FakeProvider, from: usize) -> usize {
    let sizes = || provider.min as usize..=provider.max as usize;
    let is_within = |place: usize| match provider.paging {
        FakePaging::Page(_) => sizes().any(|size| (place / size + 1) * size <= MAX_ROWS),
        _ => sizes().any(|size| place + size <= MAX_ROWS),
    };
    (from..).find(|place| !is_within(*place)).unwrap()
}

fn check(provider: &FakeProvider, from: usize, first: usize) {
    let after = (from > 0).then_some(Position::Nth(from as u64));
    let length = provider.ids().len();
    let end = end_within_max_rows(provider, from);

    let window = window_of(
        provider,
        &range(after.as_ref(), u32::try_from(first).unwrap()),
    );

    let context = || format!("{first} from {from} of {provider:?}");
    let to = (from + first).min(length).min(end);
    assert_eq!(ids(&window), provider.ids()[from..to], "{}", context());
    let calls = provider.calls();
    if from == end {
        assert_eq!(
            (window.is_truncated, window.has_next),
            (true, false),
            "{}",
            context()
        );
        assert_eq!(calls, [], "{}", context());
    } else if to < length || provider.end_style != EndStyle::Silent {
        assert_eq!(
            window.is_truncated,
            to < length && to == end,
            "{}",
            context()
        );
        assert_eq!(window.has_next, to < length && to < end, "{}", context());
    }
    let is_within = |start: usize, size: usize| start + size <= MAX_ROWS;
    assert!(calls.iter().all(|call| is_within(call.start, call.size)));
}

#[test]
fn a_window_ends_where_the_provider_refuses_to_go_on() {
    for paging in [
        FakePaging::Page(0),
        FakePaging::Page(1),
        FakePaging::Offset(0),
        FakePaging::Offset(1),
    ] {
        for end_style in [EndStyle::More, EndStyle::Total, EndStyle::Silent] {
            // A page of an offset that must be longer than what is left cannot be asked for at all.
            let bounds =
                bounds().filter(|(min, _)| !matches!(paging, FakePaging::Offset(_)) || *min == 1);
            for bounds in bounds {
                for length in 0..=14 {
                    let provider = FakeProvider::new(paging, end_style, length, bounds)
                        .with_max_rows(MAX_ROWS as u64);
                    let end = end_within_max_rows(&provider, 0);
                    for from in 0..=length.min(end) {
                        (1..=9).for_each(|first| check(&provider, from, first));
                    }
                }
            }
        }
    }
}

#[test]
fn a_window_that_ends_at_max_rows_takes_one_call() {
    let provider =
        FakeProvider::new(FakePaging::Page(1), EndStyle::Total, 14, (1, 7)).with_max_rows(10);

    let window = window_of(&provider, &range(Some(&Position::Nth(8)), 2));

    assert_eq!(ids(&window), provider.ids()[8..10]);
    assert_eq!(
        (window.is_truncated, window.has_next, window.total),
        (true, false, Some(14))
    );
    assert_eq!(provider.calls().len(), 1);
}
