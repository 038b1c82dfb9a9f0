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
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, stream};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::PollSender;
use tracing::Instrument;

use self::{
    close::Close, operations::SocketExecutor, reader::Reader, state::SocketState, writer::Writer,
};
use super::refusal::RequestRefusal;
use crate::{
    error::ErrorCode,
    graphql::{
        Executor,
        executor::{AllowedOperations, RequestOptions},
    },
    metrics,
    server::upgrade::{HeldConnection, UpgradeHandle},
};

/// The limits of sockets.
#[derive(Clone, Copy, Debug)]
pub struct SocketLimits {
    /// How many sockets there may be.
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
        }
    }
}

impl SocketLimits {
    /// The limits among so many connections: a quarter of them is left for other requests.
    #[must_use]
    pub fn among(connections: usize) -> Self {
        let limits = Self::default();
        Self {
            sockets: limits.sockets.min(connections / 4 * 3).max(1),
            ..limits
        }
    }
}

/// The bytes that a socket reads at once. The library's own 128 KiB would cost as much for each idle
/// socket.
const READ_BUFFER: usize = 4 * 1024;

/// How many messages wait between the socket and the library. With one, a client that does not read stops
/// its own operations, and the library has started an operation before it gets the next message.
const QUEUE: usize = 1;

/// The state that all sockets share.
#[derive(Clone)]
pub(super) struct Sockets {
    executor: Executor,
    limits: SocketLimits,
    free: Arc<Semaphore>,
}

/// The parts that one socket needs.
#[derive(Clone)]
struct SocketContext {
    executor: Executor,
    limits: SocketLimits,
    /// The options of every operation, from the upgrade request.
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
    /// The mistake in the request, or that there are too many sockets.
    pub(super) async fn upgrade(
        &self,
        parts: &mut Parts,
        options: RequestOptions,
    ) -> Result<Response, RequestRefusal> {
        let length = parts.headers.get(header::CONTENT_LENGTH);
        let is_empty = length.is_none_or(|length| length.as_bytes() == b"0");
        if !is_empty || parts.headers.contains_key(header::TRANSFER_ENCODING) {
            return Err(not_upgradable("an upgrade has no body"));
        }
        let name = choose_protocol(&mut parts.headers).ok_or_else(unknown_protocol)?;
        let protocol = GraphQLProtocol::from_request_parts(parts, &()).await;
        let protocol = protocol.map_err(|_| unknown_protocol())?;
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
            options: RequestOptions {
                allowed: AllowedOperations {
                    mutations: true,
                    subscriptions: true,
                },
                ..options
            },
        };
        let held = handle.hold();
        let span = tracing::Span::current();
        let response = upgrade
            .read_buffer_size(READ_BUFFER)
            .max_message_size(self.limits.message_bytes)
            .max_frame_size(self.limits.message_bytes)
            .protocols([name])
            .on_upgrade(move |stream| {
                let served = async move {
                    socket.serve(stream, (protocol, name), held).await;
                    drop(slot);
                };
                served.instrument(span)
            });
        Ok(response.into_response())
    }
}

/// Counts a socket while it is open.
struct OpenSocket(&'static str);

impl OpenSocket {
    fn new(protocol: &'static str) -> Self {
        metrics::socket_opened(protocol);
        Self(protocol)
    }
}

impl Drop for OpenSocket {
    fn drop(&mut self) {
        metrics::socket_closed(self.0);
    }
}

impl SocketContext {
    /// Serves a socket until it ends.
    async fn serve(
        self,
        socket: WebSocket,
        (protocol, name): (GraphQLProtocol, &'static str),
        held: HeldConnection,
    ) {
        let _open = OpenSocket::new(name);
        let (sink, stream) = socket.split();
        let (to_library, mut for_library) = mpsc::channel::<Message>(QUEUE);
        let (from_library, outgoing) = mpsc::channel::<Message>(QUEUE);
        let state = Arc::new(SocketState::new(name == LEGACY));
        let executor = SocketExecutor::new(self.executor.clone(), Arc::clone(&state));
        let messages = stream::poll_fn(move |cx| {
            let message = for_library.poll_recv(cx);
            message.map(|message| message.map(Ok))
        });
        let library = GraphQLWebSocket::new_with_pair(
            PollSender::new(from_library),
            messages,
            executor,
            protocol,
        );
        let activity = held.activity();
        let mut writer = Writer::new(
            sink,
            outgoing,
            Arc::clone(&state),
            (Arc::clone(&activity), self.limits),
        );
        let reader = Reader::new(self, stream, to_library, (state, activity));
        // The connection is kept until the socket is closed.
        let (close, _held) = tokio::select! {
            (close, held) = reader.run(held) => (close, Some(held)),
            () = library.serve() => (Some(Close::INTERNAL), None),
            is_open = writer.run() => match is_open {
                true => (Some(Close::INTERNAL), None),
                false => return,
            },
        };
        writer.close(close).await;
    }
}

/// The older protocol, of `subscriptions-transport-ws`.
const LEGACY: &str = "graphql-ws";

/// The protocols that are spoken here.
const PROTOCOLS: [&str; 2] = ["graphql-transport-ws", LEGACY];

/// Chooses the first protocol of the client's that is spoken here, and leaves no other in the headers: the
/// library and the upgrade choose by rules of their own.
fn choose_protocol(headers: &mut HeaderMap) -> Option<&'static str> {
    let named = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let mut named = named
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    let chosen =
        named.find_map(|name| PROTOCOLS.into_iter().find(|known| *known == name.trim()))?;
    headers.insert(
        header::SEC_WEBSOCKET_PROTOCOL,
        HeaderValue::from_static(chosen),
    );
    Some(chosen)
}

fn unknown_protocol() -> RequestRefusal {
    not_upgradable(
        "a WebSocket here speaks `graphql-transport-ws` or `graphql-ws`: name one in `Sec-WebSocket-Protocol`",
    )
}

fn not_upgradable(message: &str) -> RequestRefusal {
    RequestRefusal::with_code(StatusCode::BAD_REQUEST, ErrorCode::BadUserInput, message)
}
