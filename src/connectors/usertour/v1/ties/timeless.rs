//! Users whose moments are not known. Each may share the moment of his neighbours, and so change places
//! with them from one request to the next.

use super::{digest, is_tied, moment};
use crate::user::User;

/// Whether the moment of a user is not known.
pub(super) fn has_timeless(rows: &[User]) -> bool {
    rows.iter().any(is_timeless)
}

fn is_timeless(user: &User) -> bool {
    moment(user).is_none()
}

/// Whether a user at the end of a page, or the one before him, has no known moment: others of the moment
/// at which the page ends may have been before it in another order.
pub(super) fn has_unsure_end(rows: &[User]) -> bool {
    rows.iter().rev().take(2).any(is_timeless)
}

/// Whether others may come before the end of some users when they are read again: the last of them has no
/// known moment, or one who has none may share his.
pub(in super::super) fn is_place_unsure(rows: &[User]) -> bool {
    let Some(last) = rows.last() else {
        return false;
    };
    let mut others = rows.iter().rev().skip_while(|user| is_tied(user, last));
    others.next().is_some_and(is_timeless)
}

/// The users, those of one moment by their digests. The moments are in order already. A user whose moment
/// is not known keeps his place, also between users of one moment.
pub(super) fn sorted(rows: Vec<User>) -> Vec<User> {
    let rows = rows.into_iter().enumerate();
    let (timeless, timed): (Vec<_>, Vec<_>) = rows.partition(|(_, user)| is_timeless(user));
    let mut rows: Vec<User> = timed.into_iter().map(|(_, user)| user).collect();
    for group in rows.chunk_by_mut(is_tied) {
        group.sort_by_cached_key(digest);
    }
    for (place, user) in timeless {
        rows.insert(place, user);
    }
    rows
}
