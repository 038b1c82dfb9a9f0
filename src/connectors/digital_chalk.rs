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
//! `offset` and `limit`, no total. The documents call the back link `prev`, the provider's own clients
//! `previous`; only whether there is a `next` is read, no link is followed.
//!
//! # Limits
//! None documented: the gateway limits itself to a few calls at a time.
//!
//! # Quirks
//! `email` is a substring search: all its pages are read and compared. Creating answers no body, the
//! id is in `Location`. Several addresses of one small domain are one search. How letters beyond ASCII
//! compare is not documented: each form of an address, or of a part of one, is asked for. `PUT` changes what it names and replaces `tags`. Empty fields are absent.
//! Custom fields are a resource of their own, `userfieldvalues`, read and written apart.

mod domains;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_graphql::SimpleObject;
use async_trait::async_trait;
use futures_util::future::join_all;
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use reqwest::{
    StatusCode,
    header::{HeaderMap, LOCATION},
};
use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};

use self::domains::DomainSizes;
use super::{
    BatchSize, ConnectContext, Connector, ConnectorSpec, ConnectorWrite, EmailSearch, Expand,
    Filter, FilterField, Lookups, Profile, ProviderRecord, QuotaWindow, SINGLE, SearchBatch,
    SearchResult, Selection, Subresource, SubresourceData, asked_for, bounded, decode, each, rows,
    unsupported, without_invalid_spellings,
};
use crate::{
    account::Account,
    client::{Client, ErrorDetails, Operation, Request, RequestContext, Response},
    error::{Error, ErrorKind, Reason, Result},
    pagination::{Listing, NextPage, Page, PageRequest, Paging, ScanLimits, Truncation},
    user::{Email, PatchField, RecordPart, User, UserPatch, WriteOutcome, email::fold, text},
};

/// How DigitalChalk is reached.
pub const DOOR: ConnectorSpec = ConnectorSpec {
    base_url: Some("https://api.digitalchalk.com/api/v5"),
    regions: &[],
    explain,
    concurrency: 4,
    timeout: Duration::from_secs(5),
    // Nothing is documented: a bound that we set ourselves.
    budget: &[QuotaWindow {
        calls: 20,
        seconds: 1,
    }],
    connect: |connection| Ok(Box::new(DigitalChalk::connect(&connection)?)),
};

const LISTING: Listing = Listing {
    paging: Paging::Offset { first: 0 },
    at: "offset",
    size: "limit",
    min: 1,
    max: 100,
    reach: None,
    is_counted: false,
};

const PROFILE: Profile = Profile {
    listing: LISTING,
    filters: &[FilterField::Email],
    rechecks: &[FilterField::Email],
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
    upsert_tells_outcome: false,
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
    lags: &[],
};

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

/// The adapter.
pub struct DigitalChalk {
    http: Client,
    options: DigitalChalkOptions,
    domains: DomainSizes,
}

/// A user at DigitalChalk, field by field.
#[derive(Deserialize, SimpleObject)]
#[serde(rename_all(deserialize = "camelCase"))]
pub struct DigitalChalkUser {
    /// DigitalChalk's id of the user.
    #[serde(deserialize_with = "decode::id")]
    id: String,
    /// The given name.
    #[serde(default, deserialize_with = "decode::text")]
    first_name: Option<String>,
    /// The family name.
    #[serde(default, deserialize_with = "decode::text")]
    last_name: Option<String>,
    /// The login name, where the organisation uses them; then addresses need not be unique.
    #[serde(default, deserialize_with = "decode::text")]
    username: Option<String>,
    /// The email address.
    #[serde(default, deserialize_with = "decode::text")]
    email: Option<String>,
    /// The language, as ISO 639-1 has it.
    #[serde(default, deserialize_with = "decode::text")]
    locale: Option<String>,
    /// Labels; seen with an administrator's token only.
    #[serde(default, deserialize_with = "decode::texts")]
    tags: Option<Vec<String>>,
    /// When the user was made.
    #[serde(default, deserialize_with = "decode::moment")]
    created_date: Option<Timestamp>,
    /// When the user last logged in; null when never.
    #[serde(default, deserialize_with = "decode::moment")]
    last_login_date: Option<Timestamp>,
}

