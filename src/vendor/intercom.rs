//! Intercom: the Users API of versions 1.0 to 1.4.
//!
//! # API
//! `developers.intercom.com/docs/references/1.1/rest-api/users`. Contacts, of version 2.0 and later,
//! are another API and will be another module beside this one.
//!
//! # Credentials
//! An access token as a bearer token. The version is always sent: without it the answer's shape hangs
//! on a setting of the app that nobody here can see.
//!
//! # Paging
//! Numbered pages of at most 60, newest first, the total known. Past 10,000 rows the vendor refuses.
//! `pages.next` is an absolute URL and is not read.
//!
//! # Limits
//! Buckets of ten seconds, told by `X-RateLimit-*`; no `Retry-After`.
//!
//! # Quirks
//! Version 1.0 answers a lookup by address with one bare user, 404 or 409; 1.1 with a list that mixes
//! leads in; 1.2 and later with users only. An address is not unique. `created_since` counts days.
//! A lookup by the vendor's id does not find leads, which live at `/contacts`.

mod query;
mod record;

use std::{collections::HashSet, time::Duration};

use async_trait::async_trait;
use futures_util::future::join_all;
use jiff::Timestamp;
use reqwest::{
    StatusCode,
    header::{HeaderName, HeaderValue},
};
use serde::Deserialize;
use serde_json::{Map, Value, json, value::RawValue};

pub use record::{
    IntercomCompany, IntercomLocation, IntercomSegment, IntercomSocialProfile, IntercomTag,
    IntercomUser,
};

use super::{
    Connection, Door, EmailSearch, Expand, FilterField, Found, Profile, SINGLE, Selection,
    SortField, Upserted, Vendor, wire,
};
use crate::{
    error::{Error, Kind, Reason, Result},
    http::{Call, Http, Operation, Refusal, Reply, Scope},
    page::{Ask, Limits, Listing, Next, Page, Paging, walk},
    user::{
        Change, CompanyDraft, Draft, DraftField, Email, Identity, Outcome, Provider, User, UserKind,
    },
};

/// How Intercom is reached; accounts in Europe and Australia have hosts of their own.
pub const DOOR: Door = Door {
    base_url: Some("https://api.intercom.io"),
    explain,
    concurrency: 8,
    timeout: Duration::from_secs(5),
    connect: |connection| Ok(Box::new(Intercom::connect(&connection)?)),
};

const LISTING: Listing = Listing {
    paging: Paging::Page { first: 1 },
    at: "page",
    size: "per_page",
    min: 1,
    max: 60,
    reach: Some(10_000),
    is_counted: true,
};

const PROFILE: Profile = Profile {
    provider: Provider::Intercom,
    listing: LISTING,
    filters: &[
        FilterField::Email,
        FilterField::SegmentId,
        FilterField::CompanyId,
        FilterField::TagId,
        FilterField::CreatedSince,
    ],
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
    segment_caveat: None,
    upserts: &[Identity::ExternalId, Identity::Email],
    writes: &[
        DraftField::ExternalId,
        DraftField::Email,
        DraftField::Name,
        DraftField::Phone,
        DraftField::AvatarUrl,
        DraftField::Companies,
        DraftField::SignedUpAt,
        DraftField::UnsubscribedFromEmails,
        DraftField::Attributes,
    ],
};

/// What a search by address lacks since version 1.2.
const NO_LEADS: &str =
    "Intercom answers users only since version 1.2: leads with this address may be missing";

/// How many pages of 60 the users of one address are read through.
const SEARCH_PAGES: u32 = 10;

const VERSIONS: [&str; 5] = ["1.0", "1.1", "1.2", "1.3", "1.4"];

/// Options of this vendor.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Options {
    /// The API version that is asked for.
    version: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            version: "1.1".to_owned(),
        }
    }
}

/// The adapter.
pub struct Intercom {
    http: Http,
    version: HeaderValue,
    profile: Profile,
}

#[derive(Deserialize)]
struct List {
    #[serde(default, rename = "type", deserialize_with = "wire::text")]
    kind: Option<String>,
    #[serde(default)]
    users: Option<Vec<Box<RawValue>>>,
    #[serde(default, deserialize_with = "wire::integer")]
    total_count: Option<i64>,
    #[serde(default, deserialize_with = "wire::record")]
    pages: Option<Pages>,
}

#[derive(Deserialize)]
struct Pages {
    #[serde(default, deserialize_with = "wire::text")]
    next: Option<String>,
}

fn user_in(reply: &Reply) -> Result<User> {
    let raw: Box<RawValue> = reply.json()?;
    record::user(raw.into()).map_err(|error| refused_under_200(reply).unwrap_or(error))
}

/// An `error.list` under status 200, which the vendor's own SDK expects.
fn refused_under_200(reply: &Reply) -> Option<Error> {
    let refusal = explain(reply.status, &reply.body);
    let is_refusal = !refusal.reasons.is_empty();
    is_refusal.then(|| {
        Error::malformed("the vendor answered errors under status 200").reasons(refusal.reasons)
    })
}

