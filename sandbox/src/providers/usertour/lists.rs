//! The lists: users, companies and attribute definitions.

use serde_json::{Map, Value, json};

use super::error::UsertourError;
use super::moment;
use super::paging::ListRequest;
use super::rules;
use super::segments::{Condition, Segment};
use super::shape::{self, MembershipIds};
use super::store::{Definition, Row, Scope, UsertourStore, scramble};

const COMPANY_EXPANDS: [&str; 3] = ["users", "memberships", "memberships.user"];
const USER_EXPANDS: [&str; 3] = ["companies", "memberships", "memberships.company"];
const CREATION: [&str; 2] = ["createdAt", "-createdAt"];
const DEFINITION_ORDERS: [&str; 6] = [
    "createdAt",
    "-createdAt",
    "codeName",
    "-codeName",
    "displayName",
    "-displayName",
];
/// With `ties=shuffled`, users of the same ten minutes share their `createdAt`.
const TIE: i64 = 600_000;

/// The values of `expand` for a user.
pub(super) fn user_expand(query: &Map<String, Value>) -> Result<Vec<&str>, UsertourError> {
    rules::words(query, "expand", &USER_EXPANDS)
}

/// The values of `expand` for a company.
pub(super) fn company_expand(query: &Map<String, Value>) -> Result<Vec<&str>, UsertourError> {
    rules::words(query, "expand", &COMPANY_EXPANDS)
}

/// Options of a list that do not come from the request.
pub(super) struct ListOptions<'a> {
    /// The number that shuffles users created at the same time.
    pub(super) ties: Option<u64>,
    /// The segment that the server applies where none is requested.
    pub(super) first: Option<&'a Segment>,
    /// Whether an unknown segment is refused.
    pub(super) is_strict: bool,
}

/// `GET /v1/users`.
pub(super) fn users(
    store: &UsertourStore,
    request: &ListRequest<'_>,
    options: &ListOptions<'_>,
) -> Result<Value, UsertourError> {
    let ties = options.ties;
    let query = request.query;
    let limit = rules::limit(query, false)?;
    let cursor = rules::string(query, "cursor")?;
    let order = rules::words(query, "orderBy", &CREATION)?;
    let expand = user_expand(query)?;
    let filter = V1Filter {
        email: rules::email(query)?,
        company: rules::string(query, "companyId")?.filter(|id| !id.is_empty()),
        segment: rules::string(query, "segmentId")?,
    };
    filter.storable()?;
    let condition = Condition::of(&store.segments, filter.segment, options.first);
    if options.is_strict && filter.segment.is_some() && matches!(condition, Condition::Everybody) {
        return Err(UsertourError::NoSegment);
    }

    let mut found: Vec<(u64, &Row)> = filter.apply(store);
    found.retain(|(serial, row)| condition.holds(*serial, row));
    if let Some(salt) = ties {
        found
            .sort_by_key(|(serial, row)| (tied(row.created_at), scramble(serial ^ scramble(salt))));
    }
    if order.first() == Some(&"-createdAt") {
        found.reverse();
    }
    let keys: Vec<&str> = found.iter().map(|(_, row)| row.key.as_str()).collect();
    let page = request.page(&keys, limit, cursor)?;
    let results = found[page.rows.clone()].iter().map(|(serial, row)| {
        let mut user = shape::user(store, *serial, row, &expand, MembershipIds::Internal);
        if ties.is_some() {
            user["createdAt"] = json!(moment::text(tied(row.created_at)));
        }
        user
    });
    Ok(page.envelope(&results.collect::<Vec<_>>()))
}

/// The `createdAt` that users of the same ten minutes share with `ties=shuffled`.
pub(super) fn tied(created_at: i64) -> i64 {
    created_at - created_at.rem_euclid(TIE)
}

struct V1Filter<'a> {
    email: Option<&'a str>,
    company: Option<&'a str>,
    segment: Option<&'a str>,
}

