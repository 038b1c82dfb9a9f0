//! One write at a time for each key that names a user: who looks and then creates must not do so
//! beside another. In this process by locks; with a shared store by a lease there too, which the
//! gateways of all replicas keep to (`docs/adr/0011-leases-for-writes.md`).

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use redis::{RedisResult, Script, aio::ConnectionManager};
use tokio::{
    runtime::Handle,
    sync::{Mutex as AsyncMutex, OwnedMutexGuard},
    task::JoinHandle,
    time::{Instant, sleep, timeout_at},
};

use crate::{recent_writes::WriteKey, shared::Store};

/// The time after which the store frees a lease whose gateway died.
const LIFE: Duration = Duration::from_secs(10);

/// The time between renewals: two may fail.
const RENEWAL: Duration = Duration::from_secs(3);

/// The longest wait before a lease that another gateway holds is asked for again.
const PATIENCE: Duration = Duration::from_millis(40);

/// The longest wait for another gateway's write whose end the store cannot tell any more.
const LAST_WAIT: Duration = Duration::from_secs(2);

/// Takes all keys or none, so that no two gateways wait for each other; or renews what is ours.
static TAKE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "for _, key in ipairs(KEYS) do
           if redis.call('TYPE', key).ok == 'string' then
             if redis.call('GET', key) ~= ARGV[1] then return 0 end
           else
             redis.call('DEL', key)
           end
         end
         for _, key in ipairs(KEYS) do redis.call('SET', key, ARGV[1], 'PX', ARGV[2]) end
         return 1",
    )
});

/// Frees the keys that are still ours, and counts them.
static FREE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local ours = 0
         for _, key in ipairs(KEYS) do
           if redis.call('TYPE', key).ok == 'string' and redis.call('GET', key) == ARGV[1] then
             ours = ours + redis.call('DEL', key)
           end
         end
         return ours",
    )
});

/// The leases for writes to one account. Cheap to clone.
#[derive(Clone, Default)]
pub struct Leases {
    locks: Locks,
    shared: Option<(Store, String)>,
}

/// The locks that somebody holds or waits for. One that nobody wants is not kept.
type Locks = Arc<Mutex<HashMap<WriteKey, Arc<AsyncMutex<()>>>>>;

fn lock_map(locks: &Locks) -> MutexGuard<'_, HashMap<WriteKey, Arc<AsyncMutex<()>>>> {
    locks.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Leases {
    /// Leases in this process, and at the other gateways that share a store, under a name of the
    /// account.
    #[must_use]
    pub fn new(shared: Option<(Store, String)>) -> Self {
        Self {
            locks: Locks::default(),
            shared,
        }
    }

    /// Takes a lease on all keys; `None` when others hold one of them until the deadline. The order
    /// of the keys is fixed, so that no two writes wait for each other.
    pub async fn take(&self, keys: &BTreeSet<WriteKey>, until: Instant) -> Option<Lease> {
        let mut locks = Vec::with_capacity(keys.len());
        for key in keys {
            let lock = LocalLock::new(key, &self.locks);
            locks.push(timeout_at(until, lock.held()).await.ok()?);
        }
        let Some((store, account)) = &self.shared else {
            return Some(Lease {
                locks,
                shared: None,
            });
        };
        let names = keys.iter().map(|key| {
            let name = format!("lease:{{{account}}}:{}", key.name());
            store.key(&name)
        });
        let shared = SharedLease::take(store.clone(), names.collect(), until).await?;
        let shared = Some(shared);
        Some(Lease { locks, shared })
    }
}

/// A lock on one key in this process.
struct LocalLock {
    locks: Locks,
    key: WriteKey,
    mutex: Arc<AsyncMutex<()>>,
    acquire: Option<OwnedMutexGuard<()>>,
}

impl LocalLock {
    fn new(key: &WriteKey, locks: &Locks) -> Self {
        let mutex = Arc::clone(lock_map(locks).entry(key.clone()).or_default());
        Self {
            locks: Arc::clone(locks),
            key: key.clone(),
            mutex,
            acquire: None,
        }
    }

    async fn held(mut self) -> Self {
        self.acquire = Some(Arc::clone(&self.mutex).lock_owned().await);
        self
    }
}

impl Drop for LocalLock {
    fn drop(&mut self) {
        self.acquire = None;
        let mut locks = lock_map(&self.locks);
        // The list's and this one: nobody else holds it or waits for it.
        if Arc::strong_count(&self.mutex) == 2 {
            locks.remove(&self.key);
        }
    }
}

/// A lease that is held. It ends when it is released or dropped; in the store also when its gateway
/// dies, a little later.
pub struct Lease {
    locks: Vec<LocalLock>,
    shared: Option<SharedLease>,
}

impl Lease {
    /// Ends it, first for the other gateways. False when it was not held there all the time:
    /// another gateway may have written.
    pub async fn release(mut self) -> bool {
        match self.shared.take() {
            Some(shared) => shared.free().await,
            None => true,
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(shared) = self.shared.take() else {
            return;
        };
        let locks = std::mem::take(&mut self.locks);
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                shared.free().await;
                drop(locks);
            });
        }
    }
}

/// A lease in the store, renewed as long as it is held.
struct SharedLease {
    keys: Arc<LeaseKeys>,
    /// Whether it was, at any time, not held.
    is_lost: Arc<Mutex<bool>>,
    renewal: JoinHandle<()>,
}

