//! GraphQL over WebSocket: `graphql-transport-ws`, and the older `graphql-ws`.
//!
//! `async-graphql-axum` speaks both protocols. Around it stands what it leaves out: [`reader`] checks each
//! message before the library sees it and closes the socket with the protocol's own codes, [`writer`]
//! pings the client, turns refused requests into `error` messages and gives up on a client that does not
//! read, and [`state`] is what they share. `docs/adr/0013-websocket.md` says why.

mod close;
mod operations;
mod reader;
mod state;
mod writer;

use std::{sync::Arc, time::Duration};

use async_graphql_axum::{GraphQLProtocol, GraphQLWebSocket};
use axum::{
    extract::{
        FromRequestParts,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    http::{HeaderMap, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use futures_util::{Stream, StreamExt, stream};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::PollSender;
use tracing::Instrument;

use self::{
    close::Close, operations::SocketExecutor, reader::Reader, state::SocketState, writer::Writer,
};
use super::refusal::RequestRefusal;
use crate::{
    error::ErrorCode,
    graphql::{Executor, executor::RequestOptions},
    metrics,
    server::accept::UpgradeHandle,
};

/// The limits of sockets.
#[derive(Clone, Copy, Debug)]
pub struct SocketLimits {
    /// How many sockets there may be; other connections keep their places.
    pub sockets: usize,
    /// How many operations of one socket may run at a time.
    pub operations: usize,
    /// The largest message that a client may send, in bytes: that of the body of a POST.
    pub message_bytes: usize,
    /// How long a new client may take to send `connection_init`.
    pub init: Duration,
    /// How often the gateway pings a client.
    pub ping: Duration,
    /// How long a client may send nothing at all, not even an answer to a ping.
    pub silence: Duration,
    /// How long a client may take to read a message.
    pub write: Duration,
}

impl Default for SocketLimits {
    fn default() -> Self {
        Self {
            sockets: 3072,
            operations: 100,
            message_bytes: 256 * 1024,
            init: Duration::from_secs(10),
            ping: Duration::from_secs(25),
            silence: Duration::from_secs(60),
            write: Duration::from_secs(10),
        }
    }
}

/// The bytes that a socket reads at once. The library's own 128 KiB would cost as much for each idle
/// socket.
const READ_BUFFER: usize = 4 * 1024;

/// How many messages wait between the socket and the library. With one, a client that does not read stops
/// its own operations.
const QUEUE: usize = 1;

/// What all sockets share.
#[derive(Clone)]
pub(super) struct Sockets {
    executor: Executor,
    limits: SocketLimits,
    free: Arc<Semaphore>,
}

/// What one socket is served with.
#[derive(Clone)]
struct SocketContext {
    executor: Executor,
    limits: SocketLimits,
    /// What the upgrade request said of every operation.
    options: RequestOptions,
}

impl Sockets {
    pub(super) fn new(executor: Executor, limits: SocketLimits) -> Self {
        Self {
            executor,
            limits,
            free: Arc::new(Semaphore::new(limits.sockets)),
        }
    }

    /// Answers a request for an upgrade.
    ///
    /// # Errors
    /// What is wrong with the request, or that there are too many sockets.
    pub(super) async fn upgrade(
        &self,
        parts: &mut Parts,
        options: RequestOptions,
    ) -> Result<Response, RequestRefusal> {
        let protocol = GraphQLProtocol::from_request_parts(parts, &())
            .await
            .map_err(|_| unknown_protocol())?;
        let Some(handle) = parts.extensions.get::<UpgradeHandle>().cloned() else {
            return Err(not_upgradable("this connection cannot be upgraded"));
        };
        let upgrade = WebSocketUpgrade::from_request_parts(parts, &())
            .await
            .map_err(|error| not_upgradable(&error.body_text()))?;
        let Ok(slot) = Arc::clone(&self.free).try_acquire_owned() else {
            return Err(RequestRefusal::overloaded(
                "the gateway has too many WebSockets",
            ));
        };
        let socket = SocketContext {
            executor: self.executor.clone(),
            limits: self.limits,
            options,
        };
        let name = protocol_name(&parts.headers);
        let held = handle.hold();
        let span = tracing::Span::current();
        let response = upgrade
            .read_buffer_size(READ_BUFFER)
            .max_message_size(self.limits.message_bytes)
            .max_frame_size(self.limits.message_bytes)
            .protocols(["graphql-transport-ws", "graphql-ws"])
            .on_upgrade(move |stream| {
                let stopping = held.stopping();
                async move {
                    socket.serve(stream, protocol, name, stopping).await;
                    drop((slot, held));
                }
                .instrument(span)
            });
        Ok(response.into_response())
    }
}

impl SocketContext {
    /// Serves a socket until it ends.
    async fn serve(
        self,
        socket: WebSocket,
        protocol: GraphQLProtocol,
        name: &'static str,
        stopping: impl Future<Output = ()>,
    ) {
        metrics::socket_opened(name);
        let (sink, stream) = socket.split();
        let (to_library, mut for_library) = mpsc::channel::<Message>(QUEUE);
        let (from_library, outgoing) = mpsc::channel::<Message>(QUEUE);
        let state = Arc::new(SocketState::new(name == LEGACY));
        let executor = SocketExecutor::new(self.executor.clone(), Arc::clone(&state));
        let messages: std::pin::Pin<Box<dyn Stream<Item = _> + Send>> =
            Box::pin(stream::poll_fn(move |cx| {
                for_library.poll_recv(cx).map(|message| message.map(Ok))
            }));
        let library = GraphQLWebSocket::new_with_pair(
            PollSender::new(from_library),
            messages,
            executor,
            protocol,
        );
        let reader = Reader::new(self.clone(), stream, to_library, Arc::clone(&state));
        let mut writer = Writer::new(sink, outgoing, state, self.limits);
        let close = tokio::select! {
            close = reader.run(stopping) => Some(close),
            () = library.serve() => Some(Close::INTERNAL),
            close = writer.run() => close,
        };
        if let Some(close) = close {
            writer.close(close).await;
        }
        metrics::socket_closed(name);
    }
}

/// The older protocol, of `subscriptions-transport-ws`.
const LEGACY: &str = "graphql-ws";

/// The protocol that the library chooses: the first of those that the client names.
fn protocol_name(headers: &HeaderMap) -> &'static str {
    let named = headers.get(header::SEC_WEBSOCKET_PROTOCOL);
    let named = named.and_then(|value| value.to_str().ok()).unwrap_or("");
    let known = named.split(',').map(str::trim).find_map(|name| {
        ["graphql-transport-ws", LEGACY]
            .into_iter()
            .find(|known| name.eq_ignore_ascii_case(known))
    });
    known.unwrap_or("graphql-transport-ws")
}

fn unknown_protocol() -> RequestRefusal {
    not_upgradable(
        "a WebSocket here speaks `graphql-transport-ws` or `graphql-ws`: name one in `Sec-WebSocket-Protocol`",
    )
}

fn not_upgradable(message: &str) -> RequestRefusal {
    RequestRefusal::with_code(StatusCode::BAD_REQUEST, ErrorCode::BadUserInput, message)
}
