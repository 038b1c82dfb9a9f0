//! What a provider supplies: what it can do and within which limits, how one page, one batch and one
//! write are spoken, and how its JSON becomes a [`User`]. Nothing on retries, limits, caches, cursors
//! or GraphQL. The table of the providers is in [`crate::account`].

pub mod ada;
pub mod decode;
pub mod digital_chalk;
pub mod filter;
pub mod int;
pub mod intercom;
pub mod json;
pub mod rows;
pub mod usertour;

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_graphql::Context;
use async_trait::async_trait;
use futures_util::future::join_all;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

pub use crate::client::budget::QuotaWindow;
pub use filter::{Filter, FilterField, SortDirection, SortField, TimeRange};

use crate::{
    account::{Account, Provider, for_each_provider},
    client::{Client, RequestContext, transport::ReadErrorFn},
    error::{Error, ErrorKind, Reason, Result},
    notice::{Notice, NoticeCode},
    pagination::{Listing, Page, PageRequest, Scan, Truncation},
    recent_writes::RecentWrites,
    user::{Company, Email, Identity, Label, PatchField, User, UserPatch, WriteOutcome},
};

/// One provider's API in Roster's words. A method is called only where the [`Profile`] declares it.
#[async_trait]
pub trait Connector: Send + Sync {
    /// What the provider can do.
    fn profile(&self) -> &Profile;

    /// One page of the list. Rows are never filtered here: page ends are told by their number.
    async fn list(
        &self,
        scope: &RequestContext,
        ask: &PageRequest,
        selection: &Selection,
    ) -> Result<Page>;

    /// Which of the segment, the tag and the company of a filter the provider does not have. It is asked
    /// where a list is empty, and where `list` has not said so itself.
    async fn unknown(&self, _: &RequestContext, _: &Filter) -> Result<Vec<FilterField>> {
        Ok(Vec::new())
    }

    /// Users by the provider's own ids.
    async fn by_id(&self, scope: &RequestContext, ids: &[String], expand: Expand) -> Lookups;

    /// Users by the ids that your systems gave.
    async fn by_external_id(&self, _: &RequestContext, ids: &[String], _: Expand) -> Lookups {
        refused(ids, &unsupported("find users by external id"))
    }

    /// The spellings of an address that the list is asked for, one by one.
    fn spellings(&self, email: &Email) -> Vec<Email> {
        match self.profile().email_search {
            EmailSearch::ByCase => email.spellings(),
            EmailSearch::Exact | EmailSearch::Scan => email.forms(),
        }
    }

    /// Users by address, in one search; several may share an address. Who does not match is left out by
    /// the caller.
    async fn by_email(
        &self,
        scope: &RequestContext,
        emails: &[Email],
        expand: Expand,
    ) -> Result<SearchResult>;

    /// Users by address, in as many searches as it takes: one, unless the provider knows better.
    async fn search(
        &self,
        scope: &RequestContext,
        emails: &[Email],
        expand: Expand,
    ) -> Vec<SearchBatch> {
        let scope = scope.fresh();
        let found = self.by_email(&scope, emails, expand).await;
        vec![SearchBatch {
            emails: emails.to_vec(),
            found,
            work: scope,
        }]
    }

    /// A part of the user of a provider's id that takes calls of its own; `None` when there is no such
    /// user.
    async fn part(
        &self,
        _: &RequestContext,
        _: &str,
        _: Subresource,
    ) -> Result<Option<SubresourceData>> {
        Err(unsupported("answer a part of a user apart from the user"))
    }

    /// Checks what the provider would refuse in few words, or leave undone in none, before any call.
    ///
    /// # Errors
    /// `Rejected` with the field at fault.
    fn check(&self, _: &UserPatch) -> Result<()> {
        Ok(())
    }

    /// Finds or creates in one call of the provider's own, which may be repeated.
    async fn upsert(&self, _: &RequestContext, _: &UserPatch) -> Result<ConnectorWrite> {
        Err(unsupported("create or update in one call"))
    }