/// A lookup answers a list, or in version 1.0 a bare user.
fn page_in(reply: &Reply) -> Result<Page> {
    let list: List = reply.object()?;
    match list.kind.as_deref() {
        Some("user" | "contact") => Ok(Page {
            users: vec![user_in(reply)?],
            next: Next::Total(1),
        }),
        Some("error.list") => Err(refused_under_200(reply)
            .unwrap_or_else(|| Error::malformed("the vendor answered an error under status 200"))),
        _ => {
            let next = match list.total_count.and_then(|total| u64::try_from(total).ok()) {
                Some(total) => Next::Total(total),
                None => Next::More(list.pages.is_some_and(|pages| pages.next.is_some())),
            };
            let Some(users) = list.users else {
                return Err(Error::malformed("the vendor answered a list without users"));
            };
            let users = users
                .into_iter()
                .map(|raw| record::user(raw.into()))
                .collect::<Result<_>>()?;
            Ok(Page { users, next })
        }
    }
}

impl Intercom {
    /// The adapter on a connection.
    ///
    /// # Errors
    /// `Invalid` when an option is wrong.
    pub fn connect(connection: &Connection) -> Result<Self> {
        let options: Options = connection.options()?;
        let version = VERSIONS
            .into_iter()
            .find(|version| *version == options.version)
            .ok_or_else(|| {
                let known = VERSIONS.join(", ");
                Error::invalid(format!(
                    "`version` is {:?}; expected one of {known}",
                    options.version
                ))
            })?;
        let email_caveat = (!matches!(version, "1.0" | "1.1")).then_some(NO_LEADS);
        Ok(Self {
            http: connection.http.clone(),
            version: HeaderValue::from_static(version),
            profile: Profile {
                email_caveat,
                ..PROFILE
            },
        })
    }

    fn versioned(&self, call: Call) -> Call {
        static VERSION: HeaderName = HeaderName::from_static("intercom-version");
        call.header(VERSION.clone(), self.version.clone())
    }

    async fn one(&self, scope: &Scope, call: Call) -> Result<Option<User>> {
        let reply = self.http.find(scope, self.versioned(call)).await?;
        reply.map(|reply| user_in(&reply)).transpose()
    }

    async fn page(&self, scope: &Scope, call: Call) -> Result<Page> {
        // An unknown company is 404. An address that nobody has is so in version 1.0, which has no
        // empty list; elsewhere it is the path that is not found.
        let may_be_missing = call.query.iter().any(|(name, _)| match *name {
            "company_id" => true,
            "email" => self.version == "1.0",
            _ => false,
        });
        match self.http.send(scope, self.versioned(call)).await {
            Ok(reply) => page_in(&reply),
            Err(error) if error.kind() == Kind::Missing && may_be_missing => Ok(Page {
                users: Vec::new(),
                next: Next::Total(0),
            }),
            Err(error) => Err(error),
        }
    }
}

#[async_trait]
impl Vendor for Intercom {
    fn profile(&self) -> &Profile {
        &self.profile
    }

    /// `…/1.1/rest-api/users/list-users`, `…/list-by-tag-segment-company`
    async fn list(&self, scope: &Scope, ask: &Ask, selection: &Selection) -> Result<Page> {
        let filter = &selection.filter;
        let path = if filter.company_id.is_some() {
            "companies"
        } else {
            "users"
        };
        let call = Call::get(Operation::List, &[path])
            .query(query::narrowed(filter)?)
            .query(ask.params());
        self.page(scope, call).await
    }

    /// `…/1.1/rest-api/users/view-a-user`; who is no user may be a lead.
    async fn by_id(&self, scope: &Scope, ids: &[String], _: Expand) -> Result<Vec<User>> {
        let mut users = Vec::new();
        for id in ids {
            let user = match self
                .one(scope, Call::get(Operation::ById, &["users", id]))
                .await?
            {
                Some(user) => Some(user),
                None => {
                    self.one(scope, Call::get(Operation::ById, &["contacts", id]))
                        .await?
                }
            };
            users.extend(user);
        }
        Ok(users)
    }

    async fn by_external_id(&self, scope: &Scope, ids: &[String], _: Expand) -> Result<Vec<User>> {
        let mut users = Vec::new();
        for id in ids {
            let call =
                Call::get(Operation::ByExternalId, &["users"]).query([("user_id", id.clone())]);
            users.extend(self.one(scope, call).await?);
        }
        Ok(users)
    }

    /// `…/1.1/rest-api/users/list-by-email-1`
    async fn by_email(&self, scope: &Scope, emails: &[Email], _: Expand) -> Result<Found> {
        let limits = Limits {
            pages: SEARCH_PAGES,
            until: scope.deadline(),
        };
        // Whether letter case counts here is not documented: both spellings are asked for.
        let spellings: HashSet<Email> = emails.iter().flat_map(Email::spellings).collect();
        let searches = spellings.iter().map(|email| {
            walk(
                &LISTING,
                limits,
                |_| true,
                move |ask| async move {
                    let call = Call::get(Operation::ByEmail, &["users"])
                        .query([("email", email.given().to_owned())])
                        .query(ask.params());
                    self.page(scope, call).await
                },
            )
        });
        Found::of(
            join_all(searches).await,
            "Intercom's answer",
            "at most 600 users are read",
        )
    }

