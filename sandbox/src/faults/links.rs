//! Answers with wrong links.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, HOST, LOCATION};
use axum::http::response::Parts;
use axum::http::{HeaderValue, Uri};
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::providers::Provider;

const FOREIGN_HOST: &str = "http://attacker.test";

/// Replaces the host of all links in an answer.
pub(super) fn replace_links((mut parts, body): (Parts, Bytes)) -> Response {
    if let Some(location) = parts.headers.get(LOCATION).and_then(|l| l.to_str().ok())
        && let Ok(replaced) = HeaderValue::from_str(&with_foreign_host(location))
    {
        parts.headers.insert(LOCATION, replaced);
    }
    rewritten(parts, body, replace_all)
}

fn replace_all(json: &mut Value) {
    match json {
        Value::String(text) => *text = with_foreign_host(text),
        Value::Array(items) => items.iter_mut().for_each(replace_all),
        Value::Object(fields) => fields.values_mut().for_each(replace_all),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The link with the foreign host. Text that is not a link stays as it is.
fn with_foreign_host(text: &str) -> String {
    let absolute = ["http://", "https://"]
        .into_iter()
        .find_map(|scheme| text.strip_prefix(scheme));
    if let Some(rest) = absolute {
        let path = rest.find(['/', '?', '#']).map_or("", |at| &rest[at..]);
        return format!("{FOREIGN_HOST}{path}");
    }
    if text.starts_with('/') {
        return format!("{FOREIGN_HOST}{text}");
    }
    text.to_owned()
}

/// The address of a request.
pub(super) struct RequestLink {
    /// As a link.
    link: String,
    /// The token after which a page of Intercom's contacts starts.
    starting_after: Option<String>,
}

impl RequestLink {
    pub(super) fn of(provider: Provider, request: &Request) -> Self {
        let host = request.headers().get(HOST);
        let host = host.and_then(|host| host.to_str().ok());
        let (host, uri) = (host.unwrap_or("localhost"), request.uri());
        let mut pairs = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        let token = pairs.find(|(name, _)| name == "starting_after");
        Self {
            link: format!("http://{host}/{provider}{}", path_and_query(uri)),
            starting_after: token.map(|(_, token)| token.into_owned()),
        }
    }
}

fn path_and_query(uri: &Uri) -> &str {
    uri.path_and_query().map_or("/", |both| both.as_str())
}

/// Replaces the links to a next page by links to the page itself. The first page of a list with
/// tokens has no token and keeps its link to the second.
pub(super) fn link_to_itself(own: &RequestLink, (parts, body): (Parts, Bytes)) -> Response {
    rewritten(parts, body, |json| {
        for pointer in ["/next", "/meta/next_page_url", "/pages/next"] {
            match json.pointer_mut(pointer) {
                Some(Value::String(link)) => link.clone_from(&own.link),
                Some(Value::Object(next)) => {
                    if let Some(token) = &own.starting_after {
                        next.insert("starting_after".to_owned(), json!(token));
                    }
                }
                _ => {}
            }
        }
    })
}

/// The answer with its JSON changed. Other bodies stay as they are.
fn rewritten(mut parts: Parts, body: Bytes, change: impl FnOnce(&mut Value)) -> Response {
    let Ok(mut json) = serde_json::from_slice::<Value>(&body) else {
        return Response::from_parts(parts, Body::from(body));
    };
    change(&mut json);
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(json.to_string()))
}
