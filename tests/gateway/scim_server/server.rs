//! The server, and a relay before it that notes the calls.

use std::{
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Method, Response, Uri},
};
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    time::sleep,
};

/// The token that the server accepts.
pub(super) const TOKEN: &str = "scim-token";

/// A call that the relay passed on: its method, its path with the query, and the headers of the request.
#[derive(Clone, Debug)]
pub(super) struct RelayedCall {
    pub(super) request: String,
    pub(super) headers: HeaderMap,
}

/// A server on a free port; it ends with the value.
pub(super) struct ScimServer {
    process: Child,
    /// The address of the server itself.
    direct: SocketAddr,
    /// The address of the relay.
    pub(super) relay: SocketAddr,
    calls: Arc<Mutex<Vec<RelayedCall>>>,
    client: reqwest::Client,
}

impl Drop for ScimServer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl ScimServer {
    /// Starts an empty server whose pages have at most so many users. `None` where no program is named.
    pub(super) async fn start(cap: usize) -> Option<Self> {
        let Ok(program) = std::env::var("ROSTER_SCIM_SERVER") else {
            eprintln!("SKIPPED: ROSTER_SCIM_SERVER names no scim2-server");
            return None;
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let direct = listener.local_addr().expect("an address");
        drop(listener);
        let process = spawn(&program, direct, cap);
        while TcpStream::connect(direct).await.is_err() {
            sleep(Duration::from_millis(20)).await;
        }
        let calls = Arc::<Mutex<Vec<RelayedCall>>>::default();
        Some(Self {
            process,
            direct,
            relay: relay(direct, Arc::clone(&calls)).await,
            calls,
            client: reqwest::Client::new(),
        })
    }

    /// Creates a user without the gateway, and returns its id.
    pub(super) async fn create(&self, user: &Value) -> String {
        let request = self.client.post(self.url("Users")).bearer_auth(TOKEN);
        let response = request.json(user).send().await.expect("an answer");
        assert_eq!(response.status(), 201);
        let created: Value = response.json().await.expect("JSON");
        created["id"].as_str().expect("an id").to_owned()
    }

    /// Reads a path without the gateway.
    pub(super) async fn read(&self, path: &str) -> Value {
        let request = self.client.get(self.url(path)).bearer_auth(TOKEN);
        let response = request.send().await.expect("an answer");
        response.json().await.expect("JSON")
    }

    /// All users, in the order of the server's list, read without the gateway.
    pub(super) async fn users(&self) -> Vec<Value> {
        let mut users = Vec::new();
        loop {
            let path = format!("Users?startIndex={}", users.len() + 1);
            let mut page = self.read(&path).await;
            let rows = page["Resources"].as_array_mut().expect("a list");
            users.append(rows);
            if page["totalResults"] == users.len() {
                return users;
            }
        }
    }

    /// The calls of the gateway since they were last taken.
    pub(super) fn take_calls(&self) -> Vec<RelayedCall> {
        std::mem::take(&mut *self.calls.lock().expect("no panic"))
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/v2/{path}", self.direct)
    }
}

fn spawn(program: &str, address: SocketAddr, cap: usize) -> Child {
    let name = format!("scim-{}.json", address.port());
    let config = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let supported = json!({ "supported": true });
    let settings = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": supported,
        "bulk": { "supported": false, "maxOperations": 0, "maxPayloadSize": 0 },
        "filter": { "supported": true, "maxResults": cap },
        "changePassword": { "supported": false },
        "sort": supported,
        "etag": supported,
    });
    std::fs::write(&config, settings.to_string()).expect("a file");
    let port = address.port().to_string();
    let mut command = Command::new(program);
    command
        .args(["--port", &port, "--bearer-token", TOKEN])
        .arg("--service-provider-config")
        .arg(config)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.spawn().expect("a scim2-server")
}

#[derive(Clone)]
struct Relay {
    target: SocketAddr,
    calls: Arc<Mutex<Vec<RelayedCall>>>,
    client: reqwest::Client,
}

async fn relay(target: SocketAddr, calls: Arc<Mutex<Vec<RelayedCall>>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let relay = Relay {
        target,
        calls,
        client: reqwest::Client::new(),
    };
    let router = Router::new().fallback(pass_on).with_state(relay);
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

async fn pass_on(
    State(relay): State<Relay>,
    method: Method,
    uri: Uri,
    mut headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let call = RelayedCall {
        request: format!("{method} {uri}"),
        headers: headers.clone(),
    };
    relay.calls.lock().expect("no panic").push(call);
    // The client sets those of its own connection.
    for name in ["host", "content-length", "accept-encoding"] {
        headers.remove(name);
    }
    let url = format!("http://{}{uri}", relay.target);
    let request = relay.client.request(method, url).headers(headers);
    let answer = request.body(body).send().await.expect("an answer");
    let mut response = Response::builder().status(answer.status());
    for name in ["content-type", "etag", "location"] {
        if let Some(value) = answer.headers().get(name) {
            response = response.header(name, value);
        }
    }
    let body = answer.bytes().await.expect("a body");
    response.body(body.into()).expect("a response")
}
