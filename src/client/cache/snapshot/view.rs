//! A snapshot as one caller takes it.

use std::sync::Arc;

use tokio::time::Instant;

use super::{
    SnapshotContent,
    builder::{BuildOutcome, SharedSnapshot, lock},
};
use crate::{
    client::cache::CachedResponse,
    context::{RequestContext, ResponseOrigin},
    error::Error,
};

/// A snapshot as one caller takes it.
pub struct SnapshotView<T> {
    shared: Arc<SharedSnapshot<T>>,
    /// How its build ended; `None` when the caller's deadline came first.
    pub outcome: Option<BuildOutcome>,
}

impl<T> SnapshotView<T> {
    /// Reads the content.
    pub fn read<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&lock(&self.shared.content))
    }

    pub(super) fn failure(&self) -> Option<Error> {
        match &self.outcome {
            Some(BuildOutcome::Failed(error)) => Some(error.clone()),
            Some(BuildOutcome::Complete | BuildOutcome::DeadlineReached) => None,
            None => Some(Error::deadline_exceeded()),
        }
    }

    /// A cached snapshot.
    pub(super) fn of_cached(
        context: &RequestContext,
        cached: &CachedResponse<Arc<SharedSnapshot<T>>>,
        origin: ResponseOrigin,
    ) -> Self {
        let shared = Arc::clone(&cached.answer);
        context.add_reads(&shared.context);
        context.note_read(cached.read_at, origin == ResponseOrigin::Stale);
        shared.log_reads(context, origin, Instant::now());
        Self {
            shared,
            outcome: Some(BuildOutcome::Complete),
        }
    }

    /// The content of a build. An incomplete one must not be cached by the caller's clients.
    pub(super) fn of_build(
        shared: &Arc<SharedSnapshot<T>>,
        context: &RequestContext,
        outcome: Option<BuildOutcome>,
    ) -> Self {
        context.add_reads(&shared.context);
        if !matches!(outcome, Some(BuildOutcome::Complete)) {
            context.call_log().note_fresh_until(Instant::now());
        }
        Self {
            shared: Arc::clone(shared),
            outcome,
        }
    }

    /// An empty snapshot, for a caller that reached its deadline before anything was read.
    pub(super) fn empty(context: &RequestContext, until: Instant) -> Self
    where
        T: SnapshotContent,
    {
        context.call_log().note_fresh_until(Instant::now());
        let (shared, _) = SharedSnapshot::new(context, until);
        Self {
            shared,
            outcome: None,
        }
    }
}
