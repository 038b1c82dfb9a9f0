//! Reads the messages of a client and checks them before the library sees them.

use std::sync::Arc;

use async_graphql::{Value, indexmap::IndexMap};
use axum::extract::ws::{Message, WebSocket};
use futures_util::{StreamExt, stream::SplitStream};
use serde::Deserialize;
use serde_json::json;
use tokio::{sync::mpsc, time::Instant};

use super::{SocketContext, close::Close, state::SocketState};
use crate::{
    error::ErrorCode,
    graphql::{
        error::{INTEGERS, refusal},
        executor::{AllowedOperations, RequestOptions},
    },
    server::graphql::{TRACE, integers, read::parse_body},
};

/// The longest id of an operation, in bytes.
const MAX_ID: usize = 256;

/// A message of a client. The library reads it again, without what the gateway reads itself.
#[derive(Deserialize)]
struct ClientMessage {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    payload: Value,
}

/// How far the handshake of the protocol is.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Handshake {
    Open,
    Done,
}

/// Reads one socket.
pub(super) struct Reader {
    socket: SocketContext,
    stream: SplitStream<WebSocket>,
    library: mpsc::Sender<Message>,
    state: Arc<SocketState>,
    handshake: Handshake,
    options: RequestOptions,
}

impl Reader {
    pub(super) fn new(
        socket: SocketContext,
        stream: SplitStream<WebSocket>,
        library: mpsc::Sender<Message>,
        state: Arc<SocketState>,
    ) -> Self {
        let options = RequestOptions {
            allowed: AllowedOperations {
                mutations: true,
                subscriptions: true,
            },
            ..socket.options.clone()
        };
        Self {
            socket,
            stream,
            library,
            state,
            handshake: Handshake::Open,
            options,
        }
    }

    /// Reads until the socket is to be closed. When the gateway stops, operations under way are finished.
    pub(super) async fn run(mut self, stopping: impl Future<Output = ()>) -> Close {
        let state = Arc::clone(&self.state);
        let stopped = async {
            stopping.await;
            state.until_idle().await;
        };
        tokio::select! {
            close = self.read_all() => close,
            () = stopped => Close::GOING_AWAY,
        }
    }

    async fn read_all(&mut self) -> Close {
        let limits = self.socket.limits;
        let init_until = Instant::now() + limits.init;
        loop {
            let silence = Instant::now() + limits.silence;
            let until = match self.handshake {
                Handshake::Open => init_until,
                Handshake::Done => silence,
            };
            let message = match tokio::time::timeout_at(until, self.stream.next()).await {
                Ok(Some(Ok(message))) => message,
                Ok(Some(Err(error))) if is_too_large(&error) => return Close::too_large(),
                Ok(Some(Err(_)) | None) => return Close::NORMAL,
                Err(_) if self.handshake == Handshake::Open => return Close::no_init(),
                Err(_) => return Close::silent(),
            };
            if let Err(close) = self.handle(message).await {
                return close;
            }
        }
    }

    async fn handle(&mut self, message: Message) -> Result<(), Close> {
        let text = match message {
            Message::Text(text) => text,
            Message::Binary(_) => return Err(Close::bad_message("Messages are text")),
            Message::Close(_) => return Err(Close::NORMAL),
            Message::Ping(_) | Message::Pong(_) => return Ok(()),
        };
        let message: ClientMessage = serde_json::from_str(&text)
            .map_err(|_| Close::bad_message("Not a message of the protocol"))?;
        match message.kind.as_str() {
            "connection_init" => self.init(message.payload).await,
            "subscribe" | "start" => self.start(&text, message.id, message.payload).await,
            "complete" | "stop" => self.stop(message.id).await,
            "ping" | "pong" => self.forward(text.to_string()).await,
            "connection_terminate" => Err(Close::NORMAL),
            _ => Err(Close::bad_message("Unknown type of message")),
        }
    }

    /// Takes the handshake. A client that sends a secret which is wrong is refused: it expects to see what
    /// the secret shows.
    async fn init(&mut self, payload: Value) -> Result<(), Close> {
        if self.handshake == Handshake::Done {
            return Err(Close::second_init());
        }
        let payload = match payload {
            Value::Null => IndexMap::new(),
            Value::Object(payload) => payload,
            _ => {
                return Err(Close::bad_message(
                    "The payload of connection_init is no object",
                ));
            }
        };
        if let Some(token) = payload.get(TRACE.as_str()) {
            let token = match token {
                Value::String(token) => token.clone().into_bytes(),
                _ => return Err(Close::forbidden()),
            };
            let access = &self.socket.executor.graph().trace_access;
            if !access.admits(Some(&token)) {
                return Err(Close::forbidden());
            }
            self.options.trace_token = Some(token);
        }
        self.handshake = Handshake::Done;
        self.forward(json!({ "type": "connection_init" }).to_string())
            .await
    }

    /// Starts an operation, or sends why its request is refused.
    async fn start(&mut self, text: &str, id: Option<String>, payload: Value) -> Result<(), Close> {
        if self.handshake == Handshake::Open {
            return Err(Close::unauthorized());
        }
        let id = id.filter(|id| !id.is_empty() && id.len() <= MAX_ID);
        let id =
            id.ok_or_else(|| Close::bad_message("An operation needs an id of 1 to 256 bytes"))?;
        if self.state.is_active(&id) {
            return Err(Close::duplicate(&id));
        }
        let refused = if self.state.active() >= self.socket.limits.operations {
            Some(self.too_many())
        } else if integers::has_too_large(text.as_bytes()) {
            Some(refusal(ErrorCode::BadUserInput, INTEGERS, None))
        } else {
            None
        };
        let request = match refused {
            Some(error) => Err(error),
            None => parse_body(payload).map_err(|refusal| refusal.error()),
        };
        match request {
            Ok(request) => {
                self.state.start(&id, request.data(self.options.clone()));
                let start = json!({ "type": "subscribe", "id": id, "payload": { "query": id } });
                self.forward(start.to_string()).await
            }
            Err(error) => self.refuse(&id, error).await,
        }
    }

    fn too_many(&self) -> async_graphql::ServerError {
        let most = self.socket.limits.operations;
        let message = format!("a WebSocket runs at most {most} operations at a time");
        refusal(ErrorCode::RateLimited, message, None)
    }

    /// Refuses a request: it takes the same way as one that the executor refuses.
    async fn refuse(&mut self, id: &str, error: async_graphql::ServerError) -> Result<(), Close> {
        let stub = async_graphql::Request::new(String::new());
        self.state.start(id, stub);
        self.state.take_request(id);
        self.state.refuse(id, vec![error]);
        let start = json!({ "type": "subscribe", "id": id, "payload": { "query": id } });
        self.forward(start.to_string()).await
    }

    async fn stop(&mut self, id: Option<String>) -> Result<(), Close> {
        let Some(id) = id else {
            return Err(Close::bad_message("The end of an operation needs its id"));
        };
        if !self.state.stop(&id) {
            return Ok(());
        }
        self.forward(json!({ "type": "complete", "id": id }).to_string())
            .await
    }

    async fn forward(&mut self, text: String) -> Result<(), Close> {
        let sent = self.library.send(Message::Text(text.into())).await;
        sent.map_err(|_| Close::INTERNAL)
    }
}

/// Whether a message or a frame was refused for its size.
fn is_too_large(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut causes = std::iter::successors(Some(error), |error| error.source());
    causes.any(|cause| {
        let cause = cause.downcast_ref::<tungstenite::Error>();
        matches!(cause, Some(tungstenite::Error::Capacity(_)))
    })
}
