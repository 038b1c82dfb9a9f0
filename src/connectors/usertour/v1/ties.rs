//! Pages that end between two moments.
//!
//! Version 1 sorts by `createdAt` and nothing else, so users of one moment come in another order
//! with each request. A page border inside such a group loses some of them and repeats others. Here
//! a page ends before the group that its end cuts, the group is read whole with the next page, and
//! users of one moment get an order of our own: by a digest of their ids.
//!
//! The provider names no place but the end of a page. A place before that end costs one more call,
//! which reads the page again up to there, and only where users share a moment: a list without ties
//! is read with as few calls as there are pages.
//!
//! A moment of more users than a page holds, or one that does not fit into a page behind the rest
//! of the one before it, cannot be known whole: its users are read as far as a few pages show them,
//! in the same order, and every page with some of them says that others may be missing
//! (`group.rs`).
//!
//! A user whose moment cannot be read may share that of his neighbours: nobody is cut off or
//! resumed at beside him without saying so (`timeless.rs`).
//!
//! No [`crate::pagination::PaginationSpec`] expresses this: pagination trusts that rows that stay keep their
//! order, and here rows of one moment do not. So this reader makes pages that do, for pagination to read.
//!
//! One case cannot be seen: a user at a page's end whose only neighbours of the same moment come behind
//! it in this answer and before it in the next, on pages that show no other tie.

mod group;
mod moments;
mod start;
mod timeless;

pub(super) use moments::has_outsider;
pub(super) use start::Start;
pub(super) use timeless::is_place_unsure;

use self::{
    group::TieGroup,
    moments::{digest, has_ties, is_tied, last_of_moment, moment, next_of},
    start::{PagePrefix, Watermark},
    timeless::{has_timeless, has_unsure_end, sorted},
};
use crate::{
    error::Result,
    pagination::{NextPage, Page},
    user::User,
};

/// The largest page.
const MAX: u32 = 100;

/// How often a moment is tried to be read whole, from a place before it, and a place is looked for.
const TRIES: usize = 6;

/// The notice on a moment whose users could not all be read.
const NOTICE: &str = "more users were made at one moment, or at two in a row, than one page of 100 holds, and Usertour lists \
     those in no fixed order: some of them may be missing";

/// The notice on a page that has users of one moment, or perhaps has, and a user whose moment is
/// unknown.
pub(super) const TIMELESS: &str = "the time at which a user was made cannot be read, and others may have been made at the same \
     moment: some of them may be missing, or come twice over several pages";

/// A page, and why users may be missing from it, if they may.
pub(super) struct TiedPage {
    pub(super) page: Page<User>,
    pub(super) incomplete: Option<&'static str>,
}

/// A cursor of the provider's, and the moment before which nobody comes behind it.
type BoundedCursor = (Option<String>, Option<i64>);

/// Reads pages of one list. `fetch` asks the provider for what follows its cursor.
pub(super) struct TieReader<F> {
    pub(super) is_descending: bool,
    /// How many users a page is to have at most.
    pub(super) want: u32,
    pub(super) fetch: F,
}

