//! GraphQL over HTTP (the specification of the GraphQL working group, 2025).
//!
//! The engine's own handler runs mutations over GET and over any content type, which lets a foreign
//! page write with a visitor's rights, and always answers one content type. This handler takes JSON
//! over POST and queries over GET, and answers what the client accepts.

mod accept;
mod ending;
mod integers;
mod read;

use std::time::Duration;

use async_graphql::{
    Request, Response as Answer, ServerError, Value, parser::types::OperationType,
};
use axum::{
    Router,
    body::Bytes,
    extract::{RawQuery, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::any,
};
use serde_json::json;
use tokio::time::Instant;

use super::{
    REQUEST_ID,
    answer::UncompressedBytes,
    body::{BodyError, RequestBody},
    log::{OperationLog, operation_name},
};
use crate::{
    audit::RequestId,
    client::Meter,
    error::{Error, ErrorCode, ErrorKind},
    graphql::{
        Graph, Schema,
        description::describe,
        error::{coded, seconds, without_what_is_too_large},
        prepare::{Prepared, prepare},
        trace::Trace,
        with_loaders,
    },
    metrics,
};
use accept::Media;
use ending::Ending;
use read::read;

/// The header with the secret that lets its sender see the calls of a request.
static TRACE: HeaderName = HeaderName::from_static("x-roster-trace");

/// The route `/graphql`.
pub fn router(schema: Schema) -> Router {
    metrics::init_requests(ErrorCode::all().map(ErrorCode::as_str));
    Router::new()
        .route("/graphql", any(handle))
        .with_state(schema)
}

/// Why a request is refused before the engine sees it.
struct RequestRefusal {
    status: StatusCode,
    code: ErrorCode,
    message: String,
    /// The number of seconds until a retry makes sense.
    retry_after: Option<i32>,
}

impl RequestRefusal {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            code: ErrorCode::BadUserInput,
            message: message.into(),
            retry_after: None,
        }
    }

    /// A request with the hash of a document and no document. Clients look for exactly this message
    /// or code, and then send the document.
    fn no_persisted_queries() -> Self {
        Self {
            code: ErrorCode::PersistedQueryNotSupported,
            ..Self::new(StatusCode::BAD_REQUEST, "PersistedQueryNotSupported")
        }
    }

    /// The status under a media type. Some older clients read errors only under 200.
    fn status(&self, media: Media) -> StatusCode {
        match (self.code, media) {
            (ErrorCode::PersistedQueryNotSupported, Media::Json) => StatusCode::OK,
            _ => self.status,
        }
    }

    fn from_body_error(error: BodyError) -> Self {
        match error {
            BodyError::Overloaded => Self {
                message: error.to_string(),
                ..Self::from_error(&Error::overloaded())
            },
            _ => Self::new(error.status(), error.to_string()),
        }
    }

    /// A request that exceeds the available memory.
    fn from_error(error: &Error) -> Self {
        let status = match error.kind() {
            ErrorKind::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
            ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        };
        Self {
            status,
            code: error.kind().code(),
            message: error.message().to_owned(),
            retry_after: error.wait().map(seconds),
        }
    }
}

/// An operation that ran.
struct ExecutedOperation {
    operation: &'static str,
    name: Option<String>,
    answer: Answer,
    /// The number of seconds for which the client may cache the response.
    fresh_for: u64,
    /// The trace, which also holds the response's share of the gateway's memory.
    trace: Trace,
}

impl ExecutedOperation {
    /// A request that cannot run.
    fn refused(errors: Vec<ServerError>) -> Self {
        Self {
            operation: "unknown",
            name: None,
            answer: Answer::from_errors(errors),
            fresh_for: 0,
            trace: Trace::default(),
        }
    }
}

/// The HTTP response, and what is recorded about it.
struct HttpReply {
    operation: &'static str,
    name: Option<String>,
    ending: Ending,
    response: Response,
}

