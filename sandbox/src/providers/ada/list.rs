//! Reading users: the list, the lookup by external id at the same path, and one user.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use super::error::AdaError;
use super::store::AdaData;
use super::{Ada, AdaState, json as answer};
use crate::emulation::Origin;

/// The documents state no default.
const DEFAULT_LIMIT: usize = 20;
const MAX_LIMIT: usize = 100;

/// `GET /api/v2/end-users/`.
pub(super) async fn list(
    State(ada): AdaState,
    origin: Origin,
    RawQuery(query): RawQuery,
) -> Response {
    let query = AdaListQuery::parse(query.as_deref().unwrap_or_default());
    let outcome = match &query.external_id {
        Some(external_id) => look_up(&ada, external_id, &query),
        None => page(&ada, &origin, &query),
    };
    ada.reply(outcome)
}

/// `GET /api/v2/end-users/{end_user_id}`.
pub(super) async fn view(
    State(ada): AdaState,
    id: Result<Path<String>, PathRejection>,
) -> Response {
    let data = ada.store.lock();
    let index = id.ok().and_then(|Path(id)| data.position(&id));
    ada.reply(show(&ada, &data, index))
}

fn show(ada: &Ada, data: &AdaData, index: Option<usize>) -> Result<Response, AdaError> {
    let user = index.and_then(|index| data.users.get(index));
    let user = user.ok_or_else(|| AdaError::not_found("End user not found"))?;
    Ok(answer(StatusCode::OK, user.json(&ada.behaviour)))
}

/// The query. Of a repeated parameter the first counts; an unknown one (such as `email`) is
/// ignored.
#[derive(Default)]
struct AdaListQuery {
    limit: Option<String>,
    cursor: Option<String>,
    external_id: Option<String>,
}

impl AdaListQuery {
    fn parse(query: &str) -> Self {
        let mut parsed = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let slot = match &*name {
                "limit" => &mut parsed.limit,
                "cursor" => &mut parsed.cursor,
                "external_id" => &mut parsed.external_id,
                _ => continue,
            };
            slot.get_or_insert_with(|| value.into_owned());
        }
        parsed
    }

    fn limit(&self) -> Result<usize, AdaError> {
        let Some(limit) = &self.limit else {
            return Ok(DEFAULT_LIMIT);
        };
        let limit = limit.parse().ok();
        limit
            .filter(|limit| (1..=MAX_LIMIT).contains(limit))
            .ok_or_else(|| AdaError::invalid_query("limit", "must be an integer from 1 to 100"))
    }
}

fn look_up(ada: &Ada, external_id: &str, query: &AdaListQuery) -> Result<Response, AdaError> {
    if query.cursor.is_some() || query.limit.is_some() {
        let message = "cannot be combined with cursor or limit";
        return Err(AdaError::invalid_query("external_id", message));
    }
    if let Err(message) = check_external_id(external_id) {
        return Err(AdaError::invalid_query("external_id", message));
    }
    let data = ada.store.lock();
    show(ada, &data, data.position_of_external_id(external_id))
}

/// Checks an external id.
pub(super) fn check_external_id(external_id: &str) -> Result<(), &'static str> {
    let external_id = external_id.trim();
    match external_id.chars().count() {
        0 => Err("must not be empty"),
        37.. => Err("must be at most 36 characters"),
        _ if external_id.contains(['<', '>']) => Err("must not contain < or >"),
        _ => Ok(()),
    }
}

fn page(ada: &Ada, origin: &Origin, query: &AdaListQuery) -> Result<Response, AdaError> {
    let limit = query.limit()?;
    let data = ada.store.lock();
    let users = &data.users;
    let exclusive = ada.behaviour.is("cursor", "exclusive");
    let start = match query.cursor.as_deref() {
        None => 0,
        Some(cursor) => match data.position(cursor) {
            Some(index) => index + usize::from(exclusive),
            None if ada.behaviour.is("unknown_cursor", "empty") => users.len(),
            None => return Err(AdaError::invalid_query("cursor", "unknown cursor")),
        },
    };
    let end = users.len().min(start + limit);
    let shown = users.get(start..end).unwrap_or_default();
    let data: Vec<Value> = shown.iter().map(|u| u.json(&ada.behaviour)).collect();

    let next = match users.get(end) {
        // An exclusive cursor names the last user shown.
        Some(_) if exclusive => shown.last(),
        following => following,
    };
    let next = if ada.behaviour.is("next", "self_loop") {
        let here = users.get(start).map(|user| user.id.clone());
        query.cursor.clone().or(here)
    } else {
        next.map(|user| user.id.clone())
    };
    let next = next.map(|cursor| link(ada, origin, &cursor, limit));
    Ok(answer(StatusCode::OK, envelope(ada, &data, next)))
}

fn link(ada: &Ada, origin: &Origin, cursor: &str, limit: usize) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("cursor", cursor);
    if ada.behaviour.is("next", "keep_limit") {
        query.append_pair("limit", &limit.to_string());
    }
    let path = format!("/api/v2/end-users/?{}", query.finish());
    if ada.behaviour.is("next", "foreign_host") {
        return format!("http://attacker.test{path}");
    }
    origin.link(&path)
}

fn envelope(ada: &Ada, data: &[Value], next: Option<String>) -> Value {
    if let Some(next) = next {
        return json!({"data": data, "meta": {"next_page_url": next}});
    }
    let end = ada.behaviour.get("end");
    match end.as_deref() {
        Some("absent") => json!({ "data": data }),
        Some("meta_null") => json!({"data": data, "meta": null}),
        Some("meta_empty") => json!({"data": data, "meta": {}}),
        Some("empty_string") => json!({"data": data, "meta": {"next_page_url": ""}}),
        _ => json!({"data": data, "meta": {"next_page_url": null}}),
    }
}
