//! Where a list continues after a page.

use super::{
    super::{Anchor, IncompleteReason, Page, PageAddress, PageRequest, Position, Row},
    EMPTY_PAGES, PageReader,
};
use crate::error::{Error, Result};

/// How many earlier pages are tried where a token is no longer known.
const FALLBACK_PAGES: usize = 3;

/// How many pages in sequence may hold only rows that were read before.
const REPEATED_PAGES: u32 = 2;

impl<T, F, R> PageReader<T, F>
where
    T: Row,
    F: Fn(PageRequest) -> R,
    R: Future<Output = Result<Page<T>>>,
{
    /// The position after a page. Sets the fallbacks to it.
    pub(super) fn following(
        &mut self,
        request: &PageRequest,
        page: &Page<T>,
        has_new_row: bool,
    ) -> Result<Position> {
        let next = request.next_position(page, self.last.as_deref());
        let following = match &request.address {
            PageAddress::Page(_) | PageAddress::Offset(_) => {
                next.map(|next| self.following_ordinal(request, page, next, has_new_row))
            }
            PageAddress::Key(_) => self.following_key(request, page, next),
            PageAddress::Token(token) => next.map(|next| self.following_token(token.clone(), next)),
        };
        following
            .ok_or_else(|| Error::malformed("the provider says that there is more, and not where"))
    }

    /// The position after a page, where rows are counted.
    fn following_ordinal(
        &self,
        request: &PageRequest,
        page: &Page<T>,
        next: Position,
        has_new_row: bool,
    ) -> Position {
        let rows = request.listed_rows(page) as u64;
        let end = request.first_row.saturating_add(rows);
        let ends_unreadable = page.rows.last().is_some_and(Row::is_unreadable);
        if !has_new_row && ends_unreadable && end > self.position.ordinal() {
            // There is no readable row for the next page to overlap with.
            return Position::Nth(end);
        }
        let is_stuck = !has_new_row && next.ordinal() <= self.position.ordinal();
        match (is_stuck, self.position.anchor()) {
            // The page had nothing new: the next one starts at its end.
            (true, Some(anchor)) => Position::Row(request.end(), anchor.clone()),
            (true, None) => Position::Nth(request.end()),
            (false, _) => next,
        }
    }

    /// The position after a page of keys: the key that the provider names, else that of the last
    /// row.
    fn following_key(
        &mut self,
        request: &PageRequest,
        page: &Page<T>,
        next: Option<Position>,
    ) -> Option<Position> {
        // A key that leads to this page or to one that was read is not followed.
        let named = page.named_position().filter(|named| match named {
            Position::At(key) if request.address == PageAddress::Key(Some(key.clone())) => false,
            named => !self.visited.contains(&named.request_key()),
        });
        // After a page without readable rows, the fallbacks are those of the page itself.
        if let Some(anchor) = next.as_ref().and_then(Position::anchor) {
            self.fallbacks = vec![before(anchor)];
        }
        match named {
            Some(named) => {
                self.fallbacks.extend(next);
                Some(named)
            }
            None => next,
        }
    }

    /// The position after the page of a token.
    fn following_token(&mut self, token: Option<String>, next: Position) -> Position {
        let start = token.map(|token| Position::Token {
            token: Some(token),
            skip: 0,
            row: None,
            next: None,
            count: None,
        });
        let skipped = self.page_starts.len().saturating_sub(FALLBACK_PAGES);
        let earlier = self.page_starts.iter().skip(skipped).cloned();
        self.fallbacks = earlier.chain(next.without_next()).collect();
        self.page_starts.push(start.unwrap_or(Position::Start));
        next
    }

    /// Moves to the next position; false where too many empty pages end the list.
    ///
    /// # Errors
    /// `Malformed` when the list runs in a circle: the position was visited, or pages repeat.
    pub(super) fn advance(&mut self, next: Position) -> Result<bool> {
        let is_ordinal = self.pagination.has_row_numbers();
        let is_known = next.request_key() == self.position.request_key()
            || !self.visited.insert(next.request_key());
        if (is_known && !is_ordinal) || self.repeated_pages > REPEATED_PAGES {
            let rows = T::PLURAL;
            let message = match is_ordinal {
                true => format!(
                    "the provider answers {rows} again that were on earlier pages: it gives other pages than it was asked for"
                ),
                false => "the provider's list runs in a circle".to_owned(),
            };
            return Err(Error::malformed(message));
        }
        if self.empty_pages > EMPTY_PAGES {
            self.incomplete = Some(IncompleteReason::Empty);
            return Ok(false);
        }
        self.position = next;
        Ok(true)
    }
}

/// The position one row before an anchor; the start, where that row is unknown.
pub(super) fn before(anchor: &Anchor) -> Position {
    match anchor.before() {
        Some(before) => Position::Key(Anchor::One(before.to_owned())),
        None => Position::Start,
    }
}