impl V1Filter<'_> {
    fn storable(&self) -> Result<(), UsertourError> {
        [self.email, self.company, self.segment]
            .into_iter()
            .flatten()
            .try_for_each(rules::storable)
    }

    fn apply<'s>(&self, store: &'s UsertourStore) -> Vec<(u64, &'s Row)> {
        let company = self.company.map(|id| store.companies.find(id));
        store
            .users
            .iter()
            .filter(|(serial, row)| {
                let belongs = match company {
                    None => true,
                    Some(None) => false,
                    Some(Some(company)) => store.is_member(*serial, company),
                };
                belongs && self.email.is_none_or(|email| is_email_of(row, email))
            })
            .collect()
    }
}

/// Compares the letter case, too.
pub(super) fn is_email_of(row: &Row, email: &str) -> bool {
    row.attributes.get("email").and_then(Value::as_str) == Some(email)
}

/// `GET /v1/companies`.
pub(super) fn companies(
    store: &UsertourStore,
    request: &ListRequest<'_>,
) -> Result<Value, UsertourError> {
    let query = request.query;
    let limit = rules::limit(query, true)?;
    let cursor = rules::string(query, "cursor")?;
    let expand = company_expand(query)?;
    let order = rules::words(query, "orderBy", &CREATION)?;

    let mut found: Vec<(u64, &Row)> = store.companies.iter().collect();
    if order.first() == Some(&"-createdAt") {
        found.reverse();
    }
    let keys: Vec<&str> = found.iter().map(|(_, row)| row.key.as_str()).collect();
    let page = request.page(&keys, limit, cursor)?;
    let results = found[page.rows.clone()]
        .iter()
        .map(|(serial, row)| shape::company(store, *serial, row, &expand));
    Ok(page.envelope(&results.collect::<Vec<_>>()))
}

/// `GET /v1/attribute-definitions`.
pub(super) fn definitions(
    store: &UsertourStore,
    request: &ListRequest<'_>,
) -> Result<Value, UsertourError> {
    let query = request.query;
    let limit = rules::limit(query, false)?;
    let cursor = rules::string(query, "cursor")?;
    let scope = scope(query)?;
    let order = rules::words(query, "orderBy", &DEFINITION_ORDERS)?;

    let mut found: Vec<&Definition> = store
        .definitions()
        .iter()
        .filter(|definition| scope.is_none_or(|scope| definition.scope == scope))
        .collect();
    sort_definitions(&mut found, order.first().copied().unwrap_or("displayName"));
    let keys: Vec<&str> = found
        .iter()
        .map(|definition| definition.key.as_str())
        .collect();
    let page = request.page(&keys, limit, cursor)?;
    let results = found[page.rows.clone()]
        .iter()
        .map(|definition| shape::definition(definition));
    Ok(page.envelope(&results.collect::<Vec<_>>()))
}

fn scope(query: &Map<String, Value>) -> Result<Option<Scope>, UsertourError> {
    let all = [Scope::User, Scope::Company, Scope::Membership];
    let Some(value) = query.get("scope") else {
        return Ok(None);
    };
    let known = all
        .into_iter()
        .find(|scope| value.as_str() == Some(scope.word()));
    let words = all.map(Scope::word).join(", ");
    known.map(Some).ok_or_else(|| {
        UsertourError::invalid(format!(
            "scope must be one of the following values: {words}"
        ))
    })
}

fn sort_definitions(definitions: &mut [&Definition], order: &str) {
    match order.trim_start_matches('-') {
        "createdAt" => definitions.sort_by_key(|definition| definition.created_at),
        "codeName" => definitions.sort_by(|one, other| one.code_name.cmp(&other.code_name)),
        _ => definitions.sort_by_cached_key(|definition| shape::display_name(definition)),
    }
    if order.starts_with('-') {
        definitions.reverse();
    }
}
