//! Usertour, REST API v1 and v2, as its public server was measured where that differs from its
//! documents. Both versions show the same users.
//!
//! Version 1 checks in the server's order: body parser, route, key, validation, handler. Cursors
//! are internal identifiers and exclusive, an exhausted one is 400 E1007, `previous` starts one row
//! late, emails are compared with their letter case, and nothing limits the rate. [`v2`] says what version 2 does
//! differently.
//!
//! | switch | effect |
//! |---|---|
//! | `cursor=slow` | a page after a cursor takes two seconds |
//! | `delete_cursor=once`, `always` | the user that a cursor names is deleted before the page is read |
//! | `ties=shuffled` | users created within ten minutes share their `createdAt`, and their order changes with each request |
//! | `segments=first_by_hand`, `first_by_rule` | the first row of the table of segments, which filters lists without `segmentId`, is a manual one or one with a condition, not the one of all users |
//! | `segments=strict` | an unknown segment is 404 E1025, as in version 2 |
//! | `ids=blank` | blank ids are taken, as by releases before 2026-07-31 |
//! | `race=500` | a create races with another: 500, the user exists without attributes, and the next attempt succeeds |
//! | `token=expired` | the token has expired: 401 E1020 in version 2; version 1 does not check |
//! | `rate=on` | version 2 refuses a call beyond its limit |
//! | `rate_limit=N`, `rate_seconds=N` | the limit of version 2: N calls in N seconds, not 1000 in 60 |
//!
//! `segments=strict` and `ids` act on version 1 alone. Sessions, content and events are left out:
//! their paths are unknown.

mod body;
mod error;
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
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Map, Value};

use self::error::UsertourError;
use self::segments::{Members, Segment};
use self::shape::MembershipIds;
use self::store::UsertourStore;
use self::upsert::UserUpsert;
use crate::behaviour::{Behaviour, Switch, SwitchValues};
use crate::emulation::{Emulation, Record, RunningProvider, Throttle};
use crate::people::Person;

/// How Usertour is emulated.
pub(super) static EMULATION: Emulation = Emulation {
    switches: &[
        Switch {
            name: "cursor",
            values: SwitchValues::OneOf(&["slow"]),
        },
        Switch {
            name: "delete_cursor",
            values: SwitchValues::OneOf(&["once", "always"]),
        },
        Switch {
            name: "ties",
            values: SwitchValues::OneOf(&["shuffled"]),
        },
        Switch {
            name: "segments",
            values: SwitchValues::OneOf(&["first_by_hand", "first_by_rule", "strict"]),
        },
        Switch {
            name: "ids",
            values: SwitchValues::OneOf(&["blank"]),
        },
        Switch {
            name: "race",
            values: SwitchValues::OneOf(&["500"]),
        },
        Switch::one_of("token", &["expired"]),
        Switch::one_of("rate", &["on"]),
        Switch::number("rate_limit"),
        Switch::number("rate_seconds"),
    ],
    start,
    throttled,
};

/// The time that a page after a cursor takes in a large environment.
const SLOW: Duration = Duration::from_secs(2);

/// The largest request line and headers that the server reads.
const LARGEST_HEAD: usize = 16 << 10;

/// The status and the body; null: no body.
type Answer = Result<(StatusCode, Value), UsertourError>;

/// One environment with its users.
struct Usertour {
    store: Mutex<UsertourStore>,
    token: String,
    behaviour: Behaviour,
    lists: AtomicU64,
    cursor_deleted: AtomicBool,
    limiter: v2::TokenLimiter,
}

fn start(people: &[Person], token: &str, behaviour: Behaviour) -> RunningProvider {
    let usertour = Arc::new(Usertour {
        store: Mutex::new(seed::store(people)),
        token: token.to_owned(),
        behaviour,
        lists: AtomicU64::new(0),
        cursor_deleted: AtomicBool::new(false),
        limiter: v2::TokenLimiter::default(),
    });
    let held = Arc::clone(&usertour);
    RunningProvider {
        router: Router::new().fallback(handle).with_state(usertour),
        records: Arc::new(move || held.records()),
    }
}

