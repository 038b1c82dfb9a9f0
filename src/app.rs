//! The composition root: from settings to providers, to directories, to the schema. The only wiring.

use std::{sync::Arc, time::Duration};

use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use tokio_util::task::TaskTracker;

use crate::{
    audit::AuditLog,
    client::{
        AccountStatus, Client, Layer, MemoryPool, Transport,
        attempt::AttemptLog,
        auth::{BearerAuth, Credentials},
        breaker::{BreakerLayer, CircuitBreaker},
        budget::{Budget, RateLimits},
        cache::{MemoryCache, ResponseCache},
        concurrency::ConcurrencyLayer,
        hedge::HedgeLayer,
        metrics_layer::{MetricsLayer, ProviderLog},
        retry::RetryLayer,
        timeout::TimeoutLayer,
    },
    config::{AccountSettings, AccountSetup, ConfigErrors, Settings, in_words},
    connectors::{ConnectContext, Connector as Adapter, ConnectorSpec, door},
    directory::{Directory, Writing, lease::Leases},
    error::{Error, Result},
    graphql::{Graph, Schema, schema},
    recent_writes::RecentWrites,
    shared::Store,
    user::Provider,
};

/// Builds the schema over the providers of a configuration.
///
/// # Errors
/// Everything that is wrong with the configuration.
pub fn open(settings: &Settings) -> Result<Schema, ConfigErrors> {
    let mut mistakes = Vec::new();
    let bounds = settings
        .bounds()
        .map_err(|wrong| mistakes.extend(wrong.0))
        .unwrap_or_default();
    let audience = settings
        .server
        .audience()
        .map_err(|wrong| mistakes.extend(wrong.0))
        .unwrap_or_default();
    settings
        .cache
        .check()
        .unwrap_or_else(|wrong| mistakes.extend(wrong.0));
    settings
        .log
        .check()
        .unwrap_or_else(|wrong| mistakes.extend(wrong.0));
    let store = settings.shared.store();
    let store = store.unwrap_or_else(|wrong| {
        mistakes.extend(wrong.0);
        None
    });
    let shelf = MemoryCache::of(settings.cache.max_bytes);
    let tasks = TaskTracker::new();
    let audit = AuditLog::new(settings.log.audit_file.as_deref());
    let directories = Provider::ALL.into_iter().filter_map(|provider| {
        directory(
            provider,
            settings,
            &shelf,
            store.clone(),
            (tasks.clone(), audit.clone()),
        )
        .map_err(|wrong| mistakes.extend(wrong.0))
        .ok()
    });
    let directories: Vec<_> = directories.map(Arc::new).collect();
    if mistakes.is_empty() {
        Ok(schema(Graph {
            directories,
            writes: tasks,
            bounds,
            audience,
            memory: MemoryPool::new(settings.limits.total_bytes),
            kept: shelf,
            audit,
        }))
    } else {
        Err(ConfigErrors(mistakes))
    }
}

