//! Creating and patching a user.

use axum::body::{Body, to_bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value};

use super::error::{AdaError, InvalidParameter};
use super::list::check_external_id;
use super::user::{FIELDS, Profile, is_plain};
use super::{Ada, AdaState, json as answer};
use crate::rate::now;

/// The largest body of any call.
const MAX_BODY: usize = 10 << 20;
/// The largest metadata, as JSON.
const MAX_METADATA: usize = 10 << 10;
const MAX_SENSITIVE: usize = 20;

/// `POST /api/v2/end-users/`.
pub(super) async fn create(State(ada): AdaState, body: Body) -> Response {
    let outcome = read(body, MAX_BODY).await.and_then(|body| {
        let draft = EndUserPatch::parse(&body, Purpose::Create)?;
        insert(&ada, draft)
    });
    ada.reply(outcome)
}

/// `PATCH /api/v2/end-users/{end_user_id}`.
pub(super) async fn patch(
    State(ada): AdaState,
    id: Result<Path<String>, PathRejection>,
    body: Body,
) -> Response {
    let outcome = read(body, MAX_BODY).await.and_then(|body| {
        let id = id.map_or_else(|_| String::new(), |Path(id)| id);
        let draft = EndUserPatch::parse(&body, Purpose::Patch)?;
        update(&ada, &id, draft)
    });
    ada.reply(outcome)
}

