//! Opaque texts that name a place or a thing: cursors and global ids. Base64url of compact JSON that
//! starts with a version. Not signed, and so never a URL, a host or a secret.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use crate::{
    connectors::Filter,
    error::{Error, Result},
    pagination::Position,
    user::{Provider, text},
};

/// The version of cursors of records in joined lists.
const VERSION: u8 = 1;

/// The version of cursors of marks: since the second they name the rows before the mark. One of the
/// first is still taken.
const MARK_VERSION: u8 = 2;

/// The longest text that is looked at, in bytes. The longest that is made is less: two tokens and two
/// ids of the most characters, escaped in JSON, in base64.
const MAX_BYTES: usize = 48 * 1024;

fn encode(value: &impl Serialize) -> String {
    // Texts, numbers and enums of our own: there is nothing in them that JSON cannot say.
    let json = serde_json::to_vec(value).unwrap_or_default();
    URL_SAFE_NO_PAD.encode(json)
}

fn decode<T: DeserializeOwned>(text: &str) -> Option<T> {
    if text.len() > MAX_BYTES {
        return None;
    }
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}

/// What a list was narrowed and sorted by, as a few letters: a cursor of another list is told by it.
fn fingerprint(parts: &impl Serialize) -> String {
    let json = serde_json::to_vec(parts).unwrap_or_default();
    URL_SAFE_NO_PAD.encode(&Sha256::digest(json)[..6])
}

/// The cursor after a row of a provider's list.
pub fn of_mark(provider: Provider, filter: &Filter, mark: &Position) -> String {
    encode(&(MARK_VERSION, provider, fingerprint(filter), mark))
}

/// The mark that a cursor of `argument` holds.
///
/// # Errors
/// `Invalid` when the cursor is damaged, of another version, another provider or another filter.
pub fn to_mark(
    provider: Provider,
    filter: &Filter,
    argument: &str,
    text: &str,
) -> Result<Position> {
    let refused = |why: String| {
        Error::invalid(format!(
            "`{argument}`: {why}; take a cursor from the list that it continues"
        ))
    };
    let foreign = || refused("this is not a cursor of this graph".to_owned());
    let (version, of, hash, mark): (u8, Provider, String, serde_json::Value) =
        decode(text).ok_or_else(foreign)?;
    if !(1..=MARK_VERSION).contains(&version) {
        return Err(refused(format!(
            "this cursor has version {version}, and those up to {MARK_VERSION} are understood"
        )));
    }
    let mark: Position = serde_json::from_value(mark).map_err(|_| foreign())?;
    if of != provider {
        return Err(refused(format!(
            "this cursor is of {}, not of {}",
            of.name(),
            provider.name()
        )));
    }
    if hash != fingerprint(filter) {
        return Err(refused(
            "this cursor is of a list with another filter".to_owned(),
        ));
    }
    if !mark.is_sound() {
        return Err(refused(
            "this cursor names a place that no list has".to_owned(),
        ));
    }
    Ok(mark)
}

/// The cursor of a record in a list that is joined from several providers.
pub fn of_record(search: &impl Serialize, provider: Provider, remote_id: &str) -> String {
    encode(&(VERSION, "joined", fingerprint(search), provider, remote_id))
}

/// The record that a cursor of a joined list names.
///
/// # Errors
/// `Invalid` when the cursor is damaged or of another search.
pub fn to_record(search: &impl Serialize, text: &str) -> Result<(Provider, String)> {
    let refused = |why| {
        Error::invalid(format!(
            "`after`: {why}; take a cursor from the list that it continues"
        ))
    };
    let (version, kind, hash, provider, id): (u8, String, String, Provider, String) =
        decode(text).ok_or_else(|| refused("this is not a cursor of this search"))?;
    if version != VERSION || kind != "joined" || hash != fingerprint(search) {
        return Err(refused("this cursor is of another search"));
    }
    Ok((provider, id))
}

/// The global id of a user.
pub fn of_user(provider: Provider, remote_id: &str) -> String {
    encode(&("user", provider, remote_id))
}

