//! A fake provider, as its own documents would describe it. It reads query parameters and knows
//! nothing of positions. It panics on what no client may send: a size out of bounds, or a page past
//! `max_rows`.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
};

use crate::{
    error::{Error, ErrorKind, Result},
    pagination::{NextPage, Page, PageRequest, PaginationSpec, PaginationStrategy, Row},
};

/// How the provider addresses pages.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum FakePaging {
    /// Pages with numbers, from this one on.
    Page(u64),
    /// The number of the first row of the page; the first row of the list has this one.
    Offset(u64),
    /// The page starts with the row of this key.
    KeyInclusive,
    /// The page starts after the row of this key.
    KeyExclusive,
    /// The page starts after the one that ended with this token. A token is an error when nothing
    /// follows it, or its row is gone.
    Token,
}

/// How the provider tells whether there is more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum EndStyle {
    More,
    Token,
    Total,
    Silent,
}

/// A request that the provider answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct FakeCall {
    /// How many rows are before the page.
    pub(super) start: usize,
    /// The size that was asked for.
    pub(super) size: usize,
    /// How many rows came back.
    pub(super) rows: usize,
}

#[derive(Clone, Debug)]
struct FakeRow {
    id: String,
    is_deleted: bool,
}

#[derive(Clone, Debug)]
pub(super) struct FakeProvider {
    pub(super) paging: FakePaging,
    pub(super) end_style: EndStyle,
    pub(super) min: u32,
    pub(super) max: u32,
    pub(super) max_rows: Option<u64>,
    /// The largest page, whatever the request says.
    pub(super) cap: Option<u32>,
    rows: RefCell<Vec<FakeRow>>,
    calls: RefCell<Vec<FakeCall>>,
    refusals: Cell<usize>,
}

/// The id of the row with this number; ids are not in the order of the list.
pub(super) fn id(number: usize) -> String {
    format!("u{:02}", number * 37 % 101)
}

/// The rows that the provider lists.
#[derive(Clone, Debug)]
pub(super) struct FakeRecord {
    pub(super) key: String,
}

impl Row for FakeRecord {
    const PLURAL: &'static str = "records";

    fn key(&self) -> &str {
        &self.key
    }
}

pub(super) fn record(id: &str) -> FakeRecord {
    FakeRecord { key: id.to_owned() }
}

impl FakeProvider {
    pub(super) fn new(
        paging: FakePaging,
        end_style: EndStyle,
        rows: usize,
        (min, max): (u32, u32),
    ) -> Self {
        let provider = Self {
            paging,
            end_style,
            min,
            max,
            max_rows: None,
            cap: None,
            rows: RefCell::default(),
            calls: RefCell::default(),
            refusals: Cell::new(0),
        };
        (0..rows).for_each(|number| provider.append(&id(number)));
        provider
    }

    pub(super) fn with_max_rows(self, max_rows: u64) -> Self {
        let max_rows = Some(max_rows);
        Self { max_rows, ..self }
    }

    /// The same, with pages of so many rows at most.
    pub(super) fn capped(self, cap: u32) -> Self {
        let cap = Some(cap);
        Self { cap, ..self }
    }

    pub(super) fn listing(&self) -> PaginationSpec {
        PaginationSpec {
            strategy: match self.paging {
                FakePaging::Page(first) => PaginationStrategy::Page { first },
                FakePaging::Offset(first) => PaginationStrategy::Offset { first },
                FakePaging::KeyInclusive | FakePaging::KeyExclusive => PaginationStrategy::Key,
                FakePaging::Token => PaginationStrategy::Token,
            },
            position_param: "at",
            size_param: "size",
            min_page_size: self.min,
            max_page_size: self.max,
            max_rows: self.max_rows,
            is_counted: self.end_style == EndStyle::Total,
        }
    }

    pub(super) fn append(&self, id: &str) {
        let end = self.rows.borrow().len();
        self.insert(end, id);
    }

    pub(super) fn insert(&self, place: usize, id: &str) {
        let (id, is_deleted) = (id.to_owned(), false);
        self.rows
            .borrow_mut()
            .insert(place, FakeRow { id, is_deleted });
    }

