//! Reads the pages of a list one after another: finds which rows are new and where the list
//! continues, and detects whether rows may be missing between two pages. Windows and scans are
//! built on it.

mod advance;
mod counts;
mod fetch;
mod realign;

use std::collections::{HashSet, VecDeque};

use tokio::time::Instant;

use super::{
    IncompleteReason, Page, PageAddress, PageRequest, PaginationSpec, Position, Row, RowCount,
    unreadable::{UnreadableRows, count_unreadable},
};
use crate::error::{Error, Result};

/// The extra calls that one window or scan may make to find its position again after rows have
/// shifted.
pub const SEARCHES: u32 = 8;

/// How many pages without a readable row are read in sequence, where each names a next page.
pub const EMPTY_PAGES: u32 = 10;

/// The result of one step.
pub(super) enum ReadStep<T> {
    /// The new rows of a page.
    Page(NewRows<T>),
    /// The list has more rows, and the provider refuses to page to them.
    MaxRows,
    /// Pages of different ages cannot be joined: the caller drops its rows, and the list is read
    /// again.
    Restart,
}

/// The new rows of a page.
pub(super) struct NewRows<T> {
    /// The new rows, unreadable ones included, each with the position after it.
    pub(super) rows: Vec<(T, Position)>,
    /// Whether the provider confirms that there are more rows; `None` at the end.
    pub(super) more: Option<bool>,
}

/// Reads a list page by page.
pub(super) struct PageReader<T, F> {
    pagination: PaginationSpec,
    fetch: F,
    /// Where the reader started.
    start: Position,
    /// Where it is now.
    position: Position,
    /// Earlier positions to resume from, the best last, if the provider no longer knows the current
    /// one.
    fallbacks: Vec<Position>,
    /// The starts of the pages read, where tokens name them.
    page_starts: Vec<Position>,
    /// Whether no page has been read yet.
    is_first: bool,
    /// The ordinal of the first row wanted.
    first_ordinal: u64,
    /// The keys of the rows read, and of those that the start position names.
    seen: HashSet<String>,
    /// The keys of rows that a page held beyond the requested size, where rows are counted: their
    /// ordinals are unknown.
    surplus: HashSet<String>,
    /// Whether the provider's page size is only inferred from a short page.
    is_size_guessed: bool,
    /// The size of the previous page, if it was shorter than requested and more rows follow.
    short_size: Option<u32>,
    /// The key of the last readable row.
    last: Option<String>,
    /// How many unreadable rows were read after it.
    trailing_unreadable: usize,
    /// The ordinal after the rows read, where rows are counted.
    end: u64,
    unreadable_numbers: UnreadableRows,
    /// The request keys of the positions visited.
    visited: HashSet<String>,
    /// Pages without a readable row since the last new one.
    empty_pages: u32,
    /// Pages of rows that were read before since the last new one.
    repeated_pages: u32,
    searches_left: u32,
    /// How many rows the pages held, each counted once.
    row_count: u64,
    /// The lowest and the highest total that the provider reported.
    totals: Option<(u64, u64)>,
    /// Pages that were requested in parallel and are not processed yet.
    prefetched: VecDeque<(PageRequest, Result<Page<T>>)>,
    /// Whether a prefetched page did not fit: rows shift, so no more pages are prefetched.
    has_shifted: bool,
    /// The error that the next step returns.
    pending_error: Option<Error>,
    started_at: Instant,
    /// When the first page was read, if it came from the cache; the outer `None` before the first
    /// page.
    first_cached_at: Option<Option<Instant>>,
    /// Pages read before this moment are not accepted.
    since: Option<Instant>,
    /// How many pages were read.
    pub(super) pages: u32,
    /// How many rows the whole list has, where the provider says so.
    pub(super) total: Option<u64>,
    /// Why rows may be missing.
    pub(super) incomplete: Option<IncompleteReason>,
    /// A number for each unreadable row.
    pub(super) unreadable: Vec<u64>,
}