/// The user that a global id names.
///
/// # Errors
/// `Invalid` when the id is damaged or not ours.
pub fn to_user(id: &str) -> Result<(Provider, String)> {
    match decode::<(String, Provider, String)>(id) {
        Some((kind, provider, remote_id)) if kind == "user" => {
            Ok((provider, text::id("id", remote_id)?))
        }
        _ => Err(Error::invalid(
            "this is not an `id` of this graph: take one from `User.id`",
        )),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Strategy, any, prop_assert_eq, prop_oneof, proptest};

    use super::{of_mark, of_user, to_mark, to_user};
    use crate::{
        connectors::Filter,
        pagination::{Anchor, Position, RowCount},
        user::Provider,
    };

    fn mark() -> impl Strategy<Value = Position> {
        let token = || proptest::option::of("\\PC{0,40}");
        let anchor = || {
            ("\\PC{0,40}", token()).prop_map(|(row, before)| Anchor::new(&row, before.as_deref()))
        };
        let count = proptest::option::of(any::<(u64, u64, u64)>());
        prop_oneof![
            any::<u64>().prop_map(Position::Nth),
            (any::<u64>(), anchor()).prop_map(|(ordinal, anchor)| Position::Row(ordinal, anchor)),
            anchor().prop_map(Position::Key),
            (
                token(),
                any::<u16>(),
                proptest::option::of(anchor()),
                token(),
                count
            )
                .prop_map(|(token, skip, row, next, count)| Position::Token {
                    token,
                    skip,
                    row,
                    next,
                    count: count.map(|(rows, least, most)| RowCount(rows, least, most)),
                }),
        ]
    }

    fn text(version: u8, mark: &str) -> String {
        let hash = super::fingerprint(&Filter::default());
        let mark: serde_json::Value = serde_json::from_str(mark).expect("JSON");
        super::encode(&(version, Provider::Ada, hash, mark))
    }

    #[test]
    fn a_cursor_of_the_first_version_is_still_taken() {
        let read = |mark| to_mark(Provider::Ada, &Filter::default(), "after", &text(1, mark));

        assert_eq!(read("{\"nth\":7}").expect("a mark"), Position::Nth(7));
        let key = Position::Key(Anchor::One("a".to_owned()));
        assert_eq!(read("{\"key\":\"a\"}").expect("a mark"), key);
        let token = Position::Token {
            token: None,
            skip: 3,
            row: Some(Anchor::One("c".to_owned())),
            next: Some("t".to_owned()),
            count: None,
        };
        let old = "{\"token\":{\"s\":3,\"k\":\"c\",\"n\":\"t\"}}";
        assert_eq!(read(old).expect("a mark"), token);
    }

    #[test]
    fn a_cursor_of_a_later_version_is_refused_with_its_version() {
        let later = text(3, "{\"something\":[1,2]}");

        let error = to_mark(Provider::Ada, &Filter::default(), "after", &later).unwrap_err();

        assert!(error.message().contains("version 3"), "{}", error.message());
    }

    fn filter(segment: &str) -> Filter {
        Filter {
            segment_id: Some(segment.to_owned()),
            ..Filter::default()
        }
    }

    proptest! {
        #[test]
        fn a_cursor_comes_back_as_the_mark_it_was_made_of(mark in mark()) {
            let text = of_mark(Provider::Ada, &Filter::default(), &mark);
            prop_assert_eq!(to_mark(Provider::Ada, &Filter::default(), "after", &text).ok(), Some(mark));
        }

        #[test]
        fn a_cursor_of_another_provider_or_filter_is_refused(mark in mark()) {
            let text = of_mark(Provider::Ada, &filter("a"), &mark);
            assert!(to_mark(Provider::Intercom, &filter("a"), "after", &text).is_err());
            assert!(to_mark(Provider::Ada, &filter("b"), "after", &text).is_err());
        }

        #[test]
        fn a_damaged_cursor_is_an_error_and_never_a_panic(text in ".{0,80}") {
            assert!(to_mark(Provider::Ada, &Filter::default(), "after", &text).is_err());
        }

        #[test]
        fn an_id_comes_back_as_the_user_it_was_made_of(id in "\\PC{1,60}") {
            prop_assert_eq!(to_user(&of_user(Provider::Usertour, &id)).ok(), Some((Provider::Usertour, id)));
        }
    }
}
