//! How a reading finds its place again where rows have shifted.

use super::{
    super::{IncompleteReason, Page, PageAddress, PageRequest, Position, Row},
    PageReader,
};
use crate::error::Result;

/// How many more calls are made to find one place.
const SEARCHES_A_PLACE: u64 = 4;

impl<T, F, R> PageReader<T, F>
where
    T: Row,
    F: Fn(PageRequest) -> R,
    R: Future<Output = Result<Page<T>>>,
{
    /// A page that goes on where the read part ends: this one, or another where rows have shifted.
    pub(super) async fn joined(
        &mut self,
        request: PageRequest,
        page: Page<T>,
        want: u32,
    ) -> Result<(PageRequest, Page<T>)> {
        if request.names_more_than_nothing(&page) {
            // Whom it should have held nobody can say.
            self.incomplete = self.incomplete.or(Some(IncompleteReason::Empty));
            return Ok((request, page));
        }
        if !request.overlaps || self.knows_one_of(&request, &page) {
            return Ok((request, page));
        }
        match request.place {
            PageAddress::Page(_) | PageAddress::Offset(_) => self.searched(request, page).await,
            PageAddress::Token(_) | PageAddress::Key(_) if self.is_first => {
                self.searched_behind(request, page, want).await
            }
            PageAddress::Token(_) | PageAddress::Key(_) => Ok((request, page)),
        }
    }

    /// Looks for the last row read among the rows before the page and behind it.
    pub(super) async fn searched(
        &mut self,
        request: PageRequest,
        page: Page<T>,
    ) -> Result<(PageRequest, Page<T>)> {
        self.ahead.clear();
        let (place, step) = (self.at.ordinal(), u64::from(self.listing.max));
        let is_more = request.more(&page).is_some();
        let directions = if self.is_first { 2 } else { 1 };
        for distance in 1..=SEARCHES_A_PLACE / directions {
            let back = place.saturating_sub(distance * step);
            let onward = request.end() + (distance - 1) * step;
            let is_new = place > (distance - 1) * step;
            let places = [
                is_new.then_some(back),
                (is_more && self.is_first).then_some(onward),
            ];
            for from in places.into_iter().flatten() {
                let asked = self.listing.counted(from, self.listing.max);
                let is_in_reach = self
                    .listing
                    .max_rows
                    .is_none_or(|max_rows| asked.end() <= max_rows);
                if self.searches == 0 || !is_in_reach {
                    continue;
                }
                self.searches -= 1;
                let asked = asked.anchored(request.anchor.as_ref());
                let other = self.fetch(&asked).await?;
                let is_whole = asked.ordinal == 0 && self.origin == Position::Start;
                let is_joined = self.knows_one_of(&asked, &other) || is_whole;
                if is_joined && self.leads_on(&asked, &other) {
                    return Ok((asked, other));
                }
            }
        }
        self.incomplete = Some(IncompleteReason::Shifted);
        Ok((request, page))
    }

    /// Whether a page that was found brings somebody, or leads to another place than the one whose page did
    /// not join.
    fn leads_on(&self, asked: &PageRequest, page: &Page<T>) -> bool {
        let place = self.at.ordinal();
        let next = asked.next(page, None).map_or(0, |next| next.ordinal());
        let next = if next > place { next } else { asked.end() };
        page.sent == 0 || next != place || self.has_new_row(page, 0)
    }

    /// Looks for the last row read on the pages that follow one that should hold it.
    pub(super) async fn searched_behind(
        &mut self,
        request: PageRequest,
        page: Page<T>,
        want: u32,
    ) -> Result<(PageRequest, Page<T>)> {
        let mut at = request
            .next(&page, None)
            .filter(|_| request.more(&page).is_some());
        while let Some(position) = at.filter(|_| self.searches > 0) {
            self.searches -= 1;
            let other = self.listing.request(&position, want)?;
            let other = other.anchored(request.anchor.as_ref());
            let Ok(found) = self.fetch(&other).await else {
                break;
            };
            if self.knows_one_of(&other, &found) {
                return Ok((other, found));
            }
            at = other
                .next(&found, None)
                .filter(|_| other.more(&found).is_some());
        }
        self.incomplete = Some(IncompleteReason::Repeats);
        Ok((request, page))
    }
}
