//! The report of a source on an answer, and the state of every account.

use async_graphql::{Context, Enum, Object, SimpleObject};
use jiff::Timestamp;

use super::{Graph, error::seconds, filter::EmailMatch};
use crate::{
    account::Provider,
    client::breaker::CircuitState,
    connectors::{ConnectorCapabilities, EmailSearch, FilterField, SortField},
    directory::{Directory, Report, SourceStatus},
    error::ErrorCode,
    notice::Notice,
    user::Identity,
};

/// The report of one account on an answer: how far the answer can be trusted, and its cost.
pub struct SourceReport(pub Report);

/// Why a source did not answer, or not wholly.
#[derive(SimpleObject)]
pub struct SourceError {
    /// The kind of failure.
    code: ErrorCode,
    /// The failure, and how to act on it.
    message: String,
    /// After how many seconds another attempt may succeed, where that is known.
    retry_after: Option<i32>,
    /// The provider's own id of the failed request, for its support.
    provider_request_id: Option<String>,
}

/// The report of one account on an answer: how far the answer can be trusted, and its cost.
#[Object]
impl SourceReport {
    /// The provider.
    async fn provider(&self) -> Provider {
        self.0.account.provider()
    }

    /// The name of the account.
    async fn account(&self) -> &'static str {
        self.0.account.name()
    }

    /// How far the answer can be trusted.
    async fn status(&self) -> SourceStatus {
        self.0.status
    }

    /// The failure; null when there was none.
    async fn error(&self) -> Option<SourceError> {
        self.0.error.as_ref().map(|error| SourceError {
            code: error.kind().code(),
            message: error.message().to_owned(),
            retry_after: error.retry_after().map(seconds),
            provider_request_id: error.provider_request_id().map(str::to_owned),
        })
    }

    /// The gaps of the answer and their causes; empty when there is none. A field of rows that could not
    /// be read is null in them, and `SUBRESOURCE_FAILED` stands here with the rows.
    async fn notices(&self) -> &[Notice] {
        &self.0.notices
    }

    /// When the oldest of the data was read from the provider; null when there is none.
    async fn as_of(&self) -> Option<Timestamp> {
        self.0.as_of
    }

    /// Whether the data is older than it should be: the gateway kept it, and the provider has not given
    /// anything newer yet. `asOf` tells how old it is; when the provider fails, `error` says how.
    async fn stale(&self) -> bool {
        self.0.is_stale
    }

    /// Whether the data comes from the gateway's mirror of the provider's users rather than from the provider.
    async fn from_mirror(&self) -> bool {
        false
    }

    /// How many requests were sent to the provider, those for the fields of rows included. Fields that
    /// ask for the same share them, and each of those fields counts them.
    async fn calls(&self) -> u32 {
        self.0.calls
    }
}

/// How an account fares, by the calls made since the gateway started.
#[derive(Clone, Copy, Enum, Eq, PartialEq)]
pub enum ProviderHealth {
    /// The last call got an answer.
    Healthy,
    /// The last call failed by the provider's fault.
    Failing,
    /// No call was made yet, or the account is disabled.
    Unknown,
}

/// Whether an account is asked. One that keeps failing is left alone for a while: what would ask it fails
/// at once with PROVIDER_UNAVAILABLE.
#[derive(Clone, Copy, Enum, Eq, PartialEq)]
pub enum ProviderCircuit {
    /// It is asked.
    Closed,
    /// It kept failing and is left alone.
    Open,
    /// It was left alone, and one call at a time tries whether it is well again.
    HalfOpen,
}

/// An account as this gateway has it: whether it is asked, how it fares, what its provider can do.
pub struct ProviderAccount<'a>(&'a Directory);

