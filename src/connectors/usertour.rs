//! Usertour: the REST API, version 1.
//!
//! # API
//! `docs.usertour.io/api-reference`; where it differs from the server, the server counts (measured on
//! the public source, 2026-08).
//!
//! # Credentials
//! A key `ak_…` as a bearer token; it selects the environment.
//!
//! # Paging
//! `cursor` is an internal id that appears nowhere but in the answer's `next`, so it is a token. An
//! exhausted or unknown token is an error, `E1007`. `previous` drifts and is never read.
//!
//! # Limits
//! None on version 1. A page behind a cursor takes seconds on large environments: few calls at a
//! time, a long timeout.
//!
//! # Quirks
//! The `id` of a user is the one that your systems gave. The email filter compares letter case,
//! whatever its documents say, so an address is asked for as given and lower-cased. Names and
//! addresses are conventions inside `attributes`. Values of an unexpected type are dropped without
//! an error. Users of one moment come in no fixed order (`ties.rs`). An unknown segment filters nothing,
//! and no segment at all may filter by somebody else's (`segments.rs`).

mod record;
mod segments;
mod ties;

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use futures_util::future::join_all;
use reqwest::{StatusCode, header::HeaderMap};
use serde::Deserialize;
use serde_json::{Map, Value, json, value::RawValue};
use tokio::time::Instant;

pub use record::{UsertourCompany, UsertourMembership, UsertourUser};

use self::{
    segments::SegmentCache,
    ties::{Start, TieReader, TiedPage},
};
use super::{
    ConnectContext, Connector, ConnectorSpec, ConnectorWrite, EmailSearch, Expand, Filter,
    FilterField, Lookups, Profile, SINGLE, SearchResult, Selection, SortDirection, SortField,
    asked_for, decode, each, rows, without_invalid_spellings,
};
use crate::{
    client::{Client, ErrorDetails, Operation, Request, RequestContext, Response},
    error::{Error, ErrorKind, Reason, Result},
    notice::{Notice, NoticeCode},
    pagination::{Listing, NextPage, Page, PageAddress, PageRequest, Paging, ScanLimits},
    user::{Email, Identity, PatchField, RecordPart, User, UserPatch, WriteOutcome},
};

/// How Usertour is reached.
pub const DOOR: ConnectorSpec = ConnectorSpec {
    base_url: Some("https://api.usertour.io"),
    regions: &[],
    explain,
    concurrency: 4,
    timeout: Duration::from_secs(10),
    // Nothing is documented; should it send headers, they are believed.
    budget: &[],
    connect: |connection| Ok(Box::new(Usertour::connect(&connection)?)),
};

const LISTING: Listing = Listing {
    paging: Paging::Token,
    at: "cursor",
    size: "limit",
    min: 1,
    max: 100,
    reach: None,
    is_counted: false,
};

const EMAIL_CAVEAT: &str = "Usertour compares letter case: records that spell the address in other letter case may be missing";

const PROFILE: Profile = Profile {
    listing: LISTING,
    filters: &[
        FilterField::Email,
        FilterField::SegmentId,
        FilterField::CompanyId,
    ],
    rechecks: &[FilterField::Email],
    sorts: &[SortField::CreatedAt],
    by_id: SINGLE,
    by_external_id: Some(SINGLE),
    by_email: SINGLE,
    finds_substrings: false,
    email_search: EmailSearch::ByCase,
    email_caveat: Some(EMAIL_CAVEAT),
    segment_caveat: None,
    upserts: &[Identity::ExternalId],
    upsert_tells_outcome: false,
    writes: &[
        PatchField::ExternalId,
        PatchField::Email,
        PatchField::Name,
        PatchField::Companies,
        PatchField::Attributes,
    ],
    writes_leads: false,
    lags: &[],
};

/// Said of a search for an address beyond ASCII.
const FORMS: &str = "of letters beyond ASCII the composed and the decomposed form (NFC, NFD) were asked for, of the \
     domain both forms of IDNA: records that mix them may be missing";

/// How many pages of 100 one spelling of an address is searched through.
const SEARCH_PAGES: u32 = 10;

/// This provider has no options.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UsertourOptions {}

