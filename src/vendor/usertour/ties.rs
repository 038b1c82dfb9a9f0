//! Pages that end between two moments.
//!
//! Version 1 sorts by `createdAt` and nothing else, so users of one moment come in another order with
//! each request. A page border inside such a group loses some of them and repeats others. Here a page
//! ends before the group that its end cuts, the group is read whole with the next page, and users of
//! one moment get an order of our own: by a digest of their ids.
//!
//! The provider names no place but the end of a page. A place before that end costs one more call,
//! which reads the page again up to there, and only where users share a moment: a list without ties is
//! read with as few calls as there are pages.
//!
//! What cannot be seen: one user at a page's end whose only neighbours of the same moment come behind
//! it in this answer and before it in the next, on pages that show no other tie.

mod start;

use std::collections::HashSet;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

pub(super) use start::Start;

use self::start::{Back, Floor};
use crate::{
    error::{Error, Result},
    page::{Next, Page},
    user::User,
};

/// The largest page.
const MAX: u32 = 100;

/// How often a place is looked for while the list changes.
const TRIES: usize = 4;

/// Said of a list in which more users share a moment than a page holds.
const NOTICE: &str = "more than 100 users were made at the same moment, and Usertour lists those in no fixed order: \
     some of them may be missing, or come twice over several pages";

/// Said of a page with users of one moment and one whose moment is not known.
const TIMELESS: &str = "the time at which a user was made cannot be read, and others were made at the same moment: some of \
     them may be missing, or come twice over several pages";

/// A page, and why users may be missing from it, if they may.
pub(super) struct Read {
    pub(super) page: Page,
    pub(super) shortfall: Option<&'static str>,
}

/// Reads pages of one list. `fetch` asks the provider for what follows its cursor.
pub(super) struct Reader<F> {
    pub(super) is_descending: bool,
    /// How many users a page is to have at most.
    pub(super) want: u32,
    pub(super) fetch: F,
}

