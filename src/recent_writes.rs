//! Users that were written recently. A provider's search may not find them yet, or may still show
//! their old state, so they are read by id instead.
//!
//! Each gateway remembers its own writes. With a shared store it also knows the writes of the
//! others, while the store is available. A request waits for the store no longer than one operation
//! may take. Neither keys nor values contain personal data: addresses, external ids and records are
//! stored only as hashes.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use moka::sync::Cache;
use sha2::{Digest, Sha256};

use crate::{
    shared::{
        Store,
        writes::{MAX_IDS, SharedWrites},
    },
    user::{User, email::fold, text},
};

/// The largest number of entries; the least used ones leave first.
const ENTRIES: u64 = 30_000;

/// How long a write is remembered, unless a connector knows how long its provider's search lags.
const LAG: Duration = Duration::from_secs(60);

/// The key of a write: a kind, and a hash of the value.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct WriteKey(String);

impl WriteKey {
    /// A user's id at the provider.
    #[must_use]
    pub fn id(id: &str) -> Self {
        Self::new("id", id)
    }

    /// An address, folded for comparison.
    #[must_use]
    pub fn email(folded: &str) -> Self {
        Self::new("email", folded)
    }

    /// Your systems' id.
    #[must_use]
    pub fn external_id(id: &str) -> Self {
        Self::new("external-id", id)
    }

    /// A value that identifies a person in a write, of any kind.
    #[must_use]
    pub fn person(kind: &str, value: &str) -> Self {
        Self::new(kind, value)
    }

    /// The key that positions an unsettled create by this key.
    #[must_use]
    pub fn pending(&self) -> Self {
        Self(format!("pending-{}", self.0))
    }

    /// The key as text: a kind and a hash.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }

    fn new(kind: &str, value: &str) -> Self {
        Self(format!("{kind}:{}", hash(value)))
    }
}

fn hash(value: &str) -> String {
    let digest = Sha256::digest(value);
    let nibbles = digest.iter().take(16).flat_map(|b| [b >> 4, b & 0xf]);
    let digits = nibbles.filter_map(|nibble| char::from_digit(nibble.into(), 16));
    digits.collect()
}

/// The version of a record: when it changed, in milliseconds since 1970, and a hash of its text.
fn version(user: &User) -> String {
    let changed = user.updated_at.map(Timestamp::as_millisecond);
    let changed = changed.map_or_else(|| "-".to_owned(), |changed| changed.to_string());
    format!("{changed} {}", hash(user.raw.get()))
}

/// The recent writes of one account. Clones share them.
#[derive(Clone)]
pub struct RecentWrites(Arc<RecentWritesInner>);

struct RecentWritesInner {
    /// The writes of all gateways.
    shared: Option<SharedWrites>,
    memory: OnceLock<LocalWrites>,
    /// Whether anything was ever remembered here.
    is_used: AtomicBool,
}

struct LocalWrites {
    lag: Duration,
    entries: Cache<WriteKey, Arc<str>>,
}

impl RecentWrites {
    /// Remembers in this process and, with a store, together with the other gateways, under a name
    /// of the account.
    #[must_use]
    pub fn new(shared: Option<(Store, String)>) -> Self {
        Self(Arc::new(RecentWritesInner {
            shared: shared.map(|(store, account)| SharedWrites::new(store, account)),
            memory: OnceLock::new(),
            is_used: AtomicBool::new(false),
        }))
    }

    /// Remembers each write for as long as the provider's search lags. Only the first call counts,
    /// and it must come before any write.
    #[must_use]
    pub fn with_lag(self, lag: Duration) -> Self {
        self.0.memory.get_or_init(|| LocalWrites::new(lag));
        self
    }

    fn memory(&self) -> &LocalWrites {
        self.0.memory.get_or_init(|| LocalWrites::new(LAG))
    }

    /// Remembers a user as the provider returned it to a write.
    pub async fn remember(&self, user: &User) {
        let memory = self.memory();
        if memory.lag.is_zero() || !text::is_id(&user.remote_id) {
            return;
        }
        self.0.is_used.store(true, Ordering::Release);
        let (id, version) = (WriteKey::id(&user.remote_id), version(user));
        if memory.entries.get(&id).as_deref() == Some(version.as_str()) {
            return;
        }
        let emails = user.all_emails().map(|email| WriteKey::email(&fold(email)));
        let external_id = user.external_id.as_deref().map(WriteKey::external_id);
        let lists: Vec<_> = emails.chain(external_id).collect();
        for list in &lists {
            memory.add(list, &user.remote_id);
        }
        memory.entries.insert(id.clone(), version.as_str().into());
        if let Some(shared) = &self.0.shared {
            let lists = lists.iter().map(WriteKey::name);
            let lag = memory.lag;
            shared
                .remember(id.name(), lists, (&version, &user.remote_id), lag)
                .await;
        }
    }

    /// Notes that a create by some keys is unsettled: the record may appear soon.
    pub async fn note_pending(&self, keys: &BTreeSet<WriteKey>, pending: PendingCreate) {
        let memory = self.memory();
        if memory.lag.is_zero() {
            return;
        }
        self.0.is_used.store(true, Ordering::Release);
        for key in keys {
            let entry = (key.pending(), Arc::from(pending.text()));
            memory.entries.insert(entry.0, entry.1);
        }
        if let Some(shared) = &self.0.shared {
            let keys: Vec<_> = keys.iter().map(WriteKey::pending).collect();
            let names = keys.iter().map(WriteKey::name);
            shared.set(names, pending.text(), memory.lag).await;
        }
    }

