//! A window: the slice of a list that a Relay connection asks for, made of as few pages as can be.

use super::{
    IncompleteReason, Page, PageRequest, PaginationSpec, Position, Row,
    reader::{PageReader, ReadStep},
};
use crate::error::{Error, ErrorKind, Result};

/// How many pages of one window are requested in parallel, where rows are counted and the total is
/// known.
const AHEAD: usize = 4;

/// One row of a window.
#[derive(Clone, Debug)]
pub struct WindowRow<T> {
    /// The row itself.
    pub node: T,
    /// The point just after it, from which the list resumes: a cursor of the row.
    pub position: Position,
    /// The number of rows read before it, unreadable ones included.
    index: u64,
}

/// Part of a list.
#[derive(Clone, Debug)]
pub struct Window<T> {
    /// The rows.
    pub rows: Vec<WindowRow<T>>,
    /// Whether there are rows after the last.
    pub has_next: bool,
    /// Whether there are rows before the first.
    pub has_previous: bool,
    /// How many rows the whole list has, where the provider says so.
    pub total: Option<u64>,
    /// Whether the window ends where the provider refuses to page further, with rows left.
    pub is_truncated: bool,
    /// Why rows may be missing or have come before; `None` where none are.
    pub incomplete: Option<IncompleteReason>,
    /// Why the window ends before it is full.
    pub failure: Option<Error>,
    /// A number for each unreadable row.
    pub unreadable: Vec<u64>,
}

/// Which part of a list is wanted: a number of rows between two positions, from one end or the
/// other.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ListRange {
    /// The point after which the window starts.
    pub after: Option<Position>,
    /// The position of the row before which the window ends.
    pub before: Option<Position>,
    /// How many rows.
    pub count: u32,
    /// Whether the rows nearest to the end are wanted rather than those nearest to the start.
    pub from_end: bool,
}

/// Which rows of a list belong to a window.
pub struct RowFilter<'a, T> {
    /// Whether a row does.
    pub matches: &'a (dyn Fn(&T) -> bool + Sync),
    /// Whether the provider claims to return no others. It is trusted until it returns one.
    pub is_exact: bool,
}

impl<T> Clone for RowFilter<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for RowFilter<'_, T> {}

/// Reads one window of a list. `accept` decides which rows belong to it; without it every row does.
/// If the provider returns no others, only the rows needed are read. A window of no rows reads one
/// row, to learn whether there is any.
///
/// # Errors
/// The error of `fetch`; `Invalid` for a position of another paging; `Unsupported` when the list is
/// to be read backwards and cannot be; `Malformed` when the list runs in a circle.
pub async fn read_window<T, F, R>(
    listing: &PaginationSpec,
    range: &ListRange,
    accept: Option<RowFilter<'_, T>>,
    fetch: F,
) -> Result<Window<T>>
where
    T: Row,
    F: Fn(PageRequest) -> R,
    R: Future<Output = Result<Page<T>>>,
{
    if range.before.is_none() && !range.from_end {
        let position = range.after.clone().unwrap_or(Position::Start);
        let mut window =
            read_forward(listing, position, range.count.max(1), accept, &fetch).await?;
        window.has_previous = range.after.is_some();
        if range.count == 0 {
            window.has_next |= !window.rows.is_empty();
            window.rows.clear();
        }
        return Ok(window);
    }
    if accept.is_some_and(|accept| !accept.is_exact) || !listing.has_row_numbers() {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "this list cannot be read backwards: use `first` and `after`",
        ));
    }
    let mut window = read_backward_to(listing, range, &fetch).await?;
    let rows = window.rows.len();
    window
        .rows
        .retain(|row| accept.is_none_or(|accept| (accept.matches)(&row.node)));
    window.total = window.total.filter(|_| window.rows.len() == rows);
    Ok(window)
}