impl<F, R> Reader<F>
where
    F: Fn(Option<String>, u32) -> R,
    R: Future<Output = Result<Page>>,
{
    /// The page that starts there.
    ///
    /// # Errors
    /// What `fetch` answers.
    pub(super) async fn read(&self, start: Start) -> Result<Read> {
        let Start {
            cursor,
            back,
            floor,
        } = start;
        let Some(back) = back else {
            // Who was given a part of a moment is told the rest from the same page.
            let size = if floor.is_some() { MAX } else { self.want };
            let page = self.fetch(cursor.clone(), size).await?;
            return self.settle(cursor, page, size, floor).await;
        };
        if cursor.is_some() {
            let page = self.fetch(cursor.clone(), self.want).await?;
            let first = page.users.first().and_then(moment);
            let is_same = first.is_some() && first == floor.as_ref().map(|floor| floor.moment);
            if !is_same && !has_ties(&page.users) {
                return self.settle(cursor, page, self.want, None).await;
            }
        }
        self.resume(back, floor, cursor.is_some()).await
    }

    /// The page behind the end of another, which is read again for its name. Its moment is either given
    /// whole, or in doubt and to be read whole.
    async fn resume(&self, back: Back, floor: Option<Floor>, is_doubtful: bool) -> Result<Read> {
        let bound = floor.as_ref().map(|floor| (floor.moment, is_doubtful));
        match self.name(back, bound).await? {
            Some(cursor) => {
                let page = self.fetch(cursor.clone(), MAX).await?;
                self.settle(cursor, page, MAX, floor).await
            }
            None => Ok(whole(Vec::new())),
        }
    }

    /// The provider's cursor at the end of a page that is read again: of its last user whose moment is
    /// within the bound. `None` when the list ends there.
    async fn name(
        &self,
        Back(from, mut rows): Back,
        bound: Option<(i64, bool)>,
    ) -> Result<Option<Option<String>>> {
        for _ in 0..TRIES {
            if rows == 0 {
                return Ok(Some(from));
            }
            let page = self.fetch(from.clone(), rows).await?;
            let fit = page.users.iter().take_while(|user| {
                bound.is_none_or(|(bound, is_before)| self.is_within(user, bound, is_before))
            });
            let fit = u32::try_from(fit.count()).unwrap_or(MAX);
            if fit as usize == page.users.len() {
                return Ok(next_of(&page).map(Some));
            }
            // Somebody was deleted: what was the end has moved forward.
            rows = fit;
        }
        Err(Error::malformed(
            "the list changes faster than it can be read",
        ))
    }

    fn is_within(&self, user: &User, bound: i64, is_before: bool) -> bool {
        moment(user).is_none_or(|moment| {
            (moment == bound && !is_before)
                || (moment != bound && (moment < bound) != self.is_descending)
        })
    }

    /// Makes a page that ends between two moments, or within one that is known whole, of what was
    /// answered for a cursor.
    async fn settle(
        &self,
        mut cursor: Option<String>,
        mut page: Page,
        mut size: u32,
        floor: Option<Floor>,
    ) -> Result<Read> {
        for _ in 0..TRIES {
            let Some(next) = next_of(&page) else {
                return Ok(self.last(cursor, page.users, floor.as_ref()));
            };
            if !self.is_by_moment(&page.users) {
                return Ok(on(page.users, &Start::at(&next)));
            }
            if !has_ties(&page.users) {
                return Ok(self.plain(cursor, page.users, &next, floor.as_ref()));
            }
            if has_timeless(&page.users) {
                return Ok(self.unclear(TIMELESS, page.users, &next, floor.as_ref()));
            }
            if size < MAX {
                size = MAX;
                page = self.fetch(cursor.clone(), size).await?;
                continue;
            }
            let mut rows = page.users;
            let whole = rows.len() - last_of_moment(&rows);
            if whole == 0 {
                return Ok(self.unclear(NOTICE, rows, &next, floor.as_ref()));
            }
            rows.truncate(whole);
            let bound = rows.last().and_then(moment).map(|moment| (moment, false));
            let end = Back(cursor.clone(), bounded(whole));
            let given = self.given(rows, floor.as_ref());
            if !given.is_empty() {
                return Ok(self.cut(given, cursor, Some(end), floor.as_ref()));
            }
            match self.name(end, bound).await? {
                Some(named) => cursor = named,
                None => return Ok(self::whole(Vec::new())),
            }
            page = self.fetch(cursor.clone(), MAX).await?;
        }
        Err(Error::malformed(
            "the list changes faster than it can be read",
        ))
    }

    /// A page on which no two users share a moment.
    fn plain(
        &self,
        cursor: Option<String>,
        rows: Vec<User>,
        next: &str,
        floor: Option<&Floor>,
    ) -> Read {
        let start = in_doubt(&rows, next, cursor.clone());
        let given = self.given(rows, floor);
        if self.is_to_be_cut(&given) {
            return self.cut(given, cursor, None, floor);
        }
        on(given, &start)
    }

    /// A page on which nobody knows where a moment ends: its users are read as they come.
    fn unclear(
        &self,
        why: &'static str,
        rows: Vec<User>,
        next: &str,
        floor: Option<&Floor>,
    ) -> Read {
        let rows = rows.into_iter();
        let given =
            rows.filter(|user| floor.is_none_or(|floor| !floor.holds(user, self.is_descending)));
        Read {
            shortfall: Some(why),
            ..on(given.collect(), &Start::at(next))
        }
    }

    /// The last page: behind it there is nobody.
    fn last(&self, cursor: Option<String>, rows: Vec<User>, floor: Option<&Floor>) -> Read {
        if !self.is_by_moment(&rows) {
            return whole(rows);
        }
        let given = self.given(rows, floor);
        if self.is_to_be_cut(&given) {
            return self.cut(given, cursor, None, floor);
        }
        whole(given)
    }

    /// Whether there are more users than a page is to have. Behind one whose moment is not known no page
    /// can be cut.
    fn is_to_be_cut(&self, given: &[User]) -> bool {
        given.len() > self.want as usize && !has_timeless(given)
    }

    /// The first users of those that are known, and the place behind them: the end of the page where they
    /// are all of it, else the same page again.
    fn cut(
        &self,
        mut given: Vec<User>,
        cursor: Option<String>,
        end: Option<Back>,
        floor: Option<&Floor>,
    ) -> Read {
        let is_all = given.len() <= self.want as usize;
        given.truncate(self.want as usize);
        let floor = Floor::under(&given, floor);
        let start = match end.filter(|_| is_all) {
            Some(end) => Start {
                cursor: None,
                back: Some(end),
                floor,
            },
            None => Start {
                cursor,
                back: None,
                floor,
            },
        };
        on(given, &start)
    }

    /// The users that were not given yet, those of one moment in our order.
    fn given(&self, mut rows: Vec<User>, floor: Option<&Floor>) -> Vec<User> {
        if has_ties(&rows) {
            // Stable, and the moments are in order already.
            for group in rows.chunk_by_mut(is_tied) {
                group.sort_by_cached_key(digest);
            }
        }
        if let Some(floor) = floor {
            rows.retain(|user| !floor.holds(user, self.is_descending));
        }
        rows
    }

    /// Whether users come by their moments, as the provider says that they do.
    fn is_by_moment(&self, rows: &[User]) -> bool {
        let moments: Vec<i64> = rows.iter().filter_map(moment).collect();
        let is_sorted =
            moments.is_sorted_by(|one, other| one == other || (one < other) != self.is_descending);
        !moments.is_empty() && is_sorted
    }

    async fn fetch(&self, cursor: Option<String>, size: u32) -> Result<Page> {
        (self.fetch)(cursor, size).await
    }
}

