//! An account's users as callers see them. The directory refuses what the capabilities do not declare,
//! cuts keys into batches, checks every email filter again, and reports how far to trust an answer.

pub mod lease;
mod report;
mod search;
mod substring;
mod unknown;
mod write;

use std::sync::Arc;

use futures_util::{StreamExt, stream};

pub use report::{Report, SourceStatus};
pub use search::EmailSearchResult;
pub use write::{WriteContext, WriteError, WriteResult};

use crate::{
    account::{Account, Provider},
    client::{Client, admission::WindowStatus, breaker::CircuitState, observer::AccountHealth},
    connectors::{
        BatchSize, Connector, ConnectorCapabilities, Expand, Filter, ListQuery, LookupResults,
        Subresource, SubresourceData, rows,
    },
    context::RequestContext,
    error::{Error, ErrorKind, Result},
    metrics,
    notice::{Notice, NoticeCode},
    pagination::{IncompleteReason, ListRange, RowFilter, Window},
    user::User,
};

/// How many batches of one request are in flight at one provider; the account's limit is lower.
const BATCHES: usize = 64;

/// Part of a provider's list.
#[derive(Clone, Debug)]
pub struct ListedUsers {
    /// The rows.
    pub window: Window<User>,
    /// The report of the provider's work.
    pub report: Report,
}

/// A part of a user that takes further calls.
#[derive(Clone, Debug)]
pub struct SubresourceResult {
    /// The data; `None` where there is no such user.
    pub data: Result<Option<Arc<SubresourceData>>>,
    /// The work that it took.
    pub work: RequestContext,
}

/// The result of a lookup by key: `None` where there is no such user.
pub type FoundUser = Result<Option<Arc<User>>>;

/// A provider's users.
pub struct Directory {
    account: Account,
    connection: Option<ConnectedAccount>,
    is_configured: bool,
    write_context: WriteContext,
}

/// The client of an account and the connector over it.
pub struct ConnectedAccount {
    /// The client.
    pub client: Client,
    /// The connector.
    pub connector: Box<dyn Connector>,
}

impl Directory {
    /// The users of an account; without a connection it is disabled.
    #[must_use]
    pub fn new(
        account: Account,
        connection: Option<ConnectedAccount>,
        write_context: WriteContext,
    ) -> Self {
        let statuses = SourceStatus::ALL.map(SourceStatus::name);
        metrics::init_sources(account, statuses);
        Self {
            account,
            connection,
            is_configured: true,
            write_context,
        }
    }

    /// The directory of a provider without an account in the configuration: it makes no calls.
    #[must_use]
    pub fn unconfigured(provider: Provider, writing: WriteContext) -> Self {
        let account = Account::default_for(provider);
        Self {
            is_configured: false,
            ..Self::new(account, None, writing)
        }
    }

    /// The windows of the account's budget; none when it is disabled, or has no budget.
    #[must_use]
    pub fn budget(&self) -> Vec<WindowStatus> {
        self.client().map(Client::budget).unwrap_or_default()
    }

    /// The number of calls that may be in flight now, and of those that are; `None` when the account
    /// is disabled.
    #[must_use]
    pub fn concurrency(&self) -> Option<(u32, u32)> {
        self.client().map(Client::concurrency)
    }

    fn client(&self) -> Option<&Client> {
        Some(&self.connection.as_ref()?.client)
    }

    /// Reads the account's token again if it comes from a file.
    pub async fn reload_token(&self) {
        if let Some(client) = self.client() {
            client.reload_token().await;
        }
    }

    /// The account.
    #[must_use]
    pub fn account(&self) -> Account {
        self.account
    }

    /// The provider's capabilities; `None` when the account is disabled.
    #[must_use]
    pub fn capabilities(&self) -> Option<&ConnectorCapabilities> {
        self.connector().ok().map(Connector::capabilities)
    }

    /// The health of the account.
    #[must_use]
    pub fn health(&self) -> AccountHealth {
        self.client().map(Client::health).unwrap_or_default()
    }

    /// The state of the circuit; `None` when the account has no circuit breaker.
    #[must_use]
    pub fn circuit_state(&self) -> Option<CircuitState> {
        self.client().and_then(Client::circuit_state)
    }

    /// Names the account and the operation in an error, and logs answers that we cannot read: the
    /// HTTP client takes those for successes.
    fn note_result<T>(&self, result: Result<T>, operation: &'static str) -> Result<T> {
        let result = result.map_err(|error| error.with_operation(self.account, operation));
        if let Some(client) = self.client() {
            client.note_reading(operation, &result);
        }
        result
    }

