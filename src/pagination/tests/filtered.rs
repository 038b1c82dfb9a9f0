//! Windows of a list whose provider filters too little.

use super::{
    bounds, ids,
    provider::{EndStyle, FakePaging, FakeProvider, FakeRecord, id},
    range, read,
};

/// Lists of which every row, none, the odd ones, one in five or only the last are wanted.
fn filters(length: usize) -> [Vec<String>; 5] {
    let places = |wanted: &dyn Fn(usize) -> bool| {
        (0..length).filter(|place| wanted(*place)).map(id).collect()
    };
    [
        places(&|_| true),
        places(&|_| false),
        places(&|place| place % 2 == 1),
        places(&|place| place % 5 == 2),
        places(&|place| place + 1 == length),
    ]
}

fn check(provider: &FakeProvider, wanted: &[String], first: usize) {
    let accept = |record: &FakeRecord| wanted.contains(&record.key);
    let mut after = None;
    let mut found = 0;
    loop {
        let range = range(after.as_ref(), u32::try_from(first).unwrap());
        let window = read(provider, &range, Some(&accept), |request| {
            provider.answer(request)
        })
        .unwrap();

        let end = wanted.len().min(found + first);
        let context = || format!("{wanted:?} of {provider:?} after {after:?} first {first}");
        assert_eq!(ids(&window), wanted[found..end], "{}", context());
        assert_eq!(window.has_next, end < wanted.len(), "{}", context());
        assert_eq!(window.has_previous, after.is_some());
        assert_eq!(
            window.total, None,
            "the provider counts rows that are not wanted"
        );
        let calls = provider.calls().len();
        if matches!(provider.paging, FakePaging::Offset(_)) && provider.end_style == EndStyle::More
        {
            let list = provider.ids();
            let place = |id: &String| list.iter().position(|known| known == id);
            let from = found
                .checked_sub(1)
                .map_or(0, |last| place(&wanted[last]).unwrap() + 1);
            // As far as the first row that is wanted but does not fit, or the end of the list.
            let to = wanted
                .get(end)
                .map_or(list.len(), |next| place(next).unwrap() + 1);
            let max = provider.max as usize;
            // Pages overlap by one row.
            let known = usize::from(from > 0);
            let page = (first + 1 + known).clamp(provider.min as usize, max) - known;
            let fewest = 1 + (to - from).saturating_sub(page).div_ceil(max - 1);
            assert_eq!(calls, fewest, "{}", context());
        }

        found = end;
        after = window.rows.last().map(|row| row.position.clone());
        if !window.has_next {
            break;
        }
    }
    assert_eq!(found, wanted.len());
}

#[test]
fn a_filtered_window_has_every_wanted_row_and_knows_the_end() {
    for (paging, end_style) in [
        (FakePaging::Page(1), EndStyle::Total),
        (FakePaging::Offset(0), EndStyle::More),
        (FakePaging::Offset(0), EndStyle::Silent),
        (FakePaging::KeyInclusive, EndStyle::More),
        (FakePaging::KeyExclusive, EndStyle::Silent),
        (FakePaging::Token, EndStyle::Token),
    ] {
        for (min, max) in bounds().filter(|(_, max)| *max > 1) {
            for length in [0, 1, 7, 14, 24] {
                let provider = FakeProvider::new(paging, end_style, length, (min, max));
                for wanted in filters(length) {
                    for first in 1..=9 {
                        check(&provider, &wanted, first);
                    }
                }
            }
        }
    }
}
