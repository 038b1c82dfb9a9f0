//! Faults: wrong or missing answers that a test or a demo orders from a provider.
//!
//! `POST /_sandbox/faults` takes `{"provider", "kind", ...}`; [`FaultKind`] has the fields of each
//! kind. Every kind also takes
//!
//! - `count`: applies to that many calls and is then removed;
//! - `rate`: applies to that share of the calls (0 to 1), chosen at random from the seed;
//! - `path`: applies only to paths, below the provider's base path, with this prefix;
//! - `method`: applies only to this HTTP method.
//!
//! Without `count` it stays until cleared. At most one fault applies to a call: the oldest that
//! matches.

mod apply;
mod bulk;
mod links;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::providers::Provider;

pub(crate) use apply::{apply, close_connection};

/// The largest body that [`FaultKind::Big`] and [`FaultKind::GzipBomb`] send.
const BIGGEST: u64 = 4 << 30;

/// The answer that a fault gives.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum FaultKind {
    /// This status, with this body (text or JSON) and these headers.
    Status {
        /// The status.
        status: u16,
        /// The body; a string is sent as it is, anything else as JSON.
        #[serde(default)]
        body: Option<Value>,
        /// Headers by name.
        #[serde(default)]
        headers: BTreeMap<String, String>,
    },
    /// The real answer, later.
    Latency {
        /// The time added.
        milliseconds: u64,
    },
    /// No answer; the connection is closed after 120 seconds.
    Hang {},
    /// The real answer with its full `Content-Length`, the body cut in the
    /// middle and the connection closed.
    Truncate {},
    /// The connection is closed.
    Reset {
        /// When: before any answer, or in the middle of the body.
        #[serde(default)]
        at: ResetPoint,
    },
    /// A gateway's page: 502 `text/html`.
    Html {},
    /// The provider's own 429.
    RateLimit {
        /// Seconds for `Retry-After`.
        #[serde(default)]
        retry_after: Option<u64>,
        /// Seconds from now until the provider's window resets.
        #[serde(default)]
        reset: Option<i64>,
    },
    /// 200 `application/json` without a body.
    Empty {},
    /// 200 with text that is not JSON.
    NotJson {},
    /// 302 to this location.
    Redirect {
        /// The `Location` header.
        location: String,
    },
    /// 200 with a JSON object of this size.
    Big {
        /// The size.
        bytes: u64,
        /// Whether it is sent in chunks, without its size before it.
        #[serde(default)]
        chunked: bool,
    },
    /// 200 with a JSON object of this size in gzip; about a thousandth of it is sent.
    GzipBomb {
        /// The size once unpacked.
        bytes: u64,
    },
    /// The real answer under another `Content-Type`.
    ContentType {
        /// The header.
        value: String,
    },
    /// The provider's own error body, under 200.
    ErrorList {},
    /// The real answer, with its link to the next page replaced by one to itself.
    SelfLink {},
    /// The real answer, with all links in it replaced by ones to `http://attacker.test`.
    ForeignLink {},
    /// The real answer, its body sent in small pieces.
    Drip {
        /// The time that the body takes.
        milliseconds: u64,
    },
}

/// When a connection is reset.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ResetPoint {
    /// Before any byte of the answer.
    #[default]
    Start,
    /// In the middle of the body, which is sent in chunks.
    Body,
}

/// A fault that is set.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ActiveFault {
    provider: Provider,
    #[serde(flatten)]
    kind: FaultKind,
    #[serde(flatten)]
    matcher: FaultMatcher,
}

/// Selects the calls that a fault applies to.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
struct FaultMatcher {
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<String>,
}

/// The active faults of all providers.
pub(crate) struct FaultList {
    state: Mutex<FaultState>,
}

struct FaultState {
    active: Vec<ActiveFault>,
    rng: fastrand::Rng,
}