    /// Creates a user. It is sent once only.
    async fn create(&self, _: &RequestContext, _: &UserPatch) -> Result<ConnectorWrite> {
        Err(unsupported("create users"))
    }

    /// Changes a user, who is given as he was read just now; `None` when there is none of his remote id.
    async fn update(
        &self,
        _: &RequestContext,
        _: &User,
        _: &UserPatch,
    ) -> Result<Option<ConnectorWrite>> {
        Err(unsupported("change users"))
    }
}

/// What lookups by key found: `None` where there is no such user. A key that is not in it has none
/// either; one that fails does not fail the others.
pub type Lookups = HashMap<String, Result<Option<User>>>;

/// Looks keys up one by one, for a provider that answers one key a call.
pub async fn each<'a, R>(keys: &'a [String], find: impl Fn(&'a str) -> R) -> Lookups
where
    R: Future<Output = Result<Option<User>>>,
{
    let answers = keys.iter().map(|key| {
        let answer = find(key);
        async move { (key.clone(), answer.await) }
    });
    join_all(answers).await.into_iter().collect()
}

/// The record that was asked for, and no other: after one answer too many on a connection, each answer is
/// that to another question.
///
/// # Errors
/// `Malformed` when it is another one.
pub fn asked_for(user: User, is_it: impl FnOnce(&User) -> bool) -> Result<User> {
    if is_it(&user) {
        return Ok(user);
    }
    Err(Error::malformed(
        "the provider answered another user than the one that was asked for",
    ))
}

/// The same failure for every key.
#[must_use]
pub fn refused(keys: &[String], error: &Error) -> Lookups {
    let answers = keys.iter().map(|key| (key.clone(), Err(error.clone())));
    answers.collect()
}

/// A part of a user that some providers answer by calls of its own.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Subresource {
    /// Custom fields.
    Attributes,
    /// Companies.
    Companies,
    /// Segments.
    Segments,
    /// Labels.
    Tags,
}

impl Subresource {
    /// The field that it is.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Attributes => "attributes",
            Self::Companies => "companies",
            Self::Segments => "segments",
            Self::Tags => "tags",
        }
    }
}

/// What such a part holds.
#[derive(Clone, Debug)]
pub enum SubresourceData {
    /// Custom fields: a JSON object.
    Attributes(Arc<RawValue>),
    /// Companies.
    Companies(Vec<Company>),
    /// Labels or segments.
    Labels(Vec<Label>),
}

impl SubresourceData {
    /// Custom fields.
    #[must_use]
    pub fn attributes(&self) -> Option<&Arc<RawValue>> {
        match self {
            Self::Attributes(object) => Some(object),
            Self::Companies(_) | Self::Labels(_) => None,
        }
    }

    /// Companies.
    #[must_use]
    pub fn companies(&self) -> Option<&[Company]> {
        match self {
            Self::Companies(companies) => Some(companies),
            Self::Attributes(_) | Self::Labels(_) => None,
        }
    }

    /// Labels or segments.
    #[must_use]
    pub fn labels(&self) -> Option<&[Label]> {
        match self {
            Self::Labels(labels) => Some(labels),
            Self::Attributes(_) | Self::Companies(_) => None,
        }
    }
}

/// Where the typed records of this module get the parts that are kept apart from them: in the data of
/// a GraphQL request.
#[async_trait]
pub trait SubresourceLoader: Send + Sync {
    /// A part of the user of a remote id, for the field that is resolved; the error is fit for the
    /// client. A part that fails may be `None` here, and told of elsewhere in the answer.
    async fn part(
        &self,
        ctx: &Context<'_>,
        account: Account,
        id: &str,
        part: Subresource,
    ) -> async_graphql::Result<Option<Arc<SubresourceData>>>;
}

fn unsupported(what: &str) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        format!("this provider cannot {what}"),
    )
}

