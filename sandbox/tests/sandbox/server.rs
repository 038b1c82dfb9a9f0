//! A sandbox for each test, and a client that calls it over a socket.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use roster_sandbox::{Options, TOKEN, serve};
use serde_json::Value;
use tokio::net::TcpListener;

/// A running sandbox; it ends with the test's runtime.
pub(crate) struct SandboxServer {
    address: SocketAddr,
    client: Client,
}

impl SandboxServer {
    /// A sandbox with this many users at each provider.
    pub(crate) async fn of(users: usize) -> Self {
        Self::with(Options {
            users,
            ..Options::default()
        })
        .await
    }

    pub(crate) async fn with(options: Options) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound listener");
        tokio::spawn(async move { serve(listener, &options, std::future::pending()).await });
        // Bodies stay as they are sent.
        let client = Client::builder()
            .no_gzip()
            .no_brotli()
            .redirect(Policy::none())
            .timeout(Duration::from_secs(20))
            .build();
        Self {
            address,
            client: client.expect("a plain client"),
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A call with the right token.
    pub(crate) fn call(&self, method: Method, path: &str) -> RequestBuilder {
        self.bare(method, path).bearer_auth(TOKEN)
    }

    /// A call without a token.
    pub(crate) fn bare(&self, method: Method, path: &str) -> RequestBuilder {
        let url = match path.strip_prefix("http://") {
            Some(_) => path.to_owned(),
            None => self.url(path),
        };
        self.client.request(method, url)
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        read(self.call(Method::GET, path)).await
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Value,
    ) -> (StatusCode, Value) {
        read(self.call(method, path).json(&body)).await
    }

    /// Sets a switch.
    pub(crate) async fn set_switch(&self, provider: &str, name: &str, value: &str) {
        let body = serde_json::json!({"provider": provider, "name": name, "value": value});
        let (status, _) = self.send(Method::POST, "/_sandbox/behaviour", body).await;
        assert_eq!(status, StatusCode::NO_CONTENT, "{name}={value}");
    }

    /// Sets a fault.
    pub(crate) async fn set_fault(&self, fault: Value) {
        let (status, answer) = self.send(Method::POST, "/_sandbox/faults", fault).await;
        assert_eq!((status, answer), (StatusCode::NO_CONTENT, Value::Null));
    }

    /// The calls of a provider as `METHOD path?query status`.
    pub(crate) async fn calls(&self, provider: &str) -> Vec<String> {
        let (_, calls) = self
            .get(&format!("/_sandbox/calls?provider={provider}"))
            .await;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        items(&calls)
            .map(|call| {
                let (method, path) = (text(&call["method"]), text(&call["path"]));
                format!(
                    "{method} {path}?{} {}",
                    text(&call["query"]),
                    call["status"]
                )
            })
            .collect()
    }

    /// The ids that a provider holds, in list order.
    pub(crate) async fn ids(&self, provider: &str) -> Vec<String> {
        let (_, records) = self
            .get(&format!("/_sandbox/records?provider={provider}"))
            .await;
        texts(&records, "id")
    }
}

/// Status and JSON body; null for a body that is empty or not JSON.
pub(crate) async fn read(request: RequestBuilder) -> (StatusCode, Value) {
    let answer: Response = request.send().await.expect("an answer");
    let status = answer.status();
    let body = answer.bytes().await.expect("a body");
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

pub(crate) fn items(array: &Value) -> impl Iterator<Item = &Value> {
    array.as_array().into_iter().flatten()
}

/// The texts of one field over an array.
pub(crate) fn texts(array: &Value, field: &str) -> Vec<String> {
    let text = |item: &Value| item[field].as_str().unwrap_or_default().to_owned();
    items(array).map(text).collect()
}
