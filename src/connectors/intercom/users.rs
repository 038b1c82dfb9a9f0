//! The Users API of versions 1.0 to 1.4: no longer given to new workspaces.
//!
//! # API
//! `developers.intercom.com/docs/references/1.1/rest-api/users`.
//!
//! # Paging
//! Numbered pages of at most 60, newest first, the total known. Past 10,000 rows the provider
//! refuses. `pages.next` is an absolute URL and is not read.
//!
//! # Quirks
//! Version 1.0 answers a lookup by address with one bare user, 404 or 409; 1.1 with a list that
//! mixes leads in; 1.2 and later with users only. An address is not unique. `created_since` counts
//! days. A lookup by the provider's id does not find leads, which live at `/contacts`.

mod query;

use std::{collections::HashSet, sync::Arc};

use async_trait::async_trait;
use futures_util::future::join_all;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json, value::RawValue};

use super::{
    IntercomApi, attributes, body, check, has_external_id, labels,
    pages::{PageNumbers, loose},
    record, refused_under_200, seconds, user_in,
};
use crate::{
    client::{Decoded, DecodedBody, Operation, Request, Response},
    connectors::{
        Connector, ConnectorCapabilities, ConnectorWrite, EmailSearch, Expand, Filter, FilterField,
        ListQuery, LookupResults, SINGLE, SearchResult, SortField, check_identity, decode,
        filter::unknown_notice, look_up_each, rows, without_invalid_spellings,
    },
    context::RequestContext,
    error::{Error, ErrorKind, Result},
    pagination::{NextPage, Page, PageRequest, PaginationSpec, PaginationStrategy, ScanLimits},
    user::{CompanyPatch, Email, Identity, PatchField, User, UserPatch, WriteOutcome},
};

const PAGINATION: PaginationSpec = PaginationSpec {
    strategy: PaginationStrategy::Page { first: 1 },
    position_param: "page",
    size_param: "per_page",
    min_page_size: 1,
    max_page_size: 60,
    max_rows: Some(10_000),
    is_counted: true,
};

const CAPABILITIES: ConnectorCapabilities = ConnectorCapabilities {
    pagination: PAGINATION,
    filters: &[
        FilterField::Email,
        FilterField::SegmentId,
        FilterField::CompanyId,
        FilterField::TagId,
        FilterField::CreatedSince,
    ],
    post_filtered: &[FilterField::Email, FilterField::CreatedSince],
    sorts: &[
        SortField::CreatedAt,
        SortField::UpdatedAt,
        SortField::LastSeenAt,
        SortField::SignedUpAt,
    ],
    by_id: SINGLE,
    by_external_id: Some(SINGLE),
    by_email: SINGLE,
    finds_substrings: false,
    email_search: EmailSearch::Exact,
    email_caveat: None,
    email_misses_users: false,
    segment_caveat: None,
    upserts: &[Identity::ExternalId, Identity::Email],
    upsert_reports_outcome: false,
    writes: &[
        PatchField::ExternalId,
        PatchField::Email,
        PatchField::Name,
        PatchField::Phone,
        PatchField::AvatarUrl,
        PatchField::Companies,
        PatchField::SignedUpAt,
        PatchField::UnsubscribedFromEmails,
        PatchField::Attributes,
    ],
    writes_leads: false,
    eventually_consistent_by: &[],
};

/// The notice on a search by address: it finds no leads since version 1.2.
const NO_LEADS: &str =
    "Intercom answers users only since version 1.2: leads with this address may be missing";

/// How many pages of 60 the users of one address are read through.
const SEARCH_PAGES: u32 = 10;

/// The connector.
pub(super) struct Users {
    api: IntercomApi,
    capabilities: ConnectorCapabilities,
}

#[derive(Deserialize)]
struct IntercomUserList {
    #[serde(default, rename = "type", deserialize_with = "decode::text")]
    kind: Option<String>,
    #[serde(default, deserialize_with = "decode::rows_if_any")]
    users: Option<Vec<Arc<RawValue>>>,
    /// The user, where the answer is one and no list.
    #[serde(skip)]
    bare: Option<User>,
    #[serde(default, deserialize_with = "decode::count")]
    total_count: Option<u64>,
    #[serde(default, deserialize_with = "decode::deciding")]
    pages: Option<IntercomUserPages>,
}

#[derive(Deserialize)]
struct IntercomUserPages {
    /// `None` where it is absent, which says nothing.
    #[serde(default, deserialize_with = "next_link")]
    next: Option<Option<String>>,
    #[serde(default, deserialize_with = "loose")]
    page: Option<u64>,
    #[serde(default, deserialize_with = "loose")]
    per_page: Option<u64>,
    #[serde(default, deserialize_with = "loose")]
    total_pages: Option<u64>,
}

fn next_link<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Option<Option<String>>, D::Error> {
    decode::link(deserializer).map(Some)
}

