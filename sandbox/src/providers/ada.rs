//! Ada, End Users API v2, as `docs.ada.cx/reference/end-users` has it.
//!
//! Users are listed by id, which is the order of creation. Where the documents are silent or
//! contradict each other, the first entry of each line is the default, and a switch selects
//! another:
//!
//! - `cursor`: names the first row returned; `exclusive`: the row before it
//! - `end`: `next_page_url` is null; `absent`: no `meta`; `meta_null`;
//!   `meta_empty`; `empty_string`
//! - `next`: the link has the cursor only; `keep_limit`; `foreign_host`;
//!   `self_loop`: it leads to its own page
//! - `unset`: an unset profile field is null; `omit`; `empty_object`
//! - `unknown_cursor`: 400; `empty`: an empty page
//! - `details` of a validation error: a list; `string`; `object`; `null`
//! - `auth_body`: the errors envelope; `message`
//! - `dates`: `…+00:00`; `naive_micro`; `z`
//! - `rate`: not limited; `on`: the documented windows. `rate_limit=N`, `rate_seconds=N`: N calls
//!   in N seconds (by default 60) for each class of endpoints instead
//!
//! Not emulated: the erasure, after a day, of users that were created through
//! the API and never had a conversation.

mod erase;
mod error;
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

use crate::behaviour::{Behaviour, Switch};
use crate::emulation::{Emulation, RunningProvider, Throttle};
use crate::people::Person;
use crate::rate::{self, RateLimiter, RateWindow};
use error::AdaError;
use store::AdaStore;

/// How Ada is emulated.
pub(super) static EMULATION: Emulation = Emulation {
    switches: SWITCHES,
    start,
    throttled,
};

const SWITCHES: &[Switch] = &[
    Switch::one_of("cursor", &["exclusive"]),
    Switch::one_of(
        "end",
        &["absent", "meta_null", "meta_empty", "empty_string"],
    ),
    Switch::one_of("next", &["keep_limit", "foreign_host", "self_loop"]),
    Switch::one_of("unset", &["omit", "empty_object"]),
    Switch::one_of("unknown_cursor", &["empty"]),
    Switch::one_of("details", &["string", "object", "null"]),
    Switch::one_of("auth_body", &["message"]),
    Switch::one_of("dates", &["naive_micro", "z"]),
    Switch::one_of("rate", &["on"]),
    Switch::number("rate_limit"),
    Switch::number("rate_seconds"),
];

/// The windows of the whole platform, and those of one user's endpoint.
const LIST_WINDOWS: [RateWindow; 3] = windows(10, 100, 10_000);
const ITEM_WINDOWS: [RateWindow; 3] = windows(30, 300, 60_000);

const fn windows(second: u64, minute: u64, day: u64) -> [RateWindow; 3] {
    [
        RateWindow {
            seconds: 1,
            limit: second,
        },
        RateWindow {
            seconds: 60,
            limit: minute,
        },
        RateWindow {
            seconds: 86_400,
            limit: day,
        },
    ]
}

/// The tenant.
struct Ada {
    store: AdaStore,
    token: String,
    behaviour: Behaviour,
    list_rate: RateLimiter,
    item_rate: RateLimiter,
}

type AdaState = State<Arc<Ada>>;

fn start(people: &[Person], token: &str, behaviour: Behaviour) -> RunningProvider {
    let ada = Arc::new(Ada {
        store: AdaStore::seeded(people),
        token: token.to_owned(),
        behaviour,
        list_rate: RateLimiter::new(&LIST_WINDOWS),
        item_rate: RateLimiter::new(&ITEM_WINDOWS),
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
    /// The answer to the caller, with errors in the shape that the switches select.
    fn reply(&self, outcome: Result<Response, AdaError>) -> Response {
        outcome.unwrap_or_else(|failure| failure.answer(&self.behaviour))
    }

    fn is_authorized(&self, headers: &HeaderMap) -> bool {
        let value = headers.get(AUTHORIZATION).and_then(|v| v.to_str().ok());
        let bearer = value.and_then(|value| value.split_once(' '));
        bearer.is_some_and(|(scheme, token)| {
            scheme.eq_ignore_ascii_case("bearer") && token.trim() == self.token
        })
    }

    fn is_within_rate(&self, path: &str) -> bool {
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
                let window = RateWindow { seconds, limit };
                class.take_within(&[window], rate::now()).granted
            }
            None if self.behaviour.is("rate", "on") => class.take(rate::now()).granted,
            None => true,
        }
    }
}

/// Authentication first, then the rate limit: an unknown caller is not counted.
async fn guard(State(ada): AdaState, request: Request, next: Next) -> Response {
    if !ada.is_authorized(request.headers()) {
        return error::unauthorized(&ada.behaviour);
    }
    if !ada.is_within_rate(request.uri().path()) {
        return throttled(&Throttle::default());
    }
    next.run(request).await
}

/// Ada's 429. It documents no `Retry-After`; the reset header is the one that
/// its bulk erasure declares.
fn throttled(throttle: &Throttle) -> Response {
    let failure = AdaError::new(
        StatusCode::TOO_MANY_REQUESTS,
        "too_many_requests",
        "Rate limit exceeded",
    );
    let mut answer = failure.plain();
    throttle.write(answer.headers_mut());
    answer
}

async fn unknown_path() -> Response {
    AdaError::not_found("The requested URL was not found").plain()
}

async fn unknown_method() -> Response {
    let status = StatusCode::METHOD_NOT_ALLOWED;
    AdaError::new(status, "method_not_allowed", "Method not allowed").plain()
}

fn json(status: StatusCode, body: serde_json::Value) -> Response {
    (status, axum::Json(body)).into_response()
}
