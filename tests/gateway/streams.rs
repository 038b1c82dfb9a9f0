//! Answers that come as a stream: over WebSockets and as server-sent events.

mod attacks;
mod events;
mod executor;
mod protocol;
mod reading;
mod socket;
mod subscription;

use std::{collections::VecDeque, net::SocketAddr, time::Duration};

use futures_util::{SinkExt, StreamExt};
use roster::{
    app,
    config::Settings,
    graphql::Executor,
    server::{
        AllowedHosts, MainListenerSettings, Origins, Readiness, SocketLimits,
        accept::ConnectionLimits,
    },
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::oneshot, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{self, Message, client::IntoClientRequest},
};

use crate::world::{World, settings};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(10);

/// A gateway with limits of its own on sockets.
struct StreamGateway {
    address: SocketAddr,
    executor: Executor,
    stop: Option<oneshot::Sender<()>>,
}

impl StreamGateway {
    /// A gateway over the sandboxes of a world.
    async fn over(world: &World, limits: SocketLimits) -> Self {
        Self::with(world, limits, |_| {}).await
    }

    async fn with(
        world: &World,
        sockets: SocketLimits,
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        Self::among(world, sockets, ConnectionLimits::default(), change).await
    }

    /// A gateway with limits of its own on all connections, too.
    async fn among(
        world: &World,
        sockets: SocketLimits,
        limits: ConnectionLimits,
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        let mut settings = settings(world.sandbox);
        settings.cache.seconds = 0.0;
        settings.server.show_calls = false;
        change(&mut settings);
        let executor = app::open(&settings).expect("settings without mistakes");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let front = MainListenerSettings {
            readiness: Readiness::default(),
            origins: Origins {
                listed: vec!["https://app.example".to_owned()],
                allows_loopback: false,
            },
            hosts: AllowedHosts::of(&[], address).expect("hosts"),
            has_admin: false,
            sockets,
        };
        let app = front.router(executor.clone()).expect("routes");
        let (stop, stopped) = oneshot::channel();
        tokio::spawn(limits.serve(listener, app, Readiness::default(), async {
            let _ = stopped.await;
        }));
        Self {
            address,
            executor,
            stop: Some(stop),
        }
    }

    /// Begins to stop.
    fn stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            stop.send(()).expect("a gateway that runs");
        }
    }

    /// A socket before its handshake.
    async fn connect(&self) -> Socket {
        connect(self.address, "graphql-transport-ws", &[])
            .await
            .expect("an upgrade")
    }

    /// A socket after its handshake.
    async fn socket(&self) -> Socket {
        let mut socket = self.connect().await;
        socket.send(json!({ "type": "connection_init" })).await;
        assert_eq!(socket.next().await["type"], "connection_ack");
        socket
    }
}

/// Asks for a socket; the status where it is refused.
async fn connect(
    address: SocketAddr,
    protocol: &str,
    headers: &[(&'static str, &str)],
) -> Result<Socket, u16> {
    let url = format!("ws://{address}/graphql");
    let mut request = url.into_client_request().expect("a request");
    let sent = request.headers_mut();
    if !protocol.is_empty() {
        let protocol = protocol.parse().expect("a protocol");
        sent.insert("sec-websocket-protocol", protocol);
    }
    for (name, value) in headers {
        sent.insert(*name, value.parse().expect("a header"));
    }
    match tokio_tungstenite::connect_async(request).await {
        Ok((socket, _)) => Ok(Socket {
            stream: socket,
            unread: VecDeque::new(),
        }),
        Err(tungstenite::Error::Http(refused)) => Err(refused.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

/// A client of its own.
struct Socket {
    stream: WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>,
    /// The messages of other operations that came while a test waited for those of one.
    unread: VecDeque<Value>,
}

impl Socket {
    async fn send(&mut self, message: Value) {
        self.send_text(&message.to_string()).await;
    }

    async fn send_text(&mut self, text: &str) {
        let sent = self
            .stream
            .send(Message::Text(text.to_owned().into()))
            .await;
        sent.expect("an open socket");
    }

    async fn subscribe(&mut self, id: &str, query: &str) {
        let message = json!({ "type": "subscribe", "id": id, "payload": { "query": query } });
        self.send(message).await;
    }

    /// The next message that is no ping of WebSocket itself.
    async fn next_message(&mut self) -> Message {
        loop {
            let next = timeout(PATIENCE, self.stream.next())
                .await
                .expect("a message");
            match next.expect("an open socket").expect("a message") {
                Message::Ping(_) | Message::Pong(_) => {}
                message => return message,
            }
        }
    }

    async fn next(&mut self) -> Value {
        match self.next_message().await {
            Message::Text(text) => serde_json::from_str(&text).expect("JSON"),
            other => panic!("not a text: {other:?}"),
        }
    }

    /// The code and the reason with which the gateway closes.
    async fn closed(&mut self) -> (u16, String) {
        loop {
            if let Message::Close(frame) = self.next_message().await {
                let frame = frame.expect("a close frame");
                return (frame.code.into(), frame.reason.to_string());
            }
        }
    }

    /// The messages of an operation, until it ends.
    async fn messages(&mut self, id: &str) -> Vec<Value> {
        let mut messages = Vec::new();
        let mut earlier = std::mem::take(&mut self.unread);
        loop {
            let message = match earlier.pop_front() {
                Some(message) => message,
                None => self.next().await,
            };
            if message["id"] != id {
                self.unread.push_back(message);
                continue;
            }
            let is_last = ["complete", "error"].contains(&message["type"].as_str().unwrap_or(""));
            messages.push(message);
            if is_last {
                self.unread.append(&mut earlier);
                return messages;
            }
        }
    }
}

/// The events of a response to a request that takes events.
pub(crate) async fn events(response: reqwest::Response) -> Vec<(String, Value)> {
    let text = response.text().await.expect("a text");
    let blocks = text.split("\n\n").filter(|block| !block.trim().is_empty());
    let events = blocks.filter_map(|block| {
        let field = |name: &str| {
            let mut lines = block.lines();
            lines.find_map(|line| line.strip_prefix(name).map(|value| value.trim().to_owned()))
        };
        let data = field("data:").unwrap_or_default();
        let data = serde_json::from_str(&data).unwrap_or(Value::Null);
        Some((field("event:")?, data))
    });
    events.collect()
}

/// Sends a request that takes events.
pub(crate) async fn post_for_events(address: SocketAddr, body: &Value) -> reqwest::Response {
    let request = reqwest::Client::new().post(format!("http://{address}/graphql"));
    let request = request.header("accept", "text/event-stream").json(body);
    request.send().await.expect("an answer")
}
