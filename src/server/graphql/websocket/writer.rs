//! Writes the messages of the library to the client, and pings it.

use std::sync::Arc;

use axum::extract::ws::{Message, WebSocket};
use futures_util::{SinkExt, stream::SplitSink};
use serde::Deserialize;
use tokio::{
    sync::mpsc,
    time::{Instant, Interval, MissedTickBehavior, interval_at, timeout},
};

use super::{
    SocketLimits,
    close::Close,
    state::{Completion, SocketState},
};

/// The end of an operation, as the library reports it.
#[derive(Deserialize)]
struct CompleteMessage<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    id: String,
}

/// Every message by which the library ends an operation begins with this.
const COMPLETE: &str = r#"{"type":"complete""#;

/// Writes one socket.
pub(super) struct Writer {
    sink: SplitSink<WebSocket, Message>,
    outgoing: mpsc::Receiver<Message>,
    state: Arc<SocketState>,
    limits: SocketLimits,
    pings: Interval,
}

impl Writer {
    pub(super) fn new(
        sink: SplitSink<WebSocket, Message>,
        outgoing: mpsc::Receiver<Message>,
        state: Arc<SocketState>,
        limits: SocketLimits,
    ) -> Self {
        let mut pings = interval_at(Instant::now() + limits.ping, limits.ping);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            sink,
            outgoing,
            state,
            limits,
            pings,
        }
    }

    /// Writes until the library ends (with the code to close with) or the client no longer reads.
    pub(super) async fn run(&mut self) -> Option<Close> {
        loop {
            let message = tokio::select! {
                biased;
                message = self.outgoing.recv() => match message {
                    Some(Message::Close(_)) | None => return Some(Close::INTERNAL),
                    Some(message) => self.translated(message),
                },
                _ = self.pings.tick() => Some(Message::Ping(Default::default())),
            };
            if let Some(message) = message
                && !self.send(message).await
            {
                return None;
            }
        }
    }

    /// The message in the place of one of the library's; `None` where the client needs none.
    fn translated(&self, message: Message) -> Option<Message> {
        let Message::Text(text) = &message else {
            return Some(message);
        };
        if !text.starts_with(COMPLETE) {
            return Some(message);
        }
        let Ok(complete) = serde_json::from_str::<CompleteMessage<'_>>(text) else {
            return Some(message);
        };
        debug_assert_eq!(complete.kind, "complete");
        match self.state.complete(&complete.id) {
            Completion::Complete => Some(message),
            Completion::Refused(error) => Some(Message::Text(error.into())),
            Completion::Known => None,
        }
    }

    /// Sends a message. False when the client is gone or does not read.
    async fn send(&mut self, message: Message) -> bool {
        let sent = timeout(self.limits.write, self.sink.send(message)).await;
        matches!(sent, Ok(Ok(())))
    }

    /// Sends what is still to be sent, and the close frame.
    pub(super) async fn close(mut self, close: Close) {
        while let Ok(message) = self.outgoing.try_recv() {
            if let Some(message) = self.translated(message)
                && !self.send(message).await
            {
                return;
            }
        }
        if self.send(close.frame()).await {
            let _ = timeout(self.limits.write, self.sink.close()).await;
        }
    }
}
