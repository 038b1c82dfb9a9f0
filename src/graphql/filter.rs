//! The filters of lists, and the keys of users.

use async_graphql::{Enum, ID, InputObject, OneofObject};
use jiff::Timestamp;
use serde::Serialize;

use crate::{
    connectors::{Filter, SortDirection, SortField, TimeRange},
    error::{Error, Result},
    user::{
        Email, UserKind,
        email::{MAX_BYTES, fold_domain},
        text,
    },
};

/// How an email is compared.
#[derive(Clone, Copy, Enum, Eq, PartialEq, Serialize)]
pub enum EmailMatch {
    /// The whole address, without regard to letter case.
    Exact,
    /// The beginning of the address, of at least three characters. Accounts without such a search are
    /// skipped: `accounts { capabilities { emailMatches } }` names those that have one.
    Prefix,
    /// Any part of the address, of at least three characters. Accounts without such a search are
    /// skipped: `accounts { capabilities { emailMatches } }` names those that have one.
    Substring,
}

/// The key of a user at one provider.
#[derive(OneofObject)]
pub enum UserKey {
    /// The provider's own id.
    RemoteId(ID),
    /// The id that your systems gave.
    ExternalId(ID),
}

/// Which users of a provider's list are wanted, and in which order. `accounts { capabilities }` tells
/// what each provider can do; what it cannot do is an error.
#[derive(Default, InputObject)]
pub struct UserFilter {
    /// Those with this email, without regard to letter case.
    email: Option<String>,
    /// Those in this segment, by the provider's id of it.
    segment_id: Option<ID>,
    /// Those in this company, by the id that your systems gave it.
    company_id: Option<ID>,
    /// Those with this tag, by the provider's id of it.
    tag_id: Option<ID>,
    /// Those whose email has this domain, such as `example.com`.
    email_domain: Option<String>,
    /// Users only, or leads only.
    kind: Option<UserKind>,
    /// Those whose record was made at this moment or later.
    created_since: Option<Timestamp>,
    /// Those whose record was made before this moment.
    created_before: Option<Timestamp>,
    /// Those whose record changed at this moment or later.
    updated_since: Option<Timestamp>,
    /// Those whose record last changed before this moment.
    updated_before: Option<Timestamp>,
    /// Those who were seen at this moment or later.
    last_seen_since: Option<Timestamp>,
    /// Those who were last seen before this moment.
    last_seen_before: Option<Timestamp>,
    /// The order; without it the provider's own.
    sort: Option<UserSort>,
}

/// The order of a list.
#[derive(InputObject)]
pub struct UserSort {
    /// The field that is compared.
    field: SortField,
    /// Which way.
    #[graphql(default_with = "SortDirection::Ascending")]
    direction: SortDirection,
}

impl UserFilter {
    pub(super) fn parse(self) -> Result<Filter> {
        let id = |name: &str, id: Option<ID>| match id {
            Some(id) if id.trim().is_empty() => Err(Error::invalid(format!(
                "`filter.{name}` is empty: leave it out, or give an id"
            ))),
            Some(id) => Ok(Some(text::id(&format!("filter.{name}"), id)?)),
            None => Ok(None),
        };
        Ok(Filter {
            email: self.email.as_deref().map(Email::parse).transpose()?,
            segment_id: id("segmentId", self.segment_id)?,
            company_id: id("companyId", self.company_id)?,
            tag_id: id("tagId", self.tag_id)?,
            email_domain: self.email_domain.as_deref().map(domain).transpose()?,
            kind: self.kind,
            created: moments("created", self.created_since, self.created_before)?,
            updated: moments("updated", self.updated_since, self.updated_before)?,
            last_seen: moments("lastSeen", self.last_seen_since, self.last_seen_before)?,
            sort: self.sort.map(|sort| (sort.field, sort.direction)),
        })
    }
}

/// A domain in the form in which domains are compared.
fn domain(text: &str) -> Result<String> {
    let domain = fold_domain(text);
    let is_domain = |c: char| !c.is_whitespace() && !c.is_control() && c != '@';
    if domain.is_empty() || domain.len() > MAX_BYTES || !domain.chars().all(is_domain) {
        return Err(Error::invalid(
            "`filter.emailDomain` is not a domain; expected what follows the `@`, such as example.com",
        ));
    }
    Ok(domain)
}

fn moments(name: &str, since: Option<Timestamp>, before: Option<Timestamp>) -> Result<TimeRange> {
    match (since, before) {
        (Some(since), Some(before)) if since >= before => Err(Error::invalid(format!(
            "`filter.{name}Since` is not before `filter.{name}Before`: nobody can be between them"
        ))),
        _ => Ok(TimeRange { since, before }),
    }
}
