//! A window: the slice of a list that a Relay connection asks for, made of as few pages as can be.

use std::collections::HashSet;

use futures_util::{StreamExt, TryStreamExt, stream};

use super::{Ask, Listing, Mark, Page};
use crate::{
    error::{Error, Kind, Result},
    user::User,
};

/// How many pages of one window are asked for at the same time, where the vendor has said how many
/// rows there are and any page can be asked for.
const AHEAD: usize = 4;

/// One row of a window.
#[derive(Clone, Debug)]
pub struct Row {
    /// The user.
    pub user: User,
    /// The point just after it, from which the list resumes.
    pub mark: Mark,
}

/// Part of a list.
#[derive(Clone, Debug, Default)]
pub struct Window {
    /// The rows.
    pub rows: Vec<Row>,
    /// Whether there are rows behind the last.
    pub has_next: bool,
    /// Whether there are rows before the first.
    pub has_previous: bool,
    /// How many rows the whole list has, where the vendor says so.
    pub total: Option<u64>,
    /// Whether the window ends where the vendor refuses to page further, with rows left.
    pub is_cut: bool,
}

/// Which part of a list is wanted: a number of rows between two marks, from one end or the other.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Span {
    /// The point after which the window starts.
    pub after: Option<Mark>,
    /// The mark of the row before which the window ends.
    pub before: Option<Mark>,
    /// How many rows.
    pub count: u32,
    /// Whether the rows nearest to the end are wanted rather than those nearest to the start.
    pub from_end: bool,
}

/// Reads one window of a list. `accept` says which rows belong to it, when the vendor's own filter
/// cannot be trusted; without it every row does, and no row more than needed is read.
///
/// # Errors
/// What `fetch` answers; `Invalid` for a mark of another paging; `Unsupported` when the list is to be
/// read backwards and cannot be; `Malformed` when the list runs in a circle.
pub async fn window<F, R>(
    listing: &Listing,
    span: &Span,
    accept: Option<&(dyn Fn(&User) -> bool + Sync)>,
    fetch: F,
) -> Result<Window>
where
    F: Fn(Ask) -> R,
    R: Future<Output = Result<Page>>,
{
    if span.count == 0 {
        return Ok(Window {
            has_previous: span.after.is_some(),
            ..Window::default()
        });
    }
    let mut reader = Reader {
        listing,
        accept,
        fetch,
        total: None,
        seen: HashSet::new(),
        repeated: 0,
        visited: HashSet::new(),
    };
    if span.before.is_none() && !span.from_end {
        let mark = span.after.clone().unwrap_or(Mark::Start);
        return reader.forward(mark, span.count, span.after.is_some()).await;
    }
    if accept.is_some() || !listing.is_ordinal() {
        return Err(Error::new(
            Kind::Unsupported,
            "this list cannot be read backwards: use `first` and `after`",
        ));
    }
    let start = match &span.after {
        None => 0,
        Some(mark) => place_of(mark, "after")?,
    };
    let end = match &span.before {
        None if !listing.is_counted => return Err(uncounted()),
        None => reader.count().await?,
        Some(mark) => place_of(mark, "before")?.saturating_sub(1),
    };
    let wanted = u64::from(span.count).min(end.saturating_sub(start));
    let from = if span.from_end { end - wanted } else { start };
    let wanted = u32::try_from(wanted).unwrap_or(u32::MAX);
    let mut window = reader.forward(Mark::Nth(from), wanted, from > 0).await?;
    window.has_next |= span.before.is_some();
    Ok(window)
}

/// How many rows are before the mark of a row, where rows are counted.
fn place_of(mark: &Mark, argument: &str) -> Result<u64> {
    match mark {
        Mark::Nth(ordinal) => Ok(*ordinal),
        Mark::Start | Mark::Key(_) | Mark::At(_) | Mark::Token { .. } => Err(Error::invalid(
            format!("the cursor in `{argument}` does not belong to this list"),
        )),
    }
}

struct Reader<'a, F> {
    listing: &'a Listing,
    accept: Option<&'a (dyn Fn(&User) -> bool + Sync)>,
    fetch: F,
    total: Option<u64>,
    /// The ids of the rows read.
    seen: HashSet<String>,
    /// How many rows in succession had been read before.
    repeated: u32,
    /// The marks after the pages read.
    visited: HashSet<Mark>,
}