impl FaultList {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            state: Mutex::new(FaultState {
                active: Vec::new(),
                rng: fastrand::Rng::with_seed(seed),
            }),
        }
    }

    /// Sets the fault that the JSON describes.
    pub(crate) fn set(&self, body: &[u8]) -> Result<(), String> {
        let fault = parse(body)?;
        self.state().active.push(fault);
        Ok(())
    }

    pub(crate) fn list(&self, provider: Option<Provider>) -> Vec<ActiveFault> {
        self.state()
            .active
            .iter()
            .filter(|fault| provider.is_none_or(|provider| provider == fault.provider))
            .cloned()
            .collect()
    }

    pub(crate) fn clear(&self, provider: Option<Provider>) {
        self.state()
            .active
            .retain(|fault| provider.is_some_and(|provider| provider != fault.provider));
    }

    /// The fault that applies to this call, if any. It counts down.
    pub(crate) fn take_matching(
        &self,
        provider: Provider,
        method: &Method,
        path: &str,
    ) -> Option<FaultKind> {
        let mut guard = self.state();
        let FaultState { active, rng } = &mut *guard;
        let index = active.iter().position(|fault| {
            fault.provider == provider
                && fault.matcher.matches(method, path)
                && fault.matcher.rate.is_none_or(|rate| rng.f64() < rate)
        })?;
        let kind = active[index].kind.clone();
        if let Some(count) = &mut active[index].matcher.count {
            *count = count.saturating_sub(1);
            if *count == 0 {
                active.remove(index);
            }
        }
        Some(kind)
    }

    fn state(&self) -> MutexGuard<'_, FaultState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FaultMatcher {
    fn matches(&self, method: &Method, path: &str) -> bool {
        let path_fits = self.path.as_deref().is_none_or(|p| path.starts_with(p));
        let wanted = self.method.as_deref();
        path_fits && wanted.is_none_or(|wanted| wanted.eq_ignore_ascii_case(method.as_str()))
    }
}

fn parse(body: &[u8]) -> Result<ActiveFault, String> {
    let mut kind: Map<String, Value> =
        serde_json::from_slice(body).map_err(|e| format!("not a fault: {e}"))?;
    let provider = match kind.remove("provider") {
        Some(Value::String(provider)) => provider.parse()?,
        _ => return Err("a fault needs a \"provider\"".to_owned()),
    };
    let mut matcher = Map::new();
    for field in ["count", "rate", "path", "method"] {
        if let Some(value) = kind.remove(field) {
            matcher.insert(field.to_owned(), value);
        }
    }
    let matcher: FaultMatcher =
        serde_json::from_value(Value::Object(matcher)).map_err(|e| e.to_string())?;
    let kind: FaultKind = serde_json::from_value(Value::Object(kind)).map_err(|e| e.to_string())?;
    check(&matcher, &kind)?;
    Ok(ActiveFault {
        provider,
        kind,
        matcher,
    })
}

fn check(matcher: &FaultMatcher, kind: &FaultKind) -> Result<(), String> {
    if matcher
        .rate
        .is_some_and(|rate| !(0.0..=1.0).contains(&rate))
    {
        return Err("\"rate\" is a share between 0 and 1".to_owned());
    }
    if matcher.count == Some(0) {
        return Err("\"count\" is at least 1".to_owned());
    }
    match kind {
        FaultKind::Status {
            status, headers, ..
        } => check_status(*status, headers),
        FaultKind::Big { bytes, .. } | FaultKind::GzipBomb { bytes } if *bytes > BIGGEST => {
            Err(format!("\"bytes\" is at most {BIGGEST}"))
        }
        FaultKind::ContentType { value } => HeaderValue::from_str(value)
            .map(drop)
            .map_err(|e| format!("\"value\": {e}")),
        FaultKind::Redirect { location } => HeaderValue::from_str(location)
            .map(drop)
            .map_err(|e| format!("\"location\": {e}")),
        _ => Ok(()),
    }
}

fn check_status(status: u16, headers: &BTreeMap<String, String>) -> Result<(), String> {
    // A server cannot end a call with an informational status.
    if status < 200 || StatusCode::from_u16(status).is_err() {
        return Err(format!("\"status\": {status} is not a final HTTP status"));
    }
    for (name, value) in headers {
        HeaderName::try_from(name).map_err(|e| format!("header {name:?}: {e}"))?;
        HeaderValue::try_from(value).map_err(|e| format!("header {name:?}: {e}"))?;
    }
    Ok(())
}
