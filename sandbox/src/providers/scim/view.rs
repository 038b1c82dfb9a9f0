//! Resources as the service provider shows them.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::http::header::{ETAG, IF_NONE_MATCH, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::error::ScimError;
use super::path::{AttributePath, key_of};
use super::store::{Group, ScimData, User};
use super::{API, Scim, ScimState, schema};
use crate::emulation::Origin;

/// `GET /Users/{id}`.
pub(super) async fn user(
    State(scim): ScimState,
    Path(id): Path<String>,
    origin: Origin,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let data = scim.store.lock();
    let position = match data.position(&id) {
        Ok(position) => position,
        Err(failure) => return failure.into_response(),
    };
    let user = &data.users[position];
    let known = headers.get(IF_NONE_MATCH).and_then(|v| v.to_str().ok());
    let view = View::new(&scim, &origin);
    if known.is_some_and(|known| scim.has_etags() && has_tag(known, &user.tag())) {
        return StatusCode::NOT_MODIFIED.into_response();
    }
    let selection = Selection::of_query(query.as_deref().unwrap_or_default());
    view.answer(StatusCode::OK, &data, user, &selection)
}

/// `GET /Groups/{id}`.
pub(super) async fn group(
    State(scim): ScimState,
    Path(id): Path<String>,
    origin: Origin,
    RawQuery(query): RawQuery,
) -> Response {
    let data = scim.store.lock();
    let Some(position) = data.groups.iter().position(|group| group.id == id) else {
        return ScimError::not_found("Resource", &id).into_response();
    };
    let group = View::new(&scim, &origin).group(&data, position);
    let selection = Selection::of_query(query.as_deref().unwrap_or_default());
    super::json(StatusCode::OK, &Value::Object(selection.apply(group)))
}

/// Whether a header of entity tags names this one. The comparison is weak.
pub(super) fn has_tag(header: &str, tag: &str) -> bool {
    let strong = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let mut tags = header.split(',').map(strong);
    tags.any(|known| known == "*" || known == strong(tag))
}

/// Shows the resources of one service provider to one caller.
pub(super) struct View<'a> {
    scim: &'a Arc<Scim>,
    base: String,
    has_etags: bool,
    shows_handles: bool,
}

impl<'a> View<'a> {
    pub(super) fn new(scim: &'a Arc<Scim>, origin: &Origin) -> Self {
        Self {
            scim,
            base: origin.link(API),
            has_etags: scim.has_etags(),
            shows_handles: scim.behaviour.is("user_name", "handle"),
        }
    }

    /// A user as an answer, with its version and its address.
    pub(super) fn answer(
        &self,
        status: StatusCode,
        data: &ScimData,
        user: &User,
        selection: &Selection,
    ) -> Response {
        let shown = selection.apply(self.user(data, user));
        let mut answer = super::json(status, &Value::Object(shown));
        self.write_headers(user, status, answer.headers_mut());
        answer
    }

    /// Writes the version of a user, and its address if it has just been created.
    pub(super) fn write_headers(&self, user: &User, status: StatusCode, headers: &mut HeaderMap) {
        let tag = HeaderValue::try_from(user.tag()).ok();
        if let Some(tag) = tag.filter(|_| self.has_etags) {
            headers.insert(ETAG, tag);
        }
        let location = HeaderValue::try_from(self.location("Users", &user.id)).ok();
        if let Some(location) = location.filter(|_| status == StatusCode::CREATED) {
            headers.insert(LOCATION, location);
        }
    }

    /// A whole user.
    pub(super) fn user(&self, data: &ScimData, user: &User) -> Map<String, Value> {
        let mut shown = Map::new();
        let used = schema::EXTENSIONS
            .into_iter()
            .filter(|extension| user.attributes.contains_key(*extension));
        let schemas: Vec<&str> = [schema::USER].into_iter().chain(used).collect();
        shown.insert("schemas".to_owned(), json!(schemas));
        shown.insert("id".to_owned(), json!(user.id));
        shown.extend(user.attributes.clone());
        if let Some(handle) = user.handle.as_ref().filter(|_| self.shows_handles) {
            shown.insert("userName".to_owned(), json!(handle));
        }
        let groups = user.groups.iter();
        let groups: Vec<Value> = groups
            .map(|at| self.membership(&data.groups[*at]))
            .collect();
        shown.insert("groups".to_owned(), json!(groups));
        shown.insert("meta".to_owned(), self.meta(user));
        shown
    }

    /// The group at a position, with its members.
    pub(super) fn group(&self, data: &ScimData, position: usize) -> Map<String, Value> {
        let group = &data.groups[position];
        let members = data.users.iter();
        let members = members.filter(|user| user.groups.contains(&position));
        let members: Vec<Value> = members
            .map(|user| {
                let address = self.location("Users", &user.id);
                json!({"value": user.id, "$ref": address, "type": "User"})
            })
            .collect();
        let shown = json!({
            "schemas": [schema::GROUP],
            "id": group.id,
            "displayName": group.name,
            "members": members,
            "meta": {"resourceType": "Group", "location": self.location("Groups", &group.id)},
        });
        match shown {
            Value::Object(shown) => shown,
            _ => Map::new(),
        }
    }

