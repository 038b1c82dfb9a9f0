//! The store that the gateway's replicas share: a Redis, or what speaks as one. It is a help and no
//! need: every operation has a short deadline, and when the store is away nobody waits for it.
//!
//! | the store answers | then |
//! |---|---|
//! | nothing, or not in time | it is away |
//! | `LOADING`, `MASTERDOWN`, `CLUSTERDOWN`, `BUSY` | it is away: it does nothing for anybody now |
//! | `NOAUTH`, `WRONGPASS` | it is away, and the log says once a minute that the password is wrong |
//! | `READONLY`, `NOREPLICAS`, `MISCONF` | it is away: nobody could tell the others of a write |
//! | another error | this operation is refused: a key of another type, no memory, no permission |

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

/// How long the store may take to be reached again; nobody waits for it.
const REACH: Duration = Duration::from_millis(500);
/// How often a store that is away is asked whether it is back.
const PROBE: Duration = Duration::from_millis(250);
/// For how long an answer tells that the store is there.
const FRESH: Duration = Duration::from_secs(1);

/// For how long it is not said again that the store refuses something.
const SILENCE: Duration = Duration::from_secs(60);

/// How the store is used.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// What every key begins with.
    pub prefix: String,
    /// How many gateways share the store.
    pub replicas: u32,
    /// How long one operation may take.
    pub timeout: Duration,
}

/// A connection to the shared store. Cheap to clone.
#[derive(Clone)]
pub struct Store(Arc<StoreInner>);

struct StoreInner {
    client: Client,
    terms: StoreOptions,
    /// Made by the first operation, for it needs a runtime.
    manager: OnceLock<ConnectionManager>,
    is_up: AtomicBool,
    answered: Mutex<Option<Instant>>,
    /// When it was last said that it refuses something.
    said: Mutex<Option<Instant>>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

impl Store {
    /// A store at an address. It is not asked yet.
    ///
    /// # Errors
    /// What is wrong with the address.
    pub fn at(
        url: &str,
        password: Option<&SecretString>,
        terms: StoreOptions,
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
            terms,
            manager: OnceLock::new(),
            is_up: AtomicBool::new(true),
            answered: Mutex::default(),
            said: Mutex::default(),
        })))
    }

    /// A key of ours.
    #[must_use]
    pub fn key(&self, name: &str) -> String {
        format!("{}:{name}", self.0.terms.prefix)
    }

    /// How many gateways share the store.
    #[must_use]
    pub fn replicas(&self) -> u32 {
        self.0.terms.replicas
    }

    /// Whether the store was there when it was last asked.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.0.is_up.load(Ordering::Acquire)
    }

    /// Does something with the store. `None` when it refuses that, is away, or takes too long; when it is
    /// away it is not asked until it is back.
    pub async fn ask<T, F>(&self, work: impl FnOnce(ConnectionManager) -> F) -> Option<T>
    where
        T: FromRedisValue,
        F: Future<Output = RedisResult<T>>,
    {
        if !self.is_up() {
            return None;
        }
        match self.within(self.0.terms.timeout, work).await {
            Ok(answer) => Some(answer),
            Err(StoreFailure::Away(why)) => {
                self.lose(why);
                None
            }
            Err(StoreFailure::Refused(why)) => {
                self.refused(&why);
                None
            }
        }
    }

    /// Says that the store refused something, now and then: it is there, and good for all else.
    fn refused(&self, why: &str) {
        let mut said = self.0.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.is_none_or(|at| at.elapsed() > SILENCE) {
            *said = Some(Instant::now());
            tracing::warn!(why, "the shared store refuses an operation");
        }
    }

    /// Whether the store is there now.
    pub async fn check(&self) -> bool {
        let answered = self.answered();
        if self.is_up() && answered.is_none_or(|at| at.elapsed() > FRESH) {
            self.ask(ping).await.is_some()
        } else {
            self.is_up()
        }
    }

    fn answered(&self) -> Option<Instant> {
        *self
            .0
            .answered
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
                    .set_max_delay(PROBE)
                    .set_connection_timeout(Some(REACH))
                    .set_response_timeout(Some(REACH.max(limit)));
                let client = self.0.client.clone();
                let made = ConnectionManager::new_lazy_with_config(client, config);
                let made = made.map_err(|error| StoreFailure::Away(Absence::of(&error)))?;
                self.0.manager.get_or_init(|| made).clone()
            }
        };
        let answer = timeout(limit, work(manager)).await;
        let late = |_| StoreFailure::Away(Absence::late());
        let answer = answer.map_err(late)?;
        if answer.as_ref().is_err_and(is_away) {
            return answer.map_err(|error| StoreFailure::Away(Absence::of(&error)));
        }
        let mut answered = self
            .0
            .answered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *answered = Some(Instant::now());
        answer.map_err(|error| StoreFailure::Refused(error.to_string()))
    }

    /// The store is away: from now on somebody looks whether it is back, and nobody else.
    fn lose(&self, why: Absence) {
        if !self.0.is_up.swap(false, Ordering::AcqRel) {
            return;
        }
        metrics::shared_store(false);
        why.log();
        let (store, key) = (self.clone(), self.key("probe"));
        tokio::spawn(async move {
            let (mut why, mut logged) = (why, Instant::now());
            loop {
                sleep(PROBE).await;
                let still = match store
                    .within(REACH, |manager| probe(manager, key.clone()))
                    .await
                {
                    Err(StoreFailure::Away(still)) => still,
                    Ok(_) | Err(StoreFailure::Refused(_)) => break,
                };
                // Only an operator can set a password right.
                let is_news = still.is_password && !why.is_password;
                if is_news || still.is_password && logged.elapsed() > SILENCE {
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

/// Why the store did not do something.
enum StoreFailure {
    /// It is not there, or cannot do anything for us.
    Away(Absence),
    /// It is there and refuses this: a key of another type, or no memory left for what is new.
    Refused(String),
}

/// Why the store is away.
struct Absence {
    why: String,
    /// Whether it refuses our password, or wants one.
    is_password: bool,
}

impl Absence {
    fn of(error: &RedisError) -> Self {
        let is_code = codes(error).is_some_and(|codes| {
            let mut codes = codes.iter();
            codes.any(|code| code == "NOAUTH" || code == "WRONGPASS")
        });
        Self {
            why: error.to_string(),
            is_password: is_code || error.kind() == ErrorKind::AuthenticationFailed,
        }
    }

    fn late() -> Self {
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
                 in [shared]; until then this gateway goes on alone"
            );
        } else {
            tracing::warn!(why, "the shared store is away: this gateway goes on alone");
        }
    }
}

/// The answers of a store that does nothing for us now, or takes no writes.
const USELESS: [&str; 9] = [
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

/// Whether an error says that the store is of no use, and not that it refuses one operation.
fn is_away(error: &RedisError) -> bool {
    match codes(error) {
        Some(codes) => codes.iter().any(|code| USELESS.contains(&code.as_str())),
        None => error.kind() != ErrorKind::UnexpectedReturnType,
    }
}

/// The codes of the store's own errors, one for each command that failed; `None` when it did not answer.
fn codes(error: &RedisError) -> Option<Vec<String>> {
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

/// Asks whether the store takes writes.
async fn probe(mut manager: ConnectionManager, key: String) -> RedisResult<()> {
    let mut command = redis::cmd("SET");
    command.arg(key).arg(1).arg("PX").arg(1000);
    command.query_async(&mut manager).await
}
