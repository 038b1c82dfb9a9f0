//! How a reading asks for its next page: one, or several side by side, and other ways on where the
//! provider no longer knows the first.

use std::{collections::VecDeque, time::Duration};

use futures_util::{StreamExt, stream};

use super::{
    super::{NextPage, Page, PageAddress, PageRequest, Paging, Position, Row},
    IncompleteReason, PageReader,
};
use crate::error::{Error, ErrorKind, Result};

/// How far apart in time pages may have been read that were kept and are joined: as far as one slow
/// request reads them.
const TOGETHER: Duration = Duration::from_secs(10);

impl<T, F, R> PageReader<T, F>
where
    T: Row,
    F: Fn(PageRequest) -> R,
    R: Future<Output = Result<Page<T>>>,
{
    /// The page at the position: one that was asked for ahead if it is of use, else one that is asked for.
    pub(super) async fn next_page(
        &mut self,
        want: u32,
        ahead: usize,
    ) -> Result<(PageRequest, Page<T>)> {
        if let Some((request, page)) = self.ahead.pop_front() {
            let page = page?;
            let begins_before = request.ordinal < self.at.ordinal();
            if begins_before
                && request.end() > self.at.ordinal()
                && self.knows_one_of(&request, &page)
            {
                return Ok((request, page));
            }
            self.ahead.clear();
            self.shifts = true;
        }
        let mut requests = self.plan(want, ahead)?;
        if requests.len() > 1 {
            let first = requests.remove(0);
            let fetched = self.fetch_all(first, requests, ahead).await;
            self.pages += u32::try_from(fetched.len()).unwrap_or(u32::MAX);
            self.ahead = fetched;
            if let Some((request, page)) = self.ahead.pop_front() {
                return Ok((request, page?));
            }
        }
        let mut at = self.at.clone();
        loop {
            let mut request = self.request(&at, want)?;
            let error = match self.fetch(&request).await {
                Ok(page) if !self.take_size(&mut request, &page) => continue,
                Ok(page) if !self.is_a_dead_end(&page) => return Ok((request, page)),
                Ok(page) => match self.try_detours(want).await {
                    Some(better) => return Ok(better),
                    // Not even the row before, behind which there is this one, is known.
                    None => {
                        self.incomplete = Some(IncompleteReason::Shifted);
                        return Ok((request, page));
                    }
                },
                Err(error) => error,
            };
            match self.detours.pop().filter(|_| self.is_stale(&error)) {
                Some(detour) => at = detour,
                None => return Err(error),
            }
        }
    }

    /// The request for the page at a position. Where a list of keys is read from its start for want of a row
    /// that is known, those up to the row that was named are not wanted.
    pub(super) fn request(&self, at: &Position, want: u32) -> Result<PageRequest> {
        let request = self.listing.request(at, want)?;
        let is_restart = self.listing.paging == Paging::Key && *at == Position::Start;
        Ok(match self.at.anchor().filter(|_| is_restart) {
            Some(anchor) => PageRequest {
                overlaps: true,
                ..request.anchored(Some(anchor))
            },
            None => request,
        })
    }

    /// Takes note of the size of the provider's pages, where it gives fewer rows than it is asked for:
    /// their numbers count pages of that size. One that is smaller than the page itself is wrong. Whether
    /// the page is the one that was asked for.
    pub(super) fn take_size(&mut self, request: &mut PageRequest, page: &Page<T>) -> bool {
        let is_less = |size: &u32| {
            (self.listing.min..request.size).contains(size) && page.sent <= *size as usize
        };
        let is_by_number = matches!(request.place, PageAddress::Page(_));
        let is_guess = page.next == NextPage::Silent;
        let size = page.size.filter(is_less);
        let size = size.filter(|_| !(is_guess && self.is_size_guessed));
        let Some(size) = size.filter(|_| is_by_number) else {
            return true;
        };
        self.listing.max = size;
        self.is_size_guessed = is_guess;
        (request.listing, request.size) = (self.listing, size);
        request.ordinal == 0
    }

    /// Learns the true size of pages that are counted in rows: two pages one after another are equally short,
    /// and the provider says that there is more. One alone may lack rows.
    pub(super) fn learn_size(&mut self, request: &PageRequest, page: &Page<T>) {
        let sent = u32::try_from(page.sent).unwrap_or(u32::MAX);
        let is_by_row = matches!(request.place, PageAddress::Offset(_));
        let is_short = (self.listing.min.max(2)..request.size).contains(&sent);
        let is_promised = request.more(page) == Some(true);
        let short = Some(sent).filter(|_| is_by_row && is_short && is_promised);
        if short.is_some() && short == self.short {
            self.listing.max = sent;
        }
        self.short = short;
    }

    pub(super) async fn fetch(&mut self, request: &PageRequest) -> Result<Page<T>> {
        self.pages += 1;
        let since = self.since;
        (self.fetch)(PageRequest {
            since,
            ..request.clone()
        })
        .await?
        .checked()
    }

    /// Pages that are asked for side by side, in order; what follows an error is dropped.
    pub(super) async fn fetch_all(
        &self,
        first: PageRequest,
        others: Vec<PageRequest>,
        ahead: usize,
    ) -> VecDeque<(PageRequest, Result<Page<T>>)> {
        let (fetch, since) = (&self.fetch, self.since);
        let requests = std::iter::once(first).chain(others);
        let pages = requests.map(|request| async move {
            let asked = PageRequest {
                since,
                ..request.clone()
            };
            let page = fetch(asked).await.and_then(Page::checked);
            (request, page)
        });
        let mut pages = stream::iter(pages).buffered(ahead);
        let mut fetched = VecDeque::new();
        while let Some((request, page)) = pages.next().await {
            let is_failed = page.is_err();
            fetched.push_back((request, page));
            if is_failed {
                break;
            }
        }
        fetched
    }

    /// The requests for the pages after the position: one, or as many as hold the rows wanted where their
    /// places are known.
    pub(super) fn plan(&self, want: u32, ahead: usize) -> Result<Vec<PageRequest>> {
        let mut requests = vec![self.listing.request(&self.at, want)?];
        let Some(total) = self
            .total
            .filter(|_| ahead > 1 && !self.shifts && self.listing.is_ordinal())
            // Where the next page begins hangs on the size of this one.
            .filter(|_| self.short.is_none())
        else {
            return Ok(requests);
        };
        let end = self.at.ordinal().saturating_add(u64::from(want)).min(total);
        while let Some(from) = requests
            .last()
            .map(PageRequest::end)
            .filter(|&from| from < end)
        {
            let left = u32::try_from(end - from).unwrap_or(u32::MAX);
            if self.listing.is_beyond_max_rows(&Position::Nth(from)) {
                break;
            }
            match self.listing.overlapping(from, left) {
                Some(request) => requests.push(request),
                None => break,
            }
        }
        Ok(requests)
    }

    /// Whether a page says that nothing follows a place that the provider may not know any more: it
    /// answers so where others answer an error.
    pub(super) fn is_a_dead_end(&self, page: &Page<T>) -> bool {
        let is_end = page.next == NextPage::Key(None);
        is_end && page.sent == 0 && !self.detours.is_empty()
    }

    /// The page behind a row further up, where there is one.
    pub(super) async fn try_detours(&mut self, want: u32) -> Option<(PageRequest, Page<T>)> {
        while let Some(detour) = self.detours.pop() {
            let request = self.request(&detour, want).ok()?;
            match self.fetch(&request).await {
                Ok(page) if page.sent > 0 => return Some((request, page)),
                Ok(_) | Err(_) => {}
            }
        }
        None
    }

    /// Whether a provider may have forgotten the place that it named itself, or that a row named.
    pub(super) fn is_stale(&self, error: &Error) -> bool {
        matches!(
            (self.listing.paging, error.kind()),
            (Paging::Token, ErrorKind::Expired)
                | (
                    Paging::Key,
                    ErrorKind::Expired | ErrorKind::Rejected | ErrorKind::Missing
                )
        )
    }

    /// Whether a page is not as old as those before it: some were kept and others were not, or they were
    /// kept at different times.
    pub(super) fn is_of_another_age(&mut self, page: &Page<T>) -> bool {
        let kept = page.kept.filter(|at| *at < self.began);
        let Some(first) = self.first else {
            self.first = Some(kept);
            if kept.is_none() {
                self.since = Some(self.began);
            }
            return false;
        };
        match (first, kept) {
            (Some(first), Some(this)) => {
                let apart = this.max(first).saturating_duration_since(this.min(first));
                apart > TOGETHER
            }
            (Some(_), None) => true,
            (None, _) => false,
        }
    }
}
