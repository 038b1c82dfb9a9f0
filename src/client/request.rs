//! A request to a provider and its response.

use std::{
    fmt::Display,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use reqwest::{
    Method, StatusCode,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use tokio::time::Instant;

use super::json;
use crate::{
    account::Account,
    context::RequestContext,
    error::{Error, Result},
};

/// The purpose of a call: its name in metrics, logs and errors.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Operation {
    /// Reads a page of the list.
    List,
    /// Reads one user by the provider's id.
    ById,
    /// Reads one user by your systems' id.
    ByExternalId,
    /// Finds users by email address.
    ByEmail,
    /// Finds or creates a user in one call.
    Upsert,
    /// Creates a user.
    Create,
    /// Changes a user.
    Update,
    /// Reads a user's custom fields, where they need their own call.
    Attributes,
    /// Reads a user's companies, where they need their own call.
    Companies,
    /// Reads a user's segments, where they need their own call.
    Segments,
    /// Reads a user's labels, where they need their own call.
    Tags,
}

impl Operation {
    /// The operations that change nothing.
    pub const READS: [Self; 8] = [
        Self::List,
        Self::ById,
        Self::ByExternalId,
        Self::ByEmail,
        Self::Attributes,
        Self::Companies,
        Self::Segments,
        Self::Tags,
    ];

    /// All operations.
    pub(super) const ALL: [Self; 11] = [
        Self::List,
        Self::ById,
        Self::ByExternalId,
        Self::ByEmail,
        Self::Upsert,
        Self::Create,
        Self::Update,
        Self::Attributes,
        Self::Companies,
        Self::Segments,
        Self::Tags,
    ];

    /// The operation's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::ById => "by_id",
            Self::ByExternalId => "by_external_id",
            Self::ByEmail => "by_email",
            Self::Upsert => "upsert",
            Self::Create => "create",
            Self::Update => "update",
            Self::Attributes => "attributes",
            Self::Companies => "companies",
            Self::Segments => "segments",
            Self::Tags => "tags",
        }
    }
}

/// The progress of one attempt, which the transport reports to the layers even if nobody waits for
/// its end.
#[derive(Debug, Default)]
pub struct AttemptProgress {
    sent: OnceLock<Instant>,
    is_answered: AtomicBool,
    quota: OnceLock<RateLimitHeaders>,
}

impl AttemptProgress {
    /// Reports that the request is being sent.
    pub(super) fn mark_sent(&self) {
        // An attempt is sent only once.
        let _ = self.sent.set(Instant::now());
    }

    /// Reports that the response's head has arrived, with its rate limit headers.
    pub(super) fn mark_answered(&self, quota: Option<RateLimitHeaders>) {
        if let Some(quota) = quota {
            // An attempt has only one response.
            let _ = self.quota.set(quota);
        }
        self.is_answered.store(true, Ordering::Release);
    }

    /// Whether the request was sent, or may have been.
    #[must_use]
    pub fn is_sent(&self) -> bool {
        self.sent.get().is_some()
    }

    /// Whether the provider responded.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        self.is_answered.load(Ordering::Acquire)
    }

    /// The rate limit that the provider reported.
    #[must_use]
    pub fn quota(&self) -> Option<RateLimitHeaders> {
        self.quota.get().copied()
    }
}

/// A rate limit, as a response's headers report it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RateLimitHeaders {
    /// The calls of one window.
    pub limit: u32,
    /// The calls left in the window after this one.
    pub remaining: u32,
    /// When the window ends, in unix seconds; this identifies the window.
    pub resets_at: u64,
    /// The time from now until the window ends.
    pub resets_in: Duration,
}

/// A request to a provider: everything except the host and the credentials.
#[derive(Clone, Debug)]
pub struct Request {
    /// The purpose of the call.
    pub operation: Operation,
    /// The HTTP method.
    pub method: Method,
    /// The path below the base URL, segment by segment, not encoded; an empty last segment means a
    /// trailing slash.
    pub path: Vec<String>,
    /// The query, not encoded.
    pub query: Vec<(&'static str, String)>,
    /// The JSON body.
    pub body: Option<Value>,
    /// Further headers.
    pub headers: HeaderMap,
    /// Whether sending it twice has the same effect as sending it once.
    pub is_repeatable: bool,
    /// Whether it changes nothing: its response may be cached, and shared with equal requests in
    /// flight.
    pub is_read: bool,
    /// Whether a 404 is a valid response: the record does not exist.
    pub may_be_missing: bool,
    /// The page of the list that it reads, in words fit for a client.
    pub page: Option<String>,
    /// The oldest acceptable moment at which the response was read.
    pub since: Option<Instant>,
    /// The number of the attempt, counted from one.
    pub attempt: u32,
    /// How many microseconds the attempt has waited for a permit and for budget.
    pub waited: Arc<AtomicU64>,
    /// The progress of the attempt, however it ends.
    pub progress: Arc<AttemptProgress>,
    /// The context of the request that it belongs to: deadline, usage and call log.
    pub context: RequestContext,
}

impl Request {
    fn new(operation: Operation, method: Method, path: &[&str]) -> Self {
        let (is_repeatable, is_read) = (method.is_idempotent(), method.is_safe());
        Self {
            operation,
            method,
            path: path.iter().map(|&segment| segment.to_owned()).collect(),
            query: Vec::new(),
            body: None,
            headers: HeaderMap::new(),
            is_repeatable,
            is_read,
            may_be_missing: false,
            page: None,
            since: None,
            attempt: 1,
            waited: Arc::default(),
            progress: Arc::default(),
            context: RequestContext::until(tokio::time::Instant::now()),
        }
    }

