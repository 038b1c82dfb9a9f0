//! Pagination: how providers cut a list into pages, in four words, and how a page is requested so
//! that one call holds what is wanted. A connector *declares* its [`PaginationSpec`]; nothing else knows
//! its paging. What is paged is any [`Row`].
//!
//! | word | request | a position after a row is |
//! |---|---|---|
//! | [`PaginationStrategy::Page`] | `page=N&per_page=S` | the ordinal of the next row, and the keys of two rows |
//! | [`PaginationStrategy::Offset`] | `offset=N&limit=S`, from 0 or 1 | the ordinal of the next row, and the keys of two rows |
//! | [`PaginationStrategy::Key`] | `cursor=KEY&limit=S` | the key of the row, and of the one before |
//! | [`PaginationStrategy::Token`] | `cursor=TOKEN&limit=S` | the token of its page, the rows to skip, and two keys |
//!
//! Three pure functions carry everything: [`PaginationSpec::request`] turns a position into a request,
//! [`PageRequest::position_after_row`] gives the position after a row, [`PageRequest::next_position`] the position after
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

mod address;
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

pub use address::PageAddress;
pub use incomplete::IncompleteReason;
pub use position::{Anchor, Position, RowCount};
pub use row::Row;
pub use scan::{Scan, ScanLimits, Truncation, scan};
pub use unreadable::UnreadableRows;
pub use window::{ListRange, RowFilter, Window, WindowRow, read_window};

use std::cmp::Reverse;

use tokio::time::Instant;

use crate::error::{Error, Result};

/// The words in which a provider addresses pages.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PaginationStrategy {
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
pub struct PaginationSpec {
    /// How pages are addressed.
    pub strategy: PaginationStrategy,
    /// The query parameter that takes the page number, offset, key or token.
    pub position_param: &'static str,
    /// The query parameter that takes the page size.
    pub size_param: &'static str,
    /// The smallest page size.
    pub min_page_size: u32,
    /// The largest page size.
    pub max_page_size: u32,
    /// The number of rows that the provider pages through at most, if it sets a bound.
    pub max_rows: Option<u64>,
    /// Whether the provider reports the total.
    pub is_counted: bool,
}

