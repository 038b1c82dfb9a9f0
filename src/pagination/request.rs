//! What a page that was asked for tells: where it stands, which of its rows are new, and where the list
//! goes on behind it.

use super::{Anchor, NextPage, Page, PageAddress, PageRequest, Position, Row};

impl PageRequest {
    /// The same request with the rows before its position.
    pub(super) fn anchored(self, anchor: Option<&Anchor>) -> Self {
        let anchor = anchor.cloned();
        Self { anchor, ..self }
    }

    /// The request's query parameters.
    #[must_use]
    pub fn params(&self) -> Vec<(&'static str, String)> {
        let at = match &self.place {
            PageAddress::Page(number) | PageAddress::Offset(number) => Some(number.to_string()),
            PageAddress::Key(key) | PageAddress::Token(key) => key.clone(),
        };
        let at = at.map(|at| (self.listing.at, at));
        at.into_iter()
            .chain([(self.listing.size, self.size.to_string())])
            .collect()
    }

    /// The place of the first row behind the rows that the position names, nearest first; `None` where none
    /// of them is in the page.
    pub(super) fn behind_anchor<T: Row>(&self, page: &Page<T>) -> Option<usize> {
        let keys = self.anchor.iter().flat_map(Anchor::keys);
        let is = |row: &T, key| !row.is_unreadable() && row.key() == key;
        // Rows that were not asked for are not where the list has them.
        let placed = &page.rows[..self.placed(page)];
        let place = |key| placed.iter().position(|row| is(row, key));
        keys.filter_map(place).next().map(|place| place + 1)
    }

    /// How many rows of the page are before the position.
    pub(super) fn behind<T: Row>(&self, page: &Page<T>) -> usize {
        match (&self.place, &self.anchor) {
            // The row that a key names may come back, or not; where those that a token's position names are
            // gone, what is behind it is not told from what is before it.
            (PageAddress::Key(_), _) | (PageAddress::Token(_), Some(_)) => {
                self.behind_anchor(page).unwrap_or_default()
            }
            (PageAddress::Token(_), None) | (PageAddress::Page(_) | PageAddress::Offset(_), _) => {
                self.behind_anchor(page)
                    .unwrap_or(self.skip as usize)
                    .min(page.rows.len())
            }
        }
    }

