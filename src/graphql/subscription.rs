//! The fields of `Subscription`: answers that come in parts.

use std::sync::Arc;

use async_graphql::{ComplexObject, Context, SimpleObject, Subscription as SubscriptionObject};
use futures_util::{FutureExt, Stream, stream::FuturesUnordered};
use tokio::task::JoinError;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use super::{
    Graph, error::to_graphql_error, outcomes::RequestOutcomes, person::search_account,
    row::MeteredObject, source::SourceReport, sources_last::SourcesLast, subresources::sources,
    user::expand_at,
};
use crate::{
    account::{Account, Provider},
    directory::{EmailSearchResult, Report},
    error::Error,
    loaders::Loaders,
    user::{Email, User},
};

/// The operations whose answer comes in several events.
pub struct Subscription;

/// The answer of one account to a search by email.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct UsersByEmailEvent {
    /// The users of the account with the address.
    users: Vec<MeteredObject<Arc<User>>>,
    #[graphql(skip)]
    report: Report,
}

#[ComplexObject]
impl UsersByEmailEvent {
    /// The report of the account on this event, the fields of its users included: how far it can be
    /// trusted.
    async fn source(&self, ctx: &Context<'_>) -> async_graphql::Result<SourceReport> {
        let source = sources(ctx, [self.report.clone()]).pop();
        source.ok_or_else(|| async_graphql::Error::new("the source has no report"))
    }
}

/// Answers that come in parts: over a WebSocket, or as server-sent events.
#[SubscriptionObject]
impl Subscription {
    /// The users with an email address: one event as each account answers, the fastest first. It ends when
    /// all have answered. An account that fails sends an event, too: its `source` says so.
    async fn users_by_email(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The address; letter case and surrounding space do not matter.")]
        email: String,
        #[graphql(desc = "The providers to ask; all of them where none are named.")]
        providers: Option<Vec<Provider>>,
        #[graphql(
            desc = "The accounts to ask, by name; all of them where none are named. With `providers`, those that both name."
        )]
        accounts: Option<Vec<String>>,
    ) -> async_graphql::Result<impl Stream<Item = SourcesLast<UsersByEmailEvent>> + use<>> {
        let email = Email::parse(&email).map_err(|error| to_graphql_error(&error))?;
        let accounts = Graph::from_context(ctx)
            .accounts
            .resolve_many(providers.as_deref(), accounts.as_deref())
            .map_err(|error| to_graphql_error(&error))?;
        let expand = expand_at(ctx, &[&["users"]]);
        let loaders = ctx.data_unchecked::<Arc<Loaders>>();
        let outcomes = ctx.data_unchecked::<Arc<RequestOutcomes>>();
        let searches = accounts.into_iter().map(|account| {
            let (loaders, outcomes) = (Arc::clone(loaders), Arc::clone(outcomes));
            let email = email.clone();
            // A task of its own: nobody polls this stream while the fields of an event are resolved.
            let search =
                async move { search_account(&loaders, &outcomes, account, &email, expand).await };
            let search = AbortOnDropHandle::new(tokio::spawn(search.in_current_span()));
            search.map(move |found| event(account, found))
        });
        Ok(searches.collect::<FuturesUnordered<_>>())
    }
}

/// The event of an account.
fn event(
    account: Account,
    found: Result<EmailSearchResult, JoinError>,
) -> SourcesLast<UsersByEmailEvent> {
    let found = found.unwrap_or_else(|failure| {
        tracing::error!(%failure, "a search ended early");
        let error = Error::internal("a search failed inside the gateway");
        EmailSearchResult::nobody(Report::failed(account, error, 0))
    });
    SourcesLast(UsersByEmailEvent {
        users: found.users.into_iter().map(MeteredObject).collect(),
        report: found.report,
    })
}
