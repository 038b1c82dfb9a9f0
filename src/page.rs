//! Pagination: how vendors cut a list into pages, in four words, and how a page is asked for so that
//! one call holds what is wanted. A vendor *declares* its [`Listing`]; nothing else knows its paging.
//!
//! | word | request | a mark after a row is |
//! |---|---|---|
//! | [`Paging::Page`] | `page=N&per_page=S` | the ordinal of the next row |
//! | [`Paging::Offset`] | `offset=N&limit=S` | the ordinal of the next row |
//! | [`Paging::Key`] | `cursor=KEY&limit=S` | the key of the row |
//! | [`Paging::Token`] | `cursor=TOKEN&limit=S` | the token of its page and the rows to skip |
//!
//! Three pure functions carry everything: [`Listing::ask`] turns a mark into a request,
//! [`Ask::after`] gives the mark after a row, [`Ask::next`] the mark after a page.

pub mod mark;
pub mod walk;
pub mod window;

#[cfg(test)]
mod tests;

pub use mark::Mark;
pub use walk::{Cut, Limits, Walk, walk};
pub use window::{Row, Span, Window, window};

use std::{cmp::Reverse, fmt};

use crate::{
    error::{Error, Result},
    user::User,
};

/// The words in which a vendor addresses pages.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Paging {
    /// Numbered pages; the first has the number `first`.
    Page {
        /// The number of the first page.
        first: u64,
    },
    /// The ordinal of the first row.
    Offset,
    /// The key of a row: the page starts with it or after it, both readings work.
    Key,
    /// A token that the vendor mints at the end of a page; the page starts after it.
    Token,
}

/// How a vendor lists its users.
#[derive(Clone, Copy, Debug)]
pub struct Listing {
    /// The word in which pages are addressed.
    pub paging: Paging,
    /// The query parameter that takes the page number, offset, key or token.
    pub at: &'static str,
    /// The query parameter that takes the page size.
    pub size: &'static str,
    /// The smallest page size.
    pub min: u32,
    /// The largest page size.
    pub max: u32,
    /// How many rows the vendor pages through at most, where it sets a bound.
    pub reach: Option<u64>,
    /// Whether the vendor says how many rows the list has.
    pub is_counted: bool,
}

/// What a vendor says about the rest of the list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Next {
    /// Whether there is more.
    More(bool),
    /// The key that the vendor names for the next page, if there is one.
    Key(Option<String>),
    /// The token of the next page, if there is one.
    Token {
        /// The token; `None` at the end.
        next: Option<String>,
        /// How many rows the whole list has, where the vendor says so.
        total: Option<u64>,
    },
    /// How many rows the whole list has.
    Total(u64),
    /// Nothing: a full page may or may not be the last.
    Silent,
}

impl Next {
    /// How many rows the whole list has, where the vendor says so.
    #[must_use]
    pub fn total(&self) -> Option<u64> {
        match self {
            Self::Total(total) => Some(*total),
            Self::Token { total, .. } => *total,
            Self::More(_) | Self::Key(_) | Self::Silent => None,
        }
    }
}

/// One page, unfiltered, as the vendor sent it.
#[derive(Clone, Debug)]
pub struct Page {
    /// The rows in the vendor's order.
    pub users: Vec<User>,
    /// What the vendor said about the rest.
    pub next: Next,
}

impl Page {
    /// The page, if its end can be named in a cursor that will be taken back.
    fn checked(self) -> Result<Self> {
        let token = match &self.next {
            Next::Key(token) | Next::Token { next: token, .. } => token.as_deref(),
            Next::More(_) | Next::Total(_) | Next::Silent => None,
        };
        if token.is_none_or(mark::is_sound) {
            return Ok(self);
        }
        let longest = mark::TOKEN;
        Err(Error::malformed(format!(
            "the vendor names its next page by a token that is longer than {longest} characters, or \
             holds control characters"
        )))
    }

    /// The mark after the page in the vendor's own words, for who reads every page: unlike that of
    /// [`Ask::next`] it costs no row that was read already.
    fn onward(&self) -> Option<Mark> {
        match &self.next {
            Next::Key(key) => key.clone().map(Mark::At),
            Next::More(_) | Next::Token { .. } | Next::Total(_) | Next::Silent => None,
        }
    }
}

/// The place of a page in the vendor's own words.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Place {
    /// A page number.
    Page(u64),
    /// An offset.
    Offset(u64),
    /// A row's key; `None` is the start.
    Key(Option<String>),
    /// A token; `None` is the start.
    Token(Option<String>),
}

