//! Executions as HTTP responses, and what the log and the metrics get of them.

use std::time::Duration;

use async_graphql::{Name, Response as Answer, parser::types::OperationType};
use axum::{
    body::Bytes,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::{
    VARY,
    negotiation::Media,
    outcome::OperationOutcome,
    refusal::{RequestRefusal, status_of},
};
use crate::{
    context::MemoryMeter,
    error::{Error, ErrorKind},
    graphql::executor::{Execution, Refusal},
    metrics,
    server::{
        log::{OperationLog, operation_name},
        response::UncompressedBytes,
    },
};

/// The HTTP response, and what is recorded about it.
pub(super) struct HttpReply {
    operation: &'static str,
    name: Option<Name>,
    ending: OperationOutcome,
    response: Response,
}

impl HttpReply {
    /// Counts the request, and attaches the log's fields to the response.
    pub(super) fn record(self, took: Duration) -> Response {
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

/// The word for a kind of operation in the log and the metrics.
pub(super) fn kind_name(kind: Option<OperationType>) -> &'static str {
    match kind {
        Some(OperationType::Query) => "query",
        Some(OperationType::Mutation) => "mutation",
        Some(OperationType::Subscription) => "subscription",
        None => "unknown",
    }
}

/// Renders an execution as the client accepts it. A request that could not run has errors and no `data`.
pub(super) async fn render(execution: Execution, media: Media) -> HttpReply {
    let status = status_of(&execution);
    let Execution {
        kind,
        name,
        response: answer,
        refusal,
        fresh_for,
        trace,
    } = execution;
    let is_mutation = kind == Some(OperationType::Mutation);
    let ending = OperationOutcome::of(&answer, refusal.is_some(), trace.outcomes());
    let is_large = trace.bytes() > LARGE;
    let Ok(body) = encode(answer, refusal.is_some(), is_large).await else {
        tracing::error!("an answer cannot be written as JSON");
        return failed(
            &Error::new(ErrorKind::Internal, "the gateway failed; its log says why"),
            media,
        );
    };
    let meter = match trace.written(body.len()) {
        // A mutation's result must be returned.
        Err(_) if is_mutation => MemoryMeter::default(),
        Err(error) => return failed(&error, media),
        Ok(meter) => meter,
    };
    let body = Bytes::from_owner(EncodedAnswer {
        body,
        _meter: meter,
    });
    let bytes = UncompressedBytes(body.len());
    let mut response = with_media(status, media, body);
    response.extensions_mut().insert(bytes);
    add_headers(&mut response, refusal, fresh_for);
    HttpReply {
        operation: kind_name(kind),
        name,
        ending,
        response,
    }
}

/// The response to a request that fails while its answer is written.
fn failed(error: &Error, media: Media) -> HttpReply {
    let execution = Execution::failed(error);
    let body = json!({ "errors": execution.response.errors }).to_string();
    let mut response = with_media(status_of(&execution), media, body.into());
    add_headers(&mut response, execution.refusal, Duration::ZERO);
    HttpReply {
        operation: kind_name(None),
        name: None,
        ending: OperationOutcome::refused(error.kind().code()),
        response,
    }
}

/// Adds what a status or a fresh answer asks for.
fn add_headers(response: &mut Response, refusal: Option<Refusal>, fresh_for: Duration) {
    let headers = response.headers_mut();
    match refusal {
        Some(Refusal::Overloaded { retry_after }) => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(retry_after));
        }
        Some(Refusal::MutationNotAllowed) => {
            headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
        }
        _ => {}
    }
    let cached = format!("private, max-age={}", fresh_for.as_secs());
    if let (1.., Ok(cached)) = (fresh_for.as_secs(), HeaderValue::from_str(&cached)) {
        headers.insert(header::CACHE_CONTROL, cached);
    }
}

/// The response to a request that the executor never saw.
pub(super) fn refused(refusal: &RequestRefusal, media: Media) -> HttpReply {
    let body = json!({ "errors": [refusal.error()] }).to_string();
    let mut response = with_media(refusal.status(media), media, body.into());
    let headers = response.headers_mut();
    if let Some(seconds) = refusal.retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if refusal.status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(header::ALLOW, HeaderValue::from_static("GET, POST"));
    }
    HttpReply {
        operation: kind_name(None),
        name: None,
        ending: OperationOutcome::refused(refusal.code),
        response,
    }
}

/// A response that holds more bytes than this is encoded off the threads that serve requests.
pub(super) const LARGE: u64 = 256 * 1024;

/// Encodes a response as JSON.
pub(super) async fn encode(
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
    _meter: MemoryMeter,
}

impl AsRef<[u8]> for EncodedAnswer {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

/// A response in a media type. An error is always `application/graphql-response+json`: older clients
/// read `application/json` under a status of success only (GraphQL over HTTP, section 6.4.1).
fn with_media(status: StatusCode, media: Media, body: Bytes) -> Response {
    let media = if status.is_success() {
        media
    } else {
        Media::GraphqlResponse
    };
    let headers = [
        (header::CONTENT_TYPE, media.content_type()),
        (header::VARY, VARY),
        // Personal data: no cache on the way may store it; the client may, while it is fresh.
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, headers, body).into_response()
}
