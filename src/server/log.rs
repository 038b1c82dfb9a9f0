//! One span and one log line for each request.

use axum::{extract::Request, middleware::Next, response::Response};
use tokio::time::Instant;
use tracing::{Instrument, Span};

use super::REQUEST_ID;

/// The longest operation name in the log.
const MAX_NAME: usize = 100;

/// The fields of a GraphQL request in the log, beside its status.
#[derive(Clone, Debug)]
pub(super) struct OperationLog {
    pub(super) kind: &'static str,
    /// The name of the operation in the client's document.
    pub(super) name: Option<String>,
    pub(super) outcome: &'static str,
    pub(super) errors: usize,
    /// The number of sources that returned nothing.
    pub(super) failed_sources: usize,
    /// The number of writes that failed or may have failed.
    pub(super) failed_writes: usize,
    /// The code of the first error, or of the first failed source or write.
    pub(super) code: Option<&'static str>,
}

/// Shortens the name of an operation for the log: names in documents are letters, digits and `_`.
pub(super) fn operation_name(name: &str) -> String {
    let is_plain = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
    name.chars().filter(is_plain).take(MAX_NAME).collect()
}

/// Runs a request in its span, and writes its log line when it ends, however it ends.
pub(super) async fn log(request: Request, next: Next) -> Response {
    let span = span(&request);
    let mut line = RequestLine {
        span: span.clone(),
        started: Instant::now(),
        is_probe: matches!(
            request.uri().path(),
            "/health/live" | "/health/ready" | "/metrics"
        ),
        status: None,
        operation: None,
    };
    let response = next.run(request).instrument(span).await;
    line.status = Some(response.status().as_u16());
    line.operation = response.extensions().get().cloned();
    response
}

/// The span omits the query string, which may contain addresses.
fn span(request: &Request) -> Span {
    let id = request.headers().get(&REQUEST_ID);
    let id = id.and_then(|id| id.to_str().ok()).unwrap_or_default();
    tracing::info_span!("request", method = %request.method(), path = request.uri().path(), id)
}

/// The log line of a request. Dropping it writes the line: a client that leaves ends its request.
struct RequestLine {
    span: Span,
    started: Instant,
    /// Probes and scrapes come every few seconds, so their lines are at debug level.
    is_probe: bool,
    status: Option<u16>,
    operation: Option<OperationLog>,
}

impl Drop for RequestLine {
    fn drop(&mut self) {
        let _in_span = self.span.enter();
        let of = self.operation.as_ref();
        let left = self.status.is_none().then_some("client_left");
        macro_rules! write {
            ($level:ident) => {
                tracing::$level!(
                    status = self.status,
                    operation.r#type = of.map(|of| of.kind),
                    operation.name = of.and_then(|of| of.name.as_deref()),
                    outcome = left.or(of.map(|of| of.outcome)),
                    errors = of.map(|of| of.errors),
                    failed_sources = of.map(|of| of.failed_sources).filter(|failed| *failed > 0),
                    failed_writes = of.map(|of| of.failed_writes).filter(|failed| *failed > 0),
                    code = of.and_then(|of| of.code),
                    duration_ms = self.started.elapsed().as_millis() as u64,
                    "answered"
                )
            };
        }
        if self.is_probe {
            write!(debug);
        } else {
            write!(info);
        }
    }
}
