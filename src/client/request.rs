//! A request to a provider and its response.

use std::{any::Any, fmt::Display, sync::Arc};

use bytes::Bytes;
use reqwest::{
    Method, StatusCode,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, value::RawValue};
use tokio::time::Instant;

use super::{Operation, json};
use crate::{
    account::Account,
    context::RequestContext,
    error::{Error, Result},
};

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
    pub body: Option<Bytes>,
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
    /// Decodes the body of the response.
    pub(super) decode: DecodeFn,
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
            decode: <() as DecodedBody>::decode_any,
            context: RequestContext::until(Instant::now()),
        }
    }

    /// A read.
    #[must_use]
    pub fn get(operation: Operation, path: &[&str]) -> Self {
        Self::new(operation, Method::GET, path)
    }

    /// A read whose query is a body.
    #[must_use]
    pub fn search(operation: Operation, path: &[&str], body: impl Into<JsonBody>) -> Self {
        Self {
            body: Some(body.into().0),
            is_repeatable: true,
            is_read: true,
            ..Self::new(operation, Method::POST, path)
        }
    }

    /// A write that may be sent only once, unless [`Request::repeatable`] says otherwise.
    #[must_use]
    pub fn post(operation: Operation, path: &[&str], body: impl Into<JsonBody>) -> Self {
        Self {
            body: Some(body.into().0),
            ..Self::new(operation, Method::POST, path)
        }
    }

    /// A write that sets the fields it names: it may be repeated.
    #[must_use]
    pub fn put(operation: Operation, path: &[&str], body: impl Into<JsonBody>) -> Self {
        Self {
            body: Some(body.into().0),
            ..Self::new(operation, Method::PUT, path)
        }
    }

    /// A write that sets the fields it names: it may be repeated.
    #[must_use]
    pub fn patch(operation: Operation, path: &[&str], body: impl Into<JsonBody>) -> Self {
        Self {
            body: Some(body.into().0),
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

    /// Sets whether a 404 is a valid response.
    #[must_use]
    pub fn may_be_missing(mut self, may_be_missing: bool) -> Self {
        self.may_be_missing = may_be_missing;
        self
    }

    pub(super) fn with_context(mut self, context: RequestContext) -> Self {
        self.context = context;
        self
    }

    /// Sets the type of the response's body.
    pub(super) fn decode_as<T: DecodedBody>(mut self) -> Self {
        self.decode = T::decode_any;
        self
    }

    /// Decodes the body of a response, unless that is done.
    pub(super) fn decode(&self, response: Response) -> Result<Response> {
        match response.decoded {
            Some(_) => Ok(response),
            None => Ok(Response {
                decoded: Some((self.decode)(&response)?),
                ..response
            }),
        }
    }
}

/// The body of a response as a connector reads it.
pub trait DecodedBody: Sized + Send + Sync + 'static {
    /// Decodes the body of a successful response.
    ///
    /// # Errors
    /// `Malformed` when it is not what the provider documents. Such a response is not cached.
    fn decode(response: &Response) -> Result<Self>;

    /// The number of rows of a list; 1 for a record. A list without rows is cached for a shorter
    /// time.
    fn row_count(&self) -> usize {
        1
    }

    /// Decodes the body without its type.
    ///
    /// # Errors
    /// As [`DecodedBody::decode`].
    fn decode_any(response: &Response) -> Result<AnyBody> {
        let body = Self::decode(response)?;
        Ok(AnyBody {
            row_count: body.row_count(),
            value: Arc::new(body),
        })
    }
}

/// A response whose body nobody reads.
impl DecodedBody for () {
    fn decode(_: &Response) -> Result<Self> {
        Ok(())
    }
}

/// A decoded body without its type.
#[derive(Clone, Debug)]
pub struct AnyBody {
    value: Arc<dyn Any + Send + Sync>,
    /// The number of its rows.
    pub(super) row_count: usize,
}

type DecodeFn = fn(&Response) -> Result<AnyBody>;

/// A response with its decoded body.
#[derive(Debug)]
pub struct Decoded<T> {
    /// The body.
    pub body: Arc<T>,
    /// The response.
    pub response: Response,
}

impl<T: DecodedBody> Decoded<T> {
    /// Takes the body of a response, which was decoded as this type.
    pub(super) fn new(response: Response) -> Result<Self> {
        let decoded = response
            .decoded
            .as_ref()
            .map(|body| Arc::clone(&body.value));
        let body = match decoded.map(Arc::downcast::<T>) {
            Some(Ok(body)) => body,
            // Another connector's method reads the same response as another type.
            Some(Err(_)) | None => Arc::new(T::decode(&response)?),
        };
        Ok(Self { body, response })
    }
}

/// The JSON body of a request, as it is sent.
pub struct JsonBody(Bytes);

/// JSON whose numbers keep the digits in which they were read.
impl From<Box<RawValue>> for JsonBody {
    fn from(body: Box<RawValue>) -> Self {
        Self(String::from(Box::<str>::from(body)).into())
    }
}

impl From<Value> for JsonBody {
    fn from(body: Value) -> Self {
        Self(body.to_string().into())
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
    /// The body, decoded once for all that share the response.
    pub(super) decoded: Option<AnyBody>,
}

impl Response {
    /// The same response, to a request that was sent before.
    #[must_use]
    pub fn repeated(self) -> Self {
        Self {
            is_repeated: true,
            ..self
        }
    }

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

    /// Reads the body after removing the values that a strict reader refuses.
    fn parse_lenient<T: DeserializeOwned>(&self) -> Option<T> {
        let text = String::from_utf8_lossy(&self.body);
        serde_json::from_str(&json::sanitize(&text, usize::MAX)).ok()
    }
}
