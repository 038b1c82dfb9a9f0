//! The gateway's own server: routes, limits on clients, request ids, logs, and a stop that lets requests
//! in flight end.

pub mod accept;
mod answer;
pub mod body;
pub mod cors;
pub mod descriptors;
pub mod graphiql;
pub mod graphql;
pub mod hosts;
mod log;
pub mod pace;
mod room;
mod scrape;
pub mod stream;
mod traffic;

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

use crate::{error::ErrorCode, graphql::Schema, shared::Store};
use body::BodyError;
pub use cors::Origins;
pub use hosts::AllowedHosts;
pub use scrape::keep_metrics;

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id of a client's request that is taken over: it comes back and stands in every line of
/// the log.
const MAX_REQUEST_ID: usize = 128;

/// Whether the gateway takes new requests: it stops doing so a little before it stops.
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
    /// Ready, and one that load balancers take so long to notice the loss of.
    #[must_use]
    pub fn with_shutdown_delay(shutdown_delay: Duration) -> Self {
        Self {
            is_ready: Arc::new(AtomicBool::new(true)),
            shutdown_delay,
            store: None,
            writes: TaskTracker::new(),
        }
    }

    /// The same, which also tells of the store that the replicas share.
    #[must_use]
    pub fn sharing(self, store: Option<Store>) -> Self {
        Self { store, ..self }
    }

    /// The same, for a gateway with such writes under way.
    #[must_use]
    pub fn finishing(self, writes: TaskTracker) -> Self {
        Self { writes, ..self }
    }

    /// Ends when no write is under way, also of those whose clients have left.
    pub(crate) async fn writes_end(&self) {
        self.writes.close();
        self.writes.wait().await;
    }

    /// From now on `/health/ready` answers 503, so that load balancers go elsewhere.
    pub fn withdraw(&self) {
        self.is_ready.store(false, Ordering::Relaxed);
    }

    /// How long connections are still accepted after [`Self::withdraw`].
    #[must_use]
    pub fn shutdown_delay(&self) -> Duration {
        self.shutdown_delay
    }

    fn is_ready(&self) -> bool {
        self.is_ready.load(Ordering::Relaxed)
    }
}

/// What answers at the gateway's own address.
#[derive(Clone, Debug)]
pub struct FrontSettings {
    /// Whether the gateway takes new requests.
    pub readiness: Readiness,
    /// The origins whose pages may call the gateway.
    pub origins: Origins,
    /// The hosts that requests may name.
    pub hosts: AllowedHosts,
    /// Whether health and metrics are answered at another address alone.
    pub has_admin: bool,
}

impl FrontSettings {
    /// The routes.
    ///
    /// # Errors
    /// An origin in the list that is none.
    pub fn router(self, schema: Schema) -> Result<Router, String> {
        let cors = self.origins.layer()?;
        let mut routes = Router::new()
            .route("/", get(|| async { Redirect::temporary("/graphiql") }))
            .merge(graphiql::router());
        if !self.has_admin {
            routes = routes.merge(operations(self.readiness, schema.clone()));
        }
        let graphql = graphql::router(schema).layer(cors);
        Ok(layered(routes.merge(graphql), self.hosts))
    }
}

/// The routes of the address that answers health and metrics alone.
pub fn admin(readiness: Readiness, schema: Schema, hosts: AllowedHosts) -> Router {
    layered(operations(readiness, schema), hosts)
}

/// Records metrics from now on: a schema that is opened later has all its series from the start.
pub fn record_metrics() {
    scrape::recorder();
}

fn operations(readiness: Readiness, schema: Schema) -> Router {
    record_metrics();
    Router::new()
        .route(
            "/health/live",
            get(|| async { Json(serde_json::json!({ "status": "live" })) }),
        )
        .route("/health/ready", get(ready).with_state(readiness))
        .route("/metrics", get(scrape::scrape).with_state(schema))
}

/// What every route goes through.
fn layered(routes: Router, hosts: AllowedHosts) -> Router {
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
        .layer(middleware::from_fn(closing))
        .layer(nosniff)
}

/// Tells a client of HTTP/1 whose body was not read whole that its connection closes.
async fn closing(request: Request, next: Next) -> Response {
    let is_one = request.version() <= Version::HTTP_11;
    let mut response = next.run(request).await;
    let is_unread = response.extensions().get::<BodyError>().is_some();
    if is_one && is_unread {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    response
}

/// Without the shared store the gateway is as ready as with it: it says so, and goes on alone.
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

/// Takes an id off a request that is too long to be kept, before it gets one of ours.
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

/// A refusal that no handler makes, in the form that clients of GraphQL read.
fn refused(status: StatusCode, code: ErrorCode, message: &str) -> Response {
    let error = serde_json::json!({ "errors": [{
        "message": message,
        "extensions": { "code": code.as_str() },
    }]});
    (status, Json(error)).into_response()
}
