//! The pages of a list, one after another: which of their rows are new, where the list goes on, and
//! whether anybody may have been missed between two of them. Windows and scans are made of it.

mod checks;
mod fetch;
mod onward;
mod places;

use std::collections::{HashSet, VecDeque};

use tokio::time::Instant;

use super::{
    IncompleteReason, Listing, Page, PageAddress, PageRequest, Position, Row, RowCount,
    unreadable::{UnreadableRows, run},
};
use crate::error::{Error, Result};

/// How many more calls one window or scan makes to find places again whose rows have shifted.
pub const SEARCHES: u32 = 8;

/// How many pages without a row that can be read are read one after another, where each of them names a
/// next one.
pub const EMPTY_PAGES: u32 = 10;

/// What a step brings.
pub(super) enum ReadStep<T> {
    /// A page.
    Page(NewRows<T>),
    /// The list has rows that the provider refuses to page to.
    Beyond,
    /// Pages of different ages do not go together: what was read is void, and read again.
    Again,
}

/// What a page brings.
pub(super) struct NewRows<T> {
    /// The rows that are new, each with the position after it; those that cannot be read hold their places.
    pub(super) rows: Vec<(T, Position)>,
    /// Whether there is more and whether the provider vouches for it; `None` at the end.
    pub(super) more: Option<bool>,
}

/// The way through a list.
pub(super) struct PageReader<T, F> {
    listing: Listing,
    fetch: F,
    origin: Position,
    at: Position,
    /// Other ways on, the best last, where the provider no longer knows the first.
    detours: Vec<Position>,
    /// The starts of the pages read, where they are named by tokens.
    starts: Vec<Position>,
    is_first: bool,
    /// The ordinal of the first row that is wanted.
    start: u64,
    /// The keys of the rows read, and of those that the first position names.
    seen: HashSet<String>,
    /// Those of them that a page held beyond what it was asked for, where rows are counted: where they are
    /// in the list is not known.
    strays: HashSet<String>,
    /// Whether nothing but a short page tells the size of the provider's pages.
    is_size_guessed: bool,
    /// How many rows the last page had, where it was shorter than asked for and not the last of the list.
    short: Option<u32>,
    /// The last row read, of those that can be.
    last: Option<String>,
    /// How many rows that cannot be read come behind it, up to where the list was read.
    trailing: usize,
    /// The ordinal behind the rows read, where rows are counted.
    end: u64,
    numbers: UnreadableRows,
    visited: HashSet<String>,
    empty: u32,
    repeated: u32,
    searches: u32,
    /// How many rows the pages had, each counted once.
    count: u64,
    /// The least and the greatest number of rows that the provider counted.
    totals: Option<(u64, u64)>,
    ahead: VecDeque<(PageRequest, Result<Page<T>>)>,
    /// Whether a page that was asked for ahead was of no use.
    shifts: bool,
    /// Why the list cannot be read on.
    broken: Option<Error>,
    began: Instant,
    /// When the first page was read, if it was kept.
    first: Option<Option<Instant>>,
    since: Option<Instant>,
    /// How many pages were read.
    pub(super) pages: u32,
    /// How many rows the whole list has, where the provider says so.
    pub(super) total: Option<u64>,
    /// Why somebody may be missing.
    pub(super) incomplete: Option<IncompleteReason>,
    /// A number for each row that cannot be read.
    pub(super) unreadable: Vec<u64>,
}

