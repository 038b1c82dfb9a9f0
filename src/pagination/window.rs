//! A window: the slice of a list that a Relay connection asks for, made of as few pages as can be.

use super::{
    IncompleteReason, Listing, Page, PageRequest, Position, Row,
    reader::{PageReader, ReadStep},
};
use crate::error::{Error, ErrorKind, Result};

/// How many pages of one window are asked for at the same time, where the provider has said how many
/// rows there are and any page can be asked for.
const AHEAD: usize = 4;

/// One row of a window.
#[derive(Clone, Debug)]
pub struct WindowRow<T> {
    /// The row itself.
    pub node: T,
    /// The point just after it, from which the list resumes.
    pub position: Position,
    /// How many rows were read before it, those that cannot be read included.
    place: u64,
}

/// Part of a list.
#[derive(Clone, Debug)]
pub struct Window<T> {
    /// The rows.
    pub rows: Vec<WindowRow<T>>,
    /// Whether there are rows behind the last.
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
    /// A number for each row that cannot be read.
    pub unreadable: Vec<u64>,
}

/// Which part of a list is wanted: a number of rows between two positions, from one end or the other.
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
pub struct Accept<'a, T> {
    /// Whether a row does.
    pub belongs: &'a (dyn Fn(&T) -> bool + Sync),
    /// Whether the provider says that it gives no others. It is believed until it gives one.
    pub is_exact: bool,
}

impl<T> Clone for Accept<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Accept<'_, T> {}

/// Reads one window of a list. `accept` says which rows belong to it; without it every row does. Where
/// the provider gives no others, no row more than needed is read. A window of no rows reads one, to know
/// whether there is any.
///
/// # Errors
/// What `fetch` answers; `Invalid` for a position of another paging; `Unsupported` when the list is to be
/// read backwards and cannot be; `Malformed` when the list runs in a circle.
pub async fn window<T, F, R>(
    listing: &Listing,
    range: &ListRange,
    accept: Option<Accept<'_, T>>,
    fetch: F,
) -> Result<Window<T>>
where
    T: Row,
    F: Fn(PageRequest) -> R,
    R: Future<Output = Result<Page<T>>>,
{
    if range.before.is_none() && !range.from_end {
        let position = range.after.clone().unwrap_or(Position::Start);
        let mut window = forward(listing, position, range.count.max(1), accept, &fetch).await?;
        window.has_previous = range.after.is_some();
        if range.count == 0 {
            window.has_next |= !window.rows.is_empty();
            window.rows.clear();
        }
        return Ok(window);
    }
    if accept.is_some_and(|accept| !accept.is_exact) || !listing.is_ordinal() {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "this list cannot be read backwards: use `first` and `after`",
        ));
    }
    let mut window = ending_at(listing, range, &fetch).await?;
    let rows = window.rows.len();
    window
        .rows
        .retain(|row| accept.is_none_or(|accept| (accept.belongs)(&row.node)));
    window.total = window.total.filter(|_| window.rows.len() == rows);
    Ok(window)
}

/// A window that ends at a position or at the end of the list.
async fn ending_at<T, F, R>(listing: &Listing, range: &ListRange, fetch: F) -> Result<Window<T>>
where
    T: Row,
    F: Fn(PageRequest) -> R,
    R: Future<Output = Result<Page<T>>>,
{
    // Nobody is counted at the end of a list that counts them; elsewhere one row tells.
    if range.count > 0 || range.before.is_none() {
        return backward(listing, range, &fetch).await;
    }
    let one = ListRange {
        count: 1,
        ..range.clone()
    };
    let mut window = backward(listing, &one, &fetch).await?;
    window.has_next = true;
    if range.from_end {
        window.has_previous |= !window.rows.is_empty();
    }
    window.rows.clear();
    Ok(window)
}

/// The rows after a position. Reads past them only where nothing vouches for what follows.
async fn forward<T, F, R>(
    listing: &Listing,
    from: Position,
    count: u32,
    accept: Option<Accept<'_, T>>,
    fetch: F,
) -> Result<Window<T>>
where
    T: Row,
    F: Fn(PageRequest) -> R,
    R: Future<Output = Result<Page<T>>>,
{
    let mut window = Window::default();
    let mut reading = PageReader::new(*listing, from, fetch);
    let is_exact = accept.is_none_or(|accept| accept.is_exact);
    let at_first = count.saturating_add(u32::from(!is_exact));
    // Where it gives rows that do not belong to the window, nobody knows how far the next one is.
    let mut is_believed = is_exact;
    let (mut want, mut places) = (at_first, 0);
    'list: loop {
        let ahead = if is_believed { AHEAD } else { 1 };
        let brought = match reading.step(want, ahead).await {
            Ok(ReadStep::Page(brought)) => brought,
            Ok(ReadStep::Again) => {
                window.rows.clear();
                (want, places, is_believed) = (at_first, 0, is_exact);
                continue;
            }
            Ok(ReadStep::Beyond) => {
                window.is_truncated = true;
                break;
            }
            Err(error) if is_late(&error) && !window.rows.is_empty() => {
                (window.has_next, window.failure) = (true, Some(error));
                reading.incomplete = Some(IncompleteReason::Late);
                break;
            }
            Err(error) => return Err(error),
        };
        for (row, position) in brought.rows {
            let place = places;
            places += 1;
            let belongs = accept.is_none_or(|accept| (accept.belongs)(&row));
            is_believed &= belongs || row.is_unreadable();
            let row = WindowRow {
                node: row,
                position,
                place,
            };
            if belongs && !window.take(row, count) {
                break 'list;
            }
        }
        let Some(is_vouched) = brought.more else {
            break;
        };
        let is_full = window.rows.len() == count as usize;
        if is_full && is_vouched && is_believed {
            window.is_truncated = reading.is_beyond_max_rows();
            window.has_next = !window.is_truncated;
            break;
        }
        want = if is_believed {
            left(count, &window)
        } else {
            listing.max
        };
    }
    window.total = reading.total.filter(|_| is_believed);
    (window.incomplete, window.unreadable) = (reading.incomplete, reading.unreadable);
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
    /// Adds a row that can be read. False when the window is full: then the row is the next one.
    fn take(&mut self, row: WindowRow<T>, count: u32) -> bool {
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
fn left<T>(count: u32, window: &Window<T>) -> u32 {
    let rows = u32::try_from(window.rows.len()).unwrap_or(u32::MAX);
    count.saturating_sub(rows).max(1)
}

/// Whether it was the time that was over.
fn is_late(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Late | ErrorKind::TimedOut)
}

