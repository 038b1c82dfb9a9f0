//! How far a write has come. Until its first request is sent it ends with the request that it belongs
//! to; from then on it is finished, though nobody waits for it any more.

use std::{
    sync::atomic::{AtomicU8, Ordering},
    time::Duration,
};

const PREPARING: u8 = 0;
const SENT: u8 = 1;
const ABANDONED: u8 = 2;
/// Sent, and nobody waits for its end any more.
const LEFT: u8 = 3;

/// How far a write has come.
#[derive(Debug)]
pub struct WriteProgress {
    state: AtomicU8,
    /// For how long after the deadline a write goes on that was sent.
    grace: Duration,
}

impl WriteProgress {
    /// A write of which nothing is sent yet.
    #[must_use]
    pub fn new(grace: Duration) -> Self {
        Self {
            state: AtomicU8::new(PREPARING),
            grace,
        }
    }

    /// Notes that a request is about to be sent. False when the write was given up before.
    pub(super) fn begin(&self) -> bool {
        self.turn(PREPARING, SENT) || self.is_sent()
    }

    /// Gives the write up, unless something of it was sent. False when it was: then nobody waits for it any
    /// more.
    pub fn abandon(&self) -> bool {
        self.turn(PREPARING, ABANDONED) || (!self.turn(SENT, LEFT) && !self.is_sent())
    }

    /// Whether something of it was sent, and nobody waits for its end any more.
    pub(super) fn is_left(&self) -> bool {
        self.state.load(Ordering::SeqCst) == LEFT
    }

    fn is_sent(&self) -> bool {
        matches!(self.state.load(Ordering::SeqCst), SENT | LEFT)
    }

    fn turn(&self, from: u8, to: u8) -> bool {
        let turned = self
            .state
            .compare_exchange(from, to, Ordering::SeqCst, Ordering::SeqCst);
        turned.is_ok()
    }

    /// The time that is added to the deadline.
    pub(super) fn extra(&self) -> Duration {
        if self.is_sent() {
            self.grace
        } else {
            Duration::ZERO
        }
    }
}
