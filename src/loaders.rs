//! Batched, deduplicated lookups for one GraphQL request: one loader per account and kind of key,
//! on the `dataloader` crate.
//!
//! The crate runs a batch while it holds its lock, chunk after chunk, and loses the waiters of a
//! batch whose leader was cancelled. So a batch here does no work: it starts a task and returns
//! `LoadHandle`s at once. Waiters await their handles, batches run in parallel, a panic becomes an
//! error value, and the task ends when nobody waits any more.

use std::{
    collections::{HashMap, HashSet},
    fmt::Debug,
    hash::Hash,
    sync::Arc,
};

use dataloader::{BatchFn, cached};
use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use crate::{
    account::Account,
    connectors::{Expand, Subresource},
    context::RequestContext,
    directory::{Directory, EmailSearchResult, SubresourceResult},
    error::{Error, ErrorKind, Result},
    user::{Email, User},
};

type LoadedValues<K, V> = Arc<Result<HashMap<K, V>>>;
type LoadFn<K, V> = Arc<dyn Fn(Vec<K>) -> BoxFuture<'static, HashMap<K, V>> + Send + Sync>;

/// A handle to one key's value in a batch in flight.
struct LoadHandle<K: 'static, V: 'static>(Shared<BoxFuture<'static, LoadedValues<K, V>>>);

impl<K, V> Clone for LoadHandle<K, V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

struct LoadBatch<K, V>(LoadFn<K, V>);

impl<K, V> BatchFn<K, LoadHandle<K, V>> for LoadBatch<K, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    async fn load(&mut self, keys: &[K]) -> HashMap<K, LoadHandle<K, V>> {
        let task = AbortOnDropHandle::new(tokio::spawn((self.0)(keys.to_vec()).in_current_span()));
        let answers = task.map(|answers| {
            Arc::new(answers.map_err(|failure| {
                tracing::error!(%failure, "a batch of lookups ended early");
                Error::new(ErrorKind::Internal, "a lookup failed inside the gateway")
            }))
        });
        let handle = LoadHandle(answers.boxed().shared());
        keys.iter()
            .map(|key| (key.clone(), handle.clone()))
            .collect()
    }
}

/// Loads values by key: equal keys once, and keys that are requested together in one batch.
struct Loader<K, V>(cached::Loader<K, LoadHandle<K, V>, LoadBatch<K, V>>)
where
    K: Clone + Debug + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static;

impl<K, V> Loader<K, V>
where
    K: Clone + Debug + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    fn new<R>(run: impl Fn(Vec<K>) -> R + Send + Sync + 'static) -> Self
    where
        R: Future<Output = HashMap<K, V>> + Send + 'static,
    {
        let run: LoadFn<K, V> = Arc::new(move |keys| run(keys).boxed());
        Self(cached::Loader::new(LoadBatch(run)).with_max_batch_size(usize::MAX))
    }

    async fn load(&self, key: K) -> Result<V> {
        let lost = || Error::new(ErrorKind::Internal, "a lookup was lost inside the gateway");
        let handle = match self.0.try_load(key.clone()).await {
            Ok(handle) => handle,
            // The leader of the batch was cancelled at the only moment at which that loses its
            // keys.
            Err(_) => self.0.try_load(key.clone()).await.map_err(|_| lost())?,
        };
        let answers = handle.0.await;
        match answers.as_ref() {
            Ok(answers) => answers.get(&key).cloned().ok_or_else(lost),
            Err(error) => Err(error.clone()),
        }
    }
}

/// A key, and the fields of its user that are needed.
type LoadKey<K> = (K, Expand);
type ById = Loader<LoadKey<String>, Result<Option<Arc<User>>>>;
type ByEmail = Loader<LoadKey<Email>, EmailSearchResult>;

struct AccountLoaders {
    by_id: ById,
    by_external_id: ById,
    by_email: ByEmail,
    parts: Loader<(String, Subresource), SubresourceResult>,
}

/// All loaders of one GraphQL request.
pub struct Loaders {
    loaders: HashMap<Account, AccountLoaders>,
    context: RequestContext,
}

/// The approximate number of bytes that a waiting field takes: there may be one per row and alias.
const WAITING: usize = 2048;

/// The source that batches read from.
#[derive(Clone)]
struct BatchSource {
    directory: Arc<Directory>,
    context: RequestContext,
}

/// A loader whose batches call one account's directory.
fn directory_loader<K, V, R>(
    source: &BatchSource,
    run: impl Fn(BatchSource, Vec<K>) -> R + Send + Sync + 'static,
) -> Loader<K, V>
where
    K: Clone + Debug + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    R: Future<Output = HashMap<K, V>> + Send + 'static,
{
    let source = source.clone();
    Loader::new(move |keys| run(source.clone(), keys))
}