impl<T, F, R> PageReader<T, F>
where
    T: Row,
    F: Fn(PageRequest) -> R,
    R: Future<Output = Result<Page<T>>>,
{
    /// A reader that starts at a position.
    pub(super) fn new(listing: PaginationSpec, start: Position, fetch: F) -> Self {
        let mut reader = Self {
            pagination: listing,
            fetch,
            start,
            position: Position::Start,
            fallbacks: Vec::new(),
            page_starts: Vec::new(),
            is_first: true,
            first_ordinal: 0,
            seen: HashSet::new(),
            surplus: HashSet::new(),
            is_size_guessed: false,
            short_size: None,
            last: None,
            trailing_unreadable: 0,
            end: 0,
            unreadable_numbers: UnreadableRows::default(),
            visited: HashSet::new(),
            empty_pages: 0,
            repeated_pages: 0,
            searches_left: SEARCHES,
            row_count: 0,
            totals: None,
            prefetched: VecDeque::new(),
            has_shifted: false,
            pending_error: None,
            started_at: Instant::now(),
            first_cached_at: None,
            since: None,
            pages: 0,
            total: None,
            incomplete: None,
            unreadable: Vec::new(),
        };
        reader.reset();
        reader
    }

    /// Goes back to the start and forgets what was read.
    fn reset(&mut self) {
        self.position = self.start.clone();
        let anchor = self.position.anchor();
        self.last = anchor.map(|anchor| anchor.row().to_owned());
        let keys = anchor.into_iter().flat_map(super::Anchor::keys);
        self.seen = keys.map(str::to_owned).collect();
        self.fallbacks = match &self.position {
            Position::Key(anchor) => vec![advance::before(anchor)],
            at => at.without_next().into_iter().collect(),
        };
        (self.row_count, self.totals) = match &self.position {
            Position::Token {
                count: Some(RowCount(before, least, most)),
                ..
            } => (*before, Some((*least, *most))),
            _ => (0, None),
        };
        (self.is_first, self.first_ordinal) = (true, 0);
        (self.trailing_unreadable, self.end) = (0, 0);
        self.unreadable_numbers = UnreadableRows::default();
        self.unreadable.clear();
        self.surplus.clear();
        self.page_starts.clear();
        self.visited.clear();
        self.prefetched.clear();
        (self.empty_pages, self.repeated_pages, self.searches_left) = (0, 0, SEARCHES);
        (self.incomplete, self.pending_error) = (None, None);
    }

    /// Reads the next page, for `want` rows. Where the total is known, up to `ahead` pages are
    /// requested in parallel.
    pub(super) async fn step(&mut self, want: u32, ahead: usize) -> Result<ReadStep<T>> {
        if let Some(error) = self.pending_error.take() {
            return Err(error);
        }
        if self.is_beyond_max_rows() {
            return Ok(ReadStep::MaxRows);
        }
        // After an empty page, the largest page reaches the next row soonest.
        let want = match self.empty_pages {
            0 => want,
            _ => self.pagination.max_page_size,
        };
        let (request, page) = self.next_page(want, ahead).await?;
        if self.has_different_age(&page) {
            self.since = Some(self.started_at);
            self.first_cached_at = Some(None);
            self.reset();
            return Ok(ReadStep::Restart);
        }
        let (request, page) = self.aligned(request, page, want).await?;
        self.record_total(&page);
        self.learn_max_size(&request, &page);
        self.incomplete = self.incomplete.or(page.incomplete);
        let from = self.first_new_index(&request, &page);
        let unread = self.first_unread_index(&request, &page, from);
        let is_new = self.has_new_rows(&request, &page, from, unread);
        let has_new_row = self.has_new_row(&page, from);
        let mut more = request.more(&page);
        if !is_new && self.is_size_guessed {
            more = None;
        }
        if !is_new && self.is_short_by_count(&request, &page) {
            (more, self.incomplete) = (None, Some(IncompleteReason::Miscounted));
        }
        let next = more.map(|_| self.following(&request, &page, has_new_row));
        self.count_fruitless_page(&page, has_new_row);
        let is_doubled = more.is_none() && has_duplicates(&page);
        self.check_page(&request, &page);
        let rows = self.take_rows(&request, page, from, unread);
        if more.is_none() {
            self.check_count(is_doubled);
        }
        self.is_first = false;
        let more = match next.map(|next| next.and_then(|next| self.advance(next))) {
            Some(Ok(true)) => more,
            Some(Ok(false)) | None => None,
            Some(Err(error)) => {
                self.pending_error = Some(error);
                more
            }
        };
        Ok(ReadStep::Page(NewRows { rows, more }))
    }

    /// Whether the provider refuses every page that could hold the next row.
    pub(super) fn is_beyond_max_rows(&self) -> bool {
        self.pagination.is_beyond_max_rows(&self.position)
    }

    /// Whether a page holds a row that was read, within the requested size: then the page continues
    /// the rows read so far.
    fn holds_read_row(&self, request: &PageRequest, page: &Page<T>) -> bool {
        let mut listed = page.rows.iter().take(request.listed_rows(page));
        listed.any(|row| self.has_read(row))
    }

    /// Whether a page has a wanted row that was not read: one with an unknown key, or an unreadable
    /// one after all rows that were read.
    fn has_new_rows(
        &self,
        request: &PageRequest,
        page: &Page<T>,
        from: usize,
        unread: usize,
    ) -> bool {
        let rows = page.rows.iter().enumerate().skip(from);
        let mut rows = rows.map(|(index, row)| (index, row.is_unreadable()));
        let is_new = |(index, is_unreadable): (usize, bool)| {
            is_unreadable && index >= unread && index < request.listed_rows(page)
        };
        rows.any(is_new) || self.has_new_row(page, from)
    }

    /// Whether a page has a readable row that was not read.
    fn has_new_row(&self, page: &Page<T>, from: usize) -> bool {
        let mut rows = page.rows.iter().skip(from);
        rows.any(|row| !row.is_unreadable() && !self.seen.contains(row.key()))
    }

    /// Whether a row was read, at a known ordinal. An unreadable row has no identity.
    fn has_read(&self, row: &T) -> bool {
        let is_read = !row.is_unreadable() && self.seen.contains(row.key());
        is_read && !self.surplus.contains(row.key())
    }

    /// The index of the first row of a page that may be wanted.
    fn first_new_index(&mut self, request: &PageRequest, page: &Page<T>) -> usize {
        if self.is_first {
            let from = request.rows_before_position(page);
            self.first_ordinal = request.first_row.saturating_add(from as u64);
            return from;
        }
        // A page may start before the window. No row after a row that was read is before the
        // window.
        let before = self.first_ordinal.saturating_sub(request.first_row);
        let before = usize::try_from(before).unwrap_or(usize::MAX);
        let mut rows = page.rows.iter();
        let known = rows.position(|row| self.has_read(row));
        match request.address {
            PageAddress::Page(_) | PageAddress::Offset(_) => match known {
                Some(known) => before.min(known),
                None if request.overlaps => 0,
                None => before.min(page.rows.len()),
            },
            PageAddress::Key(_) | PageAddress::Token(_) => 0,
        }
    }

    /// The index after the rows of a page that were read, as far as keys or ordinals show:
    /// unreadable rows from here on are new.
    fn first_unread_index(&self, request: &PageRequest, page: &Page<T>, from: usize) -> usize {
        if self.is_first {
            return from;
        }
        let listed = &page.rows[..request.listed_rows(page)];
        let known = listed.iter().rposition(|row| self.has_read(row));
        let is_last = |id: &str| self.last.as_deref() == Some(id);
        let after_last = |from| from + count_unreadable(page, from).min(self.trailing_unreadable);
        match (known, &request.address) {
            (Some(index), _) if is_last(page.rows[index].key()) => after_last(index + 1),
            (Some(index), _) => index + 1,
            (None, PageAddress::Key(Some(key))) if is_last(key) => after_last(0),
            (None, PageAddress::Page(_) | PageAddress::Offset(_)) if !request.overlaps => {
                usize::try_from(self.end.saturating_sub(request.first_row)).unwrap_or(usize::MAX)
            }
            (None, _) => 0,
        }
    }

    /// Counts the pages without a new row since the last one that had some: empty and repeated
    /// pages may alternate.
    fn count_fruitless_page(&mut self, page: &Page<T>, has_new_row: bool) {
        let ends_unreadable = page.rows.last().is_none_or(Row::is_unreadable);
        match (has_new_row, ends_unreadable) {
            (true, _) => (self.empty_pages, self.repeated_pages) = (0, 0),
            (false, true) => self.empty_pages += 1,
            (false, false) => self.repeated_pages += 1,
        }
    }

    /// Takes the new rows of a page.
    fn take_rows(
        &mut self,
        request: &PageRequest,
        page: Page<T>,
        from: usize,
        unread: usize,
    ) -> Vec<(T, Position)> {
        let before = self.last.clone();
        let totals = self.totals.filter(|_| self.is_counting());
        self.note_surplus(request, &page);
        self.row_count += page.row_count.saturating_sub(page.rows.len()) as u64;
        let mut positions = VecDeque::new();
        for (index, row) in page.rows.iter().enumerate().skip(from) {
            let is_new = match row.is_unreadable() {
                true => index >= unread && index < request.listed_rows(&page),
                false => self.seen.insert(row.key().to_owned()),
            };
            if !is_new {
                continue;
            }
            if let Some(text) = row.unreadable_text() {
                self.trailing_unreadable += 1;
                self.unreadable.push(self.unreadable_numbers.number(text));
            }
            self.row_count += 1;
            let position = request.position_after_row(&page, index, before.as_deref());
            positions.push_back((index, position.counted(self.row_count, totals)));
        }
        let listed = &page.rows[..request.listed_rows(&page)];
        if let Some(last) = listed.iter().rposition(|row| !row.is_unreadable()) {
            let trailing_unreadable = listed.len() - last - 1;
            let is_same = self.last.as_deref() == Some(listed[last].key());
            self.trailing_unreadable = if is_same {
                self.trailing_unreadable.max(trailing_unreadable)
            } else {
                trailing_unreadable
            };
            self.last = Some(listed[last].key().to_owned());
        }
        self.end = self
            .end
            .max(request.first_row.saturating_add(listed.len() as u64));
        let rows = page.rows.into_iter().enumerate();
        let rows = rows.filter_map(|(index, row)| {
            let (_, position) = positions.pop_front_if(|(wanted, _)| *wanted == index)?;
            Some((row, position))
        });
        rows.collect()
    }

    /// Records which rows of a page have an unknown ordinal, and which have a known one now.
    fn note_surplus(&mut self, request: &PageRequest, page: &Page<T>) {
        let (listed, others) = page.rows.split_at(request.listed_rows(page));
        for row in listed {
            self.surplus.remove(row.key());
        }
        let others = others.iter().filter(|row| !row.is_unreadable());
        let new = others.map(Row::key);
        let new = new.filter(|id| !self.seen.contains(*id));
        self.surplus.extend(new.map(str::to_owned));
    }
}

/// Whether a page holds a row twice.
fn has_duplicates<T: Row>(page: &Page<T>) -> bool {
    let mut seen = HashSet::new();
    let mut rows = page.rows.iter().filter(|row| !row.is_unreadable());
    !rows.all(|row| seen.insert(row.key()))
}
