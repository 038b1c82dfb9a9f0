//! Version 1: `/v1/users`, frozen by the provider. A key `ak_…` selects the environment.
//!
//! # Paging
//! A cursor that is exhausted or unknown is an error, `E1007`. `previous` drifts and is never read.
//! Users of one moment come in no fixed order (`ties.rs`).
//!
//! # Limits
//! None. A page behind a cursor takes seconds on large environments.
//!
//! # Quirks
//! Values of an unexpected type are dropped without an error. An unknown segment filters nothing,
//! and no segment at all may filter by somebody else's (`segments.rs`).

mod segments;
mod ties;

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use tokio::time::Instant;

use self::{
    segments::SegmentCache,
    ties::{Start, TieReader, TiedPage},
};
use super::{
    EMAIL_CAVEAT, find,
    list::{self, PAGINATION, filter_params, is_descending},
    search::{self, UserList},
    user_in, write,
};
use crate::{
    client::{Client, DecodedBody, Operation, Request, Response},
    connectors::{
        Connector, ConnectorCapabilities, ConnectorWrite, EmailSearch, Expand, Filter, FilterField,
        ListQuery, LookupResults, SINGLE, SearchResult, SortField, look_up_each,
        without_invalid_spellings,
    },
    context::RequestContext,
    error::Result,
    notice::{Notice, NoticeCode},
    pagination::{Page, PageAddress, PageRequest},
    user::{Email, Identity, PatchField, User, UserPatch, WriteOutcome},
};

const CAPABILITIES: ConnectorCapabilities = ConnectorCapabilities {
    pagination: PAGINATION,
    filters: &[
        FilterField::Email,
        FilterField::SegmentId,
        FilterField::CompanyId,
    ],
    post_filtered: &[FilterField::Email],
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
        PatchField::Companies,
        PatchField::Attributes,
    ],
    writes_leads: false,
    eventually_consistent_by: &[],
};

/// The connector of version 1.
pub(super) struct UsertourV1 {
    http: Client,
    segments: SegmentCache,
}

impl UsertourV1 {
    /// The connector over a client.
    pub(super) fn new(http: Client) -> Self {
        Self {
            http,
            segments: SegmentCache::default(),
        }
    }

