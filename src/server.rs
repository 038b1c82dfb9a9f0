//! The HTTP server: routes, limits on clients, request ids, logs, and a shutdown that lets requests
//! in flight end.

pub mod accept;
mod activity;
pub mod body;
mod connection_pool;
pub mod cors;
pub mod descriptors;
pub mod graphiql;
pub mod graphql;
pub mod hosts;
mod log;
mod response;
mod scrape;
pub mod slow_client;
pub mod stream;
mod upgrade;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Request, State},
    http::{HeaderName, HeaderValue, StatusCode, Version, header},
    middleware::{self, Next},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use tokio_util::task::TaskTracker;
use tower_http::{
    catch_panic::CatchPanicLayer,
    compression::CompressionLayer,
    request_id::{MakeRequestId, PropagateRequestIdLayer, RequestId, SetRequestIdLayer},
    set_header::SetResponseHeaderLayer,
};

use crate::{error::ErrorCode, graphql::Executor, shared::Store};
use body::BodyError;
pub use cors::Origins;
pub use graphql::SocketLimits;
pub use hosts::AllowedHosts;
pub use scrape::keep_metrics;

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest request id that is accepted from a client: it is sent back, and appears in every
/// line of the log.
const MAX_REQUEST_ID: usize = 128;

/// Whether the gateway takes new requests: it stops doing so shortly before it shuts down.
#[derive(Clone, Debug)]
pub struct Readiness {
    is_ready: Arc<AtomicBool>,
    shutdown_delay: Duration,
    store: Option<Store>,
    writes: TaskTracker,
}

impl Default for Readiness {
    fn default() -> Self {
        Self::with_shutdown_delay(Duration::ZERO)
    }
}

impl Readiness {
    /// A ready gateway whose shutdown waits this long for load balancers to notice.
    #[must_use]
    pub fn with_shutdown_delay(shutdown_delay: Duration) -> Self {
        Self {
            is_ready: Arc::new(AtomicBool::new(true)),
            shutdown_delay,
            store: None,
            writes: TaskTracker::new(),
        }
    }

    /// The same gateway, which also reports on the store that replicas share.
    #[must_use]
    pub fn sharing(self, store: Option<Store>) -> Self {
        Self { store, ..self }
    }

    /// The same gateway, with these writes in flight.
    #[must_use]
    pub fn finishing(self, writes: TaskTracker) -> Self {
        Self { writes, ..self }
    }

    /// Waits for all writes in flight, including those whose clients have left.
    pub(crate) async fn wait_for_writes(&self) {
        self.writes.close();
        self.writes.wait().await;
    }

    /// Makes `/health/ready` answer 503 from now on, so that load balancers go elsewhere.
    pub fn start_draining(&self) {
        self.is_ready.store(false, Ordering::Relaxed);
    }

    /// How long connections are still accepted after [`Self::start_draining`].
    #[must_use]
    pub fn shutdown_delay(&self) -> Duration {
        self.shutdown_delay
    }

    fn is_ready(&self) -> bool {
        self.is_ready.load(Ordering::Relaxed)
    }
}

/// The settings of the main listener.
#[derive(Clone, Debug)]
pub struct MainListenerSettings {
    /// Whether the gateway takes new requests.
    pub readiness: Readiness,
    /// The origins whose pages may call the gateway.
    pub origins: Origins,
    /// The hosts that requests may name.
    pub hosts: AllowedHosts,
    /// Whether only the admin listener serves health and metrics.
    pub has_admin: bool,
    /// The limits of WebSockets.
    pub sockets: SocketLimits,
}

impl MainListenerSettings {
    /// The routes.
    ///
    /// # Errors
    /// An invalid origin in the list.
    pub fn router(self, executor: Executor) -> Result<Router, String> {
        let cors = self.origins.layer()?;
        let mut routes = Router::new()
            .route("/", get(|| async { Redirect::temporary("/graphiql") }))
            .merge(graphiql::router());
        if !self.has_admin {
            routes = routes.merge(operations(self.readiness, executor.clone()));
        }
        let sockets = (self.sockets, self.origins.parse()?);
        let graphql = graphql::router(executor, sockets).layer(cors);
        Ok(with_layers(routes.merge(graphql), self.hosts))
    }
}

