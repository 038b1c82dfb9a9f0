//! GraphQL over HTTP (the specification of the GraphQL working group, 2025).
//!
//! The engine's own handler runs mutations over GET and over any content type, which lets a foreign
//! page write with a visitor's rights, and answers one content type whatever was asked for. This one
//! takes JSON over POST and queries over GET, and answers what the client accepts.

mod accept;
mod ending;
mod integers;

use std::time::Duration;

use async_graphql::{
    Name, Request, Response as Answer, ServerError, Value, Variables, indexmap::IndexMap,
    parser::types::OperationType,
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
        error::{INTEGERS, coded, seconds, without_what_is_too_large},
        prepare::{Prepared, prepare},
        trace::Trace,
        with_loaders,
    },
    metrics,
};
use accept::Media;
use ending::Ending;

/// The header that says that its sender may see the calls that a request made.
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
    /// After how many seconds to try again.
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

    /// The hash of a document without the document. Clients look for this very message or code, and then
    /// send the document.
    fn no_persisted_queries() -> Self {
        Self {
            code: ErrorCode::PersistedQueryNotSupported,
            ..Self::new(StatusCode::BAD_REQUEST, "PersistedQueryNotSupported")
        }
    }

    /// The status under a media type. Some older clients read errors under 200 alone.
    fn status(&self, media: Media) -> StatusCode {
        match (self.code, media) {
            (ErrorCode::PersistedQueryNotSupported, Media::Json) => StatusCode::OK,
            _ => self.status,
        }
    }

    fn of_body(error: BodyError) -> Self {
        match error {
            BodyError::Overloaded => Self {
                message: error.to_string(),
                ..Self::of(&Error::overloaded())
            },
            _ => Self::new(error.status(), error.to_string()),
        }
    }

    /// A request that costs more than there is.
    fn of(error: &Error) -> Self {
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
    /// For how many seconds who asked may keep the answer.
    fresh_for: u64,
    /// What it holds of the gateway's memory.
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

/// What goes back, and what is noted of it.
struct HttpReply {
    operation: &'static str,
    name: Option<String>,
    ending: Ending,
    response: Response,
}

impl HttpReply {
    /// Counts the request, and leaves what the log says of it.
    fn noted(self, took: Duration) -> Response {
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
    let reply = async {
        let media = media.ok_or_else(|| {
            let message =
                "this endpoint answers application/graphql-response+json and application/json";
            RequestRefusal::new(StatusCode::NOT_ACCEPTABLE, message)
        })?;
        let request = read(&method, query.as_deref(), &headers, body)?;
        let ran = run(&schema, request, &method, &headers).await?;
        shown(ran, media).await
    };
    let reply = reply
        .await
        .unwrap_or_else(|refusal| refused(&refusal, media.unwrap_or(Media::Json)));
    let mut response = reply.noted(started.elapsed());
    if let Some(error) = body_error {
        response.extensions_mut().insert(error);
    }
    let wait = accept::wait(&headers).zip(schema.data::<Graph>());
    let wait = wait.map(|(wait, graph)| wait.min(graph.bounds.deadline));
    if let Some(applied) = wait.and_then(accept::applied) {
        response.headers_mut().insert("preference-applied", applied);
    }
    response
}

fn read(
    method: &Method,
    query: Option<&str>,
    headers: &HeaderMap,
    body: Result<Bytes, BodyError>,
) -> Result<Request, RequestRefusal> {
    match *method {
        // What any page may send without asking first is not taken, though it only reads.
        Method::GET | Method::HEAD if accept::is_of_a_form(headers) => Err(not_json()),
        Method::GET | Method::HEAD => read_query(query.unwrap_or_default()),
        Method::POST => {
            let body = body.map_err(RequestRefusal::of_body)?;
            read_body(headers, &body)
        }
        _ => Err(RequestRefusal::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "use POST, or GET for queries",
        )),
    }
}

fn read_query(query: &str) -> Result<Request, RequestRefusal> {
    let bad = |message: &str| RequestRefusal::new(StatusCode::BAD_REQUEST, message);
    let mut params = IndexMap::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let value = match name.as_ref() {
            "query" | "operationName" => Value::String(value.into_owned()),
            "variables" | "extensions" if value.is_empty() => Value::Null,
            "variables" if integers::has_too_large(value.as_bytes()) => return Err(bad(INTEGERS)),
            "variables" | "extensions" => serde_json::from_str(&value)
                .map_err(|_| bad(&format!("the parameter `{name}` must be a JSON object")))?,
            _ => continue,
        };
        params.insert(Name::new(name), value);
    }
    checked(Value::Object(params))
}