impl fmt::Display for Place {
    /// In words fit for a client: what a vendor's key or token says is the vendor's own affair.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Page(number) => write!(f, "page {number}"),
            Self::Offset(from) => write!(f, "offset {from}"),
            Self::Key(None) | Self::Token(None) => f.write_str("start"),
            Self::Key(Some(_)) => f.write_str("after a key"),
            Self::Token(Some(_)) => f.write_str("at a token"),
        }
    }
}

/// A request for one page: where it starts, how long it is, and which of its rows are not wanted.
#[derive(Clone, Debug)]
pub struct Ask {
    listing: Listing,
    /// The page's place.
    pub place: Place,
    /// The page's size.
    pub size: u32,
    ordinal: u64,
    skip: u32,
    row: Option<String>,
}

impl Listing {
    /// Whether rows can be counted, so that a list can be read backwards and in parallel.
    #[must_use]
    pub fn is_ordinal(&self) -> bool {
        match self.paging {
            Paging::Page { .. } | Paging::Offset => true,
            Paging::Key | Paging::Token => false,
        }
    }

    /// The request that resumes at a mark and holds as much as can be of the `want` rows after it.
    ///
    /// # Errors
    /// `Invalid` when the mark is of another paging.
    pub fn ask(&self, mark: &Mark, want: u32) -> Result<Ask> {
        match (self.paging, mark) {
            (Paging::Page { first }, Mark::Start | Mark::Nth(_)) => {
                Ok(self.numbered(first, mark.ordinal(), want))
            }
            (Paging::Offset, Mark::Start | Mark::Nth(_)) => {
                let from = mark.ordinal();
                let left = self.reach.map(|reach| reach.saturating_sub(from));
                let left = left.and_then(|left| u32::try_from(left).ok());
                let want = want.min(left.unwrap_or(want));
                Ok(Ask {
                    ordinal: from,
                    ..self.at(Place::Offset(from), want)
                })
            }
            (Paging::Key, Mark::Start) => Ok(self.at(Place::Key(None), want)),
            // One more, for the vendor may begin the page with the named row itself.
            (Paging::Key, Mark::Key(key)) => {
                let ask = self.at(Place::Key(Some(key.clone())), want.saturating_add(1));
                Ok(Ask {
                    row: Some(key.clone()),
                    ..ask
                })
            }
            (Paging::Key, Mark::At(key)) => Ok(self.at(Place::Key(Some(key.clone())), want)),
            (Paging::Token, Mark::Start) => Ok(self.at(Place::Token(None), want)),
            (
                Paging::Token,
                Mark::Token {
                    next: Some(next), ..
                },
            ) => Ok(self.at(Place::Token(Some(next.clone())), want)),
            (
                Paging::Token,
                Mark::Token {
                    token,
                    skip,
                    row,
                    next: None,
                },
            ) => {
                let skip = u32::from(*skip);
                let ask = self.at(Place::Token(token.clone()), skip.saturating_add(want));
                Ok(Ask {
                    skip,
                    row: row.clone(),
                    ..ask
                })
            }
            (
                Paging::Page { .. } | Paging::Offset,
                Mark::Key(_) | Mark::At(_) | Mark::Token { .. },
            )
            | (Paging::Key, Mark::Nth(_) | Mark::Token { .. })
            | (Paging::Token, Mark::Nth(_) | Mark::Key(_) | Mark::At(_)) => {
                Err(Error::invalid("the cursor does not belong to this list"))
            }
        }
    }

    /// A request for the page at a place, of a size that the vendor takes.
    fn at(&self, place: Place, want: u32) -> Ask {
        let size = want.clamp(self.min, self.max);
        Ask {
            listing: *self,
            place,
            size,
            ordinal: 0,
            skip: 0,
            row: None,
        }
    }

    /// The numbered page that holds the row `from` and most of what follows it.
    fn numbered(&self, first: u64, from: u64, want: u32) -> Ask {
        let size = self.covering(from, want).unwrap_or(self.max);
        let page = from / u64::from(size);
        let ordinal = page * u64::from(size);
        // Less than a page, so it fits.
        let skip = u32::try_from(from - ordinal).unwrap_or(size);
        let ask = self.at(Place::Page(first.saturating_add(page)), size);
        Ask {
            ordinal,
            skip,
            ..ask
        }
    }

    /// The size of the numbered page that holds the row `from` and the most of the `want` rows from
    /// there on; among equals the smallest. Page by page this makes the fewest pages. A page that
    /// would end behind the vendor's reach is no candidate; `None` when every page does.
    fn covering(&self, from: u64, want: u32) -> Option<u32> {
        let behind = |size: u32| {
            let size = u64::from(size);
            (from / size).saturating_add(1).saturating_mul(size)
        };
        let end = from.saturating_add(u64::from(want.max(1)));
        (self.min..=self.max)
            .filter(|&size| self.reach.is_none_or(|reach| behind(size) <= reach))
            .min_by_key(|&size| (Reverse(behind(size).min(end)), size))
    }

