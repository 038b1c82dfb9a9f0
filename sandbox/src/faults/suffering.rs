//! What a call that is struck by a fault gets to see.

use std::io;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use serde_json::Value;

use super::{Kind, Moment};
use crate::door::Door;
use crate::vendor::Throttle;

const HANG: Duration = Duration::from_secs(120);
const FOREIGN: &str = "http://attacker.test";
/// Pieces of a dripping body.
const DRIPS: usize = 20;
const BIG_HEAD: &[u8] = br#"{"padding":""#;
const BIG_TAIL: &[u8] = br#""}"#;
const BIG_PIECE: u64 = 64 << 10;

/// Answers a struck call; none means that the connection is to be closed
/// without an answer.
pub(crate) async fn suffer(kind: &Kind, door: &Door, request: Request) -> Option<Response> {
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
            door.answer(request).await
        }
        Kind::Hang {} => {
            tokio::time::sleep(HANG).await;
            return None;
        }
        Kind::Reset { at: Moment::Start } => return None,
        Kind::Reset { at: Moment::Body } => reset_in_body(door.answer(request).await).await,
        Kind::Truncate {} => truncate(door.answer(request).await).await,
        Kind::Html {} => html(),
        Kind::RateLimit { retry_after, reset } => throttled(door, *retry_after, *reset),
        Kind::Empty {} => ([(CONTENT_TYPE, "application/json")], Body::empty()).into_response(),
        Kind::NotJson {} => "All is well.\n".into_response(),
        Kind::Redirect { location } => {
            let location = HeaderValue::from_str(location).ok()?;
            (StatusCode::FOUND, [(LOCATION, location)]).into_response()
        }
        Kind::Big { bytes } => big(*bytes),
        Kind::ForeignLink {} => foreign_link(door.answer(request).await).await,
        Kind::Drip { milliseconds } => drip(door.answer(request).await, *milliseconds).await,
    };
    Some(answer)
}

/// An answer whose body fails at once: the server closes the connection
/// before it has sent a byte.
pub(crate) fn cut() -> Response {
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

fn throttled(door: &Door, retry_after: Option<u64>, reset: Option<i64>) -> Response {
    let mut answer = (door.throttled)(&Throttle { retry_after, reset });
    if let Some(seconds) = retry_after {
        answer.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    answer
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

fn big(bytes: u64) -> Response {
    let frame = (BIG_HEAD.len() + BIG_TAIL.len()) as u64;
    let padding = bytes.saturating_sub(frame);
    let piece = Bytes::from(vec![
        b'x';
        usize::try_from(BIG_PIECE.min(padding)).unwrap_or(0)
    ]);
    let pieces = stream::unfold(padding, move |left| {
        let piece = piece.clone();
        async move {
            let size = usize::try_from(left.min(BIG_PIECE)).unwrap_or(0);
            (size > 0).then(|| (piece.slice(..size), left - size as u64))
        }
    });
    let fixed = |part: &'static [u8]| stream::once(async move { Bytes::from_static(part) });
    let body = fixed(BIG_HEAD).chain(pieces).chain(fixed(BIG_TAIL));
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (CONTENT_LENGTH, HeaderValue::from(padding + frame)),
    ];
    (headers, Body::from_stream(body.map(Ok::<_, io::Error>))).into_response()
}

async fn foreign_link(answer: Response) -> Response {
    let (mut parts, body) = whole(answer).await;
    if let Some(location) = parts.headers.get(LOCATION).and_then(|l| l.to_str().ok())
        && let Ok(led_away) = HeaderValue::from_str(&lead_away(location))
    {
        parts.headers.insert(LOCATION, led_away);
    }
    let Ok(mut json) = serde_json::from_slice::<Value>(&body) else {
        return Response::from_parts(parts, Body::from(body));
    };
    lead_links_away(&mut json);
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(json.to_string()))
}

fn lead_links_away(json: &mut Value) {
    match json {
        Value::String(text) => *text = lead_away(text),
        Value::Array(items) => items.iter_mut().for_each(lead_links_away),
        Value::Object(fields) => fields.values_mut().for_each(lead_links_away),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The link on the foreign host; a text that is no link stays as it is.
fn lead_away(text: &str) -> String {
    let absolute = ["http://", "https://"]
        .into_iter()
        .find_map(|scheme| text.strip_prefix(scheme));
    if let Some(rest) = absolute {
        let path = rest.find(['/', '?', '#']).map_or("", |at| &rest[at..]);
        return format!("{FOREIGN}{path}");
    }
    if text.starts_with('/') {
        return format!("{FOREIGN}{text}");
    }
    text.to_owned()
}
