//! The end of the way: a request over TCP, its answer read within a bound on size, and what the
//! status means. Layers above reason in kinds of errors, not in numbers.

use std::{
    io,
    time::{Duration, SystemTime},
};

use reqwest::{
    Client, StatusCode, Url,
    header::{ACCEPT, AUTHORIZATION, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER},
    redirect,
};

use tokio::time::Instant;

use super::{Meter, Request, Response, request::Quota, sanitize};
use crate::{
    account::Account,
    error::{Error, ErrorKind, FailureStage, Reason, Result},
};

/// What a provider's error body says, where it says more than its status.
#[derive(Debug, Default)]
pub struct ErrorDetails {
    /// The kind, where the status alone would mislead.
    pub kind: Option<ErrorKind>,
    /// Reasons in words fit for a client.
    pub reasons: Vec<Reason>,
    /// The provider's id of the request.
    pub request_id: Option<String>,
    /// Where what was asked for has gone, as the provider puts it; never to be followed as it is.
    pub moved_to: Option<String>,
}

/// Reads a provider's error, its headers and its body.
pub type ReadErrorFn = fn(StatusCode, &HeaderMap, &[u8]) -> ErrorDetails;

/// A provider's host.
pub struct Transport {
    account: Account,
    client: Client,
    base: Url,
    max_body: usize,
    explain: ReadErrorFn,
}

/// The longest wait that a provider's word is taken for: after that it is asked again.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// The header in which Intercom, and Ada in part, say when the rate limit's window ends.
static RATE_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");
/// The headers in which Intercom says how many calls its rate limit's window has, and has left.
static RATE_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
static RATE_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
/// By how much the provider's clock and ours may differ before its own is taken.
const SKEW: Duration = Duration::from_secs(2);
/// The header in which Intercom says which request this was.
static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

