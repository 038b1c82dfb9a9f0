//! The composition root: settings to clients, connectors, directories and the executor. The only
//! wiring.

use std::{sync::Arc, time::Duration};

use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use tokio_util::task::TaskTracker;

use crate::{
    account::Account,
    audit::AuditLog,
    client::{
        AccountStatus, Client, Layer, Transport,
        attempt::AttemptLog,
        auth::{AuthLayer, Credentials},
        breaker::{BreakerLayer, CircuitBreaker},
        budget::{RateLimitLayer, RateLimits},
        cache::{MemoryCache, ResponseCache},
        concurrency::ConcurrencyLayer,
        hedge::HedgeLayer,
        metrics_layer::{MetricsLayer, ProviderLog},
        retry::RetryLayer,
        timeout::TimeoutLayer,
    },
    config::{AccountSettings, AccountSetup, ConfigErrors, Settings, explain_toml_error},
    connectors::{ConnectContext, connector_spec},
    context::MemoryPool,
    directory::{Directory, WriteContext, lease::Leases},
    error::{Error, Result},
    graphql::{Accounts, Executor, Graph},
    recent_writes::RecentWrites,
    shared::Store,
};

/// Builds the executor over the accounts of a configuration.
///
/// # Errors
/// All errors of the configuration.
pub fn open(settings: &Settings) -> Result<Executor, ConfigErrors> {
    let mut errors = Vec::new();
    let bounds = settings
        .bounds()
        .map_err(|wrong| errors.extend(wrong.0))
        .unwrap_or_default();
    let audience = settings
        .server
        .audience()
        .map_err(|wrong| errors.extend(wrong.0))
        .unwrap_or_default();
    settings
        .cache
        .check()
        .unwrap_or_else(|wrong| errors.extend(wrong.0));
    settings
        .log
        .check()
        .unwrap_or_else(|wrong| errors.extend(wrong.0));
    let store = settings.shared.store();
    let store = store.unwrap_or_else(|wrong| {
        errors.extend(wrong.0);
        None
    });
    let (accounts, wrong) = settings.accounts_and_errors();
    errors.extend(wrong);
    let shared = SharedParts {
        cache: MemoryCache::with_max_bytes(settings.cache.max_bytes),
        store,
        tasks: TaskTracker::new(),
        audit: AuditLog::new(settings.log.audit_file.as_deref()),
    };
    let directories = accounts.iter().filter_map(|(account, of_account)| {
        directory(*account, (settings, of_account), &shared)
            .map_err(|wrong| errors.extend(wrong.0))
            .ok()
    });
    let directories: Vec<_> = directories.map(Arc::new).collect();
    if errors.is_empty() {
        Ok(Executor::new(Graph {
            accounts: Accounts::new(directories, |provider| {
                Directory::unconfigured(provider, shared.writing(None))
            }),
            writes: shared.tasks.clone(),
            limits: bounds,
            trace_access: audience,
            memory: MemoryPool::new(settings.limits.total_bytes),
            cache: shared.cache.clone(),
            audit: shared.audit.clone(),
        }))
    } else {
        Err(ConfigErrors(errors))
    }
}

/// The parts that all accounts share.
struct SharedParts {
    cache: MemoryCache,
    store: Option<Store>,
    tasks: TaskTracker,
    audit: AuditLog,
}

impl SharedParts {
    /// The parts that the writes of an account share, also with other gateways if there is a store.
    fn writing(&self, account: Option<Account>) -> WriteContext {
        // Gateways whose tokens differ for a while must still coordinate their writes.
        let by_name = self.store.clone().zip(account);
        let by_name = by_name.map(|(store, account)| (store, account.name().to_owned()));
        WriteContext {
            recent: RecentWrites::new(by_name.clone()),
            leases: Leases::new(by_name),
            tasks: self.tasks.clone(),
            audit: self.audit.clone(),
        }
    }
}