/// The routes of the admin listener: health and metrics only.
pub fn admin(readiness: Readiness, executor: Executor, hosts: AllowedHosts) -> Router {
    with_layers(operations(readiness, executor), hosts)
}

/// Records metrics from now on, so that an executor opened later has all its series from the start.
pub fn record_metrics() {
    scrape::recorder();
}

fn operations(readiness: Readiness, executor: Executor) -> Router {
    record_metrics();
    Router::new()
        .route(
            "/health/live",
            get(|| async { Json(serde_json::json!({ "status": "live" })) }),
        )
        .route("/health/ready", get(ready).with_state(readiness))
        .route("/metrics", get(scrape::scrape).with_state(executor))
}

/// Adds the layers that every route passes through.
fn with_layers(routes: Router, hosts: AllowedHosts) -> Router {
    let nosniff = SetResponseHeaderLayer::overriding(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    routes
        .layer(CompressionLayer::new())
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn_with_state(hosts, hosts::check))
        .layer(middleware::from_fn(log::log))
        .layer(PropagateRequestIdLayer::new(REQUEST_ID.clone()))
        .layer(SetRequestIdLayer::new(
            REQUEST_ID.clone(),
            GeneratedRequestId,
        ))
        .layer(middleware::map_request(without_long_id))
        .layer(middleware::from_fn(announce_close))
        .layer(nosniff)
}

/// Announces to an HTTP/1 client whose body was not fully read that its connection closes.
async fn announce_close(request: Request, next: Next) -> Response {
    let is_one = request.version() <= Version::HTTP_11;
    let mut response = next.run(request).await;
    let is_unread = response.extensions().get::<BodyError>().is_some();
    if is_one && is_unread {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    response
}

/// The gateway is ready without the shared store too: it reports the store's absence and works
/// alone.
async fn ready(State(readiness): State<Readiness>) -> impl IntoResponse {
    let (code, status) = if readiness.is_ready() {
        (StatusCode::OK, "ready")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "stopping")
    };
    let mut body = serde_json::json!({ "status": status });
    if let Some(store) = &readiness.store {
        let is_up = store.check().await;
        body["sharedStore"] = if is_up { "up" } else { "away" }.into();
    }
    (code, Json(body))
}

#[derive(Clone)]
struct GeneratedRequestId;

impl MakeRequestId for GeneratedRequestId {
    fn make_request_id<B>(&mut self, _: &axum::http::Request<B>) -> Option<RequestId> {
        let id = format!("{:016x}", fastrand::u64(..));
        HeaderValue::from_str(&id).ok().map(RequestId::new)
    }
}

/// Removes a client's request id that is too long, so that the request gets a generated one.
async fn without_long_id(mut request: Request) -> Request {
    let mut ids = request.headers().get_all(&REQUEST_ID).iter();
    if ids.any(|id| id.len() > MAX_REQUEST_ID) {
        request.headers_mut().remove(&REQUEST_ID);
    }
    request
}

fn panicked(_: Box<dyn std::any::Any + Send + 'static>) -> Response {
    tracing::error!("a request handler panicked");
    let message = "the gateway failed; its log says why";
    refused(
        StatusCode::INTERNAL_SERVER_ERROR,
        ErrorCode::Internal,
        message,
    )
}

/// A refusal that no handler makes, in the form that GraphQL clients read.
fn refused(status: StatusCode, code: ErrorCode, message: &str) -> Response {
    let error = serde_json::json!({ "errors": [{
        "message": message,
        "extensions": { "code": code.as_str() },
    }]});
    (status, Json(error)).into_response()
}
