//! The Contacts API of versions 2.x: users and leads alike.
//!
//! # API
//! `developers.intercom.com/docs/references/2.17/rest-api/contacts`.
//!
//! # Paging
//! A token in the answer, `starting_after`, at most 150 contacts a page, the total known. A search
//! takes it in its body; in the query it would be ignored. The token names the last row and not a
//! number of rows, so pages of one scan may differ in size.
//!
//! # Batches
//! One search names many ids, external ids or addresses (`IN`).
//!
//! # Quirks
//! The search index lags by minutes and leaves archived and merged contacts out: who is not found
//! by id is asked for by id, and who was written here a short while ago too. Creating is no upsert:
//! a contact that is there already is a 409, whose text alone says which it is. Before version 2.17
//! a search compares days, not moments.

mod addresses;
mod capabilities;
mod company;
mod lookups;
mod query;
mod subresources;
mod write;

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use futures_util::future::join_all;
use moka::sync::Cache;
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

use self::{
    addresses::stale_ids,
    capabilities::{BY_DAYS, CAPABILITIES, PAGINATION},
    subresources::SubresourceNext,
};
use super::{
    IntercomApi, check, labels,
    pages::{PageNumbers, loose},
    record, refused_under_200,
};
use crate::{
    client::{Decoded, DecodedBody, Operation, Request, Response},
    connectors::{
        BatchSize, Connector, ConnectorCapabilities, ConnectorWrite, Expand, Filter, FilterField,
        ListQuery, LookupResults, SearchBatch, SearchResult, Subresource, SubresourceData,
        check_identity, decode, fail_all, look_up_each, rows,
    },
    context::RequestContext,
    error::{Error, ErrorKind, Result},
    pagination::{NextPage, Page, PageAddress, PageRequest},
    recent_writes::RecentWrites,
    user::{Email, Identity, User, UserPatch, WriteOutcome},
};

/// How many pages of 150 one batch of addresses is read through.
const SEARCH_PAGES: u32 = 10;

/// How often in a row a contact that became another one is followed.
const HOPS: usize = 3;

/// The version that finds users by external id, and without the lag of search.
const FINDS_EXTERNAL_IDS_FROM: u8 = 13;

/// The connector.
pub(super) struct Contacts {
    api: IntercomApi,
    recent: RecentWrites,
    /// Intercom's ids of companies, by yours.
    companies: Cache<String, company::CachedCompanyId>,
    capabilities: ConnectorCapabilities,
}

#[derive(Deserialize)]
struct ContactList {
    #[serde(default, deserialize_with = "decode::rows_if_any")]
    data: Option<Vec<Arc<RawValue>>>,
    #[serde(default, deserialize_with = "decode::count")]
    total_count: Option<u64>,
    #[serde(default, deserialize_with = "decode::present")]
    pages: Option<Option<ContactPages>>,
}

#[derive(Deserialize)]
struct ContactPages {
    #[serde(default)]
    next: Value,
    #[serde(default, deserialize_with = "loose")]
    page: Option<u64>,
    #[serde(default, deserialize_with = "loose")]
    per_page: Option<u64>,
    #[serde(default, deserialize_with = "loose")]
    total_pages: Option<u64>,
}

/// The error of a list with more pages of which the next is not named.
fn nowhere() -> Error {
    Error::malformed("the provider says that there is more, and not where")
}

impl ContactPages {
    /// The next page, if there is one.
    fn next(&self) -> Result<Option<SubresourceNext>> {
        match &self.next {
            Value::Null => Ok(None),
            next => SubresourceNext::of(next).map(Some).ok_or_else(nowhere),
        }
    }

    fn numbers(&self) -> PageNumbers {
        PageNumbers {
            page: self.page,
            per_page: self.per_page,
            total_pages: self.total_pages,
        }
    }
}

impl DecodedBody for ContactList {
    fn decode(response: &Response) -> Result<Self> {
        let list: Self = response.object()?;
        if list.data.is_none() {
            let bare = || Error::malformed("the provider answered a list without contacts");
            return Err(refused_under_200(response).unwrap_or_else(bare));
        }
        let Some(pages) = &list.pages else {
            return Err(Error::malformed(
                "the provider's list does not say whether there is more: it has no `pages`",
            ));
        };
        pages.as_ref().map_or(Ok(None), ContactPages::next)?;
        Ok(list)
    }

    fn row_count(&self) -> usize {
        self.data.as_ref().map_or(0, Vec::len)
    }
}