/// An account as this gateway has it: whether it is asked, how it fares, what its provider can do.
#[Object]
impl ProviderAccount<'_> {
    /// The provider.
    async fn provider(&self) -> Provider {
        self.0.account().provider()
    }

    /// The name, as this gateway's configuration has it: in ids, cursors and metrics.
    async fn name(&self) -> &'static str {
        self.0.account().name()
    }

    /// Whether the gateway asks it. Reads of a disabled account answer DISABLED, writes SKIPPED.
    async fn enabled(&self) -> bool {
        self.0.capabilities().is_some()
    }

    /// How it fares.
    async fn health(&self) -> ProviderHealth {
        let health = self.0.health();
        match (health.last_success_at, health.last_failure) {
            (None, None) => ProviderHealth::Unknown,
            (Some(success), Some((failure, _))) if success < failure => ProviderHealth::Failing,
            (None, Some(_)) => ProviderHealth::Failing,
            (Some(_), _) => ProviderHealth::Healthy,
        }
    }

    /// Whether it is asked at the moment; null when it is disabled, or asked however it fares.
    async fn circuit(&self) -> Option<ProviderCircuit> {
        Some(match self.0.circuit_state()? {
            CircuitState::Closed => ProviderCircuit::Closed,
            CircuitState::Open => ProviderCircuit::Open,
            CircuitState::HalfOpen => ProviderCircuit::HalfOpen,
        })
    }

    /// When a call last got an answer.
    async fn last_success_at(&self) -> Option<Timestamp> {
        self.0.health().last_success_at
    }

    /// When a call last failed by the provider's fault.
    async fn last_failure_at(&self) -> Option<Timestamp> {
        self.0.health().last_failure.map(|(at, _)| at)
    }

    /// How the last such call failed.
    async fn last_failure(&self) -> Option<ErrorCode> {
        self.0.health().last_failure.map(|(_, code)| code)
    }

    /// How many calls were made since the gateway started, retries not counted.
    async fn calls(&self) -> i32 {
        i32::try_from(self.0.health().calls).unwrap_or(i32::MAX)
    }

    /// How many calls the gateway grants itself at the account, by the windows in which they are counted;
    /// empty when the account is disabled, or nothing bounds them.
    async fn budget(&self) -> Vec<BudgetWindow> {
        let now = tokio::time::Instant::now();
        let stands = self.0.budget().into_iter().map(|stand| BudgetWindow {
            window: stand.seconds.map(whole),
            limit: whole(stand.limit),
            remaining: whole(stand.remaining),
            resets_at: stand.resets_at.and_then(|at| {
                let left = at.saturating_duration_since(now);
                Timestamp::now().checked_add(left).ok()
            }),
        });
        stands.collect()
    }

    /// Its capabilities; null when it is disabled.
    async fn capabilities(&self) -> Option<Capabilities> {
        let capabilities = self.0.capabilities()?;
        Some(Capabilities {
            filters: capabilities.filters.to_vec(),
            sorts: capabilities.sorts.to_vec(),
            page_size: capabilities.pagination.max_page_size,
            pages_backwards: capabilities.pagination.has_row_numbers(),
            reach: capabilities.pagination.max_rows,
            external_id: capabilities.by_external_id.is_some(),
            email_search: capabilities.email_search,
            email_matches: email_matches(capabilities),
            email_caveat: capabilities.email_caveat.map(str::to_owned),
            native_upsert: capabilities.upserts.contains(&Identity::ExternalId),
            writes: capabilities
                .writes
                .iter()
                .map(|field| field.name().to_owned())
                .collect(),
        })
    }
}

/// A window in which calls to an account are counted, by the gateway, or by the provider itself where its
/// answers say so.
#[derive(SimpleObject)]
#[graphql(name = "ProviderBudget")]
pub struct BudgetWindow {
    /// Its span in seconds; null where only the provider knows it.
    window: Option<i32>,
    /// The most calls within any such span.
    limit: i32,
    /// How many calls can be made now.
    remaining: i32,
    /// When all of them can be made again, if none is made until then; null when they can now.
    resets_at: Option<Timestamp>,
}

fn whole(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// The capabilities of an account.
#[derive(SimpleObject)]
#[graphql(name = "ProviderCapabilities")]
pub struct Capabilities {
    /// By which fields of `UserFilter` the list can be narrowed.
    filters: Vec<FilterField>,
    /// By what the list can be sorted.
    sorts: Vec<SortField>,
    /// How many users one of the provider's pages holds: a `first` up to this costs one call.
    page_size: u32,
    /// Whether `last` and `before` work.
    pages_backwards: bool,
    /// How many users can be paged through at most, where the provider sets a bound.
    reach: Option<u64>,
    /// Whether users can be found by the id that your systems gave.
    external_id: bool,
    /// How users are found by email.
    email_search: EmailSearch,
    /// Which values of `match` `usersByEmail` takes here; the account is skipped for others.
    email_matches: Vec<EmailMatch>,
    /// The users that a search by email may miss; null when it misses none.
    email_caveat: Option<String>,
    /// Whether the provider itself finds or creates a user by external id, so that a write may be repeated.
    native_upsert: bool,
    /// Which fields of `UpsertUserInput` can be written.
    writes: Vec<String>,
}

fn email_matches(capabilities: &ConnectorCapabilities) -> Vec<EmailMatch> {
    let mut matches = vec![EmailMatch::Exact];
    if capabilities.finds_substrings {
        matches.extend([EmailMatch::Prefix, EmailMatch::Substring]);
    }
    matches
}

/// The status of every account.
pub fn accounts<'a>(ctx: &Context<'a>) -> Vec<ProviderAccount<'a>> {
    let accounts = Graph::from_context(ctx).accounts.configured().iter();
    accounts
        .map(|directory| ProviderAccount(directory))
        .collect()
}