#[derive(Deserialize)]
struct DigitalChalkList {
    #[serde(deserialize_with = "decode::rows")]
    results: Vec<Arc<RawValue>>,
    #[serde(default, deserialize_with = "decode::link")]
    next: Option<String>,
}

impl ProviderRecord for DigitalChalkUser {}

fn user(account: Account, raw: Arc<RawValue>) -> Result<User> {
    let record: DigitalChalkUser = decode::read(&raw)?;
    let name = match (&record.first_name, &record.last_name) {
        (Some(first), Some(last)) => Some(format!("{first} {last}")),
        (name, None) | (None, name) => name.clone(),
    };
    let email = decode::address(record.email, &raw, &["email"]);
    Ok(User {
        is_email_unreadable: email.is_err(),
        email: email.unwrap_or_default(),
        name,
        first_name: record.first_name,
        last_name: record.last_name,
        username: record.username,
        locale: record.locale,
        tags: RecordPart::Here(record.tags.unwrap_or_default()),
        created_at: record.created_date,
        last_seen_at: record.last_login_date,
        attributes: RecordPart::Apart,
        ..User::new(account, record.id, raw)
    })
}

fn user_in(reply: &Response) -> Result<User> {
    user(reply.account, reply.json::<Box<RawValue>>()?.into())
}

impl DigitalChalk {
    /// The adapter on a connection.
    ///
    /// # Errors
    /// `Invalid` when an option is wrong.
    pub fn connect(connection: &ConnectContext) -> Result<Self> {
        let options: DigitalChalkOptions = connection.options()?;
        bounded("search_pages", u64::from(options.search_pages), 10_000)?;
        Ok(Self {
            http: connection.http.clone(),
            options,
            domains: DomainSizes::default(),
        })
    }

    /// `…/rest-api-v5/users/get-users` and `…/limit-and-offset`
    async fn page(
        &self,
        scope: &RequestContext,
        operation: Operation,
        ask: &PageRequest,
        filter: &Filter,
    ) -> Result<Page> {
        let email = filter
            .email
            .as_ref()
            .map(|email| ("email", email.given().to_owned()));
        let call = Request::get(operation, &["users"])
            .query(email)
            .query(ask.params())
            .page(&ask.place)
            .no_older_than(ask.since);
        let reply = self.http.send(scope, call).await?;
        let list: DigitalChalkList = reply.object()?;
        if list
            .next
            .as_ref()
            .is_some_and(|next| next.trim().is_empty())
        {
            return Err(Error::malformed(
                "the provider's link to the next page is empty",
            ));
        }
        let sent = list.results.len();
        let users = rows::users(scope, reply.account, list.results, user);
        if filter.email.is_some() {
            rows::note_unreadable_emails(scope, &users);
        }
        let next = NextPage::More(list.next.is_some());
        Ok(Page::new(users, next).of(sent).kept_since(reply.cached_at))
    }

    async fn get(
        &self,
        scope: &RequestContext,
        operation: Operation,
        id: &str,
    ) -> Result<Option<User>> {
        let call = Request::get(operation, &["users", id]);
        let Some(reply) = self.http.find(scope, call).await? else {
            return Ok(None);
        };
        asked_for(user_in(&reply)?, |user| user.remote_id == id).map(Some)
    }
}

#[async_trait]
impl Connector for DigitalChalk {
    fn profile(&self) -> &Profile {
        &PROFILE
    }

    async fn list(
        &self,
        scope: &RequestContext,
        ask: &PageRequest,
        selection: &Selection,
    ) -> Result<Page> {
        self.page(scope, Operation::List, ask, &selection.filter)
            .await
    }

    /// `…/rest-api-v5/users/get-users-id`
    async fn by_id(&self, scope: &RequestContext, ids: &[String], _: Expand) -> Lookups {
        each(ids, |id| self.get(scope, Operation::ById, id)).await
    }

