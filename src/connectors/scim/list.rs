//! The list of users (RFC 7644, 3.4.2): one page of it.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Scim, filter::ScimParameters, record};
use crate::{
    client::{DecodedBody, Operation, Request, Response},
    connectors::{Filter, decode, rows},
    context::RequestContext,
    error::{Error, Result},
    notice::{Notice, NoticeCode},
    pagination::{NextPage, Page, PageRequest},
    user::User,
};

/// The notice on a list by moments with users whose moment is not known.
const UNKNOWN_MOMENT: &str = "the time at which a user was made or changed cannot be read, so whether the user belongs to the list \
     cannot be told: some may be missing";

/// A response with a page of users.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UserPage {
    #[serde(default, deserialize_with = "decode::count")]
    total_results: Option<u64>,
    #[serde(default, deserialize_with = "decode::count")]
    items_per_page: Option<u64>,
    #[serde(
        default,
        rename = "Resources",
        alias = "resources",
        deserialize_with = "decode::rows_if_any"
    )]
    resources: Option<Vec<Arc<RawValue>>>,
}

impl DecodedBody for UserPage {
    /// An empty page may lack its rows. One that promises rows may not.
    fn decode(response: &Response) -> Result<Self> {
        let page: Self = response.object()?;
        let is_empty = page.total_results == Some(0)
            || page.total_results.is_some() && page.items_per_page == Some(0);
        match page.resources.is_some() || is_empty {
            true => Ok(page),
            false => Err(Error::malformed("the provider's page has no `Resources`")),
        }
    }

    fn row_count(&self) -> usize {
        self.resources.as_ref().map_or(0, Vec::len)
    }
}

impl Scim {
    /// RFC 7644, 3.4.2.4: `startIndex` counts from 1; the server caps `count`, and says how many users
    /// the whole list has.
    pub(super) async fn page(
        &self,
        context: &RequestContext,
        operation: Operation,
        request: &PageRequest,
        parameters: ScimParameters,
    ) -> Result<Page<User>> {
        let call = Request::get(operation, &["Users"])
            .query(parameters)
            .query(request.params())
            .page(&request.address)
            .no_older_than(request.since);
        let read = self.http.send::<UserPage>(context, call).await?;
        let (page, response) = (&read.body, &read.response);
        let rows = page.resources.as_deref().unwrap_or_default();
        let users = rows::users(context, response.account, rows, record::user);
        let next = page.total_results.map_or(NextPage::Silent, NextPage::Total);
        Ok(Page::new(users, next)
            .with_sent(rows.len())
            .cached_at(response.cached_at))
    }
}

/// Notes the users of a filtered list of whom it cannot be told whether they belong to it.
pub(super) fn note_doubtful(context: &RequestContext, filter: &Filter, page: &Page<User>) {
    if filter.email.is_some() {
        rows::note_unreadable_emails(context, &page.rows);
    }
    let is_unknown = |user: &User| {
        let is_created_unknown = !filter.created.is_unbounded() && user.created_at.is_none();
        let is_updated_unknown = !filter.updated.is_unbounded() && user.updated_at.is_none();
        !user.is_unreadable && (is_created_unknown || is_updated_unknown)
    };
    if page.rows.iter().any(is_unknown) {
        context.add_incomplete_notice(Notice::new(NoticeCode::RowsUnreadable, UNKNOWN_MOMENT));
    }
}
