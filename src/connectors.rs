//! A connector supplies a provider's capabilities and limits, one page, one batch, one write, and
//! the decoding of its JSON to a [`User`]. It knows nothing of retries, limits, caches, cursors or
//! GraphQL. The table of the providers is in [`crate::account`].

pub mod ada;
mod capabilities;
pub mod decode;
pub mod digital_chalk;
pub mod filter;
pub mod int;
pub mod intercom;
pub mod json;
pub mod rows;
pub mod scim;
mod search;
mod spec;
mod subresource;
pub mod usertour;

use std::collections::HashMap;

use async_trait::async_trait;
use futures_util::future::join_all;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

pub use crate::client::admission::QuotaWindow;
pub use capabilities::{BatchSize, ConnectorCapabilities, EmailSearch, Expand, ListQuery, SINGLE};
pub use filter::{Filter, FilterField, SortDirection, SortField, TimeRange};
pub use search::{Incomplete, SearchBatch, SearchResult, without_invalid_spellings};
pub use spec::{ConnectContext, ConnectorSpec, RecordKeys, check_range};
pub use subresource::{Subresource, SubresourceData, SubresourceLoader};

use crate::{
    account::{Account, Provider, for_each_provider},
    context::RequestContext,
    error::{Error, ErrorKind, Result},
    pagination::{Page, PageRequest},
    user::{Email, User, UserPatch, WriteOutcome},
};

/// One provider's API in Roster's words. A method is called only where the [`ConnectorCapabilities`] declares it.
#[async_trait]
pub trait Connector: Send + Sync {
    /// The provider's capabilities.
    fn capabilities(&self) -> &ConnectorCapabilities;

    /// One page of the list. Connectors never filter rows here: their number tells where the list
    /// ends.
    async fn list(
        &self,
        context: &RequestContext,
        request: &PageRequest,
        selection: &ListQuery,
    ) -> Result<Page<User>>;

    /// The segment, the tag and the company of a filter that the provider does not have. The
    /// directory calls it where a list is empty and `list` has not said why.
    async fn unknown_filter_values(
        &self,
        _: &RequestContext,
        _: &Filter,
    ) -> Result<Vec<FilterField>> {
        Ok(Vec::new())
    }

    /// Users by the provider's own ids.
    async fn by_id(
        &self,
        context: &RequestContext,
        ids: &[String],
        expand: Expand,
    ) -> LookupResults;

    /// Users by the ids that your systems gave.
    async fn by_external_id(&self, _: &RequestContext, ids: &[String], _: Expand) -> LookupResults {
        fail_all(ids, &unsupported_error("find users by external id"))
    }

    /// The spellings of an address that the list is asked for, one by one.
    fn spellings(&self, email: &Email) -> Vec<Email> {
        match self.capabilities().email_search {
            EmailSearch::ByCase => email.spellings(),
            EmailSearch::Exact | EmailSearch::Scan => email.forms(),
        }
    }

    /// Whether the list of an address is joined from the lists of its spellings. Where letter case
    /// is compared it always is, so that a cursor is valid whatever the spelling of the next
    /// request.
    fn lists_by_spelling(&self, email: &Email) -> bool {
        let is_by_case = self.capabilities().email_search == EmailSearch::ByCase;
        is_by_case || self.spellings(email).len() > 1
    }

    /// Users by address, in one search; several may share an address. The caller drops users that
    /// do not match.
    async fn by_email(
        &self,
        context: &RequestContext,
        emails: &[Email],
        expand: Expand,
    ) -> Result<SearchResult>;

    /// Users by address, in as many searches as it takes: one, unless the connector knows better.
    async fn search(
        &self,
        context: &RequestContext,
        emails: &[Email],
        expand: Expand,
    ) -> Vec<SearchBatch> {
        let context = context.with_new_usage();
        let found = self.by_email(&context, emails, expand).await;
        vec![SearchBatch {
            emails: emails.to_vec(),
            found,
            work: context,
        }]
    }

    /// A part of a user that takes further calls, by the provider's id; `None` when there is no
    /// such user.
    async fn subresource(
        &self,
        _: &RequestContext,
        _: &str,
        _: Subresource,
    ) -> Result<Option<SubresourceData>> {
        Err(unsupported_error(
            "answer a part of a user apart from the user",
        ))
    }

    /// Refuses, before any call, what the provider would ignore or refuse without a useful reason.
    ///
    /// # Errors
    /// `Rejected` with the field at fault.
    fn check(&self, _: &UserPatch) -> Result<()> {
        Ok(())
    }

    /// Finds or creates a user in one call, which may be repeated.
    async fn upsert(&self, _: &RequestContext, _: &UserPatch) -> Result<ConnectorWrite> {
        Err(unsupported_error("create or update in one call"))
    }

    /// Creates a user. The call is never repeated.
    async fn create(&self, _: &RequestContext, _: &UserPatch) -> Result<ConnectorWrite> {
        Err(unsupported_error("create users"))
    }

    /// Changes a user, given as it was just read; `None` when there is none with its remote id.
    async fn update(
        &self,
        _: &RequestContext,
        _: &User,
        _: &UserPatch,
    ) -> Result<Option<ConnectorWrite>> {
        Err(unsupported_error("change users"))
    }
}

/// The results of lookups by key: `None`, or no entry, where there is no such user. A key that
/// fails does not fail the others.
pub type LookupResults = HashMap<String, Result<Option<User>>>;

/// Looks up each key with a call, for a provider that answers one key a call.
pub async fn look_up_each<'a, R>(keys: &'a [String], find: impl Fn(&'a str) -> R) -> LookupResults
where
    R: Future<Output = Result<Option<User>>>,
{
    let answers = keys.iter().map(|key| {
        let answer = find(key);
        async move { (key.clone(), answer.await) }
    });
    join_all(answers).await.into_iter().collect()
}

/// Checks that a record is the one we asked for. After one response too many on a connection, each
/// response belongs to another request.
///
/// # Errors
/// `Malformed` when it is another one.
pub fn check_identity(user: User, is_it: impl FnOnce(&User) -> bool) -> Result<User> {
    if is_it(&user) {
        return Ok(user);
    }
    Err(Error::malformed(
        "the provider answered another user than the one that was asked for",
    ))
}

/// The same failure for every key.
#[must_use]
pub fn fail_all(keys: &[String], error: &Error) -> LookupResults {
    let answers = keys.iter().map(|key| (key.clone(), Err(error.clone())));
    answers.collect()
}

fn unsupported_error(what: &str) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        format!("this provider cannot {what}"),
    )
}

/// The result of a write.
#[derive(Clone, Debug)]
pub struct ConnectorWrite {
    /// The record as it is now; `None` when it was written and could not be read afterwards.
    pub user: Option<User>,
    /// The outcome; `None` when the provider's answers do not tell.
    pub outcome: Option<WriteOutcome>,
    /// The parts that failed, though the rest was done.
    pub warnings: Vec<Error>,
}

impl ConnectorWrite {
    /// A write of which the provider took everything.
    #[must_use]
    pub fn complete(user: User, outcome: WriteOutcome) -> Self {
        Self {
            user: Some(user),
            outcome: Some(outcome),
            warnings: Vec::new(),
        }
    }
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
        /// How to reach a provider.
        #[must_use]
        pub fn connector_spec(provider: Provider) -> ConnectorSpec {
            match provider {
                $(Provider::$provider => $module::SPEC,)+
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
