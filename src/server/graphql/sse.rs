//! GraphQL over server-sent events: `graphql-sse`, distinct connections mode. Each response of the
//! operation is an event `next`, and `complete` is the last.

use std::{convert::Infallible, time::Duration};

use async_graphql::Response as Answer;
use axum::{
    http::{HeaderName, HeaderValue, header},
    response::{
        IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
};
use futures_util::{StreamExt, stream, stream::BoxStream};

use super::{VARY, recorder::OperationRecorder, render::encode};
use crate::graphql::executor::Execution;

/// How often a comment keeps a quiet connection alive: more often than proxies close one.
const HEARTBEAT: Duration = Duration::from_secs(12);

/// Asks nginx not to collect events before it sends them.
static X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// The response to a request that cannot run. `graphql-sse` takes every status but 200 for a failure of
/// the network, which it tries again; so the errors come as an event.
pub(super) fn refused(refused: Execution) -> Response {
    let mut recorder = OperationRecorder::new("sse");
    recorder.note(&refused);
    let response = refused.response;
    events(stream::once(async move { event(response, true).await }).boxed())
}

/// The response that carries the responses of an operation as events.
pub(super) fn respond(responses: BoxStream<'static, Answer>) -> Response {
    events(responses.then(|answer| event(answer, false)).boxed())
}

/// An event with a response, or with the errors of a request that cannot run.
async fn event(answer: Answer, is_refusal: bool) -> Result<Event, Infallible> {
    let text = encode(answer, is_refusal, false).await.ok();
    let text = text.and_then(|bytes| String::from_utf8(bytes).ok());
    Ok(match text {
        Some(text) => Event::default().event("next").data(text),
        None => Event::default().comment("a response cannot be written as JSON"),
    })
}

fn events(next: BoxStream<'static, Result<Event, Infallible>>) -> Response {
    let complete = stream::once(async { Ok(Event::default().event("complete").data("")) });
    let events = Sse::new(next.chain(complete))
        .keep_alive(KeepAlive::new().interval(HEARTBEAT).text("heartbeat"));
    let mut response = events.into_response();
    let headers = response.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static(VARY));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_ACCEL_BUFFERING.clone(), HeaderValue::from_static("no"));
    response
}
