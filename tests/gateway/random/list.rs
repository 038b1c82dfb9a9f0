//! A provider's list of users: what is in it, and what happens to it.

use std::collections::{BTreeSet, HashSet};

use super::{
    dice::{Dice, mixed},
    habits::{Habits, Paging},
    rows::{Form, id},
};

/// How far apart users are made where they do not share a moment, in microseconds.
const APART: i64 = 1 << 20;

/// When the first user was made.
const BEGIN: i64 = 1_770_000_000_000_000;

#[derive(Clone, Debug)]
pub(super) struct User {
    pub(super) number: usize,
    pub(super) email: String,
    pub(super) form: Form,
    /// When the user was made, in microseconds since 1970: lists by tokens of Usertour are in this order.
    pub(super) moment: i64,
    is_gone: bool,
}

impl User {
    pub(super) fn id(&self) -> String {
        id(self.number, self.form)
    }
}

/// A list while it is walked.
#[derive(Debug)]
pub(super) struct List {
    pub(super) paging: Paging,
    pub(super) habits: Habits,
    pub(super) dice: Dice,
    users: Vec<User>,
    pub(super) made: usize,
    /// The user up to which the client has read: changes near it matter most.
    pub(super) border: Option<usize>,
    /// Users that moved, or that another user passed: nothing is promised for them.
    pub(super) unsettled: HashSet<usize>,
    /// Users of the moment at a page's end that no page showed beside another of that moment.
    pub(super) hidden: HashSet<usize>,
    /// The last users of pages without ties.
    pub(super) plain_ends: HashSet<usize>,
    /// Whether users were withheld in a way that no client can tell from the truth.
    pub(super) lied: bool,
    /// The counts that were given.
    pub(super) totals: BTreeSet<usize>,
    pub(super) minted: usize,
}

impl List {
    pub(super) fn of(paging: Paging, mut dice: Dice) -> Self {
        let size = dice.one_of(&[0, 1, 30, 99, 100, 101, 130, 199, 250, 310]);
        let habits = Habits::of(paging, &mut dice);
        let mut list = Self {
            paging,
            habits,
            dice,
            users: Vec::new(),
            made: 0,
            border: None,
            unsettled: HashSet::new(),
            hidden: HashSet::new(),
            plain_ends: HashSet::new(),
            lied: false,
            totals: BTreeSet::new(),
            minted: 0,
        };
        (0..size).for_each(|place| list.insert(place));
        list
    }

    fn insert(&mut self, place: usize) {
        let (number, place) = (self.made, place.min(self.users.len()));
        self.made += 1;
        let form = Form::of(self.habits.broken, self.habits.forms, &mut self.dice);
        let user = User {
            number,
            email: email(number),
            form,
            moment: self.moment_at(place),
            is_gone: false,
        };
        self.users.insert(place, user);
    }

    /// When a user at a place was made: between his neighbours, or at the moment of the one before.
    fn moment_at(&mut self, place: usize) -> i64 {
        let before = place.checked_sub(1).and_then(|place| self.users.get(place));
        let before = before.map_or(BEGIN, |user| user.moment);
        let behind = self.users.get(place).map(|user| user.moment);
        let behind = behind.unwrap_or(before + 2 * APART);
        let group = self.users.iter().filter(|user| user.moment == before);
        let is_tied = group.count() < self.habits.ties && self.dice.chance(self.habits.tied);
        match behind - before {
            room if room < 2 || is_tied => before,
            room => before + room / 2,
        }
    }

    /// Whether nothing keeps an answer from being whole: then it must be COMPLETE. Where a moment cannot be
    /// read, nobody knows where the users of a moment end.
    pub(super) fn is_calm(&self) -> bool {
        let is_timed = self.users.iter().all(|user| user.form.is_timed());
        self.habits.is_calm() && (is_timed || self.paging != Paging::Tokens)
    }

    /// Everybody who ever was there.
    pub(super) fn ever(&self) -> &[User] {
        &self.users
    }

    /// Those who are there and wanted, in the list's order.
    pub(super) fn there(&self, has: impl Fn(&User) -> bool) -> Vec<User> {
        let users = self.users.iter();
        let there = users.filter(|user| !user.is_gone && has(user));
        there.cloned().collect()
    }

    /// The same, those of one moment in an order that hangs on a number.
    pub(super) fn shuffled(&self, has: impl Fn(&User) -> bool, salt: u64) -> Vec<User> {
        let mut users = self.there(has);
        if self.habits.ties > 0 {
            users.sort_by_key(|user| (user.moment, mixed(salt ^ user.number as u64)));
        }
        users
    }

    /// How many of those who are there and wanted come before a user who may be gone.
    pub(super) fn before(&self, number: usize, has: impl Fn(&User) -> bool) -> Option<usize> {
        let place = self.users.iter().position(|user| user.number == number)?;
        let users = self.users[..place].iter();
        Some(users.filter(|user| !user.is_gone && has(user)).count())
    }

    /// Changes the list before a page is read.
    pub(super) fn happen(&mut self) {
        while self.dice.chance(self.habits.unrest) {
            let place = self.place();
            match self.dice.below(if self.habits.moves { 5 } else { 4 }) {
                0 | 1 => (0..=self.dice.below(4)).for_each(|_| self.insert(place)),
                2 | 3 => {
                    let many = match self.dice.below(4) {
                        0 => 1 + self.dice.below(30),
                        _ => 1 + self.dice.below(6),
                    };
                    let users = self.users.iter_mut().skip(place).take(many);
                    users.for_each(|user| user.is_gone = true);
                }
                _ => self.shift(),
            }
        }
    }

    /// Where something happens: at the start, near the place up to which the client has read, or
    /// anywhere.
    fn place(&mut self) -> usize {
        let border = self.border.and_then(|border| {
            let mut users = self.users.iter();
            users.position(|user| user.number == border)
        });
        match (self.dice.below(4), border) {
            (0, _) => 0,
            (1 | 2, Some(border)) => border.saturating_sub(self.dice.below(8)),
            _ => self.dice.below(self.users.len() + 1),
        }
    }

    fn shift(&mut self) {
        if self.users.is_empty() {
            return;
        }
        let from = self.dice.below(self.users.len());
        let to = self.dice.below(self.users.len());
        let mut user = self.users.remove(from);
        user.moment = self.moment_at(to);
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
