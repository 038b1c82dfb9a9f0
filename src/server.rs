//! The gateway's own door: routes, limits on what comes in, request ids, logs, and a stop that lets
//! requests under way end.

pub mod accept;
pub mod graphiql;
pub mod graphql;

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tower_http::{
    catch_panic::CatchPanicLayer,
    compression::CompressionLayer,
    cors::CorsLayer,
    request_id::{MakeRequestId, PropagateRequestIdLayer, RequestId, SetRequestIdLayer},
    timeout::RequestBodyTimeoutLayer,
    trace::TraceLayer,
};

use crate::graphql::Schema;

/// The largest body of a request, in bytes.
const MAX_BODY: usize = 256 * 1024;

/// How long a client may pause while it sends a body.
const BODY: Duration = Duration::from_secs(10);

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Whether the gateway takes new requests: it stops doing so a little before it stops.
#[derive(Clone, Debug)]
pub struct Readiness(Arc<AtomicBool>);

impl Default for Readiness {
    fn default() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }
}

impl Readiness {
    /// From now on `/health/ready` answers 503, so that load balancers go elsewhere.
    pub fn withdraw(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    fn is_ready(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Every route of the gateway.
///
/// # Errors
/// An origin in `cors_origins` that is none.
pub fn router(
    schema: Schema,
    readiness: Readiness,
    cors_origins: &[String],
) -> Result<Router, String> {
    let cors = cors(cors_origins)?;
    let metrics = recorder();
    let router = Router::new()
        .route("/", get(|| async { Redirect::temporary("/graphiql") }))
        .merge(
            graphql::router(schema)
                .layer(DefaultBodyLimit::max(MAX_BODY))
                .layer(cors),
        )
        .merge(graphiql::router())
        .route(
            "/health/live",
            get(|| async { Json(serde_json::json!({ "status": "live" })) }),
        )
        .route("/health/ready", get(ready).with_state(readiness))
        .route("/metrics", get(move || async move { metrics.render() }))
        .layer(RequestBodyTimeoutLayer::new(BODY))
        .layer(CompressionLayer::new())
        .layer(CatchPanicLayer::custom(panicked))
        .layer(
            TraceLayer::new_for_http()
                .make_span_with(span)
                .on_request(()),
        )
        .layer(PropagateRequestIdLayer::new(REQUEST_ID.clone()))
        .layer(SetRequestIdLayer::new(REQUEST_ID.clone(), Minted));
    Ok(router)
}

async fn ready(State(readiness): State<Readiness>) -> impl IntoResponse {
    if readiness.is_ready() {
        (
            StatusCode::OK,
            Json(serde_json::json!({ "status": "ready" })),
        )
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            Json(serde_json::json!({ "status": "stopping" })),
        )
    }
}

/// The process's one recorder of metrics.
fn recorder() -> PrometheusHandle {
    static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
    let recorder = RECORDER.get_or_init(|| {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        if metrics::set_global_recorder(recorder).is_err() {
            tracing::warn!("something else records this process's metrics: /metrics stays empty");
        }
        crate::metrics::describe();
        handle
    });
    recorder.clone()
}

fn cors(origins: &[String]) -> Result<CorsLayer, String> {
    let read = |origin: &String| {
        let is_origin =
            url::Url::parse(origin).is_ok_and(|url| url.origin().ascii_serialization() == *origin);
        let value = HeaderValue::from_str(origin).ok().filter(|_| is_origin);
        value.ok_or_else(|| {
            format!("server.cors_origins: {origin:?} is no origin: expected https://host[:port]")
        })
    };
    let origins: Vec<_> = origins.iter().map(read).collect::<Result<_, _>>()?;
    let layer = CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST]);
    Ok(layer.allow_headers([header::CONTENT_TYPE, header::ACCEPT, header::AUTHORIZATION]))
}

#[derive(Clone)]
struct Minted;

impl MakeRequestId for Minted {
    fn make_request_id<B>(&mut self, _: &axum::http::Request<B>) -> Option<RequestId> {
        let id = format!("{:016x}", fastrand::u64(..));
        HeaderValue::from_str(&id).ok().map(RequestId::new)
    }
}

/// One span for each request; the query string is left out of it, since a query may hold addresses.
fn span(request: &Request) -> tracing::Span {
    let id = request
        .headers()
        .get(&REQUEST_ID)
        .and_then(|id| id.to_str().ok())
        .unwrap_or_default();
    tracing::info_span!("request", method = %request.method(), path = request.uri().path(), id = %id.get(..64).unwrap_or(id))
}

fn panicked(_: Box<dyn std::any::Any + Send + 'static>) -> Response {
    tracing::error!("a request handler panicked");
    let error = serde_json::json!({ "errors": [{
        "message": "the gateway failed; its log says why",
        "extensions": { "code": "INTERNAL" },
    }]});
    (StatusCode::INTERNAL_SERVER_ERROR, Json(error)).into_response()
}
