//! One write at a time for each key that names a user: who looks and then creates must not do so
//! beside another. In this process by locks; with a shared store by a lease there too, which the
//! gateways of all replicas keep to (`docs/adr/0011-leases-for-writes.md`).

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    runtime::Handle,
    sync::{Mutex as AsyncMutex, OwnedMutexGuard},
    time::{Instant, timeout_at},
};

use crate::{
    recent_writes::WriteKey,
    shared::{Store, leases::SharedLease},
};

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
