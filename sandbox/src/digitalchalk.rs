//! DigitalChalk, not emulated yet: every path is unknown.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::response::IntoResponse;

use crate::vendor::{Emulation, Name, Vendor};

/// How DigitalChalk is emulated.
pub static EMULATION: Emulation = Emulation {
    name: Name::DigitalChalk,
    variants: &[],
    start: |_, _, _| Vendor {
        router: Router::new(),
        records: Arc::new(Vec::new),
    },
    throttled: |_| StatusCode::TOO_MANY_REQUESTS.into_response(),
};
