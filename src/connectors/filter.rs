//! Which users of a list are wanted, and in which order: what filters and sorts there are, and
//! whether a user belongs to a filtered list.

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    account::Account,
    error::Result,
    notice::{Notice, NoticeCode},
    user::{Email, User, UserKind},
};

/// By what a list can be narrowed.
#[derive(async_graphql::Enum, Clone, Copy, Debug, Eq, PartialEq)]
#[graphql(name = "UserFilterField")]
pub enum FilterField {
    /// `email`
    Email,
    /// `segmentId`
    SegmentId,
    /// `companyId`
    CompanyId,
    /// `tagId`
    TagId,
    /// `emailDomain`
    EmailDomain,
    /// `kind`
    Kind,
    /// `createdSince`
    CreatedSince,
    /// `createdBefore`
    CreatedBefore,
    /// `updatedSince`
    UpdatedSince,
    /// `updatedBefore`
    UpdatedBefore,
    /// `lastSeenSince`
    LastSeenSince,
    /// `lastSeenBefore`
    LastSeenBefore,
}

/// The notice on a list that is empty because the provider does not have what narrows it.
#[must_use]
pub fn unknown_notice(account: Account, field: FilterField, id: &str) -> Notice {
    let message = format!(
        "`{}`: {} has no {} with the id `{id:.60}`, so nobody is in the list",
        field.name(),
        account.title(),
        field.noun()
    );
    Notice::new(NoticeCode::UnknownFilterValue, message)
}

impl FilterField {
    /// The kind of thing that the field's id names, in texts for people.
    #[must_use]
    pub fn noun(self) -> &'static str {
        match self {
            Self::SegmentId => "segment",
            Self::CompanyId => "company",
            Self::TagId => "tag",
            other => other.name(),
        }
    }

    /// The field's name in `UserFilter`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::SegmentId => "segmentId",
            Self::CompanyId => "companyId",
            Self::TagId => "tagId",
            Self::EmailDomain => "emailDomain",
            Self::Kind => "kind",
            Self::CreatedSince => "createdSince",
            Self::CreatedBefore => "createdBefore",
            Self::UpdatedSince => "updatedSince",
            Self::UpdatedBefore => "updatedBefore",
            Self::LastSeenSince => "lastSeenSince",
            Self::LastSeenBefore => "lastSeenBefore",
        }
    }
}

/// By what a list can be sorted.
#[derive(async_graphql::Enum, Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[graphql(name = "UserSortField")]
pub enum SortField {
    /// When the record was made.
    CreatedAt,
    /// When the record last changed.
    UpdatedAt,
    /// When the person was last seen.
    LastSeenAt,
    /// When the person signed up.
    SignedUpAt,
}

impl SortField {
    /// The value's name in the graph.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CreatedAt => "CREATED_AT",
            Self::UpdatedAt => "UPDATED_AT",
            Self::LastSeenAt => "LAST_SEEN_AT",
            Self::SignedUpAt => "SIGNED_UP_AT",
        }
    }

    /// The moment of a user, where users have it whatever their provider.
    #[must_use]
    pub fn moment(self, user: &User) -> Option<Timestamp> {
        match self {
            Self::CreatedAt => user.created_at,
            Self::UpdatedAt => user.updated_at,
            Self::LastSeenAt => user.last_seen_at,
            Self::SignedUpAt => None,
        }
    }
}

/// Which way a list is sorted.
#[derive(async_graphql::Enum, Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[graphql(name = "UserSortDirection")]
pub enum SortDirection {
    /// The smallest or oldest first.
    Ascending,
    /// The largest or newest first.
    Descending,
}

/// A range of moments: from `since` on, and before `before`.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct TimeRange {
    /// The first moment of the range.
    pub since: Option<Timestamp>,
    /// The first moment behind the range.
    pub before: Option<Timestamp>,
}

impl TimeRange {
    /// Whether every moment is in the range.
    #[must_use]
    pub fn is_unbounded(&self) -> bool {
        self.since.is_none() && self.before.is_none()
    }

    /// Whether a moment is in the range. One that is not known is in an unbounded range only.
    #[must_use]
    pub fn contains(&self, moment: Option<Timestamp>) -> bool {
        let is_since = self
            .since
            .is_none_or(|since| moment.is_some_and(|moment| moment >= since));
        let is_before = self
            .before
            .is_none_or(|before| moment.is_some_and(|moment| moment < before));
        is_since && is_before
    }
}

