//! Batched, deduplicated lookups for one GraphQL request: one loader per account and kind of key.

mod batch;

use std::{
    collections::HashMap,
    fmt::Debug,
    hash::Hash,
    sync::{Arc, OnceLock},
};

use batch::Loader;

use crate::{
    account::Account,
    connectors::{Expand, Subresource},
    context::RequestContext,
    directory::{Directory, EmailSearchResult, FoundUser, SubresourceResult},
    error::{Error, ErrorKind, Result},
    user::Email,
};

/// A key, and the fields of its user that are needed.
type LoadKey<K> = (K, Expand);
type ById = Loader<LoadKey<String>, FoundUser>;
type ByEmail = Loader<LoadKey<Email>, EmailSearchResult>;

/// The loaders of one account, each made when it is first used.
struct AccountLoaders {
    source: BatchSource,
    by_id: OnceLock<ById>,
    by_external_id: OnceLock<ById>,
    by_email: OnceLock<ByEmail>,
    subresources: OnceLock<Loader<(String, Subresource), SubresourceResult>>,
}

impl AccountLoaders {
    fn new(source: BatchSource) -> Self {
        Self {
            source,
            by_id: OnceLock::new(),
            by_external_id: OnceLock::new(),
            by_email: OnceLock::new(),
            subresources: OnceLock::new(),
        }
    }

    fn by_id(&self) -> &ById {
        self.by_id.get_or_init(|| {
            user_loader(&self.source, |from, ids, expand| async move {
                from.directory.by_id(&from.context, ids, expand).await
            })
        })
    }

    fn by_external_id(&self) -> &ById {
        self.by_external_id.get_or_init(|| {
            user_loader(&self.source, |from, ids, expand| async move {
                let directory = from.directory;
                directory.by_external_id(&from.context, ids, expand).await
            })
        })
    }

    fn by_email(&self) -> &ByEmail {
        self.by_email.get_or_init(|| {
            user_loader(&self.source, |from, emails, expand| async move {
                from.directory.by_email(&from.context, emails, expand).await
            })
        })
    }

    fn subresources(&self) -> &Loader<(String, Subresource), SubresourceResult> {
        self.subresources.get_or_init(|| {
            directory_loader(&self.source, |from, keys| async move {
                from.directory.subresources(&from.context, keys).await
            })
        })
    }
}

/// All loaders of one GraphQL request.
pub struct Loaders {
    loaders: HashMap<Account, AccountLoaders>,
    context: RequestContext,
}

/// The approximate number of bytes that a waiting field takes: there may be one per row and alias.
const BYTES_PER_WAITER: usize = 2048;

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
    R: Future<Output = Vec<V>> + Send + 'static,
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
    R: Future<Output = Vec<V>> + Send + 'static,
{
    directory_loader(source, move |source, wanted: Vec<LoadKey<K>>| {
        let expands = wanted.iter().map(|(_, expand)| *expand);
        let expand = expands.fold(Expand::default(), Expand::union);
        let (mut keys, mut places) = (Vec::new(), HashMap::new());
        for (key, _) in &wanted {
            places.entry(key.clone()).or_insert_with(|| {
                keys.push(key.clone());
                keys.len() - 1
            });
        }
        let values = run(source, keys, expand);
        async move {
            let values = values.await;
            let loaded = wanted
                .iter()
                .filter_map(|(key, _)| values.get(*places.get(key)?));
            loaded.cloned().collect()
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
            let loaders = AccountLoaders::new(source);
            (directory.account(), loaders)
        });
        Self {
            loaders: loaders.collect(),
            context: context.clone(),
        }
    }

    /// The loaders of an account, for a field that will wait for a key.
    fn account_loaders(&self, account: Account) -> Result<&AccountLoaders> {
        self.context.meter().charge(BYTES_PER_WAITER)?;
        self.loaders
            .get(&account)
            .ok_or_else(|| Error::new(ErrorKind::Internal, "there is no loader for this account"))
    }

    /// Loads a user by the provider's id.
    ///
    /// # Errors
    /// The provider's error; `None` means that there is no such user.
    pub async fn by_id(&self, account: Account, id: String, expand: Expand) -> FoundUser {
        self.user(account, AccountLoaders::by_id, (id, expand))
            .await
    }

    /// Loads a user by your systems' id.
    ///
    /// # Errors
    /// The provider's error; `None` means that there is no such user.
    pub async fn by_external_id(&self, account: Account, id: String, expand: Expand) -> FoundUser {
        self.user(account, AccountLoaders::by_external_id, (id, expand))
            .await
    }

    /// Loads a user by one kind of id; nobody has an empty one.
    async fn user(
        &self,
        account: Account,
        loader: impl FnOnce(&AccountLoaders) -> &ById,
        key: LoadKey<String>,
    ) -> FoundUser {
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
            .by_email()
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
        let loaders = self.account_loaders(account)?;
        loaders.subresources().load((id, part)).await
    }
}
