//! Rows that cannot be read. They have no identity: nothing tells one from another of the same text, so
//! none of them was "read before" and none proves a place. They have a position and are counted.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
};

use super::{Page, Row};

/// Numbers the rows of one text, so that as many are counted as there are.
#[derive(Debug, Default)]
pub struct UnreadableRows(HashMap<u64, u32>);

impl UnreadableRows {
    /// What a row is counted by: its text, and how many rows of this text came before it.
    pub fn number(&mut self, text: &str) -> u64 {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let number = self.0.entry(hasher.finish()).or_default();
        *number += 1;
        number.hash(&mut hasher);
        hasher.finish()
    }
}

/// How many rows that cannot be read follow one another from a place of a page on.
pub(super) fn run<T: Row>(page: &Page<T>, from: usize) -> usize {
    let rows = page.rows.iter().skip(from);
    rows.take_while(|row| row.is_unreadable()).count()
}
