//! Pagination: how providers cut a list into pages, in four words, and how a page is requested so
//! that one call holds what is wanted. A connector *declares* its [`Listing`]; nothing else knows
//! its paging. What is paged is any [`Row`].
//!
//! | word | request | a position after a row is |
//! |---|---|---|
//! | [`Paging::Page`] | `page=N&per_page=S` | the ordinal of the next row, and the keys of two rows |
//! | [`Paging::Offset`] | `offset=N&limit=S`, from 0 or 1 | the ordinal of the next row, and the keys of two rows |
//! | [`Paging::Key`] | `cursor=KEY&limit=S` | the key of the row, and of the one before |
//! | [`Paging::Token`] | `cursor=TOKEN&limit=S` | the token of its page, the rows to skip, and two keys |
//!
//! Three pure functions carry everything: [`Listing::request`] turns a position into a request,
//! [`PageRequest::after`] gives the position after a row, [`PageRequest::next`] the position after
//! a page. [`reader`] joins pages with them and checks that no row was missed between two of them.
//!
//! # Rows that shift
//! Page numbers and offsets count rows, and rows come and go while a list is read. So pages overlap
//! by one row. Rows that stay keep their order, so a page with a row that was read before continues
//! the rows read so far. If a page has no such row, the reader searches forwards and backwards,
//! within [`reader::SEARCHES`] more calls; if it finds none, the result is marked incomplete.
//!
//! No client can detect an unread row that moves in front of a row that was read, or over which
//! such a row moves. It may be missed.

pub mod incomplete;
pub mod position;
pub mod reader;
mod request;
mod row;
pub mod scan;
pub mod unreadable;
pub mod window;

#[cfg(test)]
mod tests;

pub use incomplete::IncompleteReason;
pub use position::{Anchor, Position, RowCount};
pub use row::Row;
pub use scan::{Scan, ScanLimits, Truncation, scan};
pub use unreadable::UnreadableRows;
pub use window::{Accept, ListRange, Window, WindowRow, window};

use std::{cmp::Reverse, fmt};

use tokio::time::Instant;

use crate::error::{Error, Result};

/// The words in which a provider addresses pages.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Paging {
    /// Numbered pages; the first has the number `first`.
    Page {
        /// The number of the first page.
        first: u64,
    },
    /// The number of the first row of the page; the first row of the list has the number `first`.
    Offset {
        /// The number of the first row: 0 in most APIs, 1 in SCIM.
        first: u64,
    },
    /// The key of a row: the page starts with this row or after it; both work.
    Key,
    /// A token that the provider issues at the end of a page; the next page starts there.
    Token,
}

/// How a provider pages a list.
#[derive(Clone, Copy, Debug)]
pub struct Listing {
    /// How pages are addressed.
    pub paging: Paging,
    /// The query parameter that takes the page number, offset, key or token.
    pub at: &'static str,
    /// The query parameter that takes the page size.
    pub size: &'static str,
    /// The smallest page size.
    pub min: u32,
    /// The largest page size.
    pub max: u32,
    /// The number of rows that the provider pages through at most, if it sets a bound.
    pub max_rows: Option<u64>,
    /// Whether the provider reports the total.
    pub is_counted: bool,
}

/// What a provider says about the rest of the list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum NextPage {
    /// Whether there is more.
    More(bool),
    /// The key that the provider names for the next page, if there is one.
    Key(Option<String>),
    /// The token of the next page, if there is one.
    Token {
        /// The token; `None` at the end.
        next: Option<String>,
        /// How many rows the whole list has, where the provider says so.
        total: Option<u64>,
    },
    /// How many rows the whole list has.
    Total(u64),
    /// How many rows the whole list has, and whether a next page is named; either may be wrong.
    Counted {
        /// The number of rows.
        total: u64,
        /// Whether a next page is named.
        more: bool,
    },
    /// Nothing: a full page may or may not be the last.
    Silent,
}

impl NextPage {
    /// How many rows the whole list has, where the provider says so.
    #[must_use]
    pub fn total(&self) -> Option<u64> {
        match self {
            Self::Total(total) | Self::Counted { total, .. } => Some(*total),
            Self::Token { total, .. } => *total,
            Self::More(_) | Self::Key(_) | Self::Silent => None,
        }
    }
}

/// One page, unfiltered, as the provider sent it.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The rows in the provider's order.
    pub rows: Vec<T>,
    /// What the provider said about the rest.
    pub next: NextPage,
    /// How many rows the provider sent, unreadable ones included.
    pub sent: usize,
    /// When the page was read, if it came from a cache.
    pub cached_at: Option<Instant>,
    /// The page size that the provider reports: it may be smaller than requested.
    pub size: Option<u32>,
    /// Whether its token is in fact a page number, so that rows shift between pages.
    pub is_numbered: bool,
    /// Why rows may be missing, where the page contradicts itself.
    pub incomplete: Option<IncompleteReason>,
}