impl HttpReply {
    /// Counts the request, and attaches the log's fields to the response.
    fn record(self, took: Duration) -> Response {
        let ending = self.ending;
        metrics::request(self.operation, ending.outcome, took);
        for code in &ending.codes {
            metrics::graphql_error(code.as_str());
        }
        let log = OperationLog {
            kind: self.operation,
            name: self.name.as_deref().map(operation_name),
            outcome: ending.outcome,
            errors: ending.errors,
            failed_sources: ending.failed_sources,
            failed_writes: ending.failed_writes,
            code: ending.codes.first().map(|code| code.as_str()),
        };
        let mut response = self.response;
        response.extensions_mut().insert(log);
        response
    }
}

async fn handle(
    State(schema): State<Schema>,
    method: Method,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    RequestBody(body): RequestBody,
) -> Response {
    let started = Instant::now();
    if method == Method::GET && query.is_none() && accept::is_a_browser(&headers) {
        return Redirect::temporary("/graphiql").into_response();
    }
    let media = accept::negotiate(&headers);
    let body_error = body.as_ref().err().copied();
    let response = async {
        let media = media.ok_or_else(|| {
            let message =
                "this endpoint answers application/graphql-response+json and application/json";
            RequestRefusal::new(StatusCode::NOT_ACCEPTABLE, message)
        })?;
        let request = read(&method, query.as_deref(), &headers, body)?;
        let ran = run(&schema, request, &method, &headers).await?;
        render(ran, media).await
    };
    let response = response
        .await
        .unwrap_or_else(|refusal| refused(&refusal, media.unwrap_or(Media::Json)));
    let mut response = response.record(started.elapsed());
    if let Some(error) = body_error {
        response.extensions_mut().insert(error);
    }
    let wait = accept::wait(&headers).zip(schema.data::<Graph>());
    let wait = wait.map(|(wait, graph)| wait.min(graph.bounds.deadline));
    if let Some(applied) = wait.and_then(accept::preference_applied) {
        response.headers_mut().insert("preference-applied", applied);
    }
    response
}

async fn run(
    schema: &Schema,
    request: Request,
    method: &Method,
    headers: &HeaderMap,
) -> Result<ExecutedOperation, RequestRefusal> {
    let Prepared {
        request,
        operation,
        name,
        uncounted,
        schemas,
    } = match prepare(schema, request) {
        Ok(prepared) => prepared,
        Err(errors) => return Ok(ExecutedOperation::refused(errors)),
    };
    let operation = match operation {
        OperationType::Query => "query",
        OperationType::Mutation => "mutation",
        OperationType::Subscription => "subscription",
    };
    if operation == "mutation" && *method != Method::POST {
        return Err(RequestRefusal::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "a mutation must be sent by POST",
        ));
    }
    let (request, trace) = with_loaders(
        request,
        schema,
        accept::wait(headers),
        accept::max_age(headers),
    );
    let id = headers.get(&REQUEST_ID).and_then(|id| id.to_str().ok());
    let request = request.data(RequestId(id.unwrap_or_default().to_owned()));
    trace
        .charge(uncounted)
        .map_err(|error| RequestRefusal::from_error(&error))?;
    let mut answer = schema.execute(request).await;
    // A mutation's result must be returned, or the client repeats it.
    if trace.is_overloaded() && operation == "query" {
        return Err(RequestRefusal::from_error(&Error::overloaded()));
    }
    describe(&mut answer, &schemas);
    coded(&mut answer.errors);
    without_what_is_too_large(&mut answer);
    let sent = headers.get(&TRACE).map(HeaderValue::as_bytes);
    if schema
        .data::<Graph>()
        .is_some_and(|graph| graph.audience.admits(sent))
    {
        answer.extensions.insert("roster".to_owned(), trace.shown());
    }
    let is_whole = operation == "query" && answer.errors.is_empty();
    let fresh_for = trace.fresh_for().as_secs();
    Ok(ExecutedOperation {
        operation,
        name,
        answer,
        fresh_for: if is_whole { fresh_for } else { 0 },
        trace,
    })
}

