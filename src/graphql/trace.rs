//! The calls of a request to providers: how fresh the answer is, and, for clients that may see it, each
//! call in `extensions.roster`.

use std::{sync::Arc, time::Duration};

use async_graphql::Value;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use tokio::time::Instant;

use super::outcomes::RequestOutcomes;
use crate::{
    context::{CallLog, CallRecord, MaxAge, MemoryMeter},
    error::Result,
};

/// The clients that see the calls of their requests.
#[derive(Clone, Debug, Default)]
pub enum TraceAccess {
    /// Nobody.
    #[default]
    Nobody,
    /// Everybody: for demos and tests.
    Everybody,
    /// Clients that send this secret in the header `x-roster-trace`.
    WithToken(SecretString),
}

impl TraceAccess {
    /// Whether who sends this, or nothing, is shown the calls.
    #[must_use]
    pub fn admits(&self, sent: Option<&[u8]>) -> bool {
        match self {
            Self::Nobody => false,
            Self::Everybody => true,
            Self::WithToken(secret) => {
                let sent = sent.unwrap_or_default();
                is_equal(secret.expose_secret().as_bytes(), sent)
            }
        }
    }
}

/// Compares in a time that does not tell how much of a guess was right.
fn is_equal(secret: &[u8], guess: &[u8]) -> bool {
    use sha2::{Digest, Sha256};
    let (secret, guess) = (Sha256::digest(secret), Sha256::digest(guess));
    let differing = secret
        .iter()
        .zip(guess)
        .fold(0, |all, (a, b)| all | (a ^ b));
    differing == 0
}

/// The calls of a request, and the bytes that it holds.
#[derive(Clone, Debug, Default)]
pub struct RequestTrace {
    pub(super) call_log: Arc<CallLog>,
    pub(super) meter: Arc<MemoryMeter>,
    pub(super) outcomes: Arc<RequestOutcomes>,
}

/// How old an answer may be, as a client asks for it.
pub(super) fn freshness(max_age: Option<Duration>) -> MaxAge {
    match max_age {
        None => MaxAge::Cached,
        Some(Duration::ZERO) => MaxAge::Now,
        Some(age) => MaxAge::Within(age),
    }
}

impl RequestTrace {
    /// The results of the request's sources and writes.
    #[must_use]
    pub fn outcomes(&self) -> &RequestOutcomes {
        &self.outcomes
    }

    /// For how much longer the whole answer is fresh; zero when some of it failed or is not kept, and
    /// when no provider has a part in it.
    #[must_use]
    pub fn fresh_for(&self) -> Duration {
        let until = self.call_log.fresh_until();
        until.map_or(Duration::ZERO, |until| {
            until.saturating_duration_since(Instant::now())
        })
    }

    /// Charges the request for bytes of its answer that nobody counts while they are built.
    ///
    /// # Errors
    /// As [`MemoryMeter::charge`].
    pub fn charge(&self, bytes: u64) -> Result<()> {
        self.meter
            .charge(usize::try_from(bytes).unwrap_or(usize::MAX))
    }

    /// The meter of the answer once it is written, in place of all that it was made of.
    ///
    /// # Errors
    /// As [`MemoryMeter::charge`].
    pub fn written(self, bytes: usize) -> Result<MemoryMeter> {
        let meter = self.meter.of_same_pool();
        drop(self);
        meter.charge(bytes).map(|()| meter)
    }

    /// How many bytes the request holds: what providers sent, and what was built for the answer.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.meter.used()
    }

    /// Whether the gateway had no room for some of the answer.
    #[must_use]
    pub fn is_overloaded(&self) -> bool {
        self.meter.is_overloaded()
    }

    /// The calls, in the order in which they ended.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let calls: Vec<_> = self.call_log.entries().iter().map(shown).collect();
        Value::from_json(json!({ "calls": calls })).unwrap_or_default()
    }
}

fn shown(entry: &CallRecord) -> serde_json::Value {
    let milliseconds = |duration: Duration| (duration.as_secs_f64() * 1e4).round() / 10.0;
    let provider = async_graphql::Value::from(entry.account.provider());
    json!({
        "provider": provider,
        "account": entry.account.name(),
        "operation": entry.operation,
        "page": entry.page,
        "origin": entry.origin.name(),
        "attempt": entry.attempt,
        "status": entry.status,
        "code": entry.code,
        "durationMs": milliseconds(entry.took),
        "waitedMs": milliseconds(entry.waited),
    })
}

#[cfg(test)]
mod tests {
    use super::TraceAccess;

    #[test]
    fn only_who_holds_the_secret_is_admitted() {
        let holders = TraceAccess::WithToken("secret".to_owned().into());

        assert!(holders.admits(Some(b"secret")));
        assert!(
            !holders.admits(Some(b"secre")) && !holders.admits(Some(b"")) && !holders.admits(None)
        );
        assert!(
            TraceAccess::Everybody.admits(None) && !TraceAccess::Nobody.admits(Some(b"secret"))
        );
    }
}