impl<T: Row> Page<T> {
    /// A page that was read just now and sent complete.
    #[must_use]
    pub fn new(rows: Vec<T>, next: NextPage) -> Self {
        let sent = rows.len();
        Self {
            rows,
            next,
            sent,
            cached_at: None,
            size: None,
            is_numbered: false,
            incomplete: None,
        }
    }

    /// Sets how many rows the provider sent.
    #[must_use]
    pub fn with_sent(self, sent: usize) -> Self {
        Self { sent, ..self }
    }

    /// Sets when the page was read, if it came from a cache.
    #[must_use]
    pub fn cached_at(self, cached_at: Option<Instant>) -> Self {
        Self { cached_at, ..self }
    }

    /// Whether none of its rows can be read.
    fn is_unreadable(&self) -> bool {
        self.rows.iter().all(Row::is_unreadable)
    }

    /// Checks that the name of the next page fits into a cursor.
    fn checked(self) -> Result<Self> {
        let token = match &self.next {
            NextPage::Key(token) | NextPage::Token { next: token, .. } => token.as_deref(),
            NextPage::More(_)
            | NextPage::Total(_)
            | NextPage::Counted { .. }
            | NextPage::Silent => None,
        };
        if token.is_none_or(position::is_sound) {
            return Ok(self);
        }
        let longest = position::MAX_TOKEN_CHARS;
        Err(Error::malformed(format!(
            "the provider names its next page by a token that is longer than {longest} characters, or \
             holds control characters"
        )))
    }

    /// The position after the page that the provider names by key: unlike that of
    /// [`PageRequest::next`], its page repeats no row.
    fn named_position(&self) -> Option<Position> {
        match &self.next {
            NextPage::Key(key) => key.clone().map(Position::At),
            NextPage::More(_)
            | NextPage::Token { .. }
            | NextPage::Total(_)
            | NextPage::Counted { .. }
            | NextPage::Silent => None,
        }
    }
}

/// The address of a page in the provider's own words.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PageAddress {
    /// A page number.
    Page(u64),
    /// The number of the first row, as the provider counts.
    Offset(u64),
    /// A row's key; `None` is the start.
    Key(Option<String>),
    /// A token; `None` is the start.
    Token(Option<String>),
}

impl fmt::Display for PageAddress {
    /// Shows clients no key and no token.
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

/// A request for one page: its address, its size, and which of its rows are not wanted.
#[derive(Clone, Debug)]
pub struct PageRequest {
    listing: Listing,
    /// The page's address.
    pub address: PageAddress,
    /// The page's size.
    pub size: u32,
    /// A page that was read before this moment is not accepted.
    pub since: Option<Instant>,
    /// The number of rows before the page, where rows are counted.
    ordinal: u64,
    /// The number of rows of the page before the position, if no row has shifted.
    skip: u32,
    /// The rows before the position.
    anchor: Option<Anchor>,
    /// Whether the page should hold the row before the position.
    overlaps: bool,
}

impl Listing {
    /// Whether rows can be counted, so that a list can be read backwards and in parallel.
    #[must_use]
    pub fn is_ordinal(&self) -> bool {
        match self.paging {
            Paging::Page { .. } | Paging::Offset { .. } => true,
            Paging::Key | Paging::Token => false,
        }
    }

    /// The request that resumes at a position and holds as many as possible of the `want` rows
    /// after it.
    ///
    /// # Errors
    /// `Invalid` when the position is of another paging.
    pub fn request(&self, position: &Position, want: u32) -> Result<PageRequest> {
        match (self.paging, position) {
            (
                Paging::Page { .. } | Paging::Offset { .. },
                Position::Start | Position::Nth(_) | Position::Row(..),
            ) => {
                let from = position.ordinal();
                let overlapping = (from > 0 && !matches!(position, Position::Nth(_)))
                    .then(|| self.overlapping(from, want))
                    .flatten();
                let request = overlapping.unwrap_or_else(|| self.counted(from, want));
                Ok(request.anchored(position.anchor()))
            }
            (Paging::Key, Position::Start) => Ok(self.at(PageAddress::Key(None), want)),
            // One more: the provider may start the page with the named row itself.
            (Paging::Key, Position::Key(anchor)) => {
                let key = anchor.row().to_owned();
                let request = self.at(PageAddress::Key(Some(key)), want.saturating_add(1));
                Ok(request.anchored(Some(anchor)))
            }
            (Paging::Key, Position::At(key)) => {
                Ok(self.at(PageAddress::Key(Some(key.clone())), want))
            }
            (Paging::Token, Position::Start) => Ok(self.at(PageAddress::Token(None), want)),
            (Paging::Token, Position::Token { .. }) => Ok(self.after_token(position, want)),
            (
                Paging::Page { .. } | Paging::Offset { .. },
                Position::Key(_) | Position::At(_) | Position::Token { .. },
            )
            | (Paging::Key, Position::Nth(_) | Position::Row(..) | Position::Token { .. })
            | (
                Paging::Token,
                Position::Nth(_) | Position::Row(..) | Position::Key(_) | Position::At(_),
            ) => Err(Error::invalid("the cursor does not belong to this list")),
        }
    }