/// A window that ends at a position or at the end of the list.
async fn read_backward_to<T, F, R>(
    listing: &PaginationSpec,
    range: &ListRange,
    fetch: F,
) -> Result<Window<T>>
where
    T: Row,
    F: Fn(PageRequest) -> R,
    R: Future<Output = Result<Page<T>>>,
{
    // At the end of a counted list the total suffices; elsewhere one row is read.
    if range.count > 0 || range.before.is_none() {
        return read_backward(listing, range, &fetch).await;
    }
    let one = ListRange {
        count: 1,
        ..range.clone()
    };
    let mut window = read_backward(listing, &one, &fetch).await?;
    window.has_next = true;
    if range.from_end {
        window.has_previous |= !window.rows.is_empty();
    }
    window.rows.clear();
    Ok(window)
}

/// The rows after a position. Reads past them only where the provider does not confirm that more
/// follow.
async fn read_forward<T, F, R>(
    listing: &PaginationSpec,
    from: Position,
    count: u32,
    accept: Option<RowFilter<'_, T>>,
    fetch: F,
) -> Result<Window<T>>
where
    T: Row,
    F: Fn(PageRequest) -> R,
    R: Future<Output = Result<Page<T>>>,
{
    let mut window = Window::default();
    let mut reader = PageReader::new(*listing, from, fetch);
    let is_exact = accept.is_none_or(|accept| accept.is_exact);
    let at_first = count.saturating_add(u32::from(!is_exact));
    // Where the provider returns rows that do not belong, the distance to the next one is unknown.
    let mut is_filter_trusted = is_exact;
    let (mut want, mut next_index) = (at_first, 0);
    'list: loop {
        let ahead = if is_filter_trusted { AHEAD } else { 1 };
        let new = match reader.step(want, ahead).await {
            Ok(ReadStep::Page(new)) => new,
            Ok(ReadStep::Restart) => {
                window.rows.clear();
                (want, next_index, is_filter_trusted) = (at_first, 0, is_exact);
                continue;
            }
            Ok(ReadStep::MaxRows) => {
                window.is_truncated = true;
                break;
            }
            Err(error) if is_late(&error) && !window.rows.is_empty() => {
                (window.has_next, window.failure) = (true, Some(error));
                reader.incomplete = Some(IncompleteReason::DeadlineReached);
                break;
            }
            Err(error) => return Err(error),
        };
        for (row, position) in new.rows {
            let index = next_index;
            next_index += 1;
            let belongs = accept.is_none_or(|accept| (accept.matches)(&row));
            is_filter_trusted &= belongs || row.is_unreadable();
            let row = WindowRow {
                node: row,
                position,
                index,
            };
            if belongs && !window.push(row, count) {
                break 'list;
            }
        }
        let Some(is_confirmed) = new.more else {
            break;
        };
        let is_full = window.rows.len() == count as usize;
        if is_full && is_confirmed && is_filter_trusted {
            window.is_truncated = reader.is_beyond_max_rows();
            window.has_next = !window.is_truncated;
            break;
        }
        want = if is_filter_trusted {
            missing_rows(count, &window)
        } else {
            listing.max_page_size
        };
    }
    window.total = reader.total.filter(|_| is_filter_trusted);
    (window.incomplete, window.unreadable) = (reader.incomplete, reader.unreadable);
    Ok(window)
}

impl<T> Default for Window<T> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            has_next: false,
            has_previous: false,
            total: None,
            is_truncated: false,
            incomplete: None,
            failure: None,
            unreadable: Vec::new(),
        }
    }
}

impl<T: Row> Window<T> {
    /// Adds a readable row. False when the window is full: then the row is the next one.
    fn push(&mut self, row: WindowRow<T>, count: u32) -> bool {
        if row.node.is_unreadable() {
            return true;
        }
        self.has_next |= self.rows.len() == count as usize;
        if !self.has_next {
            self.rows.push(row);
        }
        !self.has_next
    }
}

/// How many rows a window lacks: one at least, to know whether there is any.
fn missing_rows<T>(count: u32, window: &Window<T>) -> u32 {
    let rows = u32::try_from(window.rows.len()).unwrap_or(u32::MAX);
    count.saturating_sub(rows).max(1)
}

/// Whether the deadline passed.
fn is_late(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::DeadlineExceeded | ErrorKind::TimedOut
    )
}

