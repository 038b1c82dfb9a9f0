//! DigitalChalk: the REST API, version 5.
//!
//! # API
//! `developer.digitalchalk.com/document/rest-api-v5`. The base path drifted from `/dc/api/v5` to
//! `/api/v5`; it is part of `base_url`.
//!
//! # Credentials
//! A long-lived bearer token, which sees what its owner may see.
//!
//! # Paging
//! `offset` and `limit`, no total. The documents call the back link `prev`, the provider's own
//! clients `previous`; only whether there is a `next` is read, no link is followed.
//!
//! # Limits
//! None documented: the gateway limits itself to a few calls at a time.
//!
//! # Quirks
//! `email` is a substring search: all its pages are read and compared. Creating answers no body,
//! the id is in `Location`. Many addresses of one domain are one search if its users fit in a few
//! pages (docs/adr/0014). How letters beyond ASCII compare is not documented: each form of an address, or of a part of one, is asked
//! for. `PUT` changes what it names and replaces `tags`. Empty fields are absent. Custom fields are
//! a resource of their own, `userfieldvalues`, read and written apart.

mod errors;
mod record;
mod write;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::future::join_all;
use reqwest::{StatusCode, header::LOCATION};
use serde::Deserialize;
use serde_json::value::RawValue;

use self::{
    errors::{read_error, taken_as_username},
    record::{DigitalChalkRecord, FieldValues, user},
    write::{body, id_in},
};
use super::{
    BatchSize, ConnectContext, Connector, ConnectorCapabilities, ConnectorSpec, ConnectorWrite,
    EmailSearch, Expand, Filter, FilterField, ListQuery, LookupResults, QuotaWindow, RecordKeys,
    SINGLE, SearchBatch, SearchResult, Subresource, SubresourceData, check_identity, check_range,
    decode, look_up_each, rows, unsupported_error, without_invalid_spellings,
};
use crate::{
    client::{AuthScheme, Client, DecodedBody, HttpSpec, Operation, Request, Response},
    context::RequestContext,
    error::{Error, ErrorKind, Result},
    pagination::{
        NextPage, Page, PageRequest, PaginationSpec, PaginationStrategy, ScanLimits, Truncation,
    },
    user::{Email, PatchField, User, UserPatch, WriteOutcome},
};
pub use record::DigitalChalkUser;

/// How to reach DigitalChalk.
pub const SPEC: ConnectorSpec = ConnectorSpec {
    base_url: Some("https://api.digitalchalk.com/api/v5"),
    regions: &[],
    http: HttpSpec {
        auth: AuthScheme::Bearer,
        quota_headers: None,
        read_error,
        idle: Duration::from_secs(4),
    },
    record_keys: KEYS,
    concurrency: 4,
    timeout: Duration::from_secs(5),
    // DigitalChalk documents no limit: this one is ours.
    budget: &[QuotaWindow {
        calls: 20,
        seconds: 1,
    }],
    connect: |connection| Ok(Box::new(DigitalChalk::connect(&connection)?)),
};

/// The fields that tell records and persons apart.
const KEYS: RecordKeys = RecordKeys {
    id: "id",
    deciding: &["email"],
};

const PAGINATION: PaginationSpec = PaginationSpec {
    strategy: PaginationStrategy::Offset { first: 0 },
    position_param: "offset",
    size_param: "limit",
    min_page_size: 1,
    max_page_size: 100,
    max_rows: None,
    is_counted: false,
};

const CAPABILITIES: ConnectorCapabilities = ConnectorCapabilities {
    pagination: PAGINATION,
    filters: &[FilterField::Email],
    post_filtered: &[FilterField::Email],
    sorts: &[],
    by_id: SINGLE,
    by_external_id: None,
    by_email: BatchSize { max: 100 },
    finds_substrings: true,
    email_search: EmailSearch::Exact,
    email_caveat: None,
    email_misses_users: false,
    segment_caveat: None,
    upserts: &[],
    upsert_reports_outcome: false,
    writes: &[
        PatchField::Email,
        PatchField::FirstName,
        PatchField::LastName,
        PatchField::Username,
        PatchField::Locale,
        PatchField::Tags,
        PatchField::Attributes,
    ],
    writes_leads: false,
    eventually_consistent_by: &[],
};

/// Of how many addresses of one domain a page of its users may take the place, while nobody knows
/// how large the domain is: a search in vain costs a fifth more calls (docs/adr/0014).
const ADDRESSES_PER_PAGE: usize = 5;

/// Options of this provider.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct DigitalChalkOptions {
    /// How many pages of 100 a search by address reads at most.
    search_pages: u32,
}

