//! Cross-origin requests: which pages may call the gateway from a browser, what they may send, and
//! what they may read of the response.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};
use url::{Host, Url};

use super::REQUEST_ID;
use crate::error::shown_value;

/// How long a browser caches the answer to a preflight: the longest that Chromium allows.
const PREFLIGHT_MAX_AGE: Duration = Duration::from_secs(2 * 60 * 60);

/// The origins whose pages may call the gateway.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    /// The listed origins.
    pub listed: Vec<String>,
    /// Whether every page on this machine may call the gateway, whatever its port.
    pub allows_loopback: bool,
}

impl Origins {
    /// Answers preflights and marks responses. Only the origin decides: an allowed page may send
    /// any headers that its tools add, such as `traceparent` or `x-apollo-operation-name`.
    ///
    /// # Errors
    /// An invalid origin in the list.
    pub(super) fn layer(&self) -> Result<CorsLayer, String> {
        let allowed = self.parse()?;
        let allows = move |origin: &HeaderValue, _: &_| allowed.contains(origin);
        Ok(CorsLayer::new()
            .allow_origin(AllowOrigin::predicate(allows))
            .allow_methods([Method::GET, Method::POST])
            .allow_headers(AllowHeaders::mirror_request())
            .expose_headers([
                REQUEST_ID.clone(),
                header::RETRY_AFTER,
                HeaderName::from_static("preference-applied"),
            ])
            .max_age(PREFLIGHT_MAX_AGE))
    }

    /// The origins in the form in which browsers send them.
    ///
    /// # Errors
    /// An invalid origin in the list.
    pub(super) fn parse(&self) -> Result<AllowedOrigins, String> {
        let listed = self.listed.iter().map(|origin| parse(origin));
        Ok(AllowedOrigins {
            listed: listed.collect::<Result<_, _>>()?,
            allows_loopback: self.allows_loopback,
        })
    }
}

/// The origins whose pages may call the gateway, in the form in which browsers send them.
#[derive(Clone, Debug, Default)]
pub(super) struct AllowedOrigins {
    listed: Vec<HeaderValue>,
    allows_loopback: bool,
}

impl AllowedOrigins {
    fn contains(&self, origin: &HeaderValue) -> bool {
        self.listed.contains(origin) || (self.allows_loopback && is_loopback(origin))
    }

    /// Whether a page may open a WebSocket: a browser lets every page do that, and asks nobody. A page of
    /// the gateway itself may, and so may a client that is no browser and names no origin.
    pub(super) fn may_connect(&self, headers: &HeaderMap) -> bool {
        let Some(sent) = headers.get(header::ORIGIN) else {
            return true;
        };
        let host = headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok());
        let own = sent.to_str().ok().and_then(origin);
        let own = own.filter(|own| ["http", "https"].contains(&own.scheme()));
        let is_own = own
            .zip(host)
            .is_some_and(|(own, host)| own.authority().eq_ignore_ascii_case(host));
        is_own || self.contains(sent)
    }
}

/// The invalid origins of a list, one message each.
#[must_use]
pub fn wrong_origins(origins: &[String]) -> Vec<String> {
    let read = origins.iter().map(|origin| parse(origin));
    read.filter_map(Result::err).collect()
}

fn parse(text: &str) -> Result<HeaderValue, String> {
    let value = HeaderValue::from_str(text).ok();
    let value = value.filter(|_| origin(text).is_some());
    value.ok_or_else(|| {
        let shown = shown_value(text);
        format!("server.cors_origins: {shown} is no origin: expected https://host[:port]")
    })
}

/// Parses an origin in the form that browsers send.
fn origin(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    (url.origin().ascii_serialization() == text).then_some(url)
}

fn is_loopback(value: &HeaderValue) -> bool {
    let url = value.to_str().ok().and_then(origin);
    let url = url.filter(|url| ["http", "https"].contains(&url.scheme()));
    match url.as_ref().and_then(Url::host) {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
