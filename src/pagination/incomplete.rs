//! Why an answer may be incomplete.

use super::Row;
use crate::notice::{Notice, NoticeCode};

/// Why rows may be missing from what was read, or may come again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum IncompleteReason {
    /// Rows shifted, and the position was not found again.
    Shifted,
    /// The rows before a cursor are gone: the rows after it may have come before.
    Repeats,
    /// The provider reports a total that differs from the number of rows it returned.
    Miscounted,
    /// The last page holds a row twice.
    DuplicateRow,
    /// The provider named a next page after an empty one, and which rows that should have held is
    /// unknown.
    Empty,
    /// The deadline passed.
    DeadlineReached,
}

impl IncompleteReason {
    /// The notice for a client about a list of such rows.
    #[must_use]
    pub fn notice<T: Row>(self) -> Notice {
        Notice::new(self.code(), self.message(T::PLURAL))
    }

    fn code(self) -> NoticeCode {
        match self {
            Self::Shifted | Self::Repeats => NoticeCode::ListChanged,
            Self::Miscounted => NoticeCode::CountMismatch,
            Self::DuplicateRow | Self::Empty => NoticeCode::PagesInconsistent,
            Self::DeadlineReached => NoticeCode::DeadlineExceeded,
        }
    }

    fn message(self, rows: &str) -> String {
        match self {
            Self::Shifted => format!(
                "{rows} came or went while the list was read, and its place was not found again: some may be missing, or come twice"
            ),
            Self::Repeats => format!(
                "the {rows} before this cursor are gone: some of these may have come before"
            ),
            Self::Miscounted => format!(
                "the provider counts another number of {rows} than it gave: some may be missing"
            ),
            Self::DuplicateRow => format!(
                "the provider's last page holds one of the {rows} twice: another may be missing in its place"
            ),
            Self::Empty => format!(
                "the provider names a next page after one without {rows}: some may be missing"
            ),
            Self::DeadlineReached => {
                format!("the time was over before all of the list was read: there are more {rows}")
            }
        }
    }
}
