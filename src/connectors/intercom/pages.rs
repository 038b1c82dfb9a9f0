//! The page numbers of Intercom's answers. They may contradict a missing `next`.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::pagination::{IncompleteReason, NextPage};

/// The numbers of a page.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PageNumbers {
    /// The number of the page.
    pub(super) page: Option<u64>,
    /// How many rows a page has.
    pub(super) per_page: Option<u64>,
    /// How many pages there are.
    pub(super) total_pages: Option<u64>,
}

impl PageNumbers {
    /// How many rows a page has.
    pub(super) fn size(self) -> Option<u32> {
        self.per_page.and_then(|size| size.try_into().ok())
    }

    /// Whether there are more pages than this. `asked` is its number where it does not say it.
    pub(super) fn more(self, asked: Option<u64>) -> Option<bool> {
        Some(self.page.or(asked)? < self.total_pages?)
    }

    /// Whether rows may be missing behind a page that names no next one, though there are more pages than
    /// this. `asked` is its number where it does not say it. Where rows are counted their number decides.
    pub(super) fn incomplete(
        self,
        next: &NextPage,
        asked: Option<u64>,
    ) -> Option<IncompleteReason> {
        let is_end = match next {
            NextPage::More(more) => !more,
            NextPage::Token { next, total } => next.is_none() && total.is_none(),
            NextPage::Key(_) | NextPage::Total(_) | NextPage::Counted { .. } | NextPage::Silent => {
                false
            }
        };
        (is_end && self.more(asked)?).then_some(IncompleteReason::Miscounted)
    }
}

/// A number that is compared only where it is one.
pub(super) fn loose<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let raw: &RawValue = Deserialize::deserialize(deserializer)?;
    Ok(raw.get().trim().parse().ok())
}
