//! The capabilities of Intercom's contacts.

use crate::{
    connectors::{BatchSize, ConnectorCapabilities, EmailSearch, FilterField, SortField},
    pagination::{PaginationSpec, PaginationStrategy},
    user::{Identity, PatchField},
};

pub(super) const PAGINATION: PaginationSpec = PaginationSpec {
    strategy: PaginationStrategy::Token,
    position_param: "starting_after",
    size_param: "per_page",
    min_page_size: 1,
    max_page_size: 150,
    max_rows: None,
    is_counted: true,
};

pub(super) const FILTERS: &[FilterField] = &[
    FilterField::Email,
    FilterField::SegmentId,
    FilterField::CompanyId,
    FilterField::TagId,
    FilterField::EmailDomain,
    FilterField::Kind,
    FilterField::CreatedSince,
    FilterField::CreatedBefore,
    FilterField::UpdatedSince,
    FilterField::UpdatedBefore,
    FilterField::LastSeenSince,
    FilterField::LastSeenBefore,
];

/// The filters by which a search that compares days finds too many.
pub(super) const BY_DAYS: &[FilterField] = &[
    FilterField::Email,
    FilterField::CreatedSince,
    FilterField::CreatedBefore,
    FilterField::UpdatedSince,
    FilterField::UpdatedBefore,
    FilterField::LastSeenSince,
    FilterField::LastSeenBefore,
];

pub(super) const CAPABILITIES: ConnectorCapabilities = ConnectorCapabilities {
    pagination: PAGINATION,
    filters: FILTERS,
    post_filtered: &[FilterField::Email],
    sorts: &[
        SortField::CreatedAt,
        SortField::UpdatedAt,
        SortField::LastSeenAt,
        SortField::SignedUpAt,
    ],
    by_id: BatchSize { max: 50 },
    by_external_id: Some(BatchSize { max: 50 }),
    by_email: BatchSize { max: 50 },
    finds_substrings: false,
    email_search: EmailSearch::Exact,
    email_caveat: None,
    email_misses_users: false,
    segment_caveat: None,
    upserts: &[],
    upsert_reports_outcome: false,
    writes: &[
        PatchField::ExternalId,
        PatchField::Email,
        PatchField::Name,
        PatchField::Phone,
        PatchField::AvatarUrl,
        PatchField::Companies,
        PatchField::SignedUpAt,
        PatchField::UnsubscribedFromEmails,
        PatchField::Attributes,
    ],
    writes_leads: true,
    eventually_consistent_by: &[Identity::Email],
};
