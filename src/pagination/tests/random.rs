//! Lists that change at random, by a seed, while they are read. A complete result misses no row
//! that keeps its order among its neighbours; no window has a row twice, and none is made up.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashSet},
};

use super::{
    provider::{FakeRecord, record},
    range,
};
use crate::{
    error::{Error, ErrorKind, Result},
    pagination::{
        IncompleteReason, NextPage, Page, PageAddress, PageRequest, PaginationSpec,
        PaginationStrategy, Position, read_window,
    },
};

use futures_util::FutureExt;

/// Random numbers (SplitMix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).unwrap()
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum RandomPaging {
    Counted,
    Offset,
    KeyInclusive,
    KeyExclusive,
    Token { is_counted: bool },
}

struct RandomList {
    dice: Dice,
    paging: RandomPaging,
    rows: Vec<usize>,
    made: usize,
    /// How often, in percent, something happens before a page is read.
    unrest: usize,
    moves: bool,
    /// Rows that moved, or over which another moved: for them nothing is promised.
    unsettled: HashSet<usize>,
    calls: usize,
}

impl RandomList {
    fn happen(&mut self) {
        while self.dice.chance(self.unrest) {
            let place = match self.dice.below(3) {
                0 => 0,
                _ => self.dice.below(self.rows.len() + 1),
            };
            match self.dice.below(if self.moves { 5 } else { 4 }) {
                0 | 1 => {
                    let many = 1 + self.dice.below(3);
                    for _ in 0..many {
                        self.rows.insert(place.min(self.rows.len()), self.made);
                        self.made += 1;
                    }
                }
                2 | 3 => {
                    let many = 1 + self.dice.below(4);
                    for _ in 0..many {
                        if place < self.rows.len() {
                            self.rows.remove(place);
                        }
                    }
                }
                _ if !self.rows.is_empty() => {
                    let from = self.dice.below(self.rows.len());
                    let to = self.dice.below(self.rows.len());
                    let row = self.rows.remove(from);
                    self.rows.insert(to, row);
                    let crossed = from.min(to)..=from.max(to);
                    self.unsettled.extend(&self.rows[crossed]);
                }
                _ => {}
            }
        }
    }

    fn place_of(&self, key: &str) -> Result<usize> {
        let key: usize = key[1..].parse().unwrap();
        let place = self.rows.iter().position(|row| *row == key);
        let unknown = match self.paging {
            RandomPaging::Token { .. } => Error::new(ErrorKind::Expired, "unknown"),
            _ => Error::new(ErrorKind::Rejected, "unknown"),
        };
        place.ok_or(unknown)
    }

    fn answer(&mut self, request: &PageRequest) -> Result<Page<FakeRecord>> {
        self.calls += 1;
        assert!(self.calls < 2_000, "it goes on and on");
        self.happen();
        let size = request.size as usize;
        let from = match &request.address {
            PageAddress::Page(number) => usize::try_from(number - 1).unwrap() * size,
            PageAddress::Offset(from) => usize::try_from(*from).unwrap(),
            PageAddress::Key(None) | PageAddress::Token(None) => 0,
            PageAddress::Key(Some(key)) if self.paging == RandomPaging::KeyInclusive => {
                self.place_of(key)?
            }
            PageAddress::Key(Some(key)) | PageAddress::Token(Some(key)) => self.place_of(key)? + 1,
        };
        let rows: Vec<_> = self.rows.iter().skip(from).take(size).collect();
        let is_more = from.saturating_add(size) < self.rows.len();
        let last = match (rows.last(), &request.address) {
            (Some(row), _) => Some(format!("u{row}")),
            (None, PageAddress::Key(at) | PageAddress::Token(at)) => at.clone(),
            (None, _) => None,
        };
        let total = self.rows.len() as u64;
        let next = match self.paging {
            RandomPaging::Counted => NextPage::Counted {
                total,
                more: is_more,
            },
            RandomPaging::Offset => NextPage::More(is_more),
            RandomPaging::KeyExclusive => NextPage::Key(last.filter(|_| is_more)),
            RandomPaging::KeyInclusive => {
                let following = self.rows.get(from + size).filter(|_| is_more);
                NextPage::Key(following.map(|row| format!("u{row}")))
            }
            RandomPaging::Token { is_counted } => {
                let next = last.filter(|_| is_more);
                let total = is_counted.then_some(total);
                NextPage::Token { next, total }
            }
        };
        let rows = rows.into_iter().map(|row| record(&format!("u{row}")));
        Ok(Page::new(rows.collect(), next))
    }
}

fn listing(paging: RandomPaging, max: u32) -> PaginationSpec {
    PaginationSpec {
        strategy: match paging {
            RandomPaging::Counted => PaginationStrategy::Page { first: 1 },
            RandomPaging::Offset => PaginationStrategy::Offset { first: 0 },
            RandomPaging::KeyInclusive | RandomPaging::KeyExclusive => PaginationStrategy::Key,
            RandomPaging::Token { .. } => PaginationStrategy::Token,
        },
        position_param: "at",
        size_param: "size",
        min_page_size: 1,
        max_page_size: max,
        max_rows: None,
        is_counted: matches!(paging, RandomPaging::Counted),
    }
}