/// Which users of a list are wanted, in which order. Cursors hold a hash of how it is written: what
/// is not asked for is not in it, so that they outlive filters to come.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Filter {
    /// Those with this address.
    #[serde(serialize_with = "folded", skip_serializing_if = "Option::is_none")]
    pub email: Option<Email>,
    /// Those in this segment, by the provider's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segment_id: Option<String>,
    /// Those in this company, by the id that the provider asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub company_id: Option<String>,
    /// Those with this tag, by the provider's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag_id: Option<String>,
    /// Those whose address has this domain: folded, without `@`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_domain: Option<String>,
    /// Users only, or leads only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<UserKind>,
    /// When the record was made.
    #[serde(skip_serializing_if = "TimeRange::is_unbounded")]
    pub created: TimeRange,
    /// When the record last changed.
    #[serde(skip_serializing_if = "TimeRange::is_unbounded")]
    pub updated: TimeRange,
    /// When the person was last seen.
    #[serde(skip_serializing_if = "TimeRange::is_unbounded")]
    pub last_seen: TimeRange,
    /// The order; without one it is the provider's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sort: Option<(SortField, SortDirection)>,
}

#[expect(clippy::ref_option, reason = "serde hands a reference to the field")]
fn folded<S: serde::Serializer>(email: &Option<Email>, serializer: S) -> Result<S::Ok, S::Error> {
    email.as_ref().map(Email::folded).serialize(serializer)
}

impl Filter {
    /// The users with one address.
    #[must_use]
    pub fn email(email: &Email) -> Self {
        Self {
            email: Some(email.clone()),
            ..Self::default()
        }
    }

    /// The id of the segment, the tag or the company by which the list is narrowed.
    #[must_use]
    pub fn id(&self, field: FilterField) -> Option<&str> {
        let id = match field {
            FilterField::SegmentId => &self.segment_id,
            FilterField::CompanyId => &self.company_id,
            FilterField::TagId => &self.tag_id,
            _ => return None,
        };
        id.as_deref()
    }

    /// The fields by which the list is narrowed.
    #[must_use]
    pub fn fields(&self) -> Vec<FilterField> {
        [
            (self.email.is_some(), FilterField::Email),
            (self.segment_id.is_some(), FilterField::SegmentId),
            (self.company_id.is_some(), FilterField::CompanyId),
            (self.tag_id.is_some(), FilterField::TagId),
            (self.email_domain.is_some(), FilterField::EmailDomain),
            (self.kind.is_some(), FilterField::Kind),
            (self.created.since.is_some(), FilterField::CreatedSince),
            (self.created.before.is_some(), FilterField::CreatedBefore),
            (self.updated.since.is_some(), FilterField::UpdatedSince),
            (self.updated.before.is_some(), FilterField::UpdatedBefore),
            (self.last_seen.since.is_some(), FilterField::LastSeenSince),
            (self.last_seen.before.is_some(), FilterField::LastSeenBefore),
        ]
        .into_iter()
        .filter_map(|(is_set, field)| is_set.then_some(field))
        .collect()
    }

    /// Whether a user belongs to the list, as far as the record itself can tell. Where it does not
    /// carry a moment, the provider is believed, unless it narrows less than asked
    /// (`post_filtered`).
    #[must_use]
    pub fn accepts(&self, user: &User, post_filtered: &[FilterField]) -> bool {
        let is_email = self
            .email
            .as_ref()
            .is_none_or(|email| user.has_email(email));
        let domain = self.email_domain.as_deref();
        let is_domain = domain.is_none_or(|domain| user.has_email_domain(domain));
        let hold = |asked: &TimeRange, of: [FilterField; 2], known: Option<Timestamp>| {
            let is_believed = !of.iter().any(|field| post_filtered.contains(field));
            asked.contains(known) || known.is_none() && is_believed
        };
        let created = [FilterField::CreatedSince, FilterField::CreatedBefore];
        let updated = [FilterField::UpdatedSince, FilterField::UpdatedBefore];
        let last_seen = [FilterField::LastSeenSince, FilterField::LastSeenBefore];
        is_email
            && is_domain
            && self.kind.is_none_or(|kind| user.kind == kind)
            && hold(&self.created, created, user.created_at)
            && hold(&self.updated, updated, user.updated_at)
            && hold(&self.last_seen, last_seen, user.last_seen_at)
    }
}
