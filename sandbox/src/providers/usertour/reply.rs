//! The headers that every reply of Usertour carries.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;

/// A JSON reply with its weak entity tag.
pub(super) fn json(status: StatusCode, body: &Value) -> Response {
    let body = body.to_string();
    let mut hasher = DefaultHasher::new();
    body.hash(&mut hasher);
    let tag = format!("W/\"{:x}-{:016x}\"", body.len(), hasher.finish());
    let headers = [
        (
            header::CONTENT_TYPE,
            "application/json; charset=utf-8".to_owned(),
        ),
        (header::ETAG, tag),
    ];
    (status, headers, body).into_response()
}

/// Adds the headers that every answer has. An answer that the client has already becomes 304.
pub(super) fn finish(mut response: Response, known: Option<&HeaderValue>) -> Response {
    if response.status().is_success()
        && known.is_some()
        && response.headers().get(header::ETAG) == known
    {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = Body::empty();
        response.headers_mut().remove(header::CONTENT_LENGTH);
        response.headers_mut().remove(header::CONTENT_TYPE);
    }
    insert_common_headers(response.headers_mut());
    response
}

/// The answer to a request whose line and headers are too large: the server closes the connection.
pub(super) fn head_too_large() -> Response {
    let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
    (status, [(header::CONNECTION, "close")]).into_response()
}

/// The answer to a preflight request.
pub(super) fn preflight() -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    insert_common_headers(response.headers_mut());
    response.headers_mut().insert(
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET,HEAD,PUT,PATCH,POST,DELETE"),
    );
    response
}

fn insert_common_headers(headers: &mut HeaderMap) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("keep-alive"));
    headers.insert("keep-alive", HeaderValue::from_static("timeout=5"));
    headers.insert("x-powered-by", HeaderValue::from_static("Express"));
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        HeaderValue::from_static("*"),
    );
    headers.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("WWW-Authenticate"),
    );
}
