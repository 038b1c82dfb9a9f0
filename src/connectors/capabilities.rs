//! The capabilities of a provider, and the selections that it is asked for.

use super::{Filter, FilterField, SortField};
use crate::{
    pagination::PaginationSpec,
    user::{Identity, PatchField},
};

/// The capabilities of a provider and their limits. It cannot do what is `None` or absent.
#[derive(Clone, Debug)]
pub struct ConnectorCapabilities {
    /// How users are listed.
    pub pagination: PaginationSpec,
    /// The fields that narrow the list.
    pub filters: &'static [FilterField],
    /// Those of them by which the provider narrows less than asked, so that we check its rows
    /// again.
    pub post_filtered: &'static [FilterField],
    /// The fields that sort the list.
    pub sorts: &'static [SortField],
    /// How many remote ids one call answers.
    pub by_id: BatchSize,
    /// How many external ids one call answers.
    pub by_external_id: Option<BatchSize>,
    /// How many addresses one search takes.
    pub by_email: BatchSize,
    /// Whether the list's email filter finds parts of addresses too.
    pub finds_substrings: bool,
    /// How users are found by address.
    pub email_search: EmailSearch,
    /// The users that a search by address may miss, in words for the client; `None` when it misses
    /// none.
    pub email_caveat: Option<&'static str>,
    /// Whether a search by address may miss users, and not only leads. Then a search that finds
    /// nobody never leads to a create.
    pub email_misses_users: bool,
    /// The users that the list of a segment may lack or hold wrongly, in words for the client;
    /// `None` when it is exact.
    pub segment_caveat: Option<&'static str>,
    /// The identities by which the provider finds or creates a record in one repeatable call.
    pub upserts: &'static [Identity],
    /// Whether the answer to that call says what it did; if not, we look for the record first.
    pub upsert_reports_outcome: bool,
    /// Which fields can be written.
    pub writes: &'static [PatchField],
    /// Whether leads can be written as users are.
    pub writes_leads: bool,
    /// The identities by which lookups lag behind writes: before a write we read the record again.
    pub eventually_consistent_by: &'static [Identity],
}

impl ConnectorCapabilities {
    /// Whether a search by address answers only users who show the address: it compares whole
    /// addresses, and does not lag. Anybody else in its answer may have the address all the same.
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
    /// The parts that either asks for.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self {
            companies: self.companies || other.companies,
            memberships: self.memberships || other.memberships,
        }
    }
}

/// The users that a list selects, and how much of each is read.
#[derive(Clone, Debug, Default)]
pub struct ListQuery {
    /// Which users.
    pub filter: Filter,
    /// How much of each.
    pub expand: Expand,
}