impl IntercomUserPages {
    /// Whether pages follow this one, of the number that was asked for; `None` where nothing says
    /// it.
    fn more(&self, number: Option<u64>) -> Option<bool> {
        match &self.next {
            Some(next) => Some(next.is_some()),
            None => self.numbers().more(number),
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

/// A lookup answers a list, or in version 1.0 a bare user.
impl DecodedBody for IntercomUserList {
    fn decode(response: &Response) -> Result<Self> {
        let list: Self = response.object()?;
        let bare = match list.kind.as_deref() {
            Some("user" | "contact") => Some(user_in(response)?),
            Some("error.list") => {
                let bare = "the provider answered an error under status 200";
                return Err(refused_under_200(response).unwrap_or_else(|| Error::malformed(bare)));
            }
            _ if list.users.is_none() => {
                return Err(Error::malformed(
                    "the provider answered a list without users",
                ));
            }
            _ => None,
        };
        Ok(Self { bare, ..list })
    }

    fn row_count(&self) -> usize {
        self.users.as_ref().map_or(1, Vec::len)
    }
}

/// The users of an answer. `number` is that of the page that was
/// asked for.
fn page_in(
    context: &RequestContext,
    read: &Decoded<IntercomUserList>,
    number: Option<u64>,
) -> Page<User> {
    let (list, response) = (&read.body, &read.response);
    if let Some(user) = &list.bare {
        let users = vec![user.clone()];
        return Page::new(users, NextPage::Total(1)).cached_at(response.cached_at);
    }
    let more = list.pages.as_ref().and_then(|pages| pages.more(number));
    let numbers = list.pages.as_ref().map(IntercomUserPages::numbers);
    let numbers = numbers.unwrap_or_default();
    let next = match (list.total_count, more) {
        (Some(total), Some(more)) => NextPage::Counted { total, more },
        (Some(total), None) => NextPage::Total(total),
        (None, Some(more)) => NextPage::More(more),
        (None, None) => NextPage::Silent,
    };
    let rows = list.users.as_deref().unwrap_or_default();
    let users = rows::users(context, response.account, rows, record::user);
    // Where nothing says how many users there are, a short page may be one of a smaller size than
    // it was asked for.
    let short = u32::try_from(rows.len()).ok();
    let short = short.filter(|_| next == NextPage::Silent);
    Page {
        size: short.or(numbers.size()),
        incomplete: numbers.incomplete(&next, number),
        ..Page::new(users, next)
            .with_sent(rows.len())
            .cached_at(response.cached_at)
    }
}

impl Users {
    pub(super) fn new(api: IntercomApi) -> Self {
        let email_caveat = (api.version.minor > 1).then_some(NO_LEADS);
        Self {
            api,
            capabilities: ConnectorCapabilities {
                email_caveat,
                ..CAPABILITIES
            },
        }
    }

    async fn page(&self, context: &RequestContext, call: Request) -> Result<Page<User>> {
        // An unknown company is 404. An address that nobody has is so in version 1.0, which has no
        // empty list; elsewhere it is the path that is not found.
        let company = call
            .query
            .iter()
            .find(|(name, _)| *name == "company_id")
            .cloned();
        let may_be_missing = call.query.iter().any(|(name, _)| match *name {
            "company_id" => true,
            "email" => self.api.version.minor == 0,
            _ => false,
        });
        let call = call.may_be_missing(may_be_missing);
        let is_by_email = call.query.iter().any(|(name, _)| *name == "email");
        let number = call
            .query
            .iter()
            .find(|(name, _)| *name == PAGINATION.position_param);
        let number = number.and_then(|(_, number)| number.parse().ok());
        match self.api.send(context, call).await {
            Ok(read) => {
                let page = page_in(context, &read, number);
                if is_by_email {
                    rows::note_unreadable_emails(context, &page.rows);
                }
                Ok(page)
            }
            Err(error) if error.kind() == ErrorKind::Missing && may_be_missing => {
                let company = company.map(|(_, id)| id);
                if let Some(id) = company {
                    let field = FilterField::CompanyId;
                    context.add_incomplete_notice(unknown_notice(
                        self.api.http.account(),
                        field,
                        &id,
                    ));
                }
                Ok(Page::new(Vec::new(), NextPage::Total(0)))
            }
            Err(error) => Err(error),
        }
    }
}

#[async_trait]
impl Connector for Users {
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

    /// Whether letter case counts here is not documented: each is asked for.
    fn spellings(&self, email: &Email) -> Vec<Email> {
        email.spellings()
    }

    /// `…/1.1/rest-api/users/list-users`, `…/list-by-tag-segment-company`
    async fn list(
        &self,
        context: &RequestContext,
        request: &PageRequest,
        selection: &ListQuery,
    ) -> Result<Page<User>> {
        let filter = &selection.filter;
        let path = if filter.company_id.is_some() {
            "companies"
        } else {
            "users"
        };
        let call = Request::get(Operation::List, &[path])
            .query(query::narrowed(filter)?)
            .query(request.params())
            .page(&request.address)
            .no_older_than(request.since);
        self.page(context, call).await
    }

    /// `…/1.1/rest-api/users/view-a-user`; who is no user may be a lead.
    async fn by_id(&self, context: &RequestContext, ids: &[String], _: Expand) -> LookupResults {
        look_up_each(ids, |id| async move {
            let user = Request::get(Operation::ById, &["users", id]);
            let lead = Request::get(Operation::ById, &["contacts", id]);
            match self.api.fetch_user(context, user, id).await? {
                Some(user) => Ok(Some(user)),
                None => self.api.fetch_user(context, lead, id).await,
            }
        })
        .await
    }

    async fn by_external_id(
        &self,
        context: &RequestContext,
        ids: &[String],
        _: Expand,
    ) -> LookupResults {
        look_up_each(ids, |id| self.with_user_id(context, id)).await
    }

    /// `…/1.1/rest-api/users/list-by-email-1`
    async fn by_email(
        &self,
        context: &RequestContext,
        emails: &[Email],
        _: Expand,
    ) -> Result<SearchResult> {
        let limits = ScanLimits {
            pages: SEARCH_PAGES,
            until: context.deadline(),
        };
        let spellings = emails.iter().flat_map(|email| self.spellings(email));
        let spellings: HashSet<Email> = spellings.collect();
        let searches = spellings.iter().map(|email| async move {
            let scan = rows::scan(
                context,
                &PAGINATION,
                limits,
                |_| true,
                move |request| async move {
                    let call = Request::get(Operation::ByEmail, &["users"])
                        .query([("email", email.given().to_owned())])
                        .query(request.params())
                        .page(&request.address)
                        .no_older_than(request.since);
                    self.page(context, call).await
                },
            );
            (email.clone(), scan.await)
        });
        SearchResult::from_scans(
            without_invalid_spellings(emails, join_all(searches).await),
            "Intercom's answer",
            "at most 600 users are read",
        )
    }

    fn check(&self, patch: &UserPatch) -> Result<()> {
        check(patch)
    }

    /// `…/1.1/rest-api/users/create-or-update-user`: it finds or creates, so it may be repeated.
    async fn create(&self, context: &RequestContext, patch: &UserPatch) -> Result<ConnectorWrite> {
        let call =
            Request::post(Operation::Upsert, &["users"], written(None, patch)?).repeatable(true);
        let user = user_in(&self.api.write(context, call).await?)?;
        let user = check_identity(user, |user| match patch.external_id.set() {
            Some(id) => has_external_id(user, id),
            None => patch.matches_identity(user),
        })?;
        Ok(ConnectorWrite::complete(user, WriteOutcome::Created))
    }

    async fn update(
        &self,
        context: &RequestContext,
        user: &User,
        patch: &UserPatch,
    ) -> Result<Option<ConnectorWrite>> {
        let id = user.remote_id.as_str();
        let call = Request::post(Operation::Update, &["users"], written(Some(id), patch)?)
            .repeatable(true);
        let user = self.api.fetch_user(context, call, id).await?;
        Ok(user.map(|user| ConnectorWrite::complete(user, WriteOutcome::Updated)))
    }
}

impl Users {
    async fn with_user_id(&self, context: &RequestContext, id: &str) -> Result<Option<User>> {
        let call = Request::get(Operation::ByExternalId, &["users"]);
        let call = call.query([("user_id", id.to_owned())]);
        let is_it = |user: &User| has_external_id(user, id);
        self.api.user(context, call, is_it).await
    }
}

/// The identifier that comes first decides, and there is no falling through to the next: `id`, then
/// `user_id`, then `email`.
fn written(id: Option<&str>, patch: &UserPatch) -> Result<Value> {
    check(patch)?;
    let avatar = patch.avatar_url.json();
    let avatar = avatar.map(|url| json!({ "type": "avatar", "image_url": url }));
    let unsubscribed = patch.unsubscribed_from_emails.json();
    Ok(body([
        ("id", id.map(Value::from)),
        ("user_id", patch.external_id.json()),
        ("email", patch.email.json()),
        ("name", patch.name.json()),
        ("phone", patch.phone.json()),
        ("avatar", avatar),
        ("signed_up_at", seconds(&patch.signed_up_at)),
        ("unsubscribed_from_emails", unsubscribed),
        ("companies", companies(&patch.companies)),
        ("custom_attributes", attributes(patch)),
    ]))
}

/// The companies to join, and with `remove` those to leave.
fn companies(companies: &[CompanyPatch]) -> Option<Value> {
    let entries = companies.iter().map(|company| {
        let mut entry = json!({ "company_id": company.external_id });
        if let Some(name) = &company.name {
            entry["name"] = name.clone().into();
        }
        if company.leave {
            entry["remove"] = true.into();
        }
        entry
    });
    (!companies.is_empty()).then(|| entries.collect())
}
