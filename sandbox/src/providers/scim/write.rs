//! Creating, changing and deleting a user.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_TYPE, IF_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

use super::error::ScimError;
use super::store::{ScimData, User};
use super::view::{Selection, View, has_tag};
use super::{Scim, ScimState, list, patch as operations, schema};
use crate::emulation::Origin;

const MAX_BODY: usize = 2 << 20;
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// `POST /Users`.
pub(super) async fn create(
    State(scim): ScimState,
    origin: Origin,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let body = read(&headers, body, schema::USER).await;
    let attributes = body.and_then(|body| schema::writable_user(&body));
    let mut data = scim.store.lock();
    let created = attributes.and_then(|attributes| data.create(attributes).cloned());
    let shown = created.map(|user| {
        let view = View::new(&scim, &origin);
        view.answer(StatusCode::CREATED, &data, &user, &Selection::default())
    });
    shown.unwrap_or_else(IntoResponse::into_response)
}

/// `PUT /Users/{id}`: what is absent is cleared.
pub(super) async fn replace(
    State(scim): ScimState,
    Path(id): Path<String>,
    origin: Origin,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let body = read(&headers, body, schema::USER).await;
    let mut data = scim.store.lock();
    let changed = body.and_then(|body| {
        let position = found(&scim, &data, &id, &headers)?;
        let attributes = schema::writable_user(&body)?;
        data.change(position, attributes).cloned()
    });
    changed_user(&View::new(&scim, &origin), &data, changed)
}

/// `PATCH /Users/{id}`.
pub(super) async fn patch(
    State(scim): ScimState,
    Path(id): Path<String>,
    origin: Origin,
    headers: HeaderMap,
    body: Body,
) -> Response {
    if !scim.has_patch() {
        let detail = "PATCH is not supported";
        return ScimError::new(StatusCode::NOT_IMPLEMENTED, detail).into_response();
    }
    let body = read(&headers, body, PATCH).await;
    let mut data = scim.store.lock();
    let changed = body.and_then(|body| {
        let position = found(&scim, &data, &id, &headers)?;
        let attributes = data.users[position].attributes.clone();
        let attributes = operations::apply(&body, attributes, list::rules(&scim))?;
        data.change(position, attributes).cloned()
    });
    let view = View::new(&scim, &origin);
    if scim.behaviour.is("patch", "no_content")
        && let Ok(user) = &changed
    {
        let mut answer = StatusCode::NO_CONTENT.into_response();
        view.write_headers(user, StatusCode::NO_CONTENT, answer.headers_mut());
        return answer;
    }
    changed_user(&view, &data, changed)
}

/// `DELETE /Users/{id}`.
pub(super) async fn delete(
    State(scim): ScimState,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let mut data = scim.store.lock();
    let position = found(&scim, &data, &id, &headers);
    let deleted = position.map(|position| data.users.remove(position));
    deleted.map_or_else(IntoResponse::into_response, |_| {
        StatusCode::NO_CONTENT.into_response()
    })
}

fn changed_user(view: &View, data: &ScimData, changed: Result<User, ScimError>) -> Response {
    let shown = changed.map(|user| view.answer(StatusCode::OK, data, &user, &Selection::default()));
    shown.unwrap_or_else(IntoResponse::into_response)
}

/// The position of a user, if it has the version that the caller expects.
fn found(
    scim: &Arc<Scim>,
    data: &ScimData,
    id: &str,
    headers: &HeaderMap,
) -> Result<usize, ScimError> {
    let position = data.position(id)?;
    let expected = headers
        .get(IF_MATCH)
        .map(|v| v.to_str().unwrap_or_default());
    let tag = data.users[position].tag();
    let fits = expected.is_none_or(|expected| has_tag(expected, &tag));
    if scim.has_etags() && !fits {
        let detail = "The resource has another version";
        return Err(ScimError::new(StatusCode::PRECONDITION_FAILED, detail));
    }
    Ok(position)
}

/// The JSON object in a body, if it names this schema.
pub(super) async fn read(
    headers: &HeaderMap,
    body: Body,
    schema: &str,
) -> Result<Map<String, Value>, ScimError> {
    let media = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok());
    let media = media.map(|media| media.split(';').next().unwrap_or_default().trim());
    let known = ["application/scim+json", "application/json"];
    let is_json =
        media.is_some_and(|media| known.iter().any(|known| known.eq_ignore_ascii_case(media)));
    if !is_json {
        let detail = "Send application/scim+json";
        return Err(ScimError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    let body = to_bytes(body, MAX_BODY).await;
    let body =
        body.map_err(|_| ScimError::new(StatusCode::PAYLOAD_TOO_LARGE, "The body is too large"))?;
    let body: Map<String, Value> = serde_json::from_slice(&body)
        .map_err(|_| ScimError::bad("invalidSyntax", "The body is no JSON object"))?;
    let mut schemas = body
        .get("schemas")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    if !schemas.any(|named| named == schema) {
        let detail = format!("schemas must have {schema}");
        return Err(ScimError::bad("invalidSyntax", detail));
    }
    Ok(body)
}
