//! Rows of a list become users, one by one: a row that cannot be read costs itself only, and the answer
//! says so.

use std::{
    collections::HashMap,
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
    let mut repeated: HashMap<u64, u64> = HashMap::new();
    let mut why = None;
    let mut users = Vec::with_capacity(rows.len());
    for row in rows {
        let error = match read(Arc::clone(&row)) {
            Ok(user) if !is_of_two(scope, &user) => {
                users.push(user);
                continue;
            }
            Ok(_) => Error::malformed("another row has the same id, as a number or as a text"),
            Err(error) => error,
        };
        let hash = hash_of(&row);
        let nth = repeated.entry(hash).or_default();
        *nth += 1;
        let mark = hash.wrapping_add(*nth);
        scope.note_unreadable(mark);
        users.push(User::unreadable(provider, mark, row));
        why = Some(error);
    }
    if let Some(why) = why {
        tracing::warn!(
            vendor.name = provider.name(),
            rows = repeated.values().sum::<u64>(),
            %why,
            "rows cannot be read"
        );
    }
    users
}

fn hash_of(row: &RawValue) -> u64 {
    let mut hasher = DefaultHasher::new();
    row.get().hash(&mut hasher);
    hasher.finish()
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