/// What a provider can do, and within which limits. What is `None` or absent it cannot do.
#[derive(Clone, Debug)]
pub struct Profile {
    /// How users are listed.
    pub listing: Listing,
    /// By what the list can be narrowed.
    pub filters: &'static [FilterField],
    /// By which of these the provider narrows less than asked, so that its rows are looked at again.
    pub rechecks: &'static [FilterField],
    /// By what the list can be sorted.
    pub sorts: &'static [SortField],
    /// How many remote ids one call answers.
    pub by_id: BatchSize,
    /// How many external ids one call answers.
    pub by_external_id: Option<BatchSize>,
    /// How many addresses are handed to the provider at a time.
    pub by_email: BatchSize,
    /// Whether the list's email filter finds parts of addresses too.
    pub finds_substrings: bool,
    /// How users are found by address.
    pub email_search: EmailSearch,
    /// Whom a search by address may miss, for the client; `None` when nobody.
    pub email_caveat: Option<&'static str>,
    /// Whether a search by address may miss users, and not only leads: then nobody is created because it
    /// found nobody.
    pub email_misses_users: bool,
    /// Whom a list of a segment may hold or lack, for the client; `None` when it is exact.
    pub segment_caveat: Option<&'static str>,
    /// By what the provider itself finds or creates a record in one repeatable call.
    pub upserts: &'static [Identity],
    /// Whether its answer to that says what it did; else the record is looked for before.
    pub upsert_tells_outcome: bool,
    /// Which fields can be written.
    pub writes: &'static [PatchField],
    /// Whether leads can be written as users are.
    pub writes_leads: bool,
    /// By what users are found as they were a while ago: who is to be written is looked at again.
    pub lags: &'static [Identity],
}

/// How many keys one call answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BatchSize {
    /// The bound.
    pub max: usize,
}

/// A batch of one: the provider answers one key a call.
pub const SINGLE: BatchSize = BatchSize { max: 1 };

/// How a provider finds users by address.
#[derive(async_graphql::Enum, Clone, Copy, Debug, Eq, PartialEq)]
pub enum EmailSearch {
    /// Every spelling is found, as far as the provider's documents tell.
    Exact,
    /// The provider compares letter case: other spellings than those asked for may be missed.
    ByCase,
    /// The provider has no such search: its list is read, within bounds.
    Scan,
}

/// Parts of a user that cost the provider more, so that they are asked for only when they are read.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Expand {
    /// The user's companies.
    pub companies: bool,
    /// The user's memberships in companies.
    pub memberships: bool,
}

impl Expand {
    /// What either wants.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            companies: self.companies || other.companies,
            memberships: self.memberships || other.memberships,
        }
    }
}

/// What a list is asked for.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Which users.
    pub filter: Filter,
    /// How much of each.
    pub expand: Expand,
}

/// The answer of a search by address.
#[derive(Clone, Debug, Default)]
pub struct SearchResult {
    /// The users that may match.
    pub users: Vec<User>,
    /// What may be missing and why; `None` when nobody is.
    pub shortfall: Option<Incomplete>,
}

impl SearchResult {
    /// What walks through `list` found. One that failed is an error while nobody was found, and a
    /// shortfall otherwise; `bounds` names the options that limit a walk.
    ///
    /// # Errors
    /// The failure of a walk.
    pub fn of(walks: impl IntoIterator<Item = Scan>, list: &str, bounds: &str) -> Result<Self> {
        let mut found = Self::default();
        let mut failure = None;
        for walk in walks {
            if let Some(doubt) = walk.doubt {
                found.shortfall = Some(Incomplete {
                    notice: doubt.notice(),
                    error: None,
                });
            }
            for user in walk.users {
                if !found
                    .users
                    .iter()
                    .any(|known| known.remote_id == user.remote_id)
                {
                    found.users.push(user);
                }
            }
            match walk.cut {
                Some(Truncation::Failed(error)) => failure = Some(error),
                Some(Truncation::Late { pages }) => {
                    let notice = format!(
                        "{list} was not read to its end: the time was over; pages read: {pages}"
                    );
                    found.shortfall = Some(Incomplete {
                        notice: Notice::new(NoticeCode::DeadlineExceeded, notice),
                        error: Some(Error::late()),
                    });
                }
                Some(Truncation::Limit { pages }) => {
                    let notice = format!(
                        "{list} was not read to its end; pages read: {pages} (bounded by {bounds})"
                    );
                    found.shortfall = Some(Incomplete {
                        notice: Notice::new(NoticeCode::LimitReached, notice),
                        error: None,
                    });
                }
                None => {}
            }
        }
        match failure {
            Some(error) if found.users.is_empty() => return Err(error),
            Some(error) => {
                let notice = format!("{list} could not be read to its end");
                found.shortfall = Some(Incomplete {
                    notice: Notice::new(NoticeCode::PartialFailure, notice),
                    error: Some(error),
                });
            }
            None => {}
        }
        Ok(found)
    }
}