    fn membership(&self, group: &Group) -> Value {
        json!({
            "value": group.id,
            "$ref": self.location("Groups", &group.id),
            "display": group.name,
            "type": "direct",
        })
    }

    fn meta(&self, user: &User) -> Value {
        let mut meta = json!({
            "resourceType": "User",
            "created": date(user.created),
            "lastModified": date(user.modified),
            "location": self.location("Users", &user.id),
        });
        if self.has_etags {
            meta["version"] = user.tag().into();
        }
        meta
    }

    fn location(&self, endpoint: &str, id: &str) -> String {
        format!("{}/{endpoint}/{id}", self.base)
    }

    /// The service provider that is shown.
    pub(super) fn scim(&self) -> &'a Scim {
        self.scim
    }
}

impl User {
    /// The version as an entity tag.
    pub(super) fn tag(&self) -> String {
        format!("W/\"{}\"", self.version)
    }
}

/// `2011-05-13T04:42:34Z`.
fn date(seconds: i64) -> String {
    let moment = Timestamp::from_second(seconds).unwrap_or_default();
    moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The attributes that a caller wants to see. `id` and `schemas` always come.
#[derive(Default)]
pub(super) struct Selection {
    wanted: Vec<AttributePath>,
    unwanted: Vec<AttributePath>,
}

impl Selection {
    /// The selection of the parameters `attributes` and `excludedAttributes`. Paths that are none
    /// select nothing.
    pub(super) fn new(wanted: &str, unwanted: &str) -> Self {
        let paths = |text: &str| {
            let names = text.split(',').map(str::trim);
            names.filter_map(AttributePath::parse).collect()
        };
        Self {
            wanted: paths(wanted),
            unwanted: paths(unwanted),
        }
    }

    pub(super) fn of_query(query: &str) -> Self {
        let pair = |wanted: &str| {
            let mut pairs = form_urlencoded::parse(query.as_bytes());
            let found = pairs.find(|(name, _)| name == wanted);
            found.map_or_else(String::new, |(_, value)| value.into_owned())
        };
        Self::new(&pair("attributes"), &pair("excludedAttributes"))
    }

    pub(super) fn apply(&self, resource: Map<String, Value>) -> Map<String, Value> {
        let always = ["schemas", "id"];
        let mut shown = resource;
        if !self.wanted.is_empty() {
            let mut kept = Map::new();
            for name in always {
                kept.extend(
                    shown
                        .get(name)
                        .map(|value| (name.to_owned(), value.clone())),
                );
            }
            self.wanted
                .iter()
                .for_each(|path| copy(path, &shown, &mut kept));
            shown = kept;
        }
        for path in &self.unwanted {
            if !always.contains(&path.name.as_str()) {
                remove(path, &mut shown);
            }
        }
        shown
    }
}

/// Copies what is at a path.
fn copy(path: &AttributePath, from: &Map<String, Value>, to: &mut Map<String, Value>) {
    if let Some(extension) = path.extension {
        let Some(Value::Object(source)) = from.get(extension) else {
            return;
        };
        if path.name.is_empty() {
            to.insert(extension.to_owned(), Value::Object(source.clone()));
            return;
        }
        let inner = AttributePath {
            extension: None,
            ..path.clone()
        };
        let target = to.entry(extension).or_insert_with(|| json!({}));
        if let Value::Object(target) = target {
            copy(&inner, source, target);
        }
        return;
    }
    let Some((key, value)) = key_of(from, &path.name).and_then(|key| from.get_key_value(key))
    else {
        return;
    };
    let Some(part) = &path.part else {
        to.insert(key.clone(), value.clone());
        return;
    };
    let one = |whole: &Value, target: &mut Value| {
        if let (Value::Object(whole), Value::Object(target)) = (whole, target) {
            let found = key_of(whole, part).and_then(|key| whole.get_key_value(key));
            target.extend(found.map(|(key, value)| (key.clone(), value.clone())));
        }
    };
    match value {
        Value::Array(items) => {
            let empty = || Value::Array(vec![json!({}); items.len()]);
            let target = to.entry(key.clone()).or_insert_with(empty);
            let targets = target.as_array_mut().into_iter().flatten();
            items
                .iter()
                .zip(targets)
                .for_each(|(item, target)| one(item, target));
        }
        whole => one(whole, to.entry(key.clone()).or_insert_with(|| json!({}))),
    }
}

/// Removes what is at a path.
fn remove(path: &AttributePath, from: &mut Map<String, Value>) {
    let holder = match path.extension {
        Some(extension) if path.name.is_empty() => {
            from.shift_remove(extension);
            return;
        }
        Some(extension) => from.get_mut(extension).and_then(Value::as_object_mut),
        None => Some(from),
    };
    let Some(holder) = holder else { return };
    let Some(key) = key_of(holder, &path.name).map(str::to_owned) else {
        return;
    };
    let Some(part) = &path.part else {
        holder.shift_remove(&key);
        return;
    };
    let items: Vec<&mut Value> = match holder.get_mut(&key) {
        Some(Value::Array(items)) => items.iter_mut().collect(),
        one => one.into_iter().collect(),
    };
    for fields in items.into_iter().filter_map(Value::as_object_mut) {
        if let Some(key) = key_of(fields, part).map(str::to_owned) {
            fields.shift_remove(&key);
        }
    }
}