impl Transport {
    /// A connection pool for one provider.
    ///
    /// Redirects are not followed, so that credentials go to the configured host only. Idle
    /// connections are dropped before Usertour's server closes them (five seconds,
    /// providers' documents do not say so; measured).
    ///
    /// # Errors
    /// `Internal` when the TLS roots of this machine cannot be loaded.
    pub fn new(account: Account, base: Url, max_body: usize, explain: ReadErrorFn) -> Result<Self> {
        let builder = Client::builder();
        // A proxy of the environment does not reach what runs on this machine.
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
            .pool_idle_timeout(Duration::from_secs(4))
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
            explain,
        })
    }

    /// The provider's name.
    #[must_use]
    pub fn account(&self) -> Account {
        self.account
    }

    fn url(&self, call: &Request) -> Result<Url> {
        // The URL's own rules would drop tabs and line ends from a path, and walk up at dots.
        let is_control = |segment: &String| segment.chars().any(char::is_control);
        if call.path.iter().any(is_control) {
            return Err(Error::invalid(
                "an id with control characters cannot be asked for",
            ));
        }
        let mut url = self.base.clone();
        if call
            .path
            .iter()
            .any(|segment| matches!(segment.as_str(), "." | ".."))
        {
            return Err(Error::invalid("an id of dots only cannot be asked for"));
        }
        match url.path_segments_mut() {
            Ok(mut segments) => segments.pop_if_empty().extend(&call.path),
            Err(()) => {
                return Err(Error::new(
                    ErrorKind::Internal,
                    "base_url cannot have a path",
                ));
            }
        };
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&call.query);
        }
        Ok(url)
    }

    /// The path of a link that the provider sent, when it leads to the provider's own host.
    #[must_use]
    pub fn own_path(&self, link: &str) -> Option<String> {
        let url = self.base.join(link).ok()?;
        (url.origin() == self.base.origin()).then(|| url.path().to_owned())
    }

    /// Sends a request and reads its answer.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place where requests are sent"
    )]
    pub(super) async fn send(&self, call: Request) -> Result<Response> {
        let authorization = call.headers.get(AUTHORIZATION).cloned();
        let mut request = self.client.request(call.method.clone(), self.url(&call)?);
        request = request
            .header(ACCEPT, "application/json")
            .headers(call.headers);
        if let Some(body) = &call.body {
            request = request.json(body);
        }
        call.scope.count();
        let sent = Instant::now();
        call.told.send();
        let response = request.send().await.map_err(|error| unsent(&error))?;
        let status = response.status();
        let headers = response.headers().clone();
        call.told.answer(quota_of(&headers, SystemTime::now()));
        let body = self.read(response, call.scope.meter()).await;
        let body = body.and_then(|body| whole_body(status, body));
        match body {
            Ok(body) if status.is_success() => Ok(Response {
                account: self.account,
                status,
                headers,
                body: body.into(),
                sent,
                kept: None,
                is_repeated: false,
            }),
            // The status says enough, whatever became of the body.
            body => {
                let token = authorization.as_ref().and_then(token_of);
                let said = body.as_deref().unwrap_or_default();
                match self.refuse(status, &headers, said, token) {
                    Some(refusal) => Err(refusal),
                    None => Err(body.err().unwrap_or_else(|| {
                        Error::malformed("the provider's answer cannot be read")
                    })),
                }
            }
        }
    }

    async fn read(&self, mut response: reqwest::Response, meter: &Meter) -> Result<Vec<u8>> {
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
            Error::malformed("the provider's answer is cut short").reaching(FailureStage::CutShort)
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

    /// What a bad status and its body mean. What a client may see of it is cleaned here, whichever
    /// connector has read it.
    fn refuse(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
        token: Option<&str>,
    ) -> Option<Error> {
        if status.is_success() {
            return None;
        }
        let refusal = (self.explain)(status, headers, body);
        let kind = refusal.kind.unwrap_or_else(|| kind_of(status));
        let header_id = || headers.get(&REQUEST_ID)?.to_str().ok().map(str::to_owned);
        let request_id = refusal.request_id.or_else(header_id);
        let request_id = request_id.and_then(|id| sanitize::request_id(id, token));
        let wait = if kind.is_transient() {
            wait_of(headers, SystemTime::now()).map(|wait| wait.min(LONGEST))
        } else {
            None
        };
        let error = Error::new(kind, said(kind, status))
            .retry_after(wait)
            .request_id(request_id)
            .reasons(sanitize::reasons(refusal.reasons, token))
            .moved_to(refusal.moved_to)
            .answered(status.as_u16());
        Some(error)
    }
}

/// The body, unless it is a part of one: nobody asked for a part.
fn whole_body(status: StatusCode, body: Vec<u8>) -> Result<Vec<u8>> {
    if status == StatusCode::PARTIAL_CONTENT {
        let message = "the provider answered a part of what was asked for (206)";
        return Err(Error::malformed(message));
    }
    Ok(body)
}

/// Our own token at the provider.
fn token_of(authorization: &HeaderValue) -> Option<&str> {
    let text = authorization.to_str().ok()?;
    text.split_once(' ').map(|(_, token)| token)
}

/// What a status means, unless the provider's body says otherwise.
fn kind_of(status: StatusCode) -> ErrorKind {
    match status.as_u16() {
        401 | 403 => ErrorKind::Denied,
        404 => ErrorKind::Missing,
        408 => ErrorKind::TimedOut,
        429 => ErrorKind::Throttled,
        400..=499 => ErrorKind::Rejected,
        500.. => ErrorKind::Unavailable,
        // 1xx never gets here; a redirect is not followed.
        _ => ErrorKind::Malformed,
    }
}

fn said(kind: ErrorKind, status: StatusCode) -> String {
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
        | ErrorKind::Late
        | ErrorKind::TooLarge
        | ErrorKind::Overloaded
        | ErrorKind::CallLimit
        | ErrorKind::Internal => {
            format!("the provider answered {code}, which its API does not promise")
        }
    }
}