impl SearchResult {
    /// What several searches found together. It does not matter which of them failed: who was found is
    /// there, and whoever was not may have been missed.
    ///
    /// # Errors
    /// The first failure, when every search failed.
    pub fn joined(answers: impl IntoIterator<Item = Result<Self>>) -> Result<Self> {
        let mut all = None::<Self>;
        let mut failure = None;
        for answer in answers {
            match answer {
                Ok(other) => {
                    let all = all.get_or_insert_default();
                    all.users.extend(other.users);
                    all.shortfall = all.shortfall.take().or(other.shortfall);
                }
                Err(error) => {
                    failure.get_or_insert(error);
                }
            }
        }
        match (all, failure) {
            (None, Some(error)) => Err(error),
            (all, None) => Ok(all.unwrap_or_default()),
            (Some(all), Some(error)) => Ok(Self {
                shortfall: Some(Incomplete {
                    notice: Notice::new(
                        NoticeCode::PartialFailure,
                        "one of several searches failed",
                    ),
                    error: Some(error),
                }),
                ..all
            }),
        }
    }
}

/// Drops the searches for spellings that nobody can have: the provider's first answer calls the spelling
/// an invalid address. A spelling that a client gave is never dropped, and every other refusal is a
/// failure: somebody may have the address all the same.
#[must_use]
pub fn without_invalid_spellings(emails: &[Email], walks: Vec<(Email, Scan)>) -> Vec<Scan> {
    let is_given = |spelling: &Email| emails.iter().any(|email| email.is_given_as(spelling));
    let kept = walks
        .into_iter()
        .filter(|(spelling, walk)| is_given(spelling) || !is_of_invalid_spelling(walk));
    kept.map(|(_, walk)| walk).collect()
}

/// Whether the provider refused the first call of a walk because the address is not valid.
fn is_of_invalid_spelling(walk: &Scan) -> bool {
    match &walk.cut {
        Some(Truncation::Failed(error)) => walk.pages == 0 && is_about_invalid_email(error),
        Some(Truncation::Limit { .. } | Truncation::Late { .. }) | None => false,
    }
}

/// Whether a provider refused a call because of the email in it. No provider has a code for that.
fn is_about_invalid_email(error: &Error) -> bool {
    let is_validation =
        error.kind() == ErrorKind::Rejected && matches!(error.status(), Some(400 | 422));
    let is_about_email = |reason: &Reason| {
        let message = reason.message.to_lowercase();
        let names_email = reason.field.as_deref() == Some("email") || message.contains("email");
        names_email && (message.contains("valid") || message.contains("must be an email"))
    };
    is_validation && error.why().iter().any(is_about_email)
}

/// The answer to the addresses that one search was for.
#[derive(Clone, Debug)]
pub struct SearchBatch {
    /// The addresses.
    pub emails: Vec<Email>,
    /// What was found.
    pub found: Result<SearchResult>,
    /// The work that it took.
    pub work: RequestContext,
}

/// Why an answer may lack somebody.
#[derive(Clone, Debug)]
pub struct Incomplete {
    /// What may be missing, for the client.
    pub notice: Notice,
    /// What went wrong, if anything did.
    pub error: Option<Error>,
}

/// What a write did.
#[derive(Clone, Debug)]
pub struct ConnectorWrite {
    /// The record as it is now; `None` when it was written and could not be read afterwards.
    pub user: Option<User>,
    /// What happened to it; `None` when the provider's answers do not tell.
    pub outcome: Option<WriteOutcome>,
    /// What was not done, though the rest was.
    pub remarks: Vec<Error>,
}

