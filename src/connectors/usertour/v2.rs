//! Version 2: `/v2/projects/{project}/environments/{environment}/users`, with a token `utp_…`.
//!
//! # Paging
//! Users of one moment are sorted by the provider's internal id, so no page loses or repeats
//! anybody. A cursor whose user was deleted, or left the list, gives an empty page that looks like
//! the end: it is taken for an unknown place instead, and the list is read on from an earlier one.
//!
//! # Limits
//! 100 to 3,000 calls a minute, by plan, told by `X-RateLimit-*`: `-Reset` is the seconds left.
//!
//! # Quirks
//! An unknown segment or company is 404, and no segment at all may filter by somebody else's
//! (`empty_segment.rs`). Some addresses that users have are refused as a filter: those with letters
//! beyond ASCII, for example. `createdAfter` and `createdBefore` are inclusive, and `PUT` takes
//! attributes and no companies.

mod empty_segment;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::{Value, json};

use self::empty_segment::EmptySegmentParam;
use super::{
    EMAIL_CAVEAT,
    errors::{COMPANY, SEGMENT},
    find,
    list::{self, ListParameters, PAGINATION, filter_params},
    search::{self, UserList},
    user_in, write,
};
use crate::{
    client::{Client, Operation, Request},
    connectors::{
        Connector, ConnectorCapabilities, ConnectorWrite, EmailSearch, Expand, Filter, FilterField,
        Incomplete, ListQuery, LookupResults, SINGLE, SearchResult, SortField, TimeRange,
        filter::unknown_notice, look_up_each,
    },
    context::RequestContext,
    error::{Error, ErrorKind, RejectionReason, Result},
    notice::{Notice, NoticeCode},
    pagination::{NextPage, Page, PageAddress, PageRequest, Scan, Truncation},
    user::{Email, Identity, PatchField, User, UserPatch, WriteOutcome},
};

const CAPABILITIES: ConnectorCapabilities = ConnectorCapabilities {
    pagination: PAGINATION,
    filters: &[
        FilterField::Email,
        FilterField::SegmentId,
        FilterField::CompanyId,
        FilterField::CreatedSince,
        FilterField::CreatedBefore,
    ],
    // The provider's upper bound is inclusive.
    post_filtered: &[FilterField::Email, FilterField::CreatedBefore],
    sorts: &[SortField::CreatedAt],
    by_id: SINGLE,
    by_external_id: Some(SINGLE),
    by_email: SINGLE,
    finds_substrings: false,
    email_search: EmailSearch::ByCase,
    email_caveat: Some(EMAIL_CAVEAT),
    email_misses_users: true,
    segment_caveat: None,
    upserts: &[Identity::ExternalId],
    upsert_reports_outcome: false,
    writes: &[
        PatchField::ExternalId,
        PatchField::Email,
        PatchField::Name,
        PatchField::Attributes,
    ],
    writes_leads: false,
    eventually_consistent_by: &[],
};

/// The notice on a search for an address that the provider does not search for.
const REFUSED_EMAIL: &str = "Usertour does not search for every address, and refuses one spelling of this one: users with that \
     spelling may be missing";

/// The notice on a list by creation with users whose moment is not known.
const UNKNOWN_CREATION: &str = "the time at which a user was made cannot be read, so whether the user belongs to the list cannot be \
     told: some may be missing";

/// The connector of version 2.
pub(super) struct UsertourV2 {
    http: Client,
    project: String,
    environment: String,
    empty_segment: EmptySegmentParam,
}

impl UsertourV2 {
    /// The connector over a client, for the users of an environment.
    pub(super) fn new(http: Client, project: String, environment: String) -> Self {
        Self {
            http,
            project,
            environment,
            empty_segment: EmptySegmentParam::default(),
        }
    }

    /// The path of the users.
    fn users(&self) -> [&str; 6] {
        [
            "v2",
            "projects",
            &self.project,
            "environments",
            &self.environment,
            "users",
        ]
    }

