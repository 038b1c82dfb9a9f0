//! A provider that a test plays itself: for answers that no sandbox gives.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::{Query, State},
    http::{Method, StatusCode, Uri},
    response::IntoResponse,
};
use roster::config::Settings;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::world::World;

/// A request that a provider got. The path begins with the provider's name.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: HashMap<String, String>,
    pub(crate) body: Value,
}

/// A provider's response.
pub(crate) struct Said {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

impl From<&str> for Said {
    fn from(body: &str) -> Self {
        body.to_owned().into()
    }
}

impl From<String> for Said {
    fn from(body: String) -> Self {
        body.into_bytes().into()
    }
}

impl From<Vec<u8>> for Said {
    fn from(body: Vec<u8>) -> Self {
        Self {
            status: 200,
            headers: Vec::new(),
            body,
        }
    }
}

impl From<Value> for Said {
    fn from(body: Value) -> Self {
        body.to_string().into()
    }
}

impl From<(u16, Value)> for Said {
    fn from((status, body): (u16, Value)) -> Self {
        Self {
            status,
            ..body.into()
        }
    }
}

type Answer = Arc<dyn Fn(&Asked) -> Said + Send + Sync>;

/// All four providers at one address.
pub(crate) struct StandIn {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

#[derive(Clone)]
struct Play {
    answer: Answer,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl StandIn {
    /// Providers that answer what a function says.
    pub(crate) async fn of<S: Into<Said>>(
        answer: impl Fn(&Asked) -> S + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let asked = Arc::default();
        let play = Play {
            answer: Arc::new(move |asked| answer(asked).into()),
            asked: Arc::clone(&asked),
        };
        let app = Router::new().fallback(play_one).with_state(play);
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { address, asked }
    }

    /// Where they are.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// A gateway over them.
    pub(crate) async fn world(&self, change: impl FnOnce(&mut Settings)) -> World {
        World::over(self.address, change).await
    }

    /// The requests so far, which are forgotten.
    pub(crate) fn take(&self) -> Vec<Asked> {
        std::mem::take(&mut self.asked.lock().expect("no panic"))
    }
}

async fn play_one(
    State(play): State<Play>,
    method: Method,
    uri: Uri,
    Query(query): Query<HashMap<String, String>>,
    body: Bytes,
) -> impl IntoResponse {
    let asked = Asked {
        method,
        path: uri.path().to_owned(),
        query,
        body: serde_json::from_slice(&body).unwrap_or_default(),
    };
    play.asked.lock().expect("no panic").push(asked.clone());
    let said = (play.answer)(&asked);
    let status = StatusCode::from_u16(said.status).expect("a status");
    let mut response = (status, said.body).into_response();
    let headers = response.headers_mut();
    headers.insert("content-type", "application/json".parse().expect("a value"));
    for (name, value) in said.headers {
        headers.insert(name, value.parse().expect("a value"));
    }
    response
}

/// A provider's list of rows, in its own words, as far as one page goes.
pub(crate) fn list(path: &str, rows: &[String]) -> String {
    let total = rows.len();
    let rows = rows.join(",");
    match path.split('/').nth(1) {
        Some("ada") => format!(r#"{{"data":[{rows}],"meta":{{"next_page_url":null}}}}"#),
        Some("digitalchalk" | "usertour") => format!(r#"{{"results":[{rows}],"next":null}}"#),
        _ => format!(
            r#"{{"type":"list","data":[{rows}],"pages":{{"type":"pages"}},"total_count":{total}}}"#
        ),
    }
}

/// A user's record in a provider's words, with members of the test's own.
pub(crate) fn row(path: &str, id: &str, email: &str, more: &str) -> String {
    let (id, email) = (json!(id), json!(email));
    match path.split('/').nth(1) {
        Some("ada") => format!(r#"{{"end_user_id":{id},"profile":{{"email":{email}{more}}}}}"#),
        Some("usertour") => format!(r#"{{"id":{id},"attributes":{{"email":{email}{more}}}}}"#),
        Some("digitalchalk") => format!(r#"{{"id":{id},"email":{email}{more}}}"#),
        _ => format!(r#"{{"type":"contact","id":{id},"role":"user","email":{email}{more}}}"#),
    }
}
