//! `Person`: the records that share one email over all providers.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use futures_util::future::join_all;
use jiff::Timestamp;

use super::{
    Graph, cursor,
    error::{NullableResult, nullable},
    outcomes::RequestOutcomes,
    row::MeteredObject,
    source::SourceReport,
    subresources::sources,
    user::expand_at,
};
use crate::{
    account::Account,
    connectors::Expand,
    context::RequestContext,
    directory::{EmailSearchResult, Report, SourceStatus},
    loaders::Loaders,
    user::{Email, User, UserKind},
};

/// Asks providers for the users of an address, side by side, through the request's loaders.
pub async fn search(
    ctx: &Context<'_>,
    email: &Email,
    accounts: &[Account],
    expand: Expand,
) -> Vec<EmailSearchResult> {
    let loaders = ctx.data_unchecked::<Arc<Loaders>>();
    let outcomes = ctx.data_unchecked::<Arc<RequestOutcomes>>();
    let searches = accounts
        .iter()
        .map(|&account| search_account(loaders, outcomes, account, email, expand));
    join_all(searches).await
}

/// The users of an address at one account, and a note of what the account did.
pub(super) async fn search_account(
    loaders: &Loaders,
    outcomes: &RequestOutcomes,
    account: Account,
    email: &Email,
    expand: Expand,
) -> EmailSearchResult {
    let found = loaders.by_email(account, email.clone(), expand).await;
    // A fault of the gateway at one account leaves the answers of the others alone.
    let found = found.unwrap_or_else(|error| EmailSearchResult {
        users: Vec::new(),
        report: Report::failed(account, error, 0),
    });
    outcomes.note(email.folded(), &found.report);
    found
}

/// A person: everybody that the providers know by one email address.
pub struct Person {
    email: Email,
    expand: Expand,
}

impl Person {
    /// The person of an address. Nothing is asked until a field is read.
    pub fn new(email: Email, expand: Expand) -> Self {
        Self { email, expand }
    }

    /// The person of an address, unless every provider has searched as it can and found nobody.
    pub async fn known(ctx: &Context<'_>, email: Email) -> Option<Self> {
        let person = Self::new(email, expand_at(ctx, &[&["users"]]));
        let is_unknown = person.searches(ctx).await.iter().all(|search| {
            let is_off = search.report.status == SourceStatus::Disabled;
            search.users.is_empty() && (search.report.is_whole || is_off)
        });
        (!is_unknown).then_some(person)
    }

    async fn searches(&self, ctx: &Context<'_>) -> Vec<EmailSearchResult> {
        let accounts = Graph::from_context(ctx).accounts.configured().iter();
        let accounts: Vec<_> = accounts.map(|directory| directory.account()).collect();
        search(ctx, &self.email, &accounts, self.expand).await
    }

    async fn records(&self, ctx: &Context<'_>) -> Vec<Arc<User>> {
        let searches = self.searches(ctx).await.into_iter();
        searches.flat_map(|search| search.users).collect()
    }

    /// The value of the best record: users come before leads, then the latest change.
    async fn best<T>(&self, ctx: &Context<'_>, field: impl Fn(&User) -> Option<T>) -> Option<T> {
        let records = self.records(ctx).await;
        let valued = records.iter().filter_map(|user| Some((user, field(user)?)));
        let best = valued.max_by_key(|(user, _)| {
            let moment = user.updated_at.or(user.last_seen_at).or(user.created_at);
            (user.kind == UserKind::User, moment)
        });
        best.map(|(_, value)| value)
    }
}

/// A text of a record, charged to the request: each alias of a field copies it once more.
fn charged(ctx: &Context<'_>, text: String) -> NullableResult<String> {
    let meter = ctx.data_unchecked::<RequestContext>().meter();
    nullable(meter.charge(text.len()).map(|()| text))
}

/// A person: everybody that the providers know by one email address.
#[Object]
impl Person {
    /// The global id: opaque, stable, accepted by `node` and `nodes`.
    pub async fn id(&self) -> ID {
        cursor::encode_person_id(&self.email).into()
    }

    /// The email address, trimmed and in lower case.
    async fn email(&self) -> &str {
        self.email.folded()
    }

    /// The records with this address, in the order of providers; leads are marked by `kind`.
    async fn users(&self, ctx: &Context<'_>) -> Vec<MeteredObject<Arc<User>>> {
        self.records(ctx)
            .await
            .into_iter()
            .map(MeteredObject)
            .collect()
    }

    /// The whole name: of the record that changed or was seen last, users before leads.
    async fn name(&self, ctx: &Context<'_>) -> NullableResult<String> {
        charged(ctx, self.best(ctx, |user| user.name.clone()).await?)
    }

    /// The address of a picture: of the record that changed or was seen last, users before leads.
    async fn avatar_url(&self, ctx: &Context<'_>) -> NullableResult<String> {
        charged(ctx, self.best(ctx, |user| user.avatar_url.clone()).await?)
    }

    /// When the first of the records was made.
    async fn first_seen_at(&self, ctx: &Context<'_>) -> Option<Timestamp> {
        self.records(ctx)
            .await
            .iter()
            .filter_map(|user| user.created_at)
            .min()
    }

    /// When the person was last seen by any provider.
    async fn last_seen_at(&self, ctx: &Context<'_>) -> Option<Timestamp> {
        self.records(ctx)
            .await
            .iter()
            .filter_map(|user| user.last_seen_at)
            .max()
    }

    /// The reports of all accounts on this answer, the fields of its rows included. An empty `users` means
    /// that nobody has this address only when no source failed or was cut short.
    async fn sources(&self, ctx: &Context<'_>) -> Vec<SourceReport> {
        let searches = self.searches(ctx).await.into_iter();
        sources(ctx, searches.map(|search| search.report))
    }
}