    /// A read.
    #[must_use]
    pub fn get(operation: Operation, path: &[&str]) -> Self {
        Self::new(operation, Method::GET, path)
    }

    /// A read whose query is a body.
    #[must_use]
    pub fn search(operation: Operation, path: &[&str], body: Value) -> Self {
        Self {
            body: Some(body),
            is_repeatable: true,
            is_read: true,
            ..Self::new(operation, Method::POST, path)
        }
    }

    /// A write that may be sent only once, unless [`Request::repeatable`] says otherwise.
    #[must_use]
    pub fn post(operation: Operation, path: &[&str], body: Value) -> Self {
        Self {
            body: Some(body),
            ..Self::new(operation, Method::POST, path)
        }
    }

    /// A write that sets the fields it names: it may be repeated.
    #[must_use]
    pub fn put(operation: Operation, path: &[&str], body: Value) -> Self {
        Self {
            body: Some(body),
            ..Self::new(operation, Method::PUT, path)
        }
    }

    /// A write that sets the fields it names: it may be repeated.
    #[must_use]
    pub fn patch(operation: Operation, path: &[&str], body: Value) -> Self {
        Self {
            body: Some(body),
            is_repeatable: true,
            ..Self::new(operation, Method::PATCH, path)
        }
    }

    /// A deletion: it may be repeated.
    #[must_use]
    pub fn delete(operation: Operation, path: &[&str]) -> Self {
        Self::new(operation, Method::DELETE, path)
    }

    /// Adds query parameters.
    #[must_use]
    pub fn query(mut self, pairs: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        self.query.extend(pairs);
        self
    }

    /// Sets the page of the list that the call reads.
    #[must_use]
    pub fn page(mut self, page: impl Display) -> Self {
        self.page = Some(page.to_string());
        self
    }

    /// Requires that the response was read at this moment or later: pages of different ages are not
    /// joined.
    #[must_use]
    pub fn no_older_than(mut self, since: Option<Instant>) -> Self {
        self.since = since;
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Sets whether sending the call twice has the same effect as sending it once.
    #[must_use]
    pub fn repeatable(mut self, is_repeatable: bool) -> Self {
        self.is_repeatable = is_repeatable;
        self
    }

    /// Adds time that the attempt has waited.
    pub(super) fn add_wait(&self, waited: Duration) {
        let waited = u64::try_from(waited.as_micros()).unwrap_or(u64::MAX);
        self.waited.fetch_add(waited, Ordering::Relaxed);
    }

    pub(super) fn with_context(mut self, context: RequestContext) -> Self {
        self.context = context;
        self
    }
}

/// A provider's response with a status below 400, read to its end.
#[derive(Clone, Debug)]
pub struct Response {
    /// The account that was called.
    pub account: Account,
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// When the request was sent.
    pub sent: Instant,
    /// When the request was sent, if the response comes from the cache.
    pub cached_at: Option<Instant>,
    /// Whether an earlier attempt of the same call may have been carried out.
    pub is_repeated: bool,
}

impl Response {
    /// The status as a number.
    #[must_use]
    pub fn status_code(&self) -> u16 {
        self.status.as_u16()
    }

    /// Reads the body as a JSON object. A list is an error, though serde would accept one for a
    /// struct.
    ///
    /// # Errors
    /// As [`Response::json`].
    pub fn object<T: DeserializeOwned>(&self) -> Result<T> {
        match self.body.iter().find(|byte| !byte.is_ascii_whitespace()) {
            Some(b'{') | None => self.json(),
            Some(_) => Err(Error::malformed(
                "the provider answered something that is no JSON object",
            )),
        }
    }

    /// Reads the body as JSON.
    ///
    /// # Errors
    /// `Malformed` when it is not; the error does not contain the body's text.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body).or_else(|error| {
            self.parse_lenient().ok_or_else(|| {
                let at = format!("line {} column {}", error.line(), error.column());
                let what = match error.classify() {
                    serde_json::error::Category::Data => "JSON of another shape than documented",
                    serde_json::error::Category::Eof => "JSON that is cut short",
                    serde_json::error::Category::Syntax | serde_json::error::Category::Io => {
                        "something that is not JSON"
                    }
                };
                Error::malformed(format!("the provider answered {what} ({at})"))
            })
        })
    }

    /// Reads the body after removing what strict readers refuse: one odd value loses only itself.
    fn parse_lenient<T: DeserializeOwned>(&self) -> Option<T> {
        let text = String::from_utf8_lossy(&self.body);
        serde_json::from_str(&json::sanitize(&text, usize::MAX)).ok()
    }
}
