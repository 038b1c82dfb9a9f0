//! A request to a provider and its answer.

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

use super::{RequestContext, json};
use crate::{
    account::Account,
    error::{Error, Result},
};

/// What a call is for: the name in metrics, logs and errors.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Operation {
    /// A page of the list.
    List,
    /// One user by the provider's id.
    ById,
    /// One user by the id that your systems gave.
    ByExternalId,
    /// Users by address.
    ByEmail,
    /// A native find-or-create.
    Upsert,
    /// A new user.
    Create,
    /// A change to a user.
    Update,
    /// A user's custom fields, where they are a call of their own.
    Attributes,
    /// A user's companies, where they are a call of their own.
    Companies,
    /// A user's segments, where they are a call of their own.
    Segments,
    /// A user's labels, where they are a call of their own.
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

/// What the wire tells the layers before it of one attempt, even where nobody waits for its end.
#[derive(Debug, Default)]
pub struct AttemptProgress {
    sent: OnceLock<Instant>,
    is_answered: AtomicBool,
    quota: OnceLock<Quota>,
}

impl AttemptProgress {
    /// Says that the request is being sent.
    pub(super) fn send(&self) {
        // One attempt is sent once.
        let _ = self.sent.set(Instant::now());
    }

    /// Says that the head of an answer is there, with the provider's word on its rate limit.
    pub(super) fn answer(&self, quota: Option<Quota>) {
        if let Some(quota) = quota {
            // One attempt has one answer.
            let _ = self.quota.set(quota);
        }
        self.is_answered.store(true, Ordering::Release);
    }

    /// Whether the request was sent, or may have been.
    #[must_use]
    pub fn is_sent(&self) -> bool {
        self.sent.get().is_some()
    }

    /// Whether the provider answered.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        self.is_answered.load(Ordering::Acquire)
    }

    /// The provider's word on its rate limit.
    #[must_use]
    pub fn quota(&self) -> Option<Quota> {
        self.quota.get().copied()
    }
}

/// A provider's word on its rate limit, as an answer's headers give it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Quota {
    /// The calls of one window.
    pub limit: u32,
    /// The calls that are left in the window, this one not.
    pub remaining: u32,
    /// When the window ends, in unix seconds: the name of the window.
    pub resets_at: u64,
    /// How long that is from now.
    pub resets_in: Duration,
}

/// A request to a provider: everything but the host and the credentials.
#[derive(Clone, Debug)]
pub struct Request {
    /// What it is for.
    pub operation: Operation,
    /// The HTTP method.
    pub method: Method,
    /// The path below the base URL, segment by segment, not encoded; an empty last segment is a
    /// trailing slash.
    pub path: Vec<String>,
    /// The query, not encoded.
    pub query: Vec<(&'static str, String)>,
    /// The JSON body.
    pub body: Option<Value>,
    /// Further headers.
    pub headers: HeaderMap,
    /// Whether sending it twice does what sending it once does.
    pub is_repeatable: bool,
    /// Whether it changes nothing: its answer may be kept, and shared by who asks for the same.
    pub is_read: bool,
    /// Whether 404 is an answer to it: there is no such thing.
    pub may_be_missing: bool,
    /// Which page of a list it is for, in words fit for a client.
    pub page: Option<String>,
    /// An answer that was read before this moment will not do.
    pub since: Option<Instant>,
    /// The number of the attempt, counted from one.
    pub attempt: u32,
    /// How many microseconds the attempt has waited for its turn and for budget.
    pub waited: Arc<AtomicU64>,
    /// What the wire tells of the attempt, however it ends.
    pub told: Arc<AttemptProgress>,
    /// The deadline and the tally of the work that it belongs to.
    pub scope: RequestContext,
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
            told: Arc::default(),
            scope: RequestContext::until(tokio::time::Instant::now()),
        }
    }

    /// A read.
    #[must_use]
    pub fn get(operation: Operation, path: &[&str]) -> Self {
        Self::new(operation, Method::GET, path)
    }

    /// A read whose question is a body.
    #[must_use]
    pub fn search(operation: Operation, path: &[&str], body: Value) -> Self {
        Self {
            body: Some(body),
            is_repeatable: true,
            is_read: true,
            ..Self::new(operation, Method::POST, path)
        }
    }

    /// A write that may be sent once only, unless [`Request::repeatable`] says otherwise.
    #[must_use]
    pub fn post(operation: Operation, path: &[&str], body: Value) -> Self {
        Self {
            body: Some(body),
            ..Self::new(operation, Method::POST, path)
        }
    }

    /// A write that sets what it names: it may be repeated.
    #[must_use]
    pub fn put(operation: Operation, path: &[&str], body: Value) -> Self {
        Self {
            body: Some(body),
            ..Self::new(operation, Method::PUT, path)
        }
    }

    /// A write that sets what it names: it may be repeated.
    #[must_use]
    pub fn patch(operation: Operation, path: &[&str], body: Value) -> Self {
        Self {
            body: Some(body),
            is_repeatable: true,
            ..Self::new(operation, Method::PATCH, path)
        }
    }

    /// Takes something away: it may be repeated.
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

    /// Says which page of a list the call is for.
    #[must_use]
    pub fn page(mut self, page: impl Display) -> Self {
        self.page = Some(page.to_string());
        self
    }

    /// Says that an answer that was read before a moment will not do: pages of different ages are not
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

    /// Says whether sending the call twice does what sending it once does.
    #[must_use]
    pub fn repeatable(mut self, is_repeatable: bool) -> Self {
        self.is_repeatable = is_repeatable;
        self
    }

    /// Counts time that the attempt has waited.
    pub(super) fn wait(&self, waited: Duration) {
        let waited = u64::try_from(waited.as_micros()).unwrap_or(u64::MAX);
        self.waited.fetch_add(waited, Ordering::Relaxed);
    }

    pub(super) fn within(mut self, scope: RequestContext) -> Self {
        self.scope = scope;
        self
    }
}

/// A provider's answer of a status below 400, read to its end.
#[derive(Clone, Debug)]
pub struct Response {
    /// The account that answered.
    pub account: Account,
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// When the request was sent.
    pub sent: Instant,
    /// When that was, if the answer has been kept since then.
    pub kept: Option<Instant>,
    /// Whether an earlier attempt of the same call may have been carried out.
    pub is_repeated: bool,
}

impl Response {
    /// The body, as a JSON object of a type. A list is none, though serde would read one as such.
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

    /// The body, as JSON of a type.
    ///
    /// # Errors
    /// `Malformed` when it is not; the body's text is kept out of the error.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body).or_else(|error| {
            self.tolerantly().ok_or_else(|| {
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

    /// The body, once what strict readers refuse is taken out: one odd value costs itself only.
    fn tolerantly<T: DeserializeOwned>(&self) -> Option<T> {
        let text = String::from_utf8_lossy(&self.body);
        serde_json::from_str(&json::strict(&text, usize::MAX)).ok()
    }
}
