//! Notes each attempt of a call, with what it waited for: inside the retry, outside everything that an
//! attempt may wait for.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use async_trait::async_trait;
use tokio::time::Instant;

use super::{
    Call, Layer, Next, Reply,
    scope::{Entry, Origin},
};
use crate::error::Result;

/// One entry in the journal of the request for each attempt.
pub struct Attempt {
    vendor: &'static str,
}

impl Attempt {
    /// Notes the attempts of a vendor's calls.
    #[must_use]
    pub fn of(vendor: &'static str) -> Self {
        Self { vendor }
    }
}

#[async_trait]
impl Layer for Attempt {
    async fn call(&self, mut call: Call, next: Next<'_>) -> Result<Reply> {
        call.waited = Arc::default();
        let started = Instant::now();
        let (operation, page, attempt) = (call.operation.name(), call.page.clone(), call.attempt);
        let (scope, waited) = (call.scope.clone(), Arc::clone(&call.waited));
        let answer = next.run(call).await;
        let (status, code) = match &answer {
            Ok(reply) => (Some(reply.status.as_u16()), None),
            Err(error) => (error.status(), Some(error.kind().code().as_str())),
        };
        let entry = Entry {
            vendor: self.vendor,
            operation,
            page,
            attempt,
            status,
            code,
            took: started.elapsed(),
            waited: Duration::from_micros(waited.load(Ordering::Relaxed)),
            origin: Origin::Vendor,
        };
        scope.journal().add(entry);
        answer
    }
}