/// The provider's word on the rest of the list.
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
    /// The provider's word on the rest.
    pub next: NextPage,
    /// How many rows the provider sent, unreadable ones included.
    pub row_count: usize,
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
        let row_count = rows.len();
        Self {
            rows,
            next,
            row_count,
            cached_at: None,
            size: None,
            is_numbered: false,
            incomplete: None,
        }
    }

    /// Sets how many rows the provider sent.
    #[must_use]
    pub fn with_sent(self, sent: usize) -> Self {
        Self {
            row_count: sent,
            ..self
        }
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
    fn validate_token(self) -> Result<Self> {
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
    /// [`PageRequest::next_position`], its page repeats no row.
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

/// A request for one page: its address, its size, and which of its rows are not wanted.
#[derive(Clone, Debug)]
pub struct PageRequest {
    pagination: PaginationSpec,
    /// The page's address.
    pub address: PageAddress,
    /// The page's size.
    pub size: u32,
    /// A page that was read before this moment is not accepted.
    pub since: Option<Instant>,
    /// The number of rows before the page, where rows are counted.
    first_row: u64,
    /// The number of rows of the page before the position, if no row has shifted.
    skip: u32,
    /// The rows before the position.
    anchor: Option<Anchor>,
    /// Whether the page should hold the row before the position.
    overlaps: bool,
}

impl PaginationSpec {
    /// Whether rows can be counted, so that a list can be read backwards and in parallel.
    #[must_use]
    pub fn has_row_numbers(&self) -> bool {
        match self.strategy {
            PaginationStrategy::Page { .. } | PaginationStrategy::Offset { .. } => true,
            PaginationStrategy::Key | PaginationStrategy::Token => false,
        }
    }

    /// The request that resumes at a position and holds as many as possible of the `want` rows
    /// after it.
    ///
    /// # Errors
    /// `Invalid` when the position is of another paging.
    pub fn request(&self, position: &Position, want: u32) -> Result<PageRequest> {
        match (self.strategy, position) {
            (
                PaginationStrategy::Page { .. } | PaginationStrategy::Offset { .. },
                Position::Start | Position::Nth(_) | Position::Row(..),
            ) => {
                let from = position.ordinal();
                let overlapping = (from > 0 && !matches!(position, Position::Nth(_)))
                    .then(|| self.overlapping_request(from, want))
                    .flatten();
                let request = overlapping.unwrap_or_else(|| self.request_for_row(from, want));
                Ok(request.with_anchor(position.anchor()))
            }
            (PaginationStrategy::Key, Position::Start) => {
                Ok(self.request_at(PageAddress::Key(None), want))
            }
            // One more: the provider may start the page with the named row itself.
            (PaginationStrategy::Key, Position::Key(anchor)) => {
                let key = anchor.row().to_owned();
                let request = self.request_at(PageAddress::Key(Some(key)), want.saturating_add(1));
                Ok(request.with_anchor(Some(anchor)))
            }
            (PaginationStrategy::Key, Position::At(key)) => {
                Ok(self.request_at(PageAddress::Key(Some(key.clone())), want))
            }
            (PaginationStrategy::Token, Position::Start) => {
                Ok(self.request_at(PageAddress::Token(None), want))
            }
            (PaginationStrategy::Token, Position::Token { .. }) => {
                Ok(self.after_token(position, want))
            }
            (
                PaginationStrategy::Page { .. } | PaginationStrategy::Offset { .. },
                Position::Key(_) | Position::At(_) | Position::Token { .. },
            )
            | (
                PaginationStrategy::Key,
                Position::Nth(_) | Position::Row(..) | Position::Token { .. },
            )
            | (
                PaginationStrategy::Token,
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
            return self.request_at(PageAddress::Token(None), want);
        };
        if let Some(next) = next {
            let request = self.request_at(PageAddress::Token(Some(next.clone())), want);
            return request.with_anchor(position.anchor());
        }
        let skip = u32::from(*skip);
        let request = self.request_at(PageAddress::Token(token.clone()), skip.saturating_add(want));
        let request = request.with_anchor(position.anchor());
        let overlaps = request.anchor.is_some();
        PageRequest {
            skip,
            overlaps,
            ..request
        }
    }

    /// A request for the page at an address, of a size that the provider accepts.
    fn request_at(&self, address: PageAddress, want: u32) -> PageRequest {
        let size = want.clamp(self.min_page_size, self.max_page_size);
        PageRequest {
            pagination: *self,
            address,
            size,
            since: None,
            first_row: 0,
            skip: 0,
            anchor: None,
            overlaps: false,
        }
    }

    /// The page that starts with the row `from`, or holds it, where rows are counted.
    fn request_for_row(&self, from: u64, want: u32) -> PageRequest {
        match self.strategy {
            PaginationStrategy::Page { first } => self.numbered_page_request(first, from, want),
            PaginationStrategy::Offset { first } => {
                let left = self.max_rows.map(|max_rows| max_rows.saturating_sub(from));
                let left = left.and_then(|left| u32::try_from(left).ok());
                let want = want.min(left.unwrap_or(want));
                let request =
                    self.request_at(PageAddress::Offset(first.saturating_add(from)), want);
                PageRequest {
                    first_row: from,
                    ..request
                }
            }
            // Rows have no ordinals: the list is read from its start.
            PaginationStrategy::Key => self.request_at(PageAddress::Key(None), want),
            PaginationStrategy::Token => self.request_at(PageAddress::Token(None), want),
        }
    }

    /// The page that holds the row before `from` and as many as possible of the rows from there on;
    /// `None` where no page holds both.
    fn overlapping_request(&self, from: u64, want: u32) -> Option<PageRequest> {
        let before = from.checked_sub(1)?;
        let request = self.request_for_row(before, want.saturating_add(1));
        (request.end() > from).then(|| PageRequest {
            // Less than a page, so it fits.
            skip: u32::try_from(from - request.first_row).unwrap_or(request.size),
            overlaps: true,
            ..request
        })
    }

    /// The numbered page that holds the row `from` and as many as possible of the rows after it.
    fn numbered_page_request(&self, first: u64, from: u64, want: u32) -> PageRequest {
        let size = self
            .best_page_size(from, want)
            .unwrap_or(self.max_page_size);
        let page = from / u64::from(size);
        let ordinal = page * u64::from(size);
        // Less than a page, so it fits.
        let skip = u32::try_from(from - ordinal).unwrap_or(size);
        let request = self.request_at(PageAddress::Page(first.saturating_add(page)), size);
        PageRequest {
            first_row: ordinal,
            skip,
            ..request
        }
    }

    /// The size of the numbered page that holds the row `from` and as many as possible of the
    /// `want` rows from there on; among equals the smallest. This makes the fewest pages. A page
    /// must end within `max_rows`; `None` when none does.
    fn best_page_size(&self, from: u64, want: u32) -> Option<u32> {
        let end_of = |size: u32| {
            let size = u64::from(size);
            (from / size).saturating_add(1).saturating_mul(size)
        };
        let end = from.saturating_add(u64::from(want.max(1)));
        (self.min_page_size..=self.max_page_size)
            .filter(|&size| {
                self.max_rows
                    .is_none_or(|max_rows| end_of(size) <= max_rows)
            })
            .min_by_key(|&size| (Reverse(end_of(size).min(end)), size))
    }

    /// Whether the provider refuses every page that could hold the row after a position.
    fn is_beyond_max_rows(&self, position: &Position) -> bool {
        let from = position.ordinal();
        self.max_rows.is_some_and(|max_rows| match self.strategy {
            PaginationStrategy::Page { .. } => self.best_page_size(from, 1).is_none(),
            PaginationStrategy::Offset { .. } => {
                from.saturating_add(u64::from(self.min_page_size)) > max_rows
            }
            PaginationStrategy::Key | PaginationStrategy::Token => false,
        })
    }
}

impl PaginationSpec {
    /// Whether a page can hold a row that was read and one that was not.
    fn can_overlap(&self) -> bool {
        match self.strategy {
            PaginationStrategy::Page { .. } => self.min_page_size < self.max_page_size,
            PaginationStrategy::Offset { .. }
            | PaginationStrategy::Key
            | PaginationStrategy::Token => self.max_page_size > 1,
        }
    }
}
