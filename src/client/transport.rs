//! Sends an attempt with the account's credentials, within its time, reads the response within a
//! size limit, and maps its status to a kind of error. The steps before it work with kinds of
//! errors, not with statuses.

mod connection;
pub mod credentials;
mod failure;
pub mod quota;
mod sanitize;
mod timeout;

use std::time::{Duration, SystemTime};

use reqwest::{
    RequestBuilder, StatusCode, Url,
    header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};
use tokio::time::Instant;

use self::connection::Connection;
pub use self::connection::{ConnectionOptions, EgressProxy, ProxyChoice, read_certificates};
use super::{HttpSpec, Request, Response, attempt::Attempt};
use crate::{
    account::Account,
    context::MemoryMeter,
    error::{Error, ErrorKind, FailureStage, RejectionReason, Result},
};
use credentials::Credentials;
use failure::{error_kind, message_for, send_error};
pub use timeout::AttemptTimeout;

/// The details that a provider's error body adds to its status.
#[derive(Debug, Default)]
pub struct ErrorDetails {
    /// The kind of error, where the status alone would be misleading.
    pub kind: Option<ErrorKind>,
    /// Reasons, in words fit for a client.
    pub reasons: Vec<RejectionReason>,
    /// The provider's id of the request.
    pub request_id: Option<String>,
    /// The record that replaces the requested one, as the provider names it; never follow it as it
    /// is.
    pub moved_to: Option<String>,
}

/// Reads the details of a provider's error from its status, headers and body.
pub type ReadErrorFn = fn(StatusCode, &HeaderMap, &[u8]) -> ErrorDetails;

/// The connection to a provider's host.
pub struct Transport {
    account: Account,
    connection: Connection,
    base: Url,
    max_body: usize,
    spec: HttpSpec,
    credentials: Credentials,
    timeout: AttemptTimeout,
}

/// The longest wait that we accept from a provider; after it the provider is called again.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// The largest number of bytes that are reserved because a response says how long it is.
const READ_AHEAD: usize = 1024 * 1024;

/// The usual header with the provider's id of a request.
static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

impl Transport {
    /// Builds a connection pool for one provider.
    ///
    /// # Errors
    /// `Internal` when the TLS roots of this machine cannot be loaded.
    pub fn new(
        account: Account,
        (base, options): (Url, &ConnectionOptions),
        (max_body, timeout): (usize, AttemptTimeout),
        spec: HttpSpec,
        credentials: Credentials,
    ) -> Result<Self> {
        let connection = Connection::new(&base, spec.idle, options)?;
        Ok(Self {
            account,
            connection,
            base,
            max_body,
            spec,
            credentials,
            timeout,
        })
    }

    /// The account that is called.
    #[must_use]
    pub fn account(&self) -> Account {
        self.account
    }

