//! Creating, updating and deleting a user.

use axum::body::{Body, to_bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

use super::error::DigitalChalkError;
use super::store::DigitalChalkData;
use super::user::User;
use super::{DigitalChalk, DigitalChalkState, PREFIXES};
use crate::emulation::Origin;

const MAX_BODY: usize = 2 << 20;

/// `POST /users`.
pub(super) async fn create(
    State(chalk): DigitalChalkState,
    origin: Origin,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let body = read(&headers, body).await;
    let outcome = body.and_then(|body| insert(&chalk, &body));
    let answer = outcome.map(|id| created(&chalk, &origin, &uri, &id));
    chalk.reply(answer)
}

/// `PUT /users/{id}`: absent fields stay.
pub(super) async fn update(
    State(chalk): DigitalChalkState,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let body = read(&headers, body).await;
    let id = id.map_or_else(|_| String::new(), |Path(id)| id);
    let outcome = body.and_then(|body| change(&chalk, &id, &body));
    // The text of the email and password pages has 201, their examples have 204.
    let status = if chalk.behaviour.is("put", "201") {
        StatusCode::CREATED
    } else {
        StatusCode::NO_CONTENT
    };
    chalk.reply(outcome.map(|()| status.into_response()))
}

/// `DELETE /users/{id}`.
pub(super) async fn delete(
    State(chalk): DigitalChalkState,
    id: Result<Path<String>, PathRejection>,
) -> Response {
    let mut data = chalk.store.lock();
    let index = id.ok().and_then(|Path(id)| data.position(&id));
    let removed = index.map(|index| data.users.remove(index));
    let outcome = removed.ok_or(DigitalChalkError::NotFound);
    chalk.reply(outcome.map(|_| StatusCode::NO_CONTENT.into_response()))
}

/// The JSON object in a body.
pub(super) async fn read(
    headers: &HeaderMap,
    body: Body,
) -> Result<Map<String, Value>, DigitalChalkError> {
    let media_type = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok());
    let is_json = |text: &str| {
        text.trim_start()
            .to_lowercase()
            .starts_with("application/json")
    };
    if !media_type.is_some_and(is_json) {
        return Err(DigitalChalkError::Page(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }
    let body = to_bytes(body, MAX_BODY).await;
    let body = body.map_err(|_| DigitalChalkError::Page(StatusCode::PAYLOAD_TOO_LARGE))?;
    serde_json::from_slice(&body).map_err(|_| DigitalChalkError::Page(StatusCode::BAD_REQUEST))
}

/// 201 without a body; the id is in the path of `Location` alone.
fn created(chalk: &DigitalChalk, origin: &Origin, uri: &Uri, id: &str) -> Response {
    let prefix = PREFIXES.into_iter().find(|p| uri.path().starts_with(p));
    let path = format!("{}/users/{id}", prefix.unwrap_or_default());
    let location = match chalk.behaviour.get("location").as_deref() {
        Some("none") => None,
        Some("absolute") => Some(origin.link(&path)),
        _ => Some(format!("{}{path}", origin.base)),
    };
    let mut answer = StatusCode::CREATED.into_response();
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(location) = location.and_then(|l| HeaderValue::try_from(l).ok()) {
        headers.insert(LOCATION, location);
    }
    answer
}

fn insert(chalk: &DigitalChalk, body: &Map<String, Value>) -> Result<String, DigitalChalkError> {
    let mut user = UserWriter::new(chalk).write(User::default(), body)?;
    if chalk.has_usernames() && user.username.is_none() {
        user.username.clone_from(&user.email);
    }
    if user.email.is_none() && user.username.is_none() {
        return Err(fields([("email", "required")]));
    }
    let mut data = chalk.store.lock();
    check_unique(chalk, &data, &user)?;
    Ok(data.create(user))
}

fn change(
    chalk: &DigitalChalk,
    id: &str,
    body: &Map<String, Value>,
) -> Result<(), DigitalChalkError> {
    let mut data = chalk.store.lock();
    let index = data.position(id).ok_or(DigitalChalkError::NotFound)?;
    let user = UserWriter::new(chalk).write(data.users[index].clone(), body)?;
    check_unique(chalk, &data, &user)?;
    data.users[index] = user;
    Ok(())
}

/// Usernames are unique. Where they are off, emails are.
fn check_unique(
    chalk: &DigitalChalk,
    data: &DigitalChalkData,
    user: &User,
) -> Result<(), DigitalChalkError> {
    let (name, of): (&str, fn(&User) -> &Option<String>) = if chalk.has_usernames() {
        ("username", |user| &user.username)
    } else {
        ("email", |user| &user.email)
    };
    let folded = |user: &User| of(user).as_ref().map(|text| text.to_lowercase());
    let Some(mine) = folded(user) else {
        return Ok(());
    };
    let taken = |other: &User| other.id != user.id && folded(other).as_ref() == Some(&mine);
    if data.users.iter().any(taken) {
        return Err(fields([(name, "already in use")]));
    }
    Ok(())
}

fn fields<const N: usize>(problems: [(&str, &str); N]) -> DigitalChalkError {
    let pairs = problems.map(|(field, message)| (field.to_owned(), message.into()));
    DigitalChalkError::Fields(pairs.into_iter().collect())
}

/// Applies a body to a user and collects its problems.
struct UserWriter {
    null_clears: bool,
    problems: Map<String, Value>,
}

impl UserWriter {
    fn new(chalk: &DigitalChalk) -> Self {
        Self {
            null_clears: !chalk.behaviour.is("put_null", "ignore"),
            problems: Map::new(),
        }
    }

    fn write(
        mut self,
        mut user: User,
        body: &Map<String, Value>,
    ) -> Result<User, DigitalChalkError> {
        self.text(body, "firstName", &mut user.first_name);
        self.text(body, "lastName", &mut user.last_name);
        self.text(body, "username", &mut user.username);
        self.text(body, "locale", &mut user.locale);
        self.email(body, &mut user.email);
        self.tags(body, &mut user.tags);
        self.password(body);
        if self.problems.is_empty() {
            Ok(user)
        } else {
            Err(DigitalChalkError::Fields(self.problems))
        }
    }

    fn add_problem(&mut self, field: &str, message: &str) {
        self.problems.insert(field.to_owned(), message.into());
    }

    fn text(&mut self, body: &Map<String, Value>, field: &str, slot: &mut Option<String>) {
        match body.get(field) {
            None => {}
            Some(Value::Null) if !self.null_clears => {}
            Some(Value::Null) => *slot = None,
            Some(Value::String(text)) => *slot = Some(text.clone()).filter(|t| !t.is_empty()),
            Some(_) => self.add_problem(field, "must be text"),
        }
    }

    fn email(&mut self, body: &Map<String, Value>, slot: &mut Option<String>) {
        let is_valid = |text: &str| {
            let parts = text.split_once('@');
            parts.is_some_and(|(local, domain)| {
                !local.is_empty() && !domain.is_empty() && !domain.contains('@')
            }) && !text.contains(char::is_whitespace)
        };
        match body.get("email") {
            Some(Value::String(text)) if !is_valid(text) => {
                self.add_problem("email", "Invalid email address");
            }
            _ => self.text(body, "email", slot),
        }
    }

    /// Replaces the whole set. A space or a comma separates two tags.
    fn tags(&mut self, body: &Map<String, Value>, slot: &mut Vec<String>) {
        let given = match body.get("tags") {
            None => return,
            Some(Value::Null) if !self.null_clears => return,
            Some(Value::Null) => Vec::new(),
            Some(Value::Array(given)) => given.clone(),
            Some(_) => return self.add_problem("tags", "must be a list"),
        };
        let mut tags: Vec<String> = Vec::new();
        for tag in &given {
            let Some(tag) = tag.as_str() else {
                return self.add_problem("tags", "must be a list of texts");
            };
            for part in tag.split([' ', ',']).filter(|part| !part.is_empty()) {
                if !tags.iter().any(|known| known == part) {
                    tags.push(part.to_owned());
                }
            }
        }
        *slot = tags;
    }

    /// At least six characters with a letter and a digit; never stored.
    fn password(&mut self, body: &Map<String, Value>) {
        let is_fit = |text: &str| {
            text.chars().count() >= 6
                && text.chars().any(char::is_alphabetic)
                && text.chars().any(|c| c.is_ascii_digit())
        };
        match body.get("password") {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) if is_fit(text) => {}
            Some(_) => self.add_problem(
                "password",
                "must be at least 6 characters with a letter and a digit",
            ),
        }
    }
}
