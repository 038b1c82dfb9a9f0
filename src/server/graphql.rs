//! GraphQL over HTTP (the specification of the GraphQL working group, September 2026).
//!
//! The engine's own handler runs mutations over GET and over any content type, which lets a foreign
//! page write with a visitor's rights, and always answers one content type. This handler takes JSON
//! over POST and queries over GET, and answers what the client accepts. What a request may do is the
//! executor's affair.

mod integers;
mod negotiation;
mod outcome;
mod read;
mod recorder;
mod refusal;
mod render;
mod sse;
mod websocket;

use async_graphql::parser::types::OperationType;
use axum::{
    Router,
    extract::{FromRequest, Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, header, request::Parts},
    response::{IntoResponse, Redirect, Response},
    routing::any,
};
use futures_util::StreamExt;
use tokio::time::Instant;

use super::{REQUEST_ID, accept::PeerAddress, body::RequestBody, cors::AllowedOrigins};
use crate::{
    error::{Error, ErrorCode},
    graphql::{
        Executor,
        executor::{AllowedOperations, Execution, RequestOptions},
    },
    metrics,
};
use negotiation::Media;
use read::read;
use recorder::OperationRecorder;
use refusal::RequestRefusal;
use render::{HttpReply, refused, render};
use websocket::Sockets;

pub use websocket::SocketLimits;

/// The header with the secret that lets its sender see the calls of a request.
static TRACE: HeaderName = HeaderName::from_static("x-roster-trace");

/// The request headers on which a response depends.
const VARY: &str = "accept, authorization, cookie";

/// The parts that every request to `/graphql` needs.
#[derive(Clone)]
struct Endpoint {
    executor: Executor,
    sockets: Sockets,
    origins: AllowedOrigins,
}

/// The route `/graphql`.
pub(super) fn router(
    executor: Executor,
    (sockets, origins): (SocketLimits, AllowedOrigins),
) -> Router {
    metrics::init_requests(ErrorCode::all().map(ErrorCode::as_str));
    let endpoint = Endpoint {
        sockets: Sockets::new(executor.clone(), sockets),
        executor,
        origins,
    };
    Router::new()
        .route("/graphql", any(handle))
        .with_state(endpoint)
}

async fn handle(State(endpoint): State<Endpoint>, request: Request) -> Response {
    let headers = request.headers();
    if is_upgrade(&request) {
        return endpoint.upgrade(request).await;
    }
    let is_explorer = request.uri().query().is_none() && negotiation::is_a_browser(headers);
    if request.method() == Method::GET && is_explorer {
        return Redirect::temporary("/graphiql").into_response();
    }
    let started = Instant::now();
    let (parts, body) = request.into_parts();
    let (method, headers) = (parts.method.clone(), parts.headers.clone());
    let options = options(&method, &parts);
    let query = parts.uri.query().map(str::to_owned);
    let request = Request::from_parts(parts, body);
    let RequestBody(body) = match RequestBody::from_request(request, &()).await {
        Ok(body) => body,
        Err(never) => match never {},
    };
    let body_error = body.as_ref().err().copied();
    let media = negotiation::negotiate(&headers);
    let request = media.ok_or_else(not_acceptable).and_then(|media| {
        let request = read(&method, query.as_deref(), &headers, body)?;
        Ok((request, media))
    });
    let mut response = match request {
        Ok((request, media)) => endpoint.respond(request, &options, media, started).await,
        Err(refusal) => {
            let media = media.unwrap_or(Media::Json);
            refused(&refusal, media).record(started.elapsed())
        }
    };
    if let Some(error) = body_error {
        response.extensions_mut().insert(error);
    }
    let deadline = endpoint.executor.graph().limits.deadline;
    let wait = negotiation::wait(&headers).map(|wait| wait.min(deadline));
    if let Some(applied) = wait.and_then(negotiation::preference_applied) {
        response.headers_mut().insert("preference-applied", applied);
    }
    response
}

impl Endpoint {
    /// Runs a request: as one response, or as events where the client takes them and the operation needs
    /// them, or it takes nothing else.
    async fn respond(
        &self,
        request: async_graphql::Request,
        options: &RequestOptions,
        media: Media,
        started: Instant,
    ) -> Response {
        let reply = |execution: Execution| async move {
            let reply: HttpReply = render(execution, media.of_one_response()).await;
            reply.record(started.elapsed())
        };
        if !options.allowed.subscriptions {
            return reply(self.executor.run(request, options).await).await;
        }
        let mut operation = match self.executor.stream(request, options) {
            Ok(operation) => operation,
            Err(refused) if media == Media::EventStream && refused.is_mistake() => {
                return sse::refused(*refused);
            }
            Err(refused) => return reply(*refused).await,
        };
        let is_subscription = operation.kind == OperationType::Subscription;
        if is_subscription || media == Media::EventStream {
            let recorder = OperationRecorder::new("sse");
            return sse::respond(recorder.executions(operation));
        }
        match operation.executions.next().await {
            Some(execution) => reply(execution).await,
            None => {
                reply(Execution::failed(&Error::internal(
                    "an operation had no response",
                )))
                .await
            }
        }
    }

    /// Upgrades a connection to a WebSocket.
    async fn upgrade(&self, request: Request) -> Response {
        let started = Instant::now();
        let (mut parts, _) = request.into_parts();
        let options = options(&Method::POST, &parts);
        let upgraded = if self.origins.may_connect(&parts.headers) {
            self.sockets.upgrade(&mut parts, options).await
        } else {
            let message =
                "pages of this origin may not open a WebSocket here (server.cors_origins)";
            let status = StatusCode::FORBIDDEN;
            Err(RequestRefusal::with_code(
                status,
                ErrorCode::Forbidden,
                message,
            ))
        };
        upgraded.unwrap_or_else(|refusal| {
            refused(&refusal, Media::GraphqlResponse).record(started.elapsed())
        })
    }
}

/// Whether a client asks for a WebSocket.
fn is_upgrade(request: &Request) -> bool {
    let headers = request.headers();
    let names = |header: HeaderName, name: &str| {
        let values = headers.get_all(header).iter();
        let mut values = values
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','));
        values.any(|value| value.trim().eq_ignore_ascii_case(name))
    };
    // A header without the other is to be ignored (RFC 9110, section 7.8), and so is one of a POST.
    request.method() == Method::GET
        && names(header::UPGRADE, "websocket")
        && names(header::CONNECTION, "upgrade")
}

fn not_acceptable() -> RequestRefusal {
    let message = "this endpoint answers application/graphql-response+json, application/json and text/event-stream";
    RequestRefusal::new(StatusCode::NOT_ACCEPTABLE, message)
}

/// Reads the options of a request from its headers.
fn options(method: &Method, parts: &Parts) -> RequestOptions {
    let headers = &parts.headers;
    let peer = parts.extensions.get::<PeerAddress>();
    let id = headers.get(&REQUEST_ID).and_then(|id| id.to_str().ok());
    let trace_token = headers.get(&TRACE).map(HeaderValue::as_bytes);
    RequestOptions {
        wait: negotiation::wait(headers),
        max_age: negotiation::max_age(headers),
        request_id: id.unwrap_or_default().to_owned(),
        client: peer.and_then(|peer| peer.0),
        trace_token: trace_token.map(<[u8]>::to_vec),
        allowed: AllowedOperations {
            mutations: *method == Method::POST,
            subscriptions: negotiation::takes_events(headers),
        },
    }
}
