//! What the sandbox asks of an emulated vendor, and what it gives to one.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::{HOST, RETRY_AFTER};
use axum::http::request::Parts;
use axum::response::Response;
use serde::Serialize;

use crate::behaviour::{Behaviour, Variant};
use crate::people::Person;
use crate::rate;

/// A vendor of the sandbox.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Name {
    /// Ada, End Users API v2.
    Ada,
    /// DigitalChalk, REST API v5.
    DigitalChalk,
    /// Intercom, REST 1.x and 2.x.
    Intercom,
    /// Usertour, REST v1.
    Usertour,
}

impl Name {
    /// All vendors, in the order of their names.
    pub const ALL: [Self; 4] = [
        Self::Ada,
        Self::DigitalChalk,
        Self::Intercom,
        Self::Usertour,
    ];

    /// The name in paths and in the sandbox's own JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ada => "ada",
            Self::DigitalChalk => "digitalchalk",
            Self::Intercom => "intercom",
            Self::Usertour => "usertour",
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|name| name.as_str() == text)
            .ok_or_else(|| {
                let known = Self::ALL.map(Self::as_str).join(", ");
                format!("unknown vendor {text:?}; known: {known}")
            })
    }
}

/// How a vendor is emulated: what a vendor module exports.
pub struct Emulation {
    /// Whose emulation this is.
    pub name: Name,
    /// The behaviour switches it knows.
    pub variants: &'static [Variant],
    /// Builds the vendor: the people, the accepted token, the switches.
    pub start: fn(&[Person], &str, Behaviour) -> Vendor,
    /// The vendor's own answer to too many calls.
    pub throttled: fn(&Throttle) -> Response,
}

/// A vendor that answers.
pub struct Vendor {
    /// Serves the vendor's paths, without the base path.
    pub router: Router,
    /// Lists what the vendor holds now.
    pub records: Records,
}

/// Lists all records that a vendor's plain list of users shows now, in its
/// order. Intercom's leads are not among them: they are in no such list.
pub type Records = Arc<dyn Fn() -> Vec<Record> + Send + Sync>;

/// One record of a vendor's list: the ground truth for a test.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// The vendor's id, as its API shows it.
    pub id: String,
    /// The customer's own id for the person.
    pub external_id: Option<String>,
    /// The e-mail as stored at this vendor.
    pub email: Option<String>,
}

/// What a 429 says about when to come back.
#[derive(Clone, Debug, Default)]
pub struct Throttle {
    /// Seconds for `Retry-After`; none: no such header.
    pub retry_after: Option<u64>,
    /// Seconds from now until the vendor's window resets.
    pub reset: Option<i64>,
    /// The path that was asked, without the base path.
    pub path: String,
}

impl Throttle {
    /// Writes `Retry-After` and `X-RateLimit-Reset`, a moment in unix seconds, where they are set.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        if let Some(seconds) = self.reset {
            let reset = rate::now().saturating_add(seconds);
            headers.insert("x-ratelimit-reset", reset.into());
        }
    }
}

/// Where a vendor is reached by the caller: `http://{Host}/{base path}`.
#[derive(Clone, Debug)]
pub struct Origin {
    /// `http://{Host}`.
    pub host: String,
    /// The base path, such as `/ada`; empty when the router is used alone.
    pub base: String,
}

impl Origin {
    /// The absolute link to a vendor path.
    pub fn link(&self, path_and_query: &str) -> String {
        format!("{}{}{path_and_query}", self.host, self.base)
    }
}

/// The base path below which a vendor's router is mounted, as an extension.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Base(pub(crate) Name);

impl<S: Sync> FromRequestParts<S> for Origin {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let host = parts
            .headers
            .get(HOST)
            .and_then(|host| host.to_str().ok())
            .or_else(|| parts.uri.authority().map(|authority| authority.as_str()))
            .unwrap_or("localhost");
        let base = parts.extensions.get::<Base>();
        Ok(Self {
            host: format!("http://{host}"),
            base: base.map_or_else(String::new, |Base(name)| format!("/{name}")),
        })
    }
}
