//! Lists that change while they are read, and lists that run in circles.

use std::cell::Cell;

use super::{
    ids,
    provider::{EndStyle, FakePaging, FakeProvider, FakeRecord, id, record},
    range, read, window_of,
};
use crate::{
    error::{Error, ErrorKind, Result},
    pagination::{Anchor, NextPage, Page, PageAddress, PageRequest, Position, Window},
};

/// Every position of a list, with the number of rows before it, as windows of `first` rows give
/// them.
fn positions(provider: &FakeProvider, first: u32) -> Vec<(Position, usize)> {
    let mut positions: Vec<(Position, usize)> = Vec::new();
    loop {
        let after = positions.last().map(|(position, _)| position.clone());
        let window = window_of(provider, &range(after.as_ref(), first));
        let from = positions.len() + 1;
        positions.extend(window.rows.into_iter().map(|row| row.position).zip(from..));
        if !window.has_next {
            return positions;
        }
    }
}

/// The rest of the list after a position, window by window.
fn rest(provider: &FakeProvider, position: &Position, first: u32) -> Vec<String> {
    let mut rest = Vec::new();
    let mut after = position.clone();
    loop {
        let window = window_of(provider, &range(Some(&after), first));
        rest.extend(ids(&window).into_iter().map(str::to_owned));
        match window.rows.into_iter().last() {
            Some(row) if window.has_next => after = row.position,
            _ => return rest,
        }
    }
}

#[test]
fn a_list_resumes_after_a_key_whose_row_is_gone() {
    for paging in [FakePaging::KeyExclusive, FakePaging::KeyInclusive] {
        for end_style in [EndStyle::More, EndStyle::Silent] {
            for max in 2..=7 {
                let provider = FakeProvider::new(paging, end_style, 12, (1, max));
                for (position, place) in positions(&provider, 3) {
                    let provider = provider.clone();
                    provider.delete(&id(place - 1));
                    for first in 1..=9 {
                        let found = rest(&provider, &position, first);
                        assert_eq!(found, provider.ids()[place - 1..], "{provider:?}");
                    }
                }
            }
        }
    }
}

/// Between two windows rows at the end of the list vanish, and others are added.
#[test]
fn a_list_of_tokens_resumes_after_any_change_of_its_tail() {
    for (min, max) in [(1, 1), (1, 2), (1, 7), (3, 3), (4, 5)] {
        for width in [1, 3, 5, 9] {
            let provider = FakeProvider::new(FakePaging::Token, EndStyle::Token, 12, (min, max));
            for (position, place) in positions(&provider, width) {
                for (kept, added) in (place..=12).flat_map(|kept| [(kept, 0), (kept, 2)]) {
                    let provider = provider.clone();
                    (kept..12).for_each(|row| provider.delete(&id(row)));
                    (12..12 + added).for_each(|row| provider.append(&id(row)));
                    for first in 1..=9 {
                        let found = rest(&provider, &position, first);
                        let context =
                            || format!("{kept} + {added} after {position:?}: {provider:?}");
                        assert_eq!(found, provider.ids()[place..], "{}", context());
                    }
                }
            }
        }
    }
}

