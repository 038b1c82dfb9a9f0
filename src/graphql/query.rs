//! The fields of `Query`.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use futures_util::future::join_all;

use super::{
    Accounts, Graph,
    connection::{ConnectionArguments, UserConnection, count},
    cursor::{self, GlobalId},
    error::{NullableResult, nullable, nullable_option, to_graphql_error},
    filter::{EmailMatch, UserFilter, UserKey},
    outcomes::RequestOutcomes,
    person::{Person, search},
    row::MeteredObject,
    source::{ProviderAccount, accounts},
    sources_last::SourcesLast,
    user::{Node, NodeObject, expand, expand_at},
};
use crate::{
    account::{Account, Provider, shown_name},
    connectors::{Expand, ListQuery},
    context::RequestContext,
    directory::{EmailSearchResult, Report},
    error::{Error, Result},
    loaders::Loaders,
    user::{
        Email, User,
        email::pattern::{EmailPattern, PatternPosition},
        text,
    },
};

/// The term of a search.
enum SearchTerm {
    Exact(Email),
    Part(EmailPattern),
}

/// The fields at which a query starts.
#[derive(Default)]
pub struct Query;

/// The people in the SaaS tools of a company.
#[Object(name = "Query")]
impl Query {
    /// The users with an email address, of every provider at once. A provider that fails does not fail
    /// the query: `sources` tells how far the answer can be trusted.
    #[expect(clippy::too_many_arguments, reason = "they are the field's")]
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
        #[graphql(
            name = "match",
            desc = "How the email is compared.",
            default_with = "EmailMatch::Exact"
        )]
        matching: EmailMatch,
        #[graphql(
            desc = "How many users; at most what the gateway allows, 500 unless configured."
        )]
        first: Option<i32>,
        #[graphql(desc = "A cursor of the same search: the page starts behind it.")] after: Option<
            String,
        >,
    ) -> NullableResult<SourcesLast<UserConnection>> {
        let graph = Graph::from_context(ctx);
        let expand = expand_at(ctx, &[&["nodes"], &["edges", "node"]]);
        let find = async {
            let first = first.map_or(Ok(graph.limits.page), |first| {
                count("first", first, &graph.limits)
            })?;
            let accounts = graph
                .accounts
                .resolve_many(providers.as_deref(), accounts.as_deref())?;
            let wanted = match matching {
                EmailMatch::Exact => SearchTerm::Exact(Email::parse(&email)?),
                EmailMatch::Prefix => {
                    SearchTerm::Part(EmailPattern::parse(&email, PatternPosition::Start)?)
                }
                EmailMatch::Substring => {
                    SearchTerm::Part(EmailPattern::parse(&email, PatternPosition::Anywhere)?)
                }
            };
            let text = match &wanted {
                SearchTerm::Exact(email) => email.folded().to_owned(),
                SearchTerm::Part(part) => part.folded(),
            };
            let key = (&text, matching, &accounts);
            let after = after
                .filter(|after| !after.is_empty())
                .map(|after| {
                    let (account, id) = cursor::decode_record(&key, &after)?;
                    Ok((account_named(ctx, &account)?, id))
                })
                .transpose()?;
            let searches = match &wanted {
                _ if first == 0 => not_asked(&graph.accounts, &accounts)?,
                SearchTerm::Exact(email) => search(ctx, email, &accounts, expand).await,
                SearchTerm::Part(part) => search_by_pattern(ctx, part, &accounts, expand).await?,
            };
            Ok(UserConnection::from_searches(
                &key,
                searches,
                first as usize,
                after.as_ref(),
            ))
        };
        nullable(find.await.map(SourcesLast))
    }

    /// The users of one account, in its provider's own order, in pages.
    #[expect(clippy::too_many_arguments, reason = "they are the field's")]
    async fn users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The provider.")] provider: Provider,
        #[graphql(desc = "The name of the account, where the provider has several.")]
        account: Option<String>,
        #[graphql(
            desc = "How many users from the start: 20 unless given; at most what the gateway allows, 500 unless configured."
        )]
        first: Option<i32>,
        #[graphql(desc = "A cursor: the page starts behind it.")] after: Option<String>,
        #[graphql(
            desc = "How many users from the end; only where the provider counts or numbers its users."
        )]
        last: Option<i32>,
        #[graphql(
            desc = "A cursor: the page ends before it; only where the provider counts or numbers its users."
        )]
        before: Option<String>,
        #[graphql(desc = "Which users, in which order.")] filter: Option<UserFilter>,
    ) -> NullableResult<SourcesLast<UserConnection>> {
        let graph = Graph::from_context(ctx);
        let expand = expand_at(ctx, &[&["nodes"], &["edges", "node"]]);
        let list = async {
            let account = graph.accounts.resolve_one(provider, account.as_deref())?;
            let filter = filter.unwrap_or_default().parse()?;
            let slice = ConnectionArguments {
                first,
                after,
                last,
                before,
            };
            let span = slice.list_range(account, &filter, &graph.limits)?;
            let selection = ListQuery { filter, expand };
            let directory = graph.accounts.directory(account)?;
            let listed = directory
                .list(ctx.data_unchecked::<RequestContext>(), &selection, &span)
                .await?;
            RequestOutcomes::note_source_of_field(ctx, &listed.report);
            Ok(UserConnection::from_list(
                account,
                &selection.filter,
                listed,
            ))
        };
        nullable(list.await.map(SourcesLast))
    }

    /// One user of one account; null when there is none.
    async fn user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The provider.")] provider: Provider,
        #[graphql(desc = "The name of the account, where the provider has several.")]
        account: Option<String>,
        #[graphql(desc = "What names the user.")] by: UserKey,
    ) -> NullableResult<MeteredObject<Arc<User>>> {
        let loaders = ctx.data_unchecked::<Arc<Loaders>>();
        let expand = expand_at(ctx, &[&[]]);
        let find = async {
            let accounts = &Graph::from_context(ctx).accounts;
            let account = accounts.resolve_one(provider, account.as_deref())?;
            match by {
                UserKey::RemoteId(id) => {
                    let id = text::id("remoteId", id)?;
                    loaders.by_id(account, id, expand).await
                }
                UserKey::ExternalId(id) => {
                    let id = text::id("externalId", id)?;
                    loaders.by_external_id(account, id, expand).await
                }
            }
        };
        nullable_option(find.await.map(|user| user.map(MeteredObject)))
    }

    /// Everybody that the providers know by an email address, as one person. Null when every provider
    /// has searched as it can (`accounts { capabilities { emailCaveat } }`) and found nobody; when one
    /// could not, there is a person without users, whose `sources` tell.
    async fn person(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The address; letter case and surrounding space do not matter.")]
        email: String,
    ) -> NullableResult<SourcesLast<Person>> {
        let known = async { Ok(Person::known(ctx, Email::parse(&email)?).await) }.await;
        nullable_option(known.map(|person| person.map(SourcesLast)))
    }

    /// The thing with a global id; null when there is none.
    async fn node(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "A global id.")] id: ID,
    ) -> NullableResult<NodeObject> {
        nullable_option(node(ctx, &id, expand_at(ctx, &[&[]])).await)
    }

    /// The things with these global ids, in their order; null for each that does not exist.
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Global ids: at most 500.")] ids: Vec<ID>,
    ) -> async_graphql::Result<Vec<NullableResult<NodeObject>>> {
        let most = Graph::from_context(ctx).limits.keys;
        if ids.len() > most {
            let message = format!(
                "`ids` holds {}: at most {most} are looked up at a time",
                ids.len()
            );
            return Err(to_graphql_error(&Error::invalid(message)));
        }
        let expand = expand(&ctx.look_ahead());
        Ok(join_all(
            ids.iter()
                .map(|id| async move { nullable_option(node(ctx, id, expand).await) }),
        )
        .await)
    }

    /// Every account of this gateway: whether it is asked, how it fares, what its provider can do.
    async fn accounts<'ctx>(&self, ctx: &Context<'ctx>) -> Vec<ProviderAccount<'ctx>> {
        accounts(ctx)
    }

    #[graphql(entity)]
    async fn user_entity(
        &self,
        ctx: &Context<'_>,
        id: ID,
    ) -> async_graphql::Result<Option<MeteredObject<Arc<User>>>> {
        let find = async {
            let (account, remote_id) = cursor::decode_user_id(&id)?;
            let account = account_named(ctx, &account)?;
            let loaders = ctx.data_unchecked::<Arc<Loaders>>();
            loaders
                .by_id(account, remote_id, expand_at(ctx, &[&[]]))
                .await
        };
        let found = find.await.map_err(|error| to_graphql_error(&error));
        Ok(found?.map(MeteredObject))
    }

    #[graphql(entity)]
    async fn user_entity_of_account(
        &self,
        ctx: &Context<'_>,
        account: String,
        remote_id: ID,
    ) -> async_graphql::Result<Option<MeteredObject<Arc<User>>>> {
        let find = async {
            let account = account_named(ctx, &account)?;
            let id = text::id("remoteId", remote_id)?;
            let loaders = ctx.data_unchecked::<Arc<Loaders>>();
            loaders.by_id(account, id, expand_at(ctx, &[&[]])).await
        };
        let found = find.await.map_err(|error| to_graphql_error(&error));
        Ok(found?.map(MeteredObject))
    }

    #[graphql(entity)]
    async fn user_entity_by_external_id(
        &self,
        ctx: &Context<'_>,
        account: String,
        external_id: ID,
    ) -> async_graphql::Result<Option<MeteredObject<Arc<User>>>> {
        let find = async {
            let account = account_named(ctx, &account)?;
            let id = text::id("externalId", external_id)?;
            let loaders = ctx.data_unchecked::<Arc<Loaders>>();
            let expand = expand_at(ctx, &[&[]]);
            loaders.by_external_id(account, id, expand).await
        };
        let found = find.await.map_err(|error| to_graphql_error(&error));
        Ok(found?.map(MeteredObject))
    }

    #[graphql(entity)]
    async fn person_entity(
        &self,
        ctx: &Context<'_>,
        email: String,
    ) -> async_graphql::Result<SourcesLast<Person>> {
        let email = Email::parse(&email).map_err(|error| to_graphql_error(&error))?;
        let person = Person::new(email, expand_at(ctx, &[&["users"]]));
        Ok(SourcesLast(person))
    }

    #[graphql(entity)]
    async fn person_entity_by_id(
        &self,
        ctx: &Context<'_>,
        id: ID,
    ) -> async_graphql::Result<SourcesLast<Person>> {
        let email = cursor::decode_person_id(&id).map_err(|error| to_graphql_error(&error))?;
        let person = Person::new(email, expand_at(ctx, &[&["users"]]));
        Ok(SourcesLast(person))
    }
}

