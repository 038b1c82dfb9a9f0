//! Usertour, REST API v1, as its public server was measured where
//! that differs from its documents.
//!
//! The order is the server's: body parser, route, key, validation, handler. Cursors are internal
//! identifiers and exclusive, an exhausted one is 400 E1007, `previous` drifts, e-mails compare
//! with their case, and nothing limits the rate.
//!
//! | switch | effect |
//! |---|---|
//! | `cursor=slow` | a page behind a cursor takes two seconds |
//! | `delete_cursor=once`, `always` | the user that a cursor names vanishes before the page is read |
//! | `ties=shuffled` | users created within ten minutes share their `createdAt`, and their order changes with each request |
//! | `segments=first_by_hand`, `first_by_rule` | the first row of the table of segments, which narrows a list without `segmentId`, is one of these and not that of everybody |
//! | `segments=strict` | an unknown segment is 404 E1025, as in version 2 |
//! | `ids=blank` | blank ids are taken, as by releases before 2026-07-31 |
//! | `race=500` | whoever creates a user meets a rival: 500, the user is there without attributes, and the next attempt succeeds |
//!
//! Sessions, content and events are left out: their paths are unknown.

mod body;
mod failure;
mod jsonb;
mod lists;
mod moment;
mod paging;
mod qs;
mod reply;
mod route;
mod rules;
mod seed;
mod segments;
mod shape;
mod store;
mod upsert;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{ACCEPT_LANGUAGE, AUTHORIZATION, IF_NONE_MATCH, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::Response;
use serde_json::{Map, Value, json};

use self::failure::Failure;
use self::lists::Manner;
use self::paging::Asked;
use self::route::Route;
use self::segments::{Members, Segment};
use self::store::Store;
use self::upsert::UserDraft;
use crate::behaviour::{Behaviour, Values, Variant};
use crate::people::Person;
use crate::vendor::{Emulation, Name, Record, Throttle, Vendor};

/// How Usertour is emulated.
pub static EMULATION: Emulation = Emulation {
    name: Name::Usertour,
    variants: &[
        Variant {
            name: "cursor",
            values: Values::OneOf(&["slow"]),
        },
        Variant {
            name: "delete_cursor",
            values: Values::OneOf(&["once", "always"]),
        },
        Variant {
            name: "ties",
            values: Values::OneOf(&["shuffled"]),
        },
        Variant {
            name: "segments",
            values: Values::OneOf(&["first_by_hand", "first_by_rule", "strict"]),
        },
        Variant {
            name: "ids",
            values: Values::OneOf(&["blank"]),
        },
        Variant {
            name: "race",
            values: Values::OneOf(&["500"]),
        },
    ],
    start,
    throttled,
};

/// How long a page behind a cursor takes at a large environment.
const SLOW: Duration = Duration::from_secs(2);

type Answer = Result<(StatusCode, Value), Failure>;

/// One environment with its key.
struct Usertour {
    store: Mutex<Store>,
    token: String,
    behaviour: Behaviour,
    lists: AtomicU64,
    cursor_deleted: AtomicBool,
}

fn start(people: &[Person], token: &str, behaviour: Behaviour) -> Vendor {
    let usertour = Arc::new(Usertour {
        store: Mutex::new(seed::store(people)),
        token: token.to_owned(),
        behaviour,
        lists: AtomicU64::new(0),
        cursor_deleted: AtomicBool::new(false),
    });
    let held = Arc::clone(&usertour);
    Vendor {
        router: Router::new().fallback(enter).with_state(usertour),
        records: Arc::new(move || held.records()),
    }
}

fn throttled(throttle: &Throttle) -> Response {
    let mut response = reply::finish(Failure::Throttled.into_response(false), None);
    if let Some(seconds) = throttle.retry_after {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

async fn enter(State(usertour): State<Arc<Usertour>>, request: Request) -> Response {
    if request.method() == Method::OPTIONS {
        return reply::preflight();
    }
    let (parts, body) = request.into_parts();
    let response = match usertour.answer(&parts, body).await {
        Ok((status, body)) => reply::json(status, &body),
        Err(failure) => {
            let language = parts.headers.get(ACCEPT_LANGUAGE);
            failure.into_response(language.is_some_and(|language| language == "zh-CN"))
        }
    };
    let is_read = parts.method == Method::GET || parts.method == Method::HEAD;
    let known = parts.headers.get(IF_NONE_MATCH).filter(|_| is_read);
    reply::finish(response, known)
}

impl Usertour {
    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn records(&self) -> Vec<Record> {
        let store = self.store();
        let record = |(_, row): (u64, &store::Row)| Record {
            id: row.id.clone(),
            external_id: Some(row.id.clone()),
            email: row
                .attributes
                .get("email")
                .and_then(Value::as_str)
                .map(str::to_owned),
        };
        store.users.iter().map(record).collect()
    }

    async fn answer(&self, parts: &Parts, body: Body) -> Answer {
        let body = body::read(&parts.headers, body).await?;
        let route = Route::find(&parts.method, &parts.uri)?;
        self.admit(parts)?;
        let raw = parts.uri.query().unwrap_or_default();
        let query = qs::parse(raw);
        let asked = Asked {
            path: parts.uri.path(),
            raw,
            query: &query,
        };
        match route {
            Route::Users => self.users(&asked).await,
            Route::Companies => ok(lists::companies(&self.store(), &asked)?),
            Route::Definitions => ok(lists::definitions(&self.store(), &asked)?),
            Route::User(id) => self.user(&id, &query),
            Route::Company(id) => self.company(&id, &query),
            Route::PostUser => self.post_user(&body),
            Route::PostCompany => created(upsert::upsert_company(&mut self.store(), &body)?),
            Route::DeleteUser(id) => self.delete_user(&id),
            Route::DeleteCompany(id) => self.delete_company(&id),
            Route::DeleteMembership => self.delete_membership(&query),
        }
    }

    /// The key: one space, the scheme in this spelling, and one prefix taken off.
    fn admit(&self, parts: &Parts) -> Result<(), Failure> {
        let header = parts.headers.get(AUTHORIZATION);
        let text = header
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let mut words = text.split(' ');
        let (scheme, key) = (words.next(), words.next().unwrap_or_default());
        if scheme != Some("Bearer") || key.is_empty() {
            return Err(Failure::MissingKey);
        }
        if key.strip_prefix("ak_").unwrap_or(key) != self.token {
            return Err(Failure::InvalidKey);
        }
        Ok(())
    }

    async fn users(&self, asked: &Asked<'_>) -> Answer {
        if let Some(cursor) = asked.query.get("cursor").and_then(Value::as_str) {
            if !cursor.is_empty() && self.behaviour.is("cursor", "slow") {
                tokio::time::sleep(SLOW).await;
            }
            self.lose_cursor(cursor);
        }
        let turn = self.lists.fetch_add(1, Ordering::Relaxed);
        let ties = self.behaviour.is("ties", "shuffled").then_some(turn);
        let store = self.store();
        let manner = Manner {
            ties,
            first: self.first_segment(&store),
            is_strict: self.behaviour.is("segments", "strict"),
        };
        ok(lists::users(&store, asked, &manner)?)
    }

    /// What the server takes for no segment.
    fn first_segment<'a>(&self, store: &'a Store) -> Option<&'a Segment> {
        let wanted = self.behaviour.get("segments");
        store
            .segments
            .iter()
            .find(|segment| match wanted.as_deref() {
                Some("first_by_hand") => matches!(segment.members, Members::ByHand(_)),
                Some("first_by_rule") => matches!(segment.members, Members::ByRule(..)),
                _ => true,
            })
    }

    /// Somebody deletes the user that the cursor names.
    fn lose_cursor(&self, cursor: &str) {
        let loses = match self.behaviour.get("delete_cursor").as_deref() {
            Some("always") => true,
            Some("once") => !self.cursor_deleted.load(Ordering::Relaxed),
            _ => {
                self.cursor_deleted.store(false, Ordering::Relaxed);
                false
            }
        };
        let mut store = self.store();
        if loses && let Some(place) = store.users.place_of_key(cursor) {
            store.delete_user(place);
            self.cursor_deleted.store(true, Ordering::Relaxed);
        }
    }

    fn user(&self, id: &str, query: &Map<String, Value>) -> Answer {
        let expand = lists::user_expand(query)?;
        rules::storable(id)?;
        let store = self.store();
        let place = store.users.place(id).ok_or(Failure::NoUser)?;
        let row = store.users.at(place).ok_or(Failure::NoUser)?;
        ok(shape::user(&store, place, row, &expand))
    }

    fn company(&self, id: &str, query: &Map<String, Value>) -> Answer {
        let expand = lists::company_expand(query)?;
        rules::storable(id)?;
        let store = self.store();
        let place = store.companies.place(id).ok_or(Failure::NoCompany)?;
        let row = store.companies.at(place).ok_or(Failure::NoCompany)?;
        ok(shape::company(&store, place, row, &expand))
    }

    fn post_user(&self, body: &Value) -> Answer {
        let takes_blank = self.behaviour.is("ids", "blank");
        let draft = UserDraft::of(body, takes_blank)?;
        let mut store = self.store();
        draft.storable(&store)?;
        if self.behaviour.is("race", "500") && store.users.place(&draft.id).is_none() {
            upsert::write_user(&mut store, &draft.id, Map::new(), moment::now());
            return Err(Failure::Unexpected);
        }
        created(draft.write(&mut store).ok_or(Failure::NoUser)?)
    }

    fn delete_user(&self, id: &str) -> Answer {
        rules::storable(id)?;
        let mut store = self.store();
        let place = store.users.place(id).ok_or(Failure::NoUser)?;
        store.delete_user(place);
        ok(deleted(id, "user"))
    }

    fn delete_company(&self, id: &str) -> Answer {
        rules::storable(id)?;
        let mut store = self.store();
        let place = store.companies.place(id).ok_or(Failure::NoCompany)?;
        store.delete_company(place);
        ok(deleted(id, "company"))
    }

    fn delete_membership(&self, query: &Map<String, Value>) -> Answer {
        let required = |name: &str| {
            let found = rules::string(query, name)?;
            found.ok_or_else(|| Failure::invalid(format!("{name} must be a string")))
        };
        let (user, company) = (required("userId")?, required("companyId")?);
        let mut store = self.store();
        let user = store.users.place(user).ok_or(Failure::NoMembership)?;
        let company = store
            .companies
            .place(company)
            .ok_or(Failure::NoMembership)?;
        let membership = store.part(user, company).ok_or(Failure::NoMembership)?;
        ok(deleted(&membership.key, "companyMembership"))
    }
}

fn deleted(id: &str, object: &str) -> Value {
    json!({"id": id, "object": object, "deleted": true})
}

#[expect(clippy::unnecessary_wraps, reason = "it ends handlers that may fail")]
fn ok(body: Value) -> Answer {
    Ok((StatusCode::OK, body))
}

#[expect(clippy::unnecessary_wraps, reason = "it ends handlers that may fail")]
fn created(body: Value) -> Answer {
    Ok((StatusCode::CREATED, body))
}