/// How often the row that `before` names is searched for after it has moved.
const RELOCATIONS: u32 = 2;

/// The rows between two positions, from one end or the other, where rows are counted.
async fn read_backward<T, F, R>(
    listing: &PaginationSpec,
    range: &ListRange,
    fetch: F,
) -> Result<Window<T>>
where
    T: Row,
    F: Fn(PageRequest) -> R,
    R: Future<Output = Result<Page<T>>>,
{
    let start = match &range.after {
        None => 0,
        Some(position) => ordinal_of(position, "after")?,
    };
    let (mut end, total) = match &range.before {
        None if !listing.is_counted => return Err(uncounted_error::<T>()),
        None => {
            let total = count_rows(listing, &fetch).await?;
            (total, Some(total))
        }
        Some(position) => (ordinal_of(position, "before")?.saturating_sub(1), None),
    };
    let end_anchor = range.before.as_ref().and_then(Position::anchor);
    for is_last in (0..=RELOCATIONS).map(|tries| tries == RELOCATIONS) {
        let wanted = u64::from(range.count).min(end.saturating_sub(start));
        let from = if range.from_end { end - wanted } else { start };
        let position = match &range.after {
            Some(after) if from == start => after.clone(),
            _ => Position::Nth(from),
        };
        // Also reads the row that `before` names, if the window ends there: it may have moved.
        let includes_end_row = end_anchor.is_some() && from + wanted == end;
        let rows_to_read = u32::try_from(wanted + u64::from(includes_end_row)).unwrap_or(u32::MAX);
        if rows_to_read == 0 {
            return Ok(Window {
                has_previous: end > 0 && from > 0 || start > 0,
                has_next: range.before.is_some(),
                total,
                ..Window::default()
            });
        }
        let mut window = read_forward(listing, position, rows_to_read, None, &fetch).await?;
        (window.has_previous, window.total) = (from > 0, window.total);
        window.has_next |= range.before.is_some();
        let Some(end_anchor) = end_anchor else {
            if range.before.is_some() && from + wanted == end {
                window.rows.retain(|row| row.index < wanted);
            }
            return Ok(window);
        };
        let mut rows = window.rows.iter();
        let at = rows.find(|row| row.node.key() == end_anchor.row());
        match at.map(|row| row.index) {
            Some(at) if !includes_end_row || at == wanted => {
                window.rows.retain(|row| row.index < at);
                return Ok(window);
            }
            None if !includes_end_row => return Ok(window),
            // It has moved towards the start.
            Some(at) if !is_last => end = from + at,
            // It has moved towards the end, by no more than a page if it is found at all.
            None if !is_last => end = end.saturating_add(u64::from(listing.max_page_size)),
            Some(_) | None => {
                window.rows.retain(|row| row.index < wanted);
                window.incomplete = window.incomplete.or(Some(IncompleteReason::Shifted));
                return Ok(window);
            }
        }
    }
    Err(Error::new(ErrorKind::Internal, "a window was never read"))
}

/// The number of rows before a position, where rows are counted.
fn ordinal_of(position: &Position, argument: &str) -> Result<u64> {
    match position {
        Position::Nth(ordinal) | Position::Row(ordinal, _) => Ok(*ordinal),
        Position::Start | Position::Key(_) | Position::At(_) | Position::Token { .. } => {
            Err(Error::invalid(format!(
                "the cursor in `{argument}` does not belong to this list"
            )))
        }
    }
}

/// The total that the provider reports on its smallest page.
async fn count_rows<T, F, R>(listing: &PaginationSpec, fetch: F) -> Result<u64>
where
    T: Row,
    F: Fn(PageRequest) -> R,
    R: Future<Output = Result<Page<T>>>,
{
    let page = fetch(listing.request(&Position::Start, 1)?).await?;
    page.next.total().ok_or_else(uncounted_error::<T>)
}

fn uncounted_error<T: Row>() -> Error {
    let rows = T::PLURAL;
    let message = format!("this provider does not count its {rows}: `last` needs `before`");
    Error::new(ErrorKind::Unsupported, message)
}
