//! A provider's users as callers see them: what is not declared is refused, keys are cut into batches,
//! every email filter is checked again, and an answer says how far it can be trusted.

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
pub use write::{WriteError, WriteResult, Writing};

use crate::{
    account::{Account, Provider},
    client::{
        AccountStatus, RequestContext,
        breaker::{CircuitBreaker, CircuitState},
        budget::{Budget, WindowStatus},
        metrics_layer::{Health, health},
    },
    connectors::{
        BatchSize, Connector, Expand, Filter, Lookups, Profile, SINGLE, Selection, Subresource,
        SubresourceData, rows,
    },
    error::{Error, ErrorKind, Result},
    metrics,
    notice::{Notice, NoticeCode},
    pagination::{Accept, IncompleteReason, ListRange, Window},
    user::User,
};

/// How many batches of one request are under way at one provider; its own limit is lower.
const BATCHES: usize = 64;

/// Part of a provider's list.
#[derive(Clone, Debug)]
pub struct ListedUsers {
    /// The rows.
    pub window: Window<User>,
    /// What the provider did for it.
    pub report: Report,
}

/// A part of a user that takes calls of its own.
#[derive(Clone, Debug)]
pub struct SubresourceAnswer {
    /// What was answered; `None` where there is no such user.
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
    writing: Writing,
}

impl Directory {
    /// The users behind a connector; without one the account is disabled.
    #[must_use]
    pub fn new(
        account: Account,
        connector: Option<Box<dyn Connector>>,
        status: AccountStatus,
        writing: Writing,
    ) -> Self {
        let statuses = SourceStatus::ALL.map(SourceStatus::name);
        metrics::init_sources(account, statuses);
        Self {
            account,
            connector,
            is_configured: true,
            status,
            writing,
        }
    }

    /// What stands for a provider that has no account in the configuration: it is asked for nothing.
    #[must_use]
    pub fn unconfigured(provider: Provider, writing: Writing) -> Self {
        let account = Account::of(provider);
        Self {
            is_configured: false,
            ..Self::new(account, None, AccountStatus::default(), writing)
        }
    }

    /// How the windows of the provider's budget stand; none when it is disabled, or has none.
    #[must_use]
    pub fn budget(&self) -> Vec<WindowStatus> {
        self.status
            .budget
            .as_ref()
            .map(Budget::windows)
            .unwrap_or_default()
    }

    /// Reads the token of the account again, where it comes from a file.
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

    /// What the provider can do; `None` when it is disabled.
    #[must_use]
    pub fn profile(&self) -> Option<&Profile> {
        self.connector.as_deref().map(Connector::profile)
    }

    /// How the provider fares.
    #[must_use]
    pub fn health(&self) -> Health {
        health(&self.status.health)
    }

    /// Whether the provider is asked; `None` when it always is, or never.
    #[must_use]
    pub fn circuit_state(&self) -> Option<CircuitState> {
        self.status
            .circuit_breaker
            .as_ref()
            .map(CircuitBreaker::state)
    }