impl Default for DigitalChalkOptions {
    fn default() -> Self {
        Self { search_pages: 10 }
    }
}

/// The connector.
pub struct DigitalChalk {
    http: Client,
    options: DigitalChalkOptions,
}

#[derive(Deserialize)]
struct DigitalChalkList {
    #[serde(deserialize_with = "decode::rows")]
    results: Vec<Arc<RawValue>>,
    #[serde(default, deserialize_with = "decode::link")]
    next: Option<String>,
}

impl DecodedBody for DigitalChalkList {
    fn decode(response: &Response) -> Result<Self> {
        let list: Self = response.object()?;
        match list.next.as_deref().map(str::trim) {
            Some("") => Err(Error::malformed(
                "the provider's link to the next page is empty",
            )),
            Some(_) | None => Ok(list),
        }
    }

    fn row_count(&self) -> usize {
        self.results.len()
    }
}

impl DigitalChalk {
    /// The connector on a connection.
    ///
    /// # Errors
    /// `Invalid` when an option is wrong.
    pub fn connect(connection: &ConnectContext) -> Result<Self> {
        let options: DigitalChalkOptions = connection.options()?;
        check_range("search_pages", u64::from(options.search_pages), 10_000)?;
        Ok(Self {
            http: connection.http.clone(),
            options,
        })
    }

    /// `…/rest-api-v5/users/get-users` and `…/limit-and-offset`
    async fn page(
        &self,
        context: &RequestContext,
        operation: Operation,
        request: &PageRequest,
        filter: &Filter,
    ) -> Result<Page<User>> {
        let email = filter
            .email
            .as_ref()
            .map(|email| ("email", email.given().to_owned()));
        let call = Request::get(operation, &["users"])
            .query(email)
            .query(request.params())
            .page(&request.address)
            .no_older_than(request.since);
        let read = self.http.send::<DigitalChalkList>(context, call).await?;
        let (list, response) = (&read.body, &read.response);
        let users = rows::users(context, response.account, &list.results, user);
        if filter.email.is_some() {
            rows::note_unreadable_emails(context, &users);
        }
        let next = NextPage::More(list.next.is_some());
        Ok(Page::new(users, next)
            .with_sent(list.results.len())
            .cached_at(response.cached_at))
    }

    async fn get(
        &self,
        context: &RequestContext,
        operation: Operation,
        id: &str,
    ) -> Result<Option<User>> {
        let call = Request::get(operation, &["users", id]);
        let found = self.http.find::<DigitalChalkRecord>(context, call).await?;
        let user = found.map(|found| Arc::unwrap_or_clone(found.body).0);
        user.map(|user| check_identity(user, |user| user.remote_id == id))
            .transpose()
    }
}

#[async_trait]
impl Connector for DigitalChalk {
    fn capabilities(&self) -> &ConnectorCapabilities {
        &CAPABILITIES
    }

    async fn list(
        &self,
        context: &RequestContext,
        request: &PageRequest,
        selection: &ListQuery,
    ) -> Result<Page<User>> {
        self.page(context, Operation::List, request, &selection.filter)
            .await
    }

    /// `…/rest-api-v5/users/get-users-id`
    async fn by_id(&self, context: &RequestContext, ids: &[String], _: Expand) -> LookupResults {
        look_up_each(ids, |id| self.get(context, Operation::ById, id)).await
    }

    /// `…/rest-api-v5/users/get-users-filter-email`: a substring search, read to its end.
    async fn by_email(
        &self,
        context: &RequestContext,
        emails: &[Email],
        _: Expand,
    ) -> Result<SearchResult> {
        let limits = ScanLimits {
            pages: self.options.search_pages,
            until: context.deadline(),
        };
        let spellings: Vec<Email> = emails.iter().flat_map(Email::forms).collect();
        let searches = spellings.iter().map(|email| async move {
            let filter = &Filter::email(email);
            let scan = rows::scan(
                context,
                &PAGINATION,
                limits,
                |_| true,
                |request| async move {
                    self.page(context, Operation::ByEmail, &request, filter)
                        .await
                },
            );
            (email.clone(), scan.await)
        });
        SearchResult::from_scans(
            without_invalid_spellings(emails, join_all(searches).await),
            "DigitalChalk's answer, which holds near misses too,",
            "search_pages",
        )
    }

