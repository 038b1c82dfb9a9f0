//! Cached responses as the store that replicas share keeps them.

use bytes::Bytes;
use reqwest::{StatusCode, header::HeaderMap};
use tokio::time::Instant;

use super::{CachedResponse, ResponseCache};
use crate::{
    account::Account,
    client::{Request, Response},
    error::{Error, ErrorKind, Result},
    shared::responses::StoredResponse,
};

impl ResponseCache {
    /// Applies this replica's policy to a response that another replica stored. `None` when the
    /// policy does not cache it.
    pub(super) fn under_own_policy(
        &self,
        request: &Request,
        found: &StoredResponse,
    ) -> Option<CachedResponse> {
        let policy = &self.0.policy;
        let answer = match from_store(self.0.account, found)? {
            Ok(response) => Ok(request.decode(response).ok()?),
            missing => missing,
        };
        let is_empty = Self::cacheability(request, &answer)?;
        let fresh_until = found.read + policy.fresh(request.operation.name(), is_empty);
        let stale_until = fresh_until + policy.stale;
        let cached = CachedResponse {
            answer,
            read_at: found.at,
            read: found.read,
            fresh_until,
            stale_until,
            expires_at: stale_until + policy.error,
        };
        (cached.is_cacheable() && cached.expires_at > Instant::now()).then_some(cached)
    }
}

/// A cached response as the shared store keeps it; `None` when it cannot be shared.
pub(super) fn to_store(cached: &CachedResponse) -> Option<StoredResponse> {
    let (status, body) = match &cached.answer {
        Ok(response) => (response.status_code(), response.body.clone()),
        Err(error) if error.kind() == ErrorKind::Missing => (404, Bytes::new()),
        Err(_) => return None,
    };
    Some(StoredResponse {
        status,
        body,
        at: cached.read_at,
        read: cached.read,
    })
}

/// The answer that the shared store has.
fn from_store(account: Account, stored: &StoredResponse) -> Option<Result<Response>> {
    if stored.status == 404 {
        let missing = Error::new(ErrorKind::Missing, "there is no such thing");
        return Some(Err(missing.with_status(404)));
    }
    Some(Ok(Response {
        account,
        status: StatusCode::from_u16(stored.status).ok()?,
        headers: HeaderMap::new(),
        body: stored.body.clone(),
        sent: stored.read,
        cached_at: None,
        is_repeated: false,
        decoded: None,
    }))
}