    fn connector(&self) -> Result<&dyn Connector> {
        let connector = self.connection.as_ref();
        let connector = connector.map(|connection| &*connection.connector);
        connector.ok_or_else(|| {
            let (name, title) = (self.account.name(), self.account.title());
            let message = match self.is_configured {
                true => format!(
                    "{title} is disabled in this gateway's configuration (accounts.{name}.enabled)"
                ),
                false => format!("this gateway's configuration has no account of {title}"),
            };
            Error::new(ErrorKind::Disabled, message)
        })
    }

    /// One window of the list.
    ///
    /// # Errors
    /// `Disabled`, `Unsupported` for a filter, an order or a direction that the provider does not
    /// have, `Invalid` for a position of another list, and what the provider answers.
    pub async fn list(
        &self,
        context: &RequestContext,
        selection: &ListQuery,
        range: &ListRange,
    ) -> Result<ListedUsers> {
        let listed = self.read_list(context, selection, range).await;
        let listed = self.note_result(listed, "list");
        match &listed {
            Ok(listed) => listed.report.record_metric(),
            Err(error) => match error.kind() {
                // A mistake of the caller is no failure of the source.
                ErrorKind::Invalid | ErrorKind::Unsupported => {}
                ErrorKind::Disabled => Report::disabled(self.account).record_metric(),
                _ => Report::failed(self.account, error.clone(), 0).record_metric(),
            },
        }
        listed
    }

    async fn read_list(
        &self,
        context: &RequestContext,
        selection: &ListQuery,
        range: &ListRange,
    ) -> Result<ListedUsers> {
        let connector = self.connector()?;
        let capabilities = connector.capabilities();
        self.check(capabilities, &selection.filter)?;
        let context = &context.with_new_usage();
        let email = selection.filter.email.as_ref();
        if email.is_some_and(|email| connector.lists_by_spelling(email)) {
            return self
                .list_by_spelling(connector, context, selection, range)
                .await;
        }
        let fields = selection.filter.fields();
        let is_rechecked = fields
            .iter()
            .any(|field| capabilities.post_filtered.contains(field));
        let belongs = |user: &User| selection.filter.accepts(user, capabilities.post_filtered);
        let accept = (!fields.is_empty()).then_some(RowFilter {
            matches: &belongs,
            is_exact: !is_rechecked,
        });
        let window = rows::read_window(
            context,
            &capabilities.pagination,
            range,
            accept,
            |request| async move { connector.list(context, &request, selection).await },
        )
        .await?;
        let filter = &selection.filter;
        self.note_unknown(connector, context, filter, (range, &window))
            .await;
        let email_caveat = filter.email.as_ref().and(capabilities.email_caveat);
        let segment_caveat = filter.segment_id.as_ref().and(capabilities.segment_caveat);
        let caveats = email_caveat.into_iter().chain(segment_caveat);
        let incomplete = window.incomplete.map(IncompleteReason::notice::<User>);
        let truncation = window.is_truncated.then(|| {
            let max_rows = capabilities.pagination.max_rows.unwrap_or_default();
            let message = format!("this provider refuses to page past {max_rows} users: there are more, narrow the list with a filter");
            Notice::new(NoticeCode::LimitReached, message)
        });
        let report = Report::answered(self.account, window.failure.clone(), context.calls())
            .with_incomplete(truncation.into_iter().chain(incomplete))
            .with_caveat(caveats.map(search_notice));
        Ok(ListedUsers {
            window,
            report: report.with_work(context),
        })
    }

    fn check(&self, capabilities: &ConnectorCapabilities, filter: &Filter) -> Result<()> {
        let title = self.account.title();
        let refused = |what: &str, having: Vec<&str>| {
            let can = if having.is_empty() {
                "it has no choice there".to_owned()
            } else {
                format!("it can by {}", having.join(", "))
            };
            let message =
                format!("{title} cannot {what}; {can} (see `accounts {{ capabilities }}`)");
            Err(Error::new(ErrorKind::Unsupported, message))
        };
        if let Some(field) = filter
            .fields()
            .into_iter()
            .find(|field| !capabilities.filters.contains(field))
        {
            let having = capabilities
                .filters
                .iter()
                .map(|field| field.name())
                .collect();
            return refused(&format!("narrow its list by `{}`", field.name()), having);
        }
        match filter.sort {
            Some((field, _)) if !capabilities.sorts.contains(&field) => {
                let having = capabilities
                    .sorts
                    .iter()
                    .map(|field| field.name())
                    .collect();
                refused(&format!("sort its list by {}", field.name()), having)
            }
            _ => Ok(()),
        }
    }

