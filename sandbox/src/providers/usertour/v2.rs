//! Version 2: `/v2/projects/{project}/environments/{environment}/users`.
//!
//! Differences from version 1:
//!
//! - a cursor that is unknown or exhausted gives an empty page, and `previous` is exact;
//! - users of one moment are listed by their internal identifier, so no page loses or repeats one;
//! - memberships show external identifiers;
//! - an unknown segment is 404 E1025, an unknown company 404 E1002;
//! - an attribute of a wrong type is 400, and a `PUT` with one changes nothing;
//! - a `DELETE` is answered 204 without a body;
//! - only addresses of ASCII letters can be searched for, others are 400;
//! - every answer of a known route shows the rate: `X-RateLimit-Reset` is the *seconds left*;
//! - errors always have the API's own shape, and those of validation list all `issues`.
//!
//! Authorization, in this order: no token 401 E1010; a token that is not `utp_` and known 403
//! E1000; an expired one 401 E1020; a project that the token does not have 403 E1011; an
//! environment that does not exist 403 E1000, and one of another project 403 E1019.
//!
//! Assumed, where the documents and the server's source are silent: the texts of errors (clients
//! match the code); that `-createdAt` reverses the order of identifiers, too; that attribute names
//! which version 1 drops are 400; and that `createdAfter` and `createdBefore` without a time zone
//! are 400. Companies, sessions and content are left out: their paths are unknown (E1033).

mod list;
mod rate;

use axum::http::StatusCode;
use axum::http::request::Parts;
use serde_json::{Map, Value};

use self::list::ListQuery;
use super::error::{Issue, UsertourError};
use super::shape::MembershipIds;
use super::store::{Scope, UsertourStore};
use super::upsert::UserUpsert;
use super::{Answer, Usertour, bearer_token, ok, qs};
use crate::people::known;
use crate::rate::RateStatus;

pub(super) use self::rate::{TokenLimiter, show_rate, show_refusal};

/// The prefix of a token; there is no other way to write one.
const TOKEN_PREFIX: &str = "utp_";

/// A known path with a method that it takes.
struct V2Route {
    project: String,
    environment: String,
    action: Action,
}

enum Action {
    List,
    Show(String),
    Put(String),
    Delete(String),
}

/// Whether a path is one of version 2, known or not.
pub(super) fn is_path(path: &str) -> bool {
    let first = path.split('/').nth(1).unwrap_or_default();
    first.eq_ignore_ascii_case("v2")
}

impl V2Route {
    /// The route; paths match in any letter case, with or without a slash at the end.
    fn find(method: &str, path: &str) -> Result<Self, UsertourError> {
        let path = path.strip_suffix('/').unwrap_or(path);
        let segments: Vec<&str> = path.split('/').skip(2).collect();
        let [projects, project, environments, environment, users, id @ ..] = segments.as_slice()
        else {
            return Err(UsertourError::UnknownRoute);
        };
        let words = [
            (projects, "projects"),
            (environments, "environments"),
            (users, "users"),
        ];
        let is_known = words
            .iter()
            .all(|(found, word)| found.eq_ignore_ascii_case(word));
        if !is_known || project.is_empty() || environment.is_empty() {
            return Err(UsertourError::UnknownRoute);
        }
        let action = match (method, id) {
            ("GET" | "HEAD", []) => Action::List,
            ("GET" | "HEAD", [id]) => Action::Show(decoded(id)?),
            ("PUT", [id]) => Action::Put(decoded(id)?),
            ("DELETE", [id]) => Action::Delete(decoded(id)?),
            _ => return Err(UsertourError::UnknownRoute),
        };
        Ok(Self {
            project: decoded(project)?,
            environment: decoded(environment)?,
            action,
        })
    }
}

fn decoded(segment: &str) -> Result<String, UsertourError> {
    qs::decode_segment(segment)
        .ok_or_else(|| UsertourError::invalid(format!("Failed to decode param '{segment}'")))
}

