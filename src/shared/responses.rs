//! The responses that all replicas share. A response is stored with the number of writes
//! before its read; one more write invalidates it.
//!
//! Its age follows the store's clock, so that replicas need not agree on the time. The reader's
//! policy decides how long it is valid.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use jiff::Timestamp;
use redis::Cmd;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::time::{Instant, sleep};

use super::Store;

/// Identifies a read by a hash, so that search terms are not stored in the clear.
pub type ResponseKey = [u8; 16];

/// How long the write counter is kept after the last write: longer than any response.
const COUNTER_TTL: Duration = Duration::from_secs(7 * 86_400);

/// The wait between two attempts to reach a store that is unavailable.
const RETRY_INTERVAL: Duration = Duration::from_millis(250);

/// The largest response that is shared, in bytes: a larger one would block the store for everybody.
const MAX_SHARED_BYTES: usize = 4 * 1024 * 1024;

/// The cache of one account in the shared store.
#[derive(Clone)]
pub struct SharedResponses(Arc<SharedResponsesInner>);

struct SharedResponsesInner {
    store: Store,
    /// A name of the account that reveals neither its address nor its token.
    name: String,
    /// Whether a write is not counted yet because the store was unavailable: until it is, the store
    /// still holds outdated responses.
    invalidation_pending: AtomicBool,
    /// A moment of this process, and the store's clock at that moment, in milliseconds since 1970.
    origin: Instant,
    store_origin: AtomicI64,
}

/// A value in the store.
type StoredBytes = Option<Vec<u8>>;

/// A response as stored.
#[derive(Debug)]
pub struct StoredResponse {
    /// The status; 404 means that the record does not exist.
    pub status: u16,
    /// The body.
    pub body: Bytes,
    /// When it was read, by the clock of its reader unless that clock is wrong.
    pub at: Timestamp,
    /// When it was read, by the store's clock.
    pub read: Instant,
}

/// The metadata stored with a body.
#[derive(Deserialize, Serialize)]
struct StoredMetadata {
    /// The version of the format; other versions are not read.
    form: u8,
    /// The number of writes before the read.
    writes: u64,
    /// The status; 404 means that the record does not exist.
    status: u16,
    /// When it was read, in milliseconds since 1970: by the store's clock, and by the reader's.
    read: i64,
    at: i64,
    /// The checksum of the body.
    sum: u64,
}

const FORM: u8 = 3;

/// The largest difference between a reader's clock and the store's at which the reader's is used.
const MAX_CLOCK_SKEW: i64 = 2_000;

impl SharedResponses {
    /// The responses of an account under a name, which must reveal neither its address nor its
    /// token.
    #[must_use]
    pub fn new(store: Store, name: String) -> Self {
        let invalidation_pending = AtomicBool::new(false);
        Self(Arc::new(SharedResponsesInner {
            store,
            name,
            invalidation_pending,
            origin: Instant::now(),
            store_origin: AtomicI64::new(Timestamp::now().as_millisecond()),
        }))
    }

    /// Sets the offset to the store's clock.
    fn set_clock(&self, (seconds, micros): (i64, i64)) {
        let now = seconds.saturating_mul(1000).saturating_add(micros / 1000);
        let since = milliseconds(self.0.origin.elapsed());
        self.0
            .store_origin
            .store(now.saturating_sub(since), Ordering::Relaxed);
    }

    /// Converts a moment of this process to the store's time.
    fn store_time(&self, moment: Instant) -> i64 {
        let origin = self.0.store_origin.load(Ordering::Relaxed);
        let after = milliseconds(moment.saturating_duration_since(self.0.origin));
        let before = milliseconds(self.0.origin.saturating_duration_since(moment));
        origin.saturating_add(after).saturating_sub(before)
    }

    /// The time since a moment of the store's clock.
    fn since(&self, there: i64) -> Duration {
        let ago = self.store_time(Instant::now()).saturating_sub(there);
        Duration::from_millis(u64::try_from(ago).unwrap_or_default())
    }