    /// Names the provider and the operation in an error, and tells the log of answers that nobody can
    /// read: the HTTP client takes those for good.
    fn noted<T>(&self, result: Result<T>, operation: &'static str) -> Result<T> {
        let result = result.map_err(|error| error.at(self.account, operation));
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
            Error::new(ErrorKind::Disabled, message).at(self.account, "any")
        })
    }

    /// One window of the list.
    ///
    /// # Errors
    /// `Disabled`, `Unsupported` for a filter, an order or a direction that the provider does not have,
    /// `Invalid` for a position of another list, and what the provider answers.
    pub async fn list(
        &self,
        context: &RequestContext,
        selection: &Selection,
        range: &ListRange,
    ) -> Result<ListedUsers> {
        let listed = self.read_list(context, selection, range).await;
        match listed {
            Ok(ListedUsers { window, report }) => {
                let report = report.counted();
                Ok(ListedUsers { window, report })
            }
            Err(error) => {
                // A caller's own mistake is no source's failure.
                if error.kind() != ErrorKind::Invalid && error.kind() != ErrorKind::Unsupported {
                    Report::failed(self.account, error.clone(), 0).counted();
                }
                Err(error)
            }
        }
    }

    async fn read_list(
        &self,
        context: &RequestContext,
        selection: &Selection,
        range: &ListRange,
    ) -> Result<ListedUsers> {
        let connector = self.connector()?;
        let profile = connector.profile();
        self.check(profile, &selection.filter)?;
        let context = &context.fresh();
        let email = selection.filter.email.as_ref();
        if email.is_some_and(|email| connector.lists_by_spelling(email)) {
            return self.spelled(connector, context, selection, range).await;
        }
        let fields = selection.filter.fields();
        let is_rechecked = fields
            .iter()
            .any(|field| profile.post_filtered.contains(field));
        let belongs = |user: &User| selection.filter.accepts(user, profile.post_filtered);
        let accept = (!fields.is_empty()).then_some(Accept {
            belongs: &belongs,
            is_exact: !is_rechecked,
        });
        let window = rows::window(
            context,
            &profile.listing,
            range,
            accept,
            |request| async move { connector.list(context, &request, selection).await },
        )
        .await;
        let window = self.noted(window, "list")?;
        let filter = &selection.filter;
        self.note_unknown(connector, context, filter, (range, &window))
            .await;
        let email_caveat = filter.email.as_ref().and(profile.email_caveat);
        let segment_caveat = filter.segment_id.as_ref().and(profile.segment_caveat);
        let caveats = email_caveat.into_iter().chain(segment_caveat);
        let incomplete = window.incomplete.map(IncompleteReason::notice::<User>);
        let truncation = window.is_truncated.then(|| {
            let max_rows = profile.listing.max_rows.unwrap_or_default();
            let message = format!("this provider refuses to page past {max_rows} users: there are more, narrow the list with a filter");
            Notice::new(NoticeCode::LimitReached, message)
        });
        let failure = window.failure.clone();
        let failure = failure.map(|error| error.at(self.account, "list"));
        let report = Report::answered(self.account, failure, context.calls())
            .with_incomplete(truncation.into_iter().chain(incomplete))
            .with_caveat(caveats.map(missed));
        Ok(ListedUsers {
            window,
            report: report.of_work(context),
        })
    }

    fn check(&self, profile: &Profile, filter: &Filter) -> Result<()> {
        let (name, title) = (self.account, self.account.title());
        let refused = |what: &str, having: Vec<&str>| {
            let can = if having.is_empty() {
                "it has no choice there".to_owned()
            } else {
                format!("it can by {}", having.join(", "))
            };
            let message =
                format!("{title} cannot {what}; {can} (see `accounts {{ capabilities }}`)");
            Err(Error::new(ErrorKind::Unsupported, message).at(name, "list"))
        };
        if let Some(field) = filter
            .fields()
            .into_iter()
            .find(|field| !profile.filters.contains(field))
        {
            let having = profile.filters.iter().map(|field| field.name()).collect();
            return refused(&format!("narrow its list by `{}`", field.name()), having);
        }
        match filter.sort {
            Some((field, _)) if !profile.sorts.contains(&field) => {
                let having = profile.sorts.iter().map(|field| field.name()).collect();
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
            Err(error) => return refuse(ids, &error),
        };
        let batch = connector.profile().by_id;
        in_batches(ids, batch, |ids| async move {
            let answers = connector.by_id(context, &ids, expand).await;
            self.every(ids, answers, "by_id")
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
            Err(error) => return refuse(ids, &error),
        };
        let name = self.account;
        let Some(batch) = connector.profile().by_external_id else {
            let title = self.account.title();
            let message =
                format!("{title} keeps no ids of yours: look users up by `remoteId` or by email");
            return refuse(
                ids,
                &Error::new(ErrorKind::Unsupported, message).at(name, "by_external_id"),
            );
        };
        in_batches(ids, batch, |ids| async move {
            let answers = connector.by_external_id(context, &ids, expand).await;
            self.every(ids, answers, "by_external_id")
        })
        .await
    }

    /// Gives every key its answer.
    fn every(
        &self,
        keys: Vec<String>,
        mut answers: Lookups,
        operation: &'static str,
    ) -> HashMap<String, Result<Option<Arc<User>>>> {
        let answers = keys.into_iter().map(|key| {
            let answer = answers.remove(&key).unwrap_or(Ok(None));
            let answer = self.noted(answer, operation);
            (key, answer.map(|user| user.map(Arc::new)))
        });
        answers.collect()
    }

    /// Parts of users that take calls of their own, by the provider's ids of the users.
    pub async fn parts(
        &self,
        context: &RequestContext,
        keys: Vec<(String, Subresource)>,
    ) -> HashMap<(String, Subresource), SubresourceAnswer> {
        in_batches(keys, SINGLE, |keys| async move {
            let mut answers = HashMap::new();
            for (id, part) in keys {
                let answer = self.part(context.fresh(), &id, part).await;
                answers.insert((id, part), answer);
            }
            answers
        })
        .await
    }

    async fn part(&self, work: RequestContext, id: &str, part: Subresource) -> SubresourceAnswer {
        let data = match self.connector() {
            Ok(connector) => connector.part(&work, id, part).await,
            Err(error) => Err(error),
        };
        let data = self.noted(data, "part");
        SubresourceAnswer {
            data: data.map(|data| data.map(Arc::new)),
            work,
        }
    }
}

/// What is said of whom a provider's search passes over.
fn missed(whom: &str) -> Notice {
    Notice::new(NoticeCode::SearchIncomplete, whom)
}

/// The same answer for every key.
fn refuse<K: Eq + Hash, V>(keys: Vec<K>, error: &Error) -> HashMap<K, Result<V>> {
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