/// The adapter.
pub struct Usertour {
    http: Client,
    segments: SegmentCache,
}

#[derive(Deserialize)]
struct UsertourList {
    #[serde(deserialize_with = "decode::rows")]
    results: Vec<Arc<RawValue>>,
    #[serde(default, deserialize_with = "decode::link")]
    next: Option<String>,
}

fn user_in(reply: &Response) -> Result<User> {
    record::user(reply.account, reply.json::<Box<RawValue>>()?.into())
}

/// Of the link to the next page only its cursor is read.
fn cursor(next: &str) -> Option<String> {
    let (_, query) = next.split_once('?')?;
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs
        .find(|(name, _)| name == "cursor")
        .map(|(_, cursor)| cursor.into_owned())
        .filter(|cursor| !cursor.is_empty())
}

/// `expand` is repeated: a list with commas is refused by the server, whatever its own text says.
fn expansions(expand: Expand) -> impl Iterator<Item = (&'static str, String)> {
    let companies = expand.companies.then_some("companies");
    let memberships = expand.memberships.then_some("memberships.company");
    companies
        .into_iter()
        .chain(memberships)
        .map(|part| ("expand[]", part.to_owned()))
}

/// What a list is narrowed and sorted by.
fn narrowing(filter: &Filter, expand: Expand) -> ListParameters {
    let order = match filter.sort {
        Some((_, SortDirection::Descending)) => Some("-createdAt"),
        Some((_, SortDirection::Ascending)) => Some("createdAt"),
        None => None,
    };
    let email = filter.email.as_ref().map(Email::given);
    let narrowing = [
        ("email", email.map(str::to_owned)),
        ("segmentId", filter.segment_id.clone()),
        ("companyId", filter.company_id.clone()),
        ("orderBy", order.map(str::to_owned)),
    ];
    let narrowing = narrowing
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    narrowing.chain(expansions(expand)).collect()
}

fn is_descending(filter: &Filter) -> bool {
    matches!(filter.sort, Some((_, SortDirection::Descending)))
}

