//! Searches by address: one list for each spelling that is asked for.

use std::collections::HashSet;

use async_trait::async_trait;
use futures_util::future::join_all;

use super::list::PAGINATION;
use crate::{
    client::Operation,
    connectors::{Expand, Filter, ListQuery, SearchResult, rows},
    context::RequestContext,
    error::Result,
    notice::{Notice, NoticeCode},
    pagination::{Page, PageRequest, Scan, ScanLimits},
    user::{Email, User},
};

/// The notice on a search for an address beyond ASCII.
const FORMS: &str = "of letters beyond ASCII the composed and the decomposed form (NFC, NFD) were asked for, of the \
     domain both forms of IDNA: records that mix them may be missing";

/// How many pages of 100 one spelling of an address is searched through.
const SEARCH_PAGES: u32 = 10;

/// A version's list of users.
#[async_trait]
pub(super) trait UserList: Sync {
    /// One page of it.
    async fn page(
        &self,
        context: &RequestContext,
        operation: Operation,
        selection: &ListQuery,
        request: &PageRequest,
    ) -> Result<Page<User>>;
}

/// Scans the list of every spelling of the addresses.
pub(super) async fn scans(
    list: &impl UserList,
    context: &RequestContext,
    emails: &[Email],
    expand: Expand,
) -> Vec<(Email, Scan<User>)> {
    let spellings: HashSet<Email> = emails.iter().flat_map(Email::spellings).collect();
    // The last that is asked is what the client gave: the provider's log ends with it.
    let (composed, decomposed): (Vec<_>, Vec<_>) =
        spellings.into_iter().partition(Email::is_composed);
    let scan = |spelling| scan(list, context, spelling, expand);
    let mut scans = join_all(decomposed.into_iter().map(scan)).await;
    scans.extend(join_all(composed.into_iter().map(scan)).await);
    scans
}

async fn scan(
    list: &impl UserList,
    context: &RequestContext,
    spelling: Email,
    expand: Expand,
) -> (Email, Scan<User>) {
    let limits = ScanLimits {
        pages: SEARCH_PAGES,
        until: context.deadline(),
    };
    let selection = &ListQuery {
        filter: Filter::email(&spelling),
        expand,
    };
    let scan = rows::scan(
        context,
        &PAGINATION,
        limits,
        |_| true,
        |request| async move {
            list.page(context, Operation::ByEmail, selection, &request)
                .await
        },
    )
    .await;
    (spelling, scan)
}

/// Joins the results of the scans.
///
/// # Errors
/// The failure of a scan, when nobody was found.
pub(super) fn result(scans: Vec<Scan<User>>) -> Result<SearchResult> {
    SearchResult::from_scans(scans, "Usertour's answer", "at most 1,000 users are read")
}

/// Notes that an address has more forms than those that are asked for.
pub(super) fn note_forms(context: &RequestContext, selection: &ListQuery) {
    let email = selection.filter.email.as_ref();
    if email.is_some_and(Email::has_forms) {
        context.add_caveat(Notice::new(NoticeCode::SearchIncomplete, FORMS));
    }
}

/// Notes the users of an address whose own address cannot be read.
pub(super) fn note_unreadable(context: &RequestContext, selection: &ListQuery, page: &Page<User>) {
    if selection.filter.email.is_some() {
        rows::note_unreadable_emails(context, &page.rows);
    }
}