/// The results of the cases of one strategy.
#[derive(Debug, Default)]
struct ScanOutcome {
    complete: usize,
    doubtful: usize,
    failed: usize,
    missed_though_settled: usize,
    missed_unsettled: usize,
    repeated_over_windows: usize,
}

/// The result of a scan to the end.
struct ScannedList {
    rows: Vec<usize>,
    incomplete: Option<IncompleteReason>,
    log: Vec<String>,
}

fn list_of(dice: &mut Dice, paging: RandomPaging) -> RandomList {
    let rows = dice.below(60);
    RandomList {
        dice: Dice(dice.next()),
        paging,
        rows: (0..rows).collect(),
        made: rows,
        unrest: [0, 10, 30, 50][dice.below(4)],
        moves: dice.chance(30),
        unsettled: HashSet::new(),
        calls: 0,
    }
}

/// Walks a list by windows of any size, each after the last edge of the one before or any other;
/// `None` where it ends in an error.
fn scanned(
    dice: &mut Dice,
    list: &RefCell<RandomList>,
    listing: &PaginationSpec,
) -> Option<ScannedList> {
    let mut scanned = ScannedList {
        rows: Vec::new(),
        incomplete: None,
        log: Vec::new(),
    };
    let mut after: Option<Position> = None;
    loop {
        let first = 1 + u32::try_from(dice.below(30)).unwrap();
        let range = range(after.as_ref(), first);
        let read = read_window(listing, &range, None, |request| {
            std::future::ready(list.borrow_mut().answer(&request))
        });
        let read = read.now_or_never().unwrap().ok()?;
        scanned.incomplete = scanned.incomplete.or(read.incomplete);
        let ids = read.rows.iter().map(|row| &row.node.key[1..]);
        let ids: Vec<usize> = ids.map(|id| id.parse().unwrap()).collect();
        let said = format!(
            "after {after:?} first {first}: {ids:?} {:?}",
            read.incomplete
        );
        let distinct: HashSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len(), "doubled: {said}");
        assert!(ids.iter().all(|row| *row < list.borrow().made), "made up");
        scanned.log.push(said);
        let keep = match ids.len() {
            0 => 0,
            rows if dice.chance(30) => 1 + dice.below(rows),
            rows => rows,
        };
        scanned.rows.extend(&ids[..keep]);
        if keep == ids.len() && !read.has_next {
            return Some(scanned);
        }
        after = Some(read.rows.get(keep.checked_sub(1)?)?.position.clone());
    }
}

fn case(seed: u64, paging: RandomPaging, outcome: &mut ScanOutcome) {
    let mut dice = Dice(seed);
    // Of numbered pages that small no two overlap where every size divides the place.
    let least = if paging == RandomPaging::Counted {
        8
    } else {
        2
    };
    let listing = listing(paging, least + u32::try_from(dice.below(12)).unwrap());
    let list = RefCell::new(list_of(&mut dice, paging));
    let at_first = list.borrow().rows.len();
    let Some(scanned) = scanned(&mut dice, &list, &listing) else {
        outcome.failed += 1;
        return;
    };
    if scanned.incomplete.is_some() {
        outcome.doubtful += 1;
        return;
    }
    outcome.complete += 1;
    let distinct: HashSet<usize> = scanned.rows.iter().copied().collect();
    outcome.repeated_over_windows += scanned.rows.len() - distinct.len();
    let list = list.borrow();
    let missed = list.rows.iter().copied();
    let missed = missed.filter(|row| *row < at_first && !distinct.contains(row));
    let (unsettled, settled): (Vec<usize>, Vec<usize>) =
        missed.partition(|row| list.unsettled.contains(row));
    outcome.missed_unsettled += usize::from(!unsettled.is_empty());
    if !settled.is_empty() && outcome.missed_though_settled == 0 {
        let log = scanned.log.join("\n");
        eprintln!(
            "seed {seed} {paging:?}: missed {settled:?}\n{log}\nnow {:?}",
            list.rows
        );
    }
    outcome.missed_though_settled += usize::from(!settled.is_empty());
}

#[test]
fn no_row_that_stays_is_missed_in_a_complete_result() {
    let pagings = [
        RandomPaging::Counted,
        RandomPaging::Offset,
        RandomPaging::KeyInclusive,
        RandomPaging::KeyExclusive,
        RandomPaging::Token { is_counted: false },
        RandomPaging::Token { is_counted: true },
    ];
    let mut outcomes: BTreeMap<String, ScanOutcome> = BTreeMap::new();
    for paging in pagings {
        let outcome = outcomes.entry(format!("{paging:?}")).or_default();
        for seed in 0..3_000 {
            case(seed, paging, outcome);
        }
    }
    eprintln!("{outcomes:#?}");
    for (paging, outcome) in outcomes {
        assert_eq!(outcome.missed_though_settled, 0, "{paging}");
        assert!(outcome.complete > 1_000, "{paging}: {outcome:?}");
    }
}