/// The page of an answer. `token` says how the next page is named.
fn page_in(
    context: &RequestContext,
    read: &Decoded<ContactList>,
    address: &PageAddress,
    token: fn(SubresourceNext) -> Option<String>,
) -> Result<Page<User>> {
    let (list, response) = (&read.body, &read.response);
    let pages = list.pages.as_ref().and_then(Option::as_ref);
    let next = match pages.map_or(Ok(None), ContactPages::next)? {
        None => None,
        Some(next) => Some(token(next).ok_or_else(nowhere)?),
    };
    let next = NextPage::Token {
        next,
        total: list.total_count,
    };
    let rows = list.data.as_deref().unwrap_or_default();
    let users = rows::users(context, response.account, rows, record::user);
    let first = matches!(address, PageAddress::Token(None)).then_some(1);
    let numbers = pages.map(ContactPages::numbers).unwrap_or_default();
    Ok(Page {
        incomplete: numbers.incomplete(&next, first),
        ..Page::new(users, next)
            .with_sent(rows.len())
            .cached_at(response.cached_at)
    })
}

/// `…/contacts/search-contacts`: a read, though by POST.
fn search(operation: Operation, query: &Value, filter: &Filter, request: &PageRequest) -> Request {
    let mut pagination = json!({ PAGINATION.size_param: request.size });
    if let PageAddress::Token(Some(token)) = &request.address {
        pagination[PAGINATION.position_param] = token.clone().into();
    }
    let mut body = json!({ "query": query, "pagination": pagination });
    if let Some(sort) = filter.sort {
        body["sort"] = query::ordered(sort);
    }
    Request::search(operation, &["contacts", "search"], body)
        .page(&request.address)
        .no_older_than(request.since)
}

/// Gives every key the user that a search found for it; those that it missed are looked up one by
/// one.
async fn confirmed<'a, R>(
    keys: &'a [String],
    found: Result<Vec<User>>,
    key_of: impl Fn(&User) -> Option<&str>,
    confirm: impl Fn(&'a str) -> R,
) -> LookupResults
where
    R: Future<Output = Result<Option<User>>>,
{
    let found = match found {
        Ok(found) => found.into_iter(),
        // The search refuses the whole batch for one bad key: each key is looked up alone.
        Err(error) if error.kind() == ErrorKind::Rejected => Vec::new().into_iter(),
        Err(error) => return fail_all(keys, &error),
    };
    let found = found.filter_map(|user| Some((key_of(&user)?.to_owned(), user)));
    let mut found: HashMap<String, User> = found.collect();
    let answers = keys.iter().map(|key| {
        let user = found.remove(key);
        let confirm = &confirm;
        async move {
            match user {
                Some(user) => (key.clone(), Ok(Some(user))),
                None => (key.clone(), confirm(key).await),
            }
        }
    });
    join_all(answers).await.into_iter().collect()
}

impl Contacts {
    pub(super) fn new(api: IntercomApi, recent: RecentWrites) -> Self {
        let batch = BatchSize {
            max: api.search_batch,
        };
        let post_filtered = if query::is_exact(api.version) {
            CAPABILITIES.post_filtered
        } else {
            BY_DAYS
        };
        let eventually_consistent_by: &[Identity] = if api.version.is_from(FINDS_EXTERNAL_IDS_FROM)
        {
            CAPABILITIES.eventually_consistent_by
        } else {
            &[Identity::ExternalId, Identity::Email]
        };
        Self {
            recent: recent.with_lag(api.index_lag),
            companies: company::ids(),
            capabilities: ConnectorCapabilities {
                post_filtered,
                eventually_consistent_by,
                by_id: batch,
                by_external_id: Some(batch),
                by_email: batch,
                ..CAPABILITIES
            },
            api,
        }
    }

    async fn page(
        &self,
        context: &RequestContext,
        request: &PageRequest,
        call: Request,
    ) -> Result<Page<User>> {
        let read = self.api.send(context, call).await?;
        page_in(context, &read, &request.address, SubresourceNext::token)
    }
}

#[async_trait]
impl Connector for Contacts {
    fn capabilities(&self) -> &ConnectorCapabilities {
        &self.capabilities
    }

    async fn unknown_filter_values(
        &self,
        context: &RequestContext,
        filter: &Filter,
    ) -> Result<Vec<FilterField>> {
        labels::unknown(&self.api, context, filter).await
    }

