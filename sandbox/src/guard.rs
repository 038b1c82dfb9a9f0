//! Protects the controls from pages of other sites, which run in a browser on the machine where the
//! sandbox listens.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Refuses changes that a page of another site may have sent.
pub(crate) async fn own_site(request: Request, next: Next) -> Response {
    let is_change = !matches!(*request.method(), Method::GET | Method::HEAD);
    match refusal(request.method(), request.headers()).filter(|_| is_change) {
        Some((status, why)) => refused(status, why),
        None => next.run(request).await,
    }
}

fn refusal(method: &Method, headers: &HeaderMap) -> Option<(StatusCode, &'static str)> {
    let text = |name: &str| {
        let value = headers.get(name);
        value.map(|value| value.to_str().unwrap_or_default())
    };
    if matches!(text("sec-fetch-site"), Some("cross-site" | "same-site")) {
        let why = "`Sec-Fetch-Site` says that a page of another site sent this";
        return Some((StatusCode::FORBIDDEN, why));
    }
    if text("origin").is_some_and(|origin| !is_own(origin, text("host"))) {
        let why = "`Origin` names a page that is not of this machine";
        return Some((StatusCode::FORBIDDEN, why));
    }
    let media = text(header::CONTENT_TYPE.as_str());
    let must_be_there = matches!(*method, Method::POST | Method::PUT);
    let is_json = media.map_or(!must_be_there, |media| {
        let name = media.split(';').next().unwrap_or_default().trim();
        name.eq_ignore_ascii_case("application/json")
    });
    let why = "send the body as `Content-Type: application/json`";
    (!is_json).then_some((StatusCode::UNSUPPORTED_MEDIA_TYPE, why))
}

/// Whether an origin is the requested host, or a loopback address.
fn is_own(origin: &str, host: Option<&str>) -> bool {
    let Some((_, of)) = origin.split_once("://") else {
        return false;
    };
    host.is_some_and(|host| host.eq_ignore_ascii_case(of)) || Host::of(of).is_loopback()
}

/// Refuses requests to the controls whose host is neither a loopback name nor an address where the
/// sandbox listens. A page can point its own host name at this machine.
pub(crate) async fn known_host(
    State(listen): State<IpAddr>,
    request: Request,
    next: Next,
) -> Response {
    if !request.uri().path().starts_with("/_sandbox/") {
        return next.run(request).await;
    }
    let target = request.uri().authority().map(|target| target.as_str());
    let headers = request.headers().get_all(header::HOST).iter();
    let headers: Vec<_> = headers
        .map(|host| host.to_str().unwrap_or_default())
        .collect();
    let [header] = headers.as_slice() else {
        return refused(StatusCode::BAD_REQUEST, "send one `Host` header");
    };
    let hosts = [target, Some(header)].into_iter().flatten();
    if hosts.map(Host::of).all(|host| host.is_known(listen)) {
        return next.run(request).await;
    }
    let why =
        "the controls answer to loopback names and to the address of --listen: `Host` is another";
    refused(StatusCode::MISDIRECTED_REQUEST, why)
}

/// A host without its port.
enum Host<'a> {
    Address(IpAddr),
    Name(&'a str),
}

impl<'a> Host<'a> {
    fn of(text: &'a str) -> Self {
        let end = text.rfind(']').map_or(0, |end| end + 1);
        let host = text[end..].find(':').map_or(text, |at| &text[..end + at]);
        let address = match host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
        {
            Some(address) => address.parse::<Ipv6Addr>().map(IpAddr::from),
            None => host.parse::<Ipv4Addr>().map(IpAddr::from),
        };
        address.map_or(
            Self::Name(host.strip_suffix('.').unwrap_or(host)),
            Self::Address,
        )
    }

    fn is_loopback(&self) -> bool {
        match self {
            Self::Address(address) => address.to_canonical().is_loopback(),
            Self::Name(name) => name.eq_ignore_ascii_case("localhost"),
        }
    }

    fn is_known(&self, listen: IpAddr) -> bool {
        match self {
            // An IP address cannot be rebound like a name: with 0.0.0.0, any address is good.
            Self::Address(address) if listen.is_unspecified() || *address == listen => true,
            Self::Address(_) | Self::Name(_) => self.is_loopback(),
        }
    }
}

fn refused(status: StatusCode, why: &str) -> Response {
    (status, Json(json!({ "message": why }))).into_response()
}