/// Between two windows one row before the position vanishes: exactly the rows after the position
/// are found, unless the token of the page named that row or now names the last one. The provider
/// answers both with an error.
#[test]
fn a_list_of_tokens_misses_no_row_when_one_before_the_position_vanishes() {
    for (min, max) in [(1, 2), (1, 7), (3, 3), (4, 5)] {
        for width in [1, 3, 5, 9] {
            let provider = FakeProvider::new(FakePaging::Token, EndStyle::Token, 12, (min, max));
            for (position, place) in positions(&provider, width) {
                for gone in 0..place {
                    let provider = provider.clone();
                    provider.delete(&id(gone));

                    let all = range(Some(&position), 12);
                    let found = read(&provider, &all, None, |request| provider.answer(request));

                    let context = format!("without {gone} after {position:?}: {provider:?}");
                    match found {
                        Ok(window) => {
                            assert_eq!(ids(&window), provider.ids()[place - 1..], "{context}")
                        }
                        Err(error) => {
                            assert_eq!(error.kind(), ErrorKind::Expired, "{context}");
                            let Position::Token { token, .. } = &position else {
                                panic!("{context}")
                            };
                            let last = provider.ids().pop();
                            let dead =
                                [Some(id(gone)), last].map(|row| row.map(|row| format!("t-{row}")));
                            assert!(dead.contains(token), "{context}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn an_exhausted_token_costs_one_extra_call_and_ends_the_list() {
    let provider = FakeProvider::new(FakePaging::Token, EndStyle::Token, 8, (1, 7));
    let first = window_of(&provider, &range(None, 5));
    let end = first.rows.last().unwrap().position.clone();
    let next = Some(format!("t-{}", id(4)));
    assert_eq!(
        end,
        Position::Token {
            token: None,
            skip: 5,
            row: Some(Anchor::Two(id(4), id(3))),
            next,
            count: None,
        }
    );
    (5..8).for_each(|row| provider.delete(&id(row)));
    provider.calls();

    let window = window_of(&provider, &range(Some(&end), 5));

    assert_eq!((ids(&window), window.has_next), (vec![], false));
    assert_eq!((provider.calls().len(), provider.refusals()), (1, 1));
}

#[test]
fn a_known_token_needs_no_fallback() {
    let provider = FakeProvider::new(FakePaging::Token, EndStyle::Token, 8, (1, 7));
    let first = window_of(&provider, &range(None, 5));
    let end = first.rows.last().unwrap().position.clone();
    provider.calls();

    let window = window_of(&provider, &range(Some(&end), 3));

    assert_eq!(ids(&window), provider.ids()[5..]);
    let calls = provider.calls();
    assert_eq!(
        calls
            .iter()
            .map(|call| (call.start, call.size))
            .collect::<Vec<_>>(),
        [(5, 3)]
    );
}

#[test]
fn a_forgotten_token_is_replaced_by_reading_its_page_again() {
    let provider = FakeProvider::new(FakePaging::Token, EndStyle::Token, 14, (1, 7));
    let end = window_of(&provider, &range(None, 3))
        .rows
        .pop()
        .unwrap()
        .position;
    provider.calls();
    let forgotten = PageAddress::Token(Some(format!("t-{}", id(2))));
    let answer = |request: &PageRequest| {
        if request.address == forgotten {
            return Err(Error::new(ErrorKind::Expired, "Invalid cursor parameter"));
        }
        provider.answer(request)
    };

    let window = read(&provider, &range(Some(&end), 4), None, answer).unwrap();

    assert_eq!(
        (ids(&window), window.has_next),
        (
            provider.ids()[3..7].iter().map(String::as_str).collect(),
            true
        )
    );
    assert_eq!(provider.calls().len(), 1);
}

#[test]
fn other_errors_use_no_fallback() {
    let provider = FakeProvider::new(FakePaging::Token, EndStyle::Token, 8, (1, 7));
    let end = window_of(&provider, &range(None, 5))
        .rows
        .pop()
        .unwrap()
        .position;
    let calls = Cell::new(0);

    let error = read(&provider, &range(Some(&end), 3), None, |_| {
        calls.set(calls.get() + 1);
        Err(Error::new(ErrorKind::Throttled, "slow down"))
    });

    assert_eq!(
        (error.unwrap_err().kind(), calls.get()),
        (ErrorKind::Throttled, 1)
    );
}

#[test]
fn a_token_of_a_page_that_is_gone_has_expired() {
    let provider = FakeProvider::new(FakePaging::Token, EndStyle::Token, 8, (1, 2));
    let position = window_of(&provider, &range(None, 4)).rows[2]
        .position
        .clone();
    provider.delete(&id(1));

    let error = read(&provider, &range(Some(&position), 3), None, |request| {
        provider.answer(request)
    })
    .unwrap_err();

    assert_eq!(error.kind(), ErrorKind::Expired);
}

/// A row that is added in front while the list is read moves the last row of a page to the next.
#[test]
fn a_row_repeated_at_a_page_boundary_is_returned_once() {
    for paging in [
        FakePaging::Page(1),
        FakePaging::Offset(0),
        FakePaging::Offset(1),
    ] {
        for end_style in [EndStyle::More, EndStyle::Total, EndStyle::Silent] {
            for bounds in [(1, 1), (1, 3), (2, 5), (4, 4)] {
                let provider = FakeProvider::new(paging, end_style, 12, bounds);
                let list = provider.ids();
                let answer = |request: &PageRequest| {
                    let page = provider.answer(request);
                    if provider.ids().len() == 12 {
                        provider.insert(0, "new");
                    }
                    page
                };

                let window = read(&provider, &range(None, 30), None, answer).unwrap();

                assert_eq!(ids(&window), list, "{provider:?}");
                assert!(!window.has_next);
            }
        }
    }
}

/// A token provider whose pages begin with the last row of the page before.
#[test]
fn a_row_repeated_by_a_token_is_returned_once() {
    for first in 1..=9 {
        let provider = FakeProvider::new(FakePaging::Token, EndStyle::Token, 12, (1, 4));
        let list = provider.ids();

        let window = read(&provider, &range(None, first), None, |request| {
            let mut page = provider.answer(request)?;
            let start = list.iter().position(|id| *id == page.rows[0].key);
            if let Some(before) = start.and_then(|start| start.checked_sub(1)) {
                page.rows.insert(0, record(&list[before]));
            }
            Ok(page)
        });

        assert_eq!(ids(&window.unwrap()), list[..first as usize]);
    }
}

/// Reads a window from a provider that ignores its parameters, and counts the calls.
pub(super) fn read_circle(
    listed: &FakeProvider,
    answer: impl Fn(usize, &PageRequest) -> Page<FakeRecord>,
    accept: Option<&(dyn Fn(&FakeRecord) -> bool + Sync)>,
) -> (Result<Window<FakeRecord>>, usize) {
    let calls = Cell::new(0);
    let window = read(listed, &range(None, 9), accept, |request| {
        calls.set(calls.get() + 1);
        assert!(calls.get() < 20, "it goes on and on");
        Ok(answer(calls.get(), request))
    });
    (window, calls.get())
}

pub(super) fn page(rows: std::ops::Range<usize>, next: NextPage) -> Page<FakeRecord> {
    Page::new(rows.map(|row| record(&id(row))).collect(), next)
}

pub(super) fn token(text: &str) -> NextPage {
    NextPage::Token {
        next: Some(text.to_owned()),
        total: None,
    }
}

#[test]
fn a_list_in_a_circle_is_an_error() {
    let nobody = |_: &FakeRecord| false;
    for accept in [None, Some(&nobody as &(dyn Fn(&FakeRecord) -> bool + Sync))] {
        let tokens = FakeProvider::new(FakePaging::Token, EndStyle::Token, 0, (1, 3));
        let keys = FakeProvider::new(FakePaging::KeyExclusive, EndStyle::More, 0, (1, 3));
        let offsets = FakeProvider::new(FakePaging::Offset(0), EndStyle::More, 0, (1, 3));
        let pages = FakeProvider::new(FakePaging::Page(1), EndStyle::Silent, 0, (3, 3));
        let circles = [
            read_circle(&tokens, |_, _| page(0..3, token("same")), accept),
            read_circle(&tokens, |_, _| page(0..0, token("same")), accept),
            read_circle(
                &tokens,
                |call, _| page(0..3, token(["even", "odd"][call % 2])),
                accept,
            ),
            read_circle(
                &tokens,
                |call, _| page(call % 3..call % 3 + 1, token(["a", "b", "c"][call % 3])),
                accept,
            ),
            // The cursor, the offset or the page number is ignored.
            read_circle(&keys, |_, _| page(0..3, NextPage::More(true)), accept),
            read_circle(&offsets, |_, _| page(0..3, NextPage::More(true)), accept),
            read_circle(&offsets, |_, _| page(0..1, NextPage::More(true)), accept),
            read_circle(&pages, |_, _| page(0..3, NextPage::Silent), accept),
        ];
        for (number, (window, calls)) in circles.into_iter().enumerate() {
            let error = window.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Malformed, "circle {number}");
            assert!(calls <= 5, "circle {number}: {calls} calls");
        }
    }
}

#[test]
fn an_inclusive_key_with_pages_of_one_row_is_an_error() {
    let provider = FakeProvider::new(FakePaging::KeyInclusive, EndStyle::More, 3, (1, 1));
    let position = Position::Key(Anchor::One(id(0)));

    let error = read(&provider, &range(Some(&position), 1), None, |request| {
        provider.answer(request)
    });

    assert_eq!(error.unwrap_err().kind(), ErrorKind::Malformed);
    assert_eq!(provider.calls().len(), 1);
}
