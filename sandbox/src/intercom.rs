//! Intercom, REST 1.0 to 1.4, as `developers.intercom.com/docs/references/1.1` and its users tell.
//!
//! Without `Intercom-Version` the app's version holds, 1.1 unless a switch says otherwise; 2.x is
//! refused as on `/users` at the vendor. Leads are kept beside the users: they appear under
//! `/contacts`, in lists by tag or segment and, in 1.1, among the users of an address.
//!
//! | switch | effect |
//! |---|---|
//! | `app_version=1.0` to `1.4`, `2.0` | the version of requests without the header |
//! | `per_page=reject` | a size outside 1 to 60 is 400; otherwise it is clamped |
//! | `ceiling=N` | page numbers reach N rows, not 10,000 |
//! | `email=case_sensitive` | look-ups mind the letter case |
//! | `next=same_host`, `absent` | `pages.next` leads back to the sandbox, or is not there |
//! | `location=empty_object` | `location_data` is `{}` |
//! | `owner_id=int` | a number instead of a string |
//! | `avatar=string`, `null` | an address, or nothing, instead of an object |
//! | `errors=type_only` | entries of `error.list` carry `type`, not `code` |
//! | `email_body=error_list_200` | a look-up by e-mail answers an `error.list` under 200 |
//! | `scroll_end=404` | a scroll ends with 404 instead of an empty page |
//! | `rate=on`, `rate_limit=N` | 167, or N, calls in ten seconds |

mod listing;
mod refusal;
mod scroll;
mod seed;
mod shape;
mod store;
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
use serde_json::{Value, json};

use self::listing::Reading;
use self::refusal::Refusal;
use self::scroll::Scrolls;
use self::shape::Shape;
use self::store::{Contact, Store, scramble};
use crate::behaviour::{Behaviour, Values, Variant};
use crate::people::Person;
use crate::rate::{self, Rate, Verdict, Window};
use crate::vendor::{Emulation, Name, Origin, Record, Throttle, Vendor};

