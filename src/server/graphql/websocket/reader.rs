//! Reads the messages of a client and checks them before the library sees them.

use std::sync::Arc;

use async_graphql::{ServerError, Value, indexmap::IndexMap};
use axum::extract::ws::{Message, WebSocket};
use futures_util::{StreamExt, stream::SplitStream};
use serde::Deserialize;
use serde_json::json;
use tokio::{sync::mpsc, time::Instant};

use super::{
    SocketContext,
    close::Close,
    state::{OperationStart, SocketState},
};
use crate::{
    error::ErrorCode,
    graphql::{
        error::{INTEGERS, refusal},
        executor::{Execution, RequestOptions},
    },
    server::{
        activity::ConnectionActivity,
        graphql::{TRACE, integers, read::parse_body},
        upgrade::HeldConnection,
    },
};

/// The longest id of an operation, in bytes.
const MAX_ID: usize = 256;

/// A message of a client. The library gets another in its place, without what is read here.
#[derive(Deserialize)]
struct ClientMessage {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    payload: Value,
}

/// Why a socket is not read any more: the close that the client gets; `None` when it closed the socket
/// itself, or is gone.
type End = Option<Close>;

/// Reads one socket.
pub(super) struct Reader {
    socket: SocketContext,
    stream: SplitStream<WebSocket>,
    library: mpsc::Sender<Message>,
    state: Arc<SocketState>,
    activity: Arc<ConnectionActivity>,
    /// The options of every operation; `None` before the handshake.
    options: Option<RequestOptions>,
    is_stopping: bool,
}

impl Reader {
    pub(super) fn new(
        socket: SocketContext,
        stream: SplitStream<WebSocket>,
        library: mpsc::Sender<Message>,
        (state, activity): (Arc<SocketState>, Arc<ConnectionActivity>),
    ) -> Self {
        Self {
            socket,
            stream,
            library,
            state,
            activity,
            options: None,
            is_stopping: false,
        }
    }

    /// Reads until the socket is to be closed. When the gateway stops, operations under way are finished
    /// and no more are taken. A socket without operations gives its place to a new connection.
    pub(super) async fn run(mut self, mut held: HeldConnection) -> (End, HeldConnection) {
        let stopping = held.stopping();
        let state = Arc::clone(&self.state);
        let mut init_until = Some(Instant::now() + self.socket.limits.init);
        loop {
            let is_active = state.active() > 0;
            held.set_busy(is_active || init_until.is_some());
            if self.is_stopping && !is_active {
                return (Some(Close::GOING_AWAY), held);
            }
            let until = init_until.unwrap_or_else(|| Instant::now() + self.socket.limits.silence);
            let end = tokio::select! {
                message = tokio::time::timeout_at(until, self.stream.next()) => match message {
                    Ok(Some(Ok(message))) => self.handle(message).await.err(),
                    Ok(Some(Err(error))) => Some(close_of(&error)),
                    Ok(None) => Some(None),
                    Err(_) if init_until.is_some() => Some(Some(Close::no_init())),
                    Err(_) => Some(Some(Close::silent())),
                },
                () = stopping.cancelled(), if !self.is_stopping => {
                    self.is_stopping = true;
                    None
                }
                () = held.wait_for_eviction(), if !is_active => Some(Some(Close::evicted())),
                () = state.until_active(!is_active) => None,
            };
            if let Some(end) = end {
                return (end, held);
            }
            init_until = init_until.filter(|_| self.options.is_none());
        }
    }

    async fn handle(&mut self, message: Message) -> Result<(), End> {
        let text = match message {
            Message::Text(text) => text,
            Message::Binary(_) => return Err(Some(Close::bad_message("Messages are text"))),
            Message::Close(_) => return Err(None),
            Message::Ping(bytes) | Message::Pong(bytes) => {
                self.activity.messages().complete(Some(bytes.len()));
                return Ok(());
            }
        };
        self.activity.messages().complete(None);
        let message: ClientMessage = serde_json::from_str(&text)
            .map_err(|_| Some(Close::bad_message("Not a message of the protocol")))?;
        match message.kind.as_str() {
            "connection_init" => self.init(message.payload).await,
            "subscribe" | "start" => self.start(&text, message.id, message.payload).await,
            "complete" | "stop" => self.stop(message.id).await,
            // Its payload is the client's affair, and the library would read it again.
            "ping" => self.forward(&json!({ "type": "ping" })).await,
            "pong" => Ok(()),
            "connection_terminate" => Err(Some(Close::NORMAL)),
            _ => Err(Some(Close::bad_message("Unknown type of message"))),
        }
    }

