//! Reading a requested page: its position in the list, which of its rows are new, and where the
//! list continues.

use super::{Anchor, NextPage, Page, PageAddress, PageRequest, Position, Row};

impl PageRequest {
    /// Sets the rows before the position.
    pub(super) fn with_anchor(self, anchor: Option<&Anchor>) -> Self {
        let anchor = anchor.cloned();
        Self { anchor, ..self }
    }

    /// The request's query parameters.
    #[must_use]
    pub fn params(&self) -> Vec<(&'static str, String)> {
        let at = match &self.address {
            PageAddress::Page(number) | PageAddress::Offset(number) => Some(number.to_string()),
            PageAddress::Key(key) | PageAddress::Token(key) => key.clone(),
        };
        let at = at.map(|at| (self.pagination.position_param, at));
        at.into_iter()
            .chain([(self.pagination.size_param, self.size.to_string())])
            .collect()
    }

    /// The index after the rows that the position names, the nearest first; `None` where none of
    /// them is in the page.
    pub(super) fn index_after_anchor<T: Row>(&self, page: &Page<T>) -> Option<usize> {
        let keys = self.anchor.iter().flat_map(Anchor::keys);
        let is = |row: &T, key| !row.is_unreadable() && row.key() == key;
        // Rows beyond the requested size have unknown ordinals.
        let listed = &page.rows[..self.listed_rows(page)];
        let index = |key| listed.iter().position(|row| is(row, key));
        keys.filter_map(index).next().map(|index| index + 1)
    }

    /// The number of rows of the page before the position.
    pub(super) fn rows_before_position<T: Row>(&self, page: &Page<T>) -> usize {
        match (&self.address, &self.anchor) {
            // The row that a key names may come back or not. Where the rows that a token's position
            // names are gone, nothing separates the rows before it from those after it.
            (PageAddress::Key(_), _) | (PageAddress::Token(_), Some(_)) => {
                self.index_after_anchor(page).unwrap_or_default()
            }
            (PageAddress::Token(_), None) | (PageAddress::Page(_) | PageAddress::Offset(_), _) => {
                self.index_after_anchor(page)
                    .unwrap_or(self.skip as usize)
                    .min(page.rows.len())
            }
        }
    }

    /// The rows of the page up to the position that the request resumes at; empty where it names no
    /// row.
    #[must_use]
    pub fn rows_through_anchor<'a, T: Row>(&self, page: &'a Page<T>) -> &'a [T] {
        let rows = self.index_after_anchor(page).unwrap_or_default();
        &page.rows[..rows]
    }

    /// The number of rows of the page whose ordinals are known. Where rows are counted, rows beyond
    /// the requested size may be from anywhere in the list.
    pub(super) fn listed_rows<T: Row>(&self, page: &Page<T>) -> usize {
        match self.address {
            PageAddress::Page(_) | PageAddress::Offset(_) => {
                page.rows.len().min(self.size as usize)
            }
            PageAddress::Key(_) | PageAddress::Token(_) => page.rows.len(),
        }
    }

    /// The position after the row at an index of the page; `before` is the key of the row before
    /// the page. It names readable rows only.
    #[must_use]
    pub fn position_after_row<T: Row>(
        &self,
        page: &Page<T>,
        row: usize,
        before: Option<&str>,
    ) -> Position {
        let rows = page.rows.iter().take((row + 1).min(self.listed_rows(page)));
        let rows = rows.rev();
        let readable = rows.filter(|row| !row.is_unreadable());
        let mut keys = readable.map(Row::key).chain(before);
        let Some(nearest) = keys.next() else {
            return self.after_unreadable(page, row);
        };
        let anchor = Anchor::new(nearest, keys.next());
        let is_last = row + 1 == page.rows.len();
        match &self.address {
            PageAddress::Page(_) | PageAddress::Offset(_) => {
                // Rows beyond the requested size do not move the position past rows that were not
                // sent. A numbered page may lack rows: where pages cannot overlap, the next one
                // starts at its end.
                let is_numbered = matches!(self.address, PageAddress::Page(_));
                let rows = if is_last && is_numbered && !self.pagination.can_overlap() {
                    u64::from(self.size)
                } else {
                    (row as u64 + 1).min(u64::from(self.size))
                };
                Position::Row(self.first_row.saturating_add(rows), anchor)
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

    /// The position after the row at an index of the page where no row up to it is readable.
    pub(super) fn after_unreadable<T: Row>(&self, page: &Page<T>, row: usize) -> Position {
        let rows = row + 1;
        match (&self.address, &page.next) {
            (PageAddress::Page(_) | PageAddress::Offset(_), _) => {
                Position::Nth(self.first_row.saturating_add(rows as u64))
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

    /// Whether the provider confirms that rows follow the page: false where they only may; `None`
    /// at the end.
    #[must_use]
    pub fn more<T: Row>(&self, page: &Page<T>) -> Option<bool> {
        let rows = page.row_count as u64;
        let end = self.first_row.saturating_add(rows);
        let (more, is_confirmed) = match &page.next {
            NextPage::More(more) => (*more, true),
            NextPage::Key(key) => (key.is_some(), true),
            NextPage::Token { next, .. } => (next.is_some(), true),
            NextPage::Total(total) if self.pagination.has_row_numbers() => (end < *total, true),
            NextPage::Counted { total, more } => (end < *total || *more, true),
            // A total says nothing where the number of rows before the position is unknown.
            NextPage::Total(_) | NextPage::Silent => {
                (rows > 0 && rows >= u64::from(self.size), false)
            }
        };
        more.then_some(is_confirmed)
    }

    /// The position after the page; `None` where the page does not say where the next one is.
    #[must_use]
    pub fn next_position<T: Row>(&self, page: &Page<T>, before: Option<&str>) -> Option<Position> {
        // Where rows are counted, the next page starts with a readable row.
        let last = match self.address {
            PageAddress::Page(_) | PageAddress::Offset(_) => {
                let readable = page.rows.iter().rposition(|row| !row.is_unreadable());
                readable.or_else(|| page.rows.len().checked_sub(1))
            }
            PageAddress::Key(_) | PageAddress::Token(_) => page.rows.len().checked_sub(1),
        };
        match (&self.address, last) {
            (PageAddress::Key(_), Some(_)) if before.is_none() && page.is_unreadable() => None,
            (_, Some(last)) => Some(self.position_after_row(page, last, before)),
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

    /// Whether rows are counted, and the page contradicts itself: it is empty and names a next
    /// page.
    pub(super) fn is_empty_with_next<T: Row>(&self, page: &Page<T>) -> bool {
        let names_more = matches!(
            page.next,
            NextPage::More(true) | NextPage::Counted { more: true, .. }
        );
        self.pagination.has_row_numbers() && page.row_count == 0 && names_more
    }

    /// The ordinal after the page, where rows are counted.
    pub(super) fn end(&self) -> u64 {
        self.first_row.saturating_add(u64::from(self.size))
    }
}