/// How Intercom is emulated.
pub static EMULATION: Emulation = Emulation {
    name: Name::Intercom,
    variants: &[
        word("app_version", &["1.0", "1.1", "1.2", "1.3", "1.4", "2.0"]),
        word("avatar", &["string", "null"]),
        number("ceiling"),
        word("email", &["case_sensitive"]),
        word("email_body", &["error_list_200"]),
        word("errors", &["type_only"]),
        word("location", &["empty_object"]),
        word("next", &["same_host", "absent"]),
        word("owner_id", &["int"]),
        word("per_page", &["reject"]),
        word("rate", &["on"]),
        number("rate_limit"),
        word("scroll_end", &["404"]),
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

/// A version that is emulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Version {
    V1_0,
    V1_1,
    V1_2,
    V1_3,
    V1_4,
}

impl Version {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "1.0" => Some(Self::V1_0),
            "1.1" => Some(Self::V1_1),
            "1.2" => Some(Self::V1_2),
            "1.3" => Some(Self::V1_3),
            "1.4" => Some(Self::V1_4),
            _ => None,
        }
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

/// One workspace with its token.
struct Intercom {
    store: Mutex<Store>,
    scrolls: Mutex<Scrolls>,
    rate: Mutex<(u64, Rate)>,
    token: String,
    behaviour: Behaviour,
    requests: AtomicU64,
}

fn start(people: &[Person], token: &str, behaviour: Behaviour) -> Vendor {
    let intercom = Arc::new(Intercom {
        store: Mutex::new(seed::store(people)),
        scrolls: Mutex::default(),
        rate: Mutex::new((LIMIT, window(LIMIT))),
        token: token.to_owned(),
        behaviour,
        requests: AtomicU64::new(0),
    });
    let held = Arc::clone(&intercom);
    Vendor {
        router: Router::new().fallback(enter).with_state(intercom),
        records: Arc::new(move || held.records()),
    }
}

fn window(limit: u64) -> Rate {
    Rate::new(&[Window {
        seconds: SECONDS,
        limit,
    }])
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
    let request_id = request_id(intercom.requests.fetch_add(1, Ordering::Relaxed) + 1);
    let (parts, body) = request.into_parts();
    let mut headers = HeaderMap::new();
    identify(&mut headers, &request_id);
    let answer = intercom.answer(&parts, body, &origin, &mut headers).await;
    let (status, body) = match answer {
        Ok(body) => (StatusCode::OK, body),
        Err(refusal) => {
            let type_only = intercom.behaviour.is("errors", "type_only");
            (refusal.status, refusal.body(&request_id, type_only))
        }
    };
    let mut response = (status, Json(body)).into_response();
    response.headers_mut().extend(headers);
    response
}

/// Twenty letters and digits, as in 1.x.
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
    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The users; leads are in no list that a walk could be compared with.
    fn records(&self) -> Vec<Record> {
        let store = self.store();
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
        let store = &mut *self.store();
        let params = Params::of(parts.uri.query().unwrap_or_default());
        let segments: Vec<&str> = parts.uri.path().split('/').skip(1).collect();
        match (parts.method.as_str(), &segments[..]) {
            ("POST", ["users"]) => {
                let user = write::upsert(store, &body, false)?;
                Ok(self.shape(store, version).contact(&user))
            }
            ("POST", ["contacts"]) => {
                let lead = write::upsert(store, &body, true)?;
                Ok(self.shape(store, version).contact(&lead))
            }
            ("POST", ["user_delete_requests"]) => write::delete_for_good(store, &body),
            ("DELETE", path) => {
                let gone = archive(store, path, &params)?;
                Ok(self.shape(store, version).contact(&gone))
            }
            ("GET", path) => {
                let reading = Reading {
                    store,
                    version,
                    behaviour: &self.behaviour,
                    params: &params,
                    path: parts.uri.path(),
                    origin,
                };
                self.read(&reading, path)
            }
            _ => Err(Refusal::no_resource()),
        }
    }

    fn read(&self, reading: &Reading<'_>, path: &[&str]) -> Result<Value, Refusal> {
        match path {
            ["users"] => reading.users(),
            ["users", "scroll"] => self.scrolls().page(reading, false),
            ["users", id] => reading.by_id(id, false),
            ["contacts"] => reading.leads(),
            ["contacts", "scroll"] => self.scrolls().page(reading, true),
            ["contacts", id] => reading.by_id(id, true),
            ["companies"] => company_by_query(reading),
            ["companies", id, "users"] => {
                let company = reading.store.company(id).ok_or_else(Refusal::no_company)?;
                reading.company_users(&company.company_id)
            }
            ["tags"] => Ok(labels(reading.store, "tag", |contact| &contact.tags)),
            ["segments"] => Ok(labels(reading.store, "segment", |contact| {
                &contact.segments
            })),
            _ => Err(Refusal::no_resource()),
        }
    }

    fn scrolls(&self) -> MutexGuard<'_, Scrolls> {
        self.scrolls.lock().unwrap_or_else(PoisonError::into_inner)
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
        let mut rate = self.rate.lock().unwrap_or_else(PoisonError::into_inner);
        if !is_on || rate.0 != limit {
            *rate = (limit, window(limit));
        }
        let verdict = rate.1.take(rate::now());
        tell_rate(headers, &verdict);
        if is_on && !verdict.granted {
            return Err(Refusal::throttled(limit));
        }
        Ok(())
    }

    fn version(&self, asked: &HeaderMap, headers: &mut HeaderMap) -> Result<Version, Refusal> {
        let of_app = self.behaviour.get("app_version");
        let of_app = of_app.as_deref().unwrap_or("1.1");
        let text = match asked.get("intercom-version") {
            Some(header) => header.to_str().unwrap_or_default(),
            None => of_app,
        };
        let version = Version::parse(text).ok_or_else(Refusal::version)?;
        tell(headers, "intercom-version", text);
        Ok(version)
    }
}

fn archive(store: &mut Store, path: &[&str], params: &Params) -> Result<Contact, Refusal> {
    let (place, lead) = match path {
        ["users"] => {
            let place = write::named(store, params.get("user_id"), params.get("email"))?;
            (Some(place), false)
        }
        ["users", id] => (store.users.place(id), false),
        ["contacts", id] => (store.leads.place(id), true),
        _ => return Err(Refusal::no_resource()),
    };
    let message = if lead {
        "Contact Not Found"
    } else {
        "User Not Found"
    };
    place
        .and_then(|place| write::archive(store, place, lead))
        .ok_or_else(|| Refusal::not_found(message))
}

/// `GET /companies?company_id=`, with `type=user` for the users of it.
fn company_by_query(reading: &Reading<'_>) -> Result<Value, Refusal> {
    let company_id = reading.params.get("company_id");
    let company_id = company_id.ok_or_else(Refusal::no_resource)?;
    let company = reading.store.companies.get(company_id);
    let company = company.ok_or_else(Refusal::no_company)?;
    if reading.params.get("type") == Some("user") {
        return reading.company_users(company_id);
    }
    Ok(json!({
        "type": "company",
        "id": company.id,
        "company_id": company.company_id,
        "name": company.name,
    }))
}

/// All the tags or segments that anybody has.
fn labels(store: &Store, kind: &str, of: fn(&Contact) -> &Vec<String>) -> Value {
    let mut names: Vec<&String> = store.everybody().into_iter().flat_map(of).collect();
    names.sort();
    names.dedup();
    let labels: Vec<Value> = names
        .into_iter()
        .map(|name| json!({"type": kind, "id": store::label_id(name), "name": name}))
        .collect();
    let mut list = json!({"type": format!("{kind}.list")});
    list[format!("{kind}s")] = json!(labels);
    list
}