impl Usertour {
    /// Answers a request: body parser, route, rate, token, validation, handler. The rate is shown
    /// once the route is known.
    pub(super) async fn answer_v2(
        &self,
        parts: &Parts,
        body: Result<Value, UsertourError>,
    ) -> (Answer, Option<RateStatus>) {
        let read = body.map_err(UsertourError::in_v2);
        let found = read.and_then(|body| {
            let route = V2Route::find(parts.method.as_str(), parts.uri.path())?;
            Ok((body, route))
        });
        let (body, route) = match found {
            Ok(found) => found,
            Err(failure) => return (Err(failure), None),
        };
        let rate = self
            .limiter
            .take(&self.behaviour, self.is_known_token(parts));
        if !rate.granted {
            return (Err(UsertourError::Throttled), Some(rate));
        }
        let answer = match self.authorize(parts, &route) {
            Ok(()) => self.act(parts, route.action, &body).await,
            Err(failure) => Err(failure),
        };
        (answer, Some(rate))
    }

    fn is_known_token(&self, parts: &Parts) -> bool {
        let token = bearer_token(&parts.headers);
        let secret = token.and_then(|token| token.strip_prefix(TOKEN_PREFIX));
        secret == Some(self.token.as_str())
    }

    fn authorize(&self, parts: &Parts, route: &V2Route) -> Result<(), UsertourError> {
        if bearer_token(&parts.headers).is_none() {
            return Err(UsertourError::MissingKey);
        }
        if !self.is_known_token(parts) {
            return Err(UsertourError::InvalidKey);
        }
        if self.behaviour.is("token", "expired") {
            return Err(UsertourError::ExpiredToken);
        }
        if route.project != known::USERTOUR_PROJECT {
            return Err(UsertourError::ProjectOutOfScope);
        }
        match route.environment.as_str() {
            known::USERTOUR_ENVIRONMENT => Ok(()),
            known::USERTOUR_ENVIRONMENT_OF_OTHERS => Err(UsertourError::EnvironmentMismatch),
            _ => Err(UsertourError::InvalidKey),
        }
    }

    async fn act(&self, parts: &Parts, action: Action, body: &Value) -> Answer {
        let query = qs::parse(parts.uri.query().unwrap_or_default());
        match action {
            Action::List => {
                let request = ListQuery::parse(parts, &query)?;
                self.before_list(&query).await;
                let is_tied = self.ties().is_some();
                let store = self.store();
                ok(request.page(&store, self.first_segment(&store), is_tied)?)
            }
            Action::Show(id) => {
                let expand = list::expand(&query)?;
                ok(self.show_user(&id, &expand, MembershipIds::External)?)
            }
            Action::Put(id) => self.put_user(&id, body),
            Action::Delete(id) => {
                self.delete_user(&id)?;
                Ok((StatusCode::NO_CONTENT, Value::Null))
            }
        }
    }

    fn put_user(&self, id: &str, body: &Value) -> Answer {
        if id.trim().is_empty() {
            return Err(UsertourError::invalid("User id must be a non-empty string"));
        }
        let attributes = match body.get("attributes") {
            None => Map::new(),
            Some(Value::Object(attributes)) => attributes.clone(),
            Some(_) => {
                let issue = Issue::new("attributes", "expected an object");
                return Err(UsertourError::Issues(vec![issue]));
            }
        };
        check_attribute_types(&self.store(), &attributes)?;
        ok(self.write_user(UserUpsert::with_attributes(id, attributes))?)
    }
}

/// Version 1 drops these attributes; here the whole request is refused.
fn check_attribute_types(
    store: &UsertourStore,
    attributes: &Map<String, Value>,
) -> Result<(), UsertourError> {
    let misfits = attributes
        .iter()
        .filter(|(name, value)| !value.is_null() && store.drops(Scope::User, name, value));
    let names: Vec<String> = misfits.map(|(name, _)| format!("\"{name}\"")).collect();
    if names.is_empty() {
        return Ok(());
    }
    let names = names.join(", ");
    Err(UsertourError::invalid(format!(
        "Attribute writes rejected: {names}"
    )))
}