/// Parameters of a list.
type ListParameters = Vec<(&'static str, String)>;

impl Usertour {
    /// The adapter on a connection.
    ///
    /// # Errors
    /// `Invalid` when an option is given: there are none.
    pub fn connect(connection: &ConnectContext) -> Result<Self> {
        let UsertourOptions {} = connection.options()?;
        Ok(Self {
            http: connection.http.clone(),
            segments: SegmentCache::default(),
        })
    }

    /// One page as callers see it: it ends between two moments.
    async fn page(
        &self,
        scope: &RequestContext,
        operation: Operation,
        selection: &Selection,
        ask: &PageRequest,
    ) -> Result<Page> {
        let query = narrowing(&selection.filter, selection.expand);
        // A page that is made of several is as old as the oldest of them.
        let kept = Mutex::new(None);
        let (query, kept_since) = (&query, &kept);
        let reader = TieReader {
            is_descending: is_descending(&selection.filter),
            want: ask.size,
            fetch: |cursor, size| async move {
                let sent = self.sent(scope, operation, query, (cursor, size, ask.since));
                let page = sent.await?;
                let mut kept = kept_since.lock().unwrap_or_else(PoisonError::into_inner);
                *kept = kept.into_iter().chain(page.kept).min();
                Ok(page)
            },
        };
        let start = match &ask.place {
            PageAddress::Token(token) => Start::from_token(token.as_deref())?,
            PageAddress::Page(_) | PageAddress::Offset(_) | PageAddress::Key(_) => Start::default(),
        };
        if selection
            .filter
            .email
            .as_ref()
            .is_some_and(Email::has_forms)
        {
            scope.add_caveat(Notice::new(NoticeCode::SearchIncomplete, FORMS));
        }
        let TiedPage { page, shortfall } = reader.read(start).await?;
        let resumed = ties::is_place_unsure(ask.before_mark(&page)).then_some(ties::TIMELESS);
        if let Some(why) = shortfall.or(resumed) {
            scope.add_shortfall(Notice::new(NoticeCode::UnstableOrder, why));
        }
        if selection.filter.email.is_some() {
            rows::note_unreadable_emails(scope, &page.users);
        }
        let kept = *kept.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(page.kept_since(kept))
    }

    /// One page as the provider sends it.
    async fn sent(
        &self,
        scope: &RequestContext,
        operation: Operation,
        query: &[(&'static str, String)],
        (cursor, size, since): (Option<String>, u32, Option<Instant>),
    ) -> Result<Page> {
        let nobody = self.segments.nobody(query);
        let is_ours = nobody.is_some();
        let call = |nobody| {
            let place = PageAddress::Token(cursor.clone());
            let at = cursor.clone().map(|cursor| (LISTING.at, cursor));
            Request::get(operation, &["v1", "users"])
                .query(query.iter().cloned())
                .query(nobody)
                .query(at)
                .query([(LISTING.size, size.to_string())])
                .page(&place)
                .no_older_than(since)
        };
        match self.listed(scope, call(nobody)).await {
            Err(error) if is_ours && self.segments.is_refused(&error) => {
                self.listed(scope, call(None)).await
            }
            page => page,
        }
    }

    /// `docs.usertour.io/api-reference/users/list`
    async fn listed(&self, scope: &RequestContext, call: Request) -> Result<Page> {
        let reply = self.http.send(scope, call).await?;
        let list: UsertourList = reply.object()?;
        // Taken for the last page, a list would end too soon, and nobody would know.
        let nowhere = || Error::malformed("the provider says that there is more, and not where");
        let next = list.next.as_deref();
        let next = next.map(|next| cursor(next).ok_or_else(nowhere));
        let next = NextPage::Token {
            next: next.transpose()?,
            total: None,
        };
        let sent = list.results.len();
        let (nameless, rows): (Vec<_>, Vec<_>) =
            list.results.into_iter().partition(|raw| is_nameless(raw));
        if !nameless.is_empty() {
            scope.add_shortfall(Notice::new(NoticeCode::RowsUnreadable, NAMELESS));
        }
        let users = rows::users(scope, self.http.account(), rows, record::user);
        Ok(Page::new(users, next).of(sent).kept_since(reply.cached_at))
    }
}

/// Said of a list with users whom nothing tells apart.
const NAMELESS: &str =
    "a user whose id at Usertour is blank is left out: it cannot be asked for by its id";

/// Whether a user's id is there, and blank.
fn is_nameless(raw: &RawValue) -> bool {
    #[derive(Deserialize)]
    struct UsertourCompanyRef {
        id: String,
    }
    serde_json::from_str(raw.get()).is_ok_and(|user: UsertourCompanyRef| user.id.trim().is_empty())
}

impl Usertour {
    /// `docs.usertour.io/api-reference/users/get`
    async fn get(&self, scope: &RequestContext, id: &str, expand: Expand) -> Result<Option<User>> {
        let call = Request::get(Operation::ById, &["v1", "users", id]).query(expansions(expand));
        let reply = self.http.find(scope, call).await?;
        let user = reply.map(|reply| user_in(&reply)).transpose()?;
        user.map(|user| asked_for(user, |user| user.remote_id == id))
            .transpose()
    }

    /// `docs.usertour.io/api-reference/users/upsert`: always 201, whether it made or changed the user. It
    /// may be repeated; racing creates of one id answer 500 and succeed when repeated.
    async fn write(
        &self,
        scope: &RequestContext,
        operation: Operation,
        body: Value,
        outcome: WriteOutcome,
    ) -> Result<ConnectorWrite> {
        let call = Request::post(operation, &["v1", "users"], body.clone()).repeatable(true);
        let user = user_in(&self.http.send(scope, call).await?)?;
        let user = asked_for(user, |user| body["id"] == *user.remote_id)?;
        let remarks = dropped(&body["attributes"], &user.attributes);
        Ok(ConnectorWrite {
            user: Some(user),
            outcome: Some(outcome),
            remarks,
        })
    }
}

#[async_trait]
impl Connector for Usertour {
    /// `docs.usertour.io/api-reference/companies/get`. An unknown segment is refused before its list.
    async fn unknown(&self, scope: &RequestContext, filter: &Filter) -> Result<Vec<FilterField>> {
        let Some(id) = &filter.company_id else {
            return Ok(Vec::new());
        };
        let call = Request::get(Operation::Companies, &["v1", "companies", id]);
        let company = self.http.find(scope, call).await?;
        Ok(match company {
            Some(_) => Vec::new(),
            None => vec![FilterField::CompanyId],
        })
    }

    fn profile(&self) -> &Profile {
        &PROFILE
    }

    async fn list(
        &self,
        scope: &RequestContext,
        ask: &PageRequest,
        selection: &Selection,
    ) -> Result<Page> {
        if let Some(segment) = &selection.filter.segment_id {
            self.know_segment(scope, segment).await?;
        }
        self.page(scope, Operation::List, selection, ask).await
    }

    async fn by_id(&self, scope: &RequestContext, ids: &[String], expand: Expand) -> Lookups {
        each(ids, |id| self.get(scope, id, expand)).await
    }

    async fn by_external_id(
        &self,
        scope: &RequestContext,
        ids: &[String],
        expand: Expand,
    ) -> Lookups {
        self.by_id(scope, ids, expand).await
    }

    async fn by_email(
        &self,
        scope: &RequestContext,
        emails: &[Email],
        expand: Expand,
    ) -> Result<SearchResult> {
        let limits = ScanLimits {
            pages: SEARCH_PAGES,
            until: scope.deadline(),
        };
        let spellings: HashSet<Email> = emails.iter().flat_map(Email::spellings).collect();
        // The last that is asked is what the client gave: the provider's log ends with it.
        let (composed, decomposed): (Vec<_>, Vec<_>) =
            spellings.into_iter().partition(Email::is_composed);
        let search = |spelling: Email| async move {
            let selection = &Selection {
                filter: Filter::email(&spelling),
                expand,
            };
            let walk = rows::scan(
                scope,
                &LISTING,
                limits,
                |_| true,
                |ask| async move { self.page(scope, Operation::ByEmail, selection, &ask).await },
            )
            .await;
            (spelling, walk)
        };
        let mut walks = join_all(decomposed.into_iter().map(search)).await;
        walks.extend(join_all(composed.into_iter().map(search)).await);
        SearchResult::of(
            without_invalid_spellings(emails, walks),
            "Usertour's answer",
            "at most 1,000 users are read",
        )
    }

    /// What the API would leave undone without a word.
    fn check(&self, draft: &UserPatch) -> Result<()> {
        let id = draft.remote_id.as_ref().or(draft.external_id.set());
        body(id.map(String::as_str).unwrap_or_default(), draft).map(|_| ())
    }

    async fn create(&self, scope: &RequestContext, draft: &UserPatch) -> Result<ConnectorWrite> {
        let Some(id) = draft.external_id.set() else {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "nobody has this email, and Usertour makes users by `externalId` only: give one",
            ));
        };
        self.write(
            scope,
            Operation::Upsert,
            body(id, draft)?,
            WriteOutcome::Created,
        )
        .await
    }

    async fn update(
        &self,
        scope: &RequestContext,
        id: &str,
        draft: &UserPatch,
    ) -> Result<Option<ConnectorWrite>> {
        let body = body(id, draft)?;
        self.write(scope, Operation::Update, body, WriteOutcome::Updated)
            .await
            .map(Some)
    }
}

/// What the API would leave undone without a word is refused.
fn refused(field: &str, why: &str) -> Error {
    Error::new(ErrorKind::Rejected, why).reasons(vec![Reason {
        field: Some(field.to_owned()),
        message: why.to_owned(),
    }])
}

fn body(id: &str, draft: &UserPatch) -> Result<Value> {
    if draft.external_id.is_change() && draft.external_id.set().is_none_or(|other| other != id) {
        return Err(refused(
            "externalId",
            "at Usertour this is the user's own id, which never changes",
        ));
    }
    if draft.companies.iter().any(|company| company.leave) {
        return Err(refused(
            "companies",
            "Usertour's API takes nobody out of a company",
        ));
    }
    let mut attributes = draft.attributes.clone();
    let conventions = [("email", draft.email.json()), ("name", draft.name.json())];
    attributes.extend(
        conventions
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?))),
    );
    let companies = draft.companies.iter().map(|company| {
        let name = company
            .name
            .iter()
            .map(|name| ("name".to_owned(), Value::from(name.clone())));
        json!({ "id": company.external_id, "attributes": name.collect::<Map<_, _>>() })
    });
    let mut body = json!({ "id": id });
    if !attributes.is_empty() {
        body["attributes"] = Value::Object(attributes);
    }
    if !draft.companies.is_empty() {
        body["companies"] = companies.collect();
    }
    Ok(body)
}

