//! Intercom's errors: an `error.list` with one entry.

use axum::http::StatusCode;
use serde_json::{Value, json};

/// A status, a code and a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IntercomError {
    /// The HTTP status.
    pub(super) status: StatusCode,
    /// The `Link` header, if there is one.
    pub(super) link: Option<String>,
    code: &'static str,
    message: String,
}

impl IntercomError {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            link: None,
            code,
            message: message.into(),
        }
    }

    /// 401: no token, or a wrong one.
    pub(super) fn unauthorized() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "Access Token Invalid",
        )
    }

    /// 400: a version that does not exist, or not for this path.
    pub(super) fn version() -> Self {
        let message = "The requested resource is not available in the current API version";
        Self::new(StatusCode::BAD_REQUEST, "intercom_version_invalid", message)
    }

    /// 404 for a path, or a method on a path.
    pub(super) fn no_resource() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "Resource Not Found")
    }

    /// 404 for a record, such as "User Not Found".
    pub(super) fn not_found(message: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    /// 404 for a company.
    pub(super) fn no_company() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "company_not_found",
            "Company Not Found",
        )
    }

    /// 400 with the provider's general code.
    pub(super) fn bad_request(message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    /// 400 for a parameter with a wrong value.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "parameter_invalid", message)
    }

    /// 400 for a write without an identifier.
    pub(super) fn nobody() -> Self {
        let message = "At least one of id, user_id and email is needed";
        Self::new(StatusCode::BAD_REQUEST, "parameter_not_found", message)
    }

    /// 409: the address belongs to several.
    pub(super) fn ambiguous() -> Self {
        let message = "Multiple existing users match this email address - must be more specific using user_id";
        Self::new(StatusCode::CONFLICT, "conflict", message)
    }

    /// 400: another scroll is open.
    pub(super) fn scroll_exists() -> Self {
        let message = "scroll already exists for this workspace";
        Self::new(StatusCode::BAD_REQUEST, "scroll_exists", message)
    }

    /// 400: more custom attributes than a workspace may have.
    pub(super) fn too_many_attributes() -> Self {
        let message = "The limit of custom attributes is reached";
        Self::new(
            StatusCode::BAD_REQUEST,
            "custom_data_limit_reached",
            message,
        )
    }

    /// 400 for a cursor that no list gave.
    pub(super) fn cursor() -> Self {
        let message = "Invalid starting_after param: it must be the value of pages.next";
        Self::new(StatusCode::BAD_REQUEST, "client_error", message)
    }

    /// 400 for an order but ascending and descending.
    pub(super) fn sort_order() -> Self {
        let message = "Sort order must be ascending or descending";
        Self::new(StatusCode::BAD_REQUEST, "invalid_sort_order", message)
    }

    /// 500 for a search that makes the provider fail.
    pub(super) fn broken() -> Self {
        let message = "Something went wrong on our end";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", message)
    }

    /// 409: the contact exists, active or archived. Only the message has its identifier.
    pub(super) fn exists(id: &str, archived: bool) -> Self {
        let who = if archived {
            "An archived contact"
        } else {
            "A contact"
        };
        let message = format!("{who} matching those details already exists with id={id}");
        Self::new(StatusCode::CONFLICT, "conflict", message)
    }

    /// 410 with a link to the contact that a merged one became part of.
    pub(super) fn merged(canonical: &str) -> Self {
        let message = "The contact has been merged into another";
        Self {
            link: Some(format!("</contacts/{canonical}>; rel=\"canonical\"")),
            ..Self::new(StatusCode::GONE, "contact_merged", message)
        }
    }

    /// 400: these two cannot be merged.
    pub(super) fn merge(message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_merge", message)
    }

    /// 400 for a parameter that is not there.
    pub(super) fn missing_parameter(message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "parameter_not_found", message)
    }

    /// 400: the contact is in as many companies as it can be.
    pub(super) fn too_many_companies() -> Self {
        let message = "Contact has reached the maximum of 1000 company associations";
        Self::new(
            StatusCode::BAD_REQUEST,
            "contact_company_limit_exceeded",
            message,
        )
    }

    /// 429 with the window's limit.
    pub(super) fn throttled(limit: u64) -> Self {
        let message = format!("Exceeded rate limit of {limit} in 10_seconds");
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "rate_limit_exceeded",
            message,
        )
    }

    /// An error that the provider sends under status 200.
    pub(super) fn under_200() -> Self {
        Self::new(
            StatusCode::OK,
            "server_error",
            "Something went wrong, please try again",
        )
    }

    /// The body; old payloads carry the code as `type`.
    pub(super) fn body(&self, request_id: &str, type_only: bool) -> Value {
        let name = if type_only { "type" } else { "code" };
        json!({
            "type": "error.list",
            "request_id": request_id,
            "errors": [{name: self.code, "message": self.message}],
        })
    }
}
