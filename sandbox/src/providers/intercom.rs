//! Intercom, REST 1.0 to 1.4 and 2.0 to 2.17, as `developers.intercom.com/docs/references/1.1`,
//! `…/2.17/rest-api/contacts` and their users tell.
//!
//! Without `Intercom-Version` the app's version holds, 1.1 unless a switch says otherwise. Both
//! families show one store. In 1.x users and leads are apart: leads appear under `/contacts`, in
//! lists by tag or segment and, in 1.1, among the users of an address. From 2.0 on both are
//! `contacts` and `/users` is refused.
//!
//! | switch | effect |
//! |---|---|
//! | `app_version=1.0` to `1.4`, `2.0` to `2.17` | the version of requests without the header |
//! | `avatar=object`, `string`, `null` | an object (1.x without the switch), an address (2.x without it), or nothing |
//! | `email=case_sensitive` | look-ups and searches mind the letter case |
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
//! | `email_body=error_list_200` | a look-up by e-mail answers an `error.list` under 200 |
//! | `next=same_host`, `absent` | `pages.next` leads back to the sandbox, or is not there |
//! | `scroll_end=404` | a scroll ends with 404 instead of an empty page |
//!
//! In 2.x alone:
//!
//! | switch | effect |
//! |---|---|
//! | `in_limit=N` | an `IN` or `NIN` of more than N values is 400 |
//! | `index_lag=SECONDS` | a search shows the contacts as they were so long ago |
//! | `merge=any` | anybody is merged into anybody, also into who is merged already |
//! | `merged=404`, `next_hop` | a merged contact is 404; or the link of its 410 leads one merge on, not to the end |
//! | `next=null` | `pages.next` of a last page is null instead of absent |
//! | `timezone_offset=SECONDS` | the workspace's clock is so far ahead of UTC, not 19,800 |

mod classic;
mod contacts;
mod listing;
mod refusal;
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

use self::classic::Written;
use self::listing::Reading;
use self::refusal::Refusal;
use self::scroll::Scrolls;
use self::shape::Shape;
use self::store::{Contact, Store, scramble};
use self::version::Version;
use crate::behaviour::{Behaviour, Values, Variant};
use crate::emulation::{Emulation, Origin, Record, RunningProvider, Throttle};
use crate::people::Person;
use crate::rate::{self, Rate, Verdict, Window};

