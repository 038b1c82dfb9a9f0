//! How a provider pages, and how it misbehaves.

use super::dice::Dice;

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

    /// Whether places are numbers of rows.
    pub(super) fn is_ordinal(self) -> bool {
        matches!(self, Self::Offsets | Self::Numbers)
    }
}

/// How a provider answers a position that names a deleted user.
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
    /// The link or token of the next page is unreadable.
    pub(super) unreadable: usize,
    /// A page is empty and names a next one.
    pub(super) empty: usize,
    /// A user comes twice in a page.
    pub(super) repeats: usize,
    /// A page holds more than was asked for.
    pub(super) longer: usize,
    /// Users on longer pages are not those that follow, but others.
    pub(super) is_padded: bool,
    /// The count is off by so many.
    pub(super) off: isize,
    /// A value that is shown is of another type than documented.
    pub(super) odd: usize,
    /// A record has odd values, or an id that is a number.
    pub(super) forms: usize,
    /// A record cannot be read.
    pub(super) broken: usize,
    /// So many users share a moment at most; none where it is 0.
    pub(super) ties: usize,
    /// A user shares the moment of the one before.
    pub(super) tied: usize,
    /// Another record than was asked for is the answer.
    pub(super) foreign: usize,
    pub(super) gone: Gone,
    /// Whether a key's page begins with its own user.
    pub(super) is_inclusive: bool,
}

impl Habits {
    pub(super) fn of(paging: Paging, dice: &mut Dice) -> Self {
        let mut habits = Self {
            unrest: dice.one_of(&[0, 0, 20, 40, 60]),
            moves: dice.chance(15),
            false_ends: 0,
            false_nexts: 0,
            unreadable: 0,
            empty: 0,
            repeats: 0,
            longer: 0,
            is_padded: dice.chance(70) && paging.is_ordinal(),
            off: 0,
            odd: dice.one_of(&[0, 0, 10]),
            forms: dice.one_of(&[0, 0, 0, 5, 30]),
            broken: dice.one_of(&[0, 0, 0, 0, 1, 4]),
            ties: 0,
            tied: dice.one_of(&[8, 75]),
            foreign: dice.one_of(&[0, 0, 30]),
            gone: dice.one_of(&[Gone::Known, Gone::Refused, Gone::Empty]),
            is_inclusive: dice.chance(50),
        };
        if paging == Paging::Tokens {
            habits.ties = dice.one_of(&[0, 0, 3, 10, 60, 130]);
        }
        for _ in 0..dice.one_of(&[0, 0, 1, 1, 2]) {
            match dice.below(7) {
                0 => habits.false_ends = 20,
                1 => habits.false_nexts = 50,
                2 => habits.unreadable = 30,
                3 => habits.empty = 25,
                4 => habits.repeats = 40,
                5 => habits.longer = 50,
                _ => habits.off = dice.one_of(&[-3, -1, 1, 5]),
            }
        }
        habits
    }

    /// Whether nothing happens that keeps an answer from being whole: then it must be COMPLETE.
    pub(super) fn is_calm(&self) -> bool {
        self.is_steady() && self.broken == 0 && self.ties < 100
    }

    /// Whether nothing happens that keeps a list from being read: then there must be an answer.
    pub(super) fn is_steady(&self) -> bool {
        let faults = [
            self.unrest,
            self.false_ends,
            self.false_nexts,
            self.unreadable,
            self.empty,
            self.repeats,
            self.longer,
            self.off.unsigned_abs(),
        ];
        faults.iter().all(|fault| *fault == 0)
    }
}
