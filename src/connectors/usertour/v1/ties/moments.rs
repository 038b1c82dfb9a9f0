//! The moments of users, and what a page tells by them.

use std::collections::HashSet;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::{
    pagination::{NextPage, Page},
    user::User,
};

/// The provider's cursor at the end of a page.
pub(super) fn next_of(page: &Page<User>) -> Option<String> {
    match &page.next {
        NextPage::Token { next, .. } => next.clone(),
        NextPage::More(_)
        | NextPage::Key(_)
        | NextPage::Total(_)
        | NextPage::Counted { .. }
        | NextPage::Silent => None,
    }
}

/// When a user was made, in microseconds.
pub(super) fn moment(user: &User) -> Option<i64> {
    user.created_at.map(Timestamp::as_microsecond)
}

/// Whether two users were made at one moment.
pub(super) fn is_tied(one: &User, other: &User) -> bool {
    moment(one).is_some() && moment(one) == moment(other)
}

/// Whether two users share a moment, as far as moments are known.
pub(super) fn has_ties(rows: &[User]) -> bool {
    let mut seen = HashSet::new();
    let mut moments = rows.iter().filter_map(moment);
    moments.any(|moment| !seen.insert(moment))
}

/// How many users at the end share a moment.
pub(super) fn last_of_moment(rows: &[User]) -> usize {
    rows.chunk_by(is_tied).next_back().map_or(0, <[User]>::len)
}

/// Tells users of one moment apart, in few letters: ids may be long.
pub(super) fn digest(user: &User) -> String {
    let digest = Sha256::digest(user.remote_id.as_bytes());
    digest[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Whether somebody on a page is not on another one, though the other one reaches as far. Users of the
/// moment at which either ends are in doubt.
pub(in super::super) fn has_outsider(
    all: &Page<User>,
    some: &Page<User>,
    is_descending: bool,
) -> bool {
    let ends = [all, some].map(|page| next_of(page).and(page.rows.last()).and_then(moment));
    let is_behind = |user: &&User| {
        ends.iter().flatten().all(|end| {
            moment(user).is_some_and(|moment| moment != *end && (moment < *end) != is_descending)
        })
    };
    let known: HashSet<&str> = some.rows.iter().map(|user| &*user.remote_id).collect();
    let mut rows = all.rows.iter().filter(is_behind);
    rows.any(|user| !known.contains(&*user.remote_id))
}
