//! The store that replicas share: Redis, or a server with its protocol. The gateway works without
//! it: every operation has a short deadline, and nobody waits for a store that is unavailable.
//!
//! | the store answers | then |
//! |---|---|
//! | nothing, or not in time | it is away |
//! | `LOADING`, `MASTERDOWN`, `CLUSTERDOWN`, `BUSY` | it is away: it does nothing for anybody now |
//! | `NOAUTH`, `WRONGPASS` | it is away, and the log says once a minute that the password is wrong |
//! | `READONLY`, `NOREPLICAS`, `MISCONF` | it is away: nobody could tell the others of a write |
//! | another error | this operation is refused: a key of another type, no memory, no permission |

pub mod budget;
pub mod leases;
pub mod responses;
pub mod writes;

use std::{
    fmt,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use redis::{
    Client, ErrorKind, FromRedisValue, IntoConnectionInfo, RedisError, RedisResult,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::{Instant, sleep, timeout};

use crate::metrics;

/// How long reconnecting to the store may take; nobody waits for it.
const RECONNECT_TIMEOUT: Duration = Duration::from_millis(500);
/// The interval at which an unavailable store is checked.
const PROBE_INTERVAL: Duration = Duration::from_millis(250);
/// How long a response proves that the store is available.
const PROOF_LIFETIME: Duration = Duration::from_secs(1);

/// The shortest time between two log lines about refusals of the store.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// How the store is used.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// The prefix of every key.
    pub prefix: String,
    /// The number of gateways that share the store.
    pub replicas: u32,
    /// How long one operation may take.
    pub timeout: Duration,
}

/// A connection to the shared store. Clones share it.
#[derive(Clone)]
pub struct Store(Arc<StoreInner>);

struct StoreInner {
    client: Client,
    options: StoreOptions,
    /// Created by the first operation, because it needs a runtime.
    manager: OnceLock<ConnectionManager>,
    is_up: AtomicBool,
    last_response_at: Mutex<Option<Instant>>,
    /// When the last refusal was logged.
    refusal_logged_at: Mutex<Option<Instant>>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

impl Store {
    /// A store at an address. It is not called yet.
    ///
    /// # Errors
    /// An invalid address.
    pub fn new(
        url: &str,
        password: Option<&SecretString>,
        options: StoreOptions,
    ) -> Result<Self, String> {
        let info = url
            .into_connection_info()
            .map_err(|error| error.to_string())?;
        let mut settings = info.redis_settings().clone();
        if let Some(password) = password {
            settings = settings.set_password(password.expose_secret());
        }
        let client = Client::open(info.set_redis_settings(settings));
        let client = client.map_err(|error| error.to_string())?;
        metrics::shared_store(true);
        Ok(Self(Arc::new(StoreInner {
            client,
            options,
            manager: OnceLock::new(),
            is_up: AtomicBool::new(true),
            last_response_at: Mutex::default(),
            refusal_logged_at: Mutex::default(),
        })))
    }

    /// Adds the prefix to a key.
    #[must_use]
    pub fn key(&self, name: &str) -> String {
        format!("{}:{name}", self.0.options.prefix)
    }

    /// The number of gateways that share the store.
    #[must_use]
    pub fn replicas(&self) -> u32 {
        self.0.options.replicas
    }

    /// Whether the store was available at the last call.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.0.is_up.load(Ordering::Acquire)
    }

    /// Runs an operation. `None` when the store refuses it, is unavailable, or takes too long; an
    /// unavailable store is not called until it is back.
    pub async fn run<T, F>(&self, work: impl FnOnce(ConnectionManager) -> F) -> Option<T>
    where
        T: FromRedisValue,
        F: Future<Output = RedisResult<T>>,
    {
        if !self.is_up() {
            return None;
        }
        match self.within(self.0.options.timeout, work).await {
            Ok(answer) => Some(answer),
            Err(StoreFailure::Unavailable(why)) => {
                self.mark_unavailable(why);
                None
            }
            Err(StoreFailure::Refused(why)) => {
                self.refused(&why);
                None
            }
        }
    }

    /// Logs a refusal, at most once per interval: the store is available for everything else.
    fn refused(&self, why: &str) {
        let mut said = self
            .0
            .refusal_logged_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if said.is_none_or(|at| at.elapsed() > LOG_INTERVAL) {
            *said = Some(Instant::now());
            tracing::warn!(why, "the shared store refuses an operation");
        }
    }

    /// Checks whether the store is available now.
    pub async fn check(&self) -> bool {
        let answered = self.answered();
        if self.is_up() && answered.is_none_or(|at| at.elapsed() > PROOF_LIFETIME) {
            self.run(ping).await.is_some()
        } else {
            self.is_up()
        }
    }

    fn answered(&self) -> Option<Instant> {
        *self
            .0
            .last_response_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    async fn within<T, F>(
        &self,
        limit: Duration,
        work: impl FnOnce(ConnectionManager) -> F,
    ) -> Result<T, StoreFailure>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let manager = match self.0.manager.get() {
            Some(manager) => manager.clone(),
            None => {
                let config = ConnectionManagerConfig::new()
                    .set_number_of_retries(1)
                    .set_max_delay(PROBE_INTERVAL)
                    .set_connection_timeout(Some(RECONNECT_TIMEOUT))
                    .set_response_timeout(Some(RECONNECT_TIMEOUT.max(limit)));
                let client = self.0.client.clone();
                let made = ConnectionManager::new_lazy_with_config(client, config);
                let made = made.map_err(|error| {
                    StoreFailure::Unavailable(UnavailableReason::from_error(&error))
                })?;
                self.0.manager.get_or_init(|| made).clone()
            }
        };
        let answer = timeout(limit, work(manager)).await;
        let late = |_| StoreFailure::Unavailable(UnavailableReason::timed_out());
        let answer = answer.map_err(late)?;
        if answer.as_ref().is_err_and(is_unavailable) {
            return answer
                .map_err(|error| StoreFailure::Unavailable(UnavailableReason::from_error(&error)));
        }
        let mut answered = self
            .0
            .last_response_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *answered = Some(Instant::now());
        answer.map_err(|error| StoreFailure::Refused(error.to_string()))
    }

    /// Marks the store as unavailable, and starts the only task that checks whether it is back.
    fn mark_unavailable(&self, why: UnavailableReason) {
        if !self.0.is_up.swap(false, Ordering::AcqRel) {
            return;
        }
        metrics::shared_store(false);
        why.log();
        let (store, key) = (self.clone(), self.key("probe"));
        tokio::spawn(async move {
            let (mut why, mut logged) = (why, Instant::now());
            loop {
                sleep(PROBE_INTERVAL).await;
                let still = match store
                    .within(RECONNECT_TIMEOUT, |manager| probe(manager, key.clone()))
                    .await
                {
                    Err(StoreFailure::Unavailable(still)) => still,
                    Ok(_) | Err(StoreFailure::Refused(_)) => break,
                };
                // Only an operator can correct a password.
                let is_news = still.is_password && !why.is_password;
                if is_news || still.is_password && logged.elapsed() > LOG_INTERVAL {
                    still.log();
                    logged = Instant::now();
                }
                why = still;
            }
            store.0.is_up.store(true, Ordering::Release);
            metrics::shared_store(true);
            tracing::info!("the shared store is back");
        });
    }
}

/// Why an operation failed.
enum StoreFailure {
    /// The store is unavailable or cannot do anything for us.
    Unavailable(UnavailableReason),
    /// The store refuses this operation: a key of another type, or no memory for new data.
    Refused(String),
}

/// Why the store is unavailable.
struct UnavailableReason {
    why: String,
    /// Whether it refuses our password, or requires one.
    is_password: bool,
}

impl UnavailableReason {
    fn from_error(error: &RedisError) -> Self {
        let is_code = error_codes(error).is_some_and(|codes| {
            let mut codes = codes.iter();
            codes.any(|code| code == "NOAUTH" || code == "WRONGPASS")
        });
        Self {
            why: error.to_string(),
            is_password: is_code || error.kind() == ErrorKind::AuthenticationFailed,
        }
    }

    fn timed_out() -> Self {
        Self {
            why: "it did not answer in time".to_owned(),
            is_password: false,
        }
    }

    fn log(&self) {
        let why = &self.why;
        if self.is_password {
            tracing::error!(
                why,
                "the shared store refuses the gateway's password: set `password_env` or `password_file` \
                 in [shared]; until then this gateway works alone"
            );
        } else {
            tracing::warn!(
                why,
                "the shared store is unavailable: this gateway works alone"
            );
        }
    }
}

/// The errors of a store that does nothing for us now, or accepts no writes.
const UNAVAILABLE_CODES: [&str; 9] = [
    "LOADING",
    "MASTERDOWN",
    "CLUSTERDOWN",
    "NOAUTH",
    "WRONGPASS",
    "BUSY",
    "READONLY",
    "NOREPLICAS",
    "MISCONF",
];

/// Whether an error means that the store is unavailable, and not only that it refuses one
/// operation.
fn is_unavailable(error: &RedisError) -> bool {
    match error_codes(error) {
        Some(codes) => codes
            .iter()
            .any(|code| UNAVAILABLE_CODES.contains(&code.as_str())),
        None => error.kind() != ErrorKind::UnexpectedReturnType,
    }
}

/// The codes of the store's own errors, one for each failed command; `None` when it did not
/// respond.
fn error_codes(error: &RedisError) -> Option<Vec<String>> {
    let errors = error.clone().into_server_errors()?;
    Some(
        errors
            .iter()
            .map(|(_, error)| error.code().to_owned())
            .collect(),
    )
}

async fn ping(mut manager: ConnectionManager) -> RedisResult<String> {
    redis::cmd("PING").query_async(&mut manager).await
}

/// Checks whether the store accepts writes.
async fn probe(mut manager: ConnectionManager, key: String) -> RedisResult<()> {
    let mut command = redis::cmd("SET");
    command.arg(key).arg(1).arg("PX").arg(1000);
    command.query_async(&mut manager).await
}
