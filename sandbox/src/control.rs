//! The sandbox's own endpoints, below `/_sandbox`.
//!
//! | path | `GET` | `POST` | `DELETE` |
//! |---|---|---|---|
//! | `calls` | the calls received | | forgets all of them |
//! | `faults` | the active faults | sets one | clears them |
//! | `behaviour` | the switches set | sets one | turns them back |
//! | `records` | every record of a vendor's list of users now | | |
//!
//! `?vendor=` narrows all but the forgetting of calls (`records` needs it), and
//! `?name=` the turning back of switches. A fault is what [`crate::faults`]
//! says, a switch `{"vendor", "name", "value"}`.
//!
//! A `POST` takes `application/json` alone (else 415); what a page of another site
//! sends is refused (403), and so is a `Host` that is neither a loopback name nor
//! where the sandbox listens (421).
//!
//! A wrong request is answered 400 `{"message": …}`; a right `POST` or
//! `DELETE` 204.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;

use crate::behaviour::Setting;
use crate::calls::Call;
use crate::dispatch::SandboxState;
use crate::emulation::Record;
use crate::faults::Active;
use crate::guard;
use crate::providers::Provider;

type Shared = State<Arc<SandboxState>>;

/// Why a request to the sandbox itself is refused.
pub(crate) struct Refusal(String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = Json(json!({ "message": self.0 }));
        (StatusCode::BAD_REQUEST, body).into_response()
    }
}

/// The routes of the controls.
pub(crate) fn routes() -> Router<Arc<SandboxState>> {
    Router::new()
        .route("/_sandbox/calls", get(calls).delete(forget_calls))
        .route(
            "/_sandbox/faults",
            get(faults).post(set_fault).delete(clear_faults),
        )
        .route(
            "/_sandbox/behaviour",
            get(behaviour).post(set_behaviour).delete(clear_behaviour),
        )
        .route("/_sandbox/records", get(records))
        .layer(from_fn(guard::own_site))
}

async fn calls(State(sandbox): Shared, query: RawQuery) -> Result<Json<Vec<Call>>, Refusal> {
    let asked = Asked::parse(query, &["vendor"])?;
    Ok(Json(sandbox.calls.list(asked.vendor)))
}

async fn forget_calls(State(sandbox): Shared, query: RawQuery) -> Result<StatusCode, Refusal> {
    Asked::parse(query, &[])?;
    sandbox.calls.clear();
    Ok(StatusCode::NO_CONTENT)
}

async fn faults(State(sandbox): Shared, query: RawQuery) -> Result<Json<Vec<Active>>, Refusal> {
    let asked = Asked::parse(query, &["vendor"])?;
    Ok(Json(sandbox.faults.list(asked.vendor)))
}

async fn set_fault(State(sandbox): Shared, body: Bytes) -> Result<StatusCode, Refusal> {
    sandbox.faults.set(&body).map_err(Refusal)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn clear_faults(State(sandbox): Shared, query: RawQuery) -> Result<StatusCode, Refusal> {
    let asked = Asked::parse(query, &["vendor"])?;
    sandbox.faults.clear(asked.vendor);
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Switch {
    vendor: String,
    name: String,
    value: String,
}

async fn behaviour(State(sandbox): Shared, query: RawQuery) -> Result<Json<Vec<Setting>>, Refusal> {
    let asked = Asked::parse(query, &["vendor"])?;
    Ok(Json(sandbox.behaviours.list(asked.vendor)))
}

async fn set_behaviour(State(sandbox): Shared, body: Bytes) -> Result<StatusCode, Refusal> {
    let switch: Switch = serde_json::from_slice(&body).map_err(|e| Refusal(e.to_string()))?;
    let vendor = switch.vendor.parse().map_err(Refusal)?;
    sandbox
        .behaviours
        .set(vendor, &switch.name, switch.value)
        .map_err(Refusal)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn clear_behaviour(State(sandbox): Shared, query: RawQuery) -> Result<StatusCode, Refusal> {
    let asked = Asked::parse(query, &["vendor", "name"])?;
    sandbox
        .behaviours
        .clear(asked.vendor, asked.name.as_deref());
    Ok(StatusCode::NO_CONTENT)
}

async fn records(State(sandbox): Shared, query: RawQuery) -> Result<Json<Vec<Record>>, Refusal> {
    let asked = Asked::parse(query, &["vendor"])?;
    let Some(provider) = asked.vendor else {
        return Err(Refusal("say whose records: ?vendor=".to_owned()));
    };
    Ok(Json(sandbox.mounted(provider).records()))
}

/// What the query of a control names.
#[derive(Default)]
struct Asked {
    vendor: Option<Provider>,
    name: Option<String>,
}

impl Asked {
    fn parse(RawQuery(query): RawQuery, known: &[&str]) -> Result<Self, Refusal> {
        let mut asked = Self::default();
        for (key, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            match &*key {
                "vendor" if known.contains(&"vendor") => {
                    asked.vendor = Some(value.parse().map_err(Refusal)?)
                }
                "name" if known.contains(&"name") => asked.name = Some(value.into_owned()),
                other => {
                    let known = known.join(", ");
                    return Err(Refusal(format!(
                        "unknown parameter {other:?}; known: {known}"
                    )));
                }
            }
        }
        Ok(asked)
    }
}
