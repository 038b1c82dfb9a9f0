//! DigitalChalk, REST API v5, as `developer.digitalchalk.com/document/rest-api-v5` has it.
//!
//! The same paths work at `/dc/api/v5` and `/api/v5`, with and without a slash at the end. Users
//! are listed in the order of their creation. Where the documents are silent or contradict the
//! provider's own clients, the first entry of each line is the default, and a switch selects
//! another:
//!
//! - `links`: absolute, with the request's prefix and query; `relative`;
//!   `other_prefix`; `drop_filters`; `foreign_host`
//! - `back`: the link back is `prev`; `previous`; `none`
//! - `end`: links that lead nowhere are left out; `null`
//! - `limit` above 100 counts as 100; `reject`
//! - `empty` fields are left out; `null`; `empty_string`
//! - `location` of a created user: a path; `absolute`; `none`
//! - `put` answers 204; `201`
//! - `put_null` clears a field; `ignore`
//! - `not_found` has no body; `html`
//! - `usernames`: on, so that users may share an email; `off`
//! - `auth`: 401 as OAuth says it; `html`; `forbidden`

mod error;
mod fields;
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
use axum::routing::get;
use serde_json::json;

use crate::behaviour::{Behaviour, Switch};
use crate::emulation::{Emulation, RunningProvider, Throttle};
use crate::people::Person;
use error::{DigitalChalkError, page};
use store::DigitalChalkStore;

/// How DigitalChalk is emulated.
pub(super) static EMULATION: Emulation = Emulation {
    switches: SWITCHES,
    start,
    throttled,
};

const SWITCHES: &[Switch] = &[
    Switch::one_of(
        "links",
        &["relative", "other_prefix", "drop_filters", "foreign_host"],
    ),
    Switch::one_of("back", &["previous", "none"]),
    Switch::one_of("end", &["null"]),
    Switch::one_of("limit", &["reject"]),
    Switch::one_of("empty", &["null", "empty_string"]),
    Switch::one_of("location", &["absolute", "none"]),
    Switch::one_of("put", &["201"]),
    Switch::one_of("put_null", &["ignore"]),
    Switch::one_of("not_found", &["html"]),
    Switch::one_of("usernames", &["off"]),
    Switch::one_of("auth", &["html", "forbidden"]),
];

/// The path before 2024-12 and the one after; both are served.
const PREFIXES: [&str; 2] = ["/dc/api/v5", "/api/v5"];

/// The organisation.
struct DigitalChalk {
    store: DigitalChalkStore,
    token: String,
    behaviour: Behaviour,
}

type DigitalChalkState = State<Arc<DigitalChalk>>;

fn start(people: &[Person], token: &str, behaviour: Behaviour) -> RunningProvider {
    let chalk = Arc::new(DigitalChalk {
        store: DigitalChalkStore::seeded(people),
        token: token.to_owned(),
        behaviour,
    });
    let mut router = Router::new();
    for prefix in PREFIXES {
        for slash in ["", "/"] {
            let path = |rest: &str| format!("{prefix}{rest}{slash}");
            router = router
                .route(&path("/users"), get(list::list).post(write::create))
                .route(
                    &path("/users/{id}"),
                    get(list::view).put(write::update).delete(write::delete),
                )
                .route(
                    &path("/users/{id}/userfieldvalues"),
                    get(fields::values).put(fields::set_values),
                )
                .route(&path("/userfields"), get(fields::definitions));
        }
    }
    let router = router
        .fallback(|| async { page(StatusCode::NOT_FOUND) })
        .method_not_allowed_fallback(|| async { page(StatusCode::METHOD_NOT_ALLOWED) })
        .layer(from_fn_with_state(Arc::clone(&chalk), guard))
        .with_state(Arc::clone(&chalk));
    RunningProvider {
        router,
        records: Arc::new(move || chalk.store.records()),
    }
}

impl DigitalChalk {
    /// The answer to the caller, with errors in the shape that the switches select.
    fn reply(&self, outcome: Result<Response, DigitalChalkError>) -> Response {
        outcome.unwrap_or_else(|failure| failure.answer(&self.behaviour))
    }

    /// Whether the organisation uses usernames.
    fn has_usernames(&self) -> bool {
        !self.behaviour.is("usernames", "off")
    }
}

async fn guard(State(chalk): DigitalChalkState, request: Request, next: Next) -> Response {
    match bearer_token(request.headers()) {
        Some(token) if token == chalk.token => next.run(request).await,
        token => refuse(&chalk.behaviour, token),
    }
}

fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn refuse(behaviour: &Behaviour, token: Option<&str>) -> Response {
    let (error, description) = match token {
        Some(token) => ("invalid_token", format!("Invalid access token: {token}")),
        None => (
            "unauthorized",
            "Full authentication is required to access this resource".to_owned(),
        ),
    };
    let body = json!({"error": error, "error_description": description});
    let answer = match behaviour.get("auth").as_deref() {
        Some("html") => page(StatusCode::UNAUTHORIZED),
        Some("forbidden") => {
            let body = json!({"error": "access_denied", "error_description": "Access is denied"});
            return (StatusCode::FORBIDDEN, axum::Json(body)).into_response();
        }
        _ => (StatusCode::UNAUTHORIZED, axum::Json(body)).into_response(),
    };
    ([("www-authenticate", "Bearer")], answer).into_response()
}

/// A 429 in the shape of the provider's errors. No rate limit is documented.
fn throttled(throttle: &Throttle) -> Response {
    let body = json!({"errors": ["Too many requests"]});
    let mut answer = (StatusCode::TOO_MANY_REQUESTS, axum::Json(body)).into_response();
    throttle.write(answer.headers_mut());
    answer
}