/// The keys of a lease in the store, and what says whose it is.
struct LeaseKeys {
    store: Store,
    names: Vec<String>,
    token: String,
}

impl LeaseKeys {
    /// Takes or renews all keys: whether they are ours, or `None` when the store does not say.
    async fn take(&self) -> Option<bool> {
        let mut script = TAKE.prepare_invoke();
        for name in &self.names {
            script.key(name);
        }
        script.arg(&self.token).arg(LIFE.as_millis() as u64);
        let work = async |mut manager: ConnectionManager| -> RedisResult<bool> {
            script.invoke_async(&mut manager).await
        };
        self.store.run(work).await
    }

    /// Frees the keys. False when one of them was not ours any more, or the store does not say.
    async fn free(&self) -> bool {
        let mut script = FREE.prepare_invoke();
        for name in &self.names {
            script.key(name);
        }
        script.arg(&self.token);
        let work = async |mut manager: ConnectionManager| -> RedisResult<usize> {
            script.invoke_async(&mut manager).await
        };
        // The store frees it in the end, where this fails.
        self.store.run(work).await == Some(self.names.len())
    }
}

impl SharedLease {
    /// Takes it when the others have let go; where the store is away it is taken without it. `None`
    /// when the deadline comes first.
    async fn take(store: Store, names: Vec<String>, until: Instant) -> Option<Self> {
        let keys = Arc::new(LeaseKeys {
            store,
            names,
            token: format!("{:032x}", fastrand::u128(..)),
        });
        let mut is_held = false;
        loop {
            match keys.take().await {
                Some(false) => {
                    is_held = true;
                    let wait = PATIENCE.mul_f64(0.5 + fastrand::f64() / 2.0);
                    if Instant::now() + wait >= until {
                        return None;
                    }
                    sleep(wait).await;
                }
                Some(true) => return Some(Self::start_renewal(keys, false)),
                None => {
                    if is_held {
                        // Somebody writes: his record is better found than made again.
                        let left = until.saturating_duration_since(Instant::now());
                        sleep(LAST_WAIT.min(left / 2)).await;
                    }
                    return Some(Self::start_renewal(keys, true));
                }
            }
        }
    }

    fn start_renewal(keys: Arc<LeaseKeys>, is_lost: bool) -> Self {
        let is_lost = Arc::new(Mutex::new(is_lost));
        let (renewed, lost) = (Arc::clone(&keys), Arc::clone(&is_lost));
        let renewal = tokio::spawn(async move {
            loop {
                sleep(RENEWAL).await;
                if renewed.take().await != Some(true) {
                    *lost.lock().unwrap_or_else(PoisonError::into_inner) = true;
                }
            }
        });
        Self {
            keys,
            is_lost,
            renewal,
        }
    }

    /// Frees it. False when it was, at any time, not held.
    async fn free(self) -> bool {
        self.renewal.abort();
        let is_ours = self.keys.free().await;
        let is_lost = self.is_lost.lock();
        is_ours && !*is_lost.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for SharedLease {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, time::Duration};

    use tokio::time::{Instant, timeout};

    use super::{Leases, lock_map};
    use crate::recent_writes::WriteKey;

    fn keys(names: &[&str]) -> BTreeSet<WriteKey> {
        names.iter().map(|name| WriteKey::id(name)).collect()
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(20)
    }

    #[tokio::test]
    async fn keys_are_held_by_one_at_a_time_and_nothing_is_left_of_them() {
        let leases = Leases::default();
        let held = leases.take(&keys(&["a", "b"]), soon()).await;

        assert!(leases.take(&keys(&["b", "c"]), soon()).await.is_none());
        assert!(leases.take(&keys(&["c"]), soon()).await.is_some());
        assert_eq!(lock_map(&leases.locks).len(), 2);
        drop(held);
        assert!(leases.take(&keys(&["b", "c"]), soon()).await.is_some());
        assert_eq!(lock_map(&leases.locks).len(), 0);
    }

    #[tokio::test]
    async fn those_who_want_the_same_keys_in_any_order_all_have_their_turn() {
        let leases = Leases::default();
        let turns = (0..50).map(|at| {
            let leases = leases.clone();
            let names = if at % 2 == 0 { ["a", "b"] } else { ["b", "a"] };
            tokio::spawn(async move {
                let until = Instant::now() + Duration::from_secs(20);
                let lease = leases.take(&keys(&names), until).await.expect("a turn");
                tokio::task::yield_now().await;
                lease.release().await;
            })
        });
        let turns: Vec<_> = turns.collect();
        for turn in turns {
            let turn = timeout(Duration::from_secs(20), turn).await;
            turn.expect("in time").expect("no panic");
        }
        assert_eq!(lock_map(&leases.locks).len(), 0);
    }

    #[tokio::test]
    async fn a_holder_that_panics_lets_go() {
        let leases = Leases::default();
        let other = leases.clone();
        let holder = tokio::spawn(async move {
            let _lease = other.take(&keys(&["a"]), soon()).await;
            panic!("as tests do");
        });
        assert!(holder.await.is_err());

        assert!(leases.take(&keys(&["a"]), soon()).await.is_some());
    }
}