    fn writes_key(&self) -> String {
        let name = format!("answer:{{{}}}:writes", self.0.name);
        self.0.store.key(&name)
    }

    fn answer_key(&self, key: &ResponseKey) -> String {
        let hash: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        let name = format!("answer:{{{}}}:{hash}", self.0.name);
        self.0.store.key(&name)
    }

    /// Returns the number of writes and the stored response; `None` when the store is unavailable.
    pub async fn look_up(&self, key: &ResponseKey) -> Option<(u64, Option<StoredResponse>)> {
        let keys = [self.writes_key(), self.answer_key(key)];
        if self.0.invalidation_pending.load(Ordering::Acquire) {
            return None;
        }
        let (clock, (writes, answer)): ((i64, i64), (StoredBytes, StoredBytes)) = self
            .0
            .store
            .run(|mut manager| async move {
                let mut both = redis::pipe();
                both.cmd("TIME").cmd("MGET").arg(&keys[..]);
                both.query_async(&mut manager).await
            })
            .await?;
        self.set_clock(clock);
        let writes = writes.and_then(|writes| std::str::from_utf8(&writes).ok()?.parse().ok());
        let Some(writes) = writes else {
            // The counter was lost, and with it the responses: start at a number that was not used
            // before.
            let started = self.count_write().await?;
            return Some((started, None));
        };
        Some((
            writes,
            answer.and_then(|answer| self.decode(answer, writes)),
        ))
    }

    /// Removes a response.
    pub async fn remove(&self, key: &ResponseKey) {
        self.delete(self.answer_key(key)).await;
    }

    async fn delete(&self, key: String) -> Option<()> {
        let deleted = self.0.store.run(|mut manager| async move {
            let mut command = Cmd::new();
            command.arg("DEL").arg(key);
            command.query_async::<()>(&mut manager).await
        });
        deleted.await
    }

    /// Stores a response whose request was sent after `writes` writes, until it expires.
    pub async fn put(
        &self,
        key: &ResponseKey,
        writes: u64,
        (response, expires_at): (&StoredResponse, Instant),
    ) {
        let Some(answer) = self.encode(response, writes) else {
            // The stored response is older.
            self.remove(key).await;
            return;
        };
        let left = expires_at.saturating_duration_since(Instant::now());
        let left = u64::try_from(left.as_millis()).unwrap_or(u64::MAX).max(1);
        let key = self.answer_key(key);
        let _: Option<()> = self
            .0
            .store
            .run(|mut manager| async move {
                let mut command = Cmd::new();
                command.arg("SET").arg(key).arg(answer).arg("PX").arg(left);
                command.query_async(&mut manager).await
            })
            .await;
    }

    /// Counts a write, which invalidates the account's responses for all replicas. While the store
    /// is unavailable it is not used here, and the write is counted as soon as it is back.
    pub async fn invalidate(&self) {
        self.0.invalidation_pending.store(true, Ordering::Release);
        if self.try_invalidate().await {
            self.0.invalidation_pending.store(false, Ordering::Release);
            return;
        }
        let this = self.clone();
        tokio::spawn(async move {
            while !this.try_invalidate().await {
                sleep(RETRY_INTERVAL).await;
            }
            this.0.invalidation_pending.store(false, Ordering::Release);
        });
    }

    /// Invalidates the responses for all replicas. A full store cannot count, but it can still
    /// delete the counter, which has the same effect.
    async fn try_invalidate(&self) -> bool {
        self.count_write().await.is_some() || self.delete(self.writes_key()).await.is_some()
    }

    /// Counts a write. An unreadable counter is deleted first and starts again.
    async fn count_write(&self) -> Option<u64> {
        if let Some(writes) = self.increment().await {
            return Some(writes);
        }
        if !self.0.store.is_up() {
            return None;
        }
        self.delete(self.writes_key()).await?;
        self.increment().await
    }

