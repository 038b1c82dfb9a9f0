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
    let start = span.after.as_ref().map_or(0, Mark::ordinal);
    let end = match &span.before {
        Some(mark @ Mark::Nth(_)) => mark.ordinal().saturating_sub(1),
        Some(_) => {
            return Err(Error::invalid(
                "the cursor in `before` does not belong to this list",
            ));
        }
        None => reader.count().await?,
    };
    let wanted = u64::from(span.count).min(end.saturating_sub(start));
    let from = if span.from_end {
        end - wanted.min(end)
    } else {
        start
    };
    let wanted = u32::try_from(wanted).unwrap_or(u32::MAX);
    let mut window = reader.forward(Mark::Nth(from), wanted, from > 0).await?;
    window.has_next |= span.before.is_some();
    Ok(window)
}

struct Reader<'a, F> {
    listing: &'a Listing,
    accept: Option<&'a (dyn Fn(&User) -> bool + Sync)>,
    fetch: F,
    total: Option<u64>,
    visited: HashSet<Mark>,
}

impl<F, R> Reader<'_, F>
where
    F: Fn(Ask) -> R,
    R: Future<Output = Result<Page>>,
{
    /// The rows after a mark. Asks for one row more than wanted only where nothing vouches for it.
    async fn forward(&mut self, from: Mark, count: u32, has_previous: bool) -> Result<Window> {
        let count = count as usize;
        let mut window = Window {
            has_previous,
            total: self.total,
            ..Window::default()
        };
        if count == 0 {
            return Ok(window);
        }
        let mut seen = HashSet::new();
        let mut goal = if self.accept.is_some() {
            count + 1
        } else {
            count
        };
        let mut at = from;
        'list: loop {
            if self.is_beyond_reach(&at) {
                window.is_cut = true;
                break;
            }
            let want = u32::try_from(goal - window.rows.len()).unwrap_or(u32::MAX);
            for (ask, page) in self.pages(&at, want).await? {
                if ask.starts_elsewhere(&at) {
                    break;
                }
                for (index, user) in ask.rows(&page) {
                    let is_wanted = self.accept.is_none_or(|accept| accept(user));
                    if !is_wanted || !seen.insert(user.vendor_id.clone()) {
                        continue;
                    }
                    if window.rows.len() == count {
                        window.has_next = true;
                        break 'list;
                    }
                    window.rows.push(Row {
                        user: user.clone(),
                        mark: ask.after(&page, index),
                    });
                }
                let Some((next, is_vouched)) = ask.next(&page) else {
                    break 'list;
                };
                if window.rows.len() == count {
                    if is_vouched && self.accept.is_none() {
                        window.is_cut = self.is_beyond_reach(&next);
                        window.has_next = !window.is_cut;
                        break 'list;
                    }
                    goal = count + 1;
                }
                if !self.visited.insert(next.clone()) || next == at {
                    return Err(Error::malformed("the vendor's list runs in a circle"));
                }
                at = next;
            }
        }
        window.total = self.total;
        Ok(window)
    }

    /// The pages after a mark: one, or as many as hold the rows wanted where their places are known.
    async fn pages(&mut self, at: &Mark, want: u32) -> Result<Vec<(Ask, Page)>> {
        let asks = self.plan(at, want)?;
        if asks.len() == 1 {
            return Ok(vec![self.page(at, want).await?]);
        }
        let fetch = &self.fetch;
        let pages = asks
            .into_iter()
            .map(|ask| async move { Ok((ask.clone(), fetch(ask).await?)) });
        stream::iter(pages).buffered(AHEAD).try_collect().await
    }

    /// One page; when the token of the next page has expired, the page before it once more.
    async fn page(&mut self, at: &Mark, want: u32) -> Result<(Ask, Page)> {
        let ask = self.listing.ask(at, self.within_reach(at, want))?;
        match ((self.fetch)(ask.clone()).await, at.without_next()) {
            (Ok(page), _) => {
                if let super::Next::Total(total) = page.next {
                    self.total = Some(total);
                }
                Ok((ask, page))
            }
            (Err(error), Some(earlier)) if error.kind() == Kind::Expired => {
                let ask = self.listing.ask(&earlier, want)?;
                let page = (self.fetch)(ask.clone()).await?;
                Ok((ask, page))
            }
            (Err(error), _) => Err(error),
        }
    }

    fn plan(&self, at: &Mark, want: u32) -> Result<Vec<Ask>> {
        let mut asks = vec![self.listing.ask(at, self.within_reach(at, want))?];
        let Some(total) = self.total.filter(|_| self.accept.is_none()) else {
            return Ok(asks);
        };
        let end = at.ordinal().saturating_add(u64::from(want)).min(total);
        while let Some(ordinal) = asks.last().map(Ask::end).filter(|&ordinal| ordinal < end) {
            let mark = Mark::Nth(ordinal);
            let left = u32::try_from(end - ordinal).unwrap_or(u32::MAX);
            if self.is_beyond_reach(&mark) {
                break;
            }
            asks.push(self.listing.ask(&mark, self.within_reach(&mark, left))?);
        }
        Ok(asks)
    }

    fn is_beyond_reach(&self, at: &Mark) -> bool {
        self.listing
            .reach
            .is_some_and(|reach| at.ordinal() >= reach)
    }

    fn within_reach(&self, at: &Mark, want: u32) -> u32 {
        let left = self
            .listing
            .reach
            .map_or(u64::from(want), |reach| reach.saturating_sub(at.ordinal()));
        want.min(u32::try_from(left).unwrap_or(want))
    }

    /// How many rows the list has: the vendor's word on its smallest page.
    async fn count(&mut self) -> Result<u64> {
        self.page(&Mark::Start, 1).await?;
        self.total.ok_or_else(|| {
            Error::new(
                Kind::Unsupported,
                "this vendor does not count its users: `last` needs `before`",
            )
        })
    }
}

impl Ask {
    /// The ordinal behind the page, for pagings that count rows.
    fn end(&self) -> u64 {
        self.ordinal + u64::from(self.size)
    }

    /// Whether a page that was asked for ahead is not the one that follows: an earlier one was short.
    fn starts_elsewhere(&self, at: &Mark) -> bool {
        self.listing.is_ordinal() && self.ordinal + u64::from(self.skip) != at.ordinal()
    }
}