    /// Many addresses of one domain are searched for by what they share, if the domain is small
    /// (`…/rest-api-v5/users/get-users-filter-email` searches for `@domain` in its
    /// example).
    async fn search(
        &self,
        context: &RequestContext,
        emails: &[Email],
        expand: Expand,
    ) -> Vec<SearchBatch> {
        let mut groups: BTreeMap<Option<&str>, Vec<Email>> = BTreeMap::new();
        for email in emails {
            // A domain with several spellings has no common part to search for.
            let domain = Some(email.domain()).filter(|_| email.has_ascii_domain());
            groups.entry(domain).or_default().push(email.clone());
        }
        let groups = groups
            .into_iter()
            .map(|(domain, emails)| self.search_domain(context, domain, emails, expand));
        join_all(groups).await.into_iter().flatten().collect()
    }

    /// `…/rest-api-v5/users/post-users`: 201 without a body; `Location` names the user.
    async fn create(&self, context: &RequestContext, patch: &UserPatch) -> Result<ConnectorWrite> {
        let call = Request::post(Operation::Create, &["users"], body(patch));
        let response = self.http.write(context, call).await;
        let response = response.map_err(|error| taken_as_username(error, patch))?;
        let location = response.headers.get(LOCATION);
        let location = location.and_then(|location| location.to_str().ok());
        match location.and_then(id_in) {
            Some(id) => Ok(self.finish_created(context, &id, patch).await),
            None if response.status != StatusCode::CREATED => Err(Error::malformed(
                "the provider did not say that the user was created",
            )),
            None => Ok(ConnectorWrite {
                user: None,
                outcome: Some(WriteOutcome::Created),
                warnings: vec![Error::malformed(
                    "the user was created, but the provider did not say where: look it up by email",
                )],
            }),
        }
    }

    /// `…/rest-api-v5/users/put-users-basic`: changes what it names, 204 without a body.
    async fn update(
        &self,
        context: &RequestContext,
        user: &User,
        patch: &UserPatch,
    ) -> Result<Option<ConnectorWrite>> {
        let id = user.remote_id.as_str();
        let call = Request::put(Operation::Update, &["users", id], body(patch));
        match self.http.find::<()>(context, call).await? {
            Some(_) => Ok(Some(self.finish_updated(context, id, patch).await)),
            None => Ok(None),
        }
    }

    /// `…/rest-api-v5/userfieldvalues`: an object by the ids of the fields; `{}` when none is set.
    async fn subresource(
        &self,
        context: &RequestContext,
        id: &str,
        part: Subresource,
    ) -> Result<Option<SubresourceData>> {
        if part != Subresource::Attributes {
            return Err(unsupported_error("answer this part of a user"));
        }
        let call = Request::get(Operation::Attributes, &["users", id, "userfieldvalues"]);
        let found = self.http.find::<FieldValues>(context, call).await?;
        Ok(found.map(|found| SubresourceData::Attributes(Arc::clone(&found.body.0))))
    }
}

impl DigitalChalk {
    /// The addresses of one domain: by one search if there are many and the domain is small, else
    /// one by one.
    async fn search_domain(
        &self,
        context: &RequestContext,
        domain: Option<&str>,
        emails: Vec<Email>,
        expand: Expand,
    ) -> Vec<SearchBatch> {
        let mut before = context.with_new_usage();
        let pages = u32::try_from(emails.len() / ADDRESSES_PER_PAGE).unwrap_or(u32::MAX);
        if let Some(domain) = domain.filter(|_| pages > 0) {
            let shared = context.with_new_usage();
            let limits = ScanLimits {
                pages: pages.min(self.options.search_pages),
                until: context.deadline(),
            };
            let filter = &Filter::email(&Email::fragment(&format!("@{domain}")));
            let context = &shared;
            let found = rows::scan(
                context,
                &PAGINATION,
                limits,
                |_| true,
                |request| async move {
                    self.page(context, Operation::ByEmail, &request, filter)
                        .await
                },
            );
            let found = found.await;
            let is_given_up = match &found.truncation {
                Some(Truncation::PageLimit { pages }) => *pages >= limits.pages,
                Some(Truncation::Failed(error)) => error.kind() == ErrorKind::Rejected,
                Some(Truncation::DeadlineReached { .. }) | None => false,
            };
            if !is_given_up {
                let found = SearchResult::from_scans(
                    [found],
                    "DigitalChalk's list of this domain",
                    "search_pages",
                );
                return vec![SearchBatch {
                    emails,
                    found,
                    work: shared,
                }];
            }
            before = shared;
        }
        let before = &before;
        let alone = emails.into_iter().map(|email| async move {
            let context = context.with_usage_of(before);
            let found = self
                .by_email(&context, std::slice::from_ref(&email), expand)
                .await;
            SearchBatch {
                emails: vec![email],
                found,
                work: context,
            }
        });
        join_all(alone).await
    }
}
