//! Answers whose links lead where they should not.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, HOST, LOCATION};
use axum::http::response::Parts;
use axum::http::{HeaderValue, Uri};
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::providers::Provider;

const FOREIGN: &str = "http://attacker.test";

/// Leads all links of an answer to another host.
pub(super) fn lead_away((mut parts, body): (Parts, Bytes)) -> Response {
    if let Some(location) = parts.headers.get(LOCATION).and_then(|l| l.to_str().ok())
        && let Ok(led_away) = HeaderValue::from_str(&foreign(location))
    {
        parts.headers.insert(LOCATION, led_away);
    }
    rewritten(parts, body, lead_all_away)
}

fn lead_all_away(json: &mut Value) {
    match json {
        Value::String(text) => *text = foreign(text),
        Value::Array(items) => items.iter_mut().for_each(lead_all_away),
        Value::Object(fields) => fields.values_mut().for_each(lead_all_away),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The link on the foreign host; a text that is no link stays as it is.
fn foreign(text: &str) -> String {
    let absolute = ["http://", "https://"]
        .into_iter()
        .find_map(|scheme| text.strip_prefix(scheme));
    if let Some(rest) = absolute {
        let path = rest.find(['/', '?', '#']).map_or("", |at| &rest[at..]);
        return format!("{FOREIGN}{path}");
    }
    if text.starts_with('/') {
        return format!("{FOREIGN}{text}");
    }
    text.to_owned()
}

/// Where a request went.
pub(super) struct Own {
    /// As a link.
    link: String,
    /// The token in it that says after whom a page of Intercom's contacts
    /// starts.
    starting_after: Option<String>,
}

impl Own {
    pub(super) fn of(vendor: Provider, request: &Request) -> Self {
        let host = request.headers().get(HOST);
        let host = host.and_then(|host| host.to_str().ok());
        let (host, uri) = (host.unwrap_or("localhost"), request.uri());
        let mut pairs = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        let token = pairs.find(|(name, _)| name == "starting_after");
        Self {
            link: format!("http://{host}/{vendor}{}", path_and_query(uri)),
            starting_after: token.map(|(_, token)| token.into_owned()),
        }
    }
}

fn path_and_query(uri: &Uri) -> &str {
    uri.path_and_query().map_or("/", |both| both.as_str())
}

/// Leads the links to a next page to the page itself. The first page of a list
/// that goes on by tokens has none, and leads on to the second.
pub(super) fn lead_back(own: &Own, (parts, body): (Parts, Bytes)) -> Response {
    rewritten(parts, body, |json| {
        for place in ["/next", "/meta/next_page_url", "/pages/next"] {
            match json.pointer_mut(place) {
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

/// The answer with its JSON changed; what is no JSON stays as it is.
fn rewritten(mut parts: Parts, body: Bytes, change: impl FnOnce(&mut Value)) -> Response {
    let Ok(mut json) = serde_json::from_slice::<Value>(&body) else {
        return Response::from_parts(parts, Body::from(body));
    };
    change(&mut json);
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(json.to_string()))
}
