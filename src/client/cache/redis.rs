//! Answers that all replicas keep together, in the store that they share. An answer is there with the
//! number of writes that there had been before it was read; one more, and it is forgotten.
//!
//! Its age is told by the store's clock, so that replicas need not agree on the time; for how long it is
//! good, the reader's settings say.

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
use reqwest::{StatusCode, header::HeaderMap};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::time::{Instant, sleep};

use super::{CacheKey, CachedResponse, is_empty};
use crate::{
    account::Account,
    client::Response,
    error::{Error, ErrorKind, Result},
    shared::Store,
};

/// For how long writes are counted after the last: longer than any answer is kept.
const COUNTED: Duration = Duration::from_secs(7 * 86_400);

/// How long until a store that is away is told again.
const AGAIN: Duration = Duration::from_millis(250);

/// The largest answer that is shared, in bytes: a larger one holds up the store for all.
const LARGEST: usize = 4 * 1024 * 1024;

/// The answers of one provider account in the shared store.
#[derive(Clone)]
pub(super) struct RedisCache(Arc<RedisCacheInner>);

struct RedisCacheInner {
    account: Account,
    store: Store,
    /// A name of the account that tells nothing of its address or token.
    name: String,
    /// Whether a write is not yet counted, since the store was away: until it is, the store keeps what
    /// should be forgotten.
    owes: AtomicBool,
    /// A moment of this process, and the store's clock then, in milliseconds since 1970.
    origin: Instant,
    origin_there: AtomicI64,
}

/// A value there, of whatever is under a key.
type StoredBytes = Option<Vec<u8>>;

/// An answer as it is kept there.
pub(super) struct StoredResponse {
    pub(super) answer: Result<Response>,
    /// When it was read: by the clock of who read it, unless that is wrong.
    pub(super) at: Timestamp,
    /// When it was read, by the store's clock.
    pub(super) read: Instant,
    /// Whether it says that there is nobody.
    pub(super) is_negative: bool,
}

/// What is kept beside a body.
#[derive(Deserialize, Serialize)]
struct StoredMetadata {
    /// The form of what is kept: another is not read.
    form: u8,
    /// How many writes there had been.
    writes: u64,
    /// The status; 404 is "there is nobody".
    status: u16,
    /// When it was read, in milliseconds since 1970: by the store's clock, and by that of who read it.
    read: i64,
    at: i64,
    /// The checksum of the body.
    sum: u64,
}

const FORM: u8 = 3;

/// How far a clock may be off the store's and still be believed.
const OFF: i64 = 2_000;

impl RedisCache {
    pub(super) fn new(account: Account, store: Store, name: String) -> Self {
        let owes = AtomicBool::new(false);
        Self(Arc::new(RedisCacheInner {
            account,
            store,
            name,
            owes,
            origin: Instant::now(),
            origin_there: AtomicI64::new(Timestamp::now().as_millisecond()),
        }))
    }

    /// Sets our notion of the store's clock.
    fn set_clock(&self, (seconds, micros): (i64, i64)) {
        let now = seconds.saturating_mul(1000).saturating_add(micros / 1000);
        let since = milliseconds(self.0.origin.elapsed());
        self.0
            .origin_there
            .store(now.saturating_sub(since), Ordering::Relaxed);
    }

    /// A moment of this process by the store's clock.
    fn there(&self, moment: Instant) -> i64 {
        let origin = self.0.origin_there.load(Ordering::Relaxed);
        let after = milliseconds(moment.saturating_duration_since(self.0.origin));
        let before = milliseconds(self.0.origin.saturating_duration_since(moment));
        origin.saturating_add(after).saturating_sub(before)
    }

    /// How long ago a moment of the store's clock was.
    fn since(&self, there: i64) -> Duration {
        let ago = self.there(Instant::now()).saturating_sub(there);
        Duration::from_millis(u64::try_from(ago).unwrap_or_default())
    }

    fn writes_key(&self) -> String {
        let name = format!("answer:{{{}}}:writes", self.0.name);
        self.0.store.key(&name)
    }

    fn answer_key(&self, key: &CacheKey) -> String {
        let hash: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        let name = format!("answer:{{{}}}:{hash}", self.0.name);
        self.0.store.key(&name)
    }