    fn url(&self, request: &Request) -> Result<Url> {
        // The URL's own rules would drop tabs and line ends from a path, and resolve dots.
        let is_control = |segment: &String| segment.chars().any(char::is_control);
        if request.path.iter().any(is_control) {
            return Err(Error::invalid(
                "an id with control characters cannot be asked for",
            ));
        }
        let mut url = self.base.clone();
        if request
            .path
            .iter()
            .any(|segment| matches!(segment.as_str(), "." | ".."))
        {
            return Err(Error::invalid("an id of dots only cannot be asked for"));
        }
        match url.path_segments_mut() {
            Ok(mut segments) => segments.pop_if_empty().extend(&request.path),
            Err(()) => {
                return Err(Error::new(
                    ErrorKind::Internal,
                    "base_url cannot have a path",
                ));
            }
        };
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&request.query);
        }
        Ok(url)
    }

    /// Returns the path of a link that the provider sent if it leads to the provider's own host.
    #[must_use]
    pub fn own_path(&self, link: &str) -> Option<String> {
        let url = self.base.join(link).ok()?;
        (url.origin() == self.base.origin()).then(|| url.path().to_owned())
    }

    /// The account's token.
    pub(super) fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Sends an attempt and reads the response. When the provider refuses the token and a new one
    /// is there, the error says so: the next attempt uses it.
    pub(super) async fn send(&self, attempt: &Attempt<'_>) -> Result<Response> {
        let token = self.credentials.header();
        let exchange = self.exchange(attempt, &token);
        match self.timeout.limit(attempt.request, exchange).await {
            Err(error)
                if error.kind() == ErrorKind::Denied && self.credentials.renew(&token).await =>
            {
                Err(error.with_renewed_credentials())
            }
            answer => answer,
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place where requests are sent"
    )]
    async fn exchange(&self, attempt: &Attempt<'_>, token: &HeaderValue) -> Result<Response> {
        let request = attempt.request;
        let outgoing = self.outgoing(request, token)?;
        request.context.count_call();
        let sent = Instant::now();
        attempt.progress.mark_sent();
        let response = outgoing.send().await;
        let response = response.map_err(|error| send_error(&self.connection, &error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let quota_headers = self.spec.quota_headers;
        let quota = quota_headers.and_then(|names| names.read(&headers, SystemTime::now()));
        attempt.progress.mark_answered(quota);
        let body = self.read(response, request.context.meter()).await;
        match body.and_then(|body| whole_body(status, body)) {
            Ok(body) if status.is_success() => Ok(Response {
                account: self.account,
                status,
                headers,
                body: body.into(),
                sent,
                cached_at: None,
                is_repeated: false,
                decoded: None,
            }),
            Err(error) if status.is_success() => Err(error),
            // The status alone decides, even if the body is unreadable.
            body => {
                let body = body.unwrap_or_default();
                Err(self.error_for_status(status, &headers, &body, token))
            }
        }
    }

    /// The HTTP request with its token.
    fn outgoing(&self, request: &Request, token: &HeaderValue) -> Result<RequestBuilder> {
        let outgoing = self
            .connection
            .client
            .request(request.method.clone(), self.url(request)?)
            .header(ACCEPT, "application/json")
            .headers(request.headers.clone())
            .header(self.credentials.name(), token);
        Ok(match &request.body {
            Some(body) => outgoing
                .header(CONTENT_TYPE, "application/json")
                .body(body.clone()),
            None => outgoing,
        })
    }

    async fn read(&self, mut response: reqwest::Response, meter: &MemoryMeter) -> Result<Vec<u8>> {
        let too_large = || {
            Error::malformed(format!(
                "the provider's answer is larger than {} bytes",
                self.max_body
            ))
        };
        if response
            .content_length()
            .is_some_and(|length| length > self.max_body as u64)
        {
            return Err(too_large());
        }
        let length = response.content_length().unwrap_or_default();
        let mut body =
            Vec::with_capacity(usize::try_from(length).map_or(0, |all| all.min(READ_AHEAD)));
        let cut_short = |_| {
            Error::malformed("the provider's answer is cut short")
                .at_stage(FailureStage::ResponseInterrupted)
        };
        while let Some(chunk) = response.chunk().await.map_err(cut_short)? {
            if body.len() + chunk.len() > self.max_body {
                return Err(too_large());
            }
            meter.charge(chunk.len())?;
            body.extend_from_slice(&chunk);
        }
        // It may be cached: a body that grew has room that nobody needs.
        body.shrink_to_fit();
        Ok(body)
    }

    /// Reads a bad status and its body. The result is sanitized here, whichever connector has read
    /// it.
    fn error_for_status(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
        token: &HeaderValue,
    ) -> Error {
        let token = self.spec.auth.token_of(token);
        let refusal = (self.spec.read_error)(status, headers, body);
        let kind = refusal.kind.unwrap_or_else(|| error_kind(status));
        let header_id = || headers.get(&REQUEST_ID)?.to_str().ok().map(str::to_owned);
        let request_id = refusal.request_id.or_else(header_id);
        let request_id = request_id.and_then(|id| sanitize::request_id(id, token));
        let wait = if kind.is_transient() {
            let quota_headers = self.spec.quota_headers.as_ref();
            quota::requested_wait(headers, quota_headers, SystemTime::now())
                .map(|wait| wait.min(LONGEST))
        } else {
            None
        };
        let message = self.connection.blame(status);
        let message = message.unwrap_or_else(|| message_for(kind, status));
        Error::new(kind, message)
            .with_retry_after(wait)
            .with_request_id(request_id)
            .with_reasons(sanitize::reasons(refusal.reasons, token))
            .with_moved_to(refusal.moved_to)
            .with_status(status.as_u16())
    }
}

/// Returns the body unless it is only a part of one: we never ask for a part.
fn whole_body(status: StatusCode, body: Vec<u8>) -> Result<Vec<u8>> {
    if status == StatusCode::PARTIAL_CONTENT {
        let message = "the provider answered a part of what was asked for (206)";
        return Err(Error::malformed(message));
    }
    Ok(body)
}