    /// `…/1.1/rest-api/users/create-or-update-user`: 200 for both, so what it did is told by looking
    /// first.
    async fn upsert(&self, scope: &Scope, draft: &Draft) -> Result<Upserted> {
        let body = body(None, draft)?;
        let before = self.meant(scope, draft).await?;
        let is_change = draft.fields().len() > 1;
        if let ([user], false) = (before.as_slice(), is_change) {
            return Ok(Upserted::whole(user.clone(), Outcome::Matched));
        }
        let call = Call::post(Operation::Upsert, &["users"], body).repeatable(true);
        let user = user_in(&self.http.send(scope, self.versioned(call)).await?)?;
        let outcome = if before.is_empty() {
            Outcome::Created
        } else {
            Outcome::Updated
        };
        Ok(Upserted::whole(user, outcome))
    }

    async fn update(&self, scope: &Scope, id: &str, draft: &Draft) -> Result<Option<Upserted>> {
        let call =
            Call::post(Operation::Update, &["users"], body(Some(id), draft)?).repeatable(true);
        let user = self.one(scope, call).await?;
        Ok(user.map(|user| Upserted::whole(user, Outcome::Updated)))
    }
}

impl Intercom {
    /// The users whom a draft would change.
    async fn meant(&self, scope: &Scope, draft: &Draft) -> Result<Vec<User>> {
        let expand = Expand::default();
        if let Some(id) = draft.external_id.set() {
            return self
                .by_external_id(scope, std::slice::from_ref(id), expand)
                .await;
        }
        let emails: Vec<Email> = draft.email.set().cloned().into_iter().collect();
        let mut users = self.by_email(scope, &emails, expand).await?.users;
        users.retain(|user| {
            user.kind == UserKind::User
                && emails
                    .iter()
                    .any(|email| email.is(user.email.as_deref().unwrap_or_default()))
        });
        Ok(users)
    }
}

/// The identifier that comes first decides, and there is no falling through to the next: `id`, then
/// `user_id`, then `email`.
fn body(id: Option<&str>, draft: &Draft) -> Result<Value> {
    if draft
        .attributes
        .values()
        .any(|value| value.is_array() || value.is_object())
    {
        return Err(
            Error::new(Kind::Rejected, "Intercom's custom attributes are flat").reasons(vec![
                Reason {
                    field: Some("attributes".to_owned()),
                    message: "Intercom takes texts, numbers, truth values and nulls only"
                        .to_owned(),
                },
            ]),
        );
    }
    let avatar = draft.avatar_url.json();
    let fields = [
        ("id", id.map(Value::from)),
        ("user_id", draft.external_id.json()),
        ("email", draft.email.json()),
        ("name", draft.name.json()),
        ("phone", draft.phone.json()),
        (
            "avatar",
            avatar.map(|url| json!({ "type": "avatar", "image_url": url })),
        ),
        ("signed_up_at", seconds(&draft.signed_up_at)),
        (
            "unsubscribed_from_emails",
            draft.unsubscribed_from_emails.json(),
        ),
        ("companies", companies(&draft.companies)),
        ("custom_attributes", attributes(&draft.attributes)),
    ];
    let fields = fields
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Ok(Value::Object(fields.collect()))
}

fn attributes(attributes: &Map<String, Value>) -> Option<Value> {
    (!attributes.is_empty()).then(|| Value::Object(attributes.clone()))
}

fn seconds(moment: &Change<Timestamp>) -> Option<Value> {
    match moment {
        Change::Set(moment) => Some(moment.as_second().into()),
        Change::Clear => Some(Value::Null),
        Change::Keep => None,
    }
}

/// The companies to join, and with `remove` those to leave.
fn companies(companies: &[CompanyDraft]) -> Option<Value> {
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

/// Intercom's errors: an `error.list` with codes; old ones name the code `type`.
fn explain(_: StatusCode, body: &[u8]) -> Refusal {
    #[derive(Default, Deserialize)]
    struct Body {
        #[serde(default, deserialize_with = "wire::text")]
        request_id: Option<String>,
        #[serde(default, deserialize_with = "wire::records")]
        errors: Option<Vec<Item>>,
    }
    #[derive(Deserialize)]
    struct Item {
        #[serde(default, deserialize_with = "wire::text")]
        code: Option<String>,
        #[serde(default, rename = "type", deserialize_with = "wire::text")]
        kind: Option<String>,
        #[serde(default, deserialize_with = "wire::text")]
        message: Option<String>,
        #[serde(default, deserialize_with = "wire::text")]
        field: Option<String>,
    }
    let body: Body = serde_json::from_slice(body).unwrap_or_default();
    let errors = body.errors.unwrap_or_default().into_iter();
    let reasons = errors.filter_map(|item| {
        let message = item.message.or(item.code).or(item.kind)?;
        Some(Reason {
            field: item.field,
            message,
        })
    });
    Refusal {
        kind: None,
        reasons: reasons.collect(),
        request_id: body.request_id,
    }
}
