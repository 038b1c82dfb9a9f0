//! Reading users: the filtered list and one user.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

use super::error::DigitalChalkError;
use super::user::{User, date};
use super::{DigitalChalk, DigitalChalkState, PREFIXES};
use crate::emulation::Origin;

const DEFAULT_LIMIT: usize = 15;
const MAX_LIMIT: usize = 100;

/// `GET /users`.
pub(super) async fn list(State(chalk): DigitalChalkState, origin: Origin, uri: Uri) -> Response {
    let outcome = page(&chalk, &origin, &uri);
    chalk.reply(outcome)
}

/// `GET /users/{id}`.
pub(super) async fn view(
    State(chalk): DigitalChalkState,
    id: Result<Path<String>, PathRejection>,
) -> Response {
    let data = chalk.store.lock();
    let user = id.ok().and_then(|Path(id)| data.position(&id));
    let user = user.map(|index| axum::Json(data.users[index].json(&chalk)).into_response());
    chalk.reply(user.ok_or(DigitalChalkError::NotFound))
}

fn page(
    chalk: &Arc<DigitalChalk>,
    origin: &Origin,
    uri: &Uri,
) -> Result<Response, DigitalChalkError> {
    let query: Vec<(String, String)> =
        form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
            .into_owned()
            .collect();
    let limit = limit(chalk, &query)?;
    let offset = number(&query, "offset")?.unwrap_or(0);
    let filters: Vec<ListFilter> = query.iter().filter_map(ListFilter::parse).collect();

    let data = chalk.store.lock();
    let mut hits = data
        .users
        .iter()
        .filter(|user| filters.iter().all(|filter| filter.holds(user, chalk)))
        .skip(offset);
    let results: Vec<Value> = hits.by_ref().take(limit).map(|u| u.json(chalk)).collect();
    let next = hits.next().map(|_| offset.saturating_add(limit));
    let back = (offset > 0).then(|| offset.saturating_sub(limit));

    let link = |offset: usize| link(chalk, origin, uri, &query, offset);
    let mut envelope = Map::new();
    envelope.insert("results".to_owned(), results.into());
    let back_key = match chalk.behaviour.get("back").as_deref() {
        Some("previous") => Some("previous"),
        Some("none") => None,
        _ => Some("prev"),
    };
    for (key, offset) in [(Some("next"), next), (back_key, back)] {
        let Some(key) = key else { continue };
        match offset {
            Some(offset) => envelope.insert(key.to_owned(), link(offset).into()),
            None if chalk.behaviour.is("end", "null") => {
                envelope.insert(key.to_owned(), Value::Null)
            }
            None => None,
        };
    }
    Ok(axum::Json(envelope).into_response())
}

fn limit(chalk: &DigitalChalk, query: &[(String, String)]) -> Result<usize, DigitalChalkError> {
    match number(query, "limit")? {
        None => Ok(DEFAULT_LIMIT),
        Some(0) => Err(DigitalChalkError::error("limit must be at least 1")),
        Some(limit) if limit > MAX_LIMIT && chalk.behaviour.is("limit", "reject") => {
            Err(DigitalChalkError::error("limit must be at most 100"))
        }
        Some(limit) => Ok(limit.min(MAX_LIMIT)),
    }
}

fn number(query: &[(String, String)], name: &str) -> Result<Option<usize>, DigitalChalkError> {
    let Some((_, value)) = query.iter().find(|(known, _)| known == name) else {
        return Ok(None);
    };
    let number = value.parse().map_err(|_| {
        let message = format!("{name} must be a number");
        DigitalChalkError::error(&message)
    })?;
    Ok(Some(number))
}

/// One restriction; all of them must hold.
enum ListFilter {
    /// The field contains this, in any letter case.
    Contains(TextField, String),
    /// The date begins with this: an imprecise date is a range.
    CreatedIn(String),
    LoggedInIn(String),
}

#[derive(Clone, Copy)]
enum TextField {
    Email,
    FirstName,
    LastName,
    Username,
}

impl ListFilter {
    /// An unknown parameter is no filter.
    fn parse((name, value): &(String, String)) -> Option<Self> {
        let text = match name.as_str() {
            "email" => TextField::Email,
            "firstName" => TextField::FirstName,
            "lastName" => TextField::LastName,
            "username" => TextField::Username,
            "createdDate" => return Some(Self::CreatedIn(value.clone())),
            "lastLoginDate" => return Some(Self::LoggedInIn(value.clone())),
            _ => return None,
        };
        Some(Self::Contains(text, value.to_lowercase()))
    }

    fn holds(&self, user: &User, chalk: &DigitalChalk) -> bool {
        match self {
            Self::Contains(_, part) if part.is_empty() => true,
            Self::Contains(TextField::Username, _) if !chalk.has_usernames() => true,
            Self::Contains(text, part) => {
                let stored = match text {
                    TextField::Email => &user.email,
                    TextField::FirstName => &user.first_name,
                    TextField::LastName => &user.last_name,
                    TextField::Username => &user.username,
                };
                stored
                    .as_ref()
                    .is_some_and(|stored| stored.to_lowercase().contains(part))
            }
            Self::CreatedIn(range) => date(user.created).starts_with(range),
            Self::LoggedInIn(range) => user
                .last_login
                .is_some_and(|login| date(login).starts_with(range)),
        }
    }
}

/// The link to another offset of the same list.
fn link(
    chalk: &DigitalChalk,
    origin: &Origin,
    uri: &Uri,
    query: &[(String, String)],
    offset: usize,
) -> String {
    let style = chalk.behaviour.get("links");
    let style = style.as_deref();
    let mut next = form_urlencoded::Serializer::new(String::new());
    for (name, value) in query {
        let is_kept = style != Some("drop_filters") || name == "limit";
        if name != "offset" && is_kept {
            next.append_pair(name, value);
        }
    }
    next.append_pair("offset", &offset.to_string());
    let path = match style {
        Some("other_prefix") => other_prefix(uri.path()),
        _ => uri.path().to_owned(),
    };
    let path = format!("{path}?{}", next.finish());
    match style {
        Some("relative") => format!("{}{path}", origin.base),
        Some("foreign_host") => format!("http://attacker.test{path}"),
        _ => origin.link(&path),
    }
}

fn other_prefix(path: &str) -> String {
    let [old, new] = PREFIXES;
    match path.strip_prefix(old) {
        Some(rest) => format!("{new}{rest}"),
        None => format!("{old}{}", path.strip_prefix(new).unwrap_or(path)),
    }
}