/// The place behind a page without ties: the provider's own, in doubt until the next page begins with
/// another moment.
fn in_doubt(rows: &[User], next: &str, cursor: Option<String>) -> Start {
    let floor = rows.last().and_then(|last| {
        Some(Floor {
            moment: moment(last)?,
            upto: None,
            also: Some(digest(last)),
        })
    });
    let before = bounded(rows.len().saturating_sub(1));
    let start = Start {
        back: Some(Back(cursor, before)),
        cursor: Some(next.to_owned()),
        floor,
    };
    // Both cursors travel in one token: two long ones would not come back.
    if start.token().len() > LONGEST {
        return Start::at(next);
    }
    start
}

/// How many rows are read again of a page: one that is longer than was asked for cannot be read whole.
fn bounded(rows: usize) -> u32 {
    u32::try_from(rows).unwrap_or(MAX).min(MAX)
}

/// The longest token that is made of more than the provider's cursor, in bytes.
const LONGEST: usize = 900;

fn on(users: Vec<User>, start: &Start) -> Read {
    let next = Next::Token {
        next: Some(start.token()),
        total: None,
    };
    Read {
        page: Page::new(users, next),
        shortfall: None,
    }
}

fn whole(users: Vec<User>) -> Read {
    let next = Next::Token {
        next: None,
        total: None,
    };
    Read {
        page: Page::new(users, next),
        shortfall: None,
    }
}

fn next_of(page: &Page) -> Option<String> {
    match &page.next {
        Next::Token { next, .. } => next.clone(),
        Next::More(_) | Next::Key(_) | Next::Total(_) | Next::Counted { .. } | Next::Silent => None,
    }
}

fn moment(user: &User) -> Option<i64> {
    user.created_at.map(Timestamp::as_microsecond)
}

fn is_tied(one: &User, other: &User) -> bool {
    moment(one).is_some() && moment(one) == moment(other)
}

/// Whether two users share a moment, as far as moments are known.
fn has_ties(rows: &[User]) -> bool {
    let mut moments = rows.iter().filter_map(moment);
    let Some(mut before) = moments.next() else {
        return false;
    };
    moments.any(|moment| std::mem::replace(&mut before, moment) == moment)
}

/// Whether the moment of a user is not known.
fn has_timeless(rows: &[User]) -> bool {
    rows.iter().any(|user| moment(user).is_none())
}

/// How many users at the end share a moment.
fn last_of_moment(rows: &[User]) -> usize {
    rows.chunk_by(is_tied).next_back().map_or(0, <[User]>::len)
}

/// Tells users of one moment apart, in few letters: ids may be long.
fn digest(user: &User) -> String {
    let digest = Sha256::digest(user.vendor_id.as_bytes());
    digest[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Whether somebody on a page is not on another one, though the other one reaches as far. Users of the
/// moment at which either ends are in doubt.
pub(super) fn has_outsider(all: &Page, some: &Page, is_descending: bool) -> bool {
    let ends = [all, some].map(|page| next_of(page).and(page.users.last()).and_then(moment));
    let is_behind = |user: &&User| {
        ends.iter().flatten().all(|end| {
            moment(user).is_some_and(|moment| moment != *end && (moment < *end) != is_descending)
        })
    };
    let known: HashSet<&str> = some.users.iter().map(|user| &*user.vendor_id).collect();
    let mut rows = all.users.iter().filter(is_behind);
    rows.any(|user| !known.contains(&*user.vendor_id))
}
