//! SCIM 2.0: any server of RFC 7643 (the records) and RFC 7644 (the protocol), such as those of identity
//! providers, of HR systems and of many SaaS tools.
//!
//! # API
//! `rfc-editor.org/rfc/rfc7643`, `rfc-editor.org/rfc/rfc7644`. Every server has another address: the
//! part before `/Users` is `base_url`.
//!
//! # Credentials
//! A bearer token (7644, 2), which the server's own administration issues.
//!
//! # Paging
//! `startIndex`, from 1, and `count`, which is an upper bound: servers answer fewer (7644, 3.4.2.4).
//! `totalResults` is the length of the whole list. Without a wanted order the server's own applies, which
//! the standard does not promise to keep; pages overlap by a user.
//!
//! # Finding
//! `filter` (7644, 3.4.2.2). An address is searched for in `emails.value` and in `userName`: a user name
//! that is an address is one of the user's addresses, for many servers have no other. Addresses compare
//! without letter case (7643, 4.1.1 and 4.1.2); the lower-case spelling is asked for as well, because some
//! servers compare it all the same, and records there that spell it a third way are missed. How letters
//! beyond ASCII compare is not said: each form of an address is asked for. `externalId` compares exactly.
//!
//! # Limits
//! None standardized (429 with `Retry-After` at most servers): the gateway limits itself. Some servers
//! tell in `X-RateLimit-*` what is left.
//!
//! # Quirks
//! Filters are optional, and servers differ in how long they may be: many keys are one filter, which is
//! halved when the server refuses it, down to a single comparison. A server that ignores a filter
//! answers everybody: the caller compares again. One that cannot sort ignores the order (3.4.2.3), so
//! `/ServiceProviderConfig` is asked before the first sorted list, as it is before the first change:
//! PATCH is optional (3.5.2), and so are versions (3.14). It is kept for an hour. 404 is "no such user"
//! only with a SCIM error as its body: any other is of a wrong `base_url`. `groups` is read only
//! (7643, 4.1.2): memberships are changed at the group. `active` is read, and not written: a patch has
//! no such field.

mod changes;
mod errors;
mod filter;
mod list;
mod record;
mod search;
mod server_config;
mod write;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use reqwest::header::HeaderMap;
use serde::Deserialize;
use serde_json::value::RawValue;

use self::{errors::read_error, search::BatchLimit, server_config::KnownConfig};
use super::{
    BatchSize, ConnectContext, Connector, ConnectorCapabilities, ConnectorSpec, ConnectorWrite,
    EmailSearch, Expand, FilterField, ListQuery, LookupResults, QuotaWindow, RecordKeys, SINGLE,
    SearchResult, SortField, check_identity, check_range, decode, fail_all, look_up_each,
};
use crate::{
    client::{
        AuthScheme, Client, DecodedBody, HttpSpec, Operation, QuotaHeaders, Request, ResetKind,
        Response,
    },
    context::RequestContext,
    error::{Error, ErrorKind, Result},
    pagination::{Page, PageRequest, PaginationSpec, PaginationStrategy},
    user::{Email, PatchField, User, UserPatch},
};
pub use record::{
    ScimAddress, ScimEnterprise, ScimGroup, ScimManager, ScimMeta, ScimName, ScimUser, ScimValue,
};

/// How to reach a SCIM server.
pub const SPEC: ConnectorSpec = ConnectorSpec {
    base_url: None,
    regions: &[],
    http: HttpSpec {
        auth: AuthScheme::Bearer,
        // Not of the standard: servers that send them mean seconds left or a moment, so only those
        // that are a moment are read.
        quota_headers: Some(QuotaHeaders::x_rate_limit(ResetKind::UnixSeconds).sent_sometimes()),
        read_error,
        idle: Duration::from_secs(4),
    },
    record_keys: KEYS,
    concurrency: 4,
    timeout: Duration::from_secs(5),
    // The standard has no limit: this one is ours.
    budget: &[QuotaWindow {
        calls: 10,
        seconds: 1,
    }],
    connect: |connection| Ok(Box::new(Scim::connect(&connection)?)),
};

/// The fields that tell records and persons apart.
const KEYS: RecordKeys = RecordKeys {
    id: "id",
    deciding: &["emails", "externalId", "userName", "value"],
};

