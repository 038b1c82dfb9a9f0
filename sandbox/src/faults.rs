//! Faults: what a test or a demo makes a vendor suffer.
//!
//! `POST /_sandbox/faults` takes `{"vendor", "kind", …}`; the fields of each
//! kind are those of [`Kind`]. Every kind also takes
//!
//! - `count`: strikes that many calls and is gone;
//! - `rate`: strikes that share of the calls (0 to 1), by seeded dice;
//! - `path`: strikes only paths, below the vendor's base path, with this prefix;
//! - `method`: strikes only this HTTP method.
//!
//! Without `count` it stays until cleared. One call suffers one fault: the
//! oldest that matches.

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

/// The largest body that [`Kind::Big`] and [`Kind::GzipBomb`] send.
const BIGGEST: u64 = 4 << 30;

/// What is done to a call.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Kind {
    /// This status, with this body (text, or JSON) and these headers.
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
        at: Moment,
    },
    /// A gateway's page: 502 `text/html`.
    Html {},
    /// The vendor's own 429.
    RateLimit {
        /// Seconds for `Retry-After`.
        #[serde(default)]
        retry_after: Option<u64>,
        /// Seconds from now until the vendor's window resets.
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
    /// 200 with a JSON object of this size in gzip, a thousandth of it on the
    /// wire.
    GzipBomb {
        /// The size once unpacked.
        bytes: u64,
    },
    /// The real answer under another `Content-Type`.
    ContentType {
        /// The header.
        value: String,
    },
    /// The vendor's own words for an error, under 200.
    ErrorList {},
    /// The real answer; where it leads to a next page it leads to itself.
    SelfLink {},
    /// The real answer, all links in it led to `http://attacker.test`.
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
pub enum Moment {
    /// Before any byte of the answer.
    #[default]
    Start,
    /// In the middle of the body, which is sent in chunks.
    Body,
}

/// A fault that waits for calls.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Active {
    vendor: Provider,
    #[serde(flatten)]
    kind: Kind,
    #[serde(flatten)]
    aim: Aim,
}

/// Which calls a fault strikes.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
struct Aim {
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<String>,
}

/// The active faults of all vendors.
pub(crate) struct Faults {
    state: Mutex<State>,
}

struct State {
    active: Vec<Active>,
    dice: fastrand::Rng,
}

impl Faults {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            state: Mutex::new(State {
                active: Vec::new(),
                dice: fastrand::Rng::with_seed(seed),
            }),
        }
    }

    /// Sets the fault that the JSON describes, or says what is wrong with it.
    pub(crate) fn set(&self, body: &[u8]) -> Result<(), String> {
        let fault = parse(body)?;
        self.state().active.push(fault);
        Ok(())
    }

    pub(crate) fn list(&self, vendor: Option<Provider>) -> Vec<Active> {
        self.state()
            .active
            .iter()
            .filter(|fault| vendor.is_none_or(|vendor| vendor == fault.vendor))
            .cloned()
            .collect()
    }

    pub(crate) fn clear(&self, vendor: Option<Provider>) {
        self.state()
            .active
            .retain(|fault| vendor.is_some_and(|vendor| vendor != fault.vendor));
    }

    /// The fault that this call suffers, if any.
    pub(crate) fn take_matching(
        &self,
        vendor: Provider,
        method: &Method,
        path: &str,
    ) -> Option<Kind> {
        let mut guard = self.state();
        let State { active, dice } = &mut *guard;
        let place = active.iter().position(|fault| {
            fault.vendor == vendor
                && fault.aim.matches(method, path)
                && fault.aim.rate.is_none_or(|rate| dice.f64() < rate)
        })?;
        let kind = active[place].kind.clone();
        if let Some(count) = &mut active[place].aim.count {
            *count = count.saturating_sub(1);
            if *count == 0 {
                active.remove(place);
            }
        }
        Some(kind)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Aim {
    fn matches(&self, method: &Method, path: &str) -> bool {
        let path_fits = self.path.as_deref().is_none_or(|p| path.starts_with(p));
        let wanted = self.method.as_deref();
        path_fits && wanted.is_none_or(|wanted| wanted.eq_ignore_ascii_case(method.as_str()))
    }
}

fn parse(body: &[u8]) -> Result<Active, String> {
    let mut kind: Map<String, Value> =
        serde_json::from_slice(body).map_err(|e| format!("not a fault: {e}"))?;
    let vendor = match kind.remove("vendor") {
        Some(Value::String(vendor)) => vendor.parse()?,
        _ => return Err("a fault needs a \"vendor\"".to_owned()),
    };
    let mut aim = Map::new();
    for field in ["count", "rate", "path", "method"] {
        if let Some(value) = kind.remove(field) {
            aim.insert(field.to_owned(), value);
        }
    }
    let aim: Aim = serde_json::from_value(Value::Object(aim)).map_err(|e| e.to_string())?;
    let kind: Kind = serde_json::from_value(Value::Object(kind)).map_err(|e| e.to_string())?;
    check(&aim, &kind)?;
    Ok(Active { vendor, kind, aim })
}

fn check(aim: &Aim, kind: &Kind) -> Result<(), String> {
    if aim.rate.is_some_and(|rate| !(0.0..=1.0).contains(&rate)) {
        return Err("\"rate\" is a share between 0 and 1".to_owned());
    }
    if aim.count == Some(0) {
        return Err("\"count\" is at least 1".to_owned());
    }
    match kind {
        Kind::Status {
            status, headers, ..
        } => check_status(*status, headers),
        Kind::Big { bytes, .. } | Kind::GzipBomb { bytes } if *bytes > BIGGEST => {
            Err(format!("\"bytes\" is at most {BIGGEST}"))
        }
        Kind::ContentType { value } => HeaderValue::from_str(value)
            .map(drop)
            .map_err(|e| format!("\"value\": {e}")),
        Kind::Redirect { location } => HeaderValue::from_str(location)
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
