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
        Client, ResponseCache, Upstream,
        admission::{Admission, RateLimits},
        breaker::CircuitBreaker,
        cache::MemoryCache,
        observer::CallObserver,
        retry::RetryPolicy,
        transport::{AttemptTimeout, Transport, credentials::Credentials},
    },
    config::{AccountSettings, AccountSetup, ConfigErrors, Settings, explain_toml_error},
    connectors::{ConnectContext, connector_spec},
    context::MemoryPool,
    directory::{ConnectedAccount, Directory, WriteContext, lease::Leases},
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
        return Ok(Directory::new(account, None, parts.writing(None)));
    }
    let place = format!("accounts.{}", account.name());
    let policy = all.cache.policy(&format!("{place}.cache"), &settings.cache);
    let (setup, policy) = both(settings.setup(account), policy)?;
    let shared = parts.store.clone();
    let shared = shared.map(|store| (store, pseudonym(account, &setup)));
    let token = setup.token.clone();
    let cache = ResponseCache::new(account, policy, parts.cache.clone(), shared.clone());
    let deadline = Duration::try_from_secs_f64(all.limits.deadline_seconds);
    let upstream = upstream(account, (settings, setup), deadline.ok(), shared);
    let client = Client::new(cache, upstream.map_err(errors_at(place.clone()))?);
    let writing = parts.writing(Some(account));
    let context = ConnectContext {
        http: client.clone(),
        options: settings.options.clone(),
        token_starts_with: Box::new(move |prefix| token.expose_secret().starts_with(prefix)),
        recent: writing.recent.clone(),
    };
    let connect = connector_spec(account.provider()).connect;
    let connector = connect(context).map_err(errors_at(format!("{place}.options")))?;
    let connection = ConnectedAccount { client, connector };
    Ok(Directory::new(account, Some(connection), writing))
}

/// The steps from a request to an account's provider.
fn upstream(
    account: Account,
    (settings, setup): (&AccountSettings, AccountSetup),
    deadline: Option<Duration>,
    shared: Option<(Store, String)>,
) -> Result<Upstream> {
    let spec = connector_spec(account.provider()).http;
    let source = setup.token_source;
    let credentials = Credentials::new(account, spec.auth, (&setup.token, source))?;
    let timeout = AttemptTimeout::new(setup.timeout, deadline.unwrap_or(setup.timeout));
    let target = (setup.base, &setup.connection);
    let limits_of_attempt = (settings.max_answer_bytes, timeout);
    let limits = RateLimits {
        shared,
        windows: setup.budget,
        is_configured: settings.budget.is_some(),
        concurrency: setup.concurrency,
    };
    Ok(Upstream {
        observer: CallObserver::new(account, &setup.token_origin),
        retry: RetryPolicy {
            attempts: settings.attempts,
            ..RetryPolicy::default()
        },
        breaker: setup
            .breaker
            .map(|rules| CircuitBreaker::new(account, rules)),
        admission: Admission::new(account, &limits),
        transport: Transport::new(account, target, limits_of_attempt, spec, credentials)?,
    })
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
