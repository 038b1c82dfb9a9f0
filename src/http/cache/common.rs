//! Answers that all replicas keep together, in the store that they share. An answer is there with the
//! number of writes that there had been before it was read; one more, and it is forgotten.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use jiff::Timestamp;
use redis::Cmd;
use reqwest::{StatusCode, header::HeaderMap};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use super::{Kept, Key};
use crate::{
    error::{Error, Kind},
    http::Reply,
    shared::Store,
};

/// For how long writes are counted after the last: longer than any answer is kept.
const COUNTED: Duration = Duration::from_secs(7 * 86_400);

/// How long until a store that is away is told again.
const AGAIN: Duration = Duration::from_millis(250);

/// The largest answer that is shared, in bytes: a larger one holds up the store for all.
const LARGEST: usize = 4 * 1024 * 1024;

/// The answers of one vendor account in the shared store.
#[derive(Clone)]
pub(super) struct Common(Arc<Inner>);

struct Inner {
    store: Store,
    account: String,
    /// Whether a write is not yet counted, since the store was away: until it is, the store keeps what
    /// should be forgotten.
    owes: AtomicBool,
}

/// What is kept beside a body.
#[derive(Deserialize, Serialize)]
struct Label {
    /// The form of what is kept: another is not read.
    form: u8,
    /// How many writes there had been.
    writes: u64,
    /// The status; 404 is "there is nobody".
    status: u16,
    /// When it was read, and until when it is fresh, stale and there: milliseconds since 1970.
    read: i64,
    fresh: i64,
    stale: i64,
    gone: i64,
}

const FORM: u8 = 1;

impl Common {
    pub(super) fn new(store: Store, account: String) -> Self {
        let owes = AtomicBool::new(false);
        Self(Arc::new(Inner {
            store,
            account,
            owes,
        }))
    }

    fn writes_key(&self) -> String {
        let name = format!("answer:{{{}}}:writes", self.0.account);
        self.0.store.key(&name)
    }

    fn answer_key(&self, key: &Key) -> String {
        let hash: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        let name = format!("answer:{{{}}}:{hash}", self.0.account);
        self.0.store.key(&name)
    }

    /// How many writes there were, and the answer that is kept; `None` when the store is away.
    pub(super) async fn look(&self, key: &Key) -> Option<(u64, Option<Kept>)> {
        let keys = [self.writes_key(), self.answer_key(key)];
        if self.0.owes.load(Ordering::Acquire) {
            return None;
        }
        let (writes, answer): (Option<u64>, Option<Vec<u8>>) = self
            .0
            .store
            .ask(|mut manager| async move {
                let mut command = Cmd::new();
                command.arg("MGET").arg(&keys[..]);
                command.query_async(&mut manager).await
            })
            .await?;
        let Some(writes) = writes else {
            // The count was lost, and with it what was kept: it starts anew where no old one was.
            let started = self.count().await?;
            return Some((started, None));
        };
        Some((writes, answer.and_then(|answer| read(answer, writes))))
    }

    /// Keeps an answer that was asked for when there had been so many writes.
    pub(super) async fn put(&self, key: &Key, writes: u64, kept: &Kept) {
        let Some(answer) = written(kept, writes) else {
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
        if self.count().await.is_some() {
            self.0.owes.store(false, Ordering::Release);
            return;
        }
        let this = self.clone();
        tokio::spawn(async move {
            while this.count().await.is_none() {
                sleep(AGAIN).await;
            }
            this.0.owes.store(false, Ordering::Release);
        });
    }

    /// Counts one more write, from a number at random on where none was counted.
    async fn count(&self) -> Option<u64> {
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

/// A moment of this process's clock in milliseconds since 1970.
fn since_1970(moment: Instant) -> i64 {
    let (now, today) = (Instant::now(), Timestamp::now().as_millisecond());
    let ahead = moment.saturating_duration_since(now).as_millis();
    let behind = now.saturating_duration_since(moment).as_millis();
    let milliseconds = |span: u128| i64::try_from(span).unwrap_or(i64::MAX);
    today
        .saturating_add(milliseconds(ahead))
        .saturating_sub(milliseconds(behind))
}

/// A moment in milliseconds since 1970 by this process's clock.
fn here(milliseconds: i64) -> Instant {
    let (now, today) = (Instant::now(), Timestamp::now().as_millisecond());
    let span = Duration::from_millis(milliseconds.abs_diff(today));
    if milliseconds >= today {
        now + span
    } else {
        now.checked_sub(span).unwrap_or(now)
    }
}

fn written(kept: &Kept, writes: u64) -> Option<Vec<u8>> {
    let (status, body) = match &kept.answer {
        Ok(reply) => (reply.status.as_u16(), reply.body.clone()),
        Err(error) if error.kind() == Kind::Missing => (404, Bytes::new()),
        Err(_) => return None,
    };
    let label = Label {
        form: FORM,
        writes,
        status,
        read: kept.at.as_millisecond(),
        fresh: since_1970(kept.fresh_until),
        stale: since_1970(kept.stale_until),
        gone: since_1970(kept.gone),
    };
    let mut answer = serde_json::to_vec(&label).ok()?;
    answer.push(b'\n');
    answer.extend_from_slice(&body);
    (answer.len() <= LARGEST).then_some(answer)
}

/// Reads what is kept; `None` when it is of another form, or from before a write.
fn read(answer: Vec<u8>, writes: u64) -> Option<Kept> {
    let end = answer.iter().position(|byte| *byte == b'\n')?;
    let label: Label = serde_json::from_slice(&answer[..end]).ok()?;
    if label.form != FORM || label.writes != writes {
        return None;
    }
    let reply = match label.status {
        404 => Err(Error::new(Kind::Missing, "there is no such thing").answered(404)),
        status => Ok(Reply {
            status: StatusCode::from_u16(status).ok()?,
            headers: HeaderMap::new(),
            body: Bytes::from(answer).slice(end + 1..),
            sent: here(label.read),
            kept: None,
        }),
    };
    Some(Kept {
        answer: reply,
        at: Timestamp::from_millisecond(label.read).ok()?,
        read: here(label.read),
        fresh_until: here(label.fresh),
        stale_until: here(label.stale),
        gone: here(label.gone),
    })
}

#[cfg(test)]
mod tests {
    use super::{Bytes, HeaderMap, Instant, Kept, Reply, StatusCode, Timestamp, read, written};
    use std::time::Duration;

    #[test]
    fn what_is_kept_is_read_as_it_was_until_there_is_a_write() {
        let (now, minute) = (Instant::now(), Duration::from_secs(60));
        let kept = Kept {
            answer: Ok(Reply {
                status: StatusCode::OK,
                headers: HeaderMap::new(),
                body: Bytes::from_static(b"{\n \"data\": []\n}"),
                sent: now,
                kept: None,
            }),
            at: Timestamp::now(),
            read: now,
            fresh_until: now + minute,
            stale_until: now + 2 * minute,
            gone: now + 3 * minute,
        };
        let answer = written(&kept, 7).expect("short enough");

        let again = read(answer.clone(), 7).expect("the same");
        assert_eq!(
            again.answer.expect("an answer").body,
            kept.answer.expect("an answer").body
        );
        let off = again.fresh_until.duration_since(now).abs_diff(minute);
        assert!(off < Duration::from_secs(1), "{off:?}");
        assert!(read(answer, 8).is_none());
    }
}
