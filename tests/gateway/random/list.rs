//! A provider's list of users: what is in it, what happens to it, and how the provider misbehaves.

use std::collections::{BTreeSet, HashSet};

/// Random numbers (SplitMix64).
#[derive(Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn of(seed: u64, lane: u64, case: u64) -> Self {
        let mut dice = Self(seed ^ lane.rotate_left(40) ^ case.rotate_left(17));
        dice.next();
        dice
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).expect("small")
    }

    pub(super) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(super) fn one_of<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.below(values.len())]
    }
}

/// How a provider cuts its list into pages.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Paging {
    /// Ada.
    Keys,
    /// DigitalChalk.
    Offsets,
    /// Intercom 1.x, which counts.
    Numbers,
    /// Intercom 2.x, which counts.
    CountedTokens,
    /// Usertour.
    Tokens,
}

impl Paging {
    pub(super) const ALL: [Self; 5] = [
        Self::Keys,
        Self::Offsets,
        Self::Numbers,
        Self::CountedTokens,
        Self::Tokens,
    ];

    /// The provider's name in the graph.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Keys => "ADA",
            Self::Offsets => "DIGITAL_CHALK",
            Self::Numbers | Self::CountedTokens => "INTERCOM",
            Self::Tokens => "USERTOUR",
        }
    }

    pub(super) fn is_counted(self) -> bool {
        matches!(self, Self::Numbers | Self::CountedTokens)
    }
}

/// What a provider does to a place that is named by a user who is gone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Gone {
    /// It is where it was.
    Known,
    /// An error.
    Refused,
    /// A page of nobody, and no next one.
    Empty,
}

/// How a provider misbehaves: how often, in percent.
#[derive(Debug)]
pub(super) struct Habits {
    /// Something happens to the list before a page is read.
    pub(super) unrest: usize,
    /// Users move within the list.
    pub(super) moves: bool,
    /// A page says that it is the last, and is not.
    pub(super) false_ends: usize,
    /// A last page names a next one.
    pub(super) false_nexts: usize,
    /// What names the next page cannot be read.
    pub(super) unreadable: usize,
    /// A page is empty and names a next one.
    pub(super) empty: usize,
    /// A user comes twice in a page.
    pub(super) repeats: usize,
    /// A page holds more than was asked for.
    pub(super) longer: usize,
    /// The count is off by so many.
    pub(super) off: isize,
    /// A value that is shown is of another type than documented.
    pub(super) odd: usize,
    pub(super) gone: Gone,
    /// Whether a key's page begins with its own user.
    pub(super) is_inclusive: bool,
}

impl Habits {
    fn of(dice: &mut Dice) -> Self {
        let mut habits = Self {
            unrest: dice.one_of(&[0, 0, 20, 40, 60]),
            moves: dice.chance(20),
            false_ends: 0,
            false_nexts: 0,
            unreadable: 0,
            empty: 0,
            repeats: 0,
            longer: 0,
            off: 0,
            odd: dice.one_of(&[0, 0, 10]),
            gone: dice.one_of(&[Gone::Known, Gone::Refused, Gone::Empty]),
            is_inclusive: dice.chance(50),
        };
        for _ in 0..dice.one_of(&[0, 1, 1, 2]) {
            match dice.below(7) {
                0 => habits.false_ends = 20,
                1 => habits.false_nexts = 50,
                2 => habits.unreadable = 30,
                3 => habits.empty = 25,
                4 => habits.repeats = 40,
                5 => habits.longer = 40,
                _ => habits.off = dice.one_of(&[-3, -1, 1, 5]),
            }
        }
        habits
    }
}

#[derive(Clone, Debug)]
pub(super) struct User {
    pub(super) number: usize,
    pub(super) email: String,
    is_gone: bool,
}

/// A list while it is walked.
#[derive(Debug)]
pub(super) struct List {
    pub(super) paging: Paging,
    pub(super) habits: Habits,
    pub(super) dice: Dice,
    users: Vec<User>,
    pub(super) made: usize,
    /// Users who moved, or over whom another moved: for them nothing is promised.
    pub(super) unsettled: HashSet<usize>,
    /// Whether users were withheld in a way that no client can tell from the truth.
    pub(super) lied: bool,
    /// The counts that were given.
    pub(super) totals: BTreeSet<usize>,
    pub(super) minted: usize,
}

impl List {
    pub(super) fn of(paging: Paging, mut dice: Dice) -> Self {
        let size = dice.one_of(&[0, 1, 30, 99, 100, 101, 130, 199, 250, 310]);
        let habits = Habits::of(&mut dice);
        let mut list = Self {
            paging,
            habits,
            dice,
            users: Vec::new(),
            made: 0,
            unsettled: HashSet::new(),
            lied: false,
            totals: BTreeSet::new(),
            minted: 0,
        };
        (0..size).for_each(|place| list.insert(place));
        list
    }

    fn insert(&mut self, place: usize) {
        let number = self.made;
        self.made += 1;
        let email = email(number);
        let place = place.min(self.users.len());
        self.users.insert(
            place,
            User {
                number,
                email,
                is_gone: false,
            },
        );
    }

    /// Those who are there, and have an address where one is asked for.
    pub(super) fn there(&self, has: impl Fn(&str) -> bool) -> Vec<User> {
        let users = self.users.iter();
        let there = users.filter(|user| !user.is_gone && has(&user.email));
        there.cloned().collect()
    }

    /// How many of those who are there come before a user, and whether he is there himself.
    pub(super) fn before(
        &self,
        number: usize,
        has: impl Fn(&str) -> bool,
    ) -> Option<(usize, bool)> {
        let place = self.users.iter().position(|user| user.number == number)?;
        let users = self.users[..place].iter();
        let before = users.filter(|user| !user.is_gone && has(&user.email));
        Some((before.count(), !self.users[place].is_gone))
    }

    /// What happens to the list before a page is read.
    pub(super) fn happen(&mut self) {
        while self.dice.chance(self.habits.unrest) {
            let place = match self.dice.below(3) {
                0 => 0,
                _ => self.dice.below(self.users.len() + 1),
            };
            match self.dice.below(if self.habits.moves { 5 } else { 4 }) {
                0 | 1 => (0..=self.dice.below(4)).for_each(|_| self.insert(place)),
                2 | 3 => {
                    let many = 1 + self.dice.below(6);
                    let users = self.users.iter_mut().skip(place).take(many);
                    users.for_each(|user| user.is_gone = true);
                }
                _ => self.shift(),
            }
        }
    }

    fn shift(&mut self) {
        if self.users.is_empty() {
            return;
        }
        let from = self.dice.below(self.users.len());
        let to = self.dice.below(self.users.len());
        let user = self.users.remove(from);
        self.users.insert(to, user);
        let crossed = self.users[from.min(to)..=from.max(to)].iter();
        self.unsettled.extend(crossed.map(|user| user.number));
    }
}

/// A user's address: several share one, and others hold it in theirs.
pub(super) fn email(number: usize) -> String {
    match number % 5 {
        0 => format!("x{}@shared.test", number % 35),
        1 => format!("more-x{}@shared.test", number % 35),
        _ => format!("u{number}@alone.test"),
    }
}
