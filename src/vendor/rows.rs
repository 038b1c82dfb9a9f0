//! Rows of a list become users, one by one: a row that cannot be read costs itself only, and the answer
//! says so.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    error::{Error, Result},
    http::Scope,
    user::{Provider, User},
};

/// The users of a page. A row that cannot be read is there as [`User::unreadable`], so that the places of
/// the others stay what they are, and is noted in the scope.
pub fn users(
    scope: &Scope,
    provider: Provider,
    rows: Vec<Arc<RawValue>>,
    read: impl Fn(Arc<RawValue>) -> Result<User>,
) -> Vec<User> {
    let rows = rows.into_iter().map(|row| {
        let user = read(Arc::clone(&row)).and_then(|user| match is_of_two(scope, &user) {
            false => Ok(user),
            true => Err(Error::malformed(
                "another row has the same id, as a number or as a text",
            )),
        });
        (row, user)
    });
    let rows: Vec<_> = rows.collect();
    let Some(why) = rows.iter().find_map(|(_, user)| user.as_ref().err()) else {
        return rows.into_iter().filter_map(|(_, user)| user.ok()).collect();
    };
    let unread = rows.iter().filter(|(_, user)| user.is_err()).count();
    tracing::warn!(vendor.name = provider.name(), rows = unread, %why, "rows cannot be read");
    let mut marks = Marks::after(rows.iter().find_map(|(_, user)| user.as_ref().ok()));
    let users = rows.into_iter().map(|(row, user)| match user {
        Ok(user) => {
            marks = Marks::after(Some(&user));
            user
        }
        Err(_) => {
            let mark = marks.next(&row);
            scope.note_unreadable(mark);
            User::unreadable(provider, mark, row)
        }
    });
    users.collect()
}

/// Notes the users of an answer about addresses whose own address cannot be read: each may be the one that
/// was asked for.
pub fn note_unreadable_emails(scope: &Scope, users: &[User]) {
    for user in users.iter().filter(|user| user.is_email_unreadable) {
        let mut hasher = DefaultHasher::new();
        ("email", &user.vendor_id).hash(&mut hasher);
        scope.note_unreadable(hasher.finish());
    }
}

/// Tells rows that cannot be read from others, though pages overlap or are read twice: by their text, and
/// where that says nothing (`null`) by the readable row that they are beside.
struct Marks {
    beside: String,
    number: usize,
}

/// A row of no more bytes holds nothing that tells it from others.
const BARE: usize = 8;

impl Marks {
    fn after(user: Option<&User>) -> Self {
        Self {
            beside: user.map(|user| user.vendor_id.clone()).unwrap_or_default(),
            number: 0,
        }
    }

    fn next(&mut self, row: &RawValue) -> u64 {
        self.number += 1;
        let mut hasher = DefaultHasher::new();
        row.get().hash(&mut hasher);
        if row.get().len() <= BARE {
            (&self.beside, self.number).hash(&mut hasher);
        }
        hasher.finish()
    }
}

/// Whether another row had the id of a user, and one of them has it as a number, the other as a text.
fn is_of_two(scope: &Scope, user: &User) -> bool {
    #[derive(Deserialize)]
    struct Id<'a> {
        #[serde(borrow, alias = "end_user_id")]
        id: &'a RawValue,
    }
    let is_of_number = |c: char| c.is_ascii_digit() || "+-.eE".contains(c);
    if !user.vendor_id.chars().all(is_of_number) {
        return false;
    }
    let is_text = |id: Id<'_>| id.id.get().starts_with('"');
    let is_text = serde_json::from_str(user.raw.get()).map_or(true, is_text);
    !scope.is_same_kind(&user.vendor_id, is_text)
}