    pub(super) fn delete(&self, id: &str) {
        let mut rows = self.rows.borrow_mut();
        let row = rows.iter_mut().find(|row| row.id == id);
        row.unwrap().is_deleted = true;
    }

    /// The list as it is now.
    pub(super) fn ids(&self) -> Vec<String> {
        let rows = self.rows.borrow();
        let live = rows.iter().filter(|row| !row.is_deleted);
        live.map(|row| row.id.clone()).collect()
    }

    /// The pages read since the last time.
    pub(super) fn calls(&self) -> Vec<FakeCall> {
        self.calls.take()
    }

    /// How many requests the provider has refused.
    pub(super) fn refusals(&self) -> usize {
        self.refusals.get()
    }

    pub(super) fn answer(&self, request: &PageRequest) -> Result<Page<FakeRecord>> {
        let params: HashMap<_, _> = request.params().into_iter().collect();
        let size: u32 = params["size"].parse().unwrap();
        assert!(
            (self.min..=self.max).contains(&size),
            "size {size} is out of bounds: {self:?}"
        );
        let at = params.get("at").map(String::as_str);
        assert_eq!(params.len(), 1 + usize::from(at.is_some()));
        let start = self.start(at, size).inspect_err(|_| {
            self.refusals.set(self.refusals.get() + 1);
        })?;
        let ids = self.ids();
        let size = self.cap.map_or(size, |cap| size.min(cap)) as usize;
        let page: Vec<_> = ids.iter().skip(start).take(size).collect();
        assert!(self.calls.borrow().len() < 1_000, "it goes on and on");
        let is_more = start.saturating_add(size) < ids.len();
        self.calls.borrow_mut().push(FakeCall {
            start,
            size,
            rows: page.len(),
        });
        let rows = page.iter().map(|id| record(id)).collect();
        Ok(Page::new(
            rows,
            match self.end_style {
                EndStyle::More => NextPage::More(is_more),
                EndStyle::Token => {
                    let last = page.last().filter(|_| is_more);
                    NextPage::Token {
                        next: last.map(|id| format!("t-{id}")),
                        total: None,
                    }
                }
                EndStyle::Total => NextPage::Total(ids.len() as u64),
                EndStyle::Silent => NextPage::Silent,
            },
        ))
    }

    /// How many rows are before the page.
    fn start(&self, at: Option<&str>, size: u32) -> Result<usize> {
        let size = u64::from(size);
        let start = match (self.paging, at) {
            (FakePaging::Page(first), Some(number)) => {
                (number.parse::<u64>().unwrap() - first).saturating_mul(size)
            }
            (FakePaging::Offset(first), Some(offset)) => offset.parse::<u64>().unwrap() - first,
            (FakePaging::KeyInclusive, Some(key)) => self.before(key, false)? as u64,
            (FakePaging::KeyExclusive, Some(key)) => self.before(key, true)? as u64,
            (FakePaging::Token, Some(token)) => {
                let key = token.strip_prefix("t-").unwrap();
                let ids = self.ids();
                let place = ids.iter().position(|id| id == key);
                let start = place.map(|place| place + 1);
                let start = start.filter(|&start| start < ids.len());
                start.ok_or_else(|| Error::new(ErrorKind::Expired, "Invalid cursor parameter"))?
                    as u64
            }
            (_, None) => 0,
        };
        if let (FakePaging::Page(_) | FakePaging::Offset(_), Some(max_rows)) =
            (self.paging, self.max_rows)
        {
            assert!(
                start + size <= max_rows,
                "{start} + {size} is past max_rows"
            );
        }
        Ok(usize::try_from(start).unwrap_or(usize::MAX))
    }

    /// How many rows are before a key, or up to it; its row may be gone.
    fn before(&self, key: &str, is_with: bool) -> Result<usize> {
        let rows = self.rows.borrow();
        let unknown = || Error::invalid("no such key");
        let place = rows.iter().position(|row| row.id == key);
        let place = place.ok_or_else(unknown)? + usize::from(is_with);
        Ok(rows[..place].iter().filter(|row| !row.is_deleted).count())
    }
}
