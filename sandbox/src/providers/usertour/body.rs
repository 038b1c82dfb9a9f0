//! The body parser, which runs before everything else, the key included.

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use serde_json::{Map, Value};

use super::error::UsertourError;
use super::qs;

/// The most bytes that a body may have.
const LIMIT: usize = 100 * 1024;

/// The body as the handlers get it: an object, or an array where one was sent.
pub(super) async fn read(headers: &HeaderMap, body: Body) -> Result<Value, UsertourError> {
    let nothing = Ok(Value::Object(Map::new()));
    let content_type = header_text(headers, header::CONTENT_TYPE).to_ascii_lowercase();
    let mut parts = content_type.split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default();
    let is_json = kind == "application/json";
    if !is_json && kind != "application/x-www-form-urlencoded" {
        return nothing;
    }
    let charset = parts.find_map(|part| part.strip_prefix("charset="));
    let Ok(bytes) = axum::body::to_bytes(body, LIMIT).await else {
        return Err(UsertourError::Body(
            StatusCode::PAYLOAD_TOO_LARGE,
            "request entity too large".to_owned(),
        ));
    };
    if bytes.is_empty() {
        return nothing;
    }
    check_charset(charset)?;
    let text = String::from_utf8_lossy(&bytes);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    if is_json {
        parse_json(text)
    } else {
        Ok(Value::Object(qs::parse(text)))
    }
}

fn header_text(headers: &HeaderMap, name: header::HeaderName) -> &str {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

fn check_charset(charset: Option<&str>) -> Result<(), UsertourError> {
    let charset = charset.map_or("utf-8", |name| name.trim_matches('"'));
    if charset == "utf-8" {
        return Ok(());
    }
    Err(UsertourError::Body(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        format!("unsupported charset \"{}\"", charset.to_uppercase()),
    ))
}

/// Only objects and arrays are bodies: the provider's parser is strict.
fn parse_json(text: &str) -> Result<Value, UsertourError> {
    match serde_json::from_str(text) {
        Ok(value @ (Value::Object(_) | Value::Array(_))) => Ok(value),
        Ok(_) => Err(unexpected(text, 0)),
        Err(error) if error.is_eof() => Err(UsertourError::Unreadable(
            "Unexpected end of JSON input".to_owned(),
        )),
        Err(error) => Err(unexpected(text, offset(text, &error))),
    }
}

fn offset(text: &str, error: &serde_json::Error) -> usize {
    let before: usize = text
        .split_inclusive('\n')
        .take(error.line().saturating_sub(1))
        .map(str::len)
        .sum();
    before + error.column().saturating_sub(1)
}

fn unexpected(text: &str, offset: usize) -> UsertourError {
    let rest = text.get(offset..).unwrap_or_default().trim_start();
    let found = rest.chars().next().unwrap_or(' ');
    let start: String = text.chars().take(20).collect();
    let quoted = if start.len() < text.len() {
        format!("\"{start}\"...")
    } else {
        format!("\"{start}\"")
    };
    UsertourError::Unreadable(format!(
        "Unexpected token '{found}', {quoted} is not valid JSON"
    ))
}
