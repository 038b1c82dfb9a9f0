//! A loader on the `dataloader` crate.
//!
//! The crate runs a batch while it holds its lock, chunk after chunk, and loses the waiters of a
//! batch whose leader was cancelled. So a batch here does no work: it returns `LoadHandle`s at once.
//! The first waiter starts the batch. It runs in the tasks of those that wait for it, batches run
//! side by side, and a panic becomes an error value. When nobody waits any more it is dropped, so
//! that it holds no place in a queue; a later waiter starts it again.

use std::{
    collections::HashMap,
    fmt::Debug,
    hash::Hash,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use dataloader::{BatchFn, cached};
use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared, WeakShared},
};
use tracing::Instrument;

use crate::error::{Error, ErrorKind, Result};

/// The values of a batch, in the order of its keys.
type LoadedValues<V> = Arc<Result<Vec<V>>>;
/// Returns a value for each key, in their order.
type LoadFn<K, V> = Arc<dyn Fn(Vec<K>) -> BoxFuture<'static, Vec<V>> + Send + Sync>;
type RunningBatch<V> = Shared<BoxFuture<'static, LoadedValues<V>>>;

/// Keys that are looked up together.
struct Batch<K: 'static, V: 'static> {
    keys: Vec<K>,
    load: LoadFn<K, V>,
    state: Mutex<BatchState<V>>,
}

enum BatchState<V: 'static> {
    /// Nobody has waited for it yet.
    Idle,
    /// It runs as long as somebody waits for it.
    Running(WeakShared<BoxFuture<'static, LoadedValues<V>>>),
    Done(LoadedValues<V>),
}

impl<K, V> Batch<K, V>
where
    K: Clone + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    async fn values(&self) -> LoadedValues<V> {
        let running = {
            let mut state = self.state();
            let running = match &*state {
                BatchState::Done(values) => return Arc::clone(values),
                BatchState::Running(running) => running.upgrade(),
                BatchState::Idle => None,
            };
            running.unwrap_or_else(|| {
                let running = self.start();
                if let Some(weak) = running.downgrade() {
                    *state = BatchState::Running(weak);
                }
                running
            })
        };
        let values = running.await;
        *self.state() = BatchState::Done(Arc::clone(&values));
        values
    }

    fn start(&self) -> RunningBatch<V> {
        let values = (self.load)(self.keys.clone()).in_current_span();
        let values = AssertUnwindSafe(values).catch_unwind().map(|values| {
            Arc::new(values.map_err(|_| {
                tracing::error!("a batch of lookups ended with a panic");
                Error::new(ErrorKind::Internal, "a lookup failed inside the gateway")
            }))
        });
        values.boxed().shared()
    }

    fn state(&self) -> MutexGuard<'_, BatchState<V>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A handle to one key's value in a batch.
struct LoadHandle<K: 'static, V: 'static> {
    batch: Arc<Batch<K, V>>,
    index: usize,
}

impl<K, V> Clone for LoadHandle<K, V> {
    fn clone(&self) -> Self {
        Self {
            batch: Arc::clone(&self.batch),
            index: self.index,
        }
    }
}

struct LoadBatch<K, V>(LoadFn<K, V>);

impl<K, V> BatchFn<K, LoadHandle<K, V>> for LoadBatch<K, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    async fn load(&mut self, keys: &[K]) -> HashMap<K, LoadHandle<K, V>> {
        let batch = Arc::new(Batch {
            keys: keys.to_vec(),
            load: Arc::clone(&self.0),
            state: Mutex::new(BatchState::Idle),
        });
        let handles = keys.iter().enumerate().map(|(index, key)| {
            let batch = Arc::clone(&batch);
            (key.clone(), LoadHandle { batch, index })
        });
        handles.collect()
    }
}

/// How often a caller lets the others of its request run before it starts their batch. Fields that
/// are resolved together ask within one turn; each further turn costs every request some time.
const YIELDS: usize = 2;

/// Loads values by key: equal keys once, and keys that are requested together in one batch.
pub(super) struct Loader<K, V>(cached::Loader<K, LoadHandle<K, V>, LoadBatch<K, V>>)
where
    K: Clone + Debug + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static;

