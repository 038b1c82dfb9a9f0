//! Segments, of which version 1 says nothing: a list of an unknown segment is the list of
//! everybody, and a list without one may be narrowed by whichever segment the server's database
//! names first, be it another customer's. So a list without a segment asks for one that cannot be,
//! and a segment that a client names is believed only when it leaves somebody out.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use moka::sync::Cache;
use tokio::time::Instant;

use super::{super::errors::SEGMENT, UsertourV1, ties};
use crate::{
    client::Operation,
    context::{MaxAge, RequestContext},
    error::{Error, ErrorKind, Result},
    pagination::Page,
    user::User,
};

/// A segment that no server has: ids are 25 letters and digits.
const NOBODYS: &str = "none";

/// How long we remember that a segment exists: a deleted segment filters nothing.
const KNOWN_FOR: Duration = Duration::from_secs(60);

/// How many segments are remembered.
const MOST: u64 = 1_000;

/// The largest page.
const MAX: u32 = 100;

/// The segments that we know.
pub(super) struct SegmentCache {
    /// When a segment was last seen to leave somebody out.
    known: Cache<String, Instant>,
    /// Whether the server refuses segments that it does not know: then it needs none.
    is_strict: AtomicBool,
}

impl Default for SegmentCache {
    fn default() -> Self {
        let known = Cache::builder().max_capacity(MOST).time_to_live(KNOWN_FOR);
        Self {
            known: known.build(),
            is_strict: AtomicBool::new(false),
        }
    }
}

impl SegmentCache {
    /// The parameter that keeps a list without a segment from being narrowed by one.
    pub(super) fn empty_segment_param(
        &self,
        query: &[(&'static str, String)],
    ) -> Option<(&'static str, String)> {
        let has_one = query.iter().any(|(name, _)| *name == SEGMENT);
        let is_needed = !has_one && !self.is_strict.load(Ordering::Relaxed);
        is_needed.then(|| (SEGMENT, NOBODYS.to_owned()))
    }

    /// Whether the server refuses that parameter. Then it is not sent again.
    pub(super) fn is_refused(&self, error: &Error) -> bool {
        let is_refusal = matches!(error.kind(), ErrorKind::Rejected | ErrorKind::Missing);
        let mut fields = error
            .reasons()
            .iter()
            .filter_map(|why| why.field.as_deref());
        let is_refused = is_refusal && fields.any(|field| field == SEGMENT);
        if is_refused {
            self.is_strict.store(true, Ordering::Relaxed);
        }
        is_refused
    }

    fn is_known(&self, segment: &str, freshness: MaxAge) -> bool {
        self.known.get(segment).is_some_and(|at| match freshness {
            MaxAge::Cached => true,
            MaxAge::Within(age) => at.elapsed() <= age,
            MaxAge::Now => false,
        })
    }
}

impl UsertourV1 {
    /// Makes sure that a segment leaves somebody out, by the oldest and the newest users.
    ///
    /// # Errors
    /// `Invalid` when it cannot be told from everybody, and what the provider answers.
    pub(super) async fn verify_segment(
        &self,
        context: &RequestContext,
        segment: &str,
    ) -> Result<()> {
        let is_strict = self.segments.is_strict.load(Ordering::Relaxed);
        if is_strict || self.segments.is_known(segment, context.max_age()) {
            return Ok(());
        }
        for is_descending in [false, true] {
            // A user who signs up in between is in the second list only, and belongs to the
            // segment.
            let all = self.fetch_end(context, None, is_descending).await?;
            let some = self
                .fetch_end(context, Some(segment), is_descending)
                .await?;
            if all.rows.is_empty() {
                return Ok(());
            }
            if ties::has_outsider(&all, &some, is_descending) {
                self.segments
                    .known
                    .insert(segment.to_owned(), Instant::now());
                return Ok(());
            }
        }
        Err(Error::invalid(
            "`filter.segmentId`: Usertour answers the same users as without it, so it does not know this \
             segment, or everybody is in it; leave it out to list everybody",
        ))
    }

    /// One end of the list, with a segment or without.
    async fn fetch_end(
        &self,
        context: &RequestContext,
        segment: Option<&str>,
        is_descending: bool,
    ) -> Result<Page<User>> {
        let order = if is_descending {
            "-createdAt"
        } else {
            "createdAt"
        };
        let segment = segment.map(|segment| (SEGMENT, segment.to_owned()));
        let query: Vec<_> = segment
            .into_iter()
            .chain([("orderBy", order.to_owned())])
            .collect();
        self.fetch_page(context, Operation::List, &query, (None, MAX, None))
            .await
    }
}
