//! User fields: their definitions, and the values of a user.

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::error::DigitalChalkError;
use super::store::is_storable;
use super::write::read;
use super::{DigitalChalk, DigitalChalkState};

/// `GET /userfields`.
pub(super) async fn definitions(State(chalk): DigitalChalkState) -> Response {
    let fields = chalk.store.fields.iter();
    let fields: Vec<Value> = fields
        .map(|field| json!({"id": field.id, "name": field.name}))
        .collect();
    axum::Json(json!({ "results": fields })).into_response()
}

/// `GET /users/{id}/userfieldvalues`: what is set, by the id of the field.
pub(super) async fn values(
    State(chalk): DigitalChalkState,
    id: Result<Path<String>, PathRejection>,
) -> Response {
    let data = chalk.store.lock();
    let index = id.ok().and_then(|Path(id)| data.position(&id));
    let values = index.map(|index| axum::Json(&data.users[index].values).into_response());
    chalk.reply(values.ok_or(DigitalChalkError::NotFound))
}

/// `PUT /users/{id}/userfieldvalues`: null clears a value, absent values stay.
pub(super) async fn set_values(
    State(chalk): DigitalChalkState,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let body = read(&headers, body).await;
    let id = id.map_or_else(|_| String::new(), |Path(id)| id);
    let outcome = body.and_then(|body| set(&chalk, &id, body));
    chalk.reply(outcome.map(|()| StatusCode::NO_CONTENT.into_response()))
}

fn set(chalk: &DigitalChalk, id: &str, body: Map<String, Value>) -> Result<(), DigitalChalkError> {
    let mut data = chalk.store.lock();
    let index = data.position(id).ok_or(DigitalChalkError::NotFound)?;
    for (field, value) in &body {
        if !chalk.store.fields.iter().any(|known| known.id == *field) {
            return Err(DigitalChalkError::Message(format!(
                "unknown user field {field}"
            )));
        }
        if !value.is_null() && !is_storable(value) {
            return Err(DigitalChalkError::Message(format!(
                "{field} cannot hold an object"
            )));
        }
    }
    let values = &mut data.users[index].values;
    for (field, value) in body {
        if value.is_null() {
            values.remove(&field);
        } else {
            values.insert(field, value);
        }
    }
    Ok(())
}
