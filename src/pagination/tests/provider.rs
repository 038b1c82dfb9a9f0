//! A provider as its own documents would describe it. It reads query parameters; of positions it knows
//! nothing. What no client may send (a size out of bounds, a page past its reach) makes it panic.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
};

use crate::{
    error::{Error, ErrorKind, Result},
    pagination::{Listing, NextPage, Page, PageRequest, Paging, Row},
};

/// The words of a provider.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum MoreFlag {
    /// Pages with numbers, from this one on.
    Page(u64),
    /// The number of the row that the page starts with; the first row has this one.
    Offset(u64),
    /// The page starts with the row of this key.
    KeyInclusive,
    /// The page starts after the row of this key.
    KeyExclusive,
    /// The page starts after the one that ended with this token. A token behind which there is
    /// nothing, or whose row is gone, is an error.
    Token,
}

/// How a provider tells that there is more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum FakeEnd {
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
    pub(super) word: MoreFlag,
    pub(super) says: FakeEnd,
    pub(super) min: u32,
    pub(super) max: u32,
    pub(super) max_rows: Option<u64>,
    /// How many rows a page has at most, whatever its request says.
    pub(super) cap: Option<u32>,
    rows: RefCell<Vec<FakeRow>>,
    calls: RefCell<Vec<FakeCall>>,
    refusals: Cell<usize>,
}

/// The id of the row that was made as this one; the order of ids is not that of the list.
pub(super) fn id(number: usize) -> String {
    format!("u{:02}", number * 37 % 101)
}

/// What the provider lists.
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
    pub(super) fn new(word: MoreFlag, says: FakeEnd, rows: usize, (min, max): (u32, u32)) -> Self {
        let provider = Self {
            word,
            says,
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

    pub(super) fn listing(&self) -> Listing {
        Listing {
            paging: match self.word {
                MoreFlag::Page(first) => Paging::Page { first },
                MoreFlag::Offset(first) => Paging::Offset { first },
                MoreFlag::KeyInclusive | MoreFlag::KeyExclusive => Paging::Key,
                MoreFlag::Token => Paging::Token,
            },
            at: "at",
            size: "size",
            min: self.min,
            max: self.max,
            max_rows: self.max_rows,
            is_counted: self.says == FakeEnd::Total,
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
            match self.says {
                FakeEnd::More => NextPage::More(is_more),
                FakeEnd::Token => {
                    let last = page.last().filter(|_| is_more);
                    NextPage::Token {
                        next: last.map(|id| format!("t-{id}")),
                        total: None,
                    }
                }
                FakeEnd::Total => NextPage::Total(ids.len() as u64),
                FakeEnd::Silent => NextPage::Silent,
            },
        ))
    }

    /// How many rows are before the page.
    fn start(&self, at: Option<&str>, size: u32) -> Result<usize> {
        let size = u64::from(size);
        let start = match (self.word, at) {
            (MoreFlag::Page(first), Some(number)) => {
                (number.parse::<u64>().unwrap() - first).saturating_mul(size)
            }
            (MoreFlag::Offset(first), Some(offset)) => offset.parse::<u64>().unwrap() - first,
            (MoreFlag::KeyInclusive, Some(key)) => self.before(key, false)? as u64,
            (MoreFlag::KeyExclusive, Some(key)) => self.before(key, true)? as u64,
            (MoreFlag::Token, Some(token)) => {
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
        if let (MoreFlag::Page(_) | MoreFlag::Offset(_), Some(max_rows)) =
            (self.word, self.max_rows)
        {
            assert!(
                start + size <= max_rows,
                "{start} + {size} is past the reach"
            );
        }
        Ok(usize::try_from(start).unwrap_or(usize::MAX))
    }

    /// How many rows there are before a key, whose own row may be gone; or up to it.
    fn before(&self, key: &str, is_with: bool) -> Result<usize> {
        let rows = self.rows.borrow();
        let unknown = || Error::invalid("no such key");
        let place = rows.iter().position(|row| row.id == key);
        let place = place.ok_or_else(unknown)? + usize::from(is_with);
        Ok(rows[..place].iter().filter(|row| !row.is_deleted).count())
    }
}
