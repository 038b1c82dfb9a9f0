//! The lists of both versions: their parameters, and how a page is read.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::record;
use crate::{
    client::{Decoded, DecodedBody, Response},
    connectors::{Expand, Filter, SortDirection, decode, rows},
    context::RequestContext,
    error::{Error, Result},
    notice::{Notice, NoticeCode},
    pagination::{NextPage, Page, PaginationSpec, PaginationStrategy},
    user::{Email, User},
};

/// How both versions are paged.
pub(super) const PAGINATION: PaginationSpec = PaginationSpec {
    strategy: PaginationStrategy::Token,
    position_param: "cursor",
    size_param: "limit",
    min_page_size: 1,
    max_page_size: 100,
    max_rows: None,
    is_counted: false,
};

/// Parameters of a list.
pub(super) type ListParameters = Vec<(&'static str, String)>;

/// A list of users.
#[derive(Deserialize)]
pub(super) struct UsertourList {
    #[serde(deserialize_with = "decode::rows")]
    results: Vec<Arc<RawValue>>,
    #[serde(default, deserialize_with = "decode::link")]
    next: Option<String>,
}

impl DecodedBody for UsertourList {
    fn decode(response: &Response) -> Result<Self> {
        let list: Self = response.object()?;
        list.next_cursor()?;
        Ok(list)
    }

    fn row_count(&self) -> usize {
        self.results.len()
    }
}

impl UsertourList {
    /// The cursor of the next page. Taken for the last page, a list would end too soon, and nobody
    /// would know.
    fn next_cursor(&self) -> Result<Option<String>> {
        let nowhere = || Error::malformed("the provider says that there is more, and not where");
        let next = self.next.as_deref();
        let next = next.map(|next| cursor(next).ok_or_else(nowhere));
        next.transpose()
    }
}

/// The notice on a list with users that nothing tells apart.
const NAMELESS: &str =
    "a user whose id at Usertour is blank is left out: it cannot be asked for by its id";

/// Whether a user's id is there, and blank.
fn is_nameless(raw: &RawValue) -> bool {
    #[derive(Deserialize)]
    struct UserId {
        id: String,
    }
    serde_json::from_str(raw.get()).is_ok_and(|user: UserId| user.id.trim().is_empty())
}

/// The page of an answer.
///
/// # Errors
/// `Malformed` when it is not what the provider documents.
pub(super) fn page_in(
    context: &RequestContext,
    read: &Decoded<UsertourList>,
) -> Result<Page<User>> {
    let (list, response) = (&read.body, &read.response);
    let next = NextPage::Token {
        next: list.next_cursor()?,
        total: None,
    };
    let named = list.results.iter().filter(|raw| !is_nameless(raw));
    let named: Vec<_> = named.cloned().collect();
    if named.len() < list.results.len() {
        context.add_incomplete_notice(Notice::new(NoticeCode::RowsUnreadable, NAMELESS));
    }
    let users = rows::users(context, response.account, &named, record::user);
    Ok(Page::new(users, next)
        .with_sent(list.results.len())
        .cached_at(response.cached_at))
}

/// Of the link to the next page only its cursor is read.
fn cursor(next: &str) -> Option<String> {
    let (_, query) = next.split_once('?')?;
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs
        .find(|(name, _)| name == "cursor")
        .map(|(_, cursor)| cursor.into_owned())
        .filter(|cursor| !cursor.is_empty())
}

/// `expand` is repeated: a list with commas is refused by the server, whatever its own text says.
pub(super) fn expansions(expand: Expand) -> impl Iterator<Item = (&'static str, String)> {
    let companies = expand.companies.then_some("companies");
    let memberships = expand.memberships.then_some("memberships.company");
    companies
        .into_iter()
        .chain(memberships)
        .map(|part| ("expand[]", part.to_owned()))
}

/// The parameters that narrow and sort a list.
pub(super) fn filter_params(filter: &Filter, expand: Expand) -> ListParameters {
    let order = match filter.sort {
        Some((_, SortDirection::Descending)) => Some("-createdAt"),
        Some((_, SortDirection::Ascending)) => Some("createdAt"),
        None => None,
    };
    let email = filter.email.as_ref().map(Email::given);
    let narrowing = [
        ("email", email.map(str::to_owned)),
        ("segmentId", filter.segment_id.clone()),
        ("companyId", filter.company_id.clone()),
        ("orderBy", order.map(str::to_owned)),
    ];
    let narrowing = narrowing
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    narrowing.chain(expansions(expand)).collect()
}

pub(super) fn is_descending(filter: &Filter) -> bool {
    matches!(filter.sort, Some((_, SortDirection::Descending)))
}