/// The JSON object in a body of at most `limit` bytes.
pub(super) async fn read(body: Body, limit: usize) -> Result<Map<String, Value>, AdaError> {
    let body = to_bytes(body, limit)
        .await
        .map_err(|_| AdaError::too_large())?;
    serde_json::from_slice(&body).map_err(|_| AdaError::rejected("The body is not a JSON object"))
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Purpose {
    Create,
    Patch,
}

/// A body that has been checked.
struct EndUserPatch {
    /// None: not mentioned; `Some(None)`: null.
    external_id: Option<Option<String>>,
    /// By field: a text, or null.
    texts: Map<String, Value>,
    /// By key: a plain value, or null. None: the metadata itself is null.
    metadata: Option<Map<String, Value>>,
}

impl EndUserPatch {
    fn parse(body: &Map<String, Value>, purpose: Purpose) -> Result<Self, AdaError> {
        let mut check = Validation::default();
        let external_id = check.external_id(body.get("external_id"));
        let nothing = Map::new();
        let profile = match body.get("profile") {
            Some(Value::Object(profile)) => profile,
            None if purpose == Purpose::Create => &nothing,
            None => {
                check.blame("$.profile", "profile must be provided");
                &nothing
            }
            Some(_) => {
                check.blame("$.profile", "must be an object");
                &nothing
            }
        };
        let draft = Self {
            external_id,
            texts: check.texts(profile),
            metadata: check.metadata(profile.get("metadata")),
        };
        check.sensitive(profile, purpose);
        check.verdict().map(|()| draft)
    }

    /// Applies texts and metadata: null clears a text, removes a key.
    fn apply(self, profile: &Profile) -> Result<Profile, AdaError> {
        let mut written = profile.clone();
        for (field, value) in self.texts {
            put(&mut written.texts, field, value);
        }
        match self.metadata {
            Some(metadata) => {
                for (key, value) in metadata {
                    put(&mut written.metadata, key, value);
                }
            }
            None => written.metadata.clear(),
        }
        let size = Value::from(written.metadata.clone()).to_string().len();
        if size > MAX_METADATA {
            let message = "Metadata exceeds the maximum size of 10 KB.";
            return Err(AdaError::rejected(message));
        }
        Ok(written)
    }
}

fn put(map: &mut Map<String, Value>, key: String, value: Value) {
    if value.is_null() {
        map.remove(&key);
    } else {
        map.insert(key, value);
    }
}

/// Collects the problems of a body.
#[derive(Default)]
struct Validation {
    problems: Vec<InvalidParameter>,
}

impl Validation {
    fn blame(&mut self, parameter: &str, message: &str) {
        self.problems.push(InvalidParameter {
            parameter: parameter.to_owned(),
            location: "body",
            message: message.to_owned(),
        });
    }

    fn verdict(self) -> Result<(), AdaError> {
        if self.problems.is_empty() {
            Ok(())
        } else {
            Err(AdaError::invalid(self.problems))
        }
    }

    fn external_id(&mut self, value: Option<&Value>) -> Option<Option<String>> {
        match value? {
            Value::Null => Some(None),
            Value::String(id) => {
                if let Err(message) = check_external_id(id) {
                    self.blame("$.external_id", message);
                }
                Some(Some(id.trim().to_lowercase()))
            }
            _ => {
                self.blame("$.external_id", "must be a string");
                None
            }
        }
    }

    fn texts(&mut self, profile: &Map<String, Value>) -> Map<String, Value> {
        let mut texts = Map::new();
        for field in FIELDS {
            match profile.get(field) {
                None => {}
                Some(value @ (Value::String(_) | Value::Null)) => {
                    texts.insert(field.to_owned(), value.clone());
                }
                Some(_) => self.blame(&format!("$.profile.{field}"), "must be a string or null"),
            }
        }
        texts
    }

    fn metadata(&mut self, value: Option<&Value>) -> Option<Map<String, Value>> {
        let metadata = match value {
            None => return Some(Map::new()),
            Some(Value::Null) => return None,
            Some(Value::Object(metadata)) => metadata,
            Some(_) => {
                self.blame("$.profile.metadata", "must be an object");
                return None;
            }
        };
        for (key, value) in metadata {
            if !value.is_null() && !is_plain(value) {
                let parameter = format!("$.profile.metadata.{key}");
                self.blame(&parameter, "must be a string, a boolean or an integer");
            }
        }
        Some(metadata.clone())
    }

    /// Sensitive metadata is accepted and never shown.
    fn sensitive(&mut self, profile: &Map<String, Value>, purpose: Purpose) {
        const PARAMETER: &str = "$.profile.sensitive_metadata";
        let Some(sensitive) = profile.get("sensitive_metadata").filter(|v| !v.is_null()) else {
            return;
        };
        let Some(fields) = sensitive.get("fields").and_then(Value::as_object) else {
            return self.blame(PARAMETER, "fields must be provided");
        };
        if fields.len() > MAX_SENSITIVE {
            self.blame(PARAMETER, "must have at most 20 fields");
        }
        let metadata = profile.get("metadata").and_then(Value::as_object);
        for (key, value) in fields {
            let is_word = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
            if key.is_empty() || !key.chars().all(is_word) {
                self.blame(PARAMETER, "keys are letters, digits, _ and -");
            }
            if value.as_str() == Some("") || !(value.is_null() || is_plain(value)) {
                self.blame(
                    PARAMETER,
                    "values are non-empty strings, booleans or integers",
                );
            }
            if purpose == Purpose::Create && metadata.is_some_and(|m| m.contains_key(key)) {
                self.blame(PARAMETER, "must not share keys with metadata");
            }
        }
    }
}

fn insert(ada: &Ada, draft: EndUserPatch) -> Result<Response, AdaError> {
    let mut data = ada.store.lock();
    let external_id = draft.external_id.clone().flatten();
    // The record is returned as it is: the profile sent is not applied to it.
    if let Some(index) = external_id
        .as_deref()
        .and_then(|id| data.position_of_external_id(id))
    {
        let existing = data.users[index].json(&ada.behaviour);
        return Ok(answer(StatusCode::OK, existing));
    }
    let profile = draft.apply(&Profile::default())?;
    let created = data.create(external_id, profile);
    Ok(answer(StatusCode::CREATED, created.json(&ada.behaviour)))
}

fn update(ada: &Ada, id: &str, draft: EndUserPatch) -> Result<Response, AdaError> {
    let mut data = ada.store.lock();
    let index = data.position(id);
    let index = index.ok_or_else(|| AdaError::not_found("End user not found"))?;
    let external_id = draft.external_id.clone();
    let holder = external_id
        .iter()
        .flatten()
        .find_map(|id| data.position_of_external_id(id));
    if holder.is_some_and(|holder| holder != index) {
        let message = "external_id is already mapped to another end user";
        return Err(AdaError::new(
            StatusCode::CONFLICT,
            "duplicate_resource",
            message,
        ));
    }
    let user = &mut data.users[index];
    user.profile = draft.apply(&user.profile)?;
    if let Some(external_id) = external_id {
        user.external_id = external_id;
    }
    user.updated_at = now().max(user.created_at);
    Ok(answer(StatusCode::OK, user.json(&ada.behaviour)))
}
