//! DigitalChalk's errors: `errors` and `fieldErrors` in JSON, and
//! the servlet container's pages for what does not reach the API.

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use crate::behaviour::Behaviour;

/// The reason why a call is refused.
pub(super) enum DigitalChalkError {
    /// The page of the servlet container.
    Page(StatusCode),
    /// There is no such record.
    NotFound,
    /// Messages about the whole request.
    Errors(Vec<String>),
    /// Messages by field.
    Fields(Map<String, Value>),
    /// The single message about a user field.
    Message(String),
}

impl DigitalChalkError {
    pub(super) fn error(message: &str) -> Self {
        Self::Errors(vec![message.to_owned()])
    }

    pub(super) fn answer(self, behaviour: &Behaviour) -> Response {
        let body = match self {
            Self::Page(status) => return page(status),
            Self::NotFound if behaviour.is("not_found", "html") => {
                return page(StatusCode::NOT_FOUND);
            }
            Self::NotFound => return StatusCode::NOT_FOUND.into_response(),
            Self::Errors(errors) => json!({ "errors": errors }),
            Self::Fields(fields) => json!({ "fieldErrors": fields }),
            Self::Message(message) => json!({ "message": message }),
        };
        (StatusCode::BAD_REQUEST, axum::Json(body)).into_response()
    }
}

/// The page of the servlet container.
pub(super) fn page(status: StatusCode) -> Response {
    let reason = status.canonical_reason().unwrap_or("Error");
    let code = status.as_u16();
    let page = format!(
        "<!doctype html><html lang=\"en\"><head><title>HTTP Status {code} \u{2013} {reason}</title></head>\
         <body><h1>HTTP Status {code} \u{2013} {reason}</h1></body></html>"
    );
    (status, [(CONTENT_TYPE, "text/html;charset=utf-8")], page).into_response()
}