/// A loader of users. A batch reads each key once, with all fields that any of its keys needs.
fn user_loader<K, V, R>(
    source: &BatchSource,
    run: impl Fn(BatchSource, Vec<K>, Expand) -> R + Send + Sync + 'static,
) -> Loader<LoadKey<K>, V>
where
    K: Clone + Debug + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    R: Future<Output = HashMap<K, V>> + Send + 'static,
{
    directory_loader(source, move |source, wanted: Vec<LoadKey<K>>| {
        let expands = wanted.iter().map(|(_, expand)| *expand);
        let expand = expands.fold(Expand::default(), Expand::union);
        let mut seen = HashSet::new();
        let keys = wanted.iter().map(|(key, _)| key.clone());
        let keys = keys.filter(|key| seen.insert(key.clone())).collect();
        let values = run(source, keys, expand);
        async move {
            let values = values.await;
            let loaded = wanted.into_iter();
            let loaded = loaded.filter_map(|key| Some((key.clone(), values.get(&key.0)?.clone())));
            loaded.collect()
        }
    })
}

impl Loaders {
    /// Loaders for one request, whose work ends at the context's deadline.
    #[must_use]
    pub fn new<'a>(
        directories: impl IntoIterator<Item = &'a Arc<Directory>>,
        context: &RequestContext,
    ) -> Self {
        let loaders = directories.into_iter().map(|directory| {
            let source = BatchSource {
                directory: Arc::clone(directory),
                context: context.clone(),
            };
            let loaders = AccountLoaders {
                by_id: user_loader(&source, |from, ids, expand| async move {
                    from.directory.by_id(&from.context, ids, expand).await
                }),
                by_external_id: user_loader(&source, |from, ids, expand| async move {
                    let directory = from.directory;
                    directory.by_external_id(&from.context, ids, expand).await
                }),
                by_email: user_loader(&source, |from, emails, expand| async move {
                    from.directory.by_email(&from.context, emails, expand).await
                }),
                parts: directory_loader(&source, |from, keys| async move {
                    from.directory.subresources(&from.context, keys).await
                }),
            };
            (directory.account(), loaders)
        });
        Self {
            loaders: loaders.collect(),
            context: context.clone(),
        }
    }

    /// The loaders of an account, for a field that will wait for a key.
    fn account_loaders(&self, account: Account) -> Result<&AccountLoaders> {
        self.context.meter().charge(WAITING)?;
        self.loaders
            .get(&account)
            .ok_or_else(|| Error::new(ErrorKind::Internal, "there is no loader for this account"))
    }

    /// Loads a user by the provider's id.
    ///
    /// # Errors
    /// The provider's error; `None` means that there is no such user.
    pub async fn by_id(
        &self,
        account: Account,
        id: String,
        expand: Expand,
    ) -> Result<Option<Arc<User>>> {
        self.user(account, |loaders| &loaders.by_id, (id, expand))
            .await
    }

    /// Loads a user by your systems' id.
    ///
    /// # Errors
    /// The provider's error; `None` means that there is no such user.
    pub async fn by_external_id(
        &self,
        account: Account,
        id: String,
        expand: Expand,
    ) -> Result<Option<Arc<User>>> {
        self.user(account, |loaders| &loaders.by_external_id, (id, expand))
            .await
    }

    /// Loads a user by one kind of id; nobody has an empty one.
    async fn user(
        &self,
        account: Account,
        loader: impl FnOnce(&AccountLoaders) -> &ById,
        key: LoadKey<String>,
    ) -> Result<Option<Arc<User>>> {
        if key.0.is_empty() {
            return Ok(None);
        }
        loader(self.account_loaders(account)?).load(key).await?
    }

    /// Loads the users with one address at one account.
    ///
    /// # Errors
    /// A fault of the gateway; a provider's failure is in the search's report.
    pub async fn by_email(
        &self,
        account: Account,
        email: Email,
        expand: Expand,
    ) -> Result<EmailSearchResult> {
        self.account_loaders(account)?
            .by_email
            .load((email, expand))
            .await
    }

    /// Loads a subresource of a user that needs its own call, with the usage of that call.
    ///
    /// # Errors
    /// A fault of the gateway or of the request; a provider's failure is in the result.
    pub async fn subresource(
        &self,
        account: Account,
        id: String,
        part: Subresource,
    ) -> Result<SubresourceResult> {
        self.account_loaders(account)?.parts.load((id, part)).await
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::HashMap,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
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
            async move {
                keys.into_iter()
                    .map(|key| (key, key * 2))
                    .collect::<HashMap<_, _>>()
            }
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
                keys.into_iter()
                    .map(|key| (key, key))
                    .collect::<HashMap<_, _>>()
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
                keys.into_iter()
                    .map(|key| (key, key))
                    .collect::<HashMap<_, _>>()
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
    async fn a_batch_that_panics_is_an_error_for_its_waiters() {
        let loader: Loader<u32, u32> = Loader::new(|_| async { panic!("on purpose") });

        assert!(loader.load(1).await.is_err());
    }
}