    /// The rows of the page up to the position that the request resumes at; none where it names no row.
    #[must_use]
    pub fn before_mark<'a, T: Row>(&self, page: &'a Page<T>) -> &'a [T] {
        let rows = self.behind_anchor(page).unwrap_or_default();
        &page.rows[..rows]
    }

    /// How many rows of the page are where they are in the list. Where rows are counted, those that were
    /// not asked for may be from anywhere.
    pub(super) fn placed<T: Row>(&self, page: &Page<T>) -> usize {
        match self.place {
            PageAddress::Page(_) | PageAddress::Offset(_) => {
                page.rows.len().min(self.size as usize)
            }
            PageAddress::Key(_) | PageAddress::Token(_) => page.rows.len(),
        }
    }

    /// The position after the row at a place of the page; `before` is the row before the first of the page.
    /// It names rows that could be read.
    #[must_use]
    pub fn after<T: Row>(&self, page: &Page<T>, row: usize, before: Option<&str>) -> Position {
        let rows = page.rows.iter().take((row + 1).min(self.placed(page)));
        let rows = rows.rev();
        let readable = rows.filter(|row| !row.is_unreadable());
        let mut keys = readable.map(Row::key).chain(before);
        let Some(nearest) = keys.next() else {
            return self.behind_nobody(page, row);
        };
        let anchor = Anchor::new(nearest, keys.next());
        let is_last = row + 1 == page.rows.len();
        match &self.place {
            PageAddress::Page(_) | PageAddress::Offset(_) => {
                // Rows that were not asked for do not move the position past rows that were not sent. A
                // numbered page may have holes: where pages cannot overlap, the next starts behind it.
                let is_numbered = matches!(self.place, PageAddress::Page(_));
                let place = if is_last && is_numbered && !self.listing.can_overlap() {
                    u64::from(self.size)
                } else {
                    (row as u64 + 1).min(u64::from(self.size))
                };
                Position::Row(self.ordinal.saturating_add(place), anchor)
            }
            PageAddress::Key(_) => Position::Key(anchor),
            PageAddress::Token(token) => {
                let next = match &page.next {
                    NextPage::Token { next, .. } if is_last => next.clone(),
                    _ => None,
                };
                Position::Token {
                    token: token.clone(),
                    skip: u16::try_from(row + 1).unwrap_or(u16::MAX),
                    row: Some(anchor),
                    next,
                    count: None,
                }
            }
        }
    }

    /// The position after the row at a place of the page where no row up to it could be read.
    pub(super) fn behind_nobody<T: Row>(&self, page: &Page<T>, row: usize) -> Position {
        let rows = row + 1;
        match (&self.place, &page.next) {
            (PageAddress::Page(_) | PageAddress::Offset(_), _) => {
                Position::Nth(self.ordinal.saturating_add(rows as u64))
            }
            (PageAddress::Token(token), NextPage::Token { next, .. }) => Position::Token {
                token: token.clone(),
                skip: u16::try_from(rows).unwrap_or(u16::MAX),
                row: None,
                next: next.clone().filter(|_| rows == page.rows.len()),
                count: None,
            },
            (PageAddress::Token(_) | PageAddress::Key(_), _) => Position::Start,
        }
    }

    /// Whether there are rows behind the page and whether the provider vouches for them; `None` at the
    /// end.
    #[must_use]
    pub fn more<T: Row>(&self, page: &Page<T>) -> Option<bool> {
        let rows = page.sent as u64;
        let behind = self.ordinal.saturating_add(rows);
        let (more, vouched) = match &page.next {
            NextPage::More(more) => (*more, true),
            NextPage::Key(key) => (key.is_some(), true),
            NextPage::Token { next, .. } => (next.is_some(), true),
            NextPage::Total(total) if self.listing.is_ordinal() => (behind < *total, true),
            NextPage::Counted { total, more } => (behind < *total || *more, true),
            // A number of rows says nothing where nobody knows how many rows are behind the position.
            NextPage::Total(_) | NextPage::Silent => {
                (rows > 0 && rows >= u64::from(self.size), false)
            }
        };
        more.then_some(vouched)
    }

    /// The position after the page; `None` where the page does not say where the next one is.
    #[must_use]
    pub fn next<T: Row>(&self, page: &Page<T>, before: Option<&str>) -> Option<Position> {
        // Where places are counted, the next page begins with a row that could be read.
        let last = match self.place {
            PageAddress::Page(_) | PageAddress::Offset(_) => {
                let readable = page.rows.iter().rposition(|row| !row.is_unreadable());
                readable.or_else(|| page.rows.len().checked_sub(1))
            }
            PageAddress::Key(_) | PageAddress::Token(_) => page.rows.len().checked_sub(1),
        };
        match (&self.place, last) {
            (PageAddress::Key(_), Some(_)) if before.is_none() && page.is_barren() => None,
            (_, Some(last)) => Some(self.after(page, last, before)),
            (PageAddress::Page(_) | PageAddress::Offset(_), None) => {
                Some(Position::Nth(self.end()))
            }
            (PageAddress::Key(_), None) => None,
            (PageAddress::Token(token), None) => match &page.next {
                NextPage::Token { next, .. } => Some(Position::Token {
                    token: token.clone(),
                    skip: 0,
                    row: None,
                    next: next.clone(),
                    count: None,
                }),
                _ => None,
            },
        }
    }

    /// Whether a page that rows are counted to is empty and names a next one: it contradicts itself.
    pub(super) fn names_more_than_nothing<T: Row>(&self, page: &Page<T>) -> bool {
        let names_more = matches!(
            page.next,
            NextPage::More(true) | NextPage::Counted { more: true, .. }
        );
        self.listing.is_ordinal() && page.sent == 0 && names_more
    }

    /// The ordinal behind the page, for pagings that count rows.
    pub(super) fn end(&self) -> u64 {
        self.ordinal.saturating_add(u64::from(self.size))
    }
}