impl<F, R> Reader<'_, F>
where
    F: Fn(Ask) -> R,
    R: Future<Output = Result<Page>>,
{
    /// The rows after a mark. Reads past them only where nothing vouches for what follows.
    async fn forward(&mut self, from: Mark, count: u32, has_previous: bool) -> Result<Window> {
        let mut window = Window {
            has_previous,
            ..Window::default()
        };
        let mut want = match self.accept {
            Some(_) => count.saturating_add(1),
            None => count,
        };
        let mut at = from;
        'list: while want > 0 {
            if self.listing.is_beyond_reach(&at) {
                window.is_cut = true;
                break;
            }
            for (ask, page) in self.pages(&at, want).await? {
                if ask.starts_elsewhere(&at) {
                    break;
                }
                window.has_next = self.take(&ask, &page, count, &mut window.rows);
                if window.has_next {
                    break 'list;
                }
                let Some((next, is_vouched)) = ask.next(&page) else {
                    break 'list;
                };
                let is_full = window.rows.len() == count as usize;
                if is_full && is_vouched && self.accept.is_none() {
                    window.is_cut = self.listing.is_beyond_reach(&next);
                    window.has_next = !window.is_cut;
                    break 'list;
                }
                self.advance(&mut at, next)?;
            }
            want = match self.accept {
                // Nobody knows how far the next row is that belongs to the window.
                Some(_) => self.listing.max,
                None => u32::try_from(count as usize - window.rows.len())
                    .unwrap_or(u32::MAX)
                    .max(1),
            };
        }
        window.total = self.total.filter(|_| self.accept.is_none());
        Ok(window)
    }

    /// Adds to a window what a page brings, up to `count` rows; whether the page brings more.
    fn take(&mut self, ask: &Ask, page: &Page, count: u32, rows: &mut Vec<Row>) -> bool {
        for (index, user) in ask.rows(page) {
            if !self.seen.insert(user.vendor_id.clone()) {
                self.repeated += 1;
                continue;
            }
            self.repeated = 0;
            if self.accept.is_some_and(|accept| !accept(user)) {
                continue;
            }
            if rows.len() == count as usize {
                return true;
            }
            rows.push(Row {
                user: user.clone(),
                mark: ask.after(page, index),
            });
        }
        false
    }

    /// Goes on to the next mark, unless the list runs in a circle: the mark has been there before, or
    /// more rows than any page holds had all been read before.
    fn advance(&mut self, at: &mut Mark, next: Mark) -> Result<()> {
        let is_known = next == *at || !self.visited.insert(next.clone());
        if is_known || self.repeated > self.listing.max {
            return Err(Error::malformed("the vendor's list runs in a circle"));
        }
        *at = next;
        Ok(())
    }

    /// The pages after a mark: one, or as many as hold the rows wanted where their places are known.
    async fn pages(&mut self, at: &Mark, want: u32) -> Result<Vec<(Ask, Page)>> {
        let asks = self.plan(at, want)?;
        if asks.len() == 1 {
            return Ok(vec![self.page(at, want).await?]);
        }
        let fetch = &self.fetch;
        let pages = asks.into_iter().map(|ask| async move {
            let page = fetch(ask.clone()).await?.checked()?;
            Ok((ask, page))
        });
        stream::iter(pages).buffered(AHEAD).try_collect().await
    }

    /// One page; when the token of the next page has expired, the page before it once more.
    async fn page(&mut self, at: &Mark, want: u32) -> Result<(Ask, Page)> {
        let ask = self.listing.ask(at, want)?;
        match ((self.fetch)(ask.clone()).await, at.without_next()) {
            (Ok(page), _) => {
                let page = page.checked()?;
                self.total = page.next.total().or(self.total);
                Ok((ask, page))
            }
            (Err(error), Some(earlier)) if error.kind() == Kind::Expired => {
                let ask = self.listing.ask(&earlier, want)?;
                let page = (self.fetch)(ask.clone()).await?.checked()?;
                Ok((ask, page))
            }
            (Err(error), _) => Err(error),
        }
    }

    fn plan(&self, at: &Mark, want: u32) -> Result<Vec<Ask>> {
        let mut asks = vec![self.listing.ask(at, want)?];
        let is_countable = self.listing.is_ordinal() && self.accept.is_none();
        let Some(total) = self.total.filter(|_| is_countable) else {
            return Ok(asks);
        };
        let end = at.ordinal().saturating_add(u64::from(want)).min(total);
        while let Some(ordinal) = asks.last().map(Ask::end).filter(|&ordinal| ordinal < end) {
            let mark = Mark::Nth(ordinal);
            let left = u32::try_from(end - ordinal).unwrap_or(u32::MAX);
            if self.listing.is_beyond_reach(&mark) {
                break;
            }
            asks.push(self.listing.ask(&mark, left)?);
        }
        Ok(asks)
    }

    /// How many rows the list has: the vendor's word on its smallest page.
    async fn count(&mut self) -> Result<u64> {
        self.page(&Mark::Start, 1).await?;
        self.total.ok_or_else(uncounted)
    }
}

fn uncounted() -> Error {
    let message = "this vendor does not count its users: `last` needs `before`";
    Error::new(Kind::Unsupported, message)
}

impl Ask {
    /// Whether a page that was asked for ahead is not the one that follows: an earlier one was short.
    fn starts_elsewhere(&self, at: &Mark) -> bool {
        self.listing.is_ordinal() && self.ordinal + u64::from(self.skip) != at.ordinal()
    }
}