/// The attributes that were sent and are not there afterwards: the server drops a value whose type is
/// not that of the attribute's definition, and answers 201 all the same.
fn dropped(sent: &Value, kept: &RecordPart<Arc<RawValue>>) -> Vec<Error> {
    let kept = match kept {
        RecordPart::Here(bag) => Some(bag),
        RecordPart::None | RecordPart::Apart => None,
    };
    let sent = sent
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(_, value)| !value.is_null());
    let is_kept = |name: &str, value: &Value| {
        let there = kept.and_then(|bag| decode::member(bag, name));
        there.is_some_and(|there| is_same(there, value))
    };
    let lost = sent.filter(|(name, value)| !is_kept(name, value));
    lost.map(|(name, _)| {
        let message =
            format!("the provider did not take `{name}`: it holds values of another type");
        let reason = Reason {
            field: Some("attributes".to_owned()),
            message: message.clone(),
        };
        Error::new(ErrorKind::Rejected, message).reasons(vec![reason])
    })
    .collect()
}

/// Whether an attribute is there as it was sent; of numbers, also of nested ones, the digits may differ.
fn is_same(there: &RawValue, sent: &Value) -> bool {
    let there = serde_json::from_str::<Value>(there.get());
    there.is_ok_and(|there| is_alike(&there, sent))
}

