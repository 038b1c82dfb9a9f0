//! Reads a GraphQL request from a query string or a JSON body.

use async_graphql::{Name, Request, Value, Variables, indexmap::IndexMap};
use axum::{
    body::Bytes,
    http::{HeaderMap, Method, StatusCode, header},
};

use super::{integers, negotiation, refusal::RequestRefusal};
use crate::{graphql::error::INTEGERS, server::body::BodyError};

/// Reads the request of an HTTP request, or why it is refused.
pub(super) fn read(
    method: &Method,
    query: Option<&str>,
    headers: &HeaderMap,
    body: Result<Bytes, BodyError>,
) -> Result<Request, RequestRefusal> {
    match *method {
        // A content type that any page may send without a preflight is refused, even for reads.
        Method::GET | Method::HEAD if negotiation::is_simple_content_type(headers) => {
            Err(not_json())
        }
        Method::GET | Method::HEAD => read_query(query.unwrap_or_default()),
        Method::POST => {
            let body = body.map_err(RequestRefusal::from_body_error)?;
            read_body(headers, &body)
        }
        _ => Err(RequestRefusal::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "use POST, or GET for queries",
        )),
    }
}

fn read_query(query: &str) -> Result<Request, RequestRefusal> {
    let bad = |message: &str| RequestRefusal::new(StatusCode::BAD_REQUEST, message);
    let mut params = IndexMap::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let value = match name.as_ref() {
            "query" | "operationName" => Value::String(value.into_owned()),
            "variables" | "extensions" if value.is_empty() => Value::Null,
            "variables" if integers::has_too_large(value.as_bytes()) => return Err(bad(INTEGERS)),
            "variables" | "extensions" => serde_json::from_str(&value)
                .map_err(|_| bad(&format!("the parameter `{name}` must be a JSON object")))?,
            _ => continue,
        };
        params.insert(Name::new(name), value);
    }
    parse_body(Value::Object(params))
}

fn read_body(headers: &HeaderMap, body: &[u8]) -> Result<Request, RequestRefusal> {
    let media = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if !negotiation::is_json(media) {
        return Err(not_json());
    }
    let bad = |message: &str| RequestRefusal::new(StatusCode::BAD_REQUEST, message);
    let read = serde_json::from_slice(body);
    let read = read.map_err(|error| bad(&format!("the body is not JSON: {error}")))?;
    if integers::has_too_large(body) {
        return Err(bad(INTEGERS));
    }
    parse_body(read)
}

fn not_json() -> RequestRefusal {
    let message = "send the request as `Content-Type: application/json`, in UTF-8";
    RequestRefusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message)
}

/// Reads the members of a request body, as the specification names them. The body was parsed into
/// the engine's own values: serde's would read some strings as JSON inside JSON, with another limit
/// on their depth.
pub(super) fn parse_body(body: Value) -> Result<Request, RequestRefusal> {
    let bad = |message: &str| {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        Err(RequestRefusal::new(status, message))
    };
    let Value::Object(mut fields) = body else {
        return bad("the body must be an object with `query`; batches are not taken");
    };
    let query = fields.swap_remove("query");
    let is_given = matches!(&query, Some(query) if *query != Value::Null && *query != "".into());
    if !is_given && has_hash(&fields) {
        return Err(RequestRefusal::no_persisted_queries());
    }
    let mut request = match query {
        Some(Value::String(query)) => Request::new(query),
        Some(_) => return bad("`query` must be a string"),
        None => return bad("`query` is missing"),
    };
    let mut take = |name: &str| fields.swap_remove(name).unwrap_or_default();
    let (name, variables, extensions) =
        (take("operationName"), take("variables"), take("extensions"));
    match (name, variables, extensions) {
        (
            name @ (Value::Null | Value::String(_)),
            variables @ (Value::Null | Value::Object(_)),
            // No extension to the protocol is supported.
            Value::Null | Value::Object(_),
        ) => {
            request.operation_name = match name {
                Value::String(name) if !name.is_empty() => Some(name),
                _ => None,
            };
            request.variables = Variables::from_value(variables);
            Ok(request)
        }
        _ => bad("`operationName` must be a string, `variables` and `extensions` must be objects"),
    }
}

/// Whether a request names its document by a hash, as clients with automatic persisted queries do.
fn has_hash(fields: &IndexMap<Name, Value>) -> bool {
    let member = |value: &Value, name: &str| match value {
        Value::Object(members) => members.get(name).cloned(),
        _ => None,
    };
    let extensions = fields.get("extensions");
    let persisted = extensions.and_then(|extensions| member(extensions, "persistedQuery"));
    let hash = persisted.and_then(|persisted| member(&persisted, "sha256Hash"));
    matches!(hash, Some(Value::String(_)))
}