    /// Notes that the outcome of the creates by some keys is known.
    pub async fn settle(&self, keys: &BTreeSet<WriteKey>) {
        for key in keys {
            self.memory().entries.invalidate(&key.pending());
        }
        if let Some(shared) = &self.0.shared {
            let keys: Vec<_> = keys.iter().map(WriteKey::pending).collect();
            shared.delete(keys.iter().map(WriteKey::name)).await;
        }
    }

    /// Looks up the recent writes under some keys, with one call to the store.
    pub async fn look_up(&self, keys: impl IntoIterator<Item = WriteKey>) -> KnownWrites {
        let memory = self.memory();
        if self.0.shared.is_none() && !self.0.is_used.load(Ordering::Acquire) {
            return KnownWrites::default();
        }
        let mut keys: Vec<WriteKey> = keys.into_iter().collect();
        if keys.is_empty() || memory.lag.is_zero() {
            return KnownWrites::default();
        }
        keys.sort_unstable();
        keys.dedup();
        let shared = self.shared(&keys).await;
        let known = keys.into_iter().enumerate().filter_map(|(at, key)| {
            let shared = shared.get(at).cloned().flatten();
            let own = memory.entries.get(&key);
            let own = own.filter(|own| Some(&**own) != shared.as_deref());
            let shared = shared.map(Arc::from);
            let texts: Vec<_> = shared.into_iter().chain(own).collect();
            (!texts.is_empty()).then_some((key, texts))
        });
        KnownWrites(known.collect())
    }

    /// The values of some keys in the store; none when it is unavailable.
    async fn shared(&self, keys: &[WriteKey]) -> Vec<Option<String>> {
        match &self.0.shared {
            Some(shared) => shared.values(keys.iter().map(WriteKey::name)).await,
            None => Vec::new(),
        }
    }
}

impl LocalWrites {
    fn new(lag: Duration) -> Self {
        let entries = Cache::builder().max_capacity(ENTRIES).time_to_live(lag);
        Self {
            lag,
            entries: entries.build(),
        }
    }

    /// Adds an id to a list.
    fn add(&self, list: &WriteKey, id: &str) {
        self.entries.entry(list.clone()).and_upsert_with(|known| {
            let known = known.map(moka::Entry::into_value).unwrap_or_default();
            let others = known.lines().filter(|known| *known != id);
            let ids: Vec<_> = others.chain([id]).collect();
            let oldest = ids.len().saturating_sub(MAX_IDS);
            ids[oldest..].join("\n").into()
        });
    }
}

/// The knowledge from before an unsettled create.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PendingCreate {
    /// The record did not exist.
    WasAbsent,
    /// Nobody had looked.
    Unknown,
}

impl PendingCreate {
    fn text(self) -> &'static str {
        match self {
            Self::WasAbsent => "absent",
            Self::Unknown => "unknown",
        }
    }
}

/// The recent writes under some keys.
#[derive(Debug, Default)]
pub struct KnownWrites(HashMap<WriteKey, Vec<Arc<str>>>);

impl KnownWrites {
    fn texts(&self, key: &WriteKey) -> &[Arc<str>] {
        self.0.get(key).map(Vec::as_slice).unwrap_or_default()
    }

    fn ids(&self, key: &WriteKey) -> Vec<String> {
        let mut ids: Vec<String> = Vec::new();
        for id in self.texts(key).iter().flat_map(|text| text.lines()) {
            if !ids.iter().any(|known| known == id) {
                ids.push(id.to_owned());
            }
        }
        ids
    }

    /// The ids of the users that were written with a folded address.
    #[must_use]
    pub fn with_email(&self, folded: &str) -> Vec<String> {
        self.ids(&WriteKey::email(folded))
    }

    /// The ids of the users that were written with an external id.
    #[must_use]
    pub fn with_external_id(&self, id: &str) -> Vec<String> {
        self.ids(&WriteKey::external_id(id))
    }

    /// The knowledge from before an unsettled create by one of these keys; `None` when there is no
    /// such create.
    #[must_use]
    pub fn pending(&self, keys: &BTreeSet<WriteKey>) -> Option<PendingCreate> {
        let keys: Vec<_> = keys.iter().map(WriteKey::pending).collect();
        let texts = || keys.iter().flat_map(|key| self.texts(key));
        let is = |pending: PendingCreate| texts().any(|text| **text == *pending.text());
        [PendingCreate::Unknown, PendingCreate::WasAbsent]
            .into_iter()
            .find(|pending| is(*pending))
    }

    /// Whether a record is older than a recent write of it, and so outdated.
    #[must_use]
    pub fn is_outdated(&self, found: &User) -> bool {
        let key = WriteKey::id(&found.remote_id);
        self.texts(&key)
            .iter()
            .any(|written| is_newer(written, found))
    }
}

/// Whether a written version is newer than a record. Times may be whole seconds: two writes may
/// share one, and then the text decides.
fn is_newer(written: &str, found: &User) -> bool {
    let Some((changed, text)) = written.split_once(' ') else {
        return true;
    };
    let Ok(changed) = changed.parse::<i64>() else {
        return true;
    };
    match found.updated_at.map(Timestamp::as_millisecond) {
        Some(found) if found > changed => false,
        Some(at) if at == changed => hash(found.raw.get()) != text,
        _ => true,
    }
}

#[cfg(test)]
mod tests;