/// A 429, which only the cloud's edge sends in version 1.
fn throttled(throttle: &Throttle) -> Response {
    let mut response = UsertourError::Throttled.into_response(false);
    if v2::is_path(&throttle.path) {
        v2::show_refusal(response.headers_mut(), throttle);
    } else {
        throttle.write(response.headers_mut());
    }
    reply::finish(response, None)
}

async fn handle(State(usertour): State<Arc<Usertour>>, request: Request) -> Response {
    if request.method() == Method::OPTIONS {
        return reply::preflight();
    }
    let (parts, body) = request.into_parts();
    if head_size(&parts) > LARGEST_HEAD {
        return reply::head_too_large();
    }
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

/// The bytes of the request line and the headers, as they were sent without the base path.
fn head_size(parts: &Parts) -> usize {
    let target = parts
        .uri
        .path_and_query()
        .map_or(1, |target| target.as_str().len());
    let line = parts.method.as_str().len() + target + " HTTP/1.1\r\n ".len();
    let headers = parts.headers.iter();
    let headers = headers.map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len());
    line + headers.sum::<usize>()
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
    fn store(&self) -> MutexGuard<'_, UsertourStore> {
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

    /// Applies the switches that act before a list is read: slow cursors and deleted users.
    async fn before_list(&self, query: &Map<String, Value>) {
        if let Some(cursor) = query.get("cursor").and_then(Value::as_str) {
            if !cursor.is_empty() && self.behaviour.is("cursor", "slow") {
                tokio::time::sleep(SLOW).await;
            }
            self.delete_user_of_cursor(cursor);
        }
    }

    /// The number by which a list shuffles users of the same moment, if the switch is set.
    fn ties(&self) -> Option<u64> {
        let order = self.lists.fetch_add(1, Ordering::Relaxed);
        self.behaviour.is("ties", "shuffled").then_some(order)
    }

    /// The segment that the server applies where none is requested.
    fn first_segment<'a>(&self, store: &'a UsertourStore) -> Option<&'a Segment> {
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

    /// Deletes the user that the cursor names, if the switch is set.
    fn delete_user_of_cursor(&self, cursor: &str) {
        let loses = match self.behaviour.get("delete_cursor").as_deref() {
            Some("always") => true,
            Some("once") => !self.cursor_deleted.load(Ordering::Relaxed),
            _ => {
                self.cursor_deleted.store(false, Ordering::Relaxed);
                false
            }
        };
        let mut store = self.store();
        if loses && let Some(serial) = store.users.find_by_key(cursor) {
            store.delete_user(serial);
            self.cursor_deleted.store(true, Ordering::Relaxed);
        }
    }

    fn show_user(
        &self,
        id: &str,
        expand: &[&str],
        ids: MembershipIds,
    ) -> Result<Value, UsertourError> {
        rules::storable(id)?;
        let store = self.store();
        let serial = store.users.find(id).ok_or(UsertourError::NoUser)?;
        let row = store.users.get(serial).ok_or(UsertourError::NoUser)?;
        Ok(shape::user(&store, serial, row, expand, ids))
    }

    fn write_user(&self, draft: UserUpsert) -> Result<Value, UsertourError> {
        let mut store = self.store();
        draft.storable(&store)?;
        if self.behaviour.is("race", "500") && store.users.find(&draft.id).is_none() {
            upsert::write_user(&mut store, &draft.id, Map::new(), moment::now());
            return Err(UsertourError::Unexpected);
        }
        draft.write(&mut store).ok_or(UsertourError::NoUser)
    }

    fn delete_user(&self, id: &str) -> Result<(), UsertourError> {
        rules::storable(id)?;
        let mut store = self.store();
        let serial = store.users.find(id).ok_or(UsertourError::NoUser)?;
        store.delete_user(serial);
        Ok(())
    }
}

#[expect(clippy::unnecessary_wraps, reason = "it ends handlers that may fail")]
fn ok(body: Value) -> Answer {
    Ok((StatusCode::OK, body))
}
