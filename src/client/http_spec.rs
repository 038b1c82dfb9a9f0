//! How a provider speaks HTTP: the data and functions that a connector gives to the client.

use std::time::Duration;

use super::{AuthScheme, QuotaHeaders, transport::ReadErrorFn};

/// How a provider speaks HTTP.
#[derive(Clone, Copy)]
pub struct HttpSpec {
    /// How a request carries the token.
    pub auth: AuthScheme,
    /// The headers that tell what is left of the rate limit; `None` where there are none.
    pub quota_headers: Option<QuotaHeaders>,
    /// Reads the body of an error.
    pub read_error: ReadErrorFn,
    /// How long an unused connection is kept: shorter than the provider keeps it.
    pub idle: Duration,
}