impl<K, V> Loader<K, V>
where
    K: Clone + Debug + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// A loader whose batches are looked up by `run`, which returns a value for each key in their
    /// order.
    pub(super) fn new<R>(run: impl Fn(Vec<K>) -> R + Send + Sync + 'static) -> Self
    where
        R: Future<Output = Vec<V>> + Send + 'static,
    {
        let run: LoadFn<K, V> = Arc::new(move |keys| run(keys).boxed());
        Self(
            cached::Loader::new(LoadBatch(run))
                .with_max_batch_size(usize::MAX)
                .with_yield_count(YIELDS),
        )
    }

    /// Loads the value of a key.
    pub(super) async fn load(&self, key: K) -> Result<V> {
        let lost = || Error::new(ErrorKind::Internal, "a lookup was lost inside the gateway");
        let handle = match self.0.try_load(key.clone()).await {
            Ok(handle) => handle,
            // The leader of the batch was cancelled at the only moment at which that loses its
            // keys.
            Err(_) => self.0.try_load(key.clone()).await.map_err(|_| lost())?,
        };
        match handle.batch.values().await.as_ref() {
            Ok(values) => values.get(handle.index).cloned().ok_or_else(lost),
            Err(error) => Err(error.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use futures_util::FutureExt;
    use tokio::sync::Notify;

    use super::Loader;

    #[tokio::test]
    async fn equal_keys_are_one_key_and_keys_asked_together_one_batch() {
        let batches = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&batches);
        let loader = Loader::new(move |keys: Vec<u32>| {
            count.fetch_add(1, Ordering::SeqCst);
            async move { keys.into_iter().map(|key| key * 2).collect() }
        });

        let values = futures_util::future::join_all([1, 2, 1].map(|key| loader.load(key))).await;

        assert_eq!(
            values
                .into_iter()
                .map(|value| value.expect("a value"))
                .collect::<Vec<_>>(),
            [2, 4, 2]
        );
        assert_eq!(batches.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_waiter_outlives_the_caller_that_led_its_batch() {
        let gate = Arc::new(Notify::new());
        let open = Arc::clone(&gate);
        let loader = Arc::new(Loader::new(move |keys: Vec<u32>| {
            let gate = Arc::clone(&open);
            async move {
                gate.notified().await;
                keys
            }
        }));
        let task = |key| {
            let loader = Arc::clone(&loader);
            tokio::spawn(async move { loader.load(key).await })
        };
        let (leader, waiter) = (task(1), task(1));
        tokio::task::yield_now().await;

        leader.abort();
        assert!(leader.await.expect_err("aborted").is_cancelled());
        gate.notify_one();

        assert_eq!(waiter.await.expect("not aborted").expect("a value"), 1);
    }

    #[tokio::test]
    async fn a_second_wave_does_not_wait_for_the_first() {
        let gate = Arc::new(Notify::new());
        let open = Arc::clone(&gate);
        let loader = Loader::new(move |keys: Vec<u32>| {
            let gate = Arc::clone(&open);
            async move {
                if keys.contains(&1) {
                    gate.notified().await;
                }
                keys
            }
        });
        let mut first = Box::pin(loader.load(1));
        for _ in 0..50 {
            assert!((&mut first).now_or_never().is_none());
            tokio::task::yield_now().await;
        }

        assert_eq!(loader.load(2).await.expect("a value"), 2);
        gate.notify_one();
        assert_eq!(first.await.expect("a value"), 1);
    }

    #[tokio::test]
    async fn a_batch_that_nobody_waits_for_is_dropped_and_starts_again() {
        /// A resource that a batch holds while it runs.
        struct Held(Arc<AtomicUsize>);

        impl Drop for Held {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::SeqCst);
            }
        }

        let (held, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let (count, open) = (Arc::clone(&held), Arc::clone(&gate));
        let loader = Loader::new(move |keys: Vec<u32>| {
            count.fetch_add(1, Ordering::SeqCst);
            let (held, gate) = (Held(Arc::clone(&count)), Arc::clone(&open));
            async move {
                gate.notified().await;
                drop(held);
                keys
            }
        });
        let mut waiting = Box::pin(loader.load(1));
        while held.load(Ordering::SeqCst) == 0 {
            assert!((&mut waiting).now_or_never().is_none());
        }

        drop(waiting);

        assert_eq!(held.load(Ordering::SeqCst), 0);
        gate.notify_one();
        assert_eq!(loader.load(1).await.expect("a value"), 1);
    }

    #[tokio::test]
    async fn a_batch_that_panics_is_an_error_for_its_waiters() {
        let loader: Loader<u32, u32> = Loader::new(|_| async { panic!("on purpose") });

        assert!(loader.load(1).await.is_err());
    }
}