    /// The request that resumes at the position of a token.
    fn after_token(&self, position: &Position, want: u32) -> PageRequest {
        let Position::Token {
            token, skip, next, ..
        } = position
        else {
            return self.at(PageAddress::Token(None), want);
        };
        if let Some(next) = next {
            let request = self.at(PageAddress::Token(Some(next.clone())), want);
            return request.anchored(position.anchor());
        }
        let skip = u32::from(*skip);
        let request = self.at(PageAddress::Token(token.clone()), skip.saturating_add(want));
        let request = request.anchored(position.anchor());
        let overlaps = request.anchor.is_some();
        PageRequest {
            skip,
            overlaps,
            ..request
        }
    }

    /// A request for the page at an address, of a size that the provider accepts.
    fn at(&self, address: PageAddress, want: u32) -> PageRequest {
        let size = want.clamp(self.min, self.max);
        PageRequest {
            listing: *self,
            address,
            size,
            since: None,
            ordinal: 0,
            skip: 0,
            anchor: None,
            overlaps: false,
        }
    }

    /// The page that starts with the row `from`, or holds it, where rows are counted.
    fn counted(&self, from: u64, want: u32) -> PageRequest {
        match self.paging {
            Paging::Page { first } => self.numbered(first, from, want),
            Paging::Offset { first } => {
                let left = self.max_rows.map(|max_rows| max_rows.saturating_sub(from));
                let left = left.and_then(|left| u32::try_from(left).ok());
                let want = want.min(left.unwrap_or(want));
                let request = self.at(PageAddress::Offset(first.saturating_add(from)), want);
                PageRequest {
                    ordinal: from,
                    ..request
                }
            }
            // Rows have no ordinals: the list is read from its start.
            Paging::Key => self.at(PageAddress::Key(None), want),
            Paging::Token => self.at(PageAddress::Token(None), want),
        }
    }

    /// The page that holds the row before `from` and as many as possible of the rows from there on;
    /// `None` where no page holds both.
    fn overlapping(&self, from: u64, want: u32) -> Option<PageRequest> {
        let before = from.checked_sub(1)?;
        let request = self.counted(before, want.saturating_add(1));
        (request.end() > from).then(|| PageRequest {
            // Less than a page, so it fits.
            skip: u32::try_from(from - request.ordinal).unwrap_or(request.size),
            overlaps: true,
            ..request
        })
    }

    /// The numbered page that holds the row `from` and as many as possible of the rows after it.
    fn numbered(&self, first: u64, from: u64, want: u32) -> PageRequest {
        let size = self.covering(from, want).unwrap_or(self.max);
        let page = from / u64::from(size);
        let ordinal = page * u64::from(size);
        // Less than a page, so it fits.
        let skip = u32::try_from(from - ordinal).unwrap_or(size);
        let request = self.at(PageAddress::Page(first.saturating_add(page)), size);
        PageRequest {
            ordinal,
            skip,
            ..request
        }
    }

    /// The size of the numbered page that holds the row `from` and as many as possible of the
    /// `want` rows from there on; among equals the smallest. This makes the fewest pages. A page
    /// must end within `max_rows`; `None` when none does.
    fn covering(&self, from: u64, want: u32) -> Option<u32> {
        let end_of = |size: u32| {
            let size = u64::from(size);
            (from / size).saturating_add(1).saturating_mul(size)
        };
        let end = from.saturating_add(u64::from(want.max(1)));
        (self.min..=self.max)
            .filter(|&size| {
                self.max_rows
                    .is_none_or(|max_rows| end_of(size) <= max_rows)
            })
            .min_by_key(|&size| (Reverse(end_of(size).min(end)), size))
    }

    /// Whether the provider refuses every page that could hold the row after a position.
    fn is_beyond_max_rows(&self, position: &Position) -> bool {
        let from = position.ordinal();
        self.max_rows.is_some_and(|max_rows| match self.paging {
            Paging::Page { .. } => self.covering(from, 1).is_none(),
            Paging::Offset { .. } => from.saturating_add(u64::from(self.min)) > max_rows,
            Paging::Key | Paging::Token => false,
        })
    }
}

impl Listing {
    /// Whether a page can hold a row that was read and one that was not.
    fn can_overlap(&self) -> bool {
        match self.paging {
            Paging::Page { .. } => self.min < self.max,
            Paging::Offset { .. } | Paging::Key | Paging::Token => self.max > 1,
        }
    }
}