impl<F, R> TieReader<F>
where
    F: Fn(Option<String>, u32) -> R,
    R: Future<Output = Result<Page<User>>>,
{
    /// The page that starts there.
    ///
    /// # Errors
    /// The future that `fetch` returns.
    pub(super) async fn read(&self, start: Start) -> Result<TiedPage> {
        let floor = start.watermark.as_ref();
        let incomplete = floor.filter(|floor| floor.may_be_incomplete);
        let why = incomplete.map(|floor| {
            if floor.has_no_members() {
                TIMELESS
            } else {
                NOTICE
            }
        });
        let read = self.read_from(start).await?;
        let incomplete = read.incomplete.or(why);
        Ok(TiedPage { incomplete, ..read })
    }

    async fn read_from(&self, start: Start) -> Result<TiedPage> {
        let Start {
            cursor,
            reread: back,
            watermark: floor,
        } = start;
        let Some(back) = back else {
            // A caller that got a part of a moment gets the rest from the same page.
            let size = if floor.is_some() { MAX } else { self.want };
            let page = self.fetch(cursor.clone(), size).await?;
            let bare = floor.as_ref().filter(|floor| floor.has_no_members());
            let lowest = bare.map(|floor| floor.moment);
            return self
                .complete_page(cursor, (page, size), floor, lowest)
                .await;
        };
        if cursor.is_some() {
            let page = self.fetch(cursor.clone(), self.want).await?;
            // One whose moment is not known may be of the same moment.
            let known = floor.as_ref().map(|floor| floor.moment);
            let first = page.rows.first();
            let is_same =
                first.is_some_and(|first| moment(first).is_none_or(|at| known == Some(at)));
            if !is_same && !has_ties(&page.rows) {
                return self
                    .complete_page(cursor, (page, self.want), None, None)
                    .await;
            }
        }
        self.resume(back, floor, cursor.is_some()).await
    }

    /// The page behind the end of another, which is read again for its name. Its moment is either
    /// given whole, or in doubt and to be read whole.
    async fn resume(
        &self,
        back: PagePrefix,
        floor: Option<Watermark>,
        is_doubtful: bool,
    ) -> Result<TiedPage> {
        let bound = floor.as_ref().map(|floor| (floor.moment, is_doubtful));
        match self.find_cursor(back, bound).await? {
            Some((cursor, lowest)) => {
                let page = self.fetch(cursor.clone(), MAX).await?;
                self.complete_page(cursor, (page, MAX), floor, lowest).await
            }
            None => Ok(last_page(Vec::new())),
        }
    }

    /// The provider's cursor at the end of a page that is read again: of its last user whose moment
    /// is within the bound, and that moment. `None` when the list ends there.
    async fn find_cursor(
        &self,
        PagePrefix(from, mut rows): PagePrefix,
        bound: Option<(i64, bool)>,
    ) -> Result<Option<BoundedCursor>> {
        for _ in 0..TRIES {
            if rows == 0 {
                break;
            }
            let page = self.fetch(from.clone(), rows).await?;
            let fit = page.rows.iter().take_while(|user| {
                bound.is_none_or(|(bound, is_before)| self.is_within(user, bound, is_before))
            });
            let fit = &page.rows[..fit.count()];
            // Behind one whose moment is not known others of the same moment may come.
            let fit = fit.iter().rposition(|user| moment(user).is_some());
            let fit = fit.map_or(0, |last| last + 1);
            if fit == page.rows.len() {
                let last = page.rows.last().and_then(moment);
                return Ok(next_of(&page).map(|next| (Some(next), last)));
            }
            // Somebody was deleted, or fewer users of the moment came at which it starts: what was
            // the end has moved forward.
            rows = bounded(fit);
        }
        // From further up everybody is read as well, those who were given once more.
        Ok(Some((from, None)))
    }

    fn is_within(&self, user: &User, bound: i64, is_before: bool) -> bool {
        moment(user).is_none_or(|moment| {
            (moment == bound && !is_before)
                || (moment != bound && (moment < bound) != self.is_descending)
        })
    }

    /// Makes a page that ends between two moments, or within one that is known whole, of what was
    /// answered for a cursor. Nobody on it comes before the lowest moment.
    async fn complete_page(
        &self,
        mut cursor: Option<String>,
        (mut page, mut size): (Page<User>, u32),
        floor: Option<Watermark>,
        mut lowest: Option<i64>,
    ) -> Result<TiedPage> {
        let mut crowd = TieGroup::default();
        for tries in 0.. {
            let Some(next) = next_of(&page) else {
                return Ok(self.final_page(cursor, page.rows, floor.as_ref(), lowest));
            };
            let is_ordered = self.is_by_moment(&page.rows, lowest);
            let is_plain = !has_ties(&page.rows);
            let is_unsure = is_ordered && has_unsure_end(&page.rows);
            if is_plain && !is_unsure && (is_ordered || floor.is_none()) {
                return Ok(self.page_without_ties(cursor, page.rows, &next, floor.as_ref()));
            }
            if is_unsure || !is_ordered || has_timeless(&page.rows) {
                return Ok(self.page_with_unknown_times(page.rows, &next, floor.as_ref(), lowest));
            }
            if size < MAX {
                size = MAX;
                page = self.fetch(cursor.clone(), size).await?;
                continue;
            }
            let mut rows = page.rows;
            let truncation = rows.split_off(rows.len() - last_of_moment(&rows));
            let whole = rows.len();
            let bound = rows.last().and_then(moment).map(|moment| (moment, false));
            let end = PagePrefix(cursor.clone(), bounded(whole));
            let given = self.not_yet_returned(rows, floor.as_ref());
            if !given.is_empty() {
                return Ok(self.truncated_page(given, cursor, Some(end), floor.as_ref()));
            }
            crowd.add(truncation);
            let is_known = floor.as_ref().is_some_and(|floor| crowd.is_doubtful(floor));
            if whole == 0 || tries >= TRIES || crowd.is_too_large() || is_known {
                return self
                    .read_large_group(crowd, cursor, next, floor.as_ref())
                    .await;
            }
            match self.find_cursor(end, bound).await? {
                Some(named) => (cursor, lowest) = named,
                None => return Ok(self::last_page(Vec::new())),
            }
            page = self.fetch(cursor.clone(), MAX).await?;
        }
        Ok(self::last_page(Vec::new()))
    }

    /// A page on which no two users share a moment.
    fn page_without_ties(
        &self,
        cursor: Option<String>,
        rows: Vec<User>,
        next: &str,
        floor: Option<&Watermark>,
    ) -> TiedPage {
        let start = tentative_start(&rows, next, cursor.clone());
        let given = self.not_yet_returned(rows, floor);
        if self.needs_truncation(&given, floor) {
            return self.truncated_page(given, cursor, None, floor);
        }
        page_with_next(given, &start)
    }

    /// A page on which nobody knows where a moment ends: its users are read as they come.
    fn page_with_unknown_times(
        &self,
        rows: Vec<User>,
        next: &str,
        floor: Option<&Watermark>,
        lowest: Option<i64>,
    ) -> TiedPage {
        let end = rows
            .iter()
            .rev()
            .find_map(moment)
            .map(Watermark::without_members);
        let start = Start {
            watermark: end,
            ..Start::behind(next)
        };
        TiedPage {
            incomplete: Some(TIMELESS),
            ..page_with_next(self.not_yet_returned_unsorted(rows, floor, lowest), &start)
        }
    }

    /// The users that were not given yet, as they come.
    fn not_yet_returned_unsorted(
        &self,
        rows: Vec<User>,
        floor: Option<&Watermark>,
        lowest: Option<i64>,
    ) -> Vec<User> {
        let is_out_of_order = |user: &User| {
            let moments = lowest.zip(moment(user));
            moments.is_some_and(|(lowest, moment)| {
                moment != lowest && (moment < lowest) != self.is_descending
            })
        };
        let is_given = |user: &User| {
            let is_under = floor.is_some_and(|floor| floor.covers(user, self.is_descending));
            is_under && !is_out_of_order(user)
        };
        rows.into_iter().filter(|user| !is_given(user)).collect()
    }

    /// The last page: behind it there is nobody.
    fn final_page(
        &self,
        cursor: Option<String>,
        rows: Vec<User>,
        floor: Option<&Watermark>,
        lowest: Option<i64>,
    ) -> TiedPage {
        if !self.is_by_moment(&rows, lowest) {
            return TiedPage {
                incomplete: floor.map(|_| TIMELESS),
                ..last_page(self.not_yet_returned_unsorted(rows, floor, lowest))
            };
        }
        let given = self.not_yet_returned(rows, floor);
        if self.needs_truncation(&given, floor) {
            return self.truncated_page(given, cursor, None, floor);
        }
        last_page(given)
    }

    /// Whether there are more users than a page is to have. Behind one whose moment is not known no
    /// page can be cut.
    fn needs_truncation(&self, given: &[User], floor: Option<&Watermark>) -> bool {
        given.len() > self.page_limit(floor) && !has_timeless(given)
    }

    /// How many users a page is to have. Where nobody knows who was given, all that there are: the
    /// first of them may all have been given, and pages that bring nobody new look like a list
    /// without an end.
    fn page_limit(&self, floor: Option<&Watermark>) -> usize {
        match floor {
            Some(floor) if floor.has_no_members() => usize::MAX,
            _ => self.want as usize,
        }
    }

    /// The first users of those that are known, and the place behind them: the end of the page
    /// where they are all of it, else the same page again.
    fn truncated_page(
        &self,
        mut given: Vec<User>,
        cursor: Option<String>,
        end: Option<PagePrefix>,
        floor: Option<&Watermark>,
    ) -> TiedPage {
        let most = self.page_limit(floor);
        let is_all = given.len() <= most;
        given.truncate(most);
        let floor = Watermark::after_rows(&given, floor);
        let start = match end.filter(|_| is_all) {
            Some(end) => Start {
                cursor: None,
                reread: Some(end),
                watermark: floor,
            },
            None => Start {
                cursor,
                reread: None,
                watermark: floor,
            },
        };
        page_with_next(given, &start)
    }

    /// The users that were not given yet, those of one moment in our order.
    fn not_yet_returned(&self, mut rows: Vec<User>, floor: Option<&Watermark>) -> Vec<User> {
        if has_ties(&rows) {
            rows = sorted(rows);
        }
        if let Some(floor) = floor {
            rows.retain(|user| !floor.covers(user, self.is_descending));
        }
        rows
    }

    /// Whether users come by their moments, as the provider says that they do, and none before the
    /// lowest.
    fn is_by_moment(&self, rows: &[User], lowest: Option<i64>) -> bool {
        let moments = lowest.into_iter().chain(rows.iter().filter_map(moment));
        let moments: Vec<i64> = moments.collect();
        moments.is_sorted_by(|one, other| one == other || (one < other) != self.is_descending)
    }

    async fn fetch(&self, cursor: Option<String>, size: u32) -> Result<Page<User>> {
        (self.fetch)(cursor, size).await
    }
}

