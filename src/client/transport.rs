//! Sends a request over TCP, reads the response within a size limit, and maps its status to a kind
//! of error. The layers above work with kinds of errors, not with statuses.

use std::{
    io,
    time::{Duration, SystemTime},
};

use reqwest::{
    Client, StatusCode, Url,
    header::{ACCEPT, HeaderMap, HeaderName},
    redirect,
};

use tokio::time::Instant;

use super::{HttpSpec, Request, Response, quota, sanitize};
use crate::{
    account::Account,
    context::MemoryMeter,
    error::{Error, ErrorKind, FailureStage, RejectionReason, Result},
};

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
    client: Client,
    base: Url,
    max_body: usize,
    spec: HttpSpec,
}

/// The longest wait that we accept from a provider; after it the provider is called again.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// The header in which Intercom sends its id of the request.
static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

impl Transport {
    /// Builds a connection pool for one provider.
    ///
    /// Redirects are not followed, so that credentials reach only the configured host. Idle
    /// connections are dropped before the provider closes them.
    ///
    /// # Errors
    /// `Internal` when the TLS roots of this machine cannot be loaded.
    pub fn new(account: Account, base: Url, max_body: usize, spec: HttpSpec) -> Result<Self> {
        let builder = Client::builder();
        // A proxy from the environment cannot reach a service on this machine.
        let is_local = matches!(base.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        let builder = if is_local {
            builder.no_proxy()
        } else {
            builder
        };
        let client = builder
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(Duration::from_secs(5))
            .pool_idle_timeout(spec.idle)
            .user_agent(concat!("roster/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| {
                Error::new(ErrorKind::Internal, format!("cannot set up HTTPS: {error}"))
            })?;
        Ok(Self {
            account,
            client,
            base,
            max_body,
            spec,
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

    /// Sends a request and reads the response.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place where requests are sent"
    )]
    pub(super) async fn send(&self, request: Request) -> Result<Response> {
        let token = self.spec.auth.token_in(&request.headers);
        let url = self.url(&request)?;
        let mut outgoing = self
            .client
            .request(request.method.clone(), url)
            .header(ACCEPT, "application/json")
            .headers(request.headers);
        if let Some(body) = &request.body {
            outgoing = outgoing.json(body);
        }
        request.context.count_call();
        let sent = Instant::now();
        request.progress.mark_sent();
        let response = outgoing.send().await.map_err(|error| send_error(&error))?;
        let status = response.status();
        let headers = response.headers().clone();
        let quota_headers = self.spec.quota_headers;
        let quota = quota_headers.and_then(|names| names.read(&headers, SystemTime::now()));
        request.progress.mark_answered(quota);
        let body = self.read(response, request.context.meter()).await;
        let body = body.and_then(|body| whole_body(status, body));
        match body {
            Ok(body) if status.is_success() => Ok(Response {
                account: self.account,
                status,
                headers,
                body: body.into(),
                sent,
                cached_at: None,
                is_repeated: false,
            }),
            // The status alone decides, even if the body is unreadable.
            body => {
                let said = body.as_deref().unwrap_or_default();
                match self.error_for_status(status, &headers, said, token.as_deref()) {
                    Some(refusal) => Err(refusal),
                    None => Err(body.err().unwrap_or_else(|| {
                        Error::malformed("the provider's answer cannot be read")
                    })),
                }
            }
        }
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
        let mut body = Vec::new();
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
        Ok(body)
    }

    /// Reads a bad status and its body. The result is sanitized here, whichever connector has read
    /// it.
    fn error_for_status(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
        token: Option<&str>,
    ) -> Option<Error> {
        if status.is_success() {
            return None;
        }
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
        let error = Error::new(kind, message_for(kind, status))
            .with_retry_after(wait)
            .with_request_id(request_id)
            .with_reasons(sanitize::reasons(refusal.reasons, token))
            .with_moved_to(refusal.moved_to)
            .with_status(status.as_u16());
        Some(error)
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

/// The kind of error for a status, unless the provider's body says otherwise.
fn error_kind(status: StatusCode) -> ErrorKind {
    match status.as_u16() {
        401 | 403 => ErrorKind::Denied,
        404 => ErrorKind::Missing,
        408 => ErrorKind::TimedOut,
        409 => ErrorKind::Conflict,
        429 => ErrorKind::Throttled,
        400..=499 => ErrorKind::Rejected,
        500.. => ErrorKind::Unavailable,
        // A 1xx never gets here, and redirects are not followed.
        _ => ErrorKind::Malformed,
    }
}

fn message_for(kind: ErrorKind, status: StatusCode) -> String {
    let code = status.as_u16();
    match kind {
        ErrorKind::Denied => format!(
            "the provider refused the gateway's credentials ({code}); the gateway's operator must check the token and its rights"
        ),
        ErrorKind::Missing | ErrorKind::Malformed if status == StatusCode::NOT_FOUND => {
            format!("the provider answered {code}; the gateway's operator must check `base_url`")
        }
        ErrorKind::Throttled => "the provider's rate limit is used up".to_owned(),
        ErrorKind::TimedOut => format!("the provider gave up waiting ({code})"),
        ErrorKind::Unavailable => format!("the provider is unavailable ({code})"),
        ErrorKind::Moved => format!("the provider says that the record became another one ({code})"),
        ErrorKind::Conflict | ErrorKind::Rejected => format!("the provider refused the request ({code})"),
        ErrorKind::Expired => "the provider no longer knows the place that this cursor names: read the list from its start".to_owned(),
        ErrorKind::Missing
        | ErrorKind::Malformed
        | ErrorKind::Invalid
        | ErrorKind::Unsupported
        | ErrorKind::Disabled
        | ErrorKind::DeadlineExceeded
        | ErrorKind::TooLarge
        | ErrorKind::Overloaded
        | ErrorKind::CallLimit
        | ErrorKind::Internal => {
            format!("the provider answered {code}, which its API does not promise")
        }
    }
}

/// The error of a request without a response.
fn send_error(error: &reqwest::Error) -> Error {
    if is_for_lack_of_resources(error) {
        tracing::error!(%error, "the gateway has no file descriptors or memory left for a call");
        return Error::overloaded().at_stage(FailureStage::NotSent);
    }
    connect_error(error)
}

/// Whether this machine could not open a connection because it has no descriptors, ports or memory
/// left.
fn is_for_lack_of_resources(error: &(dyn std::error::Error + 'static)) -> bool {
    /// `ENFILE` and `EMFILE`, on every Unix.
    const DESCRIPTORS: [i32; 2] = [23, 24];
    let lacks = |error: &io::Error| {
        let kind = error.kind();
        let code = error.raw_os_error();
        code.is_some_and(|code| cfg!(unix) && DESCRIPTORS.contains(&code))
            || matches!(
                kind,
                io::ErrorKind::OutOfMemory | io::ErrorKind::AddrNotAvailable
            )
    };
    let mut causes = std::iter::successors(Some(error), |error| error.source());
    causes.any(|cause| cause.downcast_ref::<io::Error>().is_some_and(lacks))
}

fn connect_error(error: &reqwest::Error) -> Error {
    if error.is_timeout() {
        return Error::timed_out();
    }
    let what = if error.is_connect() {
        "cannot be reached"
    } else {
        "closed the connection"
    };
    Error::new(ErrorKind::Unavailable, format!("the provider {what}"))
}

#[cfg(test)]
mod tests;