    /// Increments the counter, which starts at a random number.
    async fn increment(&self) -> Option<u64> {
        let key = self.writes_key();
        let first = fastrand::u64(..1 << 48);
        let (writes,): (u64,) = self
            .0
            .store
            .run(|mut manager| async move {
                let mut all = redis::pipe();
                all.atomic();
                all.cmd("SET").arg(&key).arg(first).arg("NX").ignore();
                all.incr(&key, 1);
                all.expire(&key, COUNTER_TTL.as_secs().cast_signed())
                    .ignore();
                all.query_async(&mut manager).await
            })
            .await?;
        Some(writes)
    }
}

impl SharedResponses {
    /// Encodes a response; `None` when it is too large to be shared.
    fn encode(&self, response: &StoredResponse, writes: u64) -> Option<Vec<u8>> {
        let metadata = StoredMetadata {
            form: FORM,
            writes,
            status: response.status,
            read: self.store_time(response.read),
            at: response.at.as_millisecond(),
            sum: checksum(&response.body),
        };
        let mut answer = serde_json::to_vec(&metadata).ok()?;
        answer.push(b'\n');
        answer.extend_from_slice(&response.body);
        (answer.len() <= MAX_SHARED_BYTES).then_some(answer)
    }

    /// Decodes a stored response; `None` when its format is different, it is damaged, or a write
    /// came after it.
    fn decode(&self, answer: Vec<u8>, writes: u64) -> Option<StoredResponse> {
        let end = answer.iter().position(|byte| *byte == b'\n')?;
        let metadata: StoredMetadata = serde_json::from_slice(&answer[..end]).ok()?;
        let body = Bytes::from(answer).slice(end + 1..);
        if metadata.form != FORM || metadata.writes != writes || metadata.sum != checksum(&body) {
            return None;
        }
        let now = Instant::now();
        let read = now.checked_sub(self.since(metadata.read)).unwrap_or(now);
        let is_right = metadata.at.abs_diff(metadata.read) <= MAX_CLOCK_SKEW.unsigned_abs();
        let at = if is_right { metadata.at } else { metadata.read };
        Some(StoredResponse {
            status: metadata.status,
            body,
            at: Timestamp::from_millisecond(at).ok()?,
            read,
        })
    }
}

/// A checksum that detects a damaged body.
fn checksum(body: &[u8]) -> u64 {
    let digest = Sha256::digest(body);
    digest
        .iter()
        .take(8)
        .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

fn milliseconds(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Bytes, Instant, SharedResponses, StoredResponse, Timestamp};
    use crate::shared::{Store, StoreOptions};

    /// Responses whose store is never called.
    fn responses() -> SharedResponses {
        let options = StoreOptions {
            prefix: "test".to_owned(),
            replicas: 2,
            timeout: Duration::from_secs(1),
        };
        let store = Store::new("redis://127.0.0.1:1", None, options).expect("an address");
        SharedResponses::new(store, "account".to_owned())
    }

    fn response(body: &'static [u8]) -> StoredResponse {
        StoredResponse {
            status: 200,
            body: Bytes::from_static(body),
            at: Timestamp::now(),
            read: Instant::now(),
        }
    }

    #[test]
    fn a_stored_response_is_read_unchanged_until_a_write() {
        let (responses, response) = (responses(), response(b"{\n \"data\": []\n}"));
        let stored = responses.encode(&response, 7).expect("short enough");

        let again = responses.decode(stored.clone(), 7).expect("the same");

        assert_eq!((again.status, again.body), (200, response.body));
        assert!(responses.decode(stored, 8).is_none());
    }

    #[test]
    fn age_follows_the_clock_of_the_store_whatever_ours_shows() {
        let [writer, reader] = [responses(), responses()];
        let now = Timestamp::now().as_second();
        // The store's clock is an hour behind for both, and the writer's own clock is not used.
        writer.set_clock((now - 3600, 0));
        let stored = writer.encode(&response(b"{}"), 1).expect("short");
        reader.set_clock((now - 3600 + 240, 0));

        let found = reader.decode(stored, 1).expect("the same");

        let age = found.read.elapsed().as_secs();
        assert!((239..=241).contains(&age), "{age}");
    }
}