/// Renders the response as the client accepts it. A request that could not run at all has errors
/// without a path and no data: then there is no `data` key, and under the newer media type the
/// status is an error.
async fn render(ran: ExecutedOperation, media: Media) -> Result<HttpReply, RequestRefusal> {
    let ExecutedOperation {
        operation,
        name,
        answer,
        fresh_for,
        trace,
    } = ran;
    let is_empty = answer.data == Value::Null;
    let is_request_error = is_empty
        && !answer.errors.is_empty()
        && answer.errors.iter().all(|error| error.path.is_empty());
    let status = match media {
        Media::GraphqlResponse if is_request_error => StatusCode::BAD_REQUEST,
        Media::GraphqlResponse | Media::Json => StatusCode::OK,
    };
    let ending = Ending::of(&answer, is_request_error, trace.fates());
    let is_large = trace.bytes() > LARGE;
    let Ok(body) = encode(answer, is_request_error, is_large).await else {
        tracing::error!("an answer cannot be written as JSON");
        return Err(RequestRefusal::from_error(&Error::new(
            ErrorKind::Internal,
            "the gateway failed; its log says why",
        )));
    };
    let meter = match trace.written(body.len()) {
        // A mutation's result must be returned.
        Err(_) if operation == "mutation" => Meter::default(),
        charged => charged.map_err(|error| RequestRefusal::from_error(&error))?,
    };
    let body = Bytes::from_owner(EncodedAnswer {
        body,
        _meter: meter,
    });
    let bytes = UncompressedBytes(body.len());
    let mut response = with_media(status, media, body);
    response.extensions_mut().insert(bytes);
    if fresh_for > 0 {
        let cached = HeaderValue::from_str(&format!("private, max-age={fresh_for}"));
        let headers = response.headers_mut();
        cached
            .map(|cached| headers.insert(header::CACHE_CONTROL, cached))
            .ok();
    }
    Ok(HttpReply {
        operation,
        name,
        ending,
        response,
    })
}

/// A response that holds more bytes than this is encoded off the threads that serve requests.
const LARGE: u64 = 256 * 1024;

/// Encodes a response as JSON.
async fn encode(
    answer: Answer,
    is_request_error: bool,
    is_large: bool,
) -> Result<Vec<u8>, serde_json::Error> {
    let write = move || {
        if is_request_error {
            serde_json::to_vec(&json!({ "errors": answer.errors }))
        } else {
            serde_json::to_vec(&answer)
        }
    };
    if !is_large {
        return write();
    }
    let written = tokio::task::spawn_blocking(write).await;
    written.unwrap_or_else(|failure| Err(serde::ser::Error::custom(failure)))
}

/// A response that waits to be sent, with its share of the gateway's memory.
struct EncodedAnswer {
    body: Vec<u8>,
    _meter: Meter,
}

impl AsRef<[u8]> for EncodedAnswer {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

fn refused(refusal: &RequestRefusal, media: Media) -> HttpReply {
    let mut extensions = json!({ "code": refusal.code.as_str() });
    if let Some(seconds) = refusal.retry_after {
        extensions["retryAfter"] = seconds.into();
    }
    let error = json!({ "errors": [{ "message": refusal.message, "extensions": extensions }] });
    let mut response = with_media(refusal.status(media), media, error.to_string().into());
    if let Some(seconds) = refusal.retry_after {
        let headers = response.headers_mut();
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if refusal.status == StatusCode::METHOD_NOT_ALLOWED {
        response
            .headers_mut()
            .insert(header::ALLOW, HeaderValue::from_static("GET, POST"));
    }
    HttpReply {
        operation: "unknown",
        name: None,
        ending: Ending::refused(refusal.code),
        response,
    }
}

fn with_media(status: StatusCode, media: Media, body: Bytes) -> Response {
    let headers = [
        (header::CONTENT_TYPE, media.content_type()),
        (header::VARY, "accept, authorization, cookie"),
        // Personal data: no cache on the way may store it; the client may, while it is fresh.
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, headers, body).into_response()
}
