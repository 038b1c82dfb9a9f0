//! Ada: the End Users API, version 2.
//!
//! # API
//! `docs.ada.cx/reference/end-users`. The host is the customer's own:
//! `https://HANDLE.ada.support/api`.
//!
//! # Credentials
//! A platform API key as a bearer token.
//!
//! # Paging
//! `cursor` is a user's id. One page of Ada's documents says that a page starts *with* it, another
//! says *after* it. We drop the row that a cursor names when it comes back, so both work. Links are
//! never followed; of `next_page_url` only the cursor is read.
//!
//! # Limits
//! 10 a second and 100 a minute on the list. No `Retry-After` is documented.
//!
//! # Quirks
//! No search by address exists: the list is scanned, within `scan_pages` and `scan_seconds`. The
//! same path answers a bare user when `external_id` is asked for. A user made over the API is
//! erased after a day unless a conversation starts.

mod record;
mod scan;
mod write;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use reqwest::{StatusCode, header::HeaderMap};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::Instant;

use self::{
    record::{AdaRecord, has_external_id, user, user_in},
    write::{RecordAge, age, body},
};
pub use record::{AdaEndUser, AdaProfile};

use super::{
    BatchSize, ConnectContext, Connector, ConnectorCapabilities, ConnectorSpec, ConnectorWrite,
    EmailSearch, Expand, ListQuery, LookupResults, QuotaWindow, RecordKeys, SINGLE, SearchResult,
    check_identity, check_range, decode, look_up_each, rows,
};
use crate::{
    client::{
        AuthScheme, Client, Decoded, DecodedBody, ErrorDetails, HttpSpec, Operation, QuotaHeaders,
        Request, ResetKind, Response, Snapshots,
    },
    context::RequestContext,
    error::{Error, ErrorKind, RejectionReason, Result},
    pagination::{NextPage, Page, PageRequest, PaginationSpec, PaginationStrategy},
    user::{Email, FieldChange, Identity, PatchField, User, UserPatch, WriteOutcome},
};

/// How to reach Ada.
pub const SPEC: ConnectorSpec = ConnectorSpec {
    base_url: None,
    regions: &[],
    http: HttpSpec {
        auth: AuthScheme::Bearer,
        // Documented for bulk deletion only: read where they are sent.
        quota_headers: Some(QuotaHeaders::x_rate_limit(ResetKind::UnixSeconds).sent_sometimes()),
        read_error,
        idle: Duration::from_secs(4),
    },
    record_keys: KEYS,
    concurrency: 8,
    timeout: Duration::from_secs(5),
    // For all of its endpoints, https://docs.ada.cx/reference/introduction/limits; by id it grants
    // more.
    budget: &[
        QuotaWindow {
            calls: 10,
            seconds: 1,
        },
        QuotaWindow {
            calls: 100,
            seconds: 60,
        },
        QuotaWindow {
            calls: 10_000,
            seconds: 86_400,
        },
    ],
    connect: |connection| Ok(Box::new(Ada::connect(&connection)?)),
};

/// The fields that tell records and persons apart.
const KEYS: RecordKeys = RecordKeys {
    id: "end_user_id",
    deciding: &["email", "external_id", "profile"],
};

const PAGINATION: PaginationSpec = PaginationSpec {
    strategy: PaginationStrategy::Key,
    position_param: "cursor",
    size_param: "limit",
    min_page_size: 1,
    max_page_size: 100,
    max_rows: None,
    is_counted: false,
};

const CAPABILITIES: ConnectorCapabilities = ConnectorCapabilities {
    pagination: PAGINATION,
    filters: &[],
    post_filtered: &[],
    sorts: &[],
    by_id: SINGLE,
    by_external_id: Some(SINGLE),
    // One scan answers every address that is asked for together.
    by_email: BatchSize { max: usize::MAX },
    finds_substrings: false,
    email_search: EmailSearch::Scan,
    email_caveat: None,
    email_misses_users: false,
    segment_caveat: None,
    upserts: &[Identity::ExternalId],
    upsert_reports_outcome: true,
    writes: &[
        PatchField::ExternalId,
        PatchField::Email,
        PatchField::Name,
        PatchField::FirstName,
        PatchField::LastName,
        PatchField::AvatarUrl,
        PatchField::Locale,
        PatchField::Attributes,
    ],
    writes_leads: false,
    eventually_consistent_by: &[],
};

/// Options of this provider.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct AdaOptions {
    /// How many pages of 100 a search by address reads at most.
    scan_pages: u32,
    /// For how many seconds a search by address reads at most.
    scan_seconds: u64,
}

impl Default for AdaOptions {
    fn default() -> Self {
        Self {
            scan_pages: 20,
            scan_seconds: 8,
        }
    }
}

/// The connector.
pub struct Ada {
    http: Client,
    /// Ada's list by address.
    scans: Snapshots<scan::AdaUserIndex>,
}