    /// Takes the handshake. A client that sends a secret which is wrong is refused: it expects to see what
    /// the secret shows.
    async fn init(&mut self, payload: Value) -> Result<(), End> {
        if self.options.is_some() {
            return Err(Some(Close::second_init()));
        }
        let payload = match payload {
            Value::Null => IndexMap::new(),
            Value::Object(payload) => payload,
            _ => {
                let reason = "The payload of connection_init is no object";
                return Err(Some(Close::bad_message(reason)));
            }
        };
        let mut options = self.socket.options.clone();
        if let Some(token) = payload.get(TRACE.as_str()) {
            let Value::String(token) = token else {
                return Err(Some(Close::forbidden()));
            };
            let access = &self.socket.executor.graph().trace_access;
            if !access.admits(Some(token.as_bytes())) {
                return Err(Some(Close::forbidden()));
            }
            options.trace_token = Some(token.clone().into_bytes());
        }
        self.options = Some(options);
        self.forward(&json!({ "type": "connection_init" })).await
    }

    /// Starts an operation, or sends why its request is refused.
    async fn start(&mut self, text: &str, id: Option<String>, payload: Value) -> Result<(), End> {
        let Some(options) = self.options.clone() else {
            return Err(Some(Close::unauthorized()));
        };
        let id = id.filter(|id| !id.is_empty() && id.len() <= MAX_ID);
        let Some(id) = id else {
            let reason = "An operation needs an id of 1 to 256 bytes";
            return Err(Some(Close::bad_message(reason)));
        };
        let request = match self.refusal(text) {
            Some(error) => Err(error),
            None => parse_body(payload).map_err(|refusal| refusal.error()),
        };
        let start = match request {
            Ok(request) => OperationStart::Run(Box::new(request), options),
            Err(error) => OperationStart::Refused(Box::new(Execution::refused_with(error))),
        };
        if !self.state.start(&id, start) {
            return Err(Some(Close::duplicate(&id)));
        }
        let message = json!({ "type": "subscribe", "id": id, "payload": { "query": id } });
        self.forward(&message).await
    }

    /// Why no request is taken now, or not this one.
    fn refusal(&self, text: &str) -> Option<ServerError> {
        let most = self.socket.limits.operations;
        if self.is_stopping {
            let message = "the gateway stops; send the request to another one";
            return Some(refusal(ErrorCode::Overloaded, message, None));
        }
        if self.state.active() >= most {
            let message = format!("a WebSocket runs at most {most} operations at a time");
            return Some(refusal(ErrorCode::RateLimited, message, None));
        }
        let is_too_large = integers::has_too_large(text.as_bytes());
        is_too_large.then(|| refusal(ErrorCode::BadUserInput, INTEGERS, None))
    }

    async fn stop(&mut self, id: Option<String>) -> Result<(), End> {
        let Some(id) = id else {
            let reason = "The end of an operation needs its id";
            return Err(Some(Close::bad_message(reason)));
        };
        if !self.state.stop(&id) {
            return Ok(());
        }
        self.forward(&json!({ "type": "complete", "id": id })).await
    }

    /// Hands a message to the library.
    async fn forward(&mut self, message: &serde_json::Value) -> Result<(), End> {
        let sent = self.library.send(Message::Text(message.to_string().into()));
        sent.await.map_err(|_| Some(Close::INTERNAL))
    }
}

/// How a socket is closed whose frames cannot be read; `None` when the connection is gone.
fn close_of(error: &(dyn std::error::Error + 'static)) -> End {
    let mut causes = std::iter::successors(Some(error), |error| error.source());
    causes.find_map(|cause| match cause.downcast_ref::<tungstenite::Error>()? {
        tungstenite::Error::Capacity(_) => Some(Close::too_large()),
        tungstenite::Error::Utf8(_) => Some(Close::not_utf8()),
        tungstenite::Error::Protocol(_) => Some(Close::protocol_error()),
        _ => None,
    })
}
