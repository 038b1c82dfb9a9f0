//! Writes the messages of the library to the client, and pings it.

use std::sync::Arc;

use axum::extract::ws::{Message, WebSocket};
use futures_util::{SinkExt, stream::SplitSink};
use serde::Deserialize;
use tokio::{
    sync::mpsc,
    time::{Instant, Interval, MissedTickBehavior, interval_at},
};

use super::{
    SocketLimits,
    close::Close,
    state::{Completion, SocketState},
};
use crate::server::activity::ConnectionActivity;

/// The end of an operation, as the library reports it.
#[derive(Deserialize)]
struct CompleteMessage {
    id: String,
}

/// Every message by which the library ends an operation begins with this.
const COMPLETE: &str = r#"{"type":"complete""#;

/// Every message with a response begins with one of these.
const RESPONSES: [&str; 2] = [r#"{"type":"next""#, r#"{"type":"data""#];

/// Writes one socket.
pub(super) struct Writer {
    sink: SplitSink<WebSocket, Message>,
    outgoing: mpsc::Receiver<Message>,
    state: Arc<SocketState>,
    activity: Arc<ConnectionActivity>,
    pings: Interval,
}

impl Writer {
    pub(super) fn new(
        sink: SplitSink<WebSocket, Message>,
        outgoing: mpsc::Receiver<Message>,
        state: Arc<SocketState>,
        (activity, limits): (Arc<ConnectionActivity>, SocketLimits),
    ) -> Self {
        let mut pings = interval_at(Instant::now() + limits.ping, limits.ping);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            sink,
            outgoing,
            state,
            activity,
            pings,
        }
    }

    /// Writes until the library ends, or the client is gone or reads too slowly. True when the socket can
    /// still be closed politely.
    pub(super) async fn run(&mut self) -> bool {
        loop {
            let message = tokio::select! {
                biased;
                message = self.outgoing.recv() => match message {
                    Some(Message::Close(_)) | None => return true,
                    Some(message) => message,
                },
                _ = self.pings.tick() => Message::Ping(Default::default()),
            };
            if !self.write(message).await {
                return false;
            }
        }
    }

    /// Writes a message of the library, or what stands in its place.
    async fn write(&mut self, message: Message) -> bool {
        let Message::Text(text) = &message else {
            return self.send(message).await;
        };
        if text.starts_with(COMPLETE)
            && let Ok(complete) = serde_json::from_str::<CompleteMessage>(text)
        {
            return match self.state.complete(&complete.id) {
                Completion::Complete => self.send(message).await,
                Completion::Refused(error) => self.send(Message::Text(error.into())).await,
                Completion::Known => true,
            };
        }
        let is_response = RESPONSES.iter().any(|start| text.starts_with(start));
        let sent = self.send(message).await;
        if is_response {
            self.state.release();
        }
        sent
    }

    /// Sends a message by the rules for every response: false when the client is gone or reads it too
    /// slowly.
    async fn send(&mut self, message: Message) -> bool {
        let sending = self.activity.begin_request();
        sending.begin_answer(length(&message));
        let sent = tokio::select! {
            sent = self.sink.send(message) => sent.is_ok(),
            () = self.activity.wait_for_timeout() => {
                self.activity.force_close();
                false
            }
        };
        drop(sending);
        sent
    }

    /// Sends what is still to be sent, and the close frame; without a frame it answers the client's.
    pub(super) async fn close(mut self, close: Option<Close>) {
        while let Ok(message) = self.outgoing.try_recv() {
            if matches!(message, Message::Close(_)) {
                break;
            }
            if close.is_some() && !self.write(message).await {
                return;
            }
        }
        if let Some(close) = close
            && !self.send(close.frame()).await
        {
            return;
        }
        let closing = self.activity.begin_request();
        closing.begin_answer(0);
        tokio::select! {
            _ = self.sink.close() => {}
            () = self.activity.wait_for_timeout() => {}
        }
    }
}

fn length(message: &Message) -> u64 {
    match message {
        Message::Text(text) => text.len() as u64,
        Message::Binary(bytes) | Message::Ping(bytes) | Message::Pong(bytes) => bytes.len() as u64,
        Message::Close(_) => 0,
    }
}