    /// `…/rest-api-v5/users/get-users-filter-email`: a substring search, read to its end.
    async fn by_email(
        &self,
        scope: &RequestContext,
        emails: &[Email],
        _: Expand,
    ) -> Result<SearchResult> {
        let limits = ScanLimits {
            pages: self.options.search_pages,
            until: scope.deadline(),
        };
        let spellings: Vec<Email> = emails.iter().flat_map(Email::forms).collect();
        let searches = spellings.iter().map(|email| async move {
            let filter = &Filter::email(email);
            let walk = rows::scan(
                scope,
                &LISTING,
                limits,
                |user| filter.accepts(user, PROFILE.rechecks),
                |ask| async move { self.page(scope, Operation::ByEmail, &ask, filter).await },
            );
            (email.clone(), walk.await)
        });
        SearchResult::of(
            without_invalid_spellings(emails, join_all(searches).await),
            "DigitalChalk's answer, which holds near misses too,",
            "search_pages",
        )
    }

    /// Addresses of one domain are searched for by what they share, where that is less than a search for
    /// each (`…/rest-api-v5/users/get-users-filter-email` searches for `@domain` in its example).
    async fn search(
        &self,
        scope: &RequestContext,
        emails: &[Email],
        expand: Expand,
    ) -> Vec<SearchBatch> {
        let mut groups: BTreeMap<&str, Vec<Email>> = BTreeMap::new();
        for email in emails {
            // A domain that texts spell in several ways is shared by nobody.
            let is_plain = email.has_ascii_domain();
            let domain = Some(email.domain()).filter(|_| is_plain);
            let group = groups.entry(domain.unwrap_or_default());
            group.or_default().push(email.clone());
        }
        let groups = groups
            .into_iter()
            .map(|(domain, emails)| self.of_domain(scope, domain, emails, expand));
        join_all(groups).await.into_iter().flatten().collect()
    }

    /// `…/rest-api-v5/users/post-users`: 201 without a body; `Location` names the user.
    async fn create(&self, scope: &RequestContext, draft: &UserPatch) -> Result<ConnectorWrite> {
        let call = Request::post(Operation::Create, &["users"], body(draft));
        let reply = self.http.send(scope, call).await;
        let reply = reply.map_err(|error| taken_as_username(error, draft))?;
        let location = reply.headers.get(LOCATION);
        let location = location.and_then(|location| location.to_str().ok());
        match location.and_then(id_in) {
            Some(id) => Ok(self.finish_created(scope, &id, draft).await),
            None if reply.status != StatusCode::CREATED => Err(Error::malformed(
                "the provider did not say that the user was created",
            )),
            None => Ok(ConnectorWrite {
                user: None,
                outcome: Some(WriteOutcome::Created),
                remarks: vec![Error::malformed(
                    "the user was created, but the provider did not say where: look it up by email",
                )],
            }),
        }
    }

    /// `…/rest-api-v5/users/put-users-basic`: changes what it names, 204 without a body.
    async fn update(
        &self,
        scope: &RequestContext,
        user: &User,
        draft: &UserPatch,
    ) -> Result<Option<ConnectorWrite>> {
        let id = user.remote_id.as_str();
        let call = Request::put(Operation::Update, &["users", id], body(draft));
        match self.http.find(scope, call).await? {
            Some(_) => Ok(Some(self.finish_updated(scope, id, draft).await)),
            None => Ok(None),
        }
    }

    /// `…/rest-api-v5/userfieldvalues`: an object by the ids of the fields; `{}` when none is set.
    async fn part(
        &self,
        scope: &RequestContext,
        id: &str,
        part: Subresource,
    ) -> Result<Option<SubresourceData>> {
        if part != Subresource::Attributes {
            return Err(unsupported("answer this part of a user"));
        }
        let call = Request::get(Operation::Attributes, &["users", id, "userfieldvalues"]);
        let reply = self.http.find(scope, call).await?;
        let values = reply
            .map(|reply| reply.json::<Box<RawValue>>())
            .transpose()?;
        Ok(values.map(|values| SubresourceData::Attributes(values.into())))
    }
}

