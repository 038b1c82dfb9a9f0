//! DigitalChalk, REST API v5, as `developer.digitalchalk.com/document/rest-api-v5` has it.
//!
//! The same paths at `/dc/api/v5` and `/api/v5`, with and without a slash at
//! the end; users in the order of their creation. Where the documents are
//! silent or contradict the vendor's own clients, the default is the first of
//! each line, and a behaviour switch turns to the others:
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
//! - `usernames`: on, so that users may share an e-mail; `off`
//! - `auth`: 401 as OAuth says it; `html`; `forbidden`

mod failure;
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

use crate::behaviour::{Behaviour, Variant};
use crate::emulation::{Emulation, RunningProvider, Throttle};
use crate::people::Person;
use failure::{Failure, page};
use store::Store;

/// How DigitalChalk is emulated.
pub(super) static EMULATION: Emulation = Emulation {
    variants: VARIANTS,
    start,
    throttled,
};

const VARIANTS: &[Variant] = &[
    Variant::one_of(
        "links",
        &["relative", "other_prefix", "drop_filters", "foreign_host"],
    ),
    Variant::one_of("back", &["previous", "none"]),
    Variant::one_of("end", &["null"]),
    Variant::one_of("limit", &["reject"]),
    Variant::one_of("empty", &["null", "empty_string"]),
    Variant::one_of("location", &["absolute", "none"]),
    Variant::one_of("put", &["201"]),
    Variant::one_of("put_null", &["ignore"]),
    Variant::one_of("not_found", &["html"]),
    Variant::one_of("usernames", &["off"]),
    Variant::one_of("auth", &["html", "forbidden"]),
];

/// The path before 2024-12 and the one after; both are served.
const PREFIXES: [&str; 2] = ["/dc/api/v5", "/api/v5"];

/// The organisation.
struct DigitalChalk {
    store: Store,
    token: String,
    behaviour: Behaviour,
}

type Shared = State<Arc<DigitalChalk>>;

fn start(people: &[Person], token: &str, behaviour: Behaviour) -> RunningProvider {
    let chalk = Arc::new(DigitalChalk {
        store: Store::seeded(people),
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
    /// The answer to the caller, a failure in the shape now switched on.
    fn reply(&self, outcome: Result<Response, Failure>) -> Response {
        outcome.unwrap_or_else(|failure| failure.answer(&self.behaviour))
    }

    /// Whether the organisation uses usernames.
    fn has_usernames(&self) -> bool {
        !self.behaviour.is("usernames", "off")
    }
}

async fn guard(State(chalk): Shared, request: Request, next: Next) -> Response {
    match bearer(request.headers()) {
        Some(token) if token == chalk.token => next.run(request).await,
        token => refuse(&chalk.behaviour, token),
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
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

/// A 429 in the shape of the vendor's errors: no throttle is documented.
fn throttled(throttle: &Throttle) -> Response {
    let body = json!({"errors": ["Too many requests"]});
    let mut answer = (StatusCode::TOO_MANY_REQUESTS, axum::Json(body)).into_response();
    throttle.write(answer.headers_mut());
    answer
}
