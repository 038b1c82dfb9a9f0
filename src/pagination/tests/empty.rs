//! Empty pages: some end a list, and some do not.

use super::{
    ids,
    moving::{page, read_circle, token},
    provider::{EndStyle, FakePaging, FakeProvider, id},
    range, read, window_of,
};
use crate::pagination::{IncompleteReason, NextPage, PageAddress, PageRequest};

#[test]
fn an_empty_page_that_names_a_next_one_does_not_end_the_list() {
    let none = NextPage::Token {
        next: None,
        total: None,
    };
    let first = |next: NextPage| page(0..0, next);
    let cases = [
        (
            FakePaging::Offset(0),
            first(NextPage::More(true)),
            NextPage::More(false),
        ),
        (
            FakePaging::Page(1),
            first(NextPage::More(true)),
            NextPage::More(false),
        ),
        (
            FakePaging::KeyInclusive,
            first(NextPage::Key(Some("k".to_owned()))),
            NextPage::Key(None),
        ),
        (FakePaging::Token, first(token("next")), none),
    ];
    for (paging, empty, end) in cases {
        let provider = FakeProvider::new(paging, EndStyle::More, 0, (1, 3));
        let answer = |call, _: &PageRequest| match call {
            1 => empty.clone(),
            _ => page(0..2, end.clone()),
        };
        let (window, calls) = read_circle(&provider, answer, None);
        let window = window.unwrap();
        assert_eq!(
            (ids(&window), window.has_next, window.incomplete, calls),
            // Which rows an empty page should have held is unknown.
            (
                vec!["u00", "u37"],
                false,
                provider
                    .listing()
                    .has_row_numbers()
                    .then_some(IncompleteReason::Empty),
                2
            ),
            "{paging:?}"
        );
    }
}

#[test]
fn endless_empty_pages_end_the_window_and_mark_it_incomplete() {
    let offsets = FakeProvider::new(FakePaging::Offset(0), EndStyle::More, 0, (1, 3));

    let (window, calls) = read_circle(&offsets, |_, _| page(0..0, NextPage::More(true)), None);

    let window = window.unwrap();
    let said = (window.has_next, window.incomplete, calls);
    assert_eq!(said, (false, Some(IncompleteReason::Empty), 11));
}

/// A provider that answers an empty page where it no longer knows a key, as it does at the end.
#[test]
fn an_empty_page_after_a_forgotten_key_is_not_taken_for_the_end() {
    for gone in [vec![4], vec![4, 3]] {
        let provider = FakeProvider::new(FakePaging::KeyInclusive, EndStyle::Token, 12, (1, 7));
        let position = window_of(&provider, &range(None, 5))
            .rows
            .pop()
            .unwrap()
            .position;
        gone.iter().for_each(|row| provider.delete(&id(*row)));
        let unknown: Vec<_> = gone
            .iter()
            .map(|row| PageAddress::Key(Some(id(*row))))
            .collect();
        let answer = |request: &PageRequest| {
            if unknown.contains(&request.address) {
                return Ok(page(0..0, NextPage::Key(None)));
            }
            provider.answer(request)
        };

        let window = read(&provider, &range(Some(&position), 20), None, answer).unwrap();

        let (expected, incomplete) = match gone.len() {
            1 => ((5..12).map(id).collect(), None),
            _ => (Vec::new(), Some(IncompleteReason::Shifted)),
        };
        assert_eq!(
            (ids(&window), window.incomplete),
            (expected.iter().map(String::as_str).collect(), incomplete)
        );
    }
}
