//! Where a list goes on behind a page.

use super::{
    super::{Anchor, IncompleteReason, Page, PageAddress, PageRequest, Position, Row},
    EMPTY_PAGES, PageReader,
};
use crate::error::{Error, Result};

/// How many earlier pages are read again where a token is no longer known.
const DETOURS: usize = 3;

/// How many pages one after another may hold nothing but rows that were read before.
const REPEATED_PAGES: u32 = 2;

impl<T, F, R> PageReader<T, F>
where
    T: Row,
    F: Fn(PageRequest) -> R,
    R: Future<Output = Result<Page<T>>>,
{
    /// The position after a page, with the other ways to it.
    pub(super) fn following(
        &mut self,
        request: &PageRequest,
        page: &Page<T>,
        is_new: bool,
    ) -> Result<Position> {
        let nowhere = || Error::malformed("the provider says that there is more, and not where");
        let next = request.next(page, self.last.as_deref());
        match &request.place {
            PageAddress::Page(_) | PageAddress::Offset(_) => {
                let next = next.ok_or_else(nowhere)?;
                let end = request.ordinal.saturating_add(request.placed(page) as u64);
                let is_barren = page.rows.last().is_some_and(Row::is_unreadable);
                if !is_new && is_barren && end > self.at.ordinal() {
                    // No user is known at whom the next page could begin.
                    return Ok(Position::Nth(end));
                }
                // Nothing new: the next page begins behind this one.
                let is_stuck = !is_new && next.ordinal() <= self.at.ordinal();
                Ok(match (is_stuck, self.at.anchor()) {
                    (true, Some(anchor)) => Position::Row(request.end(), anchor.clone()),
                    (true, None) => Position::Nth(request.end()),
                    (false, _) => next,
                })
            }
            PageAddress::Key(_) => {
                let visited = &self.visited;
                let asked = request.place.clone();
                // A page that names itself, or one that was read, is gone on from by its last row.
                let onward = page.onward().filter(|onward| match onward {
                    Position::At(key) if asked == PageAddress::Key(Some(key.clone())) => false,
                    onward => !visited.contains(&onward.name()),
                });
                // Behind a page of nobody the ways on are those to the page itself.
                if let Some(anchor) = next.as_ref().and_then(Position::anchor) {
                    self.detours = vec![before(anchor)];
                }
                match onward {
                    Some(onward) => {
                        self.detours.extend(next);
                        Ok(onward)
                    }
                    None => next.ok_or_else(nowhere),
                }
            }
            PageAddress::Token(token) => {
                let next = next.ok_or_else(nowhere)?;
                let start = token.clone().map(|token| Position::Token {
                    token: Some(token),
                    skip: 0,
                    row: None,
                    next: None,
                    count: None,
                });
                let earlier = self.starts.iter().rev().take(DETOURS).rev().cloned();
                self.detours = earlier.chain(next.without_next()).collect();
                self.starts.push(start.unwrap_or(Position::Start));
                Ok(next)
            }
        }
    }

    /// Goes on to the next position, unless the list runs in a circle: the position has been there before, or
    /// one page after another had been read before. One empty page after another ends it.
    pub(super) fn advance(&mut self, next: Position) -> Result<bool> {
        let is_ordinal = self.listing.is_ordinal();
        let is_known = next.name() == self.at.name() || !self.visited.insert(next.name());
        if (is_known && !is_ordinal) || self.repeated > REPEATED_PAGES {
            let rows = T::PLURAL;
            let message = match is_ordinal {
                true => format!(
                    "the provider answers {rows} again that were on earlier pages: it gives other pages than it was asked for"
                ),
                false => "the provider's list runs in a circle".to_owned(),
            };
            return Err(Error::malformed(message));
        }
        if self.empty > EMPTY_PAGES {
            self.incomplete = Some(IncompleteReason::Empty);
            return Ok(false);
        }
        self.at = next;
        Ok(true)
    }
}

/// The position after the row before a row; the start, where there is none or it is not known.
pub(super) fn before(anchor: &Anchor) -> Position {
    match anchor.before() {
        Some(before) => Position::Key(Anchor::One(before.to_owned())),
        None => Position::Start,
    }
}