    /// One page as the provider sends it.
    async fn fetch_page(
        &self,
        context: &RequestContext,
        operation: Operation,
        query: &[(&'static str, String)],
        (cursor, size, since): (Option<String>, u32, Option<Instant>),
    ) -> Result<Page<User>> {
        let nobody = self.segments.empty_segment_param(query);
        let is_ours = nobody.is_some();
        let call = |nobody| {
            let place = PageAddress::Token(cursor.clone());
            let at = cursor
                .clone()
                .map(|cursor| (PAGINATION.position_param, cursor));
            Request::get(operation, &["v1", "users"])
                .query(query.iter().cloned())
                .query(nobody)
                .query(at)
                .query([(PAGINATION.size_param, size.to_string())])
                .page(&place)
                .no_older_than(since)
        };
        match self.fetch_page_once(context, call(nobody)).await {
            Err(error) if is_ours && self.segments.is_refused(&error) => {
                self.fetch_page_once(context, call(None)).await
            }
            page => page,
        }
    }

    /// `docs.usertour.io/api-reference/users/list`
    async fn fetch_page_once(&self, context: &RequestContext, call: Request) -> Result<Page<User>> {
        let read = self.http.send(context, call).await?;
        list::page_in(context, &read)
    }

    /// `docs.usertour.io/api-reference/users/upsert`: always 201, whether it made or changed the
    /// user. It may be repeated; racing creates of one id answer 500 and succeed when repeated.
    async fn write(
        &self,
        context: &RequestContext,
        operation: Operation,
        body: Value,
        outcome: WriteOutcome,
    ) -> Result<ConnectorWrite> {
        let call = Request::post(operation, &["v1", "users"], body.clone()).repeatable(true);
        let user = user_in(&self.http.write(context, call).await?)?;
        let id = body["id"].as_str().unwrap_or_default();
        write::write_result(user, (id, &body["attributes"]), outcome)
    }
}

/// A response with a company, whichever it is.
struct AnyCompany;

impl DecodedBody for AnyCompany {
    fn decode(response: &Response) -> Result<Self> {
        response.object::<IgnoredAny>().map(|_| Self)
    }
}

#[async_trait]
impl UserList for UsertourV1 {
    /// One page as callers see it: it ends between two moments.
    async fn page(
        &self,
        context: &RequestContext,
        operation: Operation,
        selection: &ListQuery,
        request: &PageRequest,
    ) -> Result<Page<User>> {
        let query = filter_params(&selection.filter, selection.expand);
        // A page that is made of several is as old as the oldest of them.
        let kept = Mutex::new(None);
        let (query, kept_since) = (&query, &kept);
        let reader = TieReader {
            is_descending: is_descending(&selection.filter),
            want: request.size,
            fetch: |cursor, size| async move {
                let sent =
                    self.fetch_page(context, operation, query, (cursor, size, request.since));
                let page = sent.await?;
                let mut kept = kept_since.lock().unwrap_or_else(PoisonError::into_inner);
                *kept = kept.into_iter().chain(page.cached_at).min();
                Ok(page)
            },
        };
        let start = match &request.address {
            PageAddress::Token(token) => Start::from_token(token.as_deref())?,
            PageAddress::Page(_) | PageAddress::Offset(_) | PageAddress::Key(_) => Start::default(),
        };
        search::note_forms(context, selection);
        let TiedPage { page, incomplete } = reader.read(start).await?;
        let resumed =
            ties::is_place_unsure(request.rows_through_anchor(&page)).then_some(ties::TIMELESS);
        if let Some(why) = incomplete.or(resumed) {
            context.add_incomplete_notice(Notice::new(NoticeCode::UnstableOrder, why));
        }
        search::note_unreadable(context, selection, &page);
        let kept = *kept.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(page.cached_at(kept))
    }
}

/// The body of an upsert.
fn body(id: &str, patch: &UserPatch) -> Result<Value> {
    write::check_id(id, patch)?;
    let attributes = write::attributes(patch);
    let mut body = json!({ "id": id });
    if !attributes.is_empty() {
        body["attributes"] = Value::Object(attributes);
    }
    if let Some(companies) = write::companies(patch)? {
        body["companies"] = companies;
    }
    Ok(body)
}

#[async_trait]
impl Connector for UsertourV1 {
    /// `docs.usertour.io/api-reference/companies/get`. An unknown segment is refused before its
    /// list.
    async fn unknown_filter_values(
        &self,
        context: &RequestContext,
        filter: &Filter,
    ) -> Result<Vec<FilterField>> {
        let Some(id) = &filter.company_id else {
            return Ok(Vec::new());
        };
        let call = Request::get(Operation::Companies, &["v1", "companies", id]);
        let company = self.http.find::<AnyCompany>(context, call).await?;
        Ok(match company {
            Some(_) => Vec::new(),
            None => vec![FilterField::CompanyId],
        })
    }

    fn capabilities(&self) -> &ConnectorCapabilities {
        &CAPABILITIES
    }

    async fn list(
        &self,
        context: &RequestContext,
        request: &PageRequest,
        selection: &ListQuery,
    ) -> Result<Page<User>> {
        if let Some(segment) = &selection.filter.segment_id {
            self.verify_segment(context, segment).await?;
        }
        self.page(context, Operation::List, selection, request)
            .await
    }

    async fn by_id(
        &self,
        context: &RequestContext,
        ids: &[String],
        expand: Expand,
    ) -> LookupResults {
        look_up_each(ids, |id| async move {
            find(&self.http, context, &["v1", "users", id], (id, expand)).await
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
        search::result(without_invalid_spellings(emails, scans))
    }

    /// Refuses what the API would ignore silently.
    fn check(&self, patch: &UserPatch) -> Result<()> {
        body(write::named_id(patch), patch).map(|_| ())
    }

    async fn create(&self, context: &RequestContext, patch: &UserPatch) -> Result<ConnectorWrite> {
        let body = body(write::new_id(patch)?, patch)?;
        self.write(context, Operation::Upsert, body, WriteOutcome::Created)
            .await
    }

    async fn update(
        &self,
        context: &RequestContext,
        user: &User,
        patch: &UserPatch,
    ) -> Result<Option<ConnectorWrite>> {
        let id = user.remote_id.as_str();
        let body = body(id, patch)?;
        self.write(context, Operation::Update, body, WriteOutcome::Updated)
            .await
            .map(Some)
    }
}