/// The place behind a page without ties: the provider's own, in doubt until the next page begins
/// with another moment.
fn tentative_start(rows: &[User], next: &str, cursor: Option<String>) -> Start {
    // Behind it there may be users whose moments are not known.
    let last = rows.iter().rev().find(|user| moment(user).is_some());
    let floor = last.and_then(|last| {
        Some(Watermark {
            moment: moment(last)?,
            last_digest: None,
            early_digest: Some(digest(last)),
            may_be_incomplete: false,
        })
    });
    let before = bounded(rows.len().saturating_sub(1));
    let start = Start {
        reread: Some(PagePrefix(cursor, before)),
        cursor: Some(next.to_owned()),
        watermark: floor,
    };
    // Both cursors travel in one token: two long ones would not come back.
    if start.token().len() > LONGEST {
        return Start::behind(next);
    }
    start
}

/// How many rows are read again of a page: one that is longer than was asked for cannot be read
/// whole.
fn bounded(rows: usize) -> u32 {
    u32::try_from(rows).unwrap_or(MAX).min(MAX)
}

/// The longest token that is made of more than the provider's cursor, in bytes.
const LONGEST: usize = 900;

fn page_with_next(users: Vec<User>, start: &Start) -> TiedPage {
    let next = NextPage::Token {
        next: Some(start.token()),
        total: None,
    };
    TiedPage {
        page: Page::new(users, next),
        incomplete: None,
    }
}

fn last_page(users: Vec<User>) -> TiedPage {
    let next = NextPage::Token {
        next: None,
        total: None,
    };
    TiedPage {
        page: Page::new(users, next),
        incomplete: None,
    }
}
