//! How a provider is emulated: what the sandbox asks of its module, and what it gives to one.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::{HOST, RETRY_AFTER};
use axum::http::request::Parts;
use axum::response::Response;
use serde::Serialize;

use crate::behaviour::{Behaviour, Switch};
use crate::people::Person;
use crate::providers::Provider;
use crate::rate;

/// The part that the module of a provider exports.
pub struct Emulation {
    /// The behaviour switches it knows.
    pub switches: &'static [Switch],
    /// Builds the provider: the people, the accepted token, the switches.
    pub start: fn(&[Person], &str, Behaviour) -> RunningProvider,
    /// The provider's own answer to too many calls.
    pub throttled: fn(&Throttle) -> Response,
}

/// A provider that answers.
pub struct RunningProvider {
    /// Serves the provider's paths, without the base path.
    pub router: Router,
    /// Lists the records that the provider holds now.
    pub records: ListRecords,
}

/// Lists all records that a provider's plain list of users shows now, in its order. Intercom's
/// leads are not among them: they are in no such list.
pub type ListRecords = Arc<dyn Fn() -> Vec<Record> + Send + Sync>;

/// One record of a provider's list: the truth that a test compares with.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// The provider's own id, as its API shows it.
    pub id: String,
    /// The customer's own id for the person.
    pub external_id: Option<String>,
    /// The email as this provider stores it.
    pub email: Option<String>,
}

/// When a 429 allows the next attempt.
#[derive(Clone, Debug, Default)]
pub struct Throttle {
    /// Seconds for `Retry-After`; none: no such header.
    pub retry_after: Option<u64>,
    /// Seconds from now until the provider's window resets.
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

/// The address at which the caller reaches a provider: `http://{Host}/{base path}`.
#[derive(Clone, Debug)]
pub struct Origin {
    /// `http://{Host}`.
    pub host: String,
    /// The base path, such as `/ada`; empty when the router is used alone.
    pub base: String,
}

impl Origin {
    /// The absolute link to a path of the provider.
    pub fn link(&self, path_and_query: &str) -> String {
        format!("{}{}{path_and_query}", self.host, self.base)
    }
}

/// The provider below whose base path a router is mounted, as an extension of the request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MountedAt(pub(crate) Provider);

impl<S: Sync> FromRequestParts<S> for Origin {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let host = parts
            .headers
            .get(HOST)
            .and_then(|host| host.to_str().ok())
            .or_else(|| parts.uri.authority().map(|authority| authority.as_str()))
            .unwrap_or("localhost");
        let base = parts.extensions.get::<MountedAt>();
        Ok(Self {
            host: format!("http://{host}"),
            base: base.map_or_else(String::new, |MountedAt(provider)| format!("/{provider}")),
        })
    }
}