    /// Users by the provider's own ids, a result for each of `ids` in their order. One failing batch
    /// fails its own keys only.
    pub async fn by_id(
        &self,
        context: &RequestContext,
        ids: Vec<String>,
        expand: Expand,
    ) -> Vec<FoundUser> {
        let connector = match self.connector() {
            Ok(connector) => connector,
            Err(error) => return self.fail_all(&ids, &error, "by_id"),
        };
        let size = connector.capabilities().by_id;
        in_batches(ids, size, |ids| async move {
            let results = connector.by_id(context, &ids, expand).await;
            self.results_in_order(&ids, results, "by_id")
        })
        .await
    }

    /// Users by the ids that your systems gave, a result for each of `ids` in their order. One
    /// failing batch fails its own keys only.
    pub async fn by_external_id(
        &self,
        context: &RequestContext,
        ids: Vec<String>,
        expand: Expand,
    ) -> Vec<FoundUser> {
        let title = self.account.title();
        let unsupported = || {
            let message =
                format!("{title} keeps no ids of yours: look users up by `remoteId` or by email");
            Error::new(ErrorKind::Unsupported, message)
        };
        let connector = self.connector().and_then(|connector| {
            let size = connector.capabilities().by_external_id;
            Ok((connector, size.ok_or_else(unsupported)?))
        });
        let (connector, size) = match connector {
            Ok(connector) => connector,
            Err(error) => return self.fail_all(&ids, &error, "by_external_id"),
        };
        in_batches(ids, size, |ids| async move {
            let results = connector.by_external_id(context, &ids, expand).await;
            self.results_in_order(&ids, results, "by_external_id")
        })
        .await
    }

    /// The result for each key, in the order of the keys.
    fn results_in_order(
        &self,
        keys: &[String],
        mut results: LookupResults,
        operation: &'static str,
    ) -> Vec<FoundUser> {
        let results = keys.iter().map(|key| {
            let result = results.remove(key).unwrap_or(Ok(None));
            let result = self.note_result(result, operation);
            result.map(|user| user.map(Arc::new))
        });
        results.collect()
    }

    /// The same failure for every key.
    fn fail_all(&self, keys: &[String], error: &Error, operation: &'static str) -> Vec<FoundUser> {
        let failure = self.note_result(Err(error.clone()), operation);
        vec![failure; keys.len()]
    }

    /// Parts of users that take further calls, by the provider's ids of the users: a result for each
    /// of `keys` in their order.
    pub async fn subresources(
        &self,
        context: &RequestContext,
        keys: Vec<(String, Subresource)>,
    ) -> Vec<SubresourceResult> {
        let results = keys.into_iter().map(|(id, part)| async move {
            let work = context.with_new_usage();
            self.subresource(work, &id, part).await
        });
        side_by_side(results).await
    }

    async fn subresource(
        &self,
        work: RequestContext,
        id: &str,
        part: Subresource,
    ) -> SubresourceResult {
        let data = match self.connector() {
            Ok(connector) => connector.subresource(&work, id, part).await,
            Err(error) => Err(error),
        };
        let data = self.note_result(data, "part");
        SubresourceResult {
            data: data.map(|data| data.map(Arc::new)),
            work,
        }
    }
}

/// The notice on users that a provider's search passes over.
fn search_notice(caveat: &str) -> Notice {
    Notice::new(NoticeCode::SearchIncomplete, caveat)
}

/// Cuts keys into batches and looks them up side by side: the results in the order of the batches.
async fn in_batches<K, V, R>(keys: Vec<K>, size: BatchSize, look_up: impl Fn(Vec<K>) -> R) -> Vec<V>
where
    K: Clone,
    R: Future<Output = Vec<V>>,
{
    let batches = keys.chunks(size.max.max(1)).map(<[K]>::to_vec);
    let results = side_by_side(batches.map(look_up)).await;
    results.into_iter().flatten().collect()
}

/// The results of some work in the order of the work. A slow one holds no other up.
async fn side_by_side<R: Future>(work: impl Iterator<Item = R>) -> Vec<R::Output> {
    let numbered = work
        .enumerate()
        .map(|(number, result)| async move { (number, result.await) });
    let numbered: Vec<_> = numbered.collect();
    let mut results: Vec<_> = stream::iter(numbered)
        .buffer_unordered(BATCHES)
        .collect()
        .await;
    results.sort_by_key(|(number, _)| *number);
    results.into_iter().map(|(_, result)| result).collect()
}
