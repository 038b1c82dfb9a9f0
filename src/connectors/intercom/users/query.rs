//! Writes a filter as the query of the list of versions 1.x.

use jiff::Timestamp;

use crate::{
    connectors::{Filter, SortDirection, SortField},
    error::{Error, ErrorKind, Result},
};

/// The query that narrows and sorts the list. Lookups exclude each other, and the order belongs to
/// the plain list (`…/1.2/rest-api/users/list-users`).
pub(super) fn narrowed(filter: &Filter) -> Result<Vec<(&'static str, String)>> {
    let lookups = [
        (
            "email",
            filter.email.as_ref().map(|email| email.given().to_owned()),
        ),
        ("tag_id", filter.tag_id.clone()),
        ("segment_id", filter.segment_id.clone()),
        ("company_id", filter.company_id.clone()),
    ];
    let lookups: Vec<_> = lookups
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
    let is_plain = filter.sort.is_none() && filter.created.since.is_none();
    match lookups.as_slice() {
        [] => Ok(ordered(filter)),
        [("company_id", _)] if is_plain => {
            Ok([lookups, vec![("type", "user".to_owned())]].concat())
        }
        [_] if is_plain => Ok(lookups),
        [_] => Err(Error::new(
            ErrorKind::Unsupported,
            "Intercom sorts and bounds by time the whole list only: drop `sort` and `createdSince`, or the other filter",
        )),
        _ => Err(Error::new(
            ErrorKind::Unsupported,
            "Intercom takes one of `email`, `tagId`, `segmentId` and `companyId` at a time",
        )),
    }
}

fn ordered(filter: &Filter) -> Vec<(&'static str, String)> {
    let sort = filter.sort.map(|(field, direction)| {
        let field = match field {
            SortField::CreatedAt => "created_at",
            SortField::UpdatedAt => "updated_at",
            SortField::LastSeenAt => "last_request_at",
            SortField::SignedUpAt => "signed_up_at",
        };
        let direction = match direction {
            SortDirection::Ascending => "asc",
            SortDirection::Descending => "desc",
        };
        [("sort", field.to_owned()), ("order", direction.to_owned())]
    });
    let days = filter.created.since.map(|since| {
        let seconds = Timestamp::now()
            .as_second()
            .saturating_sub(since.as_second())
            .max(0);
        ("created_since", (seconds / 86_400 + 1).to_string())
    });
    sort.into_iter().flatten().chain(days).collect()
}