/// How often the row that `before` names is looked for where it is now.
const RELOCATIONS: u32 = 2;

/// The rows between two positions, from one end or the other, where rows are counted.
async fn backward<T, F, R>(listing: &Listing, range: &ListRange, fetch: F) -> Result<Window<T>>
where
    T: Row,
    F: Fn(PageRequest) -> R,
    R: Future<Output = Result<Page<T>>>,
{
    let start = match &range.after {
        None => 0,
        Some(position) => place_of(position, "after")?,
    };
    let (mut end, total) = match &range.before {
        None if !listing.is_counted => return Err(uncounted::<T>()),
        None => {
            let total = count(listing, &fetch).await?;
            (total, Some(total))
        }
        Some(position) => (place_of(position, "before")?.saturating_sub(1), None),
    };
    let border = range.before.as_ref().and_then(Position::anchor);
    for is_last in (0..=RELOCATIONS).map(|tries| tries == RELOCATIONS) {
        let wanted = u64::from(range.count).min(end.saturating_sub(start));
        let from = if range.from_end { end - wanted } else { start };
        let position = match &range.after {
            Some(after) if from == start => after.clone(),
            _ => Position::Nth(from),
        };
        // Up to the row that `before` names, where the window ends at it: so it is seen to be there.
        let is_bordered = border.is_some() && from + wanted == end;
        let reading = u32::try_from(wanted + u64::from(is_bordered)).unwrap_or(u32::MAX);
        if reading == 0 {
            return Ok(Window {
                has_previous: end > 0 && from > 0 || start > 0,
                has_next: range.before.is_some(),
                total,
                ..Window::default()
            });
        }
        let mut window = forward(listing, position, reading, None, &fetch).await?;
        (window.has_previous, window.total) = (from > 0, window.total);
        window.has_next |= range.before.is_some();
        let Some(border) = border else {
            if range.before.is_some() && from + wanted == end {
                window.rows.retain(|row| row.place < wanted);
            }
            return Ok(window);
        };
        let mut rows = window.rows.iter();
        let at = rows.find(|row| row.node.key() == border.row());
        match at.map(|row| row.place) {
            Some(at) if !is_bordered || at == wanted => {
                window.rows.retain(|row| row.place < at);
                return Ok(window);
            }
            None if !is_bordered => return Ok(window),
            // It has moved towards the start.
            Some(at) if !is_last => end = from + at,
            // It has moved towards the end, by no more than a page if it is found at all.
            None if !is_last => end = end.saturating_add(u64::from(listing.max)),
            Some(_) | None => {
                window.rows.retain(|row| row.place < wanted);
                window.incomplete = window.incomplete.or(Some(IncompleteReason::Shifted));
                return Ok(window);
            }
        }
    }
    Err(Error::new(ErrorKind::Internal, "a window was never read"))
}

/// How many rows are before the position of a row, where rows are counted.
fn place_of(position: &Position, argument: &str) -> Result<u64> {
    match position {
        Position::Nth(ordinal) | Position::Row(ordinal, _) => Ok(*ordinal),
        Position::Start | Position::Key(_) | Position::At(_) | Position::Token { .. } => {
            Err(Error::invalid(format!(
                "the cursor in `{argument}` does not belong to this list"
            )))
        }
    }
}

/// How many rows the list has: the provider's word on its smallest page.
async fn count<T, F, R>(listing: &Listing, fetch: F) -> Result<u64>
where
    T: Row,
    F: Fn(PageRequest) -> R,
    R: Future<Output = Result<Page<T>>>,
{
    let page = fetch(listing.request(&Position::Start, 1)?).await?;
    page.next.total().ok_or_else(uncounted::<T>)
}

fn uncounted<T: Row>() -> Error {
    let rows = T::PLURAL;
    let message = format!("this provider does not count its {rows}: `last` needs `before`");
    Error::new(ErrorKind::Unsupported, message)
}
