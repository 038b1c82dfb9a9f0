//! A sandbox in this process, called without a socket.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use roster_sandbox::{Options, router};
use serde_json::{Value, json};
use tower::ServiceExt as _;

/// A sandbox and the headers that each call to one of its providers carries.
pub(crate) struct Sandbox {
    router: Router,
    headers: Vec<(&'static str, String)>,
}

/// An answer, its body read.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Sandbox {
    pub(crate) fn with_users(users: usize) -> Self {
        let options = Options {
            users,
            ..Options::default()
        };
        Self {
            router: router(&options),
            headers: Vec::new(),
        }
    }

    /// The same sandbox, called with one more header, or with another value of it.
    pub(crate) fn header(&self, name: &'static str, value: impl Into<String>) -> Self {
        let kept = self.headers.iter().filter(|(known, _)| *known != name);
        let mut headers: Vec<_> = kept.cloned().collect();
        headers.push((name, value.into()));
        Self {
            router: self.router.clone(),
            headers,
        }
    }

    pub(crate) async fn send(&self, method: &str, path: &str, body: impl Into<Body>) -> Reply {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let request = request.body(body.into()).expect("the request is valid");
        let response = match self.router.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.expect("the body ends");
        Reply {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(bytes.to_vec()).expect("the body is text"),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, Body::empty()).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        let sender = self.header("content-type", "application/json");
        sender.send("POST", path, body.to_string()).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Reply {
        let sender = self.header("content-type", "application/json");
        sender.send("PUT", path, body.to_string()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        self.send("DELETE", path, Body::empty()).await
    }

    pub(crate) async fn set_switch(&self, provider: &str, name: &str, value: &str) {
        let switch = json!({"provider": provider, "name": name, "value": value});
        let reply = self.post("/_sandbox/behaviour", switch).await;
        assert_eq!(reply.status, StatusCode::NO_CONTENT, "{}", reply.text);
    }

    /// The records of the provider now, in its default order.
    pub(crate) async fn records(&self, provider: &str) -> Vec<Value> {
        let reply = self
            .get(&format!("/_sandbox/records?provider={provider}"))
            .await;
        serde_json::from_str(&reply.text).expect("records are an array")
    }
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).expect("the body is JSON")
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The status as a number, and the value at a JSON pointer.
    pub(crate) fn at(&self, pointer: &str) -> (u16, Value) {
        let found = self.json().pointer(pointer).cloned();
        (self.status.as_u16(), found.unwrap_or_default())
    }
}

/// The strings under one name in an array of objects.
pub(crate) fn column(rows: &Value, name: &str) -> Vec<String> {
    let rows = rows.as_array().into_iter().flatten();
    let cells = rows.map(|row| row[name].as_str().unwrap_or_default().to_owned());
    cells.collect()
}