    /// How many writes there were, and the answer that is kept; `None` when the store is away.
    pub(super) async fn look(&self, key: &CacheKey) -> Option<(u64, Option<StoredResponse>)> {
        let keys = [self.writes_key(), self.answer_key(key)];
        if self.0.owes.load(Ordering::Acquire) {
            return None;
        }
        let (clock, (writes, answer)): ((i64, i64), (StoredBytes, StoredBytes)) = self
            .0
            .store
            .ask(|mut manager| async move {
                let mut both = redis::pipe();
                both.cmd("TIME").cmd("MGET").arg(&keys[..]);
                both.query_async(&mut manager).await
            })
            .await?;
        self.set_clock(clock);
        let writes = writes.and_then(|writes| std::str::from_utf8(&writes).ok()?.parse().ok());
        let Some(writes) = writes else {
            // The count was lost, and with it what was kept: it starts anew where no old one was.
            let started = self.count().await?;
            return Some((started, None));
        };
        Some((writes, answer.and_then(|answer| self.read(answer, writes))))
    }

    /// Forgets an answer.
    pub(super) async fn remove(&self, key: &CacheKey) {
        self.delete(self.answer_key(key)).await;
    }

    async fn delete(&self, key: String) -> Option<()> {
        let deleted = self.0.store.ask(|mut manager| async move {
            let mut command = Cmd::new();
            command.arg("DEL").arg(key);
            command.query_async::<()>(&mut manager).await
        });
        deleted.await
    }

    /// Keeps an answer that was asked for when there had been so many writes.
    pub(super) async fn put(&self, key: &CacheKey, writes: u64, kept: &CachedResponse) {
        let Some(answer) = self.written(kept, writes) else {
            // What is there is older.
            self.remove(key).await;
            return;
        };
        let left = kept.gone.saturating_duration_since(Instant::now());
        let left = u64::try_from(left.as_millis()).unwrap_or(u64::MAX).max(1);
        let key = self.answer_key(key);
        let _: Option<()> = self
            .0
            .store
            .ask(|mut manager| async move {
                let mut command = Cmd::new();
                command.arg("SET").arg(key).arg(answer).arg("PX").arg(left);
                command.query_async(&mut manager).await
            })
            .await;
    }

    /// Counts a write: whatever was kept before is forgotten by all replicas. While the store is away it
    /// is not used here, and told as soon as it is back.
    pub(super) async fn forget(&self) {
        self.0.owes.store(true, Ordering::Release);
        if self.is_forgotten().await {
            self.0.owes.store(false, Ordering::Release);
            return;
        }
        let this = self.clone();
        tokio::spawn(async move {
            while !this.is_forgotten().await {
                sleep(AGAIN).await;
            }
            this.0.owes.store(false, Ordering::Release);
        });
    }

    /// Makes the replicas forget. A store without room cannot count, and can still lose the count, which
    /// is as good.
    async fn is_forgotten(&self) -> bool {
        self.count().await.is_some() || self.delete(self.writes_key()).await.is_some()
    }

    /// Counts one more write. A count that is none is lost first, and starts anew.
    async fn count(&self) -> Option<u64> {
        if let Some(writes) = self.counted().await {
            return Some(writes);
        }
        if !self.0.store.is_up() {
            return None;
        }
        self.delete(self.writes_key()).await?;
        self.counted().await
    }

    /// Counts one more write, from a number at random on where none was counted.
    async fn counted(&self) -> Option<u64> {
        let key = self.writes_key();
        let first = fastrand::u64(..1 << 48);
        let (writes,): (u64,) = self
            .0
            .store
            .ask(|mut manager| async move {
                let mut all = redis::pipe();
                all.atomic();
                all.cmd("SET").arg(&key).arg(first).arg("NX").ignore();
                all.incr(&key, 1);
                all.expire(&key, COUNTED.as_secs().cast_signed()).ignore();
                all.query_async(&mut manager).await
            })
            .await?;
        Some(writes)
    }
}