    /// `…/contacts/list-contacts`, or a search where the list is narrowed or sorted.
    async fn list(
        &self,
        context: &RequestContext,
        request: &PageRequest,
        selection: &ListQuery,
    ) -> Result<Page<User>> {
        let filter = &selection.filter;
        if filter.fields().is_empty() && filter.sort.is_none() {
            let call = Request::get(Operation::List, &["contacts"])
                .query(request.params())
                .page(&request.address)
                .no_older_than(request.since);
            return self.page(context, request, call).await;
        }
        if let Some(company) = &filter.company_id {
            return self.list_company(context, request, filter, company).await;
        }
        let query = query::narrowed(filter, self.api.version);
        let call = search(Operation::List, &query, filter, request);
        let page = self.page(context, request, call).await?;
        if filter.email.is_some() || filter.email_domain.is_some() {
            rows::note_unreadable_emails(context, &page.rows);
        }
        Ok(page)
    }

    async fn by_id(&self, context: &RequestContext, ids: &[String], _: Expand) -> LookupResults {
        let get = |id| self.get(context, id);
        if ids.len() == 1 {
            return look_up_each(ids, get).await;
        }
        let found = self
            .search_by_keys(context, Operation::ById, "id", ids)
            .await;
        confirmed(ids, found, |user| Some(&user.remote_id), get).await
    }

    /// Of a user only: a lead's external id is made up by Intercom.
    async fn by_external_id(
        &self,
        context: &RequestContext,
        ids: &[String],
        _: Expand,
    ) -> LookupResults {
        let find = |id| self.with_external_id(context, id);
        if ids.len() == 1 {
            return look_up_each(ids, find).await;
        }
        let found = self
            .search_by_keys(context, Operation::ByExternalId, "external_id", ids)
            .await;
        confirmed(ids, found, |user| user.external_id.as_deref(), find).await
    }

    async fn by_email(
        &self,
        context: &RequestContext,
        emails: &[Email],
        _: Expand,
    ) -> Result<SearchResult> {
        let found = self.search_by_emails(context, emails).await?;
        let written = self.recent_writes_for(&found, emails).await;
        let doubtful = emails.iter();
        let doubtful = doubtful.flat_map(|email| stale_ids(&found, email, &written));
        let doubtful = doubtful.collect();
        Ok(self.reread_contacts(context, found, &doubtful).await)
    }

    /// One search for as many addresses as it takes. All spellings of an address are in the same
    /// one.
    async fn search(
        &self,
        context: &RequestContext,
        emails: &[Email],
        _: Expand,
    ) -> Vec<SearchBatch> {
        self.search_in_batches(context, emails).await
    }

    async fn subresource(
        &self,
        context: &RequestContext,
        id: &str,
        part: Subresource,
    ) -> Result<Option<SubresourceData>> {
        subresources::part(&self.api, context, id, part).await
    }

    fn check(&self, patch: &UserPatch) -> Result<()> {
        check(patch)
    }

    /// `…/contacts/create-contact`. A 409 names the contact that is there: when it is the one that
    /// is meant, it is changed instead.
    async fn create(&self, context: &RequestContext, patch: &UserPatch) -> Result<ConnectorWrite> {
        let call = Request::post(Operation::Create, &["contacts"], write::create_body(patch)?);
        match self.api.write(context, call).await {
            Ok(response) => {
                let user = check_identity(super::user_in(&response)?, |user| {
                    patch.matches_identity(user)
                })?;
                Ok(self
                    .finish_write(context, user, patch, WriteOutcome::Created)
                    .await)
            }
            Err(error) if error.kind() == ErrorKind::Conflict => {
                self.write_existing(context, patch, error).await
            }
            Err(error) => Err(error),
        }
    }

    /// `…/contacts/update-contact`: changes what it names.
    async fn update(
        &self,
        context: &RequestContext,
        user: &User,
        patch: &UserPatch,
    ) -> Result<Option<ConnectorWrite>> {
        let id = user.remote_id.as_str();
        let call = Request::put(
            Operation::Update,
            &["contacts", id],
            write::update_body(patch)?,
        );
        match self.api.fetch_user(context, call, id).await {
            Ok(Some(user)) => {
                let written = self
                    .finish_write(context, user, patch, WriteOutcome::Updated)
                    .await;
                Ok(Some(written))
            }
            Ok(None) => Ok(None),
            Err(error) if error.kind() == ErrorKind::Conflict => {
                Err(write::conflict_error(patch, &error))
            }
            Err(error) => Err(error),
        }
    }
}
