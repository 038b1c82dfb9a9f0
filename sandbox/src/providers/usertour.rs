//! Usertour, REST API v1 and v2, as its public server was measured where that differs from its
//! documents. Both versions show the same users.
//!
//! Version 1 checks in the server's order: body parser, route, key, validation, handler. Cursors
//! are internal identifiers and exclusive, an exhausted one is 400 E1007, `previous` drifts,
//! e-mails compare with their case, and nothing limits the rate. [`v2`] says what version 2 does
//! differently.
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
//! | `rate=on` | version 2 refuses a call beyond its limit |
//! | `rate_limit=N`, `rate_seconds=N` | the limit of version 2: N calls in N seconds, not 1000 in 60 |
//!
//! `segments=strict` and `ids` act on version 1 alone. Sessions, content and events are left out: their paths are unknown.

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
mod v1;
mod v2;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{ACCEPT_LANGUAGE, AUTHORIZATION, IF_NONE_MATCH};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Map, Value};

use self::failure::Failure;
use self::segments::{Members, Segment};
use self::shape::MembershipIds;
use self::store::Store;
use self::upsert::UserDraft;
use crate::behaviour::{Behaviour, Values, Variant};
use crate::emulation::{Emulation, Record, RunningProvider, Throttle};
use crate::people::Person;

/// How Usertour is emulated.
pub(super) static EMULATION: Emulation = Emulation {
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
        Variant::one_of("rate", &["on"]),
        Variant::number("rate_limit"),
        Variant::number("rate_seconds"),
    ],
    start,
    throttled,
};

/// How long a page behind a cursor takes at a large environment.
const SLOW: Duration = Duration::from_secs(2);

/// The status and the body; null: no body.
type Answer = Result<(StatusCode, Value), Failure>;

/// One environment with its users.
struct Usertour {
    store: Mutex<Store>,
    token: String,
    behaviour: Behaviour,
    lists: AtomicU64,
    cursor_deleted: AtomicBool,
    limiter: v2::Limiter,
}

fn start(people: &[Person], token: &str, behaviour: Behaviour) -> RunningProvider {
    let usertour = Arc::new(Usertour {
        store: Mutex::new(seed::store(people)),
        token: token.to_owned(),
        behaviour,
        lists: AtomicU64::new(0),
        cursor_deleted: AtomicBool::new(false),
        limiter: v2::Limiter::default(),
    });
    let held = Arc::clone(&usertour);
    RunningProvider {
        router: Router::new().fallback(enter).with_state(usertour),
        records: Arc::new(move || held.records()),
    }
}

/// A 429, which only the cloud's edge sends in version 1.
fn throttled(throttle: &Throttle) -> Response {
    let mut response = Failure::Throttled.into_response(false);
    if v2::is_path(&throttle.path) {
        v2::show_refusal(response.headers_mut(), throttle);
    } else {
        throttle.write(response.headers_mut());
    }
    reply::finish(response, None)
}

async fn enter(State(usertour): State<Arc<Usertour>>, request: Request) -> Response {
    if request.method() == Method::OPTIONS {
        return reply::preflight();
    }
    let (parts, body) = request.into_parts();
    let body = body::read(&parts.headers, body).await;
    let (answer, rate) = if v2::is_path(parts.uri.path()) {
        usertour.answer_v2(&parts, body).await
    } else {
        match body {
            Ok(body) => (usertour.answer_v1(&parts, body).await, None),
            Err(failure) => (Err(failure), None),
        }
    };
    let mut response = match answer {
        Ok((status, Value::Null)) => status.into_response(),
        Ok((status, body)) => reply::json(status, &body),
        Err(failure) => {
            let language = parts.headers.get(ACCEPT_LANGUAGE);
            failure.into_response(language.is_some_and(|language| language == "zh-CN"))
        }
    };
    if let Some(rate) = rate {
        v2::show_rate(response.headers_mut(), &rate);
    }
    let is_read = parts.method == Method::GET || parts.method == Method::HEAD;
    let known = parts.headers.get(IF_NONE_MATCH).filter(|_| is_read);
    reply::finish(response, known)
}

/// The token of a request: one space, and the scheme in this spelling. Later words do not count.
fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let header = headers.get(AUTHORIZATION)?;
    let mut words = header.to_str().unwrap_or_default().split(' ');
    let scheme = words.next();
    let token = words.next().filter(|token| !token.is_empty());
    token.filter(|_| scheme == Some("Bearer"))
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

    /// Before a list is read: the delay of a cursor, and the loss of the row that it names.
    async fn before_list(&self, query: &Map<String, Value>) {
        if let Some(cursor) = query.get("cursor").and_then(Value::as_str) {
            if !cursor.is_empty() && self.behaviour.is("cursor", "slow") {
                tokio::time::sleep(SLOW).await;
            }
            self.lose_cursor(cursor);
        }
    }

    /// The number by which a list shuffles users of the same moment, if the switch is on.
    fn ties(&self) -> Option<u64> {
        let turn = self.lists.fetch_add(1, Ordering::Relaxed);
        self.behaviour.is("ties", "shuffled").then_some(turn)
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

    fn show_user(&self, id: &str, expand: &[&str], ids: MembershipIds) -> Result<Value, Failure> {
        rules::storable(id)?;
        let store = self.store();
        let place = store.users.place(id).ok_or(Failure::NoUser)?;
        let row = store.users.at(place).ok_or(Failure::NoUser)?;
        Ok(shape::user(&store, place, row, expand, ids))
    }

    fn write_user(&self, draft: UserDraft) -> Result<Value, Failure> {
        let mut store = self.store();
        draft.storable(&store)?;
        if self.behaviour.is("race", "500") && store.users.place(&draft.id).is_none() {
            upsert::write_user(&mut store, &draft.id, Map::new(), moment::now());
            return Err(Failure::Unexpected);
        }
        draft.write(&mut store).ok_or(Failure::NoUser)
    }

    fn delete_user(&self, id: &str) -> Result<(), Failure> {
        rules::storable(id)?;
        let mut store = self.store();
        let place = store.users.place(id).ok_or(Failure::NoUser)?;
        store.delete_user(place);
        Ok(())
    }
}

#[expect(clippy::unnecessary_wraps, reason = "it ends handlers that may fail")]
fn ok(body: Value) -> Answer {
    Ok((StatusCode::OK, body))
}
