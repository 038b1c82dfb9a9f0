//! Finds the position again after rows have shifted.

use super::{
    super::{IncompleteReason, Page, PageAddress, PageRequest, Position, Row},
    PageReader,
};
use crate::error::Result;

/// The extra calls that may be made to find one position.
const SEARCHES_PER_POSITION: u64 = 4;

impl<T, F, R> PageReader<T, F>
where
    T: Row,
    F: Fn(PageRequest) -> R,
    R: Future<Output = Result<Page<T>>>,
{
    /// A page that continues the rows read so far: this one, or another where rows have shifted.
    pub(super) async fn aligned(
        &mut self,
        request: PageRequest,
        page: Page<T>,
        want: u32,
    ) -> Result<(PageRequest, Page<T>)> {
        if request.is_empty_with_next(&page) {
            // Which rows it should have held is unknown.
            self.incomplete = self.incomplete.or(Some(IncompleteReason::Empty));
            return Ok((request, page));
        }
        if !request.overlaps || self.holds_read_row(&request, &page) {
            return Ok((request, page));
        }
        match request.address {
            PageAddress::Page(_) | PageAddress::Offset(_) => {
                self.search_around(request, page).await
            }
            PageAddress::Token(_) | PageAddress::Key(_) if self.is_first => {
                self.search_forward(request, page, want).await
            }
            PageAddress::Token(_) | PageAddress::Key(_) => Ok((request, page)),
        }
    }

    /// Searches the pages before and after the page for the last row read.
    pub(super) async fn search_around(
        &mut self,
        request: PageRequest,
        page: Page<T>,
    ) -> Result<(PageRequest, Page<T>)> {
        self.prefetched.clear();
        let (ordinal, step) = (
            self.position.ordinal(),
            u64::from(self.pagination.max_page_size),
        );
        let is_more = request.more(&page).is_some();
        let directions = if self.is_first { 2 } else { 1 };
        for distance in 1..=SEARCHES_PER_POSITION / directions {
            let back = ordinal.saturating_sub(distance * step);
            let ahead = request.end() + (distance - 1) * step;
            let is_new = ordinal > (distance - 1) * step;
            let starts = [
                is_new.then_some(back),
                (is_more && self.is_first).then_some(ahead),
            ];
            for from in starts.into_iter().flatten() {
                let asked = self
                    .pagination
                    .request_for_row(from, self.pagination.max_page_size);
                let is_within_max_rows = self
                    .pagination
                    .max_rows
                    .is_none_or(|max_rows| asked.end() <= max_rows);
                if self.searches_left == 0 || !is_within_max_rows {
                    continue;
                }
                self.searches_left -= 1;
                let asked = asked.with_anchor(request.anchor.as_ref());
                let other = self.fetch(&asked).await?;
                let is_whole = asked.first_row == 0 && self.start == Position::Start;
                let is_aligned = self.holds_read_row(&asked, &other) || is_whole;
                if is_aligned && self.makes_progress(&asked, &other) {
                    return Ok((asked, other));
                }
            }
        }
        self.incomplete = Some(IncompleteReason::Shifted);
        Ok((request, page))
    }

    /// Whether a page that was found has a new row, or leads to another position than the current
    /// one.
    fn makes_progress(&self, asked: &PageRequest, page: &Page<T>) -> bool {
        let ordinal = self.position.ordinal();
        let next = asked
            .next_position(page, None)
            .map_or(0, |next| next.ordinal());
        let next = if next > ordinal { next } else { asked.end() };
        page.row_count == 0 || next != ordinal || self.has_new_row(page, 0)
    }

    /// Searches the following pages for the last row read, which the page should have held.
    pub(super) async fn search_forward(
        &mut self,
        request: PageRequest,
        page: Page<T>,
        want: u32,
    ) -> Result<(PageRequest, Page<T>)> {
        let mut at = request
            .next_position(&page, None)
            .filter(|_| request.more(&page).is_some());
        while let Some(position) = at.filter(|_| self.searches_left > 0) {
            self.searches_left -= 1;
            let other = self.pagination.request(&position, want)?;
            let other = other.with_anchor(request.anchor.as_ref());
            let Ok(found) = self.fetch(&other).await else {
                break;
            };
            if self.holds_read_row(&other, &found) {
                return Ok((other, found));
            }
            at = other
                .next_position(&found, None)
                .filter(|_| other.more(&found).is_some());
        }
        self.incomplete = Some(IncompleteReason::Repeats);
        Ok((request, page))
    }
}
