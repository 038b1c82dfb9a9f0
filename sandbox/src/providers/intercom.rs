//! Intercom, REST 1.0 to 1.4 and 2.0 to 2.17, as documented at
//! `developers.intercom.com/docs/references/1.1` and `.../2.17/rest-api/contacts`, and as reported
//! by users of the API.
//!
//! Without `Intercom-Version` the app's version applies, 1.1 by default. Both families of versions
//! show one store. In 1.x users and leads are separate: leads appear under `/contacts`, in lists by
//! tag or segment and, in 1.1, among the users of an address. From 2.0 on both are `contacts` and
//! `/users` is refused.
//!
//! | switch | effect |
//! |---|---|
//! | `app_version=1.0` to `1.4`, `2.0` to `2.17` | the version of requests without the header |
//! | `avatar=object`, `string`, `null` | an object (1.x without the switch), an address (2.x without it), or nothing |
//! | `email=case_sensitive` | lookups and searches compare the letter case |
//! | `errors=type_only` | entries of `error.list` carry `type`, not `code` |
//! | `location=empty_object` | `location_data` (1.x) and `location` (2.x) are `{}` |
//! | `owner_id=int` | a number also where it is a string: in 1.x and from 2.16 on |
//! | `per_page=reject` | a size that is out of bounds is 400; otherwise it is clamped |
//! | `rate=on`, `rate_limit=N`, `rate_seconds=N` | 167, or N, calls in ten, or N, seconds |
//!
//! In 1.x alone:
//!
//! | switch | effect |
//! |---|---|
//! | `ceiling=N` | page numbers reach N rows, not 10,000 |
//! | `email_body=error_list_200` | a lookup by email answers an `error.list` under 200 |
//! | `next=same_host`, `absent` | `pages.next` leads back to the sandbox, or is not there |
//! | `scroll_end=404` | a scroll ends with 404 instead of an empty page |
//!
//! In 2.x alone:
//!
//! | switch | effect |
//! |---|---|
//! | `in_limit=N` | an `IN` or `NIN` of more than N values is 400 |
//! | `index_lag=SECONDS` | a search shows the contacts as they were this long ago |
//! | `merge=any` | any contact can be merged into any other, also into a merged one |
//! | `merged=404`, `next_hop` | a merged contact is 404; or the link of its 410 leads one merge on, not to the end |
//! | `next=null` | `pages.next` of a last page is null instead of absent |
//! | `timezone_offset=SECONDS` | the workspace's clock is this far ahead of UTC, not 19,800 |

mod classic;
mod contacts;
mod error;
mod lists;
mod scroll;
mod seed;
mod shape;
mod store;
mod version;
mod write;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use self::classic::WriteResult;
use self::error::IntercomError;
use self::lists::ReadRequest;
use self::scroll::Scrolls;
use self::shape::ClassicShape;
use self::store::{Contact, IntercomStore, scramble};
use self::version::Version;
use crate::behaviour::{Behaviour, Switch, SwitchValues};
use crate::emulation::{Emulation, Origin, Record, RunningProvider, Throttle};
use crate::people::Person;
use crate::rate::{self, RateLimiter, RateStatus, RateWindow};

/// How Intercom is emulated.
pub(super) static EMULATION: Emulation = Emulation {
    switches: &[
        word("app_version", &version::KNOWN),
        word("avatar", &["object", "string", "null"]),
        number("ceiling"),
        word("email", &["case_sensitive"]),
        word("email_body", &["error_list_200"]),
        word("errors", &["type_only"]),
        number("in_limit"),
        number("index_lag"),
        word("location", &["empty_object"]),
        word("merge", &["any"]),
        word("merged", &["404", "next_hop"]),
        word("next", &["same_host", "absent", "null"]),
        word("owner_id", &["int"]),
        word("per_page", &["reject"]),
        word("rate", &["on"]),
        number("rate_limit"),
        number("rate_seconds"),
        word("scroll_end", &["404"]),
        number("timezone_offset"),
    ],
    start,
    throttled,
};

/// Calls within ten seconds, as from 2019 on.
const LIMIT: u64 = 167;
const SECONDS: i64 = 10;
/// Larger than any body that the provider accepts.
const LARGEST_BODY: usize = 4 << 20;

