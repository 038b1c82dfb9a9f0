//! Compares the rows read with the totals that the provider reports.

use super::{
    super::{IncompleteReason, NextPage, Page, PageRequest, Position, Row},
    PageReader,
};
use crate::error::Result;

impl<T, F, R> PageReader<T, F>
where
    T: Row,
    F: Fn(PageRequest) -> R,
    R: Future<Output = Result<Page<T>>>,
{
    /// Whether the number of rows before the next one is known, though the paging does not count
    /// rows.
    pub(super) fn is_counting(&self) -> bool {
        match &self.start {
            Position::Start => true,
            Position::Token { count, .. } => count.is_some(),
            Position::Nth(_) | Position::Row(..) | Position::Key(_) | Position::At(_) => false,
        }
    }

    /// Whether a page lacks the next row, which it should hold according to the total alone: it
    /// names no next page.
    pub(super) fn is_short_by_count(&self, request: &PageRequest, page: &Page<T>) -> bool {
        let is_unnamed = matches!(
            page.next,
            NextPage::Total(_) | NextPage::Counted { more: false, .. }
        );
        let should_hold = request.more(page).is_some() && request.end() > self.position.ordinal();
        let is_short = page.row_count < request.size as usize;
        self.pagination.has_row_numbers() && is_unnamed && should_hold && is_short
    }

    /// Compares a page with the total: a page past it is empty, and a page before it is not.
    pub(super) fn check_page(&mut self, request: &PageRequest, page: &Page<T>) {
        let end = request.first_row.saturating_add(page.row_count as u64);
        let is_off = |total| match page.row_count {
            0 => request.first_row < total,
            _ => end > total,
        };
        if self.pagination.has_row_numbers() && page.next.total().is_some_and(is_off) {
            self.incomplete = self.incomplete.or(Some(IncompleteReason::Miscounted));
        }
    }

    /// Compares the number of all rows with the total.
    pub(super) fn check_count(&mut self, is_doubled: bool) {
        let is_off = |(least, most)| self.row_count < least || self.row_count > most;
        let totals = self.totals.filter(|_| self.is_counting());
        let incomplete = match totals {
            Some(totals) => is_off(totals).then_some(IncompleteReason::Miscounted),
            None => is_doubled.then_some(IncompleteReason::DuplicateRow),
        };
        self.incomplete = self.incomplete.or(incomplete);
    }

    /// Records the total that a page reports.
    pub(super) fn record_total(&mut self, page: &Page<T>) {
        let Some(total) = page.next.total() else {
            return;
        };
        self.total = Some(total);
        let (least, most) = self.totals.unwrap_or((total, total));
        let (least, most) = (least.min(total), most.max(total));
        self.totals = Some((least, most));
        if page.is_numbered && least < most {
            self.incomplete = self.incomplete.or(Some(IncompleteReason::Shifted));
        }
    }
}
