//! The sandboxes' controls, and the check that the gateway finds every provider healthy again.

use std::time::Duration;

use roster_sandbox::known::EVERYWHERE;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{BUDGETS, WINDOW_SECONDS};

#[derive(Clone)]
pub(crate) struct Sandbox {
    client: reqwest::Client,
    controls: String,
}

/// A call that a provider received.
#[derive(serde::Deserialize)]
pub(crate) struct Call {
    pub(crate) provider: String,
    /// When it arrived, in unix milliseconds.
    pub(crate) at: i64,
    pub(crate) status: Option<u16>,
}

impl Sandbox {
    pub(crate) fn at(address: &str) -> Self {
        Self {
            client: reqwest::Client::new(),
            controls: format!("http://{address}/_sandbox"),
        }
    }

    /// Makes the providers with rate limits refuse calls beyond the budgets.
    pub(crate) async fn limit(&self) {
        for (provider, calls) in BUDGETS {
            if matches!(provider, "ada" | "intercom") {
                let (calls, seconds) = (calls.to_string(), WINDOW_SECONDS.to_string());
                let switches = [
                    ("rate_limit", &*calls),
                    ("rate_seconds", &*seconds),
                    ("rate", "on"),
                ];
                for (name, value) in switches {
                    let circuit_breaker =
                        json!({ "provider": provider, "name": name, "value": value });
                    self.post("behaviour", &circuit_breaker).await;
                }
            }
        }
    }

    pub(crate) async fn strike(&self, fault: &Value) {
        self.post("faults", fault).await;
    }

    /// Lifts the faults of a provider.
    pub(crate) async fn heal(&self, provider: &str) {
        let url = format!("{}/faults?provider={provider}", self.controls);
        self.client.delete(url).send().await.unwrap();
    }

    /// The calls that providers received, the last 100,000 of them.
    pub(crate) async fn calls(&self) -> Vec<Call> {
        self.get("calls").await
    }

    pub(crate) async fn get<T: serde::de::DeserializeOwned>(&self, path: &str) -> T {
        let url = format!("{}/{path}", self.controls);
        self.client
            .get(url)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap()
    }

    async fn post(&self, path: &str, body: &Value) {
        let url = format!("{}/{path}", self.controls);
        let answer = self.client.post(url).json(body).send().await.unwrap();
        assert!(answer.status().is_success(), "{body}");
    }
}

/// The time after which every provider has answered completely, or else the last answer.
pub(crate) async fn recovered(gateway: &str, limit: Duration) -> Result<Duration, Value> {
    let client = reqwest::Client::new();
    let query = format!(
        "{{ usersByEmail(email: \"{EVERYWHERE}\") {{ sources {{ provider status error {{ code }} }} }} }}"
    );
    let body = json!({ "query": query });
    let started = Instant::now();
    loop {
        let request = client.post(format!("http://{gateway}/graphql")).json(&body);
        // Cached responses would hide providers that still fail.
        let request = request.header("cache-control", "no-cache");
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        let sources = &answer["data"]["usersByEmail"]["sources"];
        let is_well = |source: &Value| {
            // Usertour's searches never claim to be complete.
            let whole = match source["provider"].as_str() {
                Some("USERTOUR") => "PARTIAL",
                _ => "COMPLETE",
            };
            source["status"] == whole && source["error"].is_null()
        };
        let sources = sources.as_array().map(Vec::as_slice).unwrap_or_default();
        if sources.len() == BUDGETS.len() && sources.iter().all(is_well) {
            return Ok(started.elapsed());
        }
        if started.elapsed() > limit {
            return Err(answer);
        }
        sleep(Duration::from_millis(250)).await;
    }
}
