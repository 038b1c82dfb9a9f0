//! Opaque texts that name a place or a thing: cursors and global ids. Base64url of compact JSON that
//! starts with a version. Not signed, and so never a URL, a host or a secret.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use crate::{
    account::Account,
    connectors::Filter,
    error::{Error, Result},
    pagination::Position,
    user::{Email, text},
};

/// The version of cursors and ids. Since the third they name an account, where earlier ones named a
/// provider.
const VERSION: u8 = 3;

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

/// A hash of a list's filter and order: it tells a cursor of another list.
fn fingerprint(parts: &impl Serialize) -> String {
    let json = serde_json::to_vec(parts).unwrap_or_default();
    URL_SAFE_NO_PAD.encode(&Sha256::digest(json)[..6])
}

/// The version of a text of ours, if it is one. Ids had none at first.
fn version(text: &str) -> Option<u64> {
    let fields: Vec<serde_json::Value> = decode(text)?;
    match fields.first()? {
        serde_json::Value::Number(version) => version.as_u64(),
        serde_json::Value::String(kind) if kind == "user" => Some(1),
        _ => None,
    }
}

/// The fields of a text of ours.
///
/// # Errors
/// Why it is none, in words that follow its name.
fn fields<T: DeserializeOwned>(text: &str, what: &str) -> std::result::Result<T, String> {
    match version(text) {
        Some(version) if version != u64::from(VERSION) => Err(format!(
            "this {what} has version {version}, and version {VERSION} is understood"
        )),
        Some(_) => {
            decode(text).ok_or_else(|| format!("this is not {} of this kind", with_article(what)))
        }
        None => Err(format!("this is not {} of this graph", with_article(what))),
    }
}