impl DigitalChalk {
    /// The addresses of one domain: by one search when the domain is small enough, else one by one.
    async fn of_domain(
        &self,
        scope: &RequestContext,
        domain: &str,
        emails: Vec<Email>,
        expand: Expand,
    ) -> Vec<SearchBatch> {
        let mut before = scope.fresh();
        if let Some(pages) = self.domains.worth(domain, emails.len()) {
            let shared = scope.fresh();
            let limits = ScanLimits {
                pages: pages.min(self.options.search_pages),
                until: scope.deadline(),
            };
            let filter = &Filter::email(&Email::fragment(&format!("@{domain}")));
            let scope = &shared;
            let found = rows::scan(
                scope,
                &LISTING,
                limits,
                |user| has_one_of(user, &emails),
                |ask| async move { self.page(scope, Operation::ByEmail, &ask, filter).await },
            );
            let found = found.await;
            self.domains.learn(domain, &found);
            let is_given_up = match &found.cut {
                Some(Truncation::Limit { pages }) => *pages >= limits.pages,
                Some(Truncation::Failed(error)) => error.kind() == ErrorKind::Rejected,
                Some(Truncation::Late { .. }) | None => false,
            };
            if !is_given_up {
                let found = SearchResult::of(
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
            let scope = scope.following(before);
            let found = self
                .by_email(&scope, std::slice::from_ref(&email), expand)
                .await;
            SearchBatch {
                emails: vec![email],
                found,
                work: scope,
            }
        });
        join_all(alone).await
    }

    /// What follows a create, once the record that the provider named is seen to be the new one.
    async fn finish_created(
        &self,
        scope: &RequestContext,
        id: &str,
        draft: &UserPatch,
    ) -> ConnectorWrite {
        let user = self.get(scope, Operation::ById, id).await;
        let is_other = |user: &Option<User>| user.as_ref().is_some_and(|user| !draft.means(user));
        if user.as_ref().is_ok_and(is_other) {
            let message =
                "the user was created, but the provider named another one: look it up by email";
            return ConnectorWrite {
                user: None,
                outcome: Some(WriteOutcome::Created),
                remarks: vec![Error::malformed(message)],
            };
        }
        let refused = self.write_attributes(scope, id, draft).await;
        done(user, refused, WriteOutcome::Created)
    }

    /// What follows an update: its custom fields, then the record as it is.
    async fn finish_updated(
        &self,
        scope: &RequestContext,
        id: &str,
        draft: &UserPatch,
    ) -> ConnectorWrite {
        let refused = self.write_attributes(scope, id, draft).await;
        let user = self.get(scope, Operation::ById, id).await;
        done(user, refused, WriteOutcome::Updated)
    }

    async fn write_attributes(
        &self,
        scope: &RequestContext,
        id: &str,
        draft: &UserPatch,
    ) -> Result<()> {
        if draft.attributes.is_empty() {
            return Ok(());
        }
        let values = Value::Object(draft.attributes.clone());
        let call = Request::put(
            Operation::Attributes,
            &["users", id, "userfieldvalues"],
            values,
        );
        self.http.send(scope, call).await.map(|_| ())
    }
}

/// A write that is done: what failed after it is a remark on it.
fn done(
    user: Result<Option<User>>,
    attributes: Result<()>,
    outcome: WriteOutcome,
) -> ConnectorWrite {
    let refused = attributes.err();
    let refused =
        refused.map(|error| remark(&error, Some("attributes"), "its custom fields were not"));
    let (user, unread) = match user {
        Ok(user) => (user, None),
        Err(error) => (
            None,
            Some(remark(&error, None, "it could not be read afterwards")),
        ),
    };
    ConnectorWrite {
        user,
        outcome: Some(outcome),
        remarks: refused.into_iter().chain(unread).collect(),
    }
}

/// Where no login name is given it is the address: that it is taken says that the user exists.
fn taken_as_username(error: Error, draft: &UserPatch) -> Error {
    let is_username = |reason: &Reason| reason.field.as_deref() == Some("username");
    let is_taken = |reason: &Reason| is_username(reason) && says_taken(&reason.message);
    let is_given = draft.username.is_change();
    if is_given || error.kind() != ErrorKind::Rejected || !error.why().iter().any(is_taken) {
        return error;
    }
    Error::new(ErrorKind::Conflict, error.message()).reasons(error.why().to_vec())
}

/// The id of a user in the link to it: the segment after `users`, and nothing else of the link.
fn id_in(location: &str) -> Option<String> {
    let path = location.split(['?', '#']).next().unwrap_or_default();
    let (before, id) = path.trim_end_matches('/').rsplit_once('/')?;
    let id = percent_decode_str(id).decode_utf8().ok()?;
    let is_segment = !matches!(&*id, "" | "." | "..") && !id.contains(['/', '\\']);
    let is_user = before.rsplit('/').next() == Some("users");
    (is_user && is_segment && text::is_id(&id)).then(|| id.into_owned())
}

fn has_one_of(user: &User, emails: &[Email]) -> bool {
    let spelling = user.email.as_deref().map(fold);
    spelling.is_some_and(|spelling| emails.iter().any(|email| email.folded() == spelling))
}

fn remark(error: &Error, field: Option<&str>, what: &str) -> Error {
    let why = match (error.kind(), error.why()) {
        (ErrorKind::Rejected | ErrorKind::Conflict, [reason, ..]) => &reason.message,
        _ => error.message(),
    };
    let message = format!("the user was written, but {what}: {why}");
    let reason = Reason {
        field: field.map(str::to_owned),
        message: message.clone(),
    };
    Error::new(error.kind(), message)
        .retry_after(error.wait())
        .reasons(vec![reason])
}

/// Only what changes: whether a `null` clears a field or is refused is not documented.
fn body(draft: &UserPatch) -> Value {
    let fields = [
        ("email", draft.email.json()),
        ("firstName", draft.first_name.json()),
        ("lastName", draft.last_name.json()),
        ("username", draft.username.json()),
        ("locale", draft.locale.json()),
        ("tags", draft.tags.json()),
    ];
    let fields: Map<String, Value> = fields
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect();
    Value::Object(fields)
}

/// DigitalChalk's errors: `errors` and `fieldErrors` when a value is refused, `error_description` when
/// the token is, `message` elsewhere; there is no code.
fn explain(status: StatusCode, _: &HeaderMap, body: &[u8]) -> ErrorDetails {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct DigitalChalkErrorBody {
        #[serde(default, deserialize_with = "decode::texts")]
        errors: Option<Vec<String>>,
        #[serde(default)]
        field_errors: Option<Map<String, Value>>,
        #[serde(default, deserialize_with = "decode::text")]
        message: Option<String>,
    }
    let is_foreign = status == StatusCode::NOT_FOUND && !is_own_404(body);
    let body: DigitalChalkErrorBody = serde_json::from_slice(body).unwrap_or_default();
    let whole = body.errors.into_iter().flatten().chain(body.message);
    let whole = whole.map(|message| Reason {
        field: None,
        message,
    });
    let fields = body
        .field_errors
        .into_iter()
        .flatten()
        .filter_map(|(field, message)| {
            Some(Reason {
                field: Some(field),
                message: message.as_str()?.to_owned(),
            })
        });
    let reasons: Vec<_> = whole.chain(fields).collect();
    let is_refused = matches!(status.as_u16(), 400 | 422) && reasons.iter().any(is_taken);
    ErrorDetails {
        kind: is_foreign
            .then_some(ErrorKind::Malformed)
            .or(is_refused.then_some(ErrorKind::Conflict)),
        reasons,
        ..ErrorDetails::default()
    }
}

/// Whether a 404 says that there is no such user: it has no body, or errors. A page is what the server
/// answers where `base_url` is wrong, too.
fn is_own_404(body: &[u8]) -> bool {
    let keys = ["errors", "fieldErrors", "error", "message"];
    let members = serde_json::from_slice::<&RawValue>(body)
        .ok()
        .and_then(decode::members);
    let has_error =
        members.is_some_and(|members| keys.iter().any(|key| members.contains_key(*key)));
    has_error || body.iter().all(u8::is_ascii_whitespace)
}

/// Whether a reason says that another user has the address. There is no code: its words alone tell.
fn is_taken(reason: &Reason) -> bool {
    let is_of_email = match &reason.field {
        Some(field) => field == "email",
        None => reason.message.to_lowercase().contains("email"),
    };
    is_of_email && says_taken(&reason.message)
}

/// Whether a message says that another user has a value.
fn says_taken(message: &str) -> bool {
    const WORDS: [&str; 5] = ["already", "in use", "exist", "taken", "duplicate"];
    let message = message.to_lowercase();
    WORDS.iter().any(|word| message.contains(word))
}