fn directory(
    provider: Provider,
    all: &Settings,
    shelf: &MemoryCache,
    store: Option<Store>,
    (tasks, audit): (TaskTracker, AuditLog),
) -> Result<Directory, ConfigErrors> {
    let settings = all.accounts.get(&provider);
    let Some(settings) = settings.filter(|settings| settings.enabled) else {
        let writing = writing(None, tasks, audit);
        return Ok(Directory::new(
            provider,
            None,
            AccountStatus::default(),
            writing,
        ));
    };
    let account = settings.account(provider)?;
    let deadline = Duration::try_from_secs_f64(all.limits.deadline_seconds);
    let timeout = TimeoutLayer::each(account.timeout, deadline.unwrap_or(account.timeout));
    let door = door(provider);
    let name = provider.name();
    let keep = format!("accounts.{name}.cache");
    let terms = all.cache.terms(&keep, &settings.cache)?;
    let shared = store
        .clone()
        .map(|store| (store, pseudonym(name, &account)));
    let cache = ResponseCache::new(name, terms, door.explain, shelf.clone(), shared.clone());
    // Gateways whose tokens differ for a while must not write side by side.
    let by_name = store.map(|store| (store, name.to_owned()));
    let writing = writing(by_name, tasks, audit);
    let recent = writing.recent.clone();
    let terms = RateLimits {
        shared,
        windows: account.budget.clone(),
        is_chosen: settings.budget.is_some(),
        concurrency: account.concurrency,
    };
    let log = Arc::new(ProviderLog::new(name, &*account.token_origin));
    let at = |place: String| {
        move |error: Error| ConfigErrors(vec![format!("{place}: {}", in_words(error.message()))])
    };
    let credentials = Credentials::new(name, &account.token, account.token_source.clone());
    let credentials = credentials.map_err(at(format!("accounts.{name}")))?;
    let signs = AccountStatus {
        credentials: Some(credentials.clone()),
        log: Some(Arc::clone(&log)),
        switch: account.breaker.map(|rules| CircuitBreaker::of(name, rules)),
        budget: Some(Budget::of(name, &terms)),
        ..AccountStatus::default()
    };
    let measure = MetricsLayer::of(name, Arc::clone(&signs.pulse), log);
    let http = http(
        (provider, &door),
        settings,
        (account, timeout),
        (&signs, measure, BearerAuth::of(credentials)),
        cache,
    )
    .map_err(at(format!("accounts.{name}")))?;
    let options = settings.options.clone();
    let connection = ConnectContext {
        http,
        options,
        recent,
    };
    let adapter: Box<dyn Adapter> =
        (door.connect)(connection).map_err(at(format!("accounts.{name}.options")))?;
    Ok(Directory::new(provider, Some(adapter), signs, writing))
}

/// What the writes to an account share, also with other gateways where there is a store.
fn writing(shared: Option<(Store, String)>, tasks: TaskTracker, audit: AuditLog) -> Writing {
    Writing {
        recent: RecentWrites::new(shared.clone()),
        leases: Leases::new(shared),
        tasks,
        audit,
    }
}

/// A name of a provider's account that tells nothing of its address or token.
fn pseudonym(name: &str, account: &AccountSetup) -> String {
    let digest = Sha256::new()
        .chain_update(account.base.as_str())
        .chain_update([0])
        .chain_update(account.token.expose_secret())
        .finalize();
    let digest = digest.iter().take(12).map(|byte| format!("{byte:02x}"));
    format!("{name}:{}", digest.collect::<String>())
}

/// The way to a provider: its layers, in the order in which a call travels through them.
fn http(
    (provider, door): (Provider, &ConnectorSpec),
    settings: &AccountSettings,
    (account, timeout): (AccountSetup, TimeoutLayer),
    (signs, measure, bearer): (&AccountStatus, MetricsLayer, BearerAuth),
    cache: ResponseCache,
) -> Result<Client> {
    let wire = Transport::new(
        provider.name(),
        account.base,
        settings.max_answer_bytes,
        door.explain,
    )?;
    let mut layers: Vec<Box<dyn Layer>> = vec![
        // One observation for each call, however often it is repeated.
        Box::new(measure),
        Box::new(RetryLayer {
            attempts: settings.attempts,
            ..RetryLayer::default()
        }),
    ];
    // Both attempts are noted, and each spends what an attempt spends.
    if settings.hedge {
        layers.push(Box::new(HedgeLayer::of(provider.name())));
    }
    // What became of each attempt.
    layers.push(Box::new(AttemptLog::of(provider.name())));
    // What is not sent spends neither budget nor a turn.
    if let Some(switch) = &signs.switch {
        layers.push(Box::new(BreakerLayer::of(switch.clone())));
    }
    if let Some(budget) = &signs.budget {
        layers.push(Box::new(budget.clone()));
    }
    layers.extend([
        // Every attempt takes a permit; none is held while waiting for the next attempt.
        Box::new(ConcurrencyLayer::of(provider.name(), account.concurrency)) as Box<dyn Layer>,
        // A token that is renewed serves the next attempt.
        Box::new(bearer),
        // An attempt dies, and not the loop around it.
        Box::new(timeout),
    ]);
    Ok(Client::new(wire, layers, cache))
}