fn read_body(headers: &HeaderMap, body: &[u8]) -> Result<Request, RequestRefusal> {
    let media = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if !accept::is_json(media) {
        return Err(not_json());
    }
    let bad = |message: &str| RequestRefusal::new(StatusCode::BAD_REQUEST, message);
    let read = serde_json::from_slice(body);
    let read = read.map_err(|error| bad(&format!("the body is not JSON: {error}")))?;
    if integers::has_too_large(body) {
        return Err(bad(INTEGERS));
    }
    checked(read)
}

fn not_json() -> RequestRefusal {
    let message = "send the request as `Content-Type: application/json`, in UTF-8";
    RequestRefusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message)
}

/// The request in a body, as the specification names its members. The body was read into the engine's
/// own values: serde's would read some texts as JSON inside JSON, with a new bound on their depth.
fn checked(body: Value) -> Result<Request, RequestRefusal> {
    let bad = |message: &str| Err(RequestRefusal::new(StatusCode::BAD_REQUEST, message));
    let Value::Object(mut fields) = body else {
        return bad("the body must be an object with `query`; batches are not taken");
    };
    let query = fields.swap_remove("query");
    let is_given = matches!(&query, Some(query) if *query != Value::Null && *query != "".into());
    if !is_given && has_hash(&fields) {
        return Err(RequestRefusal::no_persisted_queries());
    }
    let mut request = match query {
        Some(Value::String(query)) => Request::new(query),
        Some(_) => return bad("`query` must be a string"),
        None => return bad("`query` is missing"),
    };
    let mut take = |name: &str| fields.swap_remove(name).unwrap_or_default();
    let (name, variables, extensions) =
        (take("operationName"), take("variables"), take("extensions"));
    match (name, variables, extensions) {
        (
            name @ (Value::Null | Value::String(_)),
            variables @ (Value::Null | Value::Object(_)),
            // There is no extension to the protocol that is understood.
            Value::Null | Value::Object(_),
        ) => {
            request.operation_name = match name {
                Value::String(name) if !name.is_empty() => Some(name),
                _ => None,
            };
            request.variables = Variables::from_value(variables);
            Ok(request)
        }
        _ => bad("`operationName` must be a string, `variables` and `extensions` must be objects"),
    }
}

/// Whether a request names its document by a hash, as clients with automatic persisted queries do.
fn has_hash(fields: &IndexMap<Name, Value>) -> bool {
    let member = |value: &Value, name: &str| match value {
        Value::Object(members) => members.get(name).cloned(),
        _ => None,
    };
    let extensions = fields.get("extensions");
    let persisted = extensions.and_then(|extensions| member(extensions, "persistedQuery"));
    let hash = persisted.and_then(|persisted| member(&persisted, "sha256Hash"));
    matches!(hash, Some(Value::String(_)))
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
        .map_err(|error| RequestRefusal::of(&error))?;
    let mut answer = schema.execute(request).await;
    // What a mutation has done must be told, or the client does it again.
    if trace.is_overloaded() && operation == "query" {
        return Err(RequestRefusal::of(&Error::overloaded()));
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

/// The answer as the client accepts it. A request that could not be run at all has errors without a
/// path and no data: then there is no `data` key, and under the newer media type a status that says so.
async fn shown(ran: ExecutedOperation, media: Media) -> Result<HttpReply, RequestRefusal> {
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
    let Ok(body) = written(answer, is_request_error, is_large).await else {
        tracing::error!("an answer cannot be written as JSON");
        return Err(RequestRefusal::of(&Error::new(
            ErrorKind::Internal,
            "the gateway failed; its log says why",
        )));
    };
    let meter = match trace.written(body.len()) {
        // What a mutation has done must be told.
        Err(_) if operation == "mutation" => Meter::default(),
        charged => charged.map_err(|error| RequestRefusal::of(&error))?,
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

/// An answer that holds more bytes than this is written apart from the threads that serve everybody.
const LARGE: u64 = 256 * 1024;

/// Writes an answer as JSON.
async fn written(
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

/// An answer that waits to be sent, with what it holds of the gateway's memory.
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
        // Personal data: nobody on the way may keep it, and who asked for as long as it is fresh.
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, headers, body).into_response()
}
