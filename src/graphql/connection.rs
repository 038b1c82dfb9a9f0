//! Relay connections: arguments to a [`ListRange`] of a list, a window to edges and cursors.

use std::sync::Arc;

use async_graphql::{ComplexObject, Context, SimpleObject};

use super::{
    RequestLimits, cursor,
    row::{HasRecord, MeteredObject},
    source::SourceReport,
    subresources::sources,
};
use crate::{
    account::Account,
    connectors::{Filter, int::Int},
    directory::{EmailSearchResult, ListedUsers, Report},
    error::{Error, Result},
    pagination::ListRange,
    user::User,
};

/// Users, in pages (Relay Cursor Connections).
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct UserConnection {
    /// The users with their cursors.
    edges: Vec<MeteredObject<UserEdge>>,
    /// Where this page stands in the list.
    page_info: PageInfo,
    /// How many users the whole list has; null where a provider does not say, or could not be read
    /// to the end.
    total_count: Option<Int>,
    #[graphql(skip)]
    reports: Vec<Report>,
}

/// A user in a list.
#[derive(SimpleObject)]
pub struct UserEdge {
    /// The place of the user in the list: for `after` and `before`.
    cursor: String,
    /// The user.
    node: Arc<User>,
}

/// Where a page stands in its list.
#[derive(SimpleObject)]
#[graphql(shareable)]
pub struct PageInfo {
    /// Whether there are users behind the last of this page.
    has_next_page: bool,
    /// Whether there are users before the first of this page.
    has_previous_page: bool,
    /// The cursor of the first user.
    start_cursor: Option<String>,
    /// The cursor of the last user: `after` it the next page begins.
    end_cursor: Option<String>,
}

impl HasRecord for UserEdge {
    fn record_bytes(&self) -> usize {
        self.node.record_bytes()
    }
}

#[ComplexObject]
impl UserConnection {
    /// The reports of all accounts on this answer, the fields of its rows included: how far it can be
    /// trusted.
    async fn sources(&self, ctx: &Context<'_>) -> Vec<SourceReport> {
        sources(ctx, self.reports.iter().cloned())
    }

    /// The users without their cursors.
    async fn nodes(&self) -> Vec<MeteredObject<&Arc<User>>> {
        self.edges
            .iter()
            .map(|edge| MeteredObject(&edge.0.node))
            .collect()
    }
}

impl UserConnection {
    fn new(
        edges: Vec<UserEdge>,
        has_previous_page: bool,
        has_next_page: bool,
        reports: Vec<Report>,
    ) -> Self {
        let page_info = PageInfo {
            has_next_page,
            has_previous_page,
            start_cursor: edges.first().map(|edge| edge.cursor.clone()),
            end_cursor: edges.last().map(|edge| edge.cursor.clone()),
        };
        Self {
            edges: edges.into_iter().map(MeteredObject).collect(),
            page_info,
            total_count: None,
            reports,
        }
    }

    /// A page of a provider's list.
    pub fn from_list(account: Account, filter: &Filter, listed: ListedUsers) -> Self {
        let window = listed.window;
        let edges = window.rows.into_iter().map(|row| UserEdge {
            cursor: cursor::encode_position(account, filter, &row.position),
            node: Arc::new(row.node),
        });
        let total_count = window.total.map(Int::from);
        let page = Self::new(
            edges.collect(),
            window.has_previous,
            window.has_next,
            vec![listed.report],
        );
        Self {
            total_count,
            ..page
        }
    }

    /// A page of what several providers found, in the order of accounts and remote ids, behind a record.
    pub fn from_searches(
        key: &impl serde::Serialize,
        searches: Vec<EmailSearchResult>,
        first: usize,
        after: Option<&(Account, String)>,
    ) -> Self {
        let reports = searches
            .iter()
            .map(|search| search.report.clone())
            .collect();
        // A total would be wrong where users may be missing.
        let searches_are_short =
            searches.is_empty() || !searches.iter().all(|search| search.report.is_countable());
        let mut users: Vec<Arc<User>> = searches
            .into_iter()
            .flat_map(|search| search.users)
            .collect();
        let total = (!searches_are_short).then_some(users.len() as u64);
        if let Some((account, id)) = after {
            users.retain(|user| (user.account, user.remote_id.as_str()) > (*account, id.as_str()));
        }
        let has_next = users.len() > first;
        users.truncate(first);
        let edges = users.into_iter().map(|user| UserEdge {
            cursor: cursor::encode_record(key, user.account, &user.remote_id),
            node: user,
        });
        let page = Self::new(edges.collect(), after.is_some(), has_next, reports);
        Self {
            total_count: total.map(Int::from),
            ..page
        }
    }
}

/// The page size where a query names none, unless pages are bound to be smaller.
const DEFAULT_FIRST: u32 = 20;

/// The number in `first` or `last`.
///
/// # Errors
/// `Invalid` when it is negative or larger than allowed.
pub fn count(name: &str, value: i32, bounds: &RequestLimits) -> Result<u32> {
    let count = u32::try_from(value)
        .map_err(|_| Error::invalid(format!("`{name}` is {value}: it cannot be negative")))?;
    if count > bounds.page {
        return Err(Error::invalid(format!(
            "`{name}` is {count}: at most {} users come at a time, use `pageInfo.endCursor` for more",
            bounds.page
        )));
    }
    Ok(count)
}

/// The four arguments of a connection.
pub struct ConnectionArguments {
    /// How many users from the start.
    pub first: Option<i32>,
    /// The cursor after which the page starts.
    pub after: Option<String>,
    /// How many users from the end.
    pub last: Option<i32>,
    /// The cursor before which the page ends.
    pub before: Option<String>,
}

impl ConnectionArguments {
    /// The part of a provider's list that is meant.
    ///
    /// # Errors
    /// `Invalid` for numbers out of bounds, both `first` and `last`, and cursors of other lists.
    pub fn list_range(
        &self,
        account: Account,
        filter: &Filter,
        bounds: &RequestLimits,
    ) -> Result<ListRange> {
        let unsaid = DEFAULT_FIRST.min(bounds.page).cast_signed();
        let (name, value, from_end) = match (self.first, self.last) {
            (Some(_), Some(_)) => {
                return Err(Error::invalid(
                    "`first` and `last` exclude each other: drop one",
                ));
            }
            (None, Some(last)) => ("last", last, true),
            (Some(first), None) => ("first", first, false),
            // A page that is bound by `before` alone ends there.
            (None, None) if self.before.is_some() => ("last", unsaid, true),
            (None, None) => ("first", unsaid, false),
        };
        let position = |argument: &str, text: &Option<String>| {
            let text = text.as_deref().filter(|text| !text.is_empty());
            text.map(|text| cursor::decode_position(account, filter, argument, text))
                .transpose()
        };
        Ok(ListRange {
            after: position("after", &self.after)?,
            before: position("before", &self.before)?,
            count: count(name, value, bounds)?,
            from_end,
        })
    }
}
