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
use crate::door::House;
use crate::faults::Active;
use crate::guard;
use crate::vendor::{Name, Record};

type Shared = State<Arc<House>>;

/// Why a request to the sandbox itself is refused.
pub(crate) struct Refusal(String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = Json(json!({ "message": self.0 }));
        (StatusCode::BAD_REQUEST, body).into_response()
    }
}

/// The routes of the controls.
pub(crate) fn routes() -> Router<Arc<House>> {
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

async fn calls(State(house): Shared, query: RawQuery) -> Result<Json<Vec<Call>>, Refusal> {
    let asked = Asked::parse(query, &["vendor"])?;
    Ok(Json(house.calls.list(asked.vendor)))
}

async fn forget_calls(State(house): Shared, query: RawQuery) -> Result<StatusCode, Refusal> {
    Asked::parse(query, &[])?;
    house.calls.clear();
    Ok(StatusCode::NO_CONTENT)
}

async fn faults(State(house): Shared, query: RawQuery) -> Result<Json<Vec<Active>>, Refusal> {
    let asked = Asked::parse(query, &["vendor"])?;
    Ok(Json(house.faults.list(asked.vendor)))
}

async fn set_fault(State(house): Shared, body: Bytes) -> Result<StatusCode, Refusal> {
    house.faults.set(&body).map_err(Refusal)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn clear_faults(State(house): Shared, query: RawQuery) -> Result<StatusCode, Refusal> {
    let asked = Asked::parse(query, &["vendor"])?;
    house.faults.clear(asked.vendor);
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Switch {
    vendor: String,
    name: String,
    value: String,
}

async fn behaviour(State(house): Shared, query: RawQuery) -> Result<Json<Vec<Setting>>, Refusal> {
    let asked = Asked::parse(query, &["vendor"])?;
    Ok(Json(house.behaviours.list(asked.vendor)))
}

async fn set_behaviour(State(house): Shared, body: Bytes) -> Result<StatusCode, Refusal> {
    let switch: Switch = serde_json::from_slice(&body).map_err(|e| Refusal(e.to_string()))?;
    let vendor = switch.vendor.parse().map_err(Refusal)?;
    house
        .behaviours
        .set(vendor, &switch.name, switch.value)
        .map_err(Refusal)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn clear_behaviour(State(house): Shared, query: RawQuery) -> Result<StatusCode, Refusal> {
    let asked = Asked::parse(query, &["vendor", "name"])?;
    house.behaviours.clear(asked.vendor, asked.name.as_deref());
    Ok(StatusCode::NO_CONTENT)
}

async fn records(State(house): Shared, query: RawQuery) -> Result<Json<Vec<Record>>, Refusal> {
    let asked = Asked::parse(query, &["vendor"])?;
    let door = asked.vendor.and_then(|vendor| house.door(vendor));
    let Some(door) = door else {
        return Err(Refusal("say whose records: ?vendor=".to_owned()));
    };
    Ok(Json(door.records()))
}

/// What the query of a control names.
#[derive(Default)]
struct Asked {
    vendor: Option<Name>,
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
