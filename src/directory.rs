//! An account's users as callers see them. The directory refuses what the capabilities do not declare,
//! cuts keys into batches, checks every email filter again, and reports how far to trust an answer.

pub mod lease;
mod report;
mod search;
mod substring;
mod unknown;
mod write;

use std::{collections::HashMap, hash::Hash, sync::Arc};

use futures_util::{StreamExt, stream};

pub use report::{Report, SourceStatus};
pub use search::EmailSearchResult;
pub use write::{WriteContext, WriteError, WriteResult};

use crate::{
    account::{Account, Provider},
    client::{
        AccountStatus,
        breaker::{CircuitBreaker, CircuitState},
        budget::{RateLimitLayer, WindowStatus},
        metrics_layer::{AccountHealth, health},
    },
    connectors::{
        BatchSize, Connector, ConnectorCapabilities, Expand, Filter, ListQuery, LookupResults,
        SINGLE, Subresource, SubresourceData, rows,
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

/// A provider's users.
pub struct Directory {
    account: Account,
    connector: Option<Box<dyn Connector>>,
    is_configured: bool,
    status: AccountStatus,
    write_context: WriteContext,
}

impl Directory {
    /// The users behind a connector; without one the account is disabled.
    #[must_use]
    pub fn new(
        account: Account,
        connector: Option<Box<dyn Connector>>,
        status: AccountStatus,
        write_context: WriteContext,
    ) -> Self {
        let statuses = SourceStatus::ALL.map(SourceStatus::name);
        metrics::init_sources(account, statuses);
        Self {
            account,
            connector,
            is_configured: true,
            status,
            write_context,
        }
    }

    /// The directory of a provider without an account in the configuration: it makes no calls.
    #[must_use]
    pub fn unconfigured(provider: Provider, writing: WriteContext) -> Self {
        let account = Account::default_for(provider);
        Self {
            is_configured: false,
            ..Self::new(account, None, AccountStatus::default(), writing)
        }
    }

    /// The windows of the account's budget; none when it is disabled, or has no budget.
    #[must_use]
    pub fn budget(&self) -> Vec<WindowStatus> {
        self.status
            .budget
            .as_ref()
            .map(RateLimitLayer::windows)
            .unwrap_or_default()
    }

    /// Reads the account's token again if it comes from a file.
    pub async fn reload_token(&self) {
        if let Some(credentials) = &self.status.credentials {
            credentials.reload().await;
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
        self.connector.as_deref().map(Connector::capabilities)
    }

    /// The health of the account.
    #[must_use]
    pub fn health(&self) -> AccountHealth {
        health(&self.status.health)
    }

    /// The state of the circuit; `None` when the account has no circuit breaker.
    #[must_use]
    pub fn circuit_state(&self) -> Option<CircuitState> {
        self.status
            .circuit_breaker
            .as_ref()
            .map(CircuitBreaker::state)
    }

    /// Names the account and the operation in an error, and logs answers that we cannot read: the
    /// HTTP client takes those for successes.
    fn note_result<T>(&self, result: Result<T>, operation: &'static str) -> Result<T> {
        let result = result.map_err(|error| error.with_operation(self.account, operation));
        match (&self.status.log, &result) {
            (Some(log), Err(error)) if error.kind() == ErrorKind::Malformed => {
                log.failed(error.operation().unwrap_or(operation), error);
            }
            (Some(log), Ok(_)) => log.readable(),
            _ => {}
        }
        result
    }

    fn connector(&self) -> Result<&dyn Connector> {
        self.connector.as_deref().ok_or_else(|| {
            let (name, title) = (self.account.name(), self.account.title());
            let message = match self.is_configured {
                true => format!(
                    "{title} is disabled in this gateway's configuration (accounts.{name}.enabled)"
                ),
                false => format!("this gateway's configuration has no account of {title}"),
            };
            Error::new(ErrorKind::Disabled, message).with_operation(self.account, "any")
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
        match listed {
            Ok(ListedUsers { window, report }) => {
                let report = report.record_metric();
                Ok(ListedUsers { window, report })
            }
            Err(error) => {
                match error.kind() {
                    // A mistake of the caller is no failure of the source.
                    ErrorKind::Invalid | ErrorKind::Unsupported => {}
                    ErrorKind::Disabled => drop(Report::disabled(self.account).record_metric()),
                    _ => drop(Report::failed(self.account, error.clone(), 0).record_metric()),
                }
                Err(error)
            }
        }
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
        .await;
        let window = self.note_result(window, "list")?;
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
        let failure = window.failure.clone();
        let failure = failure.map(|error| error.with_operation(self.account, "list"));
        let report = Report::answered(self.account, failure, context.calls())
            .with_incomplete(truncation.into_iter().chain(incomplete))
            .with_caveat(caveats.map(search_notice));
        Ok(ListedUsers {
            window,
            report: report.with_work(context),
        })
    }

    fn check(&self, capabilities: &ConnectorCapabilities, filter: &Filter) -> Result<()> {
        let (name, title) = (self.account, self.account.title());
        let refused = |what: &str, having: Vec<&str>| {
            let can = if having.is_empty() {
                "it has no choice there".to_owned()
            } else {
                format!("it can by {}", having.join(", "))
            };
            let message =
                format!("{title} cannot {what}; {can} (see `accounts {{ capabilities }}`)");
            Err(Error::new(ErrorKind::Unsupported, message).with_operation(name, "list"))
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

    /// Users by the provider's own ids. One failing batch fails its own keys only.
    pub async fn by_id(
        &self,
        context: &RequestContext,
        ids: Vec<String>,
        expand: Expand,
    ) -> HashMap<String, Result<Option<Arc<User>>>> {
        let connector = match self.connector() {
            Ok(connector) => connector,
            Err(error) => return fail_all(ids, &error),
        };
        let batch = connector.capabilities().by_id;
        in_batches(ids, batch, |ids| async move {
            let answers = connector.by_id(context, &ids, expand).await;
            self.answer_each(ids, answers, "by_id")
        })
        .await
    }

    /// Users by the ids that your systems gave. One failing batch fails its own keys only.
    pub async fn by_external_id(
        &self,
        context: &RequestContext,
        ids: Vec<String>,
        expand: Expand,
    ) -> HashMap<String, Result<Option<Arc<User>>>> {
        let connector = match self.connector() {
            Ok(connector) => connector,
            Err(error) => return fail_all(ids, &error),
        };
        let name = self.account;
        let Some(batch) = connector.capabilities().by_external_id else {
            let title = self.account.title();
            let message =
                format!("{title} keeps no ids of yours: look users up by `remoteId` or by email");
            return fail_all(
                ids,
                &Error::new(ErrorKind::Unsupported, message).with_operation(name, "by_external_id"),
            );
        };
        in_batches(ids, batch, |ids| async move {
            let answers = connector.by_external_id(context, &ids, expand).await;
            self.answer_each(ids, answers, "by_external_id")
        })
        .await
    }

    /// Gives every key its answer.
    fn answer_each(
        &self,
        keys: Vec<String>,
        mut answers: LookupResults,
        operation: &'static str,
    ) -> HashMap<String, Result<Option<Arc<User>>>> {
        let answers = keys.into_iter().map(|key| {
            let answer = answers.remove(&key).unwrap_or(Ok(None));
            let answer = self.note_result(answer, operation);
            (key, answer.map(|user| user.map(Arc::new)))
        });
        answers.collect()
    }

    /// Parts of users that take further calls, by the provider's ids of the users.
    pub async fn subresources(
        &self,
        context: &RequestContext,
        keys: Vec<(String, Subresource)>,
    ) -> HashMap<(String, Subresource), SubresourceResult> {
        in_batches(keys, SINGLE, |keys| async move {
            let mut answers = HashMap::new();
            for (id, part) in keys {
                let answer = self.subresource(context.with_new_usage(), &id, part).await;
                answers.insert((id, part), answer);
            }
            answers
        })
        .await
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

/// The same answer for every key.
fn fail_all<K: Eq + Hash, V>(keys: Vec<K>, error: &Error) -> HashMap<K, Result<V>> {
    keys.into_iter()
        .map(|key| (key, Err(error.clone())))
        .collect()
}

/// Cuts keys into batches and answers them side by side.
async fn in_batches<K, V, R>(
    keys: Vec<K>,
    batch: BatchSize,
    answer: impl Fn(Vec<K>) -> R,
) -> HashMap<K, V>
where
    K: Clone + Eq + Hash,
    R: Future<Output = HashMap<K, V>>,
{
    let batches: Vec<Vec<K>> = keys.chunks(batch.max.max(1)).map(<[K]>::to_vec).collect();
    let answers = stream::iter(batches).map(answer).buffer_unordered(BATCHES);
    answers
        .fold(HashMap::new(), |mut all, batch| async move {
            all.extend(batch);
            all
        })
        .await
}
