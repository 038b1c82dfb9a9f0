//! Requests that are refused before their document is known, and the statuses of all refusals.

use async_graphql::ServerError;
use axum::http::StatusCode;

use super::negotiation::Media;
use crate::{
    error::ErrorCode,
    graphql::{
        error::refusal,
        executor::{Execution, Refusal},
    },
    server::body::BodyError,
};

/// After how many seconds a client may send a body again that the gateway had no room for.
const RETRY_AFTER: i32 = 1;

/// Why a request is refused before the executor sees it.
pub(super) struct RequestRefusal {
    pub(super) status: StatusCode,
    pub(super) code: ErrorCode,
    message: String,
    /// The number of seconds until a retry makes sense.
    pub(super) retry_after: Option<i32>,
}

impl RequestRefusal {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            code: ErrorCode::BadUserInput,
            message: message.into(),
            retry_after: None,
        }
    }

    /// A refusal with a code of its own.
    pub(super) fn with_code(
        status: StatusCode,
        code: ErrorCode,
        message: impl Into<String>,
    ) -> Self {
        Self {
            code,
            ..Self::new(status, message)
        }
    }

    /// A request for which there is no room now.
    pub(super) fn overloaded(message: impl Into<String>) -> Self {
        Self {
            code: ErrorCode::Overloaded,
            retry_after: Some(RETRY_AFTER),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, message)
        }
    }

    /// A request with the hash of a document and no document. Clients look for exactly this message
    /// or code, and then send the document.
    pub(super) fn no_persisted_queries() -> Self {
        Self {
            code: ErrorCode::PersistedQueryNotSupported,
            ..Self::new(StatusCode::BAD_REQUEST, "PersistedQueryNotSupported")
        }
    }

    /// The status under a media type. Some clients read this answer only under 200, and then send the
    /// document.
    pub(super) fn status(&self, media: Media) -> StatusCode {
        match (self.code, media) {
            (ErrorCode::PersistedQueryNotSupported, Media::Json) => StatusCode::OK,
            _ => self.status,
        }
    }

    /// The refusal as an error of GraphQL.
    pub(super) fn error(&self) -> ServerError {
        let mut error = refusal(self.code, self.message.as_str(), None);
        if let Some(seconds) = self.retry_after {
            let extensions = error.extensions.get_or_insert_default();
            extensions.set("retryAfter", seconds);
        }
        error
    }

    pub(super) fn from_body_error(error: BodyError) -> Self {
        match error {
            BodyError::Overloaded => Self::overloaded(error.to_string()),
            _ => Self::new(error.status(), error.to_string()),
        }
    }
}

/// The status of an operation that ran, or of a request that the executor refused (GraphQL over HTTP,
/// section 6.4).
pub(super) fn status_of(execution: &Execution) -> StatusCode {
    match execution.refusal {
        None if execution.response.errors.is_empty() => StatusCode::OK,
        None => partial_success(),
        Some(Refusal::MutationNotAllowed) => StatusCode::METHOD_NOT_ALLOWED,
        Some(Refusal::SubscriptionNotAllowed) => StatusCode::NOT_ACCEPTABLE,
        Some(Refusal::Overloaded { .. }) => StatusCode::SERVICE_UNAVAILABLE,
        Some(Refusal::Request(ErrorCode::GraphqlParseFailed)) => StatusCode::BAD_REQUEST,
        Some(Refusal::Request(ErrorCode::Internal)) => StatusCode::INTERNAL_SERVER_ERROR,
        Some(Refusal::Request(_)) => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

/// 294: the response has `data`, which may be null, and errors.
fn partial_success() -> StatusCode {
    StatusCode::from_u16(294).unwrap_or(StatusCode::OK)
}
