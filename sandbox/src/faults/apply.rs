//! The answers to calls that a fault applies to.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use serde_json::Value;

use super::links::{self, RequestLink};
use super::{FaultKind, ResetPoint, bulk};
use crate::dispatch::Mounted;
use crate::emulation::Throttle;

const HANG: Duration = Duration::from_secs(120);
/// The pieces in which a slow body is sent.
const SLOW_PIECES: usize = 20;

/// Answers a call with a fault. None closes the connection without an answer.
pub(crate) async fn apply(
    kind: &FaultKind,
    mounted: &Mounted,
    request: Request,
) -> Option<Response> {
    let link = RequestLink::of(mounted.provider, &request);
    let throttle = |retry_after, reset| Throttle {
        retry_after,
        reset,
        path: request.uri().path().to_owned(),
    };
    Some(match kind {
        FaultKind::Status {
            status,
            body,
            headers,
        } => status_answer(*status, body.as_ref(), header_map(headers)),
        FaultKind::Latency { milliseconds } => {
            tokio::time::sleep(Duration::from_millis(*milliseconds)).await;
            mounted.answer(request).await
        }
        FaultKind::Hang {} => {
            tokio::time::sleep(HANG).await;
            return None;
        }
        FaultKind::Reset {
            at: ResetPoint::Start,
        } => return None,
        FaultKind::Reset {
            at: ResetPoint::Body,
        } => reset_in_body(mounted.answer(request).await).await,
        FaultKind::Truncate {} => truncate(mounted.answer(request).await).await,
        FaultKind::Html {} => html(),
        FaultKind::RateLimit { retry_after, reset } => {
            (mounted.throttled)(&throttle(*retry_after, *reset))
        }
        FaultKind::Empty {} => empty(),
        FaultKind::NotJson {} => "All is well.\n".into_response(),
        FaultKind::Redirect { location } => redirect(location)?,
        FaultKind::Big { bytes, chunked } => bulk::big(*bytes, *chunked),
        FaultKind::GzipBomb { bytes } => bulk::gzip_bomb(*bytes),
        FaultKind::ContentType { value } => with_type(mounted.answer(request).await, value)?,
        FaultKind::ErrorList {} => under_200((mounted.throttled)(&throttle(None, None))),
        FaultKind::ForeignLink {} => {
            links::replace_links(whole(mounted.answer(request).await).await)
        }
        FaultKind::SelfLink {} => {
            links::link_to_itself(&link, whole(mounted.answer(request).await).await)
        }
        FaultKind::Drip { milliseconds } => {
            send_slowly(mounted.answer(request).await, *milliseconds).await
        }
    })
}

fn header_map(headers: &BTreeMap<String, String>) -> HeaderMap {
    let pairs = headers
        .iter()
        .filter_map(|(name, value)| Some((HeaderName::try_from(name).ok()?, value.parse().ok()?)));
    pairs.collect()
}

fn empty() -> Response {
    ([(CONTENT_TYPE, "application/json")], Body::empty()).into_response()
}

fn redirect(location: &str) -> Option<Response> {
    let location = HeaderValue::from_str(location).ok()?;
    Some((StatusCode::FOUND, [(LOCATION, location)]).into_response())
}

fn with_type(mut answer: Response, value: &str) -> Option<Response> {
    let value = HeaderValue::from_str(value).ok()?;
    answer.headers_mut().insert(CONTENT_TYPE, value);
    Some(answer)
}

fn under_200(mut answer: Response) -> Response {
    *answer.status_mut() = StatusCode::OK;
    answer
}

/// An answer whose body fails at once: the server closes the connection
/// before it has sent a byte.
pub(crate) fn close_connection() -> Response {
    let failing = stream::once(async { Err::<Bytes, _>(io::Error::other("cut by a fault")) });
    Body::from_stream(failing).into_response()
}

fn status_answer(status: u16, body: Option<&Value>, headers: HeaderMap) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = match body {
        None => status.into_response(),
        Some(Value::String(text)) => (status, text.clone()).into_response(),
        Some(value) => (status, axum::Json(value)).into_response(),
    };
    answer.headers_mut().extend(headers);
    answer
}

fn html() -> Response {
    let page = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n\
                <center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n";
    let headers = [(CONTENT_TYPE, "text/html")];
    (StatusCode::BAD_GATEWAY, headers, page).into_response()
}

/// The answer in parts: its head, and the whole of its body.
async fn whole(answer: Response) -> (axum::http::response::Parts, Bytes) {
    let (parts, body) = answer.into_parts();
    // The bodies of the providers are in memory and do not fail.
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    (parts, body)
}

async fn truncate(answer: Response) -> Response {
    let (mut parts, body) = whole(answer).await;
    parts.headers.insert(CONTENT_LENGTH, body.len().into());
    Response::from_parts(parts, half(&body))
}

async fn reset_in_body(answer: Response) -> Response {
    let (mut parts, body) = whole(answer).await;
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, half(&body))
}

/// The first half of a body, then a failure. The pause between them lets the
/// server send the half before it sees the failure.
fn half(body: &Bytes) -> Body {
    let half = body.slice(..body.len() / 2);
    let failure = async {
        tokio::time::sleep(Duration::from_millis(10)).await;
        Err(io::Error::other("cut by a fault"))
    };
    Body::from_stream(stream::once(async { Ok(half) }).chain(stream::once(failure)))
}

async fn send_slowly(answer: Response, milliseconds: u64) -> Response {
    let (mut parts, body) = whole(answer).await;
    parts.headers.insert(CONTENT_LENGTH, body.len().into());
    let size = body.len().div_ceil(SLOW_PIECES).max(1);
    let pieces: Vec<Bytes> = (0..body.len())
        .step_by(size)
        .map(|start| body.slice(start..body.len().min(start + size)))
        .collect();
    let count = u32::try_from(pieces.len()).unwrap_or(1).max(1);
    let pause = Duration::from_millis(milliseconds) / count;
    let slowly = stream::iter(pieces).then(move |piece| async move {
        tokio::time::sleep(pause).await;
        Ok::<_, io::Error>(piece)
    });
    Response::from_parts(parts, Body::from_stream(slowly))
}