impl ConnectorWrite {
    /// A write of which the provider took everything.
    #[must_use]
    pub fn whole(user: User, outcome: WriteOutcome) -> Self {
        Self {
            user: Some(user),
            outcome: Some(outcome),
            remarks: Vec::new(),
        }
    }
}

/// What an adapter is made from.
pub struct ConnectContext {
    /// The provider's API behind its layers.
    pub http: Client,
    /// The adapter's own options: the table `[accounts.NAME.options]`.
    pub options: toml::Table,
    /// Whether the account's token begins with a text. The token itself stays where it is.
    pub token_starts_with: Box<dyn Fn(&str) -> bool + Send + Sync>,
    /// The users that were written lately, for an adapter whose provider's search lags.
    pub recent: RecentWrites,
}

impl ConnectContext {
    /// The adapter's options, as its own type.
    ///
    /// # Errors
    /// `Invalid` with the option at fault.
    pub fn options<T: DeserializeOwned>(&self) -> Result<T> {
        let table = toml::Value::Table(self.options.clone());
        table
            .try_into()
            .map_err(|error: toml::de::Error| Error::invalid(error.message().to_owned()))
    }
}

/// Refuses a number in an adapter's options that cannot be meant.
///
/// # Errors
/// `Invalid` when it is nought or more than `most`.
pub fn bounded(name: &str, value: u64, most: u64) -> Result<()> {
    if (1..=most).contains(&value) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "`{name}` is {value}: expected 1 to {most}"
    )))
}

/// How a provider is reached: what is needed before there is an adapter, and the way to one.
#[derive(Clone, Copy)]
pub struct ConnectorSpec {
    /// The provider's production address; `None` where every customer has another.
    pub base_url: Option<&'static str>,
    /// The addresses of the provider's regions, by their names; none where it has no regions.
    pub regions: &'static [(&'static str, &'static str)],
    /// How the provider's error bodies are read.
    pub explain: ReadErrorFn,
    /// How many calls the provider gets at the same time, unless configured.
    pub concurrency: usize,
    /// How long one attempt may take, unless configured.
    pub timeout: Duration,
    /// How many calls the provider grants within which spans, unless configured.
    pub budget: &'static [QuotaWindow],
    /// Makes the adapter; `Invalid` when its options are wrong.
    pub connect: fn(ConnectContext) -> Result<Box<dyn Connector>>,
}

/// A provider's own record, typed: every field that the provider documents.
pub trait ProviderRecord: DeserializeOwned {
    /// Reads a record of an account as the provider sent it.
    ///
    /// # Errors
    /// `Malformed` when the record is not what the provider documents.
    fn read(_: Account, raw: &RawValue) -> Result<Self> {
        decode::read(raw)
    }
}

/// Makes what follows from the table of the providers.
macro_rules! provider_modules {
    ($(
        $what:literal $provider:ident, $name:literal, $title:literal, $module:ident, $record:ident,
        $which:literal;
    )+) => {
        /// How a provider is reached.
        #[must_use]
        pub fn door(provider: Provider) -> ConnectorSpec {
            match provider {
                $(Provider::$provider => $module::DOOR,)+
            }
        }

        /// Every documented field of a provider's own record, typed.
        #[derive(async_graphql::Union)]
        #[graphql(name = "UserDetails")]
        pub enum Details {
            $(
                #[doc = $which]
                $provider(Box<$module::$record>),
            )+
        }

        impl Details {
            /// Reads a record as its provider sent it.
            ///
            /// # Errors
            /// `Malformed` when the record is not what the provider documents.
            pub fn read(account: Account, raw: &RawValue) -> Result<Self> {
                Ok(match account.provider() {
                    $(Provider::$provider => {
                        let record = <$module::$record as ProviderRecord>::read(account, raw)?;
                        Self::$provider(Box::new(record))
                    })+
                })
            }
        }
    };
}

for_each_provider!(provider_modules);
