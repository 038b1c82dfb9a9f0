//! Ada, End Users API v2, as `docs.ada.cx/reference/end-users` has it.
//!
//! Users are listed by id, which is the order of creation. Where the documents
//! are silent or contradict each other, the default is the first of each line,
//! and a behaviour switch turns to the others:
//!
//! - `cursor`: names the first row returned; `exclusive`: the row before it
//! - `end`: `next_page_url` is null; `absent`: no `meta`; `meta_null`;
//!   `meta_empty`; `empty_string`
//! - `next`: the link has the cursor only; `keep_limit`; `foreign_host`;
//!   `self_loop`: it leads to its own page, for ever
//! - `unset`: an unset profile field is null; `omit`; `empty_object`
//! - `unknown_cursor`: 400; `empty`: an empty page
//! - `details` of a validation error: a list; `string`; `object`; `null`
//! - `auth_body`: the errors envelope; `message`
//! - `dates`: `…+00:00`; `naive_micro`; `z`
//! - `rate`: not limited; `on`: the documented windows. `rate_limit`: so many
//!   calls in `rate_seconds`, or in a minute, for each class of endpoints instead
//!
//! Not emulated: the erasure, after a day, of users that were created through
//! the API and never had a conversation.

mod erase;
mod failure;
mod list;
mod store;
mod user;
mod write;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use crate::behaviour::{Behaviour, Variant};
use crate::emulation::{Emulation, RunningProvider, Throttle};
use crate::people::Person;
use crate::rate::{self, Rate, Window};
use failure::Failure;
use store::Store;

/// How Ada is emulated.
pub(super) static EMULATION: Emulation = Emulation {
    variants: VARIANTS,
    start,
    throttled,
};

const VARIANTS: &[Variant] = &[
    Variant::one_of("cursor", &["exclusive"]),
    Variant::one_of(
        "end",
        &["absent", "meta_null", "meta_empty", "empty_string"],
    ),
    Variant::one_of("next", &["keep_limit", "foreign_host", "self_loop"]),
    Variant::one_of("unset", &["omit", "empty_object"]),
    Variant::one_of("unknown_cursor", &["empty"]),
    Variant::one_of("details", &["string", "object", "null"]),
    Variant::one_of("auth_body", &["message"]),
    Variant::one_of("dates", &["naive_micro", "z"]),
    Variant::one_of("rate", &["on"]),
    Variant::number("rate_limit"),
    Variant::number("rate_seconds"),
];

/// The windows of the whole platform, and those of one user's endpoint.
const LIST_WINDOWS: [Window; 3] = windows(10, 100, 10_000);
const ITEM_WINDOWS: [Window; 3] = windows(30, 300, 60_000);

const fn windows(second: u64, minute: u64, day: u64) -> [Window; 3] {
    [
        Window {
            seconds: 1,
            limit: second,
        },
        Window {
            seconds: 60,
            limit: minute,
        },
        Window {
            seconds: 86_400,
            limit: day,
        },
    ]
}

/// The tenant.
struct Ada {
    store: Store,
    token: String,
    behaviour: Behaviour,
    list_rate: Rate,
    item_rate: Rate,
}

type Shared = State<Arc<Ada>>;

fn start(people: &[Person], token: &str, behaviour: Behaviour) -> RunningProvider {
    let ada = Arc::new(Ada {
        store: Store::seeded(people),
        token: token.to_owned(),
        behaviour,
        list_rate: Rate::new(&LIST_WINDOWS),
        item_rate: Rate::new(&ITEM_WINDOWS),
    });
    let router = Router::new()
        .route("/api/v2/end-users/", get(list::list).post(write::create))
        .route("/api/v2/end-users/delete", post(erase::submit))
        .route(
            "/api/v2/end-users/{end_user_id}",
            get(list::view).patch(write::patch),
        )
        .route("/api/v2/jobs/{job_id}", get(erase::job))
        .fallback(unknown_path)
        .method_not_allowed_fallback(unknown_method)
        .layer(from_fn_with_state(Arc::clone(&ada), guard))
        .with_state(Arc::clone(&ada));
    RunningProvider {
        router,
        records: Arc::new(move || ada.store.records()),
    }
}

impl Ada {
    /// The answer to the caller, a failure in the shape now switched on.
    fn reply(&self, outcome: Result<Response, Failure>) -> Response {
        outcome.unwrap_or_else(|failure| failure.answer(&self.behaviour))
    }

    fn admits(&self, headers: &HeaderMap) -> bool {
        let value = headers.get(AUTHORIZATION).and_then(|v| v.to_str().ok());
        let bearer = value.and_then(|value| value.split_once(' '));
        bearer.is_some_and(|(scheme, token)| {
            scheme.eq_ignore_ascii_case("bearer") && token.trim() == self.token
        })
    }

    fn grants(&self, path: &str) -> bool {
        let is_item = path.starts_with("/api/v2/end-users/") && !path.ends_with('/');
        let class = if is_item {
            &self.item_rate
        } else {
            &self.list_rate
        };
        let seconds = self.behaviour.number("rate_seconds").unwrap_or(60);
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        match self.behaviour.number("rate_limit") {
            Some(limit) => {
                let window = Window { seconds, limit };
                class.take_within(&[window], rate::now()).granted
            }
            None if self.behaviour.is("rate", "on") => class.take(rate::now()).granted,
            None => true,
        }
    }
}

/// Authentication, and then the budget: an unknown caller costs nothing.
async fn guard(State(ada): Shared, request: Request, next: Next) -> Response {
    if !ada.admits(request.headers()) {
        return failure::unauthorized(&ada.behaviour);
    }
    if !ada.grants(request.uri().path()) {
        return throttled(&Throttle::default());
    }
    next.run(request).await
}

/// Ada's 429. It documents no `Retry-After`; the reset header is the one that
/// its bulk erasure declares.
fn throttled(throttle: &Throttle) -> Response {
    let failure = Failure::new(
        StatusCode::TOO_MANY_REQUESTS,
        "too_many_requests",
        "Rate limit exceeded",
    );
    let mut answer = failure.plain();
    throttle.write(answer.headers_mut());
    answer
}

async fn unknown_path() -> Response {
    Failure::not_found("The requested URL was not found").plain()
}

async fn unknown_method() -> Response {
    let status = StatusCode::METHOD_NOT_ALLOWED;
    Failure::new(status, "method_not_allowed", "Method not allowed").plain()
}

fn json(status: StatusCode, body: serde_json::Value) -> Response {
    (status, axum::Json(body)).into_response()
}
