//! Everybody in the order of creation: the known people first, then generated ones, with the two of
//! the edge among them. A person's number, and with it all that a person is, depends on nothing but
//! the seed.

use std::ops::Range;

use super::{EPOCH, Person, generated, hard_cases};

/// The generated people who come before those of the edge: enough to fill the first hundred of a
/// provider that has few of the known ones.
const BEFORE_THE_EDGE: usize = 120;

/// The people made so far; more are made when they are asked for.
pub(super) struct Sequence {
    seed: u64,
    people: Vec<Person>,
    /// The number of the first generated person.
    first_generated: usize,
}

impl Sequence {
    pub(super) fn new(seed: u64) -> Self {
        let known = hard_cases::first();
        let mut sequence = Self {
            seed,
            people: Vec::new(),
            first_generated: known.len(),
        };
        known.into_iter().for_each(|person| sequence.push(person));
        while sequence.people.len() < sequence.edge().start {
            sequence.generate();
        }
        let edge = hard_cases::at_the_edge();
        edge.into_iter().for_each(|person| sequence.push(person));
        sequence
    }

    pub(super) fn seed(&self) -> u64 {
        self.seed
    }

    /// The numbers of the people of the edge.
    pub(super) fn edge(&self) -> Range<usize> {
        let start = self.first_generated + BEFORE_THE_EDGE;
        start..start + 2
    }

    /// Whether chance decides at which providers the person with this number is.
    pub(super) fn is_generated(&self, number: usize) -> bool {
        number >= self.first_generated && !self.edge().contains(&number)
    }

    pub(super) fn person(&mut self, number: usize) -> &mut Person {
        while self.people.len() <= number {
            self.generate();
        }
        &mut self.people[number]
    }

    /// Everybody made so far, by number.
    pub(super) fn into_people(self) -> Vec<Person> {
        self.people
    }

    fn generate(&mut self) {
        let person = generated::person(self.seed, self.people.len());
        self.push(person);
    }

    fn push(&mut self, mut person: Person) {
        person.index = self.people.len();
        if person.created_at == 0 {
            person.created_at = self.next_creation();
        }
        person.updated_at = person.updated_at.max(person.created_at);
        self.people.push(person);
    }

    /// A minute and a bit after the last person.
    fn next_creation(&self) -> i64 {
        let last = self.people.last();
        last.map_or(EPOCH, |last| last.created_at + 61 + last.created_at % 7)
    }
}