    /// The path of one user.
    fn user<'a>(&'a self, id: &'a str) -> [&'a str; 7] {
        let [v2, projects, project, environments, environment, users] = self.users();
        [v2, projects, project, environments, environment, users, id]
    }

    /// The call for a page.
    fn call(&self, operation: Operation, selection: &ListQuery, request: &PageRequest) -> Request {
        let cursor = match &request.address {
            PageAddress::Token(cursor) => cursor.clone(),
            PageAddress::Page(_) | PageAddress::Offset(_) | PageAddress::Key(_) => None,
        };
        Request::get(operation, &self.users())
            .query(filter_params(&selection.filter, selection.expand))
            .query(creation_params(&selection.filter.created))
            .query(cursor.map(|cursor| (PAGINATION.position_param, cursor)))
            .query([(PAGINATION.size_param, request.size.to_string())])
            .page(&request.address)
            .no_older_than(request.since)
    }

    /// `docs.usertour.io/api-reference-v2`: `PUT` makes or changes the user, and answers 200 for
    /// both. A value of a wrong type is refused, and then nothing is changed.
    async fn write(
        &self,
        context: &RequestContext,
        (operation, outcome): (Operation, WriteOutcome),
        id: &str,
        patch: &UserPatch,
    ) -> Result<ConnectorWrite> {
        write::check_id(id, patch)?;
        let attributes = Value::Object(write::attributes(patch));
        let body = json!({ "attributes": attributes });
        let call = Request::put(operation, &self.user(id), body).repeatable(true);
        let user = user_in(&self.http.write(context, call).await?)?;
        write::write_result(user, (id, &attributes), outcome)
    }
}

#[async_trait]
impl UserList for UsertourV2 {
    async fn page(
        &self,
        context: &RequestContext,
        operation: Operation,
        selection: &ListQuery,
        request: &PageRequest,
    ) -> Result<Page<User>> {
        search::note_forms(context, selection);
        let empty = self.empty_segment.parameter(&selection.filter);
        let is_ours = empty.is_some();
        let call = |empty| self.call(operation, selection, request).query(empty);
        let read = match self.http.send(context, call(empty)).await {
            Err(error) if is_ours && self.empty_segment.is_refused(&error) => {
                self.http.send(context, call(None)).await
            }
            read => read,
        };
        let page = list::page_in(context, &read?)?;
        let is_behind_cursor = matches!(request.address, PageAddress::Token(Some(_)));
        if is_behind_cursor && is_empty_end(&page) {
            return Err(expired_cursor_error());
        }
        search::note_unreadable(context, selection, &page);
        note_unknown_creation(context, &selection.filter, &page);
        Ok(page)
    }
}

/// Whether a page has nobody and says that nobody follows.
fn is_empty_end(page: &Page<User>) -> bool {
    page.row_count == 0 && matches!(page.next, NextPage::Token { next: None, .. })
}

/// The provider named the cursor because somebody followed. If nobody does, the user that the
/// cursor names was deleted or left the list, or everybody behind: only an earlier page tells.
fn expired_cursor_error() -> Error {
    Error::new(
        ErrorKind::Expired,
        "the provider no longer knows the place that this cursor names: read the list from its start",
    )
}

/// The bounds of a list by creation. The provider compares milliseconds and includes both bounds, so
/// the later one may bring users of its own millisecond. The caller leaves these out.
fn creation_params(created: &TimeRange) -> ListParameters {
    let bounds = [
        ("createdAfter", created.since),
        ("createdBefore", created.before),
    ];
    let bounds = bounds
        .into_iter()
        .filter_map(|(name, moment)| Some((name, format_timestamp(moment?))));
    bounds.collect()
}

/// A moment in milliseconds, rounded up: users are shown with milliseconds, rounded down.
fn format_timestamp(moment: Timestamp) -> String {
    let milliseconds = moment.as_nanosecond().div_euclid(1_000_000);
    let is_exact = moment.as_nanosecond().rem_euclid(1_000_000) == 0;
    let rounded_up = i64::try_from(milliseconds + i128::from(!is_exact)).ok();
    let rounded_up = rounded_up.and_then(|rounded_up| Timestamp::from_millisecond(rounded_up).ok());
    format!("{:.3}", rounded_up.unwrap_or(moment))
}

fn note_unknown_creation(context: &RequestContext, filter: &Filter, page: &Page<User>) {
    let is_unknown = page
        .rows
        .iter()
        .any(|user| user.created_at.is_none() && !user.is_unreadable);
    if !filter.created.is_unbounded() && is_unknown {
        context.add_incomplete_notice(Notice::new(NoticeCode::RowsUnreadable, UNKNOWN_CREATION));
    }
}

/// The field of a filter whose segment or company the provider does not have, by its error.
fn unknown_field(error: &Error) -> Option<FilterField> {
    let mut fields = error
        .reasons()
        .iter()
        .filter_map(|why| why.field.as_deref());
    let field = fields.find_map(|field| match field {
        SEGMENT => Some(FilterField::SegmentId),
        COMPANY => Some(FilterField::CompanyId),
        _ => None,
    });
    field.filter(|_| error.status() == Some(404))
}

