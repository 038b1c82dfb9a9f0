//! SCIM's filters (RFC 7644, 3.4.2.2) and orders (3.4.2.3), as they are written in a query.

use serde_json::Value;

use crate::{
    connectors::{Filter, SortDirection, SortField, TimeRange},
    user::Email,
};

/// The parameters of a list: `filter`, `sortBy` and `sortOrder`, as far as there are any.
pub(super) type ScimParameters = Vec<(&'static str, String)>;

/// The attributes that hold addresses. Many servers have no `emails`, or do not search them: there the
/// login name is the address.
const ADDRESSES: [&str; 2] = ["emails.value", "userName"];

/// A comparison with a text, which is escaped as in JSON.
fn equals(attribute: &str, text: &str) -> String {
    format!("{attribute} eq {}", Value::from(text))
}

/// The comparisons that find an external id.
pub(super) fn external_id(id: &str) -> Vec<String> {
    vec![equals("externalId", id)]
}

/// The comparisons that find an address, of which one must hold. Addresses compare without letter case
/// (RFC 7643, 4.1), but some servers compare it: lower case is asked for as well, in the same call.
pub(super) fn address(email: &Email) -> Vec<String> {
    let spellings = email.spellings();
    let terms = spellings.iter().flat_map(|email| {
        let of = |attribute: &&str| equals(attribute, email.given());
        ADDRESSES.iter().map(of).collect::<Vec<_>>()
    });
    terms.collect()
}

/// Comparisons of which one must hold.
pub(super) fn any_of<'a>(terms: impl IntoIterator<Item = &'a String>) -> String {
    let terms: Vec<_> = terms.into_iter().map(String::as_str).collect();
    terms.join(" or ")
}

/// The parameter of a filter.
pub(super) fn parameter(filter: String) -> ScimParameters {
    vec![("filter", filter)]
}

/// The parameters of a list of users.
pub(super) fn parameters(filter: &Filter) -> ScimParameters {
    let moments = [
        ("meta.created", &filter.created),
        ("meta.lastModified", &filter.updated),
    ];
    let mut parts: Vec<_> = moments
        .into_iter()
        .flat_map(|(attribute, range)| bounds(attribute, range))
        .collect();
    if let Some(email) = &filter.email {
        let email = any_of(&address(email));
        parts.insert(
            0,
            match parts.is_empty() {
                true => email,
                false => format!("({email})"),
            },
        );
    }
    let mut parameters = match parts.is_empty() {
        true => Vec::new(),
        false => parameter(parts.join(" and ")),
    };
    parameters.extend(filter.sort.into_iter().flat_map(order));
    parameters
}

/// The bounds of a moment: the lower one is in the range, the upper one is not.
fn bounds(attribute: &str, range: &TimeRange) -> Vec<String> {
    let bounds = [("ge", range.since), ("lt", range.before)];
    let bounds = bounds
        .into_iter()
        .filter_map(|(operator, moment)| Some(format!("{attribute} {operator} \"{}\"", moment?)));
    bounds.collect()
}

/// The parameters of an order.
fn order((field, direction): (SortField, SortDirection)) -> ScimParameters {
    let by = match field {
        SortField::UpdatedAt => "meta.lastModified",
        // No other order is declared.
        SortField::CreatedAt | SortField::LastSeenAt | SortField::SignedUpAt => "meta.created",
    };
    let order = match direction {
        SortDirection::Ascending => "ascending",
        SortDirection::Descending => "descending",
    };
    vec![("sortBy", by.to_owned()), ("sortOrder", order.to_owned())]
}

#[cfg(test)]
mod tests {
    use super::{address, any_of, external_id, parameters};
    use crate::{
        connectors::{Filter, SortDirection, SortField},
        user::Email,
    };

    fn email(text: &str) -> Email {
        Email::parse(text).expect("an address")
    }

    #[test]
    fn texts_are_escaped_as_in_json() {
        assert_eq!(
            external_id("a\"b\\c\" or id pr"),
            ["externalId eq \"a\\\"b\\\\c\\\" or id pr\""]
        );
    }

    #[test]
    fn an_address_is_asked_for_in_both_places_and_in_lower_case() {
        assert_eq!(
            any_of(&address(&email("Ann@x.test"))),
            "emails.value eq \"Ann@x.test\" or userName eq \"Ann@x.test\" \
             or emails.value eq \"ann@x.test\" or userName eq \"ann@x.test\""
        );
    }

    #[test]
    fn conditions_are_joined_and_an_order_follows() {
        let moment = "2026-02-03T04:05:06.5Z".parse().expect("a moment");
        let mut filter = Filter::email(&email("a@x.test"));
        filter.created.since = Some(moment);
        filter.updated.before = Some(moment);
        filter.sort = Some((SortField::UpdatedAt, SortDirection::Descending));

        let expected = [
            (
                "filter",
                "(emails.value eq \"a@x.test\" or userName eq \"a@x.test\") \
                 and meta.created ge \"2026-02-03T04:05:06.5Z\" \
                 and meta.lastModified lt \"2026-02-03T04:05:06.5Z\"",
            ),
            ("sortBy", "meta.lastModified"),
            ("sortOrder", "descending"),
        ];
        assert_eq!(
            parameters(&filter),
            expected.map(|(name, value)| (name, value.to_owned()))
        );
        assert_eq!(parameters(&Filter::default()), []);
    }
}