const PAGINATION: PaginationSpec = PaginationSpec {
    strategy: PaginationStrategy::Offset { first: 1 },
    position_param: "startIndex",
    size_param: "count",
    min_page_size: 1,
    max_page_size: 100,
    max_rows: None,
    is_counted: true,
};

const CAPABILITIES: ConnectorCapabilities = ConnectorCapabilities {
    pagination: PAGINATION,
    filters: FILTERS,
    // A server may ignore a filter.
    post_filtered: FILTERS,
    sorts: &[SortField::CreatedAt, SortField::UpdatedAt],
    by_id: SINGLE,
    by_external_id: Some(BatchSize { max: 20 }),
    by_email: BatchSize { max: 20 },
    finds_substrings: false,
    email_search: EmailSearch::Exact,
    email_caveat: None,
    email_misses_users: false,
    segment_caveat: None,
    upserts: &[],
    upsert_reports_outcome: false,
    writes: &[
        PatchField::ExternalId,
        PatchField::Email,
        PatchField::Name,
        PatchField::FirstName,
        PatchField::LastName,
        PatchField::Username,
        PatchField::Phone,
        PatchField::AvatarUrl,
        PatchField::Locale,
        PatchField::Attributes,
    ],
    writes_leads: false,
    eventually_consistent_by: &[],
};

const FILTERS: &[FilterField] = &[
    FilterField::Email,
    FilterField::CreatedSince,
    FilterField::CreatedBefore,
    FilterField::UpdatedSince,
    FilterField::UpdatedBefore,
];

/// Options of this provider.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ScimOptions {
    /// How many users one page asks for; the server may answer fewer.
    page_size: u32,
    /// How many addresses or external ids one filter names.
    search_batch: u32,
    /// How many pages of a search are read at most, where a server answers more than it was asked for.
    search_pages: u32,
}

impl Default for ScimOptions {
    fn default() -> Self {
        Self {
            page_size: 100,
            search_batch: 20,
            search_pages: 10,
        }
    }
}

/// The connector.
pub struct Scim {
    http: Client,
    options: ScimOptions,
    capabilities: ConnectorCapabilities,
    config: KnownConfig,
    batch_limit: BatchLimit,
}

/// A response with one user.
#[derive(Clone)]
struct ScimRecord(User);

impl DecodedBody for ScimRecord {
    fn decode(response: &Response) -> Result<Self> {
        let raw: Box<RawValue> = response.json()?;
        record::user(response.account, raw.into()).map(Self)
    }
}

impl Scim {
    /// The connector on a connection.
    ///
    /// # Errors
    /// `Invalid` when an option is wrong.
    pub fn connect(connection: &ConnectContext) -> Result<Self> {
        let options: ScimOptions = connection.options()?;
        check_range("page_size", u64::from(options.page_size), 1_000)?;
        check_range("search_batch", u64::from(options.search_batch), 100)?;
        check_range("search_pages", u64::from(options.search_pages), 10_000)?;
        let batch = BatchSize {
            max: options.search_batch as usize,
        };
        let capabilities = ConnectorCapabilities {
            pagination: PaginationSpec {
                max_page_size: options.page_size,
                ..PAGINATION
            },
            by_external_id: Some(batch),
            by_email: batch,
            ..CAPABILITIES
        };
        Ok(Self {
            http: connection.http.clone(),
            batch_limit: BatchLimit::new(batch.max),
            options,
            capabilities,
            config: KnownConfig::default(),
        })
    }

    /// RFC 7644, 3.4.1.
    async fn get(&self, context: &RequestContext, id: &str) -> Result<Option<User>> {
        let found = self.get_with_headers(context, id).await?;
        Ok(found.map(|(user, _)| user))
    }

    /// A user with the headers of its answer.
    async fn get_with_headers(
        &self,
        context: &RequestContext,
        id: &str,
    ) -> Result<Option<(User, HeaderMap)>> {
        let call = Request::get(Operation::ById, &["Users", id]);
        let Some(found) = self.http.find::<ScimRecord>(context, call).await? else {
            return Ok(None);
        };
        let user = Arc::unwrap_or_clone(found.body).0;
        let user = check_identity(user, |user| user.remote_id == id)?;
        Ok(Some((user, found.response.headers)))
    }