/// Whether the provider refuses to search for an address. Users may have it all the same.
fn is_refused_email(error: &Error) -> bool {
    let is_refused = error.kind() == ErrorKind::Rejected && error.status() == Some(400);
    let is_of_email = |why: &RejectionReason| {
        why.field.as_deref() == Some("email") || why.message.starts_with("email")
    };
    is_refused && error.reasons().iter().any(is_of_email)
}

fn empty_page() -> Page<User> {
    let next = NextPage::Token {
        next: None,
        total: None,
    };
    Page::new(Vec::new(), next)
}

#[async_trait]
impl Connector for UsertourV2 {
    fn capabilities(&self) -> &ConnectorCapabilities {
        &CAPABILITIES
    }

    async fn list(
        &self,
        context: &RequestContext,
        request: &PageRequest,
        selection: &ListQuery,
    ) -> Result<Page<User>> {
        let error = match self
            .page(context, Operation::List, selection, request)
            .await
        {
            Err(error) => error,
            page => return page,
        };
        let filter = &selection.filter;
        let unknown = unknown_field(&error).and_then(|field| Some((field, filter.id(field)?)));
        if let Some((field, id)) = unknown {
            context.add_incomplete_notice(unknown_notice(self.http.account(), field, id));
            return Ok(empty_page());
        }
        if filter.email.is_some() && is_refused_email(&error) {
            context.add_incomplete_notice(Notice::new(NoticeCode::SearchIncomplete, REFUSED_EMAIL));
            return Ok(empty_page());
        }
        Err(error)
    }

    async fn by_id(
        &self,
        context: &RequestContext,
        ids: &[String],
        expand: Expand,
    ) -> LookupResults {
        look_up_each(ids, |id| async move {
            find(&self.http, context, &self.user(id), (id, expand)).await
        })
        .await
    }

    async fn by_external_id(
        &self,
        context: &RequestContext,
        ids: &[String],
        expand: Expand,
    ) -> LookupResults {
        self.by_id(context, ids, expand).await
    }

    async fn by_email(
        &self,
        context: &RequestContext,
        emails: &[Email],
        expand: Expand,
    ) -> Result<SearchResult> {
        let scans = search::scans(self, context, emails, expand).await;
        let scans = scans.into_iter().map(|(_, scan)| scan);
        let (refused, scans): (Vec<_>, Vec<_>) = scans.partition(is_refused);
        let mut result = search::result(scans)?;
        if !refused.is_empty() && result.incomplete.is_none() {
            result.incomplete = Some(Incomplete {
                notice: Notice::new(NoticeCode::SearchIncomplete, REFUSED_EMAIL),
                error: None,
            });
        }
        Ok(result)
    }

    /// Refuses what the API would refuse without a useful reason.
    fn check(&self, patch: &UserPatch) -> Result<()> {
        write::check_id(write::named_id(patch), patch)
    }

    async fn create(&self, context: &RequestContext, patch: &UserPatch) -> Result<ConnectorWrite> {
        let id = write::new_id(patch)?;
        let what = (Operation::Upsert, WriteOutcome::Created);
        self.write(context, what, id, patch).await
    }

    async fn update(
        &self,
        context: &RequestContext,
        user: &User,
        patch: &UserPatch,
    ) -> Result<Option<ConnectorWrite>> {
        let id = user.remote_id.as_str();
        let what = (Operation::Update, WriteOutcome::Updated);
        self.write(context, what, id, patch).await.map(Some)
    }
}

/// Whether the provider refused to search for the address of a scan.
fn is_refused(scan: &Scan<User>) -> bool {
    match &scan.truncation {
        Some(Truncation::Failed(error)) => is_refused_email(error),
        Some(Truncation::PageLimit { .. } | Truncation::DeadlineReached { .. }) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::format_timestamp;

    #[test]
    fn a_bound_is_sent_in_milliseconds_rounded_up() {
        for (moment, expected) in [
            ("2026-02-03T04:05:06Z", "2026-02-03T04:05:06.000Z"),
            ("2026-02-03T04:05:06.007Z", "2026-02-03T04:05:06.007Z"),
            ("2026-02-03T04:05:06.0070001Z", "2026-02-03T04:05:06.008Z"),
            ("1969-12-31T23:59:59.9995Z", "1970-01-01T00:00:00.000Z"),
        ] {
            let moment = moment.parse().expect("a moment");
            assert_eq!(format_timestamp(moment), expected);
        }
    }
}