#[derive(Deserialize)]
struct AdaList {
    // Older documents say "list or null".
    #[serde(deserialize_with = "decode::rows_or_null")]
    data: Vec<Arc<RawValue>>,
    #[serde(default, deserialize_with = "decode::deciding")]
    meta: Option<AdaMeta>,
}

#[derive(Deserialize)]
struct AdaMeta {
    #[serde(default, deserialize_with = "decode::link")]
    next_page_url: Option<String>,
}

/// Of the link to the next page only its cursor is read.
fn cursor(next: &str) -> Option<String> {
    let (_, query) = next.split_once('?')?;
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    let cursor = pairs.find(|(name, _)| name == "cursor");
    cursor
        .map(|(_, cursor)| cursor.into_owned())
        .filter(|cursor| !cursor.is_empty())
}

impl Ada {
    /// The connector on a connection.
    ///
    /// # Errors
    /// `Invalid` when an option is wrong.
    pub fn connect(connection: &ConnectContext) -> Result<Self> {
        let options: AdaOptions = connection.options()?;
        check_range("scan_pages", u64::from(options.scan_pages), 10_000)?;
        check_range("scan_seconds", options.scan_seconds, 600)?;
        Ok(Self {
            http: connection.http.clone(),
            scans: scan::scans(connection.http.clone(), &options),
        })
    }

    async fn find(
        &self,
        context: &RequestContext,
        call: Request,
        is_it: impl FnOnce(&User) -> bool,
    ) -> Result<Option<User>> {
        let found = self.http.find::<AdaRecord>(context, call).await?;
        let user = found.map(|found| Arc::unwrap_or_clone(found.body).0);
        user.map(|user| check_identity(user, is_it)).transpose()
    }

    /// Confirms that a user has the external id that a call named. Some of Ada's examples leave
    /// external ids out: we look such a user up by Ada's own id, and take it only if that record
    /// shows the id.
    async fn confirm_external_id(
        &self,
        context: &RequestContext,
        user: User,
        id: &str,
    ) -> Result<User> {
        if decode::member(&user.raw, "external_id").is_some() {
            return check_identity(user, |user| has_external_id(user, id));
        }
        let call = Request::get(Operation::ById, &["v2", "end-users", &user.remote_id]);
        let user = self.find(context, call, |other| other.remote_id == user.remote_id);
        let is_it = |user: &User| has_external_id(user, id);
        user.await?.filter(is_it).ok_or_else(|| {
            Error::malformed(
                "the provider's answer does not show that the user has this external id",
            )
        })
    }
}

/// The call for a page of the list: <https://docs.ada.cx/reference/end-users/get-end-users>
fn page_call(operation: Operation, request: &PageRequest) -> Request {
    Request::get(operation, &["v2", "end-users", ""])
        .query(request.params())
        .page(&request.address)
        .no_older_than(request.since)
}

impl DecodedBody for AdaList {
    fn decode(response: &Response) -> Result<Self> {
        response.object()
    }

    fn row_count(&self) -> usize {
        self.data.len()
    }
}

fn page_in(context: &RequestContext, read: &Decoded<AdaList>) -> Page<User> {
    let (list, response) = (&read.body, &read.response);
    let next = list.meta.as_ref();
    let next = next.and_then(|meta| meta.next_page_url.as_deref());
    // Ada does not document how it marks the last page; an empty text is one way.
    let next = next.filter(|next| !next.trim().is_empty());
    let next = match next.map(cursor) {
        None => NextPage::Key(None),
        Some(Some(key)) => NextPage::Key(Some(key)),
        Some(None) => NextPage::More(true),
    };
    let users = rows::users(context, response.account, &list.data, user);
    Page::new(users, next)
        .with_sent(list.data.len())
        .cached_at(response.cached_at)
}

#[async_trait]
impl Connector for Ada {
    fn capabilities(&self) -> &ConnectorCapabilities {
        &CAPABILITIES
    }

    async fn list(
        &self,
        context: &RequestContext,
        request: &PageRequest,
        _: &ListQuery,
    ) -> Result<Page<User>> {
        let call = page_call(Operation::List, request);
        let read = self.http.send(context, call).await?;
        Ok(page_in(context, &read))
    }

    /// <https://docs.ada.cx/reference/end-users/get-end-user-by-id>
    async fn by_id(&self, context: &RequestContext, ids: &[String], _: Expand) -> LookupResults {
        look_up_each(ids, |id| {
            let call = Request::get(Operation::ById, &["v2", "end-users", id]);
            self.find(context, call, move |user| user.remote_id == id)
        })
        .await
    }

    /// The list's path with `external_id` answers one user. Ada compares ids without regard to
    /// case.
    async fn by_external_id(
        &self,
        context: &RequestContext,
        ids: &[String],
        _: Expand,
    ) -> LookupResults {
        look_up_each(ids, |id| {
            let call = Request::get(Operation::ByExternalId, &["v2", "end-users", ""]);
            let call = call.query([("external_id", id.to_owned())]);
            async move {
                match self.find(context, call, |_| true).await? {
                    Some(user) => self.confirm_external_id(context, user, id).await.map(Some),
                    None => Ok(None),
                }
            }
        })
        .await
    }

