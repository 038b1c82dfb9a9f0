//! Requests the next page: one page, or several in parallel, and earlier positions where the
//! provider no longer knows the current one.

use std::{collections::VecDeque, time::Duration};

use futures_util::{StreamExt, stream};

use super::{
    super::{NextPage, Page, PageAddress, PageRequest, PaginationStrategy, Position, Row},
    IncompleteReason, PageReader,
};
use crate::error::{Error, ErrorKind, Result};

/// The largest difference in age of cached pages that are joined: as long as one slow request may
/// take.
const MAX_AGE_GAP: Duration = Duration::from_secs(10);

impl<T, F, R> PageReader<T, F>
where
    T: Row,
    F: Fn(PageRequest) -> R,
    R: Future<Output = Result<Page<T>>>,
{
    /// The page at the position: a prefetched one if it fits, else a new one.
    pub(super) async fn next_page(
        &mut self,
        want: u32,
        ahead: usize,
    ) -> Result<(PageRequest, Page<T>)> {
        if let Some((request, page)) = self.prefetched.pop_front() {
            let page = page?;
            let begins_before = request.first_row < self.position.ordinal();
            if begins_before
                && request.end() > self.position.ordinal()
                && self.holds_read_row(&request, &page)
            {
                return Ok((request, page));
            }
            self.prefetched.clear();
            self.has_shifted = true;
        }
        let mut requests = self.plan_requests(want, ahead)?;
        if requests.len() > 1 {
            let first = requests.remove(0);
            let fetched = self.fetch_all(first, requests, ahead).await;
            self.pages += u32::try_from(fetched.len()).unwrap_or(u32::MAX);
            self.prefetched = fetched;
            if let Some((request, page)) = self.prefetched.pop_front() {
                return Ok((request, page?));
            }
        }
        let mut at = self.position.clone();
        loop {
            let mut request = self.request(&at, want)?;
            let error = match self.fetch(&request).await {
                Ok(page) if !self.adopt_page_size(&mut request, &page) => continue,
                Ok(page) if !self.is_doubtful_end(&page) => return Ok((request, page)),
                Ok(page) => match self.try_fallbacks(want).await {
                    Some(better) => return Ok(better),
                    // The provider knows none of the earlier rows either.
                    None => {
                        self.incomplete = Some(IncompleteReason::Shifted);
                        return Ok((request, page));
                    }
                },
                Err(error) => error,
            };
            match self
                .fallbacks
                .pop()
                .filter(|_| self.is_position_expired(&error))
            {
                Some(fallback) => at = fallback,
                None => return Err(error),
            }
        }
    }

    /// The request for the page at a position. Where a list of keys is read from its start again,
    /// because the provider knows no row, the rows up to the current position are not wanted.
    pub(super) fn request(&self, at: &Position, want: u32) -> Result<PageRequest> {
        let request = self.pagination.request(at, want)?;
        let is_restart =
            self.pagination.strategy == PaginationStrategy::Key && *at == Position::Start;
        Ok(match self.position.anchor().filter(|_| is_restart) {
            Some(anchor) => PageRequest {
                overlaps: true,
                ..request.with_anchor(Some(anchor))
            },
            None => request,
        })
    }

    /// Adopts the provider's page size, where it is smaller than requested: page numbers count
    /// pages of that size. A size below the number of rows in the page is wrong and ignored.
    /// Returns whether the page is the requested one.
    pub(super) fn adopt_page_size(&mut self, request: &mut PageRequest, page: &Page<T>) -> bool {
        let is_less = |size: &u32| {
            (self.pagination.min_page_size..request.size).contains(size)
                && page.row_count <= *size as usize
        };
        let is_by_number = matches!(request.address, PageAddress::Page(_));
        let is_guess = page.next == NextPage::Silent;
        let size = page.size.filter(is_less);
        let size = size.filter(|_| !(is_guess && self.is_size_guessed));
        let Some(size) = size.filter(|_| is_by_number) else {
            return true;
        };
        self.pagination.max_page_size = size;
        self.is_size_guessed = is_guess;
        (request.pagination, request.size) = (self.pagination, size);
        request.first_row == 0
    }

    /// Learns the largest page size of a list of offsets: two pages in sequence are equally short,
    /// and the provider confirms that there are more rows. A single short page may just lack rows.
    pub(super) fn learn_max_size(&mut self, request: &PageRequest, page: &Page<T>) {
        let sent = u32::try_from(page.row_count).unwrap_or(u32::MAX);
        let is_by_row = matches!(request.address, PageAddress::Offset(_));
        let is_short = (self.pagination.min_page_size.max(2)..request.size).contains(&sent);
        let is_promised = request.more(page) == Some(true);
        let short = Some(sent).filter(|_| is_by_row && is_short && is_promised);
        if short.is_some() && short == self.short_size {
            self.pagination.max_page_size = sent;
        }
        self.short_size = short;
    }

    /// Fetches one page.
    pub(super) async fn fetch(&mut self, request: &PageRequest) -> Result<Page<T>> {
        self.pages += 1;
        let since = self.since;
        (self.fetch)(PageRequest {
            since,
            ..request.clone()
        })
        .await?
        .validate_token()
    }

    /// Fetches pages in parallel and returns them in order, up to the first error.
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
            let page = fetch(asked).await.and_then(Page::validate_token);
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

    /// The requests for the pages after the position: one, or as many as hold the rows wanted,
    /// where the total is known.
    pub(super) fn plan_requests(&self, want: u32, ahead: usize) -> Result<Vec<PageRequest>> {
        let mut requests = vec![self.pagination.request(&self.position, want)?];
        let Some(total) = self
            .total
            .filter(|_| ahead > 1 && !self.has_shifted && self.pagination.has_row_numbers())
            // The start of the next page depends on the size of this one.
            .filter(|_| self.short_size.is_none())
        else {
            return Ok(requests);
        };
        let end = self
            .position
            .ordinal()
            .saturating_add(u64::from(want))
            .min(total);
        while let Some(from) = requests
            .last()
            .map(PageRequest::end)
            .filter(|&from| from < end)
        {
            let left = u32::try_from(end - from).unwrap_or(u32::MAX);
            if self.pagination.is_beyond_max_rows(&Position::Nth(from)) {
                break;
            }
            match self.pagination.overlapping_request(from, left) {
                Some(request) => requests.push(request),
                None => break,
            }
        }
        Ok(requests)
    }

    /// Whether an empty last page may mean that the provider no longer knows the key: some
    /// providers answer it so, others with an error.
    pub(super) fn is_doubtful_end(&self, page: &Page<T>) -> bool {
        let is_end = page.next == NextPage::Key(None);
        is_end && page.row_count == 0 && !self.fallbacks.is_empty()
    }

    /// The page after an earlier row, if there is one.
    pub(super) async fn try_fallbacks(&mut self, want: u32) -> Option<(PageRequest, Page<T>)> {
        while let Some(fallback) = self.fallbacks.pop() {
            let request = self.request(&fallback, want).ok()?;
            match self.fetch(&request).await {
                Ok(page) if page.row_count > 0 => return Some((request, page)),
                Ok(_) | Err(_) => {}
            }
        }
        None
    }

    /// Whether an error means that the provider no longer knows the token or the key.
    pub(super) fn is_position_expired(&self, error: &Error) -> bool {
        matches!(
            (self.pagination.strategy, error.kind()),
            (PaginationStrategy::Token, ErrorKind::Expired)
                | (
                    PaginationStrategy::Key,
                    ErrorKind::Expired | ErrorKind::Rejected | ErrorKind::Missing
                )
        )
    }

    /// Whether a page differs in age from those before it: some came from the cache and others did
    /// not, or they were cached at different times.
    pub(super) fn has_different_age(&mut self, page: &Page<T>) -> bool {
        let kept = page.cached_at.filter(|at| *at < self.started_at);
        let Some(first) = self.first_cached_at else {
            self.first_cached_at = Some(kept);
            if kept.is_none() {
                self.since = Some(self.started_at);
            }
            return false;
        };
        match (first, kept) {
            (Some(first), Some(this)) => {
                let apart = this.max(first).saturating_duration_since(this.min(first));
                apart > MAX_AGE_GAP
            }
            (Some(_), None) => true,
            (None, _) => false,
        }
    }
}