    /// Whether the vendor refuses every page that could hold the row after a mark.
    fn is_beyond_reach(&self, mark: &Mark) -> bool {
        let from = mark.ordinal();
        self.reach.is_some_and(|reach| match self.paging {
            Paging::Page { .. } => self.covering(from, 1).is_none(),
            Paging::Offset => from.saturating_add(u64::from(self.min)) > reach,
            Paging::Key | Paging::Token => false,
        })
    }
}

impl Ask {
    /// The request's query parameters.
    #[must_use]
    pub fn params(&self) -> Vec<(&'static str, String)> {
        let at = match &self.place {
            Place::Page(number) | Place::Offset(number) => Some(number.to_string()),
            Place::Key(key) | Place::Token(key) => key.clone(),
        };
        let at = at.map(|at| (self.listing.at, at));
        at.into_iter()
            .chain([(self.listing.size, self.size.to_string())])
            .collect()
    }

    /// The rows of the page that the mark did not have yet, each with its place in the page.
    pub fn rows<'a>(&'a self, page: &'a Page) -> impl Iterator<Item = (usize, &'a User)> {
        // The row that a key names may come back, or not.
        let named = match self.place {
            Place::Key(_) => self.row.as_deref(),
            Place::Page(_) | Place::Offset(_) | Place::Token(_) => None,
        };
        let rows = page.users.iter().enumerate().skip(self.behind(page));
        rows.filter(move |(_, user)| !user.is_unreadable && named != Some(user.vendor_id.as_str()))
    }

    /// How many rows of the page are before the mark: those up to the row that it names. When that
    /// row has vanished, there is one fewer than there were.
    fn behind(&self, page: &Page) -> usize {
        let skip = self.skip as usize;
        let (Place::Token(_), Some(row)) = (&self.place, &self.row) else {
            return skip;
        };
        let place = page.users.iter().position(|user| user.vendor_id == *row);
        place.map_or(skip.saturating_sub(1), |place| place + 1)
    }

    /// The mark after the row at a place of the page.
    #[must_use]
    pub fn after(&self, page: &Page, row: usize) -> Mark {
        match &self.place {
            Place::Page(_) | Place::Offset(_) => {
                let is_last = row + 1 == page.users.len();
                match self.next(page) {
                    Some((next, _)) if is_last => next,
                    _ => Mark::Nth(self.ordinal.saturating_add(row as u64 + 1)),
                }
            }
            Place::Key(_) => page
                .users
                .get(row)
                .map_or(Mark::Start, |user| Mark::Key(user.vendor_id.clone())),
            Place::Token(token) => {
                let next = match &page.next {
                    Next::Token { next, .. } if row + 1 == page.users.len() => next.clone(),
                    _ => None,
                };
                let skip = u16::try_from(row + 1).unwrap_or(u16::MAX);
                let row = page.users.get(row).map(|user| user.vendor_id.clone());
                Mark::Token {
                    token: token.clone(),
                    skip,
                    row,
                    next,
                }
            }
        }
    }

    /// The mark after the page and whether the vendor vouches for rows behind it; `None` at the end.
    #[must_use]
    pub fn next(&self, page: &Page) -> Option<(Mark, bool)> {
        let rows = page.users.len() as u64;
        let behind = self.ordinal.saturating_add(rows);
        let (more, vouched) = match &page.next {
            Next::More(more) => (*more, true),
            Next::Key(key) => (key.is_some(), true),
            Next::Token { next, .. } => (next.is_some(), true),
            Next::Total(total) if self.listing.is_ordinal() => (behind < *total, true),
            // A number of rows says nothing where nobody knows how many rows are behind the mark.
            Next::Total(_) | Next::Silent => (rows >= u64::from(self.size), false),
        };
        if !more || (rows == 0 && !matches!(self.place, Place::Token(_))) {
            return None;
        }
        let mark = match &self.place {
            // A numbered page may have holes; the next one starts where it ends.
            Place::Page(_) => Mark::Nth(self.end()),
            Place::Offset(_) => Mark::Nth(behind),
            Place::Key(_) => Mark::Key(page.users.last()?.vendor_id.clone()),
            Place::Token(token) => {
                let skip = u16::try_from(rows).unwrap_or(u16::MAX);
                let Next::Token { next, .. } = &page.next else {
                    return None;
                };
                let row = page.users.last().map(|user| user.vendor_id.clone());
                Mark::Token {
                    token: token.clone(),
                    skip,
                    row,
                    next: next.clone(),
                }
            }
        };
        Some((mark, vouched))
    }

    /// The ordinal behind the page, for pagings that count rows.
    fn end(&self) -> u64 {
        self.ordinal.saturating_add(u64::from(self.size))
    }
}