impl<T, F, R> PageReader<T, F>
where
    T: Row,
    F: Fn(PageRequest) -> R,
    R: Future<Output = Result<Page<T>>>,
{
    /// A reading that begins at a position.
    pub(super) fn new(listing: Listing, origin: Position, fetch: F) -> Self {
        let mut reading = Self {
            listing,
            fetch,
            origin,
            at: Position::Start,
            detours: Vec::new(),
            starts: Vec::new(),
            is_first: true,
            start: 0,
            seen: HashSet::new(),
            strays: HashSet::new(),
            is_size_guessed: false,
            short: None,
            last: None,
            trailing: 0,
            end: 0,
            numbers: UnreadableRows::default(),
            visited: HashSet::new(),
            empty: 0,
            repeated: 0,
            searches: SEARCHES,
            count: 0,
            totals: None,
            ahead: VecDeque::new(),
            shifts: false,
            broken: None,
            began: Instant::now(),
            first: None,
            since: None,
            pages: 0,
            total: None,
            incomplete: None,
            unreadable: Vec::new(),
        };
        reading.begin();
        reading
    }

    /// Forgets what was read.
    fn begin(&mut self) {
        self.at = self.origin.clone();
        let anchor = self.at.anchor();
        self.last = anchor.map(|anchor| anchor.row().to_owned());
        let keys = anchor.into_iter().flat_map(super::Anchor::keys);
        self.seen = keys.map(str::to_owned).collect();
        self.detours = match &self.at {
            Position::Key(anchor) => vec![onward::before(anchor)],
            at => at.without_next().into_iter().collect(),
        };
        (self.count, self.totals) = match &self.at {
            Position::Token {
                count: Some(RowCount(before, least, most)),
                ..
            } => (*before, Some((*least, *most))),
            _ => (0, None),
        };
        (self.is_first, self.start) = (true, 0);
        (self.trailing, self.end) = (0, 0);
        self.numbers = UnreadableRows::default();
        self.unreadable.clear();
        self.strays.clear();
        self.starts.clear();
        self.visited.clear();
        self.ahead.clear();
        (self.empty, self.repeated, self.searches) = (0, 0, SEARCHES);
        (self.incomplete, self.broken) = (None, None);
    }

    /// Reads the next page, `want` rows of it. Where the number of rows is known, up to `ahead` pages are
    /// asked for at the same time.
    pub(super) async fn step(&mut self, want: u32, ahead: usize) -> Result<ReadStep<T>> {
        if let Some(error) = self.broken.take() {
            return Err(error);
        }
        if self.is_beyond_max_rows() {
            return Ok(ReadStep::Beyond);
        }
        // Behind a page of nobody the largest is the nearest to somebody.
        let want = match self.empty {
            0 => want,
            _ => self.listing.max,
        };
        let (request, page) = self.next_page(want, ahead).await?;
        if self.is_of_another_age(&page) {
            self.since = Some(self.began);
            self.first = Some(None);
            self.begin();
            return Ok(ReadStep::Again);
        }
        let (request, page) = self.joined(request, page, want).await?;
        self.take_total(&page);
        self.learn_size(&request, &page);
        self.incomplete = self.incomplete.or(page.incomplete);
        let from = self.first_new(&request, &page);
        let unread = self.first_unread(&request, &page, from);
        let is_new = self.has_new(&request, &page, from, unread);
        let has_new_row = self.has_new_row(&page, from);
        let mut more = request.more(&page);
        if !is_new && self.is_size_guessed {
            more = None;
        }
        if !is_new && self.is_counted_only(&request, &page) {
            (more, self.incomplete) = (None, Some(IncompleteReason::Miscounted));
        }
        let next = more.map(|_| self.following(&request, &page, has_new_row));
        self.note(&page, has_new_row);
        let is_doubled = more.is_none() && has_doubles(&page);
        self.check_page(&request, &page);
        let rows = self.rows(&request, page, from, unread);
        if more.is_none() {
            self.check_count(is_doubled);
        }
        self.is_first = false;
        let more = match next.map(|next| next.and_then(|next| self.advance(next))) {
            Some(Ok(true)) => more,
            Some(Ok(false)) | None => None,
            Some(Err(error)) => {
                self.broken = Some(error);
                more
            }
        };
        Ok(ReadStep::Page(NewRows { rows, more }))
    }

    /// Whether the provider refuses every page that could hold the next row.
    pub(super) fn is_beyond_max_rows(&self) -> bool {
        self.listing.is_beyond_max_rows(&self.at)
    }

    /// Whether a page holds a row that was read, where the list has it: it goes on where the read part ends.
    /// Rows that were not asked for tell nothing.
    fn knows_one_of(&self, request: &PageRequest, page: &Page<T>) -> bool {
        let mut placed = page.rows.iter().take(request.placed(page));
        placed.any(|row| self.knows(row))
    }

    /// Whether a page has a row that is wanted and was not read: a user who is not known, or a row that
    /// cannot be read behind all that were.
    fn has_new(&self, request: &PageRequest, page: &Page<T>, from: usize, unread: usize) -> bool {
        let rows = page.rows.iter().enumerate().skip(from);
        let mut rows = rows.map(|(place, row)| (place, row.is_unreadable()));
        let is_new = |(place, is_unreadable): (usize, bool)| {
            is_unreadable && place >= unread && place < request.placed(page)
        };
        rows.any(is_new) || self.has_new_row(page, from)
    }

    fn has_new_row(&self, page: &Page<T>, from: usize) -> bool {
        let mut rows = page.rows.iter().skip(from);
        rows.any(|row| !row.is_unreadable() && !self.seen.contains(row.key()))
    }

    /// Whether a user was read, at a place that is known. Nothing is told by rows that cannot be.
    fn knows(&self, row: &T) -> bool {
        let is_read = !row.is_unreadable() && self.seen.contains(row.key());
        is_read && !self.strays.contains(row.key())
    }

    /// The place of the first row of a page that may be wanted.
    fn first_new(&mut self, request: &PageRequest, page: &Page<T>) -> usize {
        if self.is_first {
            let from = request.behind(page);
            self.start = request.ordinal.saturating_add(from as u64);
            return from;
        }
        // A page may begin before the window. Behind a row that was read nobody is before the window.
        let before = self.start.saturating_sub(request.ordinal);
        let before = usize::try_from(before).unwrap_or(usize::MAX);
        let mut rows = page.rows.iter();
        let known = rows.position(|row| self.knows(row));
        match request.place {
            PageAddress::Page(_) | PageAddress::Offset(_) => match known {
                Some(known) => before.min(known),
                None if request.overlaps => 0,
                None => before.min(page.rows.len()),
            },
            PageAddress::Key(_) | PageAddress::Token(_) => 0,
        }
    }

    /// The place of a page behind the rows that were read, as far as users tell it, or numbers: from here
    /// on rows that cannot be read are new.
    fn first_unread(&self, request: &PageRequest, page: &Page<T>, from: usize) -> usize {
        if self.is_first {
            return from;
        }
        let placed = &page.rows[..request.placed(page)];
        let known = placed.iter().rposition(|row| self.knows(row));
        let is_last = |id: &str| self.last.as_deref() == Some(id);
        let behind_last = |from| from + run(page, from).min(self.trailing);
        match (known, &request.place) {
            (Some(place), _) if is_last(page.rows[place].key()) => behind_last(place + 1),
            (Some(place), _) => place + 1,
            (None, PageAddress::Key(Some(key))) if is_last(key) => behind_last(0),
            (None, PageAddress::Page(_) | PageAddress::Offset(_)) if !request.overlaps => {
                usize::try_from(self.end.saturating_sub(request.ordinal)).unwrap_or(usize::MAX)
            }
            (None, _) => 0,
        }
    }

    /// Counts pages that bring nobody, since the last one that did: those without a user and repeated ones
    /// may alternate.
    fn note(&mut self, page: &Page<T>, has_new_row: bool) {
        let is_barren = page.rows.last().is_none_or(Row::is_unreadable);
        match (has_new_row, is_barren) {
            (true, _) => (self.empty, self.repeated) = (0, 0),
            (false, true) => self.empty += 1,
            (false, false) => self.repeated += 1,
        }
    }

    /// The rows of a page that are new.
    fn rows(
        &mut self,
        request: &PageRequest,
        page: Page<T>,
        from: usize,
        unread: usize,
    ) -> Vec<(T, Position)> {
        let before = self.last.clone();
        let totals = self.totals.filter(|_| self.is_counting());
        self.note_strays(request, &page);
        self.count += page.sent.saturating_sub(page.rows.len()) as u64;
        let mut positions = VecDeque::new();
        for (place, row) in page.rows.iter().enumerate().skip(from) {
            let is_new = match row.is_unreadable() {
                true => place >= unread && place < request.placed(&page),
                false => self.seen.insert(row.key().to_owned()),
            };
            if !is_new {
                continue;
            }
            if let Some(text) = row.unreadable_text() {
                self.trailing += 1;
                self.unreadable.push(self.numbers.number(text));
            }
            self.count += 1;
            let position = request.after(&page, place, before.as_deref());
            positions.push_back((place, position.counted(self.count, totals)));
        }
        let placed = &page.rows[..request.placed(&page)];
        if let Some(last) = placed.iter().rposition(|row| !row.is_unreadable()) {
            let trailing = placed.len() - last - 1;
            let is_same = self.last.as_deref() == Some(placed[last].key());
            self.trailing = if is_same {
                self.trailing.max(trailing)
            } else {
                trailing
            };
            self.last = Some(placed[last].key().to_owned());
        }
        self.end = self
            .end
            .max(request.ordinal.saturating_add(placed.len() as u64));
        let rows = page.rows.into_iter().enumerate();
        let rows = rows.filter_map(|(place, row)| {
            let (_, position) = positions.pop_front_if(|(wanted, _)| *wanted == place)?;
            Some((row, position))
        });
        rows.collect()
    }

    /// Notes the rows of a page whose place in the list it does not tell, and those whose place it does.
    fn note_strays(&mut self, request: &PageRequest, page: &Page<T>) {
        let (placed, others) = page.rows.split_at(request.placed(page));
        for row in placed {
            self.strays.remove(row.key());
        }
        let others = others.iter().filter(|row| !row.is_unreadable());
        let new = others.map(Row::key);
        let new = new.filter(|id| !self.seen.contains(*id));
        self.strays.extend(new.map(str::to_owned));
    }
}

/// Whether a page holds a row twice.
fn has_doubles<T: Row>(page: &Page<T>) -> bool {
    let mut seen = HashSet::new();
    let mut rows = page.rows.iter().filter(|row| !row.is_unreadable());
    !rows.all(|row| seen.insert(row.key()))
}
