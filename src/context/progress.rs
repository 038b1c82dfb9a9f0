//! The progress of a write. Until its first request is sent, it ends with the request that it
//! belongs to; after that it is finished even if nobody waits for it any more.

use std::{
    sync::atomic::{AtomicU8, Ordering},
    time::Duration,
};

const PREPARING: u8 = 0;
const SENT: u8 = 1;
const ABANDONED: u8 = 2;
/// Sent, and nobody waits for its end any more.
const LEFT: u8 = 3;

/// The progress of a write.
#[derive(Debug)]
pub struct WriteProgress {
    state: AtomicU8,
    /// How long after the deadline a sent write may continue.
    grace: Duration,
}

impl WriteProgress {
    /// A write that has sent nothing yet.
    #[must_use]
    pub fn new(grace: Duration) -> Self {
        Self {
            state: AtomicU8::new(PREPARING),
            grace,
        }
    }

    /// Notes that a request is about to be sent. False when the write was cancelled before.
    pub(super) fn begin(&self) -> bool {
        self.transition(PREPARING, SENT) || self.is_sent()
    }

    /// Cancels the write, unless part of it was sent. False when it was sent: then nobody waits for
    /// it any more.
    pub fn abandon(&self) -> bool {
        self.transition(PREPARING, ABANDONED) || (!self.transition(SENT, LEFT) && !self.is_sent())
    }

    /// Whether part of it was sent and nobody waits for its end any more.
    pub(super) fn is_detached(&self) -> bool {
        self.state.load(Ordering::SeqCst) == LEFT
    }

    fn is_sent(&self) -> bool {
        matches!(self.state.load(Ordering::SeqCst), SENT | LEFT)
    }

    fn transition(&self, from: u8, to: u8) -> bool {
        let turned = self
            .state
            .compare_exchange(from, to, Ordering::SeqCst, Ordering::SeqCst);
        turned.is_ok()
    }

    /// The time added to the deadline.
    pub(super) fn grace_period(&self) -> Duration {
        if self.is_sent() {
            self.grace
        } else {
            Duration::ZERO
        }
    }
}