/// The directory of an account's users.
fn directory(
    account: Account,
    (all, settings): (&Settings, &AccountSettings),
    parts: &SharedParts,
) -> Result<Directory, ConfigErrors> {
    if !settings.enabled {
        let writing = parts.writing(None);
        return Ok(Directory::new(
            account,
            None,
            AccountStatus::default(),
            writing,
        ));
    }
    let place = format!("accounts.{}", account.name());
    let policy = all.cache.policy(&format!("{place}.cache"), &settings.cache);
    let (setup, policy) = both(settings.setup(account), policy)?;
    let shared = parts.store.clone();
    let shared = shared.map(|store| (store, pseudonym(account, &setup)));
    let spec = connector_spec(account.provider());
    let cache = ResponseCache::new(
        account,
        policy,
        spec.http.classify_body,
        parts.cache.clone(),
        shared.clone(),
    );
    let writing = parts.writing(Some(account));
    let credentials = Credentials::new(
        account,
        spec.http.auth,
        (&setup.token, setup.token_source.clone()),
    );
    let credentials = credentials.map_err(errors_at(place.clone()))?;
    let limits = RateLimits {
        shared,
        windows: setup.budget.clone(),
        is_configured: settings.budget.is_some(),
        concurrency: setup.concurrency,
    };
    let status = AccountStatus {
        credentials: Some(credentials),
        log: Some(Arc::new(ProviderLog::new(account, &*setup.token_origin))),
        circuit_breaker: setup
            .breaker
            .map(|rules| CircuitBreaker::new(account, rules)),
        budget: Some(RateLimitLayer::new(account, &limits)),
        ..AccountStatus::default()
    };
    let deadline = Duration::try_from_secs_f64(all.limits.deadline_seconds);
    let timeout = TimeoutLayer::new(setup.timeout, deadline.unwrap_or(setup.timeout));
    let token = setup.token.clone();
    let http = build_client(account, (settings, setup, timeout), &status, cache)
        .map_err(errors_at(place.clone()))?;
    let context = ConnectContext {
        http,
        options: settings.options.clone(),
        token_starts_with: Box::new(move |prefix| token.expose_secret().starts_with(prefix)),
        recent: writing.recent.clone(),
    };
    let connector = (spec.connect)(context).map_err(errors_at(format!("{place}.options")))?;
    Ok(Directory::new(account, Some(connector), status, writing))
}

/// Two values, or the errors of both.
fn both<T, U>(
    one: Result<T, ConfigErrors>,
    other: Result<U, ConfigErrors>,
) -> Result<(T, U), ConfigErrors> {
    match (one, other) {
        (Ok(one), Ok(other)) => Ok((one, other)),
        (one, other) => {
            let errors = one.err().into_iter().chain(other.err());
            Err(ConfigErrors(errors.flat_map(|errors| errors.0).collect()))
        }
    }
}

/// Turns an error into that of a setting.
fn errors_at(place: String) -> impl FnOnce(Error) -> ConfigErrors {
    move |error| {
        let why = explain_toml_error(error.message());
        ConfigErrors(vec![format!("{place}: {why}")])
    }
}

/// A name of an account that reveals neither its address nor its token.
fn pseudonym(account: Account, setup: &AccountSetup) -> String {
    let digest = Sha256::new()
        .chain_update(setup.base.as_str())
        .chain_update([0])
        .chain_update(setup.token.expose_secret())
        .finalize();
    let digest = digest.iter().take(12).map(|byte| format!("{byte:02x}"));
    format!("{}:{}", account.name(), digest.collect::<String>())
}

/// The client of an account, with its layers in the order in which a call passes through them.
fn build_client(
    account: Account,
    (settings, setup, timeout): (&AccountSettings, AccountSetup, TimeoutLayer),
    status: &AccountStatus,
    cache: ResponseCache,
) -> Result<Client> {
    let spec = connector_spec(account.provider());
    let transport = Transport::new(account, setup.base, settings.max_answer_bytes, spec.http)?;
    let mut layers: Vec<Box<dyn Layer>> = Vec::new();
    if let Some(log) = &status.log {
        // Records one observation per call, however often it is repeated.
        let health = Arc::clone(&status.health);
        layers.push(Box::new(MetricsLayer::new(
            account,
            health,
            Arc::clone(log),
        )));
    }
    layers.push(Box::new(RetryLayer {
        attempts: settings.attempts,
        ..RetryLayer::default()
    }));
    // Both attempts are recorded, and each takes budget and a permit.
    if settings.hedge {
        layers.push(Box::new(HedgeLayer::new(account)));
    }
    // Records each attempt.
    layers.push(Box::new(AttemptLog::new(account)));
    // A refused attempt takes neither budget nor a permit.
    if let Some(breaker) = &status.circuit_breaker {
        layers.push(Box::new(BreakerLayer::new(breaker.clone())));
    }
    if let Some(budget) = &status.budget {
        layers.push(Box::new(budget.clone()));
    }
    // Every attempt takes a permit; none is held while waiting for the next attempt.
    layers.push(Box::new(ConcurrencyLayer::new(account, setup.concurrency)));
    // The next attempt uses a renewed token.
    if let Some(credentials) = &status.credentials {
        layers.push(Box::new(AuthLayer(credentials.clone())));
    }
    // Ends an attempt, and not the retry loop.
    layers.push(Box::new(timeout));
    Ok(Client::new(transport, layers, cache))
}
