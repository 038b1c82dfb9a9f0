//! Version 1: a key that names an environment, and no limit on the rate.

use axum::http::StatusCode;
use axum::http::request::Parts;
use serde_json::{Map, Value, json};

use super::error::UsertourError;
use super::lists::ListOptions;
use super::paging::ListRequest;
use super::route::V1Route;
use super::shape::MembershipIds;
use super::upsert::UserUpsert;
use super::{Answer, Usertour, bearer_token, lists, ok, qs, rules, shape, upsert};

/// The prefix of a key. One is removed; a key without it is valid, too.
const KEY_PREFIX: &str = "ak_";

impl Usertour {
    /// Answers a request whose body was read: route, key, validation, handler.
    pub(super) async fn answer_v1(&self, parts: &Parts, body: Value) -> Answer {
        let route = V1Route::find(&parts.method, &parts.uri)?;
        let key = bearer_token(&parts.headers).ok_or(UsertourError::MissingKey)?;
        if key.strip_prefix(KEY_PREFIX).unwrap_or(key) != self.token {
            return Err(UsertourError::InvalidKey);
        }
        let raw = parts.uri.query().unwrap_or_default();
        let query = qs::parse(raw);
        let request = ListRequest {
            path: parts.uri.path(),
            raw,
            query: &query,
        };
        match route {
            V1Route::Users => self.list_users(&request).await,
            V1Route::Companies => ok(lists::companies(&self.store(), &request)?),
            V1Route::Definitions => ok(lists::definitions(&self.store(), &request)?),
            V1Route::User(id) => {
                let expand = lists::user_expand(&query)?;
                ok(self.show_user(&id, &expand, MembershipIds::Internal)?)
            }
            V1Route::Company(id) => self.show_company(&id, &query),
            V1Route::PostUser => self.post_user(&body),
            V1Route::PostCompany => created(upsert::upsert_company(&mut self.store(), &body)?),
            V1Route::DeleteUser(id) => {
                self.delete_user(&id)?;
                ok(deleted(&id, "user"))
            }
            V1Route::DeleteCompany(id) => self.delete_company(&id),
            V1Route::DeleteMembership => self.delete_membership(&query),
        }
    }

    async fn list_users(&self, request: &ListRequest<'_>) -> Answer {
        self.before_list(request.query).await;
        let store = self.store();
        let options = ListOptions {
            ties: self.ties(),
            first: self.first_segment(&store),
            is_strict: self.behaviour.is("segments", "strict"),
        };
        ok(lists::users(&store, request, &options)?)
    }

    fn show_company(&self, id: &str, query: &Map<String, Value>) -> Answer {
        let expand = lists::company_expand(query)?;
        rules::storable(id)?;
        let store = self.store();
        let serial = store.companies.find(id).ok_or(UsertourError::NoCompany)?;
        let row = store
            .companies
            .get(serial)
            .ok_or(UsertourError::NoCompany)?;
        ok(shape::company(&store, serial, row, &expand))
    }

    fn post_user(&self, body: &Value) -> Answer {
        let takes_blank = self.behaviour.is("ids", "blank");
        created(self.write_user(UserUpsert::of(body, takes_blank)?)?)
    }

    fn delete_company(&self, id: &str) -> Answer {
        rules::storable(id)?;
        let mut store = self.store();
        let serial = store.companies.find(id).ok_or(UsertourError::NoCompany)?;
        store.delete_company(serial);
        ok(deleted(id, "company"))
    }

    fn delete_membership(&self, query: &Map<String, Value>) -> Answer {
        let required = |name: &str| {
            let found = rules::string(query, name)?;
            found.ok_or_else(|| UsertourError::invalid(format!("{name} must be a string")))
        };
        let (user, company) = (required("userId")?, required("companyId")?);
        let mut store = self.store();
        let user = store.users.find(user).ok_or(UsertourError::NoMembership)?;
        let company = store
            .companies
            .find(company)
            .ok_or(UsertourError::NoMembership)?;
        let membership = store
            .leave(user, company)
            .ok_or(UsertourError::NoMembership)?;
        ok(deleted(&membership.key, "companyMembership"))
    }
}

fn deleted(id: &str, object: &str) -> Value {
    json!({"id": id, "object": object, "deleted": true})
}

#[expect(clippy::unnecessary_wraps, reason = "it ends handlers that may fail")]
fn created(body: Value) -> Answer {
    Ok((StatusCode::CREATED, body))
}