/// How Intercom is emulated.
pub(super) static EMULATION: Emulation = Emulation {
    variants: &[
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
/// More than any body that the vendor takes.
const LARGEST_BODY: usize = 4 << 20;

const fn word(name: &'static str, words: &'static [&'static str]) -> Variant {
    Variant {
        name,
        values: Values::OneOf(words),
    }
}

const fn number(name: &'static str) -> Variant {
    Variant {
        name,
        values: Values::Number,
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
type Scrolling = Mutex<Scrolls>;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One workspace with its token.
struct Intercom {
    store: Mutex<Store>,
    scrolls: Scrolling,
    /// The limit and the span of the rate that is on, and the calls so far.
    rate: Mutex<((u64, i64), Rate)>,
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
        router: Router::new().fallback(enter).with_state(intercom),
        records: Arc::new(move || held.records()),
    }
}

fn window(limit: u64, seconds: i64) -> Rate {
    Rate::new(&[Window { seconds, limit }])
}

fn throttled(throttle: &Throttle) -> Response {
    let refusal = Refusal::throttled(LIMIT);
    let request_id = request_id(0);
    let mut response = (refusal.status, Json(refusal.body(&request_id, false))).into_response();
    let now = rate::now();
    let verdict = Verdict {
        granted: false,
        limit: LIMIT,
        remaining: 0,
        reset: now.saturating_add(throttle.reset.unwrap_or(SECONDS - now.rem_euclid(SECONDS))),
    };
    let headers = response.headers_mut();
    identify(headers, &request_id);
    tell_rate(headers, &verdict);
    if let Some(seconds) = throttle.retry_after {
        headers.insert("retry-after", HeaderValue::from(seconds));
    }
    response
}

async fn enter(
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
    identify(&mut headers, &request_id);
    let answer = intercom.answer(&parts, body, &origin, &mut headers).await;
    let (status, body) = match answer {
        Ok(body) => (StatusCode::OK, body),
        Err(refusal) => {
            let type_only = intercom.behaviour.is("errors", "type_only");
            if let Some(link) = &refusal.link {
                tell(&mut headers, "link", link);
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

fn identify(headers: &mut HeaderMap, request_id: &str) {
    tell(headers, "x-request-id", request_id);
    let private = HeaderValue::from_static("max-age=0, private, must-revalidate");
    headers.insert("cache-control", private);
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    headers.insert("content-type", json);
}

fn tell(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

fn tell_rate(headers: &mut HeaderMap, verdict: &Verdict) {
    headers.insert("x-ratelimit-limit", HeaderValue::from(verdict.limit));
    headers.insert(
        "x-ratelimit-remaining",
        HeaderValue::from(verdict.remaining),
    );
    headers.insert("x-ratelimit-reset", HeaderValue::from(verdict.reset));
}

impl Intercom {
    /// The users; leads are in no list that a walk could be compared with.
    fn records(&self) -> Vec<Record> {
        let store = lock(&self.store);
        let record = |(_, user): (u64, &Contact)| Record {
            id: user.id.clone(),
            external_id: user.user_id.clone(),
            email: user.email.clone(),
        };
        store.users.newest_first().map(record).collect()
    }

    /// Token, rate, version, and then the path. Rate headers go to whoever has the token.
    async fn answer(
        &self,
        parts: &Parts,
        body: Body,
        origin: &Origin,
        headers: &mut HeaderMap,
    ) -> Result<Value, Refusal> {
        if !self.admits(&parts.headers) {
            return Err(Refusal::unauthorized());
        }
        self.count(headers)?;
        let version = self.version(&parts.headers, headers)?;
        let body = axum::body::to_bytes(body, LARGEST_BODY)
            .await
            .map_err(|_| Refusal::invalid("the body cannot be read"))?;
        let store = &mut *lock(&self.store);
        let params = Params::of(parts.uri.query().unwrap_or_default());
        let path: Vec<&str> = parts.uri.path().split('/').skip(1).collect();
        let method = parts.method.as_str();
        if version >= Version::V2_0 {
            let call = contacts::Call {
                version,
                behaviour: &self.behaviour,
                params: &params,
                method,
                body: &body,
            };
            return contacts::answer(&call, store, &path);
        }
        if method == "GET" {
            let reading = Reading {
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
            Written::Contact(contact) => Ok(self.shape(store, version).contact(&contact)),
            Written::Other(answer) => Ok(answer),
        }
    }

    fn shape<'a>(&'a self, store: &'a Store, version: Version) -> Shape<'a> {
        Shape {
            store,
            version,
            behaviour: &self.behaviour,
        }
    }

    /// A bearer token, or the token as the user of basic authentication without password.
    fn admits(&self, headers: &HeaderMap) -> bool {
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

    /// Counts the call. Without the switch nothing is ever used up.
    fn count(&self, headers: &mut HeaderMap) -> Result<(), Refusal> {
        let is_on = self.behaviour.is("rate", "on");
        let limit = self.behaviour.number("rate_limit").unwrap_or(LIMIT);
        let seconds = self.behaviour.number("rate_seconds");
        let seconds = seconds.and_then(|seconds| i64::try_from(seconds).ok());
        let seconds = seconds.unwrap_or(SECONDS);
        let mut rate = lock(&self.rate);
        if !is_on || rate.0 != (limit, seconds) {
            *rate = ((limit, seconds), window(limit, seconds));
        }
        let verdict = rate.1.take(rate::now());
        tell_rate(headers, &verdict);
        if is_on && !verdict.granted {
            return Err(Refusal::throttled(limit));
        }
        Ok(())
    }

    fn version(&self, asked: &HeaderMap, headers: &mut HeaderMap) -> Result<Version, Refusal> {
        let text = self.version_text(asked);
        let version = Version::parse(&text).ok_or_else(Refusal::version)?;
        tell(headers, "intercom-version", &text);
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