/// How long the provider asks us to wait: `Retry-After` in seconds or as a date, else the end of the
/// rate limit's window. A moment in the past is no wait at all.
fn wait_of(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &HeaderName| headers.get(name)?.to_str().ok().map(str::trim);
    let until = |seconds: u64| {
        let moment = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))?;
        Some(moment.duration_since(now).unwrap_or_default())
    };
    let after = text(&RETRY_AFTER).and_then(|after| {
        let date = || {
            let date = jiff::fmt::rfc2822::parse(after).ok()?;
            until(u64::try_from(date.timestamp().as_second()).ok()?)
        };
        whole(after).map(Duration::from_secs).or_else(date)
    });
    // What cannot be read does not hide what can.
    after.or_else(|| until(end_of(text(&RATE_RESET)?, now)?))
}

/// A number of a header, rounded up: some servers write seconds with a fraction.
fn whole(text: &str) -> Option<u64> {
    let (digits, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !is_plain(digits) || !is_plain(fraction) {
        return None;
    }
    let is_more = fraction.bytes().any(|digit| digit != b'0');
    digits.parse::<u64>().ok()?.checked_add(u64::from(is_more))
}

/// Below this a window's end is in how many seconds, and not a moment: three years.
const SECONDS_LEFT: u64 = 100_000_000;
/// From this on it is a moment in milliseconds: as seconds, three thousand years from now.
const MILLISECONDS: u64 = 100_000_000_000;
/// From this on it is nothing that is known.
const NONSENSE: u64 = 1_000 * MILLISECONDS;

/// The end of a rate limit's window in unix seconds. It is sent as such, in milliseconds, or as how many
/// seconds are left (Usertour v2).
fn end_of(text: &str, now: SystemTime) -> Option<u64> {
    match whole(text)? {
        left @ ..SECONDS_LEFT => {
            let now = now.duration_since(SystemTime::UNIX_EPOCH).ok()?;
            let is_more = now.subsec_nanos() > 0;
            Some(now.as_secs() + u64::from(is_more) + left)
        }
        moment @ ..MILLISECONDS => Some(moment),
        moment @ ..NONSENSE => Some(moment.div_ceil(1_000)),
        _ => None,
    }
}

/// What the provider says of its rate limit, if it says all of it.
fn quota_of(headers: &HeaderMap, now: SystemTime) -> Option<Quota> {
    let number = |name: &HeaderName| -> Option<u64> {
        let text = headers.get(name)?.to_str().ok()?;
        text.trim().parse().ok()
    };
    let small = |number: u64| u32::try_from(number).ok();
    let limit = small(number(&RATE_LIMIT)?).filter(|limit| *limit > 0)?;
    let remaining = small(number(&RATE_REMAINING)?)?.min(limit);
    // The provider's clock may be wrong, and ours: what counts is how long the window lasts. The date of
    // an answer has whole seconds, so ours is better as long as they agree.
    let date = headers.get(DATE).and_then(|date| date.to_str().ok());
    let date = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
    let date = date.map(|date| SystemTime::from(date.timestamp()));
    let is_far = |date: &SystemTime| {
        let ahead = date.duration_since(now).unwrap_or_default();
        ahead > SKEW || now.duration_since(*date).unwrap_or_default() > SKEW
    };
    let now = date.filter(is_far).unwrap_or(now);
    let resets_at = headers.get(&RATE_RESET)?.to_str().ok()?;
    let resets_at = end_of(resets_at.trim(), now)?;
    let reset = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(resets_at))?;
    Some(Quota {
        limit,
        remaining,
        resets_at,
        resets_in: reset.duration_since(now).unwrap_or_default(),
    })
}

/// What it means that there is no answer.
fn unsent(error: &reqwest::Error) -> Error {
    if is_for_lack_of_resources(error) {
        tracing::error!(%error, "the gateway has no file descriptors or memory left for a call");
        return Error::overloaded().reaching(FailureStage::Nowhere);
    }
    unreachable(error)
}

/// Whether this machine could not open a connection: it has no descriptors, ports or memory left.
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

fn unreachable(error: &reqwest::Error) -> Error {
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