impl RedisCache {
    fn written(&self, kept: &CachedResponse, writes: u64) -> Option<Vec<u8>> {
        let (status, body) = match &kept.answer {
            Ok(reply) => (reply.status.as_u16(), reply.body.clone()),
            Err(error) if error.kind() == ErrorKind::Missing => (404, Bytes::new()),
            Err(_) => return None,
        };
        let label = StoredMetadata {
            form: FORM,
            writes,
            status,
            read: self.there(kept.read),
            at: kept.at.as_millisecond(),
            sum: checksum(&body),
        };
        let mut answer = serde_json::to_vec(&label).ok()?;
        answer.push(b'\n');
        answer.extend_from_slice(&body);
        (answer.len() <= LARGEST).then_some(answer)
    }

    /// Reads what is kept; `None` when it is of another form, damaged, or from before a write.
    fn read(&self, answer: Vec<u8>, writes: u64) -> Option<StoredResponse> {
        let end = answer.iter().position(|byte| *byte == b'\n')?;
        let label: StoredMetadata = serde_json::from_slice(&answer[..end]).ok()?;
        let body = Bytes::from(answer).slice(end + 1..);
        if label.form != FORM || label.writes != writes || label.sum != checksum(&body) {
            return None;
        }
        let now = Instant::now();
        let read = now.checked_sub(self.since(label.read)).unwrap_or(now);
        let is_negative = label.status == 404 || body.len() <= super::SHORT && is_empty(&body);
        let reply = match label.status {
            404 => Err(Error::new(ErrorKind::Missing, "there is no such thing").answered(404)),
            status => Ok(Response {
                account: self.0.account,
                status: StatusCode::from_u16(status).ok()?,
                headers: HeaderMap::new(),
                body,
                sent: read,
                kept: None,
                is_repeated: false,
            }),
        };
        let is_right = label.at.abs_diff(label.read) <= OFF.unsigned_abs();
        let at = if is_right { label.at } else { label.read };
        Some(StoredResponse {
            answer: reply,
            at: Timestamp::from_millisecond(at).ok()?,
            read,
            is_negative,
        })
    }
}

/// A checksum by which a damaged body is found.
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
    use super::{
        Bytes, CachedResponse, HeaderMap, Instant, RedisCache, Response, StatusCode, Timestamp,
    };
    use crate::account::{Account, Provider};
    use crate::shared::{Store, StoreOptions};
    use std::time::Duration;

    /// The answers of an account at a store that is never asked.
    fn common() -> RedisCache {
        let terms = StoreOptions {
            prefix: "test".to_owned(),
            replicas: 2,
            timeout: Duration::from_secs(1),
        };
        let store = Store::at("redis://127.0.0.1:1", None, terms).expect("an address");
        RedisCache::new(Account::of(Provider::Ada), store, "account".to_owned())
    }

    fn kept(now: Instant, body: &'static [u8]) -> CachedResponse {
        let minute = Duration::from_secs(60);
        CachedResponse {
            answer: Ok(Response {
                account: Account::of(Provider::Ada),
                status: StatusCode::OK,
                headers: HeaderMap::new(),
                body: Bytes::from_static(body),
                sent: now,
                kept: None,
                is_repeated: false,
            }),
            at: Timestamp::now(),
            read: now,
            fresh_until: now + minute,
            stale_until: now + 2 * minute,
            gone: now + 3 * minute,
        }
    }

    #[test]
    fn what_is_kept_is_read_as_it_was_until_there_is_a_write() {
        let common = common();
        let kept = kept(Instant::now(), b"{\n \"data\": []\n}");
        let answer = common.written(&kept, 7).expect("short enough");

        let again = common.read(answer.clone(), 7).expect("the same");

        assert!(again.is_negative);
        let body = |answer: crate::error::Result<Response>| answer.expect("an answer").body;
        assert_eq!(body(again.answer), body(kept.answer));
        assert!(common.read(answer, 8).is_none());
    }

    #[test]
    fn age_is_told_by_the_clock_of_the_store_whatever_ours_says() {
        let [writer, reader] = [common(), common()];
        let now = Timestamp::now().as_second();
        // The store's clock is an hour behind for both, and the writer's own is not asked.
        writer.set_clock((now - 3600, 0));
        let answer = writer
            .written(&kept(Instant::now(), b"{}"), 1)
            .expect("short");
        reader.set_clock((now - 3600 + 240, 0));

        let found = reader.read(answer, 1).expect("the same");

        let age = found.read.elapsed().as_secs();
        assert!((239..=241).contains(&age), "{age}");
    }
}
