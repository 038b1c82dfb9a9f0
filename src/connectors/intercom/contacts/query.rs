//! Writes a filter as a search of contacts
//! (`developers.intercom.com/docs/references/2.17/rest-api/contacts/search-contacts`).

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    connectors::{Filter, SortDirection, SortField, TimeRange, intercom::ApiVersion},
    user::{Email, UserKind, email::domain_forms},
};

/// Longer than any day of any time zone, in seconds.
const DAY: i64 = 25 * 60 * 60;

/// The version from which on moments are compared by the second.
const EXACT_FROM: u8 = 17;

/// Whether a version compares moments by the second. Before, a moment stands for its whole day in
/// the workspace's time zone, which nobody here knows: a range is widened by a day, and rows are
/// looked at again.
pub(super) fn is_exact(version: ApiVersion) -> bool {
    version.is_from(EXACT_FROM)
}

/// The contacts of which a field has one of some values.
pub(super) fn any_of(field: &str, values: impl IntoIterator<Item = String>) -> Value {
    let values: Vec<_> = values.into_iter().collect();
    json!({ "field": field, "operator": "IN", "value": values })
}

/// The spellings of addresses that are asked for: whether letter case counts here is not
/// documented.
pub(super) fn spellings<'a>(emails: impl IntoIterator<Item = &'a Email>) -> Vec<String> {
    let spellings = emails.into_iter().flat_map(Email::spellings);
    let mut values: Vec<_> = spellings.map(|email| email.given().to_owned()).collect();
    values.sort();
    values.dedup();
    values
}

/// The contacts of a domain, in whichever form it is written there.
fn every_form(field: &str, domain: &str) -> Value {
    match domain_forms(domain).as_slice() {
        [only] => json!({ "field": field, "operator": "=", "value": only }),
        forms => any_of(field, forms.to_vec()),
    }
}

/// The contacts that a filter lets through, or a few more where moments are compared by days.
pub(super) fn narrowed(filter: &Filter, version: ApiVersion) -> Value {
    let equal = |field: &str, value: &Option<String>| {
        let value = value.as_ref()?;
        Some(json!({ "field": field, "operator": "=", "value": value }))
    };
    let role = filter.kind.map(|kind| {
        let role = match kind {
            UserKind::User => "user",
            UserKind::Lead => "lead",
        };
        role.to_owned()
    });
    let mut all: Vec<Value> = [
        filter
            .email
            .as_ref()
            .map(|email| any_of("email", spellings([email]))),
        equal("segment_id", &filter.segment_id),
        equal("tag_id", &filter.tag_id),
        filter
            .email_domain
            .as_deref()
            .map(|domain| every_form("email_domain", domain)),
        equal("role", &role),
    ]
    .into_iter()
    .flatten()
    .collect();
    all.extend(range("created_at", filter.created, version));
    all.extend(range("updated_at", filter.updated, version));
    all.extend(range("last_seen_at", filter.last_seen, version));
    match <[Value; 1]>::try_from(all) {
        Ok([only]) => only,
        // A search must ask for something: everybody is one or the other.
        Err(all) if all.is_empty() => any_of("role", ["user".to_owned(), "lead".to_owned()]),
        Err(all) => json!({ "operator": "AND", "value": all }),
    }
}

/// A range by the two operators that there are, both of which leave their moment out.
fn range(field: &str, moments: TimeRange, version: ApiVersion) -> impl Iterator<Item = Value> {
    let slack = if is_exact(version) { 0 } else { DAY };
    let since = moments
        .since
        .map(|since| (">", whole_seconds(since) - 1 - slack));
    let before = moments
        .before
        .map(|before| ("<", whole_seconds(before) + slack));
    let bounds = since.into_iter().chain(before);
    bounds.map(
        move |(operator, value)| json!({ "field": field, "operator": operator, "value": value }),
    )
}

/// The first whole second that is no earlier than a moment.
fn whole_seconds(moment: Timestamp) -> i64 {
    let seconds = moment.as_second();
    let is_later = moment.subsec_nanosecond() > 0;
    seconds + i64::from(is_later)
}

/// The order of a search.
pub(super) fn ordered((field, direction): (SortField, SortDirection)) -> Value {
    let field = match field {
        SortField::CreatedAt => "created_at",
        SortField::UpdatedAt => "updated_at",
        SortField::LastSeenAt => "last_seen_at",
        SortField::SignedUpAt => "signed_up_at",
    };
    let order = match direction {
        SortDirection::Ascending => "ascending",
        SortDirection::Descending => "descending",
    };
    json!({ "field": field, "order": order })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{ApiVersion, Filter, TimeRange, narrowed};

    fn created(since: Option<&str>, before: Option<&str>) -> Filter {
        let moment = |text: &str| text.parse().expect("a moment");
        let created = TimeRange {
            since: since.map(moment),
            before: before.map(moment),
        };
        Filter {
            created,
            ..Filter::default()
        }
    }

    #[test]
    fn a_range_holds_its_first_second_and_not_the_one_behind_it() {
        let version = ApiVersion {
            major: 2,
            minor: 17,
        };

        assert_eq!(
            narrowed(&created(Some("1970-01-01T00:01:40Z"), None), version),
            json!({ "field": "created_at", "operator": ">", "value": 99 })
        );
        assert_eq!(
            narrowed(&created(Some("1970-01-01T00:01:40.5Z"), None), version),
            json!({ "field": "created_at", "operator": ">", "value": 100 })
        );
        assert_eq!(
            narrowed(&created(None, Some("1970-01-01T00:01:40Z")), version),
            json!({ "field": "created_at", "operator": "<", "value": 100 })
        );
    }

    #[test]
    fn by_days_a_range_is_wider_than_any_day() {
        let version = ApiVersion {
            major: 2,
            minor: 16,
        };
        let filter = created(Some("1970-01-11T00:00:00Z"), Some("1970-01-12T00:00:00Z"));

        assert_eq!(
            narrowed(&filter, version),
            json!({ "operator": "AND", "value": [
                { "field": "created_at", "operator": ">", "value": 10 * 86_400 - 90_001 },
                { "field": "created_at", "operator": "<", "value": 11 * 86_400 + 90_000 },
            ] })
        );
    }
}