async fn node(ctx: &Context<'_>, id: &str, expand: Expand) -> Result<Option<NodeObject>> {
    let node = match GlobalId::parse(id)? {
        GlobalId::User(account, remote_id) => {
            let account = account_named(ctx, &account)?;
            let loaders = ctx.data_unchecked::<Arc<Loaders>>();
            let user = loaders.by_id(account, remote_id, expand).await?;
            user.map(Node::User)
        }
        GlobalId::Person(email) => Person::known(ctx, email).await.map(Node::Person),
    };
    Ok(node.map(NodeObject))
}

/// The account of a name in an id, a cursor or a representation.
fn account_named(ctx: &Context<'_>, name: &str) -> Result<Account> {
    let accounts = &Graph::from_context(ctx).accounts;
    accounts.named(name).ok_or_else(|| {
        Error::invalid(format!(
            "{} is no account of this gateway: was it renamed?",
            shown_name(name)
        ))
    })
}

/// The result of a search for no rows: no account is asked, so nothing is known.
fn not_asked(all: &Accounts, accounts: &[Account]) -> Result<Vec<EmailSearchResult>> {
    let results = accounts.iter().map(|&account| {
        let is_enabled = all.directory(account)?.capabilities().is_some();
        let report = match is_enabled {
            true => Report::no_rows_asked(account),
            false => Report::disabled(account),
        };
        Ok(EmailSearchResult {
            users: Vec::new(),
            report,
        })
    });
    results.collect()
}

async fn search_by_pattern(
    ctx: &Context<'_>,
    part: &EmailPattern,
    accounts: &[Account],
    expand: Expand,
) -> Result<Vec<EmailSearchResult>> {
    let graph = Graph::from_context(ctx);
    let context = ctx.data_unchecked::<RequestContext>();
    let ask = |&account: &Account| async move {
        let directory = graph.accounts.directory(account)?;
        let nobody = |report| EmailSearchResult {
            users: Vec::new(),
            report,
        };
        if directory.capabilities().is_none() {
            return Ok(nobody(Report::disabled(account)));
        }
        let found = directory
            .containing(context, part, graph.limits.page, expand)
            .await;
        let notice = "this provider finds whole addresses only";
        let found = found.unwrap_or_else(|| nobody(Report::skipped(account, notice)));
        RequestOutcomes::note_source_of_field(ctx, &found.report);
        Ok(found)
    };
    join_all(accounts.iter().map(ask))
        .await
        .into_iter()
        .collect()
}
