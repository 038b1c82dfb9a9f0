//! A budget that all replicas share: one script in the shared store keeps it, by one clock.

use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use redis::{RedisResult, Script, aio::ConnectionManager};
use tokio::runtime::Handle;

use super::Store;
use crate::context::Priority;

static SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("spend.lua")));

/// How much longer than its call a lease lives.
const LEASE_GRACE: Duration = Duration::from_secs(2);

/// One account's budget in the store.
#[derive(Clone)]
pub struct SharedBudget(Arc<SharedBudgetInner>);

struct SharedBudgetInner {
    store: Store,
    keys: [String; 3],
    /// Whether an operator configured the windows, and then the windows: calls and milliseconds.
    limits: Vec<u64>,
    replica: String,
    is_known: AtomicBool,
}

/// How a call ended, for the store.
#[derive(Clone, Copy, Debug)]
pub struct LeaseEnd {
    /// How long the call may still arrive at the provider; `None` when it was never sent.
    pub lingers: Option<Duration>,
    /// How long all calls pause from now on; zero when they do not.
    pub closes: Duration,
    /// The rate limit that the provider reported.
    pub quota: Option<ReportedLimit>,
}

/// A rate limit that a provider reported.
#[derive(Clone, Copy, Debug)]
pub struct ReportedLimit {
    /// When the window ends, in unix seconds; this identifies the window.
    pub resets_at: u64,
    /// The time from now until the window ends.
    pub resets_in: Duration,
    /// The calls of one window.
    pub limit: u32,
    /// The calls left in it.
    pub remaining: u32,
}

/// The store's response to a call.
pub enum StoreAnswer {
    /// The call may be made; this many are left in each window.
    Granted(Vec<u32>),
    /// The call must wait this long.
    Refused(Duration),
    /// The store is unavailable.
    Unavailable,
}

impl SharedBudget {
    /// The budget of an account under a name: calls and seconds of each window, and whether an
    /// operator configured them.
    #[must_use]
    pub fn new(store: Store, account: &str, windows: &[(u32, u32)], is_configured: bool) -> Self {
        let key = |part: &str| store.key(&format!("budget:{{{account}}}:{part}"));
        let pairs = windows
            .iter()
            .flat_map(|(calls, seconds)| [u64::from(*calls), u64::from(*seconds) * 1_000]);
        let limits = std::iter::once(u64::from(is_configured)).chain(pairs);
        Self(Arc::new(SharedBudgetInner {
            keys: [key("leases"), key("ended"), key("state")],
            limits: limits.collect(),
            replica: format!("known:{:016x}", fastrand::u64(..)),
            is_known: AtomicBool::new(false),
            store,
        }))
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// Runs the script with a command and up to six arguments.
    async fn run(&self, what: &'static str, arguments: &[String]) -> Option<Vec<i64>> {
        let mut invocation = SCRIPT.prepare_invoke();
        for key in &self.0.keys {
            invocation.key(key);
        }
        invocation.arg(what);
        for place in 0..6 {
            invocation.arg(arguments.get(place).map_or("", String::as_str));
        }
        for number in &self.0.limits {
            invocation.arg(number);
        }
        let work = async |mut manager: ConnectionManager| -> RedisResult<Vec<i64>> {
            invocation.invoke_async(&mut manager).await
        };
        self.0.store.run(work).await
    }

    /// Takes a lease that lives for `lives` at most.
    pub async fn take(&self, lease: u64, class: Priority, lives: Duration) -> StoreAnswer {
        if !self.0.is_known.load(Ordering::Relaxed) && !self.merge(0, "", Duration::ZERO).await {
            return StoreAnswer::Unavailable;
        }
        let arguments = [
            self.lease(lease),
            milliseconds(lives + LEASE_GRACE),
            u8::from(class == Priority::Background).to_string(),
        ];
        match self.run("take", &arguments).await.as_deref() {
            Some([1, left @ ..]) => {
                let left = left
                    .iter()
                    .map(|left| u32::try_from(*left).unwrap_or_default());
                StoreAnswer::Granted(left.collect())
            }
            Some([_, wait]) => StoreAnswer::Refused(Duration::from_millis(
                u64::try_from(*wait).unwrap_or_default(),
            )),
            _ => StoreAnswer::Unavailable,
        }
    }

    fn lease(&self, lease: u64) -> String {
        format!("{}:{lease}", self.0.replica)
    }

    /// Returns a lease, and reports the provider's rate limit; nobody waits for it. A lease that is
    /// not returned expires.
    pub fn release(&self, lease: u64, end: LeaseEnd) {
        let quota = end.quota.map(|quota| {
            let within = quota.resets_in.as_millis();
            let (at, limit, remaining) = (quota.resets_at, quota.limit, quota.remaining);
            format!("{at} {within} {limit} {remaining}")
        });
        let arguments = [
            self.lease(lease),
            end.lingers.map_or_else(|| "-1".to_owned(), milliseconds),
            milliseconds(end.closes),
            quota.unwrap_or_default(),
        ];
        let budget = self.clone();
        // Without a runtime the process is ending, and the lease expires.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move { budget.run("give", &arguments).await });
        }
    }

    /// Reports to the store the calls since it went away and, if it lost our history, everything we
    /// remember. False when it is unavailable.
    pub async fn merge(&self, owed: u32, remembered: &str, closes: Duration) -> bool {
        let arguments = [
            self.0.replica.clone(),
            owed.to_string(),
            remembered.to_owned(),
            milliseconds(closes),
        ];
        let is_merged = self.run("merge", &arguments).await.is_some();
        if is_merged {
            self.0.is_known.store(true, Ordering::Relaxed);
        }
        is_merged
    }
}

fn milliseconds(duration: Duration) -> String {
    duration.as_millis().to_string()
}

#[cfg(test)]
mod tests;