fn is_alike(there: &Value, sent: &Value) -> bool {
    match (there, sent) {
        (Value::Number(_), Value::Number(_)) => true,
        (Value::Array(there), Value::Array(sent)) => {
            there.len() == sent.len()
                && there
                    .iter()
                    .zip(sent)
                    .all(|(one, other)| is_alike(one, other))
        }
        (Value::Object(there), Value::Object(sent)) => {
            there.len() == sent.len()
                && sent
                    .iter()
                    .all(|(name, sent)| there.get(name).is_some_and(|there| is_alike(there, sent)))
        }
        (there, sent) => there == sent,
    }
}

/// Usertour's errors: `error.code` and `error.message`. A 404 without a code is of the web framework:
/// there is no such route, so `base_url` is wrong; it does not say that a user is missing.
fn explain(status: StatusCode, _: &HeaderMap, body: &[u8]) -> ErrorDetails {
    #[derive(Default, Deserialize)]
    struct UsertourErrorBody {
        #[serde(default, deserialize_with = "decode::record")]
        error: Option<UsertourErrorItem>,
    }
    #[derive(Deserialize)]
    struct UsertourErrorItem {
        #[serde(default, deserialize_with = "decode::text")]
        code: Option<String>,
        #[serde(default, deserialize_with = "decode::text")]
        message: Option<String>,
    }
    let body: UsertourErrorBody = serde_json::from_slice(body).unwrap_or_default();
    let code = body.error.as_ref().and_then(|error| error.code.as_deref());
    let kind = match (status.as_u16(), code) {
        (400, Some("E1007")) => Some(ErrorKind::Expired),
        (404, None) => Some(ErrorKind::Malformed),
        (_, Some(segments::UNKNOWN)) => Some(ErrorKind::Rejected),
        _ => None,
    };
    let is_unknown_segment = code == Some(segments::UNKNOWN);
    let message = body.error.and_then(|error| error.message);
    // A validator's text begins with the parameter that it is about.
    let is_of_segment = |message: &str| message.starts_with(segments::PARAMETER);
    let reasons = message
        .into_iter()
        .map(|message| Reason {
            field: (is_unknown_segment || is_of_segment(&message))
                .then(|| segments::PARAMETER.to_owned()),
            message,
        })
        .collect();
    ErrorDetails {
        kind,
        reasons,
        ..ErrorDetails::default()
    }
}
