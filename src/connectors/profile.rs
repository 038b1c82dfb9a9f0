//! What a provider can do, and what it is asked for.

use super::{Filter, FilterField, SortField};
use crate::{
    pagination::Listing,
    user::{Identity, PatchField},
};

/// What a provider can do, and within which limits. What is `None` or absent it cannot do.
#[derive(Clone, Debug)]
pub struct Profile {
    /// How users are listed.
    pub listing: Listing,
    /// By what the list can be narrowed.
    pub filters: &'static [FilterField],
    /// By which of these the provider narrows less than asked, so that its rows are looked at again.
    pub post_filtered: &'static [FilterField],
    /// By what the list can be sorted.
    pub sorts: &'static [SortField],
    /// How many remote ids one call answers.
    pub by_id: BatchSize,
    /// How many external ids one call answers.
    pub by_external_id: Option<BatchSize>,
    /// How many addresses are handed to the provider at a time.
    pub by_email: BatchSize,
    /// Whether the list's email filter finds parts of addresses too.
    pub finds_substrings: bool,
    /// How users are found by address.
    pub email_search: EmailSearch,
    /// Whom a search by address may miss, for the client; `None` when nobody.
    pub email_caveat: Option<&'static str>,
    /// Whether a search by address may miss users, and not only leads: then nobody is created because it
    /// found nobody.
    pub email_misses_users: bool,
    /// Whom a list of a segment may hold or lack, for the client; `None` when it is exact.
    pub segment_caveat: Option<&'static str>,
    /// By what the provider itself finds or creates a record in one repeatable call.
    pub upserts: &'static [Identity],
    /// Whether its answer to that says what it did; else the record is looked for before.
    pub upsert_tells_outcome: bool,
    /// Which fields can be written.
    pub writes: &'static [PatchField],
    /// Whether leads can be written as users are.
    pub writes_leads: bool,
    /// By what users are found as they were a while ago: who is to be written is looked at again.
    pub eventually_consistent_by: &'static [Identity],
}

impl Profile {
    /// Whether a search by address answers only users who show the address: it compares whole addresses,
    /// and does not lag. Anybody else in its answer may have the address all the same.
    #[must_use]
    pub fn finds_shown_emails_only(&self) -> bool {
        let is_exact = self.email_search == EmailSearch::Exact && !self.finds_substrings;
        is_exact && !self.eventually_consistent_by.contains(&Identity::Email)
    }
}

/// How many keys one call answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BatchSize {
    /// The bound.
    pub max: usize,
}

/// A batch of one: the provider answers one key a call.
pub const SINGLE: BatchSize = BatchSize { max: 1 };

/// How a provider finds users by address.
#[derive(async_graphql::Enum, Clone, Copy, Debug, Eq, PartialEq)]
pub enum EmailSearch {
    /// Every spelling is found, as far as the provider's documents tell.
    Exact,
    /// The provider compares letter case: other spellings than those asked for may be missed.
    ByCase,
    /// The provider has no such search: its list is read, within bounds.
    Scan,
}

/// Parts of a user that cost the provider more, so that they are asked for only when they are read.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Expand {
    /// The user's companies.
    pub companies: bool,
    /// The user's memberships in companies.
    pub memberships: bool,
}

impl Expand {
    /// What either wants.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            companies: self.companies || other.companies,
            memberships: self.memberships || other.memberships,
        }
    }
}

/// The users that a list selects, and how much of each is read.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Which users.
    pub filter: Filter,
    /// How much of each.
    pub expand: Expand,
}