    /// Refuses an order that the server would ignore.
    async fn check_order(&self, context: &RequestContext, selection: &ListQuery) -> Result<()> {
        if selection.filter.sort.is_none() {
            return Ok(());
        }
        let config = self.config.get(&self.http, context, Operation::List);
        if config.await?.sorts {
            return Ok(());
        }
        let message =
            "`sort`: this SCIM server does not say in its /ServiceProviderConfig that it can sort";
        Err(Error::new(ErrorKind::Unsupported, message))
    }
}

#[async_trait]
impl Connector for Scim {
    fn capabilities(&self) -> &ConnectorCapabilities {
        &self.capabilities
    }

    async fn list(
        &self,
        context: &RequestContext,
        request: &PageRequest,
        selection: &ListQuery,
    ) -> Result<Page<User>> {
        self.check_order(context, selection).await?;
        let filter = &selection.filter;
        let parameters = filter::parameters(filter);
        let is_filtered = !filter.fields().is_empty();
        let page = self.page(context, Operation::List, request, parameters);
        let page = page.await.map_err(|error| match is_filtered {
            true => errors::unsupported_filter(error),
            false => error,
        })?;
        list::note_doubtful(context, filter, &page);
        Ok(page)
    }

    async fn by_id(&self, context: &RequestContext, ids: &[String], _: Expand) -> LookupResults {
        look_up_each(ids, |id| self.get(context, id)).await
    }

    async fn by_external_id(
        &self,
        context: &RequestContext,
        ids: &[String],
        _: Expand,
    ) -> LookupResults {
        let keys: Vec<_> = ids.iter().map(|id| filter::external_id(id)).collect();
        let is_wanted = |user: &User| {
            let is_one = user.external_id.as_ref().is_some_and(|id| ids.contains(id));
            is_one || has_unreadable_external_id(user)
        };
        let work = context.with_new_usage();
        let operation = Operation::ByExternalId;
        let found = self.search_keys(&work, operation, &keys, &is_wanted).await;
        match found {
            Err(error) => fail_all(ids, &error),
            Ok(found) => {
                let is_whole = found.incomplete.is_none() && work.unreadable() == 0;
                let of = |id: &String| (id.clone(), user_of(id, &found, is_whole));
                ids.iter().map(of).collect()
            }
        }
    }

    /// One filter asks for all forms of an address.
    fn spellings(&self, email: &Email) -> Vec<Email> {
        vec![email.clone()]
    }

    async fn by_email(
        &self,
        context: &RequestContext,
        emails: &[Email],
        _: Expand,
    ) -> Result<SearchResult> {
        let keys: Vec<_> = emails.iter().map(filter::address).collect();
        // A user who shows no address may have one all the same.
        let is_wanted = |user: &User| {
            let shows_none = user.all_emails().next().is_none() || user.is_email_unreadable;
            shows_none || emails.iter().any(|email| user.has_email(email))
        };
        let operation = Operation::ByEmail;
        self.search_keys(context, operation, &keys, &is_wanted)
            .await
    }

    /// Refuses what a server would refuse without a useful reason.
    fn check(&self, patch: &UserPatch) -> Result<()> {
        changes::check(patch)
    }

    async fn create(&self, context: &RequestContext, patch: &UserPatch) -> Result<ConnectorWrite> {
        self.write_new(context, patch).await
    }

    async fn update(
        &self,
        context: &RequestContext,
        user: &User,
        patch: &UserPatch,
    ) -> Result<Option<ConnectorWrite>> {
        self.change(context, user, patch).await
    }
}

fn has_unreadable_external_id(user: &User) -> bool {
    decode::external_id(&user.raw, "externalId").is_err()
}

/// The user of an external id among those that were found.
fn user_of(id: &str, found: &SearchResult, is_whole: bool) -> Result<Option<User>> {
    let mut users = found
        .users
        .iter()
        .filter(|user| user.external_id.as_deref() == Some(id));
    let Some(user) = users.next() else {
        let is_clear = is_whole && !found.users.iter().any(has_unreadable_external_id);
        return match is_clear {
            true => Ok(None),
            false => Err(Error::malformed(
                "the provider's answer does not tell whether there is a user with this external id",
            )),
        };
    };
    match users.all(|other| other.remote_id == user.remote_id) {
        true => Ok(Some(user.clone())),
        false => Err(Error::malformed(
            "several users have this external id: look them up by `remoteId` or by email",
        )),
    }
}
