//! What a call that is struck by a fault gets to see.

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

use super::{Kind, Moment, bulk, links};
use crate::dispatch::Mounted;
use crate::emulation::Throttle;

const HANG: Duration = Duration::from_secs(120);
/// Pieces of a dripping body.
const DRIPS: usize = 20;

/// Answers a struck call; none means that the connection is to be closed
/// without an answer.
pub(crate) async fn apply(kind: &Kind, mounted: &Mounted, request: Request) -> Option<Response> {
    let answer = match kind {
        Kind::Status {
            status,
            body,
            headers,
        } => {
            let pairs = headers.iter().filter_map(|(name, value)| {
                Some((HeaderName::try_from(name).ok()?, value.parse().ok()?))
            });
            status_answer(*status, body.as_ref(), pairs.collect())
        }
        Kind::Latency { milliseconds } => {
            tokio::time::sleep(Duration::from_millis(*milliseconds)).await;
            mounted.answer(request).await
        }
        Kind::Hang {} => {
            tokio::time::sleep(HANG).await;
            return None;
        }
        Kind::Reset { at: Moment::Start } => return None,
        Kind::Reset { at: Moment::Body } => reset_in_body(mounted.answer(request).await).await,
        Kind::Truncate {} => truncate(mounted.answer(request).await).await,
        Kind::Html {} => html(),
        Kind::RateLimit { retry_after, reset } => (mounted.throttled)(&Throttle {
            retry_after: *retry_after,
            reset: *reset,
            path: request.uri().path().to_owned(),
        }),
        Kind::Empty {} => ([(CONTENT_TYPE, "application/json")], Body::empty()).into_response(),
        Kind::NotJson {} => "All is well.\n".into_response(),
        Kind::Redirect { location } => {
            let location = HeaderValue::from_str(location).ok()?;
            (StatusCode::FOUND, [(LOCATION, location)]).into_response()
        }
        Kind::Big { bytes, chunked } => bulk::big(*bytes, *chunked),
        Kind::GzipBomb { bytes } => bulk::gzip_bomb(*bytes),
        Kind::ContentType { value } => {
            let value = HeaderValue::from_str(value).ok()?;
            let mut answer = mounted.answer(request).await;
            answer.headers_mut().insert(CONTENT_TYPE, value);
            answer
        }
        Kind::ErrorList {} => {
            let mut answer = (mounted.throttled)(&Throttle::default());
            *answer.status_mut() = StatusCode::OK;
            answer
        }
        Kind::ForeignLink {} => links::lead_away(whole(mounted.answer(request).await).await),
        Kind::SelfLink {} => {
            let own = links::Own::of(mounted.provider, &request);
            links::lead_back(&own, whole(mounted.answer(request).await).await)
        }
        Kind::Drip { milliseconds } => drip(mounted.answer(request).await, *milliseconds).await,
    };
    Some(answer)
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
    // The emulated vendors' bodies are in memory and do not fail.
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

async fn drip(answer: Response, milliseconds: u64) -> Response {
    let (mut parts, body) = whole(answer).await;
    parts.headers.insert(CONTENT_LENGTH, body.len().into());
    let size = body.len().div_ceil(DRIPS).max(1);
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