const fn word(name: &'static str, words: &'static [&'static str]) -> Switch {
    Switch {
        name,
        values: SwitchValues::OneOf(words),
    }
}

const fn number(name: &'static str) -> Switch {
    Switch {
        name,
        values: SwitchValues::Number,
    }
}

/// The query of a request, decoded.
struct Params(Vec<(String, String)>);

impl Params {
    fn of(query: &str) -> Self {
        Self(
            form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
        )
    }

    fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    fn others(&self, names: &[&str]) -> Vec<(&str, &str)> {
        let pairs = self.0.iter();
        let kept = pairs.filter(|(name, _)| !names.contains(&name.as_str()));
        kept.map(|(name, value)| (name.as_str(), value.as_str()))
            .collect()
    }
}

/// The scroll of a workspace, shared by its requests.
type SharedScrolls = Mutex<Scrolls>;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One workspace with its token.
struct Intercom {
    store: Mutex<IntercomStore>,
    scrolls: SharedScrolls,
    /// The limit and the span of the rate that is on, and the calls so far.
    rate: Mutex<((u64, i64), RateLimiter)>,
    token: String,
    behaviour: Behaviour,
    requests: AtomicU64,
}

fn start(people: &[Person], token: &str, behaviour: Behaviour) -> RunningProvider {
    let intercom = Arc::new(Intercom {
        store: Mutex::new(seed::store(people)),
        scrolls: Mutex::default(),
        rate: Mutex::new(((LIMIT, SECONDS), window(LIMIT, SECONDS))),
        token: token.to_owned(),
        behaviour,
        requests: AtomicU64::new(0),
    });
    let held = Arc::clone(&intercom);
    RunningProvider {
        router: Router::new().fallback(handle).with_state(intercom),
        records: Arc::new(move || held.records()),
    }
}

fn window(limit: u64, seconds: i64) -> RateLimiter {
    RateLimiter::new(&[RateWindow { seconds, limit }])
}

fn throttled(throttle: &Throttle) -> Response {
    let refusal = IntercomError::throttled(LIMIT);
    let request_id = request_id(0);
    let mut response = (refusal.status, Json(refusal.body(&request_id, false))).into_response();
    let now = rate::now();
    let status = RateStatus {
        granted: false,
        limit: LIMIT,
        remaining: 0,
        reset: now.saturating_add(throttle.reset.unwrap_or(SECONDS - now.rem_euclid(SECONDS))),
    };
    let headers = response.headers_mut();
    insert_common_headers(headers, &request_id);
    insert_rate_headers(headers, &status);
    if let Some(seconds) = throttle.retry_after {
        headers.insert("retry-after", HeaderValue::from(seconds));
    }
    response
}

async fn handle(
    State(intercom): State<Arc<Intercom>>,
    origin: Origin,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let number = intercom.requests.fetch_add(1, Ordering::Relaxed) + 1;
    let version = Version::parse(&intercom.version_text(&parts.headers));
    let request_id = if version >= Some(Version::V2_0) {
        seed::generated(number)
    } else {
        request_id(number)
    };
    let mut headers = HeaderMap::new();
    insert_common_headers(&mut headers, &request_id);
    let answer = intercom.answer(&parts, body, &origin, &mut headers).await;
    let (status, body) = match answer {
        Ok(body) => (StatusCode::OK, body),
        Err(refusal) => {
            let type_only = intercom.behaviour.is("errors", "type_only");
            if let Some(link) = &refusal.link {
                insert_header(&mut headers, "link", link);
            }
            (refusal.status, refusal.body(&request_id, type_only))
        }
    };
    let mut response = (status, Json(body)).into_response();
    response.headers_mut().extend(headers);
    response
}

/// Twenty letters and digits, as in 1.x; 2.x has UUIDs.
fn request_id(number: u64) -> String {
    let mut state = number;
    let digits = (0..20).map(|_| {
        state = scramble(state);
        char::from_digit(u32::try_from(state % 32).unwrap_or_default(), 32).unwrap_or('0')
    });
    digits.collect()
}

fn insert_common_headers(headers: &mut HeaderMap, request_id: &str) {
    insert_header(headers, "x-request-id", request_id);
    let private = HeaderValue::from_static("max-age=0, private, must-revalidate");
    headers.insert("cache-control", private);
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    headers.insert("content-type", json);
}

fn insert_header(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

fn insert_rate_headers(headers: &mut HeaderMap, status: &RateStatus) {
    headers.insert("x-ratelimit-limit", HeaderValue::from(status.limit));
    headers.insert("x-ratelimit-remaining", HeaderValue::from(status.remaining));
    headers.insert("x-ratelimit-reset", HeaderValue::from(status.reset));
}

impl Intercom {
    /// The users. Leads are not in the plain list of 1.x.
    fn records(&self) -> Vec<Record> {
        let store = lock(&self.store);
        let record = |(_, user): (u64, &Contact)| Record {
            id: user.id.clone(),
            external_id: user.user_id.clone(),
            email: user.email.clone(),
        };
        store.users.newest_first().map(record).collect()
    }

    /// Checks token, rate, version and path, in this order. Answers to a good token carry rate
    /// headers.
    async fn answer(
        &self,
        parts: &Parts,
        body: Body,
        origin: &Origin,
        headers: &mut HeaderMap,
    ) -> Result<Value, IntercomError> {
        if !self.is_authorized(&parts.headers) {
            return Err(IntercomError::unauthorized());
        }
        self.count(headers)?;
        let version = self.version(&parts.headers, headers)?;
        let body = axum::body::to_bytes(body, LARGEST_BODY)
            .await
            .map_err(|_| IntercomError::invalid("the body cannot be read"))?;
        let store = &mut *lock(&self.store);
        let params = Params::of(parts.uri.query().unwrap_or_default());
        let path: Vec<&str> = parts.uri.path().split('/').skip(1).collect();
        let method = parts.method.as_str();
        if version >= Version::V2_0 {
            let call = contacts::ContactRequest {
                version,
                behaviour: &self.behaviour,
                params: &params,
                method,
                body: &body,
            };
            return contacts::answer(&call, store, &path);
        }
        if method == "GET" {
            let reading = ReadRequest {
                store,
                version,
                behaviour: &self.behaviour,
                params: &params,
                path: parts.uri.path(),
                origin,
            };
            return classic::read(&reading, &path, &self.scrolls);
        }
        match classic::write(store, method, &path, &params, &body)? {
            WriteResult::Contact(contact) => Ok(self.shape(store, version).contact(&contact)),
            WriteResult::Other(answer) => Ok(answer),
        }
    }

    fn shape<'a>(&'a self, store: &'a IntercomStore, version: Version) -> ClassicShape<'a> {
        ClassicShape {
            store,
            version,
            behaviour: &self.behaviour,
        }
    }

    /// A bearer token, or the token as the user of basic authentication without password.
    fn is_authorized(&self, headers: &HeaderMap) -> bool {
        let header = headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        let Some((scheme, credentials)) = header.and_then(|header| header.split_once(' ')) else {
            return false;
        };
        match scheme.to_ascii_lowercase().as_str() {
            "bearer" => credentials == self.token,
            "basic" => STANDARD
                .decode(credentials)
                .is_ok_and(|pair| pair == format!("{}:", self.token).as_bytes()),
            _ => false,
        }
    }

    /// Counts the call. Without the switch the limit is never reached.
    fn count(&self, headers: &mut HeaderMap) -> Result<(), IntercomError> {
        let is_on = self.behaviour.is("rate", "on");
        let limit = self.behaviour.number("rate_limit").unwrap_or(LIMIT);
        let seconds = self.behaviour.number("rate_seconds");
        let seconds = seconds.and_then(|seconds| i64::try_from(seconds).ok());
        let seconds = seconds.unwrap_or(SECONDS);
        let mut rate = lock(&self.rate);
        if !is_on || rate.0 != (limit, seconds) {
            *rate = ((limit, seconds), window(limit, seconds));
        }
        let status = rate.1.take(rate::now());
        insert_rate_headers(headers, &status);
        if is_on && !status.granted {
            return Err(IntercomError::throttled(limit));
        }
        Ok(())
    }

    fn version(
        &self,
        asked: &HeaderMap,
        headers: &mut HeaderMap,
    ) -> Result<Version, IntercomError> {
        let text = self.version_text(asked);
        let version = Version::parse(&text).ok_or_else(IntercomError::version)?;
        insert_header(headers, "intercom-version", &text);
        Ok(version)
    }

    fn version_text(&self, asked: &HeaderMap) -> String {
        match asked.get("intercom-version") {
            Some(header) => header.to_str().unwrap_or_default().to_owned(),
            None => {
                let of_app = self.behaviour.get("app_version");
                of_app.unwrap_or_else(|| "1.1".to_owned())
            }
        }
    }
}
