//! Errors as RFC 7644, section 3.12, has them.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

const SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// The reason why a call is refused.
#[derive(Debug)]
pub(super) struct ScimError {
    status: StatusCode,
    scim_type: Option<&'static str>,
    detail: String,
}

impl ScimError {
    /// An error without a `scimType`.
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            scim_type: None,
            detail: detail.into(),
        }
    }

    /// 400 with this `scimType`.
    pub(super) fn bad(scim_type: &'static str, detail: impl Into<String>) -> Self {
        Self::typed(StatusCode::BAD_REQUEST, scim_type, detail)
    }

    pub(super) fn typed(
        status: StatusCode,
        scim_type: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            scim_type: Some(scim_type),
            ..Self::new(status, detail)
        }
    }

    pub(super) fn not_found(kind: &str, id: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("{kind} {id} not found"))
    }
}

impl IntoResponse for ScimError {
    fn into_response(self) -> Response {
        let mut body = json!({"schemas": [SCHEMA], "status": self.status.as_str()});
        if let Some(scim_type) = self.scim_type {
            body["scimType"] = scim_type.into();
        }
        body["detail"] = self.detail.into();
        super::json(self.status, &body)
    }
}
