//! How large the domains of addresses are, learnt from searches for them: whether one search for all
//! addresses of a domain is less than one for each.

use std::time::Duration;

use moka::sync::Cache;

use crate::{
    pagination::{Scan, Truncation},
    user::User,
};

/// The time after which a domain's size is measured again.
const SIZE_TTL: Duration = Duration::from_secs(600);

/// How many domains are remembered.
const MOST: u64 = 10_000;

/// How many pages a domain fills.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum DomainSize {
    /// So many.
    Pages(u32),
    /// More than so many: nobody read on.
    MoreThan(u32),
}

impl DomainSize {
    /// How many pages to read of a domain for `emails` of its addresses, fewer than a search for each
    /// would read; `None` when that is not to be hoped for.
    fn pages_worth_reading(size: Option<Self>, emails: u32) -> Option<u32> {
        match size {
            _ if emails < 2 => None,
            None => Some(1),
            // It may have grown by a page.
            Some(Self::Pages(pages)) => (pages < emails).then_some(pages + 1),
            Some(Self::MoreThan(pages)) => {
                let twice = pages.saturating_mul(2);
                (twice < emails).then_some(twice)
            }
        }
    }
}

/// The sizes of domains.
pub(super) struct DomainSizes(Cache<String, DomainSize>);

impl Default for DomainSizes {
    fn default() -> Self {
        let sizes = Cache::builder().max_capacity(MOST);
        Self(sizes.time_to_live(SIZE_TTL).build())
    }
}

impl DomainSizes {
    /// How many pages to read of a domain for so many of its addresses; `None` when each is to be searched
    /// for by itself. Letter case beyond ASCII is the provider's own affair: such a domain is not shared.
    pub(super) fn pages_worth_reading(&self, domain: &str, emails: usize) -> Option<u32> {
        let emails = u32::try_from(emails).unwrap_or(u32::MAX);
        let is_plain = domain.is_ascii() && !domain.is_empty();
        DomainSize::pages_worth_reading(self.0.get(domain), emails).filter(|_| is_plain)
    }

    /// Learns from a scan through a domain. One that failed says nothing.
    pub(super) fn record_scan(&self, domain: &str, scan: &Scan<User>) {
        let size = match &scan.truncation {
            None => DomainSize::Pages(scan.pages.max(1)),
            Some(Truncation::PageLimit { pages } | Truncation::DeadlineReached { pages }) => {
                DomainSize::MoreThan((*pages).max(1))
            }
            Some(Truncation::Failed(_)) => return,
        };
        self.0.insert(domain.to_owned(), size);
    }
}

#[cfg(test)]
mod tests {
    use super::DomainSize::{self, MoreThan, Pages};

    #[test]
    fn a_domain_is_read_while_that_is_less_than_a_search_for_each_address() {
        let worth = |size, emails| DomainSize::pages_worth_reading(size, emails);

        assert_eq!(worth(None, 1), None);
        assert_eq!(worth(None, 2), Some(1));
        assert_eq!(worth(Some(Pages(1)), 2), Some(2));
        assert_eq!(worth(Some(Pages(2)), 2), None);
        assert_eq!(worth(Some(Pages(2)), 3), Some(3));
        assert_eq!(worth(Some(MoreThan(1)), 2), None);
        assert_eq!(worth(Some(MoreThan(1)), 3), Some(2));
        assert_eq!(worth(Some(MoreThan(2)), 4), None);
        assert_eq!(worth(Some(MoreThan(u32::MAX)), u32::MAX), None);
    }

    #[test]
    fn no_more_pages_are_read_than_there_are_addresses() {
        for emails in 2..200 {
            for pages in 0..200 {
                for size in [None, Some(Pages(pages)), Some(MoreThan(pages))] {
                    let worth = DomainSize::pages_worth_reading(size, emails);
                    assert!(
                        worth.is_none_or(|worth| worth <= emails),
                        "{size:?} {emails}"
                    );
                }
            }
        }
    }
}
