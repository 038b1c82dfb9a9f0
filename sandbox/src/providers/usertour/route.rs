//! The paths of v1: any letter case, one slash at the end or none.

use axum::http::{Method, Uri};

use super::error::UsertourError;
use super::qs;

/// A known path with its method.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum V1Route {
    /// `GET /v1/users`.
    Users,
    /// `GET /v1/users/{id}`.
    User(String),
    /// `POST /v1/users`.
    PostUser,
    /// `DELETE /v1/users/{id}`.
    DeleteUser(String),
    /// `GET /v1/companies`.
    Companies,
    /// `GET /v1/companies/{id}`.
    Company(String),
    /// `POST /v1/companies`.
    PostCompany,
    /// `DELETE /v1/companies/{id}`.
    DeleteCompany(String),
    /// `DELETE /v1/company-memberships`.
    DeleteMembership,
    /// `GET /v1/attribute-definitions`.
    Definitions,
}

impl V1Route {
    /// The route. A known path with another method is unknown, too, as the framework has it.
    pub(super) fn find(method: &Method, uri: &Uri) -> Result<Self, UsertourError> {
        let unknown = || UsertourError::NoRoute(format!("Cannot {method} {uri}"));
        let path = uri.path();
        let path = path.strip_suffix('/').unwrap_or(path);
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        let (version, collection, id) = match segments[..] {
            [version, collection] => (version, collection, None),
            [version, collection, id] if !id.is_empty() => (version, collection, Some(id)),
            _ => return Err(unknown()),
        };
        if !version.eq_ignore_ascii_case("v1") {
            return Err(unknown());
        }
        let verb = match method.as_str() {
            "HEAD" => "GET",
            verb => verb,
        };
        let collection = collection.to_ascii_lowercase();
        match (verb, collection.as_str(), id) {
            ("GET", "users", None) => Ok(Self::Users),
            ("GET", "users", Some(id)) => Ok(Self::User(decoded(id)?)),
            ("POST", "users", None) => Ok(Self::PostUser),
            ("DELETE", "users", Some(id)) => Ok(Self::DeleteUser(decoded(id)?)),
            ("GET", "companies", None) => Ok(Self::Companies),
            ("GET", "companies", Some(id)) => Ok(Self::Company(decoded(id)?)),
            ("POST", "companies", None) => Ok(Self::PostCompany),
            ("DELETE", "companies", Some(id)) => Ok(Self::DeleteCompany(decoded(id)?)),
            ("DELETE", "company-memberships", None) => Ok(Self::DeleteMembership),
            ("GET", "attribute-definitions", None) => Ok(Self::Definitions),
            _ => Err(unknown()),
        }
    }
}

fn decoded(segment: &str) -> Result<String, UsertourError> {
    qs::decode_segment(segment)
        .ok_or_else(|| UsertourError::Unreadable(format!("Failed to decode param '{segment}'")))
}
