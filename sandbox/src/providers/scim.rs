//! A service provider of SCIM 2.0 (RFC 7643 and RFC 7644), with all of the protocol but bulk
//! requests and changes of groups.
//!
//! Users are listed in the order of their creation. A user name is an email address as long as it
//! is free, and unique in any letter case; external ids and the addresses of `emails` may repeat.
//! Groups are the tags of the seeded people. Where servers differ, the first entry of each line is
//! the default, and a switch selects another:
//!
//! - `cap=N`: the most resources of a page, 100
//! - `config`: answered; `404`
//! - `emails`: compared in any letter case; `case_exact`
//! - `etag`: resources have versions, and `If-Match` is kept to; `off`
//! - `filter`: applied; `ignored`: all users come back; `unsupported`: refused
//! - `items_per_page`: the number of resources of the page; `absent`
//! - `media`: `application/scim+json`; `json`
//! - `or_limit=N`: an `or` chain of more parts is refused as `tooMany`; without it, none is
//! - `or_refusal`: 400; `413`
//! - `patch`: answers the changed user; `no_content`; `off`: 501
//! - `short`: pages are full; `pages`: every page has one resource fewer; `last`: the last resource
//!   is in no page
//! - `sort`: applied; `ignored`
//! - `start_index`: as asked; `absent` in answers; `one` in answers; `ignored`: the first page
//!   comes again
//! - `total_results`: a number; `absent`; `string`
//! - `user_name`: an email address; `handle`: a word

mod config;
mod error;
mod filter;
mod list;
mod patch;
mod path;
mod schema;
mod seed;
mod store;
mod view;
mod write;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::Value;

use crate::behaviour::{Behaviour, Switch};
use crate::emulation::{Emulation, RunningProvider, Throttle};
use crate::people::Person;
use error::ScimError;
use store::ScimStore;

/// How SCIM is emulated.
pub(super) static EMULATION: Emulation = Emulation {
    switches: SWITCHES,
    start,
    throttled,
};

const SWITCHES: &[Switch] = &[
    Switch::number("cap"),
    Switch::one_of("config", &["404"]),
    Switch::one_of("emails", &["case_exact"]),
    Switch::one_of("etag", &["off"]),
    Switch::one_of("filter", &["ignored", "unsupported"]),
    Switch::one_of("items_per_page", &["absent"]),
    Switch::one_of("media", &["json"]),
    Switch::number("or_limit"),
    Switch::one_of("or_refusal", &["413"]),
    Switch::one_of("patch", &["no_content", "off"]),
    Switch::one_of("short", &["pages", "last"]),
    Switch::one_of("sort", &["ignored"]),
    Switch::one_of("start_index", &["absent", "one", "ignored"]),
    Switch::one_of("total_results", &["absent", "string"]),
    Switch::one_of("user_name", &["handle"]),
];

/// Where the API starts, below the base path.
const API: &str = "/scim/v2";

/// The most resources of a page, without the switch.
const CAP: u64 = 100;

/// The service provider.
struct Scim {
    store: ScimStore,
    token: String,
    behaviour: Behaviour,
}

type ScimState = State<Arc<Scim>>;

fn start(people: &[Person], token: &str, behaviour: Behaviour) -> RunningProvider {
    let scim = Arc::new(Scim {
        store: seed::store(people),
        token: token.to_owned(),
        behaviour,
    });
    let routes = Router::new()
        .route("/Users", get(list::users).post(write::create))
        .route("/Users/.search", post(list::search))
        .route(
            "/Users/{id}",
            get(view::user)
                .put(write::replace)
                .patch(write::patch)
                .delete(write::delete),
        )
        .route("/Groups", get(list::groups))
        .route("/Groups/{id}", get(view::group))
        .route("/ServiceProviderConfig", get(config::service_provider))
        .route("/ResourceTypes", get(config::resource_types))
        .route("/ResourceTypes/{id}", get(config::resource_type))
        .route("/Schemas", get(config::schemas))
        .route("/Schemas/{id}", get(config::schema))
        .fallback(unknown_path)
        .method_not_allowed_fallback(unknown_method)
        .layer(from_fn_with_state(Arc::clone(&scim), guard));
    let router = Router::new()
        .nest(API, routes)
        .fallback(other_site)
        .with_state(Arc::clone(&scim));
    RunningProvider {
        router,
        records: Arc::new(move || scim.store.records()),
    }
}

impl Scim {
    /// The most resources of a page.
    fn cap(&self) -> u64 {
        self.behaviour.number("cap").unwrap_or(CAP)
    }

    fn has_etags(&self) -> bool {
        !self.behaviour.is("etag", "off")
    }

    fn has_patch(&self) -> bool {
        !self.behaviour.is("patch", "off")
    }

    fn is_authorized(&self, headers: &HeaderMap) -> bool {
        let value = headers.get(AUTHORIZATION).and_then(|v| v.to_str().ok());
        let bearer = value.and_then(|value| value.split_once(' '));
        bearer.is_some_and(|(scheme, token)| {
            scheme.eq_ignore_ascii_case("bearer") && token.trim() == self.token
        })
    }
}

/// Checks the token, and gives answers the media type that the switch selects.
async fn guard(State(scim): ScimState, request: Request, next: Next) -> Response {
    let mut answer = if scim.is_authorized(request.headers()) {
        next.run(request).await
    } else {
        unauthorized()
    };
    if scim.behaviour.is("media", "json") && answer.headers().contains_key(CONTENT_TYPE) {
        let media = HeaderValue::from_static("application/json");
        answer.headers_mut().insert(CONTENT_TYPE, media);
    }
    answer
}

fn unauthorized() -> Response {
    let detail = "Authorization failure: the bearer token is missing or wrong";
    let mut answer = ScimError::new(StatusCode::UNAUTHORIZED, detail).into_response();
    let challenge = HeaderValue::from_static("Bearer realm=\"scim\"");
    answer.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    answer
}

/// The provider's 429.
fn throttled(throttle: &Throttle) -> Response {
    let failure = ScimError::new(StatusCode::TOO_MANY_REQUESTS, "Too many requests");
    let mut answer = failure.into_response();
    throttle.write(answer.headers_mut());
    answer
}

async fn unknown_path() -> Response {
    ScimError::new(StatusCode::NOT_FOUND, "There is no such endpoint").into_response()
}

async fn unknown_method() -> Response {
    let detail = "The endpoint does not have this method";
    ScimError::new(StatusCode::METHOD_NOT_ALLOWED, detail).into_response()
}

/// The web site beside the API, which answers in HTML.
async fn other_site() -> Response {
    let page = "<!doctype html><html lang=\"en\"><head><title>Not found</title></head>\
                <body><h1>Not found</h1></body></html>";
    let media = (CONTENT_TYPE, "text/html;charset=utf-8");
    (StatusCode::NOT_FOUND, [media], page).into_response()
}

fn json(status: StatusCode, body: &Value) -> Response {
    let media = (CONTENT_TYPE, "application/scim+json");
    (status, [media], body.to_string()).into_response()
}
