//! Leases that all replicas keep to: one holder at a time for each key
//! (`docs/adr/0011-leases-for-writes.md`).

use std::{
    sync::{Arc, LazyLock, Mutex, PoisonError},
    time::Duration,
};

use redis::{RedisResult, Script, aio::ConnectionManager};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};

use super::Store;

/// The time after which the store frees a lease whose gateway died.
const LEASE_LIFETIME: Duration = Duration::from_secs(10);

/// The time between renewals: two may fail.
const RENEWAL_INTERVAL: Duration = Duration::from_secs(3);

/// The longest wait before a lease that another gateway holds is asked for again.
const MAX_POLL_INTERVAL: Duration = Duration::from_millis(40);

/// The longest wait for another gateway's write whose end the store cannot tell any more.
const MAX_BLIND_WAIT: Duration = Duration::from_secs(2);

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

/// A lease in the store, renewed as long as it is held.
pub struct SharedLease {
    keys: Arc<LeaseKeys>,
    /// Whether it was, at any time, not held.
    is_lost: Arc<Mutex<bool>>,
    renewal: JoinHandle<()>,
}

/// The keys of a lease in the store, and the token of its holder.
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
        script
            .arg(&self.token)
            .arg(LEASE_LIFETIME.as_millis() as u64);
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
    pub async fn take(store: Store, names: Vec<String>, until: Instant) -> Option<Self> {
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
                    let wait = MAX_POLL_INTERVAL.mul_f64(0.5 + fastrand::f64() / 2.0);
                    if Instant::now() + wait >= until {
                        return None;
                    }
                    sleep(wait).await;
                }
                Some(true) => return Some(Self::start_renewal(keys, false)),
                None => {
                    if is_held {
                        // Another gateway is writing: wait, so that its record is found and not created again.
                        let left = until.saturating_duration_since(Instant::now());
                        sleep(MAX_BLIND_WAIT.min(left / 2)).await;
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
                sleep(RENEWAL_INTERVAL).await;
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
    pub async fn free(self) -> bool {
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
