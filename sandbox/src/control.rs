//! The sandbox's own endpoints, below `/_sandbox`.
//!
//! | path | `GET` | `POST` | `DELETE` |
//! |---|---|---|---|
//! | `calls` | the calls received | | forgets all of them |
//! | `faults` | the active faults | sets one | clears them |
//! | `behaviour` | the switches set | sets one | clears them |
//! | `records` | every record now in a provider's list of users | | |
//!
//! `?provider=` selects one provider, except where calls are deleted; `records` needs it. `?name=`
//! selects the switch to clear. [`crate::faults`] describes a fault; a switch is
//! `{"provider", "name", "value"}`.
//!
//! A `POST` takes `application/json` only (else 415). A request from a page of another site is
//! refused (403), and so is a `Host` that is neither a loopback name nor the address of the sandbox
//! (421).
//!
//! A wrong request is 400 `{"message": ...}`; a good `POST` or `DELETE` is 204.

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

use crate::behaviour::SwitchSetting;
use crate::calls::CallRecord;
use crate::dispatch::SandboxState;
use crate::emulation::Record;
use crate::faults::ActiveFault;
use crate::guard;
use crate::providers::Provider;

type SharedSandbox = State<Arc<SandboxState>>;

/// A request to the controls that is refused, with the reason.
pub(crate) struct ControlError(String);

impl IntoResponse for ControlError {
    fn into_response(self) -> Response {
        let body = Json(json!({ "message": self.0 }));
        (StatusCode::BAD_REQUEST, body).into_response()
    }
}

/// The routes of the controls.
pub(crate) fn routes() -> Router<Arc<SandboxState>> {
    Router::new()
        .route("/_sandbox/calls", get(calls).delete(delete_calls))
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

async fn calls(
    State(sandbox): SharedSandbox,
    query: RawQuery,
) -> Result<Json<Vec<CallRecord>>, ControlError> {
    let query = ControlQuery::parse(query, &["provider"])?;
    Ok(Json(sandbox.calls.list(query.provider)))
}

async fn delete_calls(
    State(sandbox): SharedSandbox,
    query: RawQuery,
) -> Result<StatusCode, ControlError> {
    ControlQuery::parse(query, &[])?;
    sandbox.calls.clear();
    Ok(StatusCode::NO_CONTENT)
}

async fn faults(
    State(sandbox): SharedSandbox,
    query: RawQuery,
) -> Result<Json<Vec<ActiveFault>>, ControlError> {
    let query = ControlQuery::parse(query, &["provider"])?;
    Ok(Json(sandbox.faults.list(query.provider)))
}

async fn set_fault(State(sandbox): SharedSandbox, body: Bytes) -> Result<StatusCode, ControlError> {
    sandbox.faults.set(&body).map_err(ControlError)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn clear_faults(
    State(sandbox): SharedSandbox,
    query: RawQuery,
) -> Result<StatusCode, ControlError> {
    let query = ControlQuery::parse(query, &["provider"])?;
    sandbox.faults.clear(query.provider);
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SwitchRequest {
    provider: String,
    name: String,
    value: String,
}

async fn behaviour(
    State(sandbox): SharedSandbox,
    query: RawQuery,
) -> Result<Json<Vec<SwitchSetting>>, ControlError> {
    let query = ControlQuery::parse(query, &["provider"])?;
    Ok(Json(sandbox.behaviours.list(query.provider)))
}

async fn set_behaviour(
    State(sandbox): SharedSandbox,
    body: Bytes,
) -> Result<StatusCode, ControlError> {
    let switch: SwitchRequest =
        serde_json::from_slice(&body).map_err(|e| ControlError(e.to_string()))?;
    let provider = switch.provider.parse().map_err(ControlError)?;
    sandbox
        .behaviours
        .set(provider, &switch.name, switch.value)
        .map_err(ControlError)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn clear_behaviour(
    State(sandbox): SharedSandbox,
    query: RawQuery,
) -> Result<StatusCode, ControlError> {
    let query = ControlQuery::parse(query, &["provider", "name"])?;
    sandbox
        .behaviours
        .clear(query.provider, query.name.as_deref());
    Ok(StatusCode::NO_CONTENT)
}

async fn records(
    State(sandbox): SharedSandbox,
    query: RawQuery,
) -> Result<Json<Vec<Record>>, ControlError> {
    let query = ControlQuery::parse(query, &["provider"])?;
    let Some(provider) = query.provider else {
        return Err(ControlError("name a provider: ?provider=".to_owned()));
    };
    Ok(Json(sandbox.mounted(provider).records()))
}

/// The parameters in the query of a control.
#[derive(Default)]
struct ControlQuery {
    provider: Option<Provider>,
    name: Option<String>,
}

impl ControlQuery {
    fn parse(RawQuery(query): RawQuery, known: &[&str]) -> Result<Self, ControlError> {
        let mut parsed = Self::default();
        for (key, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            match &*key {
                "provider" if known.contains(&"provider") => {
                    parsed.provider = Some(value.parse().map_err(ControlError)?)
                }
                "name" if known.contains(&"name") => parsed.name = Some(value.into_owned()),
                other => {
                    let known = known.join(", ");
                    return Err(ControlError(format!(
                        "unknown parameter {other:?}; known: {known}"
                    )));
                }
            }
        }
        Ok(parsed)
    }
}