/// A word with its article.
fn with_article(what: &str) -> String {
    let article = if what.starts_with(['a', 'i']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {what}")
}

/// The cursor after a row of an account's list.
pub fn encode_position(account: Account, filter: &Filter, position: &Position) -> String {
    encode(&(VERSION, account, fingerprint(filter), position))
}

/// The position that a cursor of `argument` holds.
///
/// # Errors
/// `Invalid` when the cursor is damaged, of another version, another account or another filter.
pub fn decode_position(
    account: Account,
    filter: &Filter,
    argument: &str,
    text: &str,
) -> Result<Position> {
    let refused = |why: String| {
        Error::invalid(format!(
            "`{argument}`: {why}; take a cursor from the list that it continues"
        ))
    };
    let (_, of, hash, position): (u8, String, String, serde_json::Value) =
        fields(text, "cursor").map_err(refused)?;
    let position: Position = serde_json::from_value(position)
        .map_err(|_| refused("this is not a cursor of this graph".to_owned()))?;
    if of != account.name() {
        return Err(refused(format!(
            "this cursor is of the account {of:.40}, not of {}",
            account.name()
        )));
    }
    if hash != fingerprint(filter) {
        return Err(refused(
            "this cursor is of a list with another filter".to_owned(),
        ));
    }
    if !position.is_sound() {
        return Err(refused(
            "this cursor names a place that no list has".to_owned(),
        ));
    }
    Ok(position)
}

/// The cursor of a record in a list that is joined from several accounts.
pub fn encode_record(search: &impl Serialize, account: Account, remote_id: &str) -> String {
    encode(&(VERSION, "joined", fingerprint(search), account, remote_id))
}

/// The account's name and the record that a cursor of a joined list names.
///
/// # Errors
/// `Invalid` when the cursor is damaged, of another version or of another search.
pub fn decode_record(search: &impl Serialize, text: &str) -> Result<(String, String)> {
    let refused = |why: String| {
        Error::invalid(format!(
            "`after`: {why}; take a cursor from the list that it continues"
        ))
    };
    let (_, kind, hash, account, id): (u8, String, String, String, String) =
        fields(text, "cursor").map_err(refused)?;
    if kind != "joined" || hash != fingerprint(search) {
        return Err(refused("this cursor is of another search".to_owned()));
    }
    Ok((account, id))
}

/// The global id of a user.
pub fn encode_user_id(account: Account, remote_id: &str) -> String {
    encode(&(VERSION, "user", account, remote_id))
}

/// The global id of a person.
pub fn encode_person_id(email: &Email) -> String {
    encode(&(VERSION, "person", email.folded()))
}

/// The object that a global id names.
pub enum GlobalId {
    /// A user, by the name of the account and the provider's own id.
    User(String, String),
    /// A person, by the email.
    Person(Email),
}

impl GlobalId {
    /// Reads a global id.
    ///
    /// # Errors
    /// `Invalid` when the id is damaged, of another version or not ours.
    pub fn parse(id: &str) -> Result<Self> {
        let refused = |why: String| Error::invalid(format!("{why}: take one from `Node.id`"));
        let (kind, rest) = kind_and_fields(id).map_err(refused)?;
        match (kind.as_str(), rest.as_slice()) {
            ("user", [account, remote_id]) => {
                let remote_id = text::id("id", remote_id.as_str())?;
                Ok(Self::User(account.clone(), remote_id))
            }
            ("person", [email]) => Ok(Self::Person(Email::parse(email)?)),
            _ => Err(refused("this is not an id of this graph".to_owned())),
        }
    }
}

/// The account's name and the user that a global id names.
///
/// # Errors
/// `Invalid` when the id is damaged, of another version, not ours or of something else.
pub fn decode_user_id(id: &str) -> Result<(String, String)> {
    match GlobalId::parse(id)? {
        GlobalId::User(account, remote_id) => Ok((account, remote_id)),
        GlobalId::Person(_) => Err(wrong_kind_error("a user", "User")),
    }
}

/// The email of the person that a global id names.
///
/// # Errors
/// As [`decode_user_id()`].
pub fn decode_person_id(id: &str) -> Result<Email> {
    match GlobalId::parse(id)? {
        GlobalId::Person(email) => Ok(email),
        GlobalId::User(..) => Err(wrong_kind_error("a person", "Person")),
    }
}

fn wrong_kind_error(what: &str, of: &str) -> Error {
    Error::invalid(format!(
        "this is not an id of {what}: take one from `{of}.id`"
    ))
}

/// The kind of a global id, and what follows it.
fn kind_and_fields(id: &str) -> std::result::Result<(String, Vec<String>), String> {
    let mut texts: Vec<serde_json::Value> = fields(id, "id")?;
    let rest = texts.split_off(texts.len().min(2));
    let no_id = || "this is not an id of this kind".to_owned();
    let rest = rest.into_iter().map(|text| match text {
        serde_json::Value::String(text) => Ok(text),
        _ => Err(no_id()),
    });
    let rest = rest.collect::<std::result::Result<_, _>>()?;
    match &texts[..] {
        [_, serde_json::Value::String(kind)] => Ok((kind.clone(), rest)),
        _ => Err(no_id()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Strategy, any, prop_assert_eq, prop_oneof, proptest};

    use super::{
        GlobalId, decode_person_id, decode_position, decode_user_id, encode_person_id,
        encode_position, encode_user_id,
    };
    use crate::{
        account::{Account, Provider},
        connectors::Filter,
        pagination::{Anchor, Position, RowCount},
        user::Email,
    };

    fn position() -> impl Strategy<Value = Position> {
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

    const ADA: Provider = Provider::Ada;

    fn refusal(text: &str) -> String {
        let read = decode_position(Account::default_for(ADA), &Filter::default(), "after", text);
        read.expect_err("a refusal").message().to_owned()
    }

    #[test]
    fn cursors_and_ids_of_other_versions_are_refused_with_their_version() {
        let hash = super::fingerprint(&Filter::default());
        for version in [1, 2, 4] {
            let other = super::encode(&(version, "ada", &hash, ("nth", 7)));
            let says = refusal(&other);
            assert!(says.contains(&format!("version {version}")), "{says}");
        }
        let old = super::encode(&("user", "ada", "7"));
        let error = decode_user_id(&old).expect_err("an old id");
        assert!(error.message().contains("version 1"), "{}", error.message());
    }

    #[test]
    fn an_id_of_a_person_is_no_id_of_a_user_and_holds_the_folded_email() {
        let person = encode_person_id(&Email::parse(" Ann@X.test ").expect("an email"));
        assert_eq!(
            person,
            encode_person_id(&Email::parse("ann@x.test").expect("an email"))
        );
        let email = decode_person_id(&person).expect("the email");
        assert_eq!(email.folded(), "ann@x.test");
        assert!(decode_user_id(&person).is_err());
        assert!(decode_person_id(&encode_user_id(Account::default_for(ADA), "7")).is_err());
        for odd in [
            super::encode(&(3, "person")),
            super::encode(&(3, "person", "no address")),
            super::encode(&(3, "person", "a@x.test", "b@x.test")),
            super::encode(&(3, "person", 7)),
            super::encode(&(3, "other", "a@x.test")),
            super::encode(&(3, 7, "a@x.test")),
        ] {
            assert!(GlobalId::parse(&odd).is_err(), "{odd}");
        }
    }

    fn filter(segment: &str) -> Filter {
        Filter {
            segment_id: Some(segment.to_owned()),
            ..Filter::default()
        }
    }

    proptest! {
        #[test]
        fn a_cursor_comes_back_as_the_position_it_was_made_of(position in position()) {
            let text = encode_position(Account::default_for(ADA), &Filter::default(), &position);
            prop_assert_eq!(decode_position(Account::default_for(ADA), &Filter::default(), "after", &text).ok(), Some(position));
        }

        #[test]
        fn a_cursor_of_another_account_or_filter_is_refused(position in position()) {
            let text = encode_position(Account::default_for(ADA), &filter("a"), &position);
            assert!(decode_position(Account::new(ADA, "ada-eu"), &filter("a"), "after", &text).is_err());
            assert!(decode_position(Account::default_for(ADA), &filter("b"), "after", &text).is_err());
        }

        #[test]
        fn a_damaged_cursor_is_an_error_and_never_a_panic(text in ".{0,80}") {
            assert!(decode_position(Account::default_for(ADA), &Filter::default(), "after", &text).is_err());
        }

        #[test]
        fn a_damaged_id_is_an_error_and_never_a_panic(text in ".{0,80}") {
            assert!(GlobalId::parse(&text).is_err());
        }

        #[test]
        fn an_id_comes_back_as_the_user_it_was_made_of(id in "\\PC{1,60}") {
            let account = Account::new(ADA, "ada-eu");
            prop_assert_eq!(decode_user_id(&encode_user_id(account, &id)).ok(), Some(("ada-eu".to_owned(), id)));
        }
    }
}
