//! Positions as clients send them back: old, foreign or made up.

use proptest::prelude::*;

use super::{
    provider::{EndStyle, FakePaging, FakeProvider},
    range, read,
};
use crate::{
    error::ErrorKind,
    pagination::{Anchor, ListRange, Position},
};

fn providers() -> [FakeProvider; 5] {
    [
        (FakePaging::Page(1), EndStyle::Total),
        (FakePaging::Offset(0), EndStyle::More),
        (FakePaging::KeyInclusive, EndStyle::More),
        (FakePaging::KeyExclusive, EndStyle::Silent),
        (FakePaging::Token, EndStyle::Token),
    ]
    .map(|(paging, end_style)| FakeProvider::new(paging, end_style, 9, (1, 7)))
}

#[test]
fn a_position_of_another_paging_is_refused_without_a_call() {
    let nth = Position::Nth(3);
    let key = Position::Key(Anchor::One("u00".to_owned()));
    let token = Position::Token {
        token: None,
        skip: 2,
        row: None,
        next: None,
        count: None,
    };
    for provider in providers() {
        let foreign = match provider.paging {
            FakePaging::Page(_) | FakePaging::Offset(_) => [&key, &token],
            FakePaging::KeyInclusive | FakePaging::KeyExclusive => [&nth, &token],
            FakePaging::Token => [&nth, &key],
        };
        for position in foreign {
            let forward = range(Some(position), 2);
            let before = ListRange {
                before: Some(position.clone()),
                ..range(None, 2)
            };
            let last = ListRange {
                from_end: true,
                ..forward.clone()
            };
            let ranges = if provider.listing().has_row_numbers() {
                vec![forward, before, last]
            } else {
                vec![forward]
            };
            for range in ranges {
                let error =
                    read(&provider, &range, None, |request| provider.answer(request)).unwrap_err();

                assert_eq!(
                    error.kind(),
                    ErrorKind::Invalid,
                    "{range:?} of {provider:?}"
                );
                assert_eq!(provider.calls(), []);
            }
        }
    }
}

fn anchor() -> impl Strategy<Value = Anchor> {
    prop_oneof![
        Just(Anchor::One("u37".to_owned())),
        Just(Anchor::One("nobody".to_owned())),
        Just(Anchor::Two("u74".to_owned(), "u37".to_owned())),
        Just(Anchor::Two("nobody".to_owned(), "u37".to_owned())),
    ]
}

fn positions() -> impl Strategy<Value = Position> {
    let ordinal = prop_oneof![0..40_u64, u64::MAX - 40..=u64::MAX];
    let token = || proptest::option::of(Just("t-u37".to_owned()));
    prop_oneof![
        Just(Position::Start),
        ordinal.prop_map(Position::Nth),
        (any::<u64>(), anchor()).prop_map(|(ordinal, anchor)| Position::Row(ordinal, anchor)),
        (0..40_u64, anchor()).prop_map(|(ordinal, anchor)| Position::Row(ordinal, anchor)),
        anchor().prop_map(Position::Key),
        (
            token(),
            any::<u16>(),
            proptest::option::of(anchor()),
            token()
        )
            .prop_map(|(token, skip, row, next)| {
                Position::Token {
                    token,
                    skip,
                    row,
                    next,
                    count: None,
                }
            }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn a_made_up_position_does_no_harm(
        after in proptest::option::of(positions()),
        before in proptest::option::of(positions()),
        count in prop_oneof![0..9_u32, Just(5_000)],
        from_end: bool,
        // A provider may answer a page past the end with its last one.
        is_generous: bool,
    ) {
        let range = ListRange { after, before, count, from_end };
        for provider in providers() {
            let window = read(&provider, &range, None, |request| {
                let mut page = provider.answer(request)?;
                if is_generous && page.rows.is_empty() {
                    page.rows.push(super::provider::record("u00"));
                }
                Ok(page)
            });
            if let Ok(window) = window {
                prop_assert!(window.rows.len() <= count as usize);
            }
        }
    }

    #[test]
    fn a_position_survives_serialization(position in positions()) {
        let text = serde_json::to_string(&position).unwrap();

        let read: Position = serde_json::from_str(&text).unwrap();

        prop_assert_eq!(read, position);
    }
}

#[test]
fn only_a_position_at_the_end_of_a_page_has_a_fallback() {
    let end = Position::Token {
        token: None,
        skip: 2,
        row: None,
        next: Some("t".to_owned()),
        count: None,
    };
    let inside = Position::Token {
        token: None,
        skip: 2,
        row: None,
        next: None,
        count: None,
    };

    assert_eq!(end.without_next(), Some(inside.clone()));
    let key = Position::Key(Anchor::One("k".to_owned()));
    for position in [Position::Start, Position::Nth(1), key, inside] {
        assert_eq!(position.without_next(), None);
    }
}
