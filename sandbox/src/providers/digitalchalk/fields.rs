//! User fields: their definitions, and a user's values.

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::failure::Failure;
use super::store::is_storable;
use super::write::read;
use super::{DigitalChalk, Shared};

/// `GET /userfields`.
pub(super) async fn definitions(State(chalk): Shared) -> Response {
    let fields = chalk.store.fields.iter();
    let fields: Vec<Value> = fields
        .map(|field| json!({"id": field.id, "name": field.name}))
        .collect();
    axum::Json(json!({ "results": fields })).into_response()
}

/// `GET /users/{id}/userfieldvalues`: what is set, by the id of the field.
pub(super) async fn values(
    State(chalk): Shared,
    id: Result<Path<String>, PathRejection>,
) -> Response {
    let shelf = chalk.store.open();
    let place = id.ok().and_then(|Path(id)| shelf.place(&id));
    let values = place.map(|place| axum::Json(&shelf.users[place].values).into_response());
    chalk.reply(values.ok_or(Failure::NotFound))
}

/// `PUT /users/{id}/userfieldvalues`: null clears a value, and what is not
/// mentioned stays.
pub(super) async fn set_values(
    State(chalk): Shared,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let body = read(&headers, body).await;
    let id = id.map_or_else(|_| String::new(), |Path(id)| id);
    let outcome = body.and_then(|body| set(&chalk, &id, body));
    chalk.reply(outcome.map(|()| StatusCode::NO_CONTENT.into_response()))
}

fn set(chalk: &DigitalChalk, id: &str, body: Map<String, Value>) -> Result<(), Failure> {
    let mut shelf = chalk.store.open();
    let place = shelf.place(id).ok_or(Failure::NotFound)?;
    for (field, value) in &body {
        if !chalk.store.fields.iter().any(|known| known.id == *field) {
            return Err(Failure::Message(format!("unknown user field {field}")));
        }
        if !value.is_null() && !is_storable(value) {
            return Err(Failure::Message(format!("{field} cannot hold an object")));
        }
    }
    let values = &mut shelf.users[place].values;
    for (field, value) in body {
        if value.is_null() {
            values.remove(&field);
        } else {
            values.insert(field, value);
        }
    }
    Ok(())
}
