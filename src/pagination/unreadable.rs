//! Unreadable rows. They have no identity: two of the same text cannot be told apart, so none
//! counts as "read before" and none shows where a page starts. They have a position and are
//! counted.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
};

use super::{Page, Row};

/// Numbers the rows of equal text, so that each is counted.
#[derive(Debug, Default)]
pub struct UnreadableRows(HashMap<u64, u32>);

impl UnreadableRows {
    /// The number of a row: a hash of its text and of how many rows of this text came before it.
    pub fn number(&mut self, text: &str) -> u64 {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let number = self.0.entry(hasher.finish()).or_default();
        *number += 1;
        number.hash(&mut hasher);
        hasher.finish()
    }
}

/// How many unreadable rows follow one another from an index of a page on.
pub(super) fn count_unreadable<T: Row>(page: &Page<T>, from: usize) -> usize {
    let rows = page.rows.iter().skip(from);
    rows.take_while(|row| row.is_unreadable()).count()
}
