//! How a socket is closed: the codes of `graphql-transport-ws`, and those of WebSocket itself.

use axum::extract::ws::{CloseFrame, Message};

/// Why a socket is closed, in the words that the client sees.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Close {
    code: u16,
    reason: String,
}

impl Close {
    /// The older protocol's end of a connection.
    pub(super) const NORMAL: Self = Self::new(1000);
    /// The gateway stops.
    pub(super) const GOING_AWAY: Self = Self::new(1001);
    /// A fault of the gateway.
    pub(super) const INTERNAL: Self = Self::new(1011);

    const fn new(code: u16) -> Self {
        Self {
            code,
            reason: String::new(),
        }
    }

    fn because(code: u16, reason: &str) -> Self {
        Self {
            code,
            reason: reason.to_owned(),
        }
    }

    /// A message that is none of the protocol.
    pub(super) fn bad_message(reason: &str) -> Self {
        Self::because(4400, reason)
    }

    /// An operation before `connection_ack`.
    pub(super) fn unauthorized() -> Self {
        Self::because(4401, "Unauthorized")
    }

    /// The payload of `connection_init` is refused.
    pub(super) fn forbidden() -> Self {
        Self::because(4403, "Forbidden")
    }

    /// No `connection_init` came in time.
    pub(super) fn no_init() -> Self {
        Self::because(4408, "Connection initialisation timeout")
    }

    /// A second operation of an id that is in use.
    pub(super) fn duplicate(id: &str) -> Self {
        Self::because(4409, &format!("Subscriber for {id:.60} already exists"))
    }

    /// A second `connection_init`.
    pub(super) fn second_init() -> Self {
        Self::because(4429, "Too many initialisation requests")
    }

    /// A message that is too large.
    pub(super) fn too_large() -> Self {
        Self::because(1009, "Message too large")
    }

    /// Frames that WebSocket does not allow.
    pub(super) fn protocol_error() -> Self {
        Self::because(1002, "Protocol error")
    }

    /// A text that is not UTF-8.
    pub(super) fn not_utf8() -> Self {
        Self::because(1007, "Texts are UTF-8")
    }

    /// A client that sends nothing, not even an answer to a ping.
    pub(super) fn silent() -> Self {
        Self::because(1008, "No answer to a ping")
    }

    /// The place of a connection without operations is needed for a new one.
    pub(super) fn evicted() -> Self {
        Self::because(1013, "Try again later")
    }

    /// The frame. A reason has at most 123 bytes.
    pub(super) fn frame(mut self) -> Message {
        while self.reason.len() > 123 {
            self.reason.pop();
        }
        Message::Close(Some(CloseFrame {
            code: self.code,
            reason: self.reason.into(),
        }))
    }
}