    async fn by_email(
        &self,
        context: &RequestContext,
        emails: &[Email],
        _: Expand,
    ) -> Result<SearchResult> {
        scan::find(&self.scans, context, emails).await
    }

    /// <https://docs.ada.cx/reference/end-users/create-end-user>: with an external id it may be
    /// repeated, and answers 200 with the record *as it was* when there is one.
    async fn upsert(&self, context: &RequestContext, patch: &UserPatch) -> Result<ConnectorWrite> {
        let call = Request::post(Operation::Upsert, &["v2", "end-users", ""], body(patch))
            .repeatable(true);
        let began = Instant::now();
        let response = match self.http.write(context, call.clone()).await {
            // Ada may have done it. It may be repeated, though the client does not repeat it.
            Err(error) if error.kind() == ErrorKind::Malformed => {
                self.http.write(context, call).await?.repeated()
            }
            response => response?,
        };
        let user = match patch.external_id.set() {
            Some(id) => {
                self.confirm_external_id(context, user_in(&response)?, id)
                    .await?
            }
            None => user_in(&response)?,
        };
        if response.status == StatusCode::CREATED {
            return Ok(ConnectorWrite::complete(user, WriteOutcome::Created));
        }
        let age = match response.is_repeated {
            true => age(&user, &response, began.elapsed()),
            false => RecordAge::Old,
        };
        let patch = UserPatch {
            external_id: FieldChange::Keep,
            ..patch.without_unchanged(&user)
        };
        let mut written = if patch.fields().is_empty() || age == RecordAge::New {
            ConnectorWrite::complete(user, WriteOutcome::Matched)
        } else {
            let updated = self.update(context, &user, &patch).await?;
            let gone = || Error::malformed("the user vanished between two calls; try again");
            updated.ok_or_else(gone)?
        };
        match age {
            RecordAge::New => written.outcome = Some(WriteOutcome::Created),
            RecordAge::Unknown => written.outcome = None,
            RecordAge::Old => {}
        }
        Ok(written)
    }

    async fn create(&self, context: &RequestContext, patch: &UserPatch) -> Result<ConnectorWrite> {
        let call = Request::post(Operation::Create, &["v2", "end-users", ""], body(patch));
        let user = user_in(&self.http.write(context, call).await?)?;
        let user = check_identity(user, |user| {
            user.email.is_none() || patch.matches_identity(user)
        })?;
        Ok(ConnectorWrite::complete(user, WriteOutcome::Created))
    }

    /// <https://docs.ada.cx/reference/end-users/patch-end-user-by-id>: `profile` must be there.
    async fn update(
        &self,
        context: &RequestContext,
        user: &User,
        patch: &UserPatch,
    ) -> Result<Option<ConnectorWrite>> {
        let id = user.remote_id.as_str();
        let call = Request::patch(Operation::Update, &["v2", "end-users", id], body(patch));
        let user = self
            .find(context, call, |user| user.remote_id == id)
            .await?;
        Ok(user.map(|user| ConnectorWrite::complete(user, WriteOutcome::Updated)))
    }
}

/// Ada's errors: `errors[]`, whose `details` changed their shape more than once, or a bare
/// `message`.
fn read_error(status: StatusCode, _: &HeaderMap, body: &[u8]) -> ErrorDetails {
    #[derive(Deserialize)]
    struct AdaErrorBody {
        #[serde(default, deserialize_with = "decode::records")]
        errors: Option<Vec<AdaErrorItem>>,
    }
    #[derive(Deserialize)]
    struct AdaErrorItem {
        #[serde(default, deserialize_with = "decode::text")]
        message: Option<String>,
        #[serde(default, deserialize_with = "decode::records")]
        details: Option<Vec<AdaErrorDetail>>,
    }
    #[derive(Deserialize)]
    struct AdaErrorDetail {
        #[serde(default, deserialize_with = "decode::text")]
        parameter: Option<String>,
        #[serde(default, deserialize_with = "decode::text")]
        message: Option<String>,
    }
    let errors = serde_json::from_slice::<AdaErrorBody>(body)
        .ok()
        .and_then(|body| body.errors)
        .unwrap_or_default();
    // A 404 without such errors comes from another server.
    let is_foreign = status == StatusCode::NOT_FOUND && errors.is_empty();
    let reasons = errors.into_iter().flat_map(|item| {
        let whole = item.message.map(|message| RejectionReason {
            field: None,
            message,
        });
        let details = item.details.unwrap_or_default().into_iter();
        whole.into_iter().chain(details.filter_map(|detail| {
            Some(RejectionReason {
                field: detail.parameter,
                message: detail.message?,
            })
        }))
    });
    ErrorDetails {
        kind: is_foreign.then_some(ErrorKind::Malformed),
        reasons: reasons.collect(),
        ..ErrorDetails::default()
    }
}
