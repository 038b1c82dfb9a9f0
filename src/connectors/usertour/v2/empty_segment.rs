//! Lists without a segment. The server may narrow such a list by whichever segment its database names
//! first, be it another customer's. An empty `segmentId` keeps it from that, and is no filter itself.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::{
    connectors::{Filter, usertour::errors::SEGMENT},
    error::{Error, ErrorKind},
};

/// The empty segment, and whether the server takes it.
#[derive(Default)]
pub(super) struct EmptySegmentParam {
    /// A server that refuses it needs none.
    is_refused: AtomicBool,
}

impl EmptySegmentParam {
    /// The parameter, where the filter names no segment.
    pub(super) fn parameter(&self, filter: &Filter) -> Option<(&'static str, String)> {
        let is_needed = filter.segment_id.is_none() && !self.is_refused.load(Ordering::Relaxed);
        is_needed.then(|| (SEGMENT, String::new()))
    }

    /// Whether the server refuses the parameter. Then it is not sent again.
    pub(super) fn is_refused(&self, error: &Error) -> bool {
        let is_refusal = matches!(error.kind(), ErrorKind::Rejected | ErrorKind::Missing);
        let mut fields = error
            .reasons()
            .iter()
            .filter_map(|why| why.field.as_deref());
        let is_refused = is_refusal && fields.any(|field| field == SEGMENT);
        if is_refused {
            self.is_refused.store(true, Ordering::Relaxed);
        }
        is_refused
    }
}
