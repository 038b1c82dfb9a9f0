//! `Person`: the records that share one email over all providers.

use std::sync::Arc;

use async_graphql::{Context, Object};
use futures_util::future::try_join_all;
use jiff::Timestamp;

use super::{
    error::{Answer, answer, answer_option},
    source::SourceReport,
    user::expand_at,
};
use crate::{
    directory::{Search, SourceStatus},
    error::Result,
    loader::Loaders,
    user::{Email, Provider, User, UserKind},
    vendor::Expand,
};

/// Asks vendors for the users of an address, side by side, through the request's loaders.
pub async fn search(
    ctx: &Context<'_>,
    email: &Email,
    providers: &[Provider],
    expand: Expand,
) -> Result<Vec<Search>> {
    let loaders = ctx.data_unchecked::<Loaders>();
    try_join_all(
        providers
            .iter()
            .map(|&provider| loaders.by_email(provider, email.clone(), expand)),
    )
    .await
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

    /// The person of an address, unless every provider says that there is none.
    ///
    /// # Errors
    /// A fault of the gateway's own.
    pub async fn known(ctx: &Context<'_>, email: Email) -> Result<Option<Self>> {
        let person = Self::new(email, expand_at(ctx, &[&["users"]]));
        let searches = person.searches(ctx).await?;
        let is_unknown = searches.iter().all(|search| {
            let is_an_answer = matches!(
                search.report.status,
                SourceStatus::Complete | SourceStatus::Disabled
            );
            search.users.is_empty() && is_an_answer
        });
        Ok(if is_unknown { None } else { Some(person) })
    }

    async fn searches(&self, ctx: &Context<'_>) -> Result<Vec<Search>> {
        search(ctx, &self.email, &Provider::ALL, self.expand).await
    }

    async fn records(&self, ctx: &Context<'_>) -> Result<Vec<Arc<User>>> {
        Ok(self
            .searches(ctx)
            .await?
            .into_iter()
            .flat_map(|search| search.users)
            .collect())
    }

    /// What the record says that is most likely right: users before leads, then who changed last.
    async fn best<T>(
        &self,
        ctx: &Context<'_>,
        field: impl Fn(&User) -> Option<T>,
    ) -> Result<Option<T>> {
        let records = self.records(ctx).await?;
        let valued = records.iter().filter_map(|user| Some((user, field(user)?)));
        let best = valued.max_by_key(|(user, _)| {
            (
                user.kind == UserKind::User,
                user.updated_at.or(user.last_seen_at).or(user.created_at),
            )
        });
        Ok(best.map(|(_, value)| value))
    }
}

/// A person: everybody that the providers know by one email address.
#[Object]
impl Person {
    /// The email address, trimmed and in lower case.
    async fn email(&self) -> &str {
        self.email.folded()
    }

    /// The records with this address, in the order of providers; leads are marked by `kind`.
    async fn users(&self, ctx: &Context<'_>) -> Answer<Vec<Arc<User>>> {
        answer(self.records(ctx).await)
    }

    /// The whole name: of the record that changed last, users before leads.
    async fn name(&self, ctx: &Context<'_>) -> Answer<String> {
        answer_option(self.best(ctx, |user| user.name.clone()).await)
    }

    /// The address of a picture: of the record that changed last, users before leads.
    async fn avatar_url(&self, ctx: &Context<'_>) -> Answer<String> {
        answer_option(self.best(ctx, |user| user.avatar_url.clone()).await)
    }

    /// When the first of the records was made.
    async fn first_seen_at(&self, ctx: &Context<'_>) -> Answer<Timestamp> {
        let records = self.records(ctx).await;
        answer_option(
            records.map(|records| records.iter().filter_map(|user| user.created_at).min()),
        )
    }

    /// When the person was last seen by any provider.
    async fn last_seen_at(&self, ctx: &Context<'_>) -> Answer<Timestamp> {
        let records = self.records(ctx).await;
        answer_option(
            records.map(|records| records.iter().filter_map(|user| user.last_seen_at).max()),
        )
    }

    /// What each provider did for this answer. An empty `users` means that nobody has this address
    /// only when no source failed or was cut short.
    async fn sources(&self, ctx: &Context<'_>) -> Answer<Vec<SourceReport>> {
        let searches = self.searches(ctx).await;
        answer(searches.map(|searches| {
            searches
                .into_iter()
                .map(|search| SourceReport(search.report))
                .collect()
        }))
    }
}
